//! What can go wrong with a connection over TLS, in the words that operators read: here, since who connects and who decides
//! what follows both need them.

/// Why a server was not reached, not accepted, or did not accept us. No variant holds anything that the server sent.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ConnectionError {
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
    /// The server wants a certificate, and we have none.
    #[error("expected the log server to take a guest without client certificate, as the contract has none")]
    ClientUnnamed,
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
