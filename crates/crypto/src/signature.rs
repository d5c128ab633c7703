//! The signature over both sections of a contract, and the key that made it.
//!
//! Signed are the value of `workload` and right after it the value of `env`, exactly as they stand
//! in the contract (tokens stay tokens), without their line feeds and carriage returns: RSA
//! PKCS#1 v1.5 with SHA-256, what `openssl dgst -sha256 -sign` writes, as base64.
//!
//! The key is a public key or a certificate. A certificate's end date is the date until which the
//! contract may be booted; whether it has passed is for the caller to say, who has the time. Its
//! issuer is unknown to the guest and is not checked.

use crate::LibraryError;
use crate::certificate::seconds;
use crate::digest::sha256_hex;
use crate::private_key::PrivateKey;
use crate::text_form::{self, from_base64, is_white_space, to_base64};
use openssl::hash::MessageDigest;
use openssl::pkey::{Id, PKey, Public};
use openssl::sign::{Signer, Verifier};
use openssl::x509::X509;
use std::fmt;

/// The smallest RSA modulus accepted for signatures and sealing, in bits.
pub const MIN_RSA_BITS: u32 = 2048;

/// Why a text is no public key for a contract.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PublicKeyError {
    /// Neither PEM nor base64 of PEM, or a PEM block of another kind, or one that does not parse.
    #[error("expected a public key or a certificate, in PEM form or base64 of that")]
    Unreadable,
    /// A key of another algorithm.
    #[error("expected an RSA key")]
    NotRsa,
    /// A modulus below [`MIN_RSA_BITS`].
    #[error("expected an RSA key of at least {MIN_RSA_BITS} bits, found {bits}")]
    Size {
        /// The size of the modulus found.
        bits: u32,
    },
}

/// Why a signature does not hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SignatureError {
    /// The signature's text is not base64.
    #[error("expected the signature as base64")]
    NotBase64,
    /// Another key, or another text, than the one signed.
    #[error("the signature does not match the sections under the signing key")]
    Mismatch,
}

/// Why a contract cannot be signed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SignError {
    /// A key of another algorithm.
    #[error("expected an RSA key to sign with")]
    NotRsa,
    /// See [`LibraryError`].
    #[error(transparent)]
    Library(#[from] LibraryError),
}

/// A public key that came bare or in a certificate.
pub(crate) struct PublicKeyForm {
    key: PKey<Public>,
    certificate: Option<(i64, i64)>,
}

impl PublicKeyForm {
    /// Reads any of the documented forms. RSA only, of at least [`MIN_RSA_BITS`].
    pub(crate) fn parse(text: &str) -> Result<Self, PublicKeyError> {
        let unreadable = |_| PublicKeyError::Unreadable;
        let pem = text_form::pem(text).ok_or(PublicKeyError::Unreadable)?;
        let form = match text_form::pem_label(&pem) {
            Some("PUBLIC KEY") => {
                let key = PKey::public_key_from_pem(pem.as_bytes()).map_err(unreadable)?;
                Self { key, certificate: None }
            }
            Some("CERTIFICATE" | "TRUSTED CERTIFICATE" | "X509 CERTIFICATE") => {
                let certificate = X509::from_pem(pem.as_bytes()).map_err(unreadable)?;
                let key = certificate.public_key().map_err(unreadable)?;
                let validity = (
                    seconds(certificate.not_before()).ok_or(PublicKeyError::Unreadable)?,
                    seconds(certificate.not_after()).ok_or(PublicKeyError::Unreadable)?,
                );
                Self { key, certificate: Some(validity) }
            }
            _ => return Err(PublicKeyError::Unreadable),
        };
        if form.key.id() != Id::RSA {
            return Err(PublicKeyError::NotRsa);
        }
        let bits = form.key.bits();
        if bits < MIN_RSA_BITS {
            return Err(PublicKeyError::Size { bits });
        }
        Ok(form)
    }

    pub(crate) fn not_after(&self) -> Option<i64> {
        self.certificate.map(|(_, not_after)| not_after)
    }

    pub(crate) fn into_key(self) -> PKey<Public> {
        self.key
    }
}

/// The key that a contract names as its signer's.
pub struct SigningKey(PublicKeyForm);

impl fmt::Debug for SigningKey {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("SigningKey").field("validity", &self.0.certificate).finish_non_exhaustive()
    }
}

impl SigningKey {
    /// Reads a PEM public key or a PEM certificate, or base64 of one of them. CRLF, indentation,
    /// white space in base64 and line breaks written as `\` and `n` are tolerated. Of several PEM
    /// blocks the first counts.
    ///
    /// # Errors
    /// [`PublicKeyError`] for anything else.
    pub fn parse(text: &str) -> Result<Self, PublicKeyError> {
        PublicKeyForm::parse(text).map(Self)
    }

    /// Checks the signature over the sections as they stand in the contract.
    ///
    /// # Errors
    /// [`SignatureError`]; a failure of OpenSSL counts as [`SignatureError::Mismatch`].
    pub fn verify(&self, workload: &str, env: &str, signature_base64: &str) -> Result<(), SignatureError> {
        let signature = from_base64(signature_base64, is_white_space).ok_or(SignatureError::NotBase64)?;
        let matches = || {
            let mut verifier = Verifier::new(MessageDigest::sha256(), &self.0.key)?;
            for piece in signed_pieces(workload, env) {
                verifier.update(piece.as_bytes())?;
            }
            verifier.verify(&signature)
        };
        if matches().unwrap_or(false) { Ok(()) } else { Err(SignatureError::Mismatch) }
    }

    /// The start of the certificate's validity, in seconds since 1970; `None` for a bare key.
    pub fn not_before(&self) -> Option<i64> {
        self.0.certificate.map(|(not_before, _)| not_before)
    }

    /// The end of the certificate's validity, in seconds since 1970; `None` for a bare key.
    pub fn not_after(&self) -> Option<i64> {
        self.0.not_after()
    }

    /// Says which key it is: SHA-256 of the DER public key (SubjectPublicKeyInfo), as 64 lowercase
    /// hexadecimal digits. The same for a key and for any certificate of it.
    ///
    /// # Errors
    /// [`LibraryError`] when OpenSSL has no memory.
    pub fn sha256_fingerprint(&self) -> Result<String, LibraryError> {
        let der = self.0.key.public_key_to_der().map_err(LibraryError::of("encode a public key"))?;
        Ok(sha256_hex(&der))
    }
}

/// Signs both sections, on the author's side. Returns base64 on one line.
///
/// # Errors
/// [`SignError`] when the key is no RSA key or OpenSSL does not sign with it.
pub fn sign(workload: &str, env: &str, key: &PrivateKey) -> Result<String, SignError> {
    if !key.is_rsa() {
        return Err(SignError::NotRsa);
    }
    let failed = || LibraryError::of("sign with RSA");
    let mut signer = Signer::new(MessageDigest::sha256(), key.expose()).map_err(failed())?;
    for piece in signed_pieces(workload, env) {
        signer.update(piece.as_bytes()).map_err(failed())?;
    }
    Ok(to_base64(&signer.sign_to_vec().map_err(failed())?))
}

/// The signed text, piece by piece: both sections without their line breaks.
fn signed_pieces<'a>(workload: &'a str, env: &'a str) -> impl Iterator<Item = &'a str> {
    workload.split(['\n', '\r']).chain(env.split(['\n', '\r']))
}
