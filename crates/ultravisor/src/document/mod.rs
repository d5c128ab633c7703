//! Host key documents: the certificate of a machine's key, and who vouches for it.
//!
//! A host key document is an X.509 certificate of the machine's P-521 key, made by IBM's key signing service. The service
//! has a certificate of its own, which an authority made that everybody knows. [`Issuers`] is that chain with its
//! revocation lists, checked once; [`Issuers::check`] makes a [`HostKey`] of a document, and there is no other way to get
//! one. So an image can be sealed to checked keys alone.
//!
//! The rules are those of IBM's verifier (`s390_pv` 0.12.0), offline: lists are handed in and nothing is downloaded.
//! Three of ours are stricter: a list must state when it ends, no list may be one of differences (a *delta* list), and
//! the documents themselves are held against the date like everything above them, by the caller's clock.

mod fault;
mod issuers;

pub use fault::{DocumentFault, IssuersFault, Level};
pub use issuers::Issuers;

use std::fmt;

use openssl::x509::{X509, X509Crl};

use crate::exchange::{KeyHash, PublicKey};

/// The bytes are no certificate, or not only certificates.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("expected one or more certificates in PEM or DER form, and nothing else")]
pub struct NoCertificate;

/// The bytes are no revocation list.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("expected a certificate revocation list in PEM or DER form")]
pub struct NoList;

/// A certificate of the chain above host key documents: of an authority, or of the signing service.
#[derive(Clone)]
pub struct Certificate(X509);

impl fmt::Debug for Certificate {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("Certificate")
    }
}

impl Certificate {
    /// Reads the certificates of a file: DER of one, or PEM of one or several.
    ///
    /// # Errors
    /// [`NoCertificate`] where there is none, one is broken, or there are PEM blocks of another kind.
    pub fn parse_all(bytes: &[u8]) -> Result<Vec<Self>, NoCertificate> {
        Ok(certificates(bytes)?.into_iter().map(Self).collect())
    }
}

/// A list of certificates that their issuer took back.
pub struct RevocationList(X509Crl);

impl fmt::Debug for RevocationList {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("RevocationList")
    }
}

impl RevocationList {
    /// Reads a list, PEM or DER.
    ///
    /// # Errors
    /// [`NoList`] for anything else.
    pub fn parse(bytes: &[u8]) -> Result<Self, NoList> {
        let list = if is_pem(bytes) { X509Crl::from_pem(bytes) } else { X509Crl::from_der(bytes) };
        list.map(Self).map_err(|_| NoList)
    }
}

/// A host key document that nobody has vouched for yet.
pub struct HostKeyDocument(X509);

impl fmt::Debug for HostKeyDocument {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("HostKeyDocument")
    }
}

impl HostKeyDocument {
    /// Reads a document, PEM or DER.
    ///
    /// # Errors
    /// [`NoCertificate`] for anything but one certificate.
    pub fn parse(bytes: &[u8]) -> Result<Self, NoCertificate> {
        match certificates(bytes)?.as_slice() {
            [one] => Ok(Self(one.clone())),
            _ => Err(NoCertificate),
        }
    }
}

/// The public key of a machine, from a document that was checked: [`Issuers::check`].
#[derive(Debug)]
pub struct HostKey {
    key: PublicKey,
    not_after: i64,
}

impl HostKey {
    /// The key itself.
    pub fn public(&self) -> &PublicKey {
        &self.key
    }

    /// Its hash.
    pub fn hash(&self) -> KeyHash {
        self.key.hash()
    }

    /// When its document ends, seconds since 1970.
    pub fn not_after(&self) -> i64 {
        self.not_after
    }
}

fn is_pem(bytes: &[u8]) -> bool {
    bytes.windows(11).any(|place| place == b"-----BEGIN ")
}

fn certificates(bytes: &[u8]) -> Result<Vec<X509>, NoCertificate> {
    if !is_pem(bytes) {
        return X509::from_der(bytes).map(|one| vec![one]).map_err(|_| NoCertificate);
    }
    let all = X509::stack_from_pem(bytes).map_err(|_| NoCertificate)?;
    // OpenSSL passes over blocks of another kind.
    let blocks = bytes.windows(11).filter(|place| *place == b"-----BEGIN ").count();
    if all.is_empty() || all.len() != blocks { Err(NoCertificate) } else { Ok(all) }
}
