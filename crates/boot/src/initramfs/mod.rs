//! The stages of the initramfs, in their order.
//!
//! Each stage is a type that consumes the one before it: a contract comes only out of `verify` and `validate`, a
//! volume opens only after `attest`, and nothing can be skipped, repeated or put in another order.

mod attest;
mod capsule;
mod carried;
mod failure_mode;
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

/// Boots. Returns only when the boot failed (or in tests, where nothing is switched to), with the failure already
/// said and the keys of the image gone. Where the log server can be told, the guest OS takes over for that (`failure_mode`)
/// and nothing returns.
///
/// # Errors
/// The first cause.
pub fn boot<S: Initramfs>(system: &S) -> Result<(), Failure> {
    let mut log = Log::new(system);
    let (mut failure_mode, mut capsule) = (None, None);
    let result = stages(system, &mut log, &mut failure_mode, &mut capsule);
    if let Err(failure) = &result {
        let forgotten = [system.forget_image_key(), system.forget_attestation_key()];
        if failure.console_only {
            (failure_mode, capsule) = (None, None);
        }
        if let Some(capsule) = &capsule {
            capsule.say(system, &log, failure);
        }
        log.failed(failure);
        // What cannot be forgotten is wiped by the power-off that follows, and nothing else runs before it.
        if let (Some(failure_mode), true) = (failure_mode, forgotten.iter().all(Result::is_ok)) {
            failure_mode.enter(system, &log, failure);
        }
    }
    result
}

fn stages<S: Initramfs>(
    system: &S,
    log: &mut Log<'_, S>,
    failure_mode: &mut Option<FailureMode>,
    capsule: &mut Option<Capsule>,
) -> Result<(), Failure> {
    // Before any stage: its lines go to what is mounted here.
    system
        .mount_kernel_filesystems()
        .map_err(|error| Failure::machine(Stage::Preflight, Code::BootInternal, error))?;
    let unsealed =
        preflight::run(system, log)?.locate(system, log)?.parse(system, log)?.unseal(system, log)?;
    *failure_mode = FailureMode::of(&unsealed);
    let verified = unsealed.verify(system, log)?;
    *capsule = Capsule::of(&verified);
    let validated = verified.validate(system, log)?;
    *capsule = Capsule::of_validated(&validated);
    validated.attest(system, log)?.unlock(system, log)?.root(system, log)?.handover(system, log)
}
