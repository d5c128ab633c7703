//! The record of a stage of the guest OS goes into the transcript that the initramfs began.
//!
//! The units run one after the other, so nobody else writes meanwhile. The file is replaced whole. Where the initramfs
//! left none (a boot that only reports its failure), there is nothing to add to. What cannot be recorded is told and
//! does not end a boot: the log has the same lines.

use countersign_contract::code::Code;
use countersign_crypto::digest;
use countersign_plan::guest_os::handover::TRANSCRIPT;
use countersign_plan::report::transcript::Transcript;
use countersign_ports::guest_os::Notes;
use countersign_ports::{Clock, Priority, Report};

use crate::failure::Failure;
use crate::line::Line;
use crate::log::{Log, millis};

/// Adds what the log remembers, and the cause where the stage failed.
pub(super) fn add<S: Report + Clock + Notes>(system: &S, log: &Log<'_, S>, failure: Option<&Failure>) {
    let failure = failure.map(|failure| failure.record(millis(system.uptime())));
    if system.note(TRANSCRIPT).is_err() {
        return;
    }
    let added = || -> Result<(), String> {
        let mut transcript = read(system)?;
        if !transcript.add(log.stages(), log.warnings(), failure) {
            return Ok(());
        }
        transcript.images.extend_from_slice(log.pulled());
        let bytes = serde_json::to_vec_pretty(&transcript).map_err(|error| error.to_string())?;
        system.keep_note(TRANSCRIPT, &bytes).map_err(|error| error.to_string())
    };
    if let Err(error) = added() {
        system.line(Priority::Warning, &format!("the transcript lacks a stage: {error}"));
    }
}

/// The transcript as it is.
///
/// # Errors
/// What was expected, where no transcript can be read.
pub(super) fn read<S: Notes>(system: &S) -> Result<Transcript, String> {
    let bytes = system.note(TRANSCRIPT).map_err(|error| error.to_string())?;
    serde_json::from_slice(&bytes)
        .map_err(|error| format!("expected the transcript of this version: {error}"))
}

/// Says the digest of the transcript, which from now on changes only if the daemon is started again or fails.
pub(super) fn say_digest<S: Report + Clock + Notes>(system: &S, log: &Log<'_, S>) {
    if let Ok(bytes) = system.note(TRANSCRIPT) {
        let (code, digest) = (Code::TranscriptComplete, digest::sha256_hex(&bytes));
        log.tell(&Line::of(code).and(format_args!("sha256 {digest}")));
    }
}
