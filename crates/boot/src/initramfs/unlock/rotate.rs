//! Changing the passphrase of a volume that is open, when the contract has `previousSeed`.
//!
//! The new header is made in guest memory and judged like any other. Why the power may fail at any byte while it is
//! written is said in [`countersign_plan::luks2::rewrite`]. Booting the same contract again changes nothing: the
//! volume opens with the new passphrase, has one key slot, and what the old slot left is zero.

use countersign_contract::code::Code;
use countersign_contract::model::Volume;
use countersign_plan::luks2::rewrite::{self, Write};
use countersign_plan::luks2::{LuksVersion, Profile};
use countersign_system::error::SystemError;
use countersign_system::ports::Initramfs;

use crate::failure::Failure;
use crate::log::Log;
use crate::stage::Stage;

use super::open::{self, Opened};
use super::seeds::{self, Age};
use super::{create, failed};

/// A header that is ready to be written.
pub(super) struct Prepared {
    header: Vec<u8>,
    pub(super) accepted: countersign_plan::luks2::Accepted,
}

/// The header that the volume shall have; none where it has it already.
pub(super) fn prepare<S: Initramfs>(
    system: &S,
    volume: &Volume,
    opened: &Opened,
) -> Result<Option<Prepared>, Failure> {
    let one_slot = opened.accepted.slots().len() == 1;
    if !seeds::changing(volume) || opened.age == Age::Current && one_slot {
        return Ok(None);
    }
    if opened.accepted.version() == LuksVersion::Luks1 {
        let message = format!("volume {}: expected LUKS2, found LUKS1", volume.name());
        return Err(Failure::machine(Stage::Unlock, Code::SeedChangeFailed, message));
    }
    let old: Vec<u8> = opened.accepted.slots().iter().map(|slot| slot.number()).collect();
    let size = system.size(&opened.device).map_err(|error| not_changed(volume, &error))?;
    let header = system
        .replace_slots(
            &opened.header,
            &opened.key,
            &create::parameters(volume),
            &seeds::current(volume)?,
            &old,
        )
        .map_err(|error| not_changed(volume, &error))?;
    // The data stays as it was made, 32 byte keys and all; there is one key slot again.
    let accepted = open::accept(volume, &header, &Profile::compatible(), size)?;
    Ok(Some(Prepared { header, accepted }))
}

/// Writes the new header in place of the old one.
pub(super) fn commit<S: Initramfs>(
    system: &S,
    log: &Log<'_, S>,
    volume: &Volume,
    opened: &mut Opened,
    new: Prepared,
) -> Result<(), Failure> {
    let Prepared { header, accepted } = new;
    write(system, volume, opened, &rewrite::replacement(&header, &accepted))?;
    opened.header = header;
    opened.accepted = accepted;
    opened.age = Age::Current;
    let code = Code::SeedsChanged;
    log.say(&format!("{code}: volume {}: {}", volume.name(), code.text()));
    Ok(())
}

/// Overwrites what is left of a removed key slot.
pub(super) fn wipe<S: Initramfs>(system: &S, volume: &Volume, opened: &Opened) -> Result<(), Failure> {
    if !seeds::changing(volume) || opened.accepted.version() == LuksVersion::Luks1 {
        return Ok(());
    }
    // At most `luks2::HEADER_LIMIT`.
    let length = usize::try_from(opened.accepted.header_len()).unwrap_or(usize::MAX);
    let bytes = system
        .read(&opened.device, 0, length)
        .map_err(|error| failed(volume, Code::DiskUnreadable, &error))?;
    write(system, volume, opened, &rewrite::wipe(&bytes, &opened.accepted))
}

fn write<S: Initramfs>(
    system: &S,
    volume: &Volume,
    opened: &Opened,
    writes: &[Write],
) -> Result<(), Failure> {
    writes.iter().try_for_each(|write| {
        system
            .write_disk(&opened.device, write.offset, &write.bytes)
            .map_err(|error| not_changed(volume, &error))
    })
}

fn not_changed(volume: &Volume, error: &SystemError) -> Failure {
    failed(volume, Code::SeedChangeFailed, error)
}
