//! The body of a token: what `openssl enc -aes-256-cbc -pbkdf2 -pass stdin` writes.
//!
//! `Salted__`, 8 bytes of salt, then AES-256-CBC with PKCS#7 padding. Key (32 bytes) and
//! initialisation vector (16) are PBKDF2-HMAC-SHA-256 of the passphrase, 10 000 iterations.
//!
//! The format is not authenticated: who can alter it and see whether the guest went on learns
//! something (a signature over the sections ends that for the workload). What is done here is to
//! keep a wrong passphrase, a wrong padding and a wrong character on one path with one answer.

use crate::LibraryError;
use crate::secret::SectionText;
use openssl::hash::MessageDigest;
use openssl::symm::{Cipher, Crypter, Mode};
use std::hint::black_box;
use zeroize::Zeroizing;

const MAGIC: &[u8; 8] = b"Salted__";
const SALT_LEN: usize = 8;
const HEADER_LEN: usize = MAGIC.len() + SALT_LEN;
const BLOCK_LEN: usize = 16;
const ITERATIONS: usize = 10_000;

/// The passphrase that the `openssl` program takes from these bytes on its standard input: the
/// first line, up to the first line feed or NUL. A carriage return belongs to the passphrase.
///
/// `None` where the program refuses to go on: nothing at all, or a NUL first. A line feed first
/// makes an empty passphrase.
pub(crate) fn passphrase_line(input: &[u8]) -> Option<&[u8]> {
    if matches!(input.first(), None | Some(0)) {
        return None;
    }
    input.split(|byte| matches!(byte, b'\n' | 0)).next()
}

/// Decrypts a body. `None` for a body that is no such thing, a wrong passphrase, or a text that is
/// not UTF-8.
///
/// # Errors
/// [`LibraryError`] when OpenSSL has no memory or one of the algorithms is switched off.
pub(crate) fn decrypt(body: &[u8], passphrase: &[u8]) -> Result<Option<SectionText>, LibraryError> {
    if !has_form(body) {
        return Ok(None);
    }
    let keys = Keys::derive(passphrase, &body[MAGIC.len()..HEADER_LEN])?;
    keys.open(body)
}

/// Whether it looks like a body; everybody can see that without a key.
pub(crate) fn has_form(body: &[u8]) -> bool {
    body.len() >= HEADER_LEN + BLOCK_LEN && body.len().is_multiple_of(BLOCK_LEN) && body.starts_with(MAGIC)
}

/// Encrypts a text, the author's side of [`decrypt`].
///
/// # Errors
/// [`LibraryError`] when OpenSSL has no memory or one of the algorithms is switched off.
pub(crate) fn encrypt(text: &str, passphrase: &[u8], salt: [u8; SALT_LEN]) -> Result<Vec<u8>, LibraryError> {
    Keys::derive(passphrase, &salt)?.seal(text, salt)
}

#[derive(Clone, Copy, PartialEq)]
enum Padding {
    Add,
    Keep,
}

/// Key and initialisation vector, one after the other.
pub(crate) struct Keys(pub(crate) Zeroizing<[u8; 48]>);

impl Keys {
    fn derive(passphrase: &[u8], salt: &[u8]) -> Result<Self, LibraryError> {
        let mut keys = Zeroizing::new([0; 48]);
        openssl::pkcs5::pbkdf2_hmac(
            passphrase,
            salt,
            ITERATIONS,
            MessageDigest::sha256(),
            keys.as_mut_slice(),
        )
        .map_err(LibraryError::of("derive a key with PBKDF2"))?;
        Ok(Self(keys))
    }

    /// What [`decrypt`] does behind the derivation; `body` has its form.
    pub(crate) fn open(&self, body: &[u8]) -> Result<Option<SectionText>, LibraryError> {
        let sealed = &body[HEADER_LEN..];
        let mut text = Zeroizing::new(vec![0; sealed.len() + BLOCK_LEN]);
        let written = self.run(Mode::Decrypt, Padding::Keep, sealed, &mut text)?;
        let text = &text[..written];

        let padding = padding_len(text);
        let plain = &text[..text.len() - padding.unwrap_or(0)];
        // Looked at even when the padding was wrong, so that the time tells neither from the other.
        let plain = black_box(std::str::from_utf8(black_box(plain)));
        Ok(match (padding, plain) {
            (Some(_), Ok(plain)) => Some(SectionText::copy_from(plain)),
            _ => None,
        })
    }

    /// What [`encrypt`] does behind the derivation.
    pub(crate) fn seal(&self, text: &str, salt: [u8; SALT_LEN]) -> Result<Vec<u8>, LibraryError> {
        let mut body = [MAGIC.as_slice(), &salt].concat();
        body.resize(HEADER_LEN + text.len() + 2 * BLOCK_LEN, 0);
        let written = self.run(Mode::Encrypt, Padding::Add, text.as_bytes(), &mut body[HEADER_LEN..])?;
        body.truncate(HEADER_LEN + written);
        Ok(body)
    }

    /// Runs the cipher; `output` has room for a block more than `input`. Returns the bytes written.
    fn run(
        &self,
        mode: Mode,
        padding: Padding,
        input: &[u8],
        output: &mut [u8],
    ) -> Result<usize, LibraryError> {
        let failed = || LibraryError::of("run AES-256-CBC");
        let (key, vector) = self.0.split_at(32);
        let mut cipher = Crypter::new(Cipher::aes_256_cbc(), mode, key, Some(vector)).map_err(failed())?;
        cipher.pad(padding == Padding::Add);
        let written = cipher.update(input, output).map_err(failed())?;
        let rest = cipher.finalize(&mut output[written..]).map_err(failed())?;
        Ok(written + rest)
    }
}

/// How many bytes of PKCS#7 padding end the text, found without a branch on any of them until the
/// answer is there. The text has at least a block.
fn padding_len(text: &[u8]) -> Option<usize> {
    let last_block = &text[text.len() - BLOCK_LEN..];
    let count = last_block[BLOCK_LEN - 1];
    // Any bit set: wrong.
    let mut wrong = u8::from(count == 0) | u8::from(count > 16);
    for (distance, byte) in (0_u8..).zip(last_block.iter().rev()) {
        let inside = 0_u8.wrapping_sub(u8::from(distance < count));
        wrong |= inside & (byte ^ count);
    }
    (black_box(wrong) == 0).then_some(usize::from(count))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn passphrase_ends_at_line_feed_or_nul() {
        let line = passphrase_line;
        assert_eq!(line(b"pass"), Some(&b"pass"[..]));
        assert_eq!(line(b"pass\nrest"), Some(&b"pass"[..]));
        assert_eq!(line(b"pass\0re\nst"), Some(&b"pass"[..]));
        assert_eq!(line(b"pa\rss\r\n"), Some(&b"pa\rss\r"[..]));
        assert_eq!(line(b"\nrest"), Some(&b""[..]));
        assert_eq!(line(b"\0rest"), None);
        assert_eq!(line(b""), None);
    }

    #[test]
    fn padding_is_measured() {
        for count in 1..=16_u8 {
            let mut block = [0xaa; 16];
            block[16 - usize::from(count)..].fill(count);
            assert_eq!(padding_len(&block), Some(usize::from(count)));
            block[16 - usize::from(count)] ^= 0x80;
            assert_eq!(padding_len(&block), None, "{count}");
        }
        assert_eq!(padding_len(&[0; 16]), None);
        assert_eq!(padding_len(&[17; 32]), None);
    }
}
