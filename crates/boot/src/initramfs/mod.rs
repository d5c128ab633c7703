//! The stages of the initramfs, in their order.
//!
//! Each stage is a type that consumes the one before it: a contract comes only out of `verify` and `validate`, a
//! volume opens only after `attest`, and nothing can be skipped, repeated or put in another order.

mod attest;
mod capsule;
mod carried;
mod failure_mode;
mod first_record;
mod handover;
mod kernel;
mod locate;
mod parse;
mod preflight;
mod root;
mod unlock;
mod unseal;
mod validate;
mod verify;

use countersign_contract::code::Code;
use countersign_ports::Initramfs;

use crate::failure::Failure;
use crate::log::Log;
use crate::stage::Stage;

use capsule::Capsule;
use failure_mode::FailureMode;
use first_record::FirstRecord;

/// Boots. Returns only when the boot failed (or in tests, where nothing is switched to), with the failure already
/// said and the keys of the image gone. Where the log server can be told, the guest OS takes over for that (`failure_mode`)
/// and nothing returns.
///
/// # Errors
/// The first cause.
pub fn boot<S: Initramfs>(system: &S) -> Result<(), Failure> {
    let mut log = Log::new(system);
    let mut kept = Kept::default();
    let result = stages(system, &mut log, &mut kept);
    if let Err(failure) = &result {
        let forgotten = [system.forget_image_key(), system.forget_attestation_key()];
        if failure.console_only {
            kept = Kept::default();
        }
        let Kept { failure_mode, capsule, record } = kept;
        // The cause's own lines are the last.
        if let Some(record) = &record {
            record.say(system, &log);
        }
        if let Some(capsule) = &capsule {
            capsule.say(system, &log, failure);
        }
        log.failed(failure);
        // What cannot be forgotten is wiped by the power-off that follows, and nothing else runs before it.
        if let (Some(failure_mode), true) = (failure_mode, forgotten.iter().all(Result::is_ok)) {
            failure_mode.enter(system, &log, failure, record.as_ref());
        }
    }
    result
}

/// What tells of a failure, as far as the boot has come.
#[derive(Debug, Default)]
struct Kept {
    failure_mode: Option<FailureMode>,
    capsule: Option<Capsule>,
    record: Option<FirstRecord>,
}

fn stages<S: Initramfs>(system: &S, log: &mut Log<'_, S>, kept: &mut Kept) -> Result<(), Failure> {
    // Before any stage: its lines go to what is mounted here.
    system
        .mount_kernel_filesystems()
        .map_err(|error| Failure::machine(Stage::Preflight, Code::BootInternal, error))?;
    let unsealed =
        preflight::run(system, log)?.locate(system, log)?.parse(system, log)?.unseal(system, log)?;
    kept.failure_mode = FailureMode::of(&unsealed);
    let verified = unsealed.verify(system, log)?;
    kept.capsule = Capsule::of(&verified);
    let validated = verified.validate(system, log)?;
    kept.capsule = Capsule::of_validated(&validated);
    let attested = validated.attest(system, log)?;
    kept.record = Some(FirstRecord::of(&attested));
    attested.unlock(system, log)?.root(system, log)?.handover(system, log)
}
