//! Private keys of the parties: the log client's, and on the author's desk the signer's.

use crate::LibraryError;
use crate::secret::SecretBytes;
use crate::text_form;
use openssl::pkey::{Id, PKey, PKeyRef, Private};
use std::fmt;

/// The text is no private key, or one that needs a password.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("expected an unencrypted private key, in PEM form or base64 of that")]
pub struct PrivateKeyError;

/// A private key: RSA, elliptic curve or Edwards curve.
pub struct PrivateKey(PKey<Private>);

impl fmt::Debug for PrivateKey {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("PrivateKey([redacted])")
    }
}

impl PrivateKey {
    /// Reads an unencrypted private key: PKCS#8, PKCS#1 or SEC 1, as PEM or base64 of PEM.
    ///
    /// # Errors
    /// [`PrivateKeyError`] for anything else.
    pub fn parse(text: &str) -> Result<Self, PrivateKeyError> {
        let pem = text_form::pem(text).ok_or(PrivateKeyError)?;
        // The callback keeps OpenSSL from asking the terminal for a password.
        PKey::private_key_from_pem_callback(pem.as_bytes(), |_| Ok(0)).map(Self).map_err(|_| PrivateKeyError)
    }

    /// The secret itself.
    pub fn expose(&self) -> &PKeyRef<Private> {
        &self.0
    }

    /// Whether this is an RSA key, the only kind that signs contracts.
    pub fn is_rsa(&self) -> bool {
        self.0.id() == Id::RSA
    }

    /// The key as PKCS#8 PEM, for a program that reads it from a file.
    ///
    /// # Errors
    /// [`LibraryError`] when OpenSSL has no memory.
    pub fn to_pem(&self) -> Result<SecretBytes, LibraryError> {
        let pem = self.0.private_key_to_pem_pkcs8().map_err(LibraryError::of("encode a private key"))?;
        Ok(SecretBytes::new(pem))
    }
}
