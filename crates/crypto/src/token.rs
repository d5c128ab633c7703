//! The token: a section sealed to the key of a guest image.
//!
//! ```text
//! prefix "." base64(RSA PKCS#1 v1.5 (passphrase)) "." base64(openssl enc (text, passphrase))
//! ```
//!
//! Two prefixes are in use and mean the same. The passphrase is whatever the `openssl` program
//! reads as one line from the RSA message, see `openssl_enc::passphrase_line`.
//!
//! The form of a token is public, and its faults are named ([`TokenShape`]). From the moment the
//! image key comes in there is one answer to everything that is wrong ([`Unopened`]), given after
//! the same work: RSA, PBKDF2 and AES run whether or not the step before succeeded.

use crate::LibraryError;
use crate::digest::sha256_hex;
use crate::image_key::ImageKey;
use crate::openssl_enc;
use crate::secret::SectionText;
use crate::signature::{PublicKeyError, PublicKeyForm};
use crate::text_form::to_base64;
use crate::token_parts;
pub use crate::token_parts::PartFault;
use openssl::pkey::{PKey, PKeyRef, Public};
use openssl::pkey_ctx::PkeyCtx;
use openssl::rsa::Padding;
use std::fmt;
use zeroize::Zeroizing;

/// The first part of a token. It decides nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Prefix {
    /// `hyper-protect-basic`, read by every generation of guests.
    HyperProtectBasic,
    /// `contract-basic`, written by some tools since June 2026.
    ContractBasic,
}

impl Prefix {
    /// Both.
    pub const ALL: [Self; 2] = [Self::HyperProtectBasic, Self::ContractBasic];

    /// As it stands in a token, without the dot.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::HyperProtectBasic => "hyper-protect-basic",
            Self::ContractBasic => "contract-basic",
        }
    }
}

/// What is wrong with the form of a token. Anybody can see that, so it may be said.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum TokenShape {
    /// Neither of the known prefixes.
    #[error("expected a token that starts with hyper-protect-basic. or contract-basic.")]
    Prefix,
    /// Not three parts, but as many.
    #[error("expected a token of three parts separated by dots, found {0}")]
    Parts(usize),
    /// The sealed passphrase is not base64.
    #[error("expected base64 as the second part of the token, the sealed passphrase{0}")]
    Passphrase(PartFault),
    /// The sealed text is not base64.
    #[error("expected base64 as the third part of the token, the sealed text{0}")]
    Body(PartFault),
    /// Neither is there.
    #[error("expected base64 as the second and the third part of the token: both are empty")]
    Empty,
}

/// The token does not open, for whatever reason: another image's key, an altered token, a text
/// that is not UTF-8.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the token does not open with the key of this image")]
pub struct Unopened;

/// A token, taken apart.
pub struct Token {
    passphrase: Vec<u8>,
    pub(crate) body: Vec<u8>,
}

impl fmt::Debug for Token {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("Token([sealed])")
    }
}

/// Whether the text starts as a token does, white space before it aside.
///
/// Everything else in its place is plain text. What starts as a token and is none is an error.
pub fn looks_like_token(text: &str) -> bool {
    after_prefix(text.trim_start()).is_some()
}

fn after_prefix(text: &str) -> Option<&str> {
    Prefix::ALL.iter().find_map(|prefix| text.strip_prefix(prefix.as_str())?.strip_prefix('.'))
}

impl Token {
    /// Takes a token apart. White space around it and line breaks inside it are ignored, as
    /// `base64 -d` does.
    ///
    /// ```
    /// use countersign_crypto::token::{Token, TokenShape};
    ///
    /// assert_eq!(Token::parse("hyper-protect-basic.AAAA").err(), Some(TokenShape::Parts(2)));
    /// ```
    ///
    /// # Errors
    /// [`TokenShape`] names the part that is wrong.
    pub fn parse(text: &str) -> Result<Self, TokenShape> {
        let rest = after_prefix(text.trim()).ok_or(TokenShape::Prefix)?;
        let (passphrase, body) = token_parts::halves(rest).map_err(TokenShape::Parts)?;
        let (mut passphrase, mut body) = match (token_parts::bytes(passphrase), token_parts::bytes(body)) {
            (Ok(passphrase), Ok(body)) => (passphrase, body),
            (Err(PartFault::Empty), Err(PartFault::Empty)) => return Err(TokenShape::Empty),
            (Err(fault), _) => return Err(TokenShape::Passphrase(fault)),
            (_, Err(fault)) => return Err(TokenShape::Body(fault)),
        };
        Ok(Self { passphrase: std::mem::take(&mut passphrase), body: std::mem::take(&mut body) })
    }

    /// Decrypts the token.
    ///
    /// # Errors
    /// [`Unopened`], whatever is wrong.
    pub fn open(&self, key: &ImageKey) -> Result<SectionText, Unopened> {
        let message = key.decrypt(&self.passphrase).map_err(|_| Unopened)?.ok_or(Unopened)?;
        let line = openssl_enc::passphrase_line(&message);
        // Without a passphrase the work goes on with an empty one, and its result is thrown away.
        let text = openssl_enc::decrypt(&self.body, line.unwrap_or(&[])).map_err(|_| Unopened)?;
        line.and(text).ok_or(Unopened)
    }

    /// Seals a text, on the author's side.
    ///
    /// The passphrase is 32 random bytes in base64: one line of printable characters, which every
    /// reader takes whole, a shell's variable included.
    ///
    /// # Errors
    /// [`LibraryError`] when OpenSSL has no randomness or one of the algorithms is switched off.
    pub fn seal(text: &str, recipient: &Recipient, prefix: Prefix) -> Result<String, LibraryError> {
        let passphrase = random_line()?;
        let mut salt = [0; 8];
        openssl::rand::rand_bytes(&mut salt).map_err(LibraryError::of("draw random bytes"))?;
        let sealed_passphrase = recipient.encrypt(passphrase.as_bytes())?;
        let body = openssl_enc::encrypt(text, passphrase.as_bytes(), salt)?;
        Ok(format!("{}.{}.{}", prefix.as_str(), to_base64(&sealed_passphrase), to_base64(&body)))
    }
}

/// 32 random bytes as 44 characters.
fn random_line() -> Result<Zeroizing<String>, LibraryError> {
    let mut bytes = Zeroizing::new([0_u8; 32]);
    openssl::rand::rand_bytes(bytes.as_mut()).map_err(LibraryError::of("draw random bytes"))?;
    Ok(Zeroizing::new(to_base64(bytes.as_ref())))
}

/// The public key of a guest image, to which an author seals: from its encryption certificate, or
/// the bare key.
#[derive(Clone)]
pub struct Recipient {
    key: PKey<Public>,
    not_after: Option<i64>,
}

impl fmt::Debug for Recipient {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("Recipient").field("not_after", &self.not_after).finish_non_exhaustive()
    }
}

impl Recipient {
    /// Reads a certificate or an RSA public key, PEM or base64 of that.
    ///
    /// # Errors
    /// [`PublicKeyError`] for anything else.
    pub fn parse(text: &str) -> Result<Self, PublicKeyError> {
        let form = PublicKeyForm::parse(text)?;
        Ok(Self { not_after: form.not_after(), key: form.into_key() })
    }

    /// The public key alone, PEM.
    ///
    /// # Errors
    /// [`LibraryError`] when OpenSSL cannot write what it had read.
    pub fn to_pem(&self) -> Result<String, LibraryError> {
        let failed = "encode a public key";
        let pem = self.key.public_key_to_pem().map_err(LibraryError::of(failed))?;
        String::from_utf8(pem).map_err(LibraryError::of(failed))
    }

    /// SHA-256 of the DER public key, 64 lowercase hexadecimal digits.
    ///
    /// # Errors
    /// [`LibraryError`] when OpenSSL cannot write what it had read.
    pub fn sha256_fingerprint(&self) -> Result<String, LibraryError> {
        let der = self.key.public_key_to_der().map_err(LibraryError::of("encode a public key"))?;
        Ok(sha256_hex(&der))
    }

    /// The end of the certificate's validity, in seconds since 1970; `None` for a bare key.
    pub fn not_after(&self) -> Option<i64> {
        self.not_after
    }

    pub(crate) fn key(&self) -> &PKeyRef<Public> {
        &self.key
    }

    fn encrypt(&self, message: &[u8]) -> Result<Vec<u8>, LibraryError> {
        let failed = || LibraryError::of("encrypt with RSA");
        let mut context = PkeyCtx::new(&self.key).map_err(failed())?;
        context.encrypt_init().map_err(failed())?;
        context.set_rsa_padding(Padding::PKCS1).map_err(failed())?;
        let mut sealed = Vec::new();
        context.encrypt_to_vec(message, &mut sealed).map_err(failed())?;
        Ok(sealed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_starts_as_a_token() {
        for text in ["hyper-protect-basic.QQ==.QQ==", "contract-basic.", "\n  contract-basic.x"] {
            assert!(looks_like_token(text), "{text:?}");
        }
        for text in
            ["", "type: workload", "hyper-protect-basic", "x hyper-protect-basic.", "contract-basics."]
        {
            assert!(!looks_like_token(text), "{text:?}");
        }
    }

    #[test]
    fn shape() {
        let shape = |text: &str| Token::parse(text).err();
        assert_eq!(shape("hyper-protect-basic.QQ==.QQ=="), None);
        assert_eq!(shape("contract-basic.QQ==.QQ=="), None);
        assert_eq!(shape(" contract-basic.Q\nQ==.QQ\r\n==\n"), None);
        assert_eq!(shape("hyper-protect-advanced.QQ==.QQ=="), Some(TokenShape::Prefix));
        assert_eq!(shape("QQ==.QQ=="), Some(TokenShape::Prefix));
        assert_eq!(shape("hyper-protect-basic."), Some(TokenShape::Parts(2)));
        assert_eq!(shape("hyper-protect-basic.QQ=="), Some(TokenShape::Parts(2)));
        assert_eq!(shape("hyper-protect-basic.QQ==.QQ==.QQ=="), Some(TokenShape::Parts(4)));
        assert_eq!(shape("hyper-protect-basic..."), Some(TokenShape::Parts(4)));
        for empty in ["", "\r", "\r\n", " "] {
            for prefix in Prefix::ALL.map(Prefix::as_str) {
                let passphrase = TokenShape::Passphrase(PartFault::Empty);
                assert_eq!(shape(&format!("{prefix}.{empty}.QQ==")), Some(passphrase), "{empty:?}");
                let body = TokenShape::Body(PartFault::Empty);
                assert_eq!(shape(&format!("{prefix}.QQ==.{empty}")), Some(body), "{empty:?}");
                assert_eq!(shape(&format!("{prefix}.{empty}.{empty}")), Some(TokenShape::Empty), "{empty:?}");
            }
        }
        let blank = TokenShape::Passphrase(PartFault::WhiteSpace);
        assert_eq!(shape("hyper-protect-basic.Q Q==.QQ=="), Some(blank));
        assert_eq!(shape("hyper-protect-basic. QQ==.QQ=="), Some(blank));
        let body = |fault| Some(TokenShape::Body(fault));
        assert_eq!(shape("hyper-protect-basic.QQ==.Q\tQ=="), body(PartFault::WhiteSpace));
        assert_eq!(shape("hyper-protect-basic.QQ==.QQ"), body(PartFault::Form));
        assert_eq!(shape("hyper-protect-basic.QQ==.Q-_="), body(PartFault::Form));
    }
}
