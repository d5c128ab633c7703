//! The stages of the initramfs, in their order.
//!
//! Each stage is a type that consumes the one before it: a contract comes only out of `verify` and `validate`, a
//! volume opens only after `attest`, and nothing can be skipped, repeated or put in another order.

mod attest;
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

use countersign_system::ports::Initramfs;

use crate::failure::Failure;
use crate::log::Log;

/// Boots. Returns only when the boot failed (or in tests, where nothing is switched to), with the failure already
/// said and the image key gone.
///
/// # Errors
/// The first cause.
pub fn boot<S: Initramfs>(system: &S) -> Result<(), Failure> {
    let mut log = Log::new(system);
    let result = stages(system, &mut log);
    if let Err(failure) = &result {
        // What cannot be forgotten is wiped by the power-off that follows.
        let _ = system.forget_image_key();
        log.failed(failure);
    }
    result
}

fn stages<S: Initramfs>(system: &S, log: &mut Log<'_, S>) -> Result<(), Failure> {
    preflight::run(system, log)?
        .locate(system, log)?
        .parse(system, log)?
        .unseal(system, log)?
        .verify(system, log)?
        .validate(system, log)?
        .attest(system, log)?
        .unlock(system, log)?
        .root(system, log)?
        .handover(system, log)
}
