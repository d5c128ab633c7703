//! The stages behind RSA and PBKDF2, with keys that are arguments: for fuzz targets.
//!
//! Compiled only with `--cfg fuzzing`, never into a program that is shipped. RSA takes a millisecond and PBKDF2 three,
//! which no run of ten million inputs can pay; what is fed by them is reached here without.

use crate::implicit_rejection::{self, MadeUp};
use crate::openssl_enc::{self, Keys};
use crate::sealed::{KEY_LEN, NONCE_LEN, SealedToken, SectionName};
use crate::secret::SectionText;
use crate::token::Token;
use zeroize::Zeroizing;

/// Opens the body of an old token with key and initialisation vector. `None` where it does not open.
pub fn open_basic(token: &Token, keys: [u8; 48]) -> Option<SectionText> {
    if !openssl_enc::has_form(&token.body) {
        return None;
    }
    Keys(Zeroizing::new(keys)).open(&token.body).ok().flatten()
}

/// The body of an old token as bytes, sealed with key and initialisation vector. `None` when OpenSSL fails.
pub fn seal_basic(text: &str, keys: [u8; 48], salt: [u8; 8]) -> Option<Vec<u8>> {
    Keys(Zeroizing::new(keys)).seal(text, salt).ok()
}

/// The passphrase in an RSA message, see `openssl_enc::passphrase_line`.
pub fn passphrase_line(message: &[u8]) -> Option<&[u8]> {
    openssl_enc::passphrase_line(message)
}

/// Takes the PKCS#1 v1.5 padding off, or takes the last `made_up_len` bytes of `made_up`.
pub fn unpad(padded: &[u8], made_up: &[u8], made_up_len: u32) -> Vec<u8> {
    let made_up = MadeUp { bytes: Zeroizing::new(made_up.to_vec()), message_len: made_up_len };
    implicit_rejection::unpad(padded, &made_up).to_vec()
}

/// Opens a sealed token with the key that its first part wraps. `None` where it does not open.
pub fn open_sealed(
    token: &SealedToken,
    section: SectionName,
    content_key: [u8; KEY_LEN],
) -> Option<SectionText> {
    token.decrypt(section, &content_key)
}

/// A sealed token with these bytes for the wrapped key. `None` when OpenSSL fails.
pub fn seal_sealed(
    text: &str,
    section: SectionName,
    wrapped: &[u8],
    content_key: [u8; KEY_LEN],
    nonce: [u8; NONCE_LEN],
) -> Option<String> {
    SealedToken::encrypt(text, section, wrapped, &content_key, nonce).ok()
}
