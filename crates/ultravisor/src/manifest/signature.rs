//! The image builder's key and its signatures.
//!
//! A signature is over the manifest's bytes, with SHA-256, by RSA (PKCS#1 v1.5) or ECDSA: what
//! `openssl dgst -sha256 -sign KEY` writes, and `openssl dgst -sha256 -verify PUBLIC -signature FILE` checks.

use std::fmt;

use countersign_crypto::LibraryError;
use countersign_crypto::digest::sha256_hex;
use countersign_crypto::private_key::PrivateKey;
use openssl::hash::MessageDigest;
use openssl::pkey::{HasPublic, Id, PKey, PKeyRef, Public};
use openssl::sign::{Signer, Verifier};
use openssl::x509::X509;

/// The smallest RSA key, in bits: a manifest is believed for as long as its image runs.
const MIN_RSA_BITS: u32 = 3072;
/// The smallest curve, in bits.
const MIN_CURVE_BITS: u32 = 256;

/// Why a key is no builder's key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum BuilderFault {
    /// Neither public key nor certificate.
    #[error("expected the builder's public key or certificate in PEM form")]
    Unreadable,
    /// Another kind, or too small.
    #[error(
        "expected an RSA key of at least {MIN_RSA_BITS} bits, or an elliptic curve of at least {MIN_CURVE_BITS}"
    )]
    Kind,
    /// OpenSSL.
    #[error(transparent)]
    Library(#[from] LibraryError),
}

/// The public key of an image builder.
pub struct Builder(PKey<Public>);

impl fmt::Debug for Builder {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("Builder")
    }
}

impl Builder {
    /// Reads a PEM public key, or that of a PEM certificate, whose dates and issuer do not count.
    ///
    /// # Errors
    /// [`BuilderFault`].
    pub fn from_pem(pem: &[u8]) -> Result<Self, BuilderFault> {
        let key = PKey::public_key_from_pem(pem)
            .or_else(|_| X509::from_pem(pem).and_then(|certificate| certificate.public_key()))
            .map_err(|_| BuilderFault::Unreadable)?;
        fit(&key)?;
        Ok(Self(key))
    }

    /// Which key it is: SHA-256 of the DER public key, 64 lowercase hexadecimal digits.
    ///
    /// # Errors
    /// [`LibraryError`] when OpenSSL has no memory.
    pub fn sha256_fingerprint(&self) -> Result<String, LibraryError> {
        self.0
            .public_key_to_der()
            .map(|der| sha256_hex(&der))
            .map_err(LibraryError::of("encode a public key"))
    }

    /// Whether this builder signed the text.
    pub fn made(&self, text: &[u8], signature: &[u8]) -> bool {
        let holds = || Verifier::new(MessageDigest::sha256(), &self.0)?.verify_oneshot(signature, text);
        holds().unwrap_or(false)
    }
}

/// Signs a manifest's text.
///
/// # Errors
/// [`BuilderFault::Kind`] for a key that no verifier takes, [`BuilderFault::Library`] when OpenSSL fails.
pub fn sign(text: &[u8], key: &PrivateKey) -> Result<Vec<u8>, BuilderFault> {
    fit(key.expose())?;
    let failed = || LibraryError::of("sign a manifest");
    let mut signer = Signer::new(MessageDigest::sha256(), key.expose()).map_err(failed())?;
    signer.sign_oneshot_to_vec(text).map_err(failed()).map_err(BuilderFault::from)
}

fn fit<T: HasPublic>(key: &PKeyRef<T>) -> Result<(), BuilderFault> {
    let least = match key.id() {
        Id::RSA => MIN_RSA_BITS,
        Id::EC => MIN_CURVE_BITS,
        _ => return Err(BuilderFault::Kind),
    };
    if key.bits() < least { Err(BuilderFault::Kind) } else { Ok(()) }
}
