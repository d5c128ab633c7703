//! The log server: one connection that sends a few records, and requests over HTTPS.

use std::time::Duration;

use countersign_crypto::secret::{AccessToken, SecretBytes};
use countersign_crypto::tls::ConnectionError;

/// A log server and what is needed to talk to it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogTarget {
    /// Host name or IP address; the server's certificate must carry it.
    pub hostname: String,
    /// TCP port.
    pub port: u16,
    /// PEM file with the accepted authorities.
    pub ca: String,
    /// What the guest shows for itself; without it, no certificate.
    pub client: Option<ClientFiles>,
}

/// The files with which the guest shows who it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClientFiles {
    /// PEM file with its certificate.
    pub certificate: String,
    /// PEM file with its private key.
    pub key: String,
}

/// The log server.
pub trait LogServer {
    /// Sends records (RFC 5424 messages in frames of RFC 5425) over TLS, then closes and waits for the server's end
    /// of the conversation, so that a client certificate which is refused, or missed, is seen.
    fn send(
        &self,
        target: &LogTarget,
        frames: &[Vec<u8>],
        timeout: Duration,
    ) -> std::result::Result<(), ConnectionError>;
}

/// A request over HTTPS.
#[derive(Debug, Clone, Copy)]
pub struct Post<'p> {
    /// Host name or IP address; the server's certificate must carry it.
    pub hostname: &'p str,
    /// TCP port.
    pub port: u16,
    /// PEM file with the accepted authorities.
    pub ca: &'p str,
    /// Absolute path on the server.
    pub path: &'p str,
    /// Type of the body.
    pub content_type: &'p str,
    /// Who asks; printable ASCII without spaces.
    pub bearer: Option<&'p AccessToken>,
    /// The body.
    pub body: &'p [u8],
}

/// An answer over HTTPS, all of which has arrived.
#[derive(Debug)]
pub struct Answer {
    /// Status.
    pub status: u16,
    /// After how long asking again makes sense, where the server says that in seconds.
    pub retry_after: Option<Duration>,
    /// Body, 64 KiB at most.
    pub body: SecretBytes,
}

/// Requests over HTTPS.
pub trait Https {
    /// Makes a request over a connection of its own, without following redirections. Errors say what was wrong with the
    /// connection; every whole answer is one.
    fn post(&self, post: &Post<'_>, timeout: Duration) -> std::result::Result<Answer, ConnectionError>;
}
