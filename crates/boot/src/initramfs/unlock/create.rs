//! Making a volume on a blank device.
//!
//! A mark that says so stands in the first block of the disk or partition while a volume is being made on it. The
//! header is made in guest memory, the file system with its record behind it, and the header reaches the disk last,
//! its first block in place of the mark. A volume with integrity is filled with zeros in between ([`super::fill`]). A
//! power cut before that leaves the mark, and the next boot begins afresh; the
//! workload has had nothing in its hands yet.

use std::path::{Path, PathBuf};

use countersign_contract::code::Code;
use countersign_contract::model::Volume;
use countersign_plan::luks2::rewrite::{self, Write};
use countersign_plan::luks2::{Integrity, Profile};
use countersign_plan::volumes::content::Unfinished;
use countersign_plan::volumes::seeds::Age;
use countersign_plan::volumes::{DATA_OFFSET, METADATA_BYTES};
use countersign_ports::{Disk, Durability, FsType, Initramfs, LuksParameters};

use crate::failure::Failure;
use crate::log::Log;

use super::open::{self, Opened};
use super::passphrases;
use super::record::{self, Kept};
use super::{failed, filesystem, fill, mount};

/// Argon2id as RFC 9106 section 4 recommends where memory is short (64 MiB, 4 lanes), with 4 passes instead of 3, the
/// fewest that libcryptsetup takes.
const ARGON2ID: (u32, u32, u32) = (64 << 10, 4, 4);
/// Sector size of new containers: that of the file systems above, so that one block is one encryption.
const SECTOR_BYTES: u32 = 4096;

/// How a key slot of ours is made.
pub(super) fn parameters(volume: &Volume) -> LuksParameters {
    let (memory_kib, passes, lanes) = ARGON2ID;
    // The header is readable to the host, which knows the name; the label of the contract stays inside.
    LuksParameters {
        label: volume.name().to_owned(),
        memory_kib,
        passes,
        lanes,
        sector_size: SECTOR_BYTES,
        integrity: volume.options().integrity(),
    }
}

/// Parts a blank disk; returns the partition for the container.
pub(super) fn part<S: Initramfs>(system: &S, volume: &Volume, disk: &Disk) -> Result<PathBuf, Failure> {
    let failed = |error| failed(volume, Code::PartitioningFailed, &error);
    // The kernel shows no partition before the table's last write, which replaces the first of these marks; by then
    // the second stands where `data` begins.
    for offset in [0, DATA_OFFSET] {
        let mark = rewrite::unfinished(Unfinished::Disk, offset);
        system.write_disk(&disk.path, mark.offset, &mark.bytes).map_err(failed)?;
    }
    let [metadata, data] = system.partition(disk, METADATA_BYTES).map_err(failed)?;
    make_metadata(system, volume, &metadata.path)?;
    Ok(data.path)
}

/// Makes the file system of the partition `metadata`.
pub(super) fn make_metadata<S: Initramfs>(system: &S, volume: &Volume, device: &Path) -> Result<(), Failure> {
    system
        .make(FsType::Ext4, device, "metadata", Durability::Persistent)
        .map_err(|error| failed(volume, Code::PartitioningFailed, &error))
}

/// Makes a container, its file system and its record, and mounts it at `staged`; the header is written last.
pub(super) fn create<S: Initramfs>(
    system: &S,
    log: &Log<'_, S>,
    volume: &Volume,
    device: &Path,
    staged: &Path,
    now: i64,
) -> Result<(Opened, Option<Kept>), Failure> {
    let not_made = |error| failed(volume, Code::LuksFormatFailed, &error);
    let write = |write: &Write| system.write_disk(device, write.offset, &write.bytes).map_err(not_made);
    write(&rewrite::unfinished(Unfinished::Container, 0))?;
    let parameters = parameters(volume);
    let passphrase = passphrases::current(volume)?;
    let (header, key) = system.format(device, &parameters, &passphrase).map_err(not_made)?;
    drop(passphrase);
    let size = system.size(device).map_err(not_made)?;
    let accepted = open::accept(volume, &header, &open::as_asked(volume, Profile::countersign()), size)?;
    if accepted.integrity() != Integrity::Absent {
        fill::fill(system, log, volume, device, &header, &key)?;
    }
    let mapped = open::map(system, volume, device, &header, &accepted, &key)?;
    let label = volume.options().label().unwrap_or(volume.name());
    system
        .make(filesystem(volume), &mapped, label, Durability::Persistent)
        .map_err(|error| failed(volume, Code::CreateFileSystemFailed, &error))?;
    let opened =
        Opened { device: device.to_owned(), mapped, header, accepted, key, age: Age::Current, repair: None };
    mount(system, volume, &opened, staged)?;
    let record = record::make(system, volume, &opened, staged, now)?;
    rewrite::first(&opened.header).iter().try_for_each(write)?;
    Ok((opened, record))
}
