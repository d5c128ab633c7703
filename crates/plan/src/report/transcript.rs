//! The transcript: what a boot did, stage by stage, as JSON without secrets.
//!
//! The initramfs writes it at the handover, every stage of the guest OS adds its record. It holds what the log lines
//! hold: names, numbers, digests, codes, places; never a value from the contract. Its JSON Schema is
//! `crates/cli/schema/transcript.schema.json`. Drawing it is left to the author's command.

use serde::{Deserialize, Serialize};

use crate::images::signatures::Signer;

/// Stages beyond these are not recorded: a daemon that is started again and again must not fill memory.
const STAGES: usize = 64;
/// Warnings beyond these are not recorded.
const WARNINGS: usize = 256;

/// All of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Transcript {
    /// Version of the image.
    pub version: String,
    /// The stages that are over, in their order.
    pub stages: Vec<StageRecord>,
    /// Warnings, in their order.
    pub warnings: Vec<Warning>,
    /// The images that the engine has for the workload, as it says after the pull.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub images: Vec<ImageRecord>,
    /// The first cause, where the boot failed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failure: Option<FailureRecord>,
    /// The attestation record, or the token that holds it for the auditor.
    pub record: String,
}

/// A stage that is over.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StageRecord {
    /// Name of the stage.
    pub stage: String,
    /// Milliseconds after the kernel's start.
    pub started_ms: u64,
    /// How long it took, in milliseconds.
    pub ms: u64,
    /// What it told: names and values of its line.
    pub summary: Vec<(String, String)>,
}

/// A warning.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Warning {
    /// Milliseconds after the kernel's start.
    pub at_ms: u64,
    /// The line, with its code.
    pub text: String,
}

/// An image that the engine has.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ImageRecord {
    /// Its whole name, with the digest or the tag that the workload asks for.
    pub reference: String,
    /// Digest of the manifest, of this platform's where the reference has that of an index.
    pub manifest: String,
    /// Digest of its configuration, by which the engine tells images apart.
    pub config: String,
    /// Keys of the rules whose signatures were demanded of it; of several for simple signing one was enough. None where
    /// its digest vouches for it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub signers: Vec<Signer>,
}

/// Why a boot ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FailureRecord {
    /// Name of the stage.
    pub stage: String,
    /// Milliseconds after the kernel's start.
    pub at_ms: u64,
    /// Message code of the first cause.
    pub code: String,
    /// The sentences for a person.
    pub lines: Vec<String>,
}

impl Transcript {
    /// Adds what a later process did. The first cause ends the record: nothing is added behind it; whether anything
    /// was.
    pub fn add(
        &mut self,
        stages: &[StageRecord],
        warnings: &[Warning],
        failure: Option<FailureRecord>,
    ) -> bool {
        if self.failure.is_some() {
            return false;
        }
        let room = |have: usize, limit: usize| limit.saturating_sub(have);
        self.stages.extend(stages.iter().take(room(self.stages.len(), STAGES)).cloned());
        self.warnings.extend(warnings.iter().take(room(self.warnings.len(), WARNINGS)).cloned());
        self.failure = failure;
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stage(name: &str) -> StageRecord {
        StageRecord { stage: name.into(), started_ms: 1, ms: 2, summary: Vec::new() }
    }

    #[test]
    fn it_stays_bounded_and_ends_with_the_first_cause() {
        let mut transcript = Transcript {
            version: "1".into(),
            stages: Vec::new(),
            warnings: Vec::new(),
            images: Vec::new(),
            failure: None,
            record: String::new(),
        };
        let warning = Warning { at_ms: 1, text: "HPL11104W: x".into() };
        for _ in 0..1000 {
            assert!(transcript.add(&[stage("watch")], std::slice::from_ref(&warning), None));
        }
        assert_eq!((transcript.stages.len(), transcript.warnings.len()), (STAGES, WARNINGS));
        let cause =
            FailureRecord { stage: "watch".into(), at_ms: 3, code: "HPL11112E".into(), lines: Vec::new() };
        assert!(transcript.add(&[], &[], Some(cause.clone())));
        assert!(!transcript.add(&[], &[], None));
        assert_eq!(transcript.failure, Some(cause));
    }
}
