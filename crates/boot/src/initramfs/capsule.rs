//! The failure capsule of a boot whose contract names an auditor: told from the end of `verify` on, where that key is
//! known.
//!
//! Before the cause, so that the last lines of the console are the cause's.

use countersign_plan::report::capsule;
use countersign_plan::report::transcript::Transcript;
use countersign_plan::trust::auditor::Auditor;
use countersign_ports::{Initramfs, Priority};

use crate::failure::Failure;
use crate::log::{Log, millis};

use super::validate::Validated;
use super::verify::Verified;

/// What a capsule needs, kept aside while the boot goes on.
#[derive(Debug)]
pub(super) struct Capsule {
    auditor: Auditor,
    version: String,
}

impl Capsule {
    /// None where the contract names no auditor.
    pub(super) fn of(verified: &Verified) -> Option<Capsule> {
        let auditor = verified.sections.as_ref()?.auditor.clone()?;
        Some(Capsule { auditor, version: verified.origins.ready.manifest.version.clone() })
    }

    /// The same for the auditor whom the sections name, who is the same where both are named.
    pub(super) fn of_validated(validated: &Validated) -> Option<Capsule> {
        let auditor = validated.auditor.clone()?;
        Some(Capsule { auditor, version: validated.carried.manifest.version.clone() })
    }

    /// Says the capsule. Where that fails the boot ends all the same, with its cause.
    pub(super) fn say<S: Initramfs>(&self, system: &S, log: &Log<'_, S>, failure: &Failure) {
        let transcript = Transcript {
            version: self.version.clone(),
            stages: log.stages().to_vec(),
            warnings: log.warnings().to_vec(),
            images: Vec::new(),
            failure: Some(failure.record(millis(system.uptime()))),
            record: String::new(),
        };
        match capsule::lines(&self.auditor, transcript) {
            Ok(lines) => lines.iter().for_each(|line| log.say(line)),
            Err(error) => system.line(Priority::Warning, &format!("there is no failure capsule: {error}")),
        }
    }
}
