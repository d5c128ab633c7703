//! The key that a volume's data is encrypted with, and the one use of it beside that: authenticating the volume's
//! record.
//!
//! The record's key is HKDF-SHA-256 (RFC 5869) of the volume key under a name of its own, so that neither key says
//! anything about the other. The tag is HMAC-SHA-256 (RFC 2104).

use std::fmt;

use openssl::hash::MessageDigest;
use openssl::pkey::PKey;
use openssl::sign::Signer;
use secrecy::{ExposeSecret, SecretBox};
use zeroize::Zeroizing;

use crate::LibraryError;
use crate::digest::hkdf_sha256;

/// What the record's key is for; part of the on-disk format.
const RECORD: &[u8] = b"countersign volume record 1";

/// Bytes of a tag.
pub const TAG_BYTES: usize = 32;

/// The volume key of a LUKS container: 32 or 64 bytes.
pub struct VolumeKey(SecretBox<[u8]>);

impl fmt::Debug for VolumeKey {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("VolumeKey([redacted])")
    }
}

impl VolumeKey {
    /// Copies the key; whoever owns the original wipes it.
    pub fn copy_from(bytes: &[u8]) -> Self {
        Self(SecretBox::new(Box::from(bytes)))
    }

    /// The secret itself.
    pub fn expose(&self) -> &[u8] {
        self.0.expose_secret()
    }

    /// The tag of a record's text.
    ///
    /// # Errors
    /// [`LibraryError`] when OpenSSL has no HKDF or no HMAC.
    pub fn record_tag(&self, text: &[u8]) -> Result<[u8; TAG_BYTES], LibraryError> {
        let failed = || LibraryError::of("authenticate a volume record");
        let key: Zeroizing<[u8; 32]> = hkdf_sha256(self.expose(), b"", RECORD)?;
        let key = PKey::hmac(key.as_ref()).map_err(failed())?;
        let mut signer = Signer::new(MessageDigest::sha256(), &key).map_err(failed())?;
        let mut tag = [0; TAG_BYTES];
        signer.sign_oneshot(&mut tag, text).map_err(failed())?;
        Ok(tag)
    }

    /// Whether `tag` is that of the text, in constant time.
    ///
    /// # Errors
    /// As [`VolumeKey::record_tag`].
    pub fn authenticates(&self, text: &[u8], tag: &[u8]) -> Result<bool, LibraryError> {
        let expected = self.record_tag(text)?;
        Ok(tag.len() == expected.len() && openssl::memcmp::eq(&expected, tag))
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use std::process::Command;

    fn openssl(arguments: &[&str]) -> String {
        let output = Command::new("openssl").args(arguments).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap().trim().replace(':', "").to_lowercase()
    }

    #[test]
    fn the_tag_is_that_of_the_openssl_program() {
        let bytes: Vec<u8> = (0..64).collect();
        let record_key = openssl(&[
            "kdf",
            "-keylen",
            "32",
            "-kdfopt",
            "digest:SHA256",
            "-kdfopt",
            &format!("hexkey:{}", crate::digest::hex(&bytes)),
            "-kdfopt",
            "info:countersign volume record 1",
            "HKDF",
        ]);
        let file = std::env::temp_dir().join(format!("countersign-record-{}", std::process::id()));
        std::fs::write(&file, "a record").unwrap();
        let tag = openssl(&[
            "mac",
            "-digest",
            "SHA256",
            "-macopt",
            &format!("hexkey:{record_key}"),
            "-in",
            &file.to_string_lossy(),
            "HMAC",
        ]);
        std::fs::remove_file(&file).unwrap();
        let key = VolumeKey::copy_from(&bytes);
        let own = key.record_tag(b"a record").unwrap();
        assert_eq!(crate::digest::hex(&own), tag);
        assert!(key.authenticates(b"a record", &own).unwrap());
        assert!(!key.authenticates(b"another", &own).unwrap());
        assert!(!key.authenticates(b"a record", &own[1..]).unwrap());
        let other = VolumeKey::copy_from(&bytes[..32]);
        assert!(!other.authenticates(b"a record", &own).unwrap());
        assert_eq!(format!("{key:?}"), "VolumeKey([redacted])");
    }
}
