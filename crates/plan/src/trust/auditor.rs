//! The auditor's key, `attestationPublicKey`: read before the record is made, for the guest and for the author's desk.
//!
//! The record of a contract that names an auditor is readable by that auditor alone, as HPCR's is: a token in the old
//! form, whose text is the record. A key that cannot be used ends the boot, because a record in the open is not what
//! was asked for. Of a certificate only the key counts: the auditor made it, and nobody in the guest could say who that is.

use countersign_contract::code::Code;
use countersign_contract::envelope::AttestationKey;
use countersign_contract::model::Contract;
use countersign_contract::refusal::{Finding, Refusal};
use countersign_crypto::LibraryError;
use countersign_crypto::image_key::ImageKey;
use countersign_crypto::sealed::SectionName;
use countersign_crypto::secret::SecretBytes;
use countersign_crypto::signature::PublicKeyError;
use countersign_crypto::token::{Prefix, Recipient, Token};

use crate::guest_os::file::File;
use crate::guest_os::handover::{AUDITOR, FOLDER};
use crate::record::first::Reader;
use crate::trust::signer::Signer;

/// Who may read the record.
#[derive(Debug, Clone)]
pub struct Auditor {
    recipient: Recipient,
    /// Whether the contract's signature covers the key.
    covered: bool,
}

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
        recipient
            .map(Auditor::of_anybody)
            .map_err(|error| refused(Code::AttestationKeyForm, error.to_string()))
    }

    /// A key that nobody signed: `attestationPublicKey` stands beside the sections that are signed, and whoever delivers
    /// the contract can put another one there, sealed or not.
    fn of_anybody(recipient: Recipient) -> Auditor {
        Auditor { recipient, covered: false }
    }

    /// The auditor of a contract: the one in `env.countersign.attestation`, else `attestationPublicKey`.
    ///
    /// # Errors
    /// `HPL11002E` where the first is no RSA public key or certificate of at least 2048 bits, or where the contract has
    /// both and they are not the same key.
    pub fn of(
        contract: &Contract,
        top: Option<Auditor>,
        signer: &Signer,
    ) -> Result<Option<Auditor>, Finding> {
        let Some((text, place)) = contract.attestation().auditor() else { return Ok(top) };
        let refused = |message: String| Finding::with(Code::AttestationKeyForm, place.clone(), message);
        let recipient = Recipient::parse(text).map_err(|error| refused(error.to_string()))?;
        let named = Auditor { recipient, covered: *signer != Signer::Nobody };
        let same =
            |top: &Auditor| -> Result<bool, LibraryError> { Ok(top.fingerprint()? == named.fingerprint()?) };
        match top.as_ref().map(same).transpose() {
            Ok(None | Some(true)) => Ok(Some(named)),
            Ok(Some(false)) => Err(refused("expected the same key as attestationPublicKey".to_owned())),
            Err(error) => Err(refused(error.to_string())),
        }
    }

    /// What the record says of this auditor.
    ///
    /// # Errors
    /// [`LibraryError`] when OpenSSL cannot write what it had read.
    pub fn reader(&self) -> Result<Reader, LibraryError> {
        Ok(Reader { fingerprint: self.fingerprint()?, covered: self.covered })
    }

    /// SHA-256 of the DER public key, hexadecimal.
    fn fingerprint(&self) -> Result<String, LibraryError> {
        self.recipient.sha256_fingerprint()
    }

    /// The public key, PEM.
    ///
    /// # Errors
    /// [`LibraryError`] when OpenSSL cannot write what it had read.
    pub fn to_pem(&self) -> Result<String, LibraryError> {
        self.recipient.to_pem()
    }

    /// The key as [`Auditor::file`] keeps it.
    ///
    /// # Errors
    /// [`PublicKeyError`] for any other text.
    pub fn parse(pem: &str) -> Result<Auditor, PublicKeyError> {
        Recipient::parse(pem).map(Auditor::of_anybody)
    }

    /// The public key for the guest OS, whose stages may have to seal a capsule.
    ///
    /// # Errors
    /// [`LibraryError`] when OpenSSL cannot write what it had read.
    pub fn file(&self) -> Result<File, LibraryError> {
        let content = SecretBytes::copy_from(self.to_pem()?.as_bytes());
        Ok(File { path: format!("{FOLDER}/{AUDITOR}"), mode: 0o644, content })
    }

    /// A text for the auditor's eyes, the record above all: a token `hyper-protect-basic`, which the documented commands open.
    ///
    /// # Errors
    /// [`LibraryError`] when OpenSSL has no randomness or one of the algorithms is switched off.
    pub fn seal(&self, text: &str) -> Result<String, LibraryError> {
        Token::seal(text, &self.recipient, Prefix::HyperProtectBasic)
    }
}
