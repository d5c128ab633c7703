//! Stage `verify`: the signature over both sections as they stand in the contract, then the workload is opened.
//!
//! Which contracts count as signed, and by whom, is decided by [`countersign_plan::signer`].

use countersign_contract::code::Code;
use countersign_contract::envelope::SectionTree;
use countersign_plan::auditor::Auditor;
use countersign_plan::section;
use countersign_plan::signer::{self, Signer, SignerRefusal};
use countersign_plan::time_floor;
use countersign_plan::watch::schedule::Clock;
use countersign_plan::watch::{Expiry, Subject, WatchRecords};
use countersign_system::ports::Initramfs;

use crate::failure::Failure;
use crate::log::{Log, Summary};
use crate::stage::Stage;

use super::parse::Origins;
use super::unseal::Unsealed;

/// Both sections, open and verified as far as they are signed.
#[derive(Debug)]
pub struct Verified {
    pub(super) origins: Origins,
    /// SHA-256 of the contract's raw strings, in the words of the attestation record.
    pub(super) digests: Vec<(String, String)>,
    pub(super) signer: Signer,
    /// Who alone may read the record.
    pub(super) auditor: Option<Auditor>,
    /// What the daemon will watch: so far the time, and the end of the contract.
    pub(super) watch: WatchRecords,
    pub(super) workload: SectionTree,
    pub(super) env: SectionTree,
}

impl Unsealed {
    /// Runs the stage.
    ///
    /// # Errors
    /// `HPL12001E`, `HPL12004E`, `HPL12101E`, `HPL12102E`, `HPL12103E`; `HPL11001E` when the workload or
    /// the auditor's key does not open, `HPL11002E` when the latter is none.
    pub fn verify<S: Initramfs>(self, system: &S, log: &mut Log<'_, S>) -> Result<Verified, Failure> {
        log.stage(Stage::Verify, |log| {
            let unix = time_floor::later(system.unix_time(), self.parsed.origins.ready.manifest.built);
            let verified = Clock { unix, uptime: system.uptime().as_secs() };
            let signer = self.signer(verified.unix, log)?;
            let mut watch = WatchRecords::new(verified);
            if let (Signer::Key(fingerprint), Some(not_after)) = (&signer, signer::not_after(&self.env)) {
                let fingerprint = fingerprint.clone();
                watch.expiries.push(Expiry { subject: Subject::Contract, fingerprint, not_after });
            }
            let envelope = &self.parsed.envelope;
            let workload = section::open(envelope.workload(), &self.key)
                .map_err(|finding| Failure::finding(Stage::Verify, finding))?;
            if let Some(warning) = section::unprotected_policy(envelope.workload(), &workload) {
                log.warn(&warning);
            }
            let auditor = envelope
                .attestation_public_key()
                .map(|named| Auditor::read(named, Some(&self.key)))
                .transpose()
                .map_err(|finding| Failure::finding(Stage::Verify, finding))?;
            let digests = envelope
                .attested()
                .into_iter()
                .map(|(name, raw)| (name.to_owned(), countersign_crypto::digest::sha256_hex(raw.as_bytes())))
                .collect();
            let summary = match &signer {
                Signer::Nobody => Summary::new().with("signed", "no"),
                Signer::Key(fingerprint) => Summary::new().with("signed", "yes").with("signer", fingerprint),
            };
            // The image key goes here, from memory and from the initramfs: no later stage opens a token.
            system
                .forget_image_key()
                .map_err(|error| Failure::machine(Stage::Verify, Code::BootInternal, error))?;
            let Unsealed { parsed, env, .. } = self;
            let origins = parsed.origins;
            Ok((Verified { origins, digests, signer, auditor, watch, workload, env }, summary))
        })
    }

    fn signer<S: Initramfs>(&self, now: i64, log: &mut Log<'_, S>) -> Result<Signer, Failure> {
        let refuse_unsigned = self.parsed.origins.ready.manifest.refuse_unsigned;
        let signer =
            signer::decide(&self.parsed.envelope, &self.env, now, refuse_unsigned).map_err(|refusal| {
                match refusal {
                    SignerRefusal::Contract(finding) => Failure::finding(Stage::Verify, finding),
                    SignerRefusal::Library(error) => {
                        Failure::machine(Stage::Verify, Code::BootInternal, error)
                    }
                }
            })?;
        if signer == Signer::Nobody {
            log.warn_text(format!("{}: {}", Code::Unsigned, Code::Unsigned.text()));
        }
        Ok(signer)
    }
}
