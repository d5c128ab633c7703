//! The private key of a guest image.

use std::fmt;

use openssl::pkey::{PKey, PKeyRef, Private};
use zeroize::Zeroizing;

use crate::implicit_rejection;

/// Why a key is no image key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ImageKeyError {
    /// No unencrypted private key in PEM form.
    #[error("expected an unencrypted private key in PEM form")]
    NotAPrivateKey,
    /// A private key of another algorithm.
    #[error("expected an RSA key")]
    NotRsa,
    /// A modulus outside [`ImageKey::MIN_BITS`]..=[`ImageKey::MAX_BITS`].
    #[error("expected an RSA key of {} to {} bits, found {bits}", ImageKey::MIN_BITS, ImageKey::MAX_BITS)]
    Size {
        /// The size of the modulus found.
        bits: u32,
    },
    /// See [`LibraryError`](crate::LibraryError).
    #[error(transparent)]
    Library(#[from] crate::LibraryError),
}

/// The private RSA key of a guest image, to which the parties seal their sections.
pub struct ImageKey {
    key: PKey<Private>,
    /// The seed of what a broken token decrypts to.
    rejection_seed: Zeroizing<[u8; 32]>,
    modulus_len: usize,
}

impl fmt::Debug for ImageKey {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("ImageKey([redacted])")
    }
}

impl ImageKey {
    /// The smallest modulus accepted, in bits.
    pub const MIN_BITS: u32 = 2048;
    /// The largest modulus accepted, in bits. Its messages fit into the one line that the
    /// `openssl` program reads as a passphrase (1023 bytes), so no second cut is needed.
    pub const MAX_BITS: u32 = 8192;

    /// Reads an unencrypted PEM private key, PKCS#8 or PKCS#1.
    ///
    /// # Errors
    /// [`ImageKeyError`] for anything else.
    pub fn from_pem(pem: &[u8]) -> Result<Self, ImageKeyError> {
        // The callback keeps OpenSSL from asking the terminal for a password.
        let key =
            PKey::private_key_from_pem_callback(pem, |_| Ok(0)).map_err(|_| ImageKeyError::NotAPrivateKey)?;
        if key.id() != openssl::pkey::Id::RSA {
            return Err(ImageKeyError::NotRsa);
        }
        let bits = key.bits();
        if !(Self::MIN_BITS..=Self::MAX_BITS).contains(&bits) {
            return Err(ImageKeyError::Size { bits });
        }
        let modulus_len = key.size();
        let exponent = {
            let rsa = key.rsa().map_err(crate::LibraryError::of("read the image key"))?;
            let len = i32::try_from(modulus_len).map_err(crate::LibraryError::of("measure the image key"))?;
            rsa.d().to_vec_padded(len).map_err(crate::LibraryError::of("read the image key"))?
        };
        let exponent = Zeroizing::new(exponent);
        let rejection_seed = implicit_rejection::seed(&exponent)?;
        Ok(Self { key, rejection_seed, modulus_len })
    }

    /// The secret itself.
    pub fn expose(&self) -> &PKeyRef<Private> {
        &self.key
    }

    /// SHA-256 of the DER public key, 64 lowercase hexadecimal digits.
    ///
    /// # Errors
    /// [`LibraryError`](crate::LibraryError) when OpenSSL has no memory.
    pub fn sha256_fingerprint(&self) -> Result<String, crate::LibraryError> {
        let der = self.key.public_key_to_der().map_err(crate::LibraryError::of("encode a public key"))?;
        Ok(crate::digest::sha256_hex(&der))
    }

    /// Bytes of the modulus, and of everything encrypted to the key.
    pub(crate) fn modulus_len(&self) -> usize {
        self.modulus_len
    }

    /// The message in `ciphertext`, see [`implicit_rejection::decrypt`].
    ///
    /// # Errors
    /// [`LibraryError`](crate::LibraryError) when OpenSSL has no memory or no HMAC-SHA-256.
    pub(crate) fn decrypt(
        &self,
        ciphertext: &[u8],
    ) -> Result<Option<Zeroizing<Vec<u8>>>, crate::LibraryError> {
        implicit_rejection::decrypt(&self.key, &self.rejection_seed, ciphertext)
    }
}
