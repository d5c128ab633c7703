//! Stage `verify`: the signature over both sections as they stand in the contract, then the workload is opened.
//!
//! Which contracts count as signed, and by whom, is decided by [`countersign_plan::trust::signer`].
//!
//! Before the signature held, nothing is said about what an `env` in an old token holds: whatever keeps the signature
//! from being verified is one failure without a place. In an image that takes sealed contracts without signature, that
//! goes for all old tokens and until the end of `validate`, which then has the one answer.

use countersign_contract::code::Code;
use countersign_contract::envelope::{Envelope, SectionTree};
use countersign_contract::refusal::Finding;
use countersign_crypto::image_key::ImageKey;
use countersign_plan::trust::auditor::Auditor;
use countersign_plan::trust::section;
use countersign_plan::trust::signer::{self, Signer, SignerRefusal};
use countersign_plan::trust::time_floor;
use countersign_plan::watch::schedule::Clock;
use countersign_plan::watch::{Expiry, Subject, WatchRecords};
use countersign_ports::Initramfs;

use crate::failure::Failure;
use crate::line::Line;
use crate::log::{Log, Summary};
use crate::stage::Stage;

use super::parse::{Origins, Parsed};
use super::unseal::Unsealed;

/// What is said of a contract whose `env` is an old token, whatever keeps its signature from being verified.
const UNVERIFIED: &str = "a signature that fits; before that";

/// Both sections, verified as far as they are signed.
#[derive(Debug)]
pub(super) struct Verified {
    pub(super) origins: Origins,
    /// SHA-256 of the contract's raw strings, in the words of the attestation record.
    pub(super) digests: Vec<(String, String)>,
    pub(super) signer: Signer,
    /// What the daemon will watch: so far the time, and the end of the contract.
    pub(super) watch: WatchRecords,
    /// None where something is wrong that must not be told from what `validate` finds.
    pub(super) sections: Option<Sections>,
    /// Nobody signed, and there are old tokens: nothing that the sections hold may show yet.
    pub(super) veiled: bool,
}

/// Both sections, open.
#[derive(Debug)]
pub(super) struct Sections {
    pub(super) workload: SectionTree,
    pub(super) env: SectionTree,
    /// Who alone may read the record.
    pub(super) auditor: Option<Auditor>,
}

impl Sections {
    /// Opens what stayed sealed until now.
    fn open(envelope: &Envelope, env: SectionTree, key: &ImageKey) -> Result<Sections, Finding> {
        let workload = section::open(envelope.workload(), key)?;
        let auditor = envelope.attestation_public_key();
        let auditor = auditor.map(|named| Auditor::read(named, Some(key))).transpose()?;
        Ok(Sections { workload, env, auditor })
    }
}

impl Unsealed {
    /// Runs the stage.
    ///
    /// # Errors
    /// `HPL12001E`, `HPL12004E`, `HPL12101E`, `HPL12102E`, `HPL12103E`, `HPL12109E`; `HPL11001E` when the workload or
    /// the auditor's key does not open, `HPL11002E` when what it opens to is not a usable key.
    pub(super) fn verify<S: Initramfs>(self, system: &S, log: &mut Log<'_, S>) -> Result<Verified, Failure> {
        log.stage(Stage::Verify, |log| {
            let unix = time_floor::later(system.unix_time(), self.parsed.origins.ready.manifest.built);
            let verified = Clock { unix, uptime: system.uptime().as_secs() };
            let decided = self.signer(verified.unix)?;
            let Unsealed { parsed: Parsed { origins, envelope }, env, key } = self;
            let env = env.filter(|_| decided.is_some());
            let signer = decided.unwrap_or(Signer::Nobody);
            let veiled = signer == Signer::Nobody && envelope.is_malleable();
            let mut watch = WatchRecords::new(verified);
            if let (Signer::Key(fingerprint), Some(not_after)) =
                (&signer, env.as_ref().and_then(signer::not_after))
            {
                let fingerprint = fingerprint.clone();
                watch.expiries.push(Expiry { subject: Subject::Contract, fingerprint, not_after });
            }
            if signer == Signer::Nobody {
                log.warn(Line::of(Code::Unsigned));
            }
            let sections = match env.map(|env| Sections::open(&envelope, env, &key)).transpose() {
                Ok(sections) => sections,
                Err(_) if veiled => None,
                Err(finding) => return Err(Failure::finding(Stage::Verify, finding)),
            };
            if let (Some(Sections { workload, env, .. }), false) = (&sections, veiled) {
                for (section, tree) in [(envelope.workload(), workload), (envelope.env(), env)] {
                    section::unprotected(section, tree).iter().for_each(|warning| log.warn(warning));
                }
            }
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
            drop(key);
            system
                .forget_image_key()
                .map_err(|error| Failure::machine(Stage::Verify, Code::BootInternal, error))?;
            Ok((Verified { origins, digests, signer, watch, sections, veiled }, summary))
        })
    }

    /// Who signed. None where nobody did, the image takes that, and the contract is wrong in a way that must not be told
    /// from what `validate` finds.
    fn signer(&self, now: i64) -> Result<Option<Signer>, Failure> {
        let envelope = &self.parsed.envelope;
        let rule = self.parsed.origins.ready.manifest.unsigned;
        let finding = |finding| Failure::finding(Stage::Verify, finding);
        // Before anything that depends on what `env` holds.
        signer::admit(envelope, rule).map_err(finding)?;
        let unsaid = || match envelope.signature() {
            Some(_) => Err(Failure::unsaid(Stage::Verify, Code::SignatureInvalid, UNVERIFIED)),
            None => Ok(None),
        };
        let Some(env) = &self.env else { return unsaid() };
        match signer::decide(envelope, env, now, rule) {
            Ok(signer) => Ok(Some(signer)),
            Err(SignerRefusal::Contract(_)) if envelope.env().is_malleable() => unsaid(),
            Err(SignerRefusal::Contract(refusal) | SignerRefusal::Dates(refusal)) => Err(finding(refusal)),
            Err(SignerRefusal::Library(error)) => {
                Err(Failure::machine(Stage::Verify, Code::BootInternal, error))
            }
        }
    }
}
