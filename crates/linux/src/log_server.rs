//! Who the log server is, and single records to it.
//!
//! RFC 5425 (syslog over TLS) whose frames come as they are sent: the server is always authenticated, the guest where
//! its contract gives a client certificate. The forwarder of the journal begins its conversations here too.
//!
//! A server of TLS 1.3 looks at the client's certificate after the client believes the handshake done. So each
//! conversation is closed from this side and read to the server's end: a refusal arrives there as an alert.

mod conversation;

use std::time::{Duration, Instant};

use openssl::error::ErrorStack;
use openssl::ssl::{SslContext, SslFiletype};

use super::{Linux, tls};
use countersign_ports::guest_os::{ClientFiles, ConnectionError, LogServer, LogTarget};

pub(super) use conversation::Conversation;

type Result<T> = std::result::Result<T, ConnectionError>;

/// How long our half stays open for a server that takes a goodbye for nothing and waits for the end of the connection.
const PATIENCE: Duration = Duration::from_secs(10);

impl LogServer for Linux {
    fn send(&self, target: &LogTarget, frames: &[Vec<u8>], timeout: Duration) -> Result<()> {
        let deadline = Instant::now().checked_add(timeout).ok_or(ConnectionError::Protocol)?;
        let mut conversation = connect(target, deadline)?;
        let sent = conversation
            .write(&frames.concat(), deadline)
            .and_then(|()| conversation.finish(deadline, Some(PATIENCE)));
        sent.map(drop).map_err(|error| match error {
            // A server that hangs up on the first record does not want us, whatever it leaves unsaid.
            ConnectionError::HungUp if target.client.is_none() => ConnectionError::ClientUnnamed,
            ConnectionError::HungUp => ConnectionError::ClientRefused,
            error => error,
        })
    }
}

/// Begins a conversation with the server that the target names, and with no other.
pub(super) fn connect(target: &LogTarget, deadline: Instant) -> Result<Conversation> {
    // The files first: what is wrong on this side is said without troubling the server.
    let context = context(target)?;
    Ok(Conversation::new(tls::connect(&context, &target.hostname, target.port, deadline)?))
}

fn context(target: &LogTarget) -> Result<SslContext> {
    let mut builder = tls::context(&target.ca)?;
    let mut show = |client: &ClientFiles| -> std::result::Result<(), ErrorStack> {
        builder.set_certificate_chain_file(&client.certificate)?;
        builder.set_private_key_file(&client.key, SslFiletype::PEM)?;
        builder.check_private_key()
    };
    if let Some(client) = &target.client {
        show(client).map_err(|_| ConnectionError::ClientFiles)?;
    }
    Ok(builder.build())
}

#[cfg(test)]
mod tests;
