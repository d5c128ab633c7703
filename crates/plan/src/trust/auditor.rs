//! The auditor's key, `attestationPublicKey`: read before the record is made, for the guest and for the author's desk.
//!
//! The record of a contract that names an auditor is readable by that auditor alone, as HPCR's is: a token in the old
//! form, whose text is the record. A key that cannot be used ends the boot, because a record in the open is not what
//! was asked for. Of a certificate only the key counts: the auditor made it, and nobody in the guest could say who that is.

use countersign_contract::code::Code;
use countersign_contract::envelope::AttestationKey;
use countersign_contract::refusal::{Finding, Refusal};
use countersign_crypto::LibraryError;
use countersign_crypto::image_key::ImageKey;
use countersign_crypto::sealed::SectionName;
use countersign_crypto::secret::SecretBytes;
use countersign_crypto::signature::PublicKeyError;
use countersign_crypto::token::{Prefix, Recipient, Token};

use crate::guest_os::file::File;
use crate::guest_os::handover::{AUDITOR, FOLDER};

/// Who may read the record.
#[derive(Debug, Clone)]
pub struct Auditor(Recipient);

impl Auditor {
    /// Reads the key that a contract names, sealed or not. The image key is needed where it is sealed.
    ///
    /// # Errors
    /// `HPL11001E` where the token does not open or there is no key to open it, `HPL11002E` where it is no RSA public
    /// key or certificate of at least 2048 bits.
    pub fn read(named: &AttestationKey, image: Option<&ImageKey>) -> Result<Auditor, Finding> {
        let refused = |code: Code, message: String| Finding::with(code, named.place().clone(), message);
        let recipient = match (named.token(), image) {
            (None, _) => Recipient::parse(named.raw()),
            (Some(_), None) => return Err(Finding::from(&Refusal::Sealed(named.place().clone()))),
            (Some(token), Some(image)) => {
                let text = token
                    .open(SectionName::AttestationPublicKey, image)
                    .map_err(|unopened| refused(Code::BootInvalidContract, unopened.to_string()))?;
                Recipient::parse(text.expose())
            }
        };
        recipient.map(Auditor).map_err(|error| refused(Code::AttestationKeyForm, error.to_string()))
    }

    /// The key as [`Auditor::file`] keeps it.
    ///
    /// # Errors
    /// [`PublicKeyError`] for any other text.
    pub fn parse(pem: &str) -> Result<Auditor, PublicKeyError> {
        Recipient::parse(pem).map(Auditor)
    }

    /// The public key for the guest OS, whose stages may have to seal a capsule.
    ///
    /// # Errors
    /// [`LibraryError`] when OpenSSL cannot write what it had read.
    pub fn file(&self) -> Result<File, LibraryError> {
        let content = SecretBytes::copy_from(self.0.to_pem()?.as_bytes());
        Ok(File { path: format!("{FOLDER}/{AUDITOR}"), mode: 0o644, content })
    }

    /// A text for the auditor's eyes, the record above all: a token `hyper-protect-basic`, which the documented commands open.
    ///
    /// # Errors
    /// [`LibraryError`] when OpenSSL has no randomness or one of the algorithms is switched off.
    pub fn seal(&self, text: &str) -> Result<String, LibraryError> {
        Token::seal(text, &self.0, Prefix::HyperProtectBasic)
    }
}
