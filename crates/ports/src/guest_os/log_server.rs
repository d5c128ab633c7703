//! The log server: one connection that sends a few records, and requests over HTTPS.

use std::time::Duration;

use countersign_crypto::secret::{AccessToken, SecretBytes};

/// A log server and what is needed to talk to it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogTarget {
    /// Host name or IP address; the server's certificate must carry it.
    pub hostname: String,
    /// TCP port.
    pub port: u16,
    /// PEM file with the accepted authorities.
    pub ca: String,
    /// PEM file with the client's certificate.
    pub certificate: String,
    /// PEM file with the client's private key.
    pub key: String,
}

/// Why a log server did not accept a record. No variant holds anything the server sent.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ProbeError {
    /// The host name does not resolve.
    #[error("expected the log server's host name to resolve")]
    NameResolution,
    /// No TCP connection.
    #[error("expected the log server to accept a connection")]
    Unreachable,
    /// The chain does not end in an accepted authority.
    #[error("expected a server certificate issued by an accepted authority")]
    Untrusted,
    /// The certificate carries another name.
    #[error("expected a server certificate with the log server's name or address")]
    NameMismatch,
    /// The certificate is not valid now.
    #[error("expected a server certificate that is valid now")]
    NotValidNow,
    /// A signature digest or key that is too weak.
    #[error("expected a server certificate signed with sha-256 or stronger")]
    Weak,
    /// The server does not take our certificate.
    #[error("expected the log server to accept the client certificate in the contract")]
    ClientRefused,
    /// The client's own files do not fit together.
    #[error("expected a client certificate and its private key")]
    ClientFiles,
    /// The server ended the conversation before it had read all of it.
    #[error("expected the log server to read what was sent")]
    HungUp,
    /// The server did not take or answer anything for too long.
    #[error("expected the log server to answer in time")]
    Silent,
    /// Anything else in the TLS conversation.
    #[error("expected a tls 1.2 or newer conversation")]
    Protocol,
}

/// The log server.
pub trait LogServer {
    /// Sends records (RFC 5424 messages in frames of RFC 5425) over mutually authenticated TLS, then closes and
    /// waits for the server's end of the conversation, so that a refused client certificate is seen.
    fn send(
        &self,
        target: &LogTarget,
        frames: &[Vec<u8>],
        timeout: Duration,
    ) -> std::result::Result<(), ProbeError>;
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
    fn post(&self, post: &Post<'_>, timeout: Duration) -> std::result::Result<Answer, ProbeError>;
}
