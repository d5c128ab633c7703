//! Who the log server is, and single records to it.
//!
//! RFC 5425 (syslog over TLS, both sides authenticated) with the octet-counted frames of its section 4.3. Names
//! are compared as RFC 6125 says: the subject alternative names, DNS or IP address, never the common name, no
//! partial wildcards. The forwarder of the journal begins its conversations here too.
//!
//! A server of TLS 1.3 looks at the client's certificate after the client believes the handshake done. So each
//! conversation is closed from this side and read to the server's end: a refusal arrives there as an alert.

mod conversation;

use std::io;
use std::net::{IpAddr, SocketAddr, TcpStream, ToSocketAddrs};
use std::os::fd::AsFd;
use std::sync::mpsc;
use std::time::{Duration, Instant};

use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use openssl::error::ErrorStack;
use openssl::ssl::{
    ErrorCode, HandshakeError, Ssl, SslContext, SslContextBuilder, SslFiletype, SslMethod, SslMode, SslRef,
    SslStream, SslVerifyMode, SslVersion,
};
use openssl::x509::verify::X509CheckFlags;

use super::Linux;
use crate::ports_host::{LogServer, LogTarget, ProbeError};

pub(super) use conversation::Conversation;

type Result<T> = std::result::Result<T, ProbeError>;

/// OpenSSL's level of 112 bits: no SHA-1 in a chain, no RSA key under 2048 bits.
const SECURITY_LEVEL: u32 = 2;

/// How long our half stays open for a server that takes a goodbye for nothing and waits for the end of the connection.
const PATIENCE: Duration = Duration::from_secs(10);

impl LogServer for Linux {
    fn send(&self, target: &LogTarget, records: &[String], timeout: Duration) -> Result<()> {
        let deadline = Instant::now().checked_add(timeout).ok_or(ProbeError::Protocol)?;
        let mut conversation = connect(target, deadline)?;
        let sent = conversation
            .write(&frames(records), deadline)
            .and_then(|()| conversation.finish(deadline, Some(PATIENCE)));
        sent.map(drop).map_err(|error| match error {
            // A server that hangs up on the first record does not want us, whatever it leaves unsaid.
            ProbeError::HungUp => ProbeError::ClientRefused,
            error => error,
        })
    }
}

/// Begins a conversation with the server that the target names, and with no other.
pub(super) fn connect(target: &LogTarget, deadline: Instant) -> Result<Conversation> {
    // The files first: what is wrong on this side is said without troubling the server.
    let context = context(target)?;
    let socket = reach(resolve(&target.hostname, target.port, deadline)?, deadline)?;
    Ok(Conversation::new(handshake(session(&context, target)?, socket, deadline)?))
}

/// The messages, each after its length in bytes.
fn frames(records: &[String]) -> Vec<u8> {
    records.iter().flat_map(|record| format!("{} {record}", record.len()).into_bytes()).collect()
}

fn context(target: &LogTarget) -> Result<SslContext> {
    let mut builder = SslContextBuilder::new(SslMethod::tls_client()).map_err(|_| ProbeError::Protocol)?;
    builder.set_security_level(SECURITY_LEVEL);
    builder.set_min_proto_version(Some(SslVersion::TLS1_2)).map_err(|_| ProbeError::Protocol)?;
    builder.set_verify(SslVerifyMode::PEER);
    // The rest of a partly written buffer is at another address each time.
    builder.set_mode(SslMode::ENABLE_PARTIAL_WRITE | SslMode::ACCEPT_MOVING_WRITE_BUFFER);
    builder.set_ca_file(&target.ca).map_err(|_| ProbeError::Untrusted)?;
    let client = || -> std::result::Result<SslContext, ErrorStack> {
        builder.set_certificate_chain_file(&target.certificate)?;
        builder.set_private_key_file(&target.key, SslFiletype::PEM)?;
        builder.check_private_key()?;
        Ok(builder.build())
    };
    client().map_err(|_| ProbeError::ClientFiles)
}

/// A session that demands the target's name in the server's certificate.
fn session(context: &SslContext, target: &LogTarget) -> Result<Ssl> {
    let set_up = || -> std::result::Result<Ssl, ErrorStack> {
        let mut ssl = Ssl::new(context)?;
        let address: std::result::Result<IpAddr, _> = target.hostname.parse();
        let checks = ssl.param_mut();
        checks.set_hostflags(X509CheckFlags::NO_PARTIAL_WILDCARDS | X509CheckFlags::NEVER_CHECK_SUBJECT);
        match address {
            Ok(address) => checks.set_ip(address)?,
            Err(_) => {
                checks.set_host(&target.hostname)?;
                ssl.set_hostname(&target.hostname)?;
            }
        }
        Ok(ssl)
    };
    set_up().map_err(|_| ProbeError::Protocol)
}

/// The resolver of the C library knows no time-out; a thread that it holds up ends with the process.
fn resolve(hostname: &str, port: u16, deadline: Instant) -> Result<Vec<SocketAddr>> {
    let (answer, answered) = mpsc::channel();
    let host = (hostname.to_owned(), port);
    std::thread::Builder::new()
        .spawn(move || {
            let addresses = (host.0.as_str(), host.1).to_socket_addrs().map(Iterator::collect::<Vec<_>>);
            // Nobody may be waiting any more.
            let _ = answer.send(addresses);
        })
        .map_err(|_| ProbeError::NameResolution)?;
    match answered.recv_timeout(rest(deadline)) {
        Ok(Ok(addresses)) if !addresses.is_empty() => Ok(addresses),
        _ => Err(ProbeError::NameResolution),
    }
}

/// The first address that accepts a connection; each may take an equal part of the time left.
fn reach(addresses: Vec<SocketAddr>, deadline: Instant) -> Result<TcpStream> {
    let count = addresses.len();
    for (index, address) in addresses.into_iter().enumerate() {
        let share = rest(deadline) / u32::try_from(count - index).unwrap_or(1);
        if share.is_zero() {
            break;
        }
        if let Ok(socket) = TcpStream::connect_timeout(&address, share) {
            socket.set_nonblocking(true).map_err(|_| ProbeError::Unreachable)?;
            return Ok(socket);
        }
    }
    Err(ProbeError::Unreachable)
}

fn handshake(ssl: Ssl, socket: TcpStream, deadline: Instant) -> Result<SslStream<TcpStream>> {
    let mut attempt = ssl.connect(socket);
    loop {
        attempt = match attempt {
            Ok(stream) => return Ok(stream),
            Err(HandshakeError::WouldBlock(waiting)) => {
                wait(waiting.get_ref(), waiting.error().code(), deadline)?;
                waiting.handshake()
            }
            Err(HandshakeError::Failure(failed)) => {
                return Err(refusal(failed.ssl(), failed.error()));
            }
            Err(HandshakeError::SetupFailure(_)) => return Err(ProbeError::Protocol),
        };
    }
}

fn rest(deadline: Instant) -> Duration {
    deadline.saturating_duration_since(Instant::now())
}

/// Waits until the socket can do what the library wants.
fn wait(socket: &TcpStream, wanted: ErrorCode, deadline: Instant) -> Result<()> {
    let events = if wanted == ErrorCode::WANT_WRITE { PollFlags::POLLOUT } else { PollFlags::POLLIN };
    let milliseconds = i32::try_from(rest(deadline).as_micros().div_ceil(1000)).unwrap_or(i32::MAX);
    if milliseconds == 0 {
        return Err(ProbeError::Silent);
    }
    let timeout = PollTimeout::try_from(milliseconds).unwrap_or(PollTimeout::MAX);
    match poll(&mut [PollFd::new(socket.as_fd(), events)], timeout) {
        Ok(_) | Err(Errno::EINTR) => Ok(()),
        Err(_) => Err(ProbeError::Protocol),
    }
}

/// The TCP connection is gone.
fn is_closed(error: &openssl::ssl::Error) -> bool {
    error.io_error().is_some_and(|error| {
        matches!(error.kind(), io::ErrorKind::BrokenPipe | io::ErrorKind::ConnectionReset)
    })
}

/// The server closed without a TLS goodbye, which many do (SSL_R_UNEXPECTED_EOF_WHILE_READING).
fn is_end_of_stream(error: &openssl::ssl::Error) -> bool {
    reasons(error).any(|reason| reason == 294)
        || (error.code() == ErrorCode::SYSCALL && error.io_error().is_none())
}

fn reasons(error: &openssl::ssl::Error) -> impl Iterator<Item = i32> + '_ {
    error.ssl_error().into_iter().flat_map(|stack| stack.errors().iter().map(|error| error.reason_code()))
}

/// Why a conversation failed: our verdict on the server, else the server's on us.
fn refusal(ssl: &SslRef, error: &openssl::ssl::Error) -> ProbeError {
    // `<openssl/x509_vfy.h>`
    match ssl.verify_result().as_raw() {
        0 => {}
        // Not yet valid, expired, malformed dates.
        9 | 10 | 13 | 14 => return ProbeError::NotValidNow,
        // Host name or address mismatch.
        62 | 64 => return ProbeError::NameMismatch,
        // Keys of the server or an authority too small, digest too weak.
        66..=68 => return ProbeError::Weak,
        _ => return ProbeError::Untrusted,
    }
    // An alert of the peer is 1000 plus its number in RFC 8446 section 6.
    let knows_us = ssl.peer_certificate().is_some();
    for reason in reasons(error) {
        match reason - 1000 {
            // About our certificate: bad, unsupported, revoked, expired, unknown, of an unknown authority, without
            // access, not matching its signature, required.
            41..=46 | 48 | 49 | 51 | 116 => return ProbeError::ClientRefused,
            // Handshake failure: about our certificate only once the server has shown its own.
            40 if knows_us => return ProbeError::ClientRefused,
            _ => {}
        }
    }
    ProbeError::Protocol
}

#[cfg(test)]
mod tests;
