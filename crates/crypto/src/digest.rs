//! SHA-256, in one go or in pieces, and HKDF-SHA-256.
//!
//! [`Sha256`] and [`sha256_hex`] are for public bytes (files, archives, certificates). For bytes
//! that are secret there is [`secret_sha256`], which leaves no copy of its input or state behind.

use crate::LibraryError;
use openssl::md::Md;
use openssl::md_ctx::MdCtx;
use openssl::pkey::Id;
use openssl::pkey_ctx::PkeyCtx;
use zeroize::Zeroizing;

/// SHA-256 of bytes that come in pieces. Not for secrets.
pub struct Sha256(openssl::sha::Sha256);

impl std::fmt::Debug for Sha256 {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.write_str("Sha256")
    }
}

impl Default for Sha256 {
    fn default() -> Self {
        Self::new()
    }
}

impl Sha256 {
    /// Of nothing yet.
    pub fn new() -> Self {
        Self(openssl::sha::Sha256::new())
    }

    /// Adds the next bytes.
    pub fn update(&mut self, bytes: &[u8]) {
        self.0.update(bytes);
    }

    /// The digest of all bytes added, raw.
    pub fn finish(self) -> [u8; 32] {
        self.0.finish()
    }

    /// The digest of all bytes added, as 64 lowercase hexadecimal digits.
    pub fn finish_hex(self) -> String {
        hex(&self.finish())
    }
}

/// SHA-256 of public bytes, raw.
pub fn sha256(bytes: &[u8]) -> [u8; 32] {
    openssl::sha::sha256(bytes)
}

/// SHA-256 of public bytes, as 64 lowercase hexadecimal digits.
pub fn sha256_hex(bytes: &[u8]) -> String {
    hex(&sha256(bytes))
}

/// Lowercase hexadecimal digits, two for each byte. For public bytes.
pub fn hex(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len() * 2);
    for byte in bytes {
        text.push(hex_digit(byte >> 4).into());
        text.push(hex_digit(byte & 15).into());
    }
    text
}

/// The lowercase hexadecimal digit of a number below 16, without looking it up in a table.
pub(crate) fn hex_digit(nibble: u8) -> u8 {
    // 39 is the distance from '9' + 1 to 'a'; the shift yields 1 for 10 and above.
    b'0' + nibble + ((nibble + 6) >> 4) * 39
}

/// SHA-256 of the parts in order, for secret bytes: state and result are wiped.
///
/// # Errors
/// [`LibraryError`] when OpenSSL has no SHA-256 or no memory.
pub fn secret_sha256(parts: &[&[u8]]) -> Result<Zeroizing<[u8; 32]>, LibraryError> {
    let failed = || LibraryError::of("compute a SHA-256 digest");
    // The context lives on OpenSSL's heap and is wiped when freed, unlike `openssl::sha::Sha256`,
    // which is moved about on the stack.
    let mut context = MdCtx::new().map_err(failed())?;
    context.digest_init(Md::sha256()).map_err(failed())?;
    for part in parts {
        context.digest_update(part).map_err(failed())?;
    }
    let mut digest = Zeroizing::new([0; 32]);
    context.digest_final(digest.as_mut()).map_err(failed())?;
    Ok(digest)
}

/// HKDF-SHA-256 (RFC 5869, extract and expand): a key of `N` bytes for one purpose, named by
/// `info`, from key material that is uniformly random already or not.
///
/// # Errors
/// [`LibraryError`] when `N` is above 8160 or OpenSSL has no HKDF.
pub fn hkdf_sha256<const N: usize>(
    material: &[u8],
    salt: &[u8],
    info: &[u8],
) -> Result<Zeroizing<[u8; N]>, LibraryError> {
    let failed = || LibraryError::of("derive a key with HKDF");
    let mut context = PkeyCtx::new_id(Id::HKDF).map_err(failed())?;
    context.derive_init().map_err(failed())?;
    context.set_hkdf_md(Md::sha256()).map_err(failed())?;
    context.set_hkdf_salt(salt).map_err(failed())?;
    context.set_hkdf_key(material).map_err(failed())?;
    context.add_hkdf_info(info).map_err(failed())?;
    let mut key = Zeroizing::new([0; N]);
    context.derive(Some(key.as_mut())).map_err(failed())?;
    Ok(key)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn bytes(text: &str) -> Vec<u8> {
        (0..text.len()).step_by(2).map(|at| u8::from_str_radix(&text[at..at + 2], 16).unwrap()).collect()
    }

    #[test]
    fn fips_180_examples() {
        let abc = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
        assert_eq!(sha256_hex(b"abc"), abc);
        assert_eq!(hex(secret_sha256(&[b"a", b"", b"bc"]).unwrap().as_ref()), abc);
        let mut pieces = Sha256::new();
        pieces.update(b"ab");
        pieces.update(b"c");
        assert_eq!(pieces.finish_hex(), abc);
        assert_eq!(
            Sha256::default().finish_hex(),
            "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
        );
    }

    #[test]
    fn every_hex_digit() {
        assert_eq!(hex(&[0x01, 0x23, 0x45, 0x67, 0x89, 0xab, 0xcd, 0xef]), "0123456789abcdef");
    }

    #[test]
    fn rfc_5869_test_case_1() {
        let key = hkdf_sha256::<42>(
            &[0x0b; 22],
            &bytes("000102030405060708090a0b0c"),
            &bytes("f0f1f2f3f4f5f6f7f8f9"),
        )
        .unwrap();
        assert_eq!(
            hex(key.as_ref()),
            "3cb25f25faacd57a90434f64d0362f2a2d2d0a90cf1a5a4c5db02d56ecc4c5bf34007208d5b887185865"
        );
    }

    #[test]
    fn rfc_5869_test_case_3_without_salt_and_info() {
        let key = hkdf_sha256::<42>(&[0x0b; 22], b"", b"").unwrap();
        assert_eq!(
            hex(key.as_ref()),
            "8da4e775a563c18f715f802a063c5a31b8a11f5c5ee1879ec3454e5f3c738d2d9d201395faa4b61a96c8"
        );
    }
}
