//! Facts about the disks, gathered for the plan, and about the file system of a volume that was opened.

use std::path::Path;

use countersign_contract::code::Code;
use countersign_plan::volumes::DATA_OFFSET;
use countersign_plan::volumes::content::{
    self, Content, FILE_SYSTEM_BYTES, HEAD_BYTES, TAIL_BYTES, classify,
};
use countersign_plan::volumes::facts::{DiskFacts, Facts, PartitionFacts};
use countersign_ports::error::Result;
use countersign_ports::{Disk, Initramfs, Partition};

use crate::failure::Failure;

use super::task::Task;

/// Name of the partition that comes before the container and holds no data.
const METADATA: &str = "metadata";

impl<S: Initramfs> Task<'_, S> {
    /// Refuses an opened volume whose file system is not the one that the contract names: it is neither mounted as
    /// something else nor made again.
    pub(super) fn judge_file_system(&self, mapped: &Path) -> std::result::Result<(), Failure> {
        let head =
            self.system.read(mapped, 0, FILE_SYSTEM_BYTES).map_err(self.fails_with(Code::DiskUnreadable))?;
        let found = content::file_system(&head);
        if found == Some(self.volume.file_system()) {
            return Ok(());
        }
        let found = found.map_or("none that is known", |found| found.as_str());
        let message = format!("expected the file system that the contract names, found {found}");
        Err(self.fails(Code::FileSystemOther, message))
    }
}

/// Facts about every disk of `disks`; the content of each partition, or of the disk where there is none, is read.
pub(super) fn facts<S: Initramfs>(system: &S, disks: &[Disk]) -> Result<Facts> {
    let mut facts = Facts::default();
    for disk in disks {
        facts.disks.push(disk_facts(system, disk)?);
    }
    Ok(facts)
}

fn disk_facts<S: Initramfs>(system: &S, disk: &Disk) -> Result<DiskFacts> {
    let mut partitions = Vec::with_capacity(disk.partitions.len());
    for Partition { path, name, size, .. } in &disk.partitions {
        // Nothing is decided by what this one holds, and a whole look at it is 17 MiB at every boot.
        let content = if name == METADATA { Content::Unknown } else { content(system, path, *size)? };
        partitions.push(PartitionFacts { device: path.into(), label: name.clone(), size: *size, content });
    }
    Ok(DiskFacts {
        device: disk.path.clone().into(),
        serial: disk.serial.clone(),
        size: disk.size,
        read_only: disk.read_only,
        // What a parted disk holds is said by its partitions.
        content: if partitions.is_empty() { whole_disk(system, disk)? } else { Content::Unknown },
        partitions,
    })
}

/// The content of a disk without partitions. It counts as blank only if the place where `data` would begin is blank as
/// well: what lies there would be overwritten, and after a power cut in between it would look like somebody's data.
fn whole_disk<S: Initramfs>(system: &S, disk: &Disk) -> Result<Content> {
    let content = content(system, &disk.path, disk.size)?;
    if content == Content::Blank {
        let data = system.read(&disk.path, DATA_OFFSET, HEAD_BYTES)?;
        return Ok(classify(&data, &[]));
    }
    Ok(content)
}

fn content<S: Initramfs>(system: &S, device: &Path, size: u64) -> Result<Content> {
    // A LUKS header says so in its first bytes; only what might be formatted is read in full.
    let start = system.read(device, 0, 4096)?;
    if let known @ (Content::Luks(_) | Content::Unfinished(_)) = classify(&start, &[]) {
        return Ok(known);
    }
    let head = system.read(device, 0, HEAD_BYTES)?;
    let tail = system.read(device, size.saturating_sub(TAIL_BYTES as u64), TAIL_BYTES)?;
    Ok(classify(&head, &tail))
}
