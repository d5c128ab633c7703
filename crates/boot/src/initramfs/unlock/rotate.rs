//! Changing the passphrase of a volume that is open, when the contract has `previousSeed`.
//!
//! The new header is made in guest memory and judged like any other. Why the power may fail at any byte while it is
//! written is said in [`countersign_plan::luks2::rewrite`]. Booting the same contract again changes nothing: the
//! volume opens with the new passphrase, has one key slot, and what the old slot left is zero.

use countersign_contract::code::Code;
use countersign_contract::model::Volume;
use countersign_plan::luks2::LuksVersion;
use countersign_plan::luks2::rewrite::{self, Write};
use countersign_plan::volumes::seeds::{self, Age};
use countersign_ports::Initramfs;
use countersign_ports::error::SystemError;

use crate::failure::Failure;
use crate::log::{Line, Log};
use crate::stage::Stage;

use super::open::{self, Opened};
use super::passphrases;
use super::record::Kept;
use super::{create, failed};

/// Puts the new header in place of the old one, where there is a new one, and takes away what is left of the old.
///
/// The volume's record names the new header before it is written and the old one until it is gone, so whichever the
/// power leaves is the record's.
pub(super) fn commit<S: Initramfs>(
    system: &S,
    log: &Log<'_, S>,
    volume: &Volume,
    opened: &mut Opened,
    record: &mut Kept,
    new: Option<Vec<u8>>,
) -> Result<(), Failure> {
    if let Some(header) = new {
        let size = system.size(&opened.device).map_err(|error| not_changed(volume, &error))?;
        // The data stays as it was made, 32 byte keys and all; there is one key slot again.
        let accepted = open::accept(volume, &header, &open::settled(volume), size)?;
        record.announce(system, volume, opened, accepted.digest())?;
        write(system, volume, opened, &rewrite::replacement(&header, &accepted))?;
        opened.header = header;
        opened.accepted = accepted;
        opened.age = Age::Current;
        record.settle(system, volume, opened)?;
        let code = Code::SeedsChanged;
        log.tell(&Line::of_volume(code, volume.name()));
    }
    wipe(system, volume, opened)
}

/// Whether the volume has yet to get the seeds that the contract names.
pub(super) fn due(volume: &Volume, opened: &Opened) -> bool {
    seeds::changing(volume) && (opened.age == Age::Previous || opened.accepted.slots().len() != 1)
}

/// The header that the volume shall have, in memory; none where it has it already.
pub(super) fn prepare<S: Initramfs>(
    system: &S,
    volume: &Volume,
    opened: &Opened,
) -> Result<Option<Vec<u8>>, Failure> {
    if !due(volume, opened) {
        return Ok(None);
    }
    if opened.accepted.version() == LuksVersion::Luks1 {
        let message = format!("volume {}: expected LUKS2, found LUKS1", volume.name());
        return Err(Failure::machine(Stage::Unlock, Code::SeedChangeFailed, message));
    }
    let old: Vec<u8> = opened.accepted.slots().iter().map(|slot| slot.number()).collect();
    system
        .replace_slots(
            &opened.header,
            &opened.key,
            &create::parameters(volume),
            &passphrases::current(volume)?,
            &old,
        )
        .map(Some)
        .map_err(|error| not_changed(volume, &error))
}

/// Overwrites what is left of a removed key slot.
fn wipe<S: Initramfs>(system: &S, volume: &Volume, opened: &Opened) -> Result<(), Failure> {
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
