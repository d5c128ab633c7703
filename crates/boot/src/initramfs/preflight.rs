//! Stage `preflight`: is this the machine that the image expects? And its kernel is closed ([`super::kernel`]) and has
//! what keys are made of.

use countersign_contract::code::Code;
use countersign_plan::guest_os::image::{Attestation, ImageManifest, Protection, SecureExecution, Unsigned};
use countersign_plan::trust::time_floor::{self, Known};
use countersign_ports::Initramfs;

use crate::failure::Failure;
use crate::line::Line;
use crate::log::{Log, Summary};
use crate::stage::Stage;

use super::kernel;

/// Least memory: Argon2id takes 64 MiB, the engine and a small workload the rest. HPCR asks for 4 GiB; a guest
/// that is smaller fails later and less clearly.
const LEAST_MEMORY_BYTES: u64 = 1 << 30;

/// A machine that passed.
#[derive(Debug)]
pub(super) struct Ready {
    pub(super) manifest: ImageManifest,
}

/// Runs the stage.
///
/// # Errors
/// `HPL11003E` for too little memory, `HPL11103E` for an image that lacks a part or a kernel that does not close,
/// `HPL11116E` on a machine without Secure Execution for an image that requires it,
/// `HPL11114E` for a Secure Execution guest whose processor has no random number generator, `HPL11000E` where the clock
/// cannot be set or the kernel does not say that it is seeded.
pub(super) fn run<S: Initramfs>(system: &S, log: &mut Log<'_, S>) -> Result<Ready, Failure> {
    log.stage(Stage::Preflight, |log| {
        let incomplete = |message: String| Failure::machine(Stage::Preflight, Code::ImageIncomplete, message);
        kernel::close(system).map_err(|error| incomplete(error.to_string()))?;
        let manifest = system.manifest().map_err(|error| incomplete(error.to_string()))?;
        let manifest = ImageManifest::parse(&manifest).map_err(|error| {
            incomplete(format!("expected a manifest image.json of this version: {error}"))
        })?;
        judge_clock(system, log, &manifest)?;
        let missing = system.missing_programs();
        if !missing.is_empty() {
            let names: Vec<String> = missing.iter().map(|path| path.display().to_string()).collect();
            return Err(incomplete(format!(
                "expected these programs in the initramfs: {}",
                names.join(", ")
            )));
        }
        let memory = system.memory_bytes().map_err(|error| incomplete(error.to_string()))?;
        if memory < LEAST_MEMORY_BYTES {
            let message = format!(
                "expected at least {} MiB of memory, found {}",
                LEAST_MEMORY_BYTES >> 20,
                memory >> 20
            );
            return Err(Failure::machine(Stage::Preflight, Code::InsufficientMemory, message));
        }
        let modules = system.load_modules().map_err(|error| incomplete(error.to_string()))?;
        kernel::lock_down(system).map_err(|error| incomplete(error.to_string()))?;
        let kernel = system.kernel_release().map_err(|error| incomplete(error.to_string()))?;
        let secure = system.secure_execution();
        let test = manifest.secure_execution == SecureExecution::Test;
        if !secure {
            // The kernel asks the machine below, so this is the host's word: it keeps an image from being started by mistake
            // where its memory can be read. Against a host that lies, the key is inside the sealed image alone.
            if !test {
                let message = "expected a Secure Execution guest, found none".to_owned();
                return Err(Failure::machine(Stage::Preflight, Code::SecureExecutionRequired, message));
            }
            log.warn(Line::of(Code::NotSecureExecution));
        }
        if test {
            log.warn(Line::of(Code::SecureExecutionTest));
        }
        randomness(system, log, secure)?;
        let accepts = manifest.unsigned == Unsigned::Accept;
        if accepts {
            log.warn(Line::of(Code::UnsignedAccepted));
        }
        if manifest.attestation == Attestation::None {
            log.warn(Line::of(Code::RecordUnsigned));
        }
        if manifest.scratch.protection == Protection::Plain {
            log.warn(Line::of(Code::ScratchPlain));
        }
        let summary = Summary::new()
            .with("version", &manifest.version)
            .with("kernel", kernel)
            .with("memory_mib", memory >> 20)
            .with("modules", modules)
            .with("secure_execution", if secure { "yes" } else { "no" });
        let summary = if accepts { summary.with("unsigned", manifest.unsigned.as_str()) } else { summary };
        Ok((Ready { manifest }, summary))
    })
}

/// A clock that is behind the image's build date is not believed: the guest goes on from that date.
fn judge_clock<S: Initramfs>(
    system: &S,
    log: &mut Log<'_, S>,
    manifest: &ImageManifest,
) -> Result<(), Failure> {
    let clock = system.unix_time();
    let Some(built) = manifest.built.filter(|built| clock < *built) else { return Ok(()) };
    if let Some((code, text)) = time_floor::warning(clock, built, Known::Image) {
        log.warn(Line::with(code, text));
    }
    system.set_clock(built).map_err(|error| Failure::machine(Stage::Preflight, Code::BootInternal, error))
}

/// Nothing is made from random numbers before this: no key, no salt, no connection. What the kernel gathers by itself may
/// be in the host's hands; a processor that has a generator is asked by the kernel, and a Secure Execution guest has one.
fn randomness<S: Initramfs>(system: &S, log: &mut Log<'_, S>, secure: bool) -> Result<(), Failure> {
    let failed = |code, message: String| Failure::machine(Stage::Preflight, code, message);
    if !system.hardware_random() {
        if secure {
            let message = "expected the kernel's device trng, which the module s390-trng makes".to_owned();
            return Err(failed(Code::HardwareRandomMissing, message));
        }
        log.warn(Line::of(Code::NoHardwareRandom));
    }
    system.wait_until_seeded().map_err(|error| failed(Code::BootInternal, error.to_string()))
}
