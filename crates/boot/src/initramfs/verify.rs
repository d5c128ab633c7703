//! Stage `verify`: the signature over both sections as they stand in the contract, then the workload is opened.
//!
//! | signature | signing key | result |
//! |---|---|---|
//! | no | no | accepted with the warning `HPL12100W`, refused where the image takes signed contracts only |
//! | yes | no | refused, `HPL12004E` |
//! | no | yes | refused, `HPL12004E` |
//! | yes | public key | verified, else `HPL12001E` |
//! | yes | certificate | verified, and its dates are those of the contract, else `HPL12103E` |
//!
//! The key stands in the contract itself: a signature proves that one hand put both sections together, not whose.

use countersign_contract::code::Code;
use countersign_contract::envelope::SectionTree;
use countersign_contract::place::Place;
use countersign_contract::refusal::Finding;
use countersign_crypto::signature::SigningKey;
use countersign_system::ports::Initramfs;

use crate::failure::{Cause, Failure};
use crate::log::{Log, Summary};
use crate::stage::Stage;

use super::parse::Origins;
use super::unseal::{Unsealed, open};

/// Who signed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Signer {
    /// Nobody.
    Nobody,
    /// The key with this SHA-256 fingerprint.
    Key(String),
}

/// Both sections, open and verified as far as they are signed.
#[derive(Debug)]
pub struct Verified {
    pub(super) origins: Origins,
    /// SHA-256 of the contract's raw strings, in the words of the attestation record.
    pub(super) digests: Vec<(String, String)>,
    pub(super) signer: Signer,
    pub(super) workload: SectionTree,
    pub(super) env: SectionTree,
}

impl Unsealed {
    /// Runs the stage.
    ///
    /// # Errors
    /// `HPL12001E`, `HPL12004E`, `HPL12101E`, `HPL12102E`, `HPL12103E`; `HPL11001E` when the workload does not open.
    pub fn verify<S: Initramfs>(self, system: &S, log: &mut Log<'_, S>) -> Result<Verified, Failure> {
        log.stage(Stage::Verify, |log| {
            let signer = self.signer(system.unix_time(), log)?;
            let envelope = &self.parsed.envelope;
            let workload = open(envelope.workload(), &self.key, Stage::Verify)?;
            let digests = envelope
                .attested()
                .into_iter()
                .map(|(name, raw)| (name.to_owned(), countersign_crypto::digest::sha256_hex(raw.as_bytes())))
                .collect();
            let summary = match &signer {
                Signer::Nobody => Summary::new().with("signed", "no"),
                Signer::Key(fingerprint) => Summary::new().with("signed", "yes").with("signer", fingerprint),
            };
            // The image key is wiped here: no later stage opens a token.
            let Unsealed { parsed, env, .. } = self;
            Ok((Verified { origins: parsed.origins, digests, signer, workload, env }, summary))
        })
    }

    fn signer<S: Initramfs>(&self, now: i64, log: &mut Log<'_, S>) -> Result<Signer, Failure> {
        let envelope = &self.parsed.envelope;
        let key = self.env.signing_key().map_err(|refusal| Failure::refused(Stage::Verify, &refusal))?;
        let place = self.env.place_of("signingKey");
        let (signature, key) = match (envelope.signature(), key) {
            (None, None) if self.parsed.origins.ready.manifest.refuse_unsigned => {
                return Err(refused(Code::UnsignedRefused, place, Code::UnsignedRefused.text()));
            }
            (None, None) => {
                log.warn_text(format!("{}: {}", Code::Unsigned, Code::Unsigned.text()));
                return Ok(Signer::Nobody);
            }
            (Some(signature), Some(key)) => (signature, key),
            _ => return Err(refused(Code::SignatureIncomplete, place, Code::SignatureIncomplete.text())),
        };
        let key =
            SigningKey::parse(key).map_err(|error| refused(Code::SigningKeyForm, place.clone(), error))?;
        let ended = key.not_after().is_some_and(|end| now > end);
        let not_begun = key.not_before().is_some_and(|begin| now < begin);
        if ended || not_begun {
            let message = "expected a signing certificate that is valid now";
            return Err(refused(Code::ContractExpired, place, message));
        }
        let Some((workload, env)) = envelope.signed_strings() else {
            // The envelope refuses a signature over maps, so there are always strings here.
            return Err(refused(Code::SignatureInvalid, place, "expected both sections as text"));
        };
        key.verify(workload, env, signature)
            .map_err(|error| refused(Code::SignatureInvalid, place, error))?;
        let fingerprint = key
            .sha256_fingerprint()
            .map_err(|error| Failure::machine(Stage::Verify, Code::BootInternal, error))?;
        Ok(Signer::Key(fingerprint))
    }
}

fn refused(code: Code, place: Place, message: impl ToString) -> Failure {
    let finding = Finding::new(code, place, message.to_string(), Some(code.remedy().to_owned()));
    Failure { stage: Stage::Verify, cause: Box::new(Cause::Contract(finding)), also: Vec::new() }
}
