//! Growing a volume whose disk became larger: the partition `data`, the mapping, the file system.
//!
//! Why the power may fail at any byte of the partition table is said in
//! [`countersign_plan::volumes::partition_table`]; a file system grows in its own journal. Each step looks at what is
//! there, so the next boot goes on where one was cut. The container itself has no size: its data reaches to the end of
//! the partition or disk. A volume with integrity does not grow: dm-integrity lays its tags out for the size that it
//! was made with.

use std::fmt::Display;
use std::io::ErrorKind;
use std::path::Path;

use countersign_contract::code::Code;
use countersign_contract::model::Volume;
use countersign_plan::luks2::Integrity;
use countersign_plan::volumes::file_system::{SUPERBLOCK_BYTES, grows};
use countersign_plan::volumes::partition_table::{self, Growth, HEAD_BYTES, Last, WORTH_BYTES};
use countersign_ports::error::SystemError;
use countersign_ports::{Disk, Initramfs};

use crate::failure::Failure;
use crate::log::{Line, Log};

use super::open::{self, Opened};
use super::{failed, filesystem, mapper_name, mount};

/// Grows what a mounted volume lies in, then its file system. The volume is mounted at `staged` again afterwards.
pub(super) fn grow<S: Initramfs>(
    system: &S,
    log: &mut Log<'_, S>,
    volume: &Volume,
    disk: &Disk,
    opened: &mut Opened,
    staged: &Path,
) -> Result<(), Failure> {
    if opened.accepted.integrity() != Integrity::Absent {
        if has_room(disk) {
            not_grown(
                log,
                volume,
                &"expected a volume without integrity: tags are laid out for the size it was made with",
            );
        }
        return Ok(());
    }
    if let Some(growth) = partition(system, log, volume, disk)? {
        let not_grown = |error: SystemError| failed(volume, Code::PartitionNotResized, &error);
        system.unmount(staged).map_err(not_grown)?;
        system.close(&mapper_name(volume)).map_err(not_grown)?;
        for write in &growth.writes {
            system.write_disk(&disk.path, write.offset, &write.bytes).map_err(not_grown)?;
        }
        system.resize_partition(disk, &opened.device, growth.start, growth.length).map_err(not_grown)?;
        open::map_again(system, volume, opened)?;
        mount(system, volume, opened, staged)?;
    }
    if due(system, volume, opened)? {
        let not_extended = |error: SystemError| failed(volume, Code::FileSystemNotExtended, &error);
        let size = system.size(&opened.mapped).map_err(not_extended)?;
        match system.grow(filesystem(volume), staged, size) {
            Ok(()) => {
                let code = Code::VolumeGrown;
                log.tell(&Line::of_volume(code, volume.name()));
            }
            // ext4's word for a file system that it once found an error in, a write that failed say. It is as usable as
            // it was.
            Err(error) if error.kind() == ErrorKind::PermissionDenied => not_grown(log, volume, &error),
            Err(error) => return Err(not_extended(error)),
        }
    }
    Ok(())
}

/// Whether the file system is smaller than what it lies on.
fn due<S: Initramfs>(system: &S, volume: &Volume, opened: &Opened) -> Result<bool, Failure> {
    let unreadable = |error: SystemError| failed(volume, Code::DiskUnreadable, &error);
    let head = system.read(&opened.mapped, 0, SUPERBLOCK_BYTES).map_err(unreadable)?;
    let size = system.size(&opened.mapped).map_err(unreadable)?;
    Ok(grows(volume.file_system(), &head, size))
}

/// How the partition grows; a table that is not plainly a volume's is left as it is, with a warning.
fn partition<S: Initramfs>(
    system: &S,
    log: &mut Log<'_, S>,
    volume: &Volume,
    disk: &Disk,
) -> Result<Option<Growth>, Failure> {
    let Some(last) = disk.partitions.last() else {
        return Ok(None);
    };
    if !has_room(disk) {
        return Ok(None);
    }
    let head = system
        .read(&disk.path, 0, HEAD_BYTES)
        .map_err(|error| failed(volume, Code::DiskUnreadable, &error))?;
    let last = Last { number: last.number, name: &last.name, size: last.size };
    partition_table::grow(&head, disk.size, last).or_else(|fault| {
        not_grown(log, volume, &fault);
        Ok(None)
    })
}

/// Whether a parted disk has become larger.
fn has_room(disk: &Disk) -> bool {
    // What is before the first partition and behind the last one takes less than two MiB.
    let used: u64 = disk.partitions.iter().map(|partition| partition.size).sum();
    !disk.partitions.is_empty() && disk.size.saturating_sub(used) >= WORTH_BYTES
}

fn not_grown<S: Initramfs>(log: &mut Log<'_, S>, volume: &Volume, reason: &dyn Display) {
    let (code, name) = (Code::VolumeNotGrown, volume.name());
    log.warn(Line::of_volume(code, name).and(reason));
}
