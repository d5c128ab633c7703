//! The first record of a boot that fails behind `attest`. It was made and signed, so it gets out as well: to the log server
//! with the cause, where failure mode reaches one, and to the console where the contract asks.

use countersign_crypto::secret::SecretBytes;
use countersign_plan::guest_os::file::File;
use countersign_plan::guest_os::handover::{FOLDER, RECORDS};
use countersign_plan::record::bundle::Bundle;
use countersign_ports::{Initramfs, Priority};

use crate::log::Log;

use super::attest::Attested;

/// The record, kept aside while the boot goes on.
#[derive(Debug)]
pub(super) struct FirstRecord {
    bundle: Bundle,
    on_console: bool,
}

impl FirstRecord {
    pub(super) fn of(attested: &Attested) -> FirstRecord {
        let on_console = attested.carried.plan.record_on_console;
        FirstRecord { bundle: attested.bundle.clone(), on_console }
    }

    /// Says the record where the contract asks for it. Where that fails the boot ends all the same, with its cause.
    pub(super) fn say<S: Initramfs>(&self, system: &S, log: &Log<'_, S>) {
        if !self.on_console {
            return;
        }
        match self.bundle.lines() {
            Ok(lines) => lines.iter().for_each(|line| log.say(line)),
            Err(error) => system.line(Priority::Warning, &format!("the record is not shown: {error}")),
        }
    }

    /// The note for the guest OS that reports the failure.
    ///
    /// # Errors
    /// What kept it from being written.
    pub(super) fn file(&self) -> Result<File, String> {
        let json = serde_json::to_vec(&self.bundle).map_err(|error| error.to_string())?;
        let path = format!("{FOLDER}/{RECORDS}");
        Ok(File { path, mode: 0o600, content: SecretBytes::new(json) })
    }
}
