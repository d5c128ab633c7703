//! Why a chain or a document is not trusted.

/// A certificate of the chain, by what it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Level {
    /// That of the signing service.
    Signing,
    /// One between it and the root.
    Intermediate,
}

impl std::fmt::Display for Level {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.write_str(match self {
            Level::Signing => "the certificate of the key signing service",
            Level::Intermediate => "the intermediate certificate",
        })
    }
}

/// Why the chain above host key documents is not trusted.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum IssuersFault {
    /// None of the certificates has the signing service's name.
    #[error(
        "expected the certificate of IBM's key signing service (OU ends in \"Key Signing Service\"), found none; get it where \
         the host key documents come from"
    )]
    NoSigningService,
    /// More than one has.
    #[error(
        "expected one certificate of IBM's key signing service, found {0}; give the one that made the documents"
    )]
    SeveralSigningServices(usize),
    /// OpenSSL finds no valid way from the signing service to a root.
    #[error("expected a valid chain from the key signing service to the root: {0}")]
    Chain(String),
    /// The signing service's certificate is itself the root that was given.
    #[error("expected at least one certificate above the key signing service's, found none")]
    TooShort,
    /// No valid list covers a certificate of the chain.
    #[error(
        "expected a revocation list of the issuer of {0}, valid today and with a date for the next one; found none: get \
         a fresh list"
    )]
    NoList(Level),
    /// A certificate of the chain is on a list.
    #[error("{0} was revoked")]
    Revoked(Level),
    /// A list states differences to another list.
    #[error("expected whole revocation lists, found a delta list; get the whole one")]
    DeltaList,
}

/// Why a host key document is not trusted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum DocumentFault {
    /// Another kind of key.
    #[error("expected a key on the curve P-521, as machines have; this is no host key document")]
    NotAHostKey,
    /// Not by the signing service's key.
    #[error(
        "expected a signature by the key signing service whose certificate was given; the document is forged, altered, or \
         from another service"
    )]
    Foreign,
    /// It names another key as its issuer's.
    #[error(
        "the document names another issuer's key (authority key identifier) than the key signing service's"
    )]
    OtherIssuer,
    /// The signature is of a kind that can be forged.
    #[error("expected a signature over SHA-256 or stronger")]
    Weak,
    /// Its first day is still to come.
    #[error("the document is not valid yet; check the clock")]
    NotBegun,
    /// Its last day has passed.
    #[error("the document has expired; get the machine's new one")]
    Expired,
    /// No valid list of the signing service.
    #[error(
        "expected a revocation list of the key signing service, valid today and with a date for the next one; found none: \
         get a fresh list"
    )]
    NoList,
    /// On a list.
    #[error("the document was revoked; its machine must not be trusted")]
    Revoked,
}
