//! Sealed token v1: authenticated encryption for a section, bound to the section's name.
//!
//! The old token ([`crate::token`]) can be altered without notice and moved from one section to
//! another. This one can not. It is our own format; other guests do not read it.
//!
//! ```text
//! token   = "countersign-v1." base64(wrapped) "." base64(box)
//! wrapped = RSA-OAEP(image key, content key)                       modulus length (512 for RSA-4096)
//! box     = nonce (12) || AES-256-GCM ciphertext (text length) || tag (16)
//! ```
//!
//! | item | value |
//! |---|---|
//! | base64 | standard alphabet, padded, one line; a reader ignores line feeds and carriage returns |
//! | content key | 32 random bytes, fresh for every token |
//! | RSA-OAEP | hash SHA-256, mask generation MGF1 with SHA-256, label empty |
//! | nonce | 12 random bytes |
//! | plain text | the section's text, UTF-8, without any padding |
//! | additional data | `"countersign-v1"`, a zero byte, the section's name in ASCII, a zero byte, then SHA-256 (32 bytes) of `wrapped` |
//! | section's name | `workload`, `env` or `attestationPublicKey`, as in the contract |
//!
//! `wrapped` is in the additional data so that no part of the token can be changed for another.
//! The format says who can read, not who wrote: anybody can seal to an image. That is what the
//! contract's signature is for.
//!
//! All failures give one answer ([`Unopened`]), and when the RSA step fails AES runs all the same,
//! under a random key.

use crate::LibraryError;
use crate::digest::sha256;
use crate::image_key::ImageKey;
use crate::secret::SectionText;
use crate::text_form::to_base64;
use crate::token::{PartFault, Recipient, Unopened};
use crate::token_parts;
use openssl::md::Md;
use openssl::pkey_ctx::{PkeyCtx, PkeyCtxRef};
use openssl::rsa::Padding;
use openssl::symm::{Cipher, Crypter, Mode};
use std::fmt;
use zeroize::Zeroizing;

const PREFIX: &str = "countersign-v1";
pub(crate) const NONCE_LEN: usize = 12;
const TAG_LEN: usize = 16;
pub(crate) const KEY_LEN: usize = 32;

/// The section for which a token was made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SectionName {
    /// The provider's section.
    Workload,
    /// The deployer's section.
    Env,
    /// The auditor's key.
    AttestationPublicKey,
}

impl SectionName {
    /// As it stands in a contract.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Workload => "workload",
            Self::Env => "env",
            Self::AttestationPublicKey => "attestationPublicKey",
        }
    }
}

/// What is wrong with the form of a sealed token. Anybody can see that, so it may be said.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SealedTokenShape {
    /// It starts otherwise.
    #[error("expected a token that starts with {PREFIX}.")]
    Prefix,
    /// Not three parts, but as many.
    #[error("expected a token of three parts separated by dots, found {0}")]
    Parts(usize),
    /// The wrapped content key is not base64.
    #[error("expected base64 as the second part of the token, the sealed key{0}")]
    Wrapped(PartFault),
    /// The box is not base64, or shorter than nonce and tag.
    #[error("expected base64 of at least 28 bytes as the third part of the token, the sealed text{0}")]
    Box(PartFault),
    /// Neither is there.
    #[error("expected base64 as the second and the third part of the token: both are empty")]
    Empty,
}

/// A sealed token, taken apart.
pub struct SealedToken {
    wrapped: Vec<u8>,
    nonce: [u8; NONCE_LEN],
    ciphertext: Vec<u8>,
    tag: [u8; TAG_LEN],
}

impl fmt::Debug for SealedToken {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("SealedToken([sealed])")
    }
}

/// Whether the text starts as a sealed token does, white space before it aside.
pub fn looks_like_sealed_token(text: &str) -> bool {
    after_prefix(text.trim_start()).is_some()
}

fn after_prefix(text: &str) -> Option<&str> {
    text.strip_prefix(PREFIX)?.strip_prefix('.')
}

impl SealedToken {
    /// Takes a token apart. White space around it and line breaks inside it are ignored.
    ///
    /// # Errors
    /// [`SealedTokenShape`] names the part that is wrong.
    pub fn parse(text: &str) -> Result<Self, SealedTokenShape> {
        let rest = after_prefix(text.trim()).ok_or(SealedTokenShape::Prefix)?;
        let (wrapped, sealed) = token_parts::halves(rest).map_err(SealedTokenShape::Parts)?;
        let (wrapped, sealed) = match (token_parts::bytes(wrapped), token_parts::bytes(sealed)) {
            (Ok(wrapped), Ok(sealed)) => (wrapped, sealed),
            (Err(PartFault::Empty), Err(PartFault::Empty)) => return Err(SealedTokenShape::Empty),
            (Err(fault), _) => return Err(SealedTokenShape::Wrapped(fault)),
            (_, Err(fault)) => return Err(SealedTokenShape::Box(fault)),
        };
        let short = SealedTokenShape::Box(PartFault::Form);
        let (nonce, rest) = sealed.split_first_chunk().ok_or(short)?;
        let (ciphertext, tag) = rest.split_last_chunk().ok_or(short)?;
        Ok(Self { wrapped: wrapped.to_vec(), nonce: *nonce, ciphertext: ciphertext.to_vec(), tag: *tag })
    }

    /// Decrypts the token, which has to be the one made for this section.
    ///
    /// # Errors
    /// [`Unopened`], whatever is wrong.
    pub fn open(&self, section: SectionName, key: &ImageKey) -> Result<SectionText, Unopened> {
        // What AES runs with when the RSA step fails; nobody knows it, so nothing opens with it.
        let mut content_key = Zeroizing::new([0; KEY_LEN]);
        openssl::rand::rand_bytes(content_key.as_mut()).map_err(|_| Unopened)?;
        let unwrapped = self.unwrap_key(key, &mut content_key);
        let text = self.decrypt(section, &content_key);
        unwrapped.and(text).ok_or(Unopened)
    }

    fn unwrap_key(&self, key: &ImageKey, content_key: &mut [u8; KEY_LEN]) -> Option<()> {
        let mut context = PkeyCtx::new(key.expose()).ok()?;
        context.decrypt_init().ok()?;
        oaep(&mut context).ok()?;
        let mut message = Zeroizing::new(vec![0; key.modulus_len()]);
        let len = context.decrypt(&self.wrapped, Some(&mut message)).ok()?;
        content_key.copy_from_slice(message.get(..len).filter(|message| message.len() == KEY_LEN)?);
        Some(())
    }

    /// What [`SealedToken::open`] does behind the key wrap.
    pub(crate) fn decrypt(&self, section: SectionName, content_key: &[u8; KEY_LEN]) -> Option<SectionText> {
        let mut cipher =
            Crypter::new(Cipher::aes_256_gcm(), Mode::Decrypt, content_key, Some(&self.nonce)).ok()?;
        cipher.aad_update(&additional_data(section, &self.wrapped)).ok()?;
        let mut text = Zeroizing::new(vec![0; self.ciphertext.len()]);
        let written = cipher.update(&self.ciphertext, &mut text).ok()?;
        cipher.set_tag(&self.tag).ok()?;
        // GCM has no last block; this is where the tag is checked.
        cipher.finalize(&mut []).ok()?;
        std::str::from_utf8(text.get(..written)?).ok().map(SectionText::copy_from)
    }

    /// Seals a section's text to a guest image, on the author's side.
    ///
    /// # Errors
    /// [`LibraryError`] when OpenSSL has no randomness or one of the algorithms is switched off.
    pub fn seal(text: &str, section: SectionName, recipient: &Recipient) -> Result<String, LibraryError> {
        let random = || LibraryError::of("draw random bytes");
        let mut content_key = Zeroizing::new([0; KEY_LEN]);
        openssl::rand::rand_bytes(content_key.as_mut()).map_err(random())?;
        let mut nonce = [0; NONCE_LEN];
        openssl::rand::rand_bytes(&mut nonce).map_err(random())?;
        let wrapped = wrap_key(recipient, &content_key)?;
        Self::encrypt(text, section, &wrapped, &content_key, nonce)
    }

    /// What [`SealedToken::seal`] does behind the key wrap.
    pub(crate) fn encrypt(
        text: &str,
        section: SectionName,
        wrapped: &[u8],
        content_key: &[u8; KEY_LEN],
        nonce: [u8; NONCE_LEN],
    ) -> Result<String, LibraryError> {
        let mut sealed = vec![0; NONCE_LEN + text.len() + TAG_LEN];
        let (start, rest) = sealed.split_at_mut(NONCE_LEN);
        start.copy_from_slice(&nonce);
        let (ciphertext, tag) = rest.split_at_mut(text.len());
        let failed = || LibraryError::of("run AES-256-GCM");
        let mut cipher =
            Crypter::new(Cipher::aes_256_gcm(), Mode::Encrypt, content_key.as_slice(), Some(&nonce))
                .map_err(failed())?;
        cipher.aad_update(&additional_data(section, wrapped)).map_err(failed())?;
        cipher.update(text.as_bytes(), ciphertext).map_err(failed())?;
        cipher.finalize(&mut []).map_err(failed())?;
        cipher.get_tag(tag).map_err(failed())?;
        Ok(format!("{PREFIX}.{}.{}", to_base64(wrapped), to_base64(&sealed)))
    }
}

fn wrap_key(recipient: &Recipient, content_key: &[u8; KEY_LEN]) -> Result<Vec<u8>, LibraryError> {
    let failed = || LibraryError::of("encrypt with RSA-OAEP");
    let mut context = PkeyCtx::new(recipient.key()).map_err(failed())?;
    context.encrypt_init().map_err(failed())?;
    oaep(&mut context).map_err(failed())?;
    let mut wrapped = Vec::new();
    context.encrypt_to_vec(content_key, &mut wrapped).map_err(failed())?;
    Ok(wrapped)
}

fn oaep<T>(context: &mut PkeyCtxRef<T>) -> Result<(), openssl::error::ErrorStack> {
    context.set_rsa_padding(Padding::PKCS1_OAEP)?;
    context.set_rsa_oaep_md(Md::sha256())?;
    context.set_rsa_mgf1_md(Md::sha256())
}

fn additional_data(section: SectionName, wrapped: &[u8]) -> Vec<u8> {
    [PREFIX.as_bytes(), &[0], section.as_str().as_bytes(), &[0], &sha256(wrapped)].concat()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shape() {
        let shape = |text: &str| SealedToken::parse(text).err();
        let fits = "A".repeat(40);
        assert_eq!(shape(&format!(" countersign-v1.QQ==.{fits}\n")), None);
        assert_eq!(shape(&format!("countersign-v2.QQ==.{fits}")), Some(SealedTokenShape::Prefix));
        assert_eq!(shape(&format!("contract-basic.QQ==.{fits}")), Some(SealedTokenShape::Prefix));
        let wrapped = |fault| Some(SealedTokenShape::Wrapped(fault));
        let sealed = |fault| Some(SealedTokenShape::Box(fault));
        assert_eq!(shape("countersign-v1.QQ=="), Some(SealedTokenShape::Parts(2)));
        assert_eq!(shape(&format!("countersign-v1.QQ==.{fits}.QQ==")), Some(SealedTokenShape::Parts(4)));
        assert_eq!(shape("countersign-v1..QQ=="), wrapped(PartFault::Empty));
        assert_eq!(shape(&format!("countersign-v1.\r.{fits}")), wrapped(PartFault::Empty));
        assert_eq!(shape(&format!("countersign-v1.Q Q==.{fits}")), wrapped(PartFault::WhiteSpace));
        assert_eq!(shape(&format!("countersign-v1.*.{fits}")), wrapped(PartFault::Form));
        assert_eq!(shape("countersign-v1.QQ==."), sealed(PartFault::Empty));
        assert_eq!(shape("countersign-v1.QQ==.*"), sealed(PartFault::Form));
        assert_eq!(shape(&format!("countersign-v1.QQ==.{}", "A".repeat(36))), sealed(PartFault::Form));
        assert_eq!(shape("countersign-v1.."), Some(SealedTokenShape::Empty));
    }

    #[test]
    fn what_starts_as_a_sealed_token() {
        assert!(looks_like_sealed_token(" countersign-v1."));
        assert!(!looks_like_sealed_token("countersign-v1"));
        assert!(!looks_like_sealed_token("countersign-v11."));
    }
}
