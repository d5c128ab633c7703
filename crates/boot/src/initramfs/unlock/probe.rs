//! The disks' partition tables, facts about the disks, gathered for the plan, and the file system of an opened volume.

use std::path::Path;

use countersign_contract::code::Code;
use countersign_plan::volumes::DATA_OFFSET;
use countersign_plan::volumes::content::{
    self, Content, FILE_SYSTEM_BYTES, HEAD_BYTES, PARTITION_TABLE, TAIL_BYTES, classify,
};
use countersign_plan::volumes::facts::{Device, DiskFacts, PartitionFacts};
use countersign_plan::volumes::partition_table::{self, Partition, TableFault};
use countersign_ports::error::Result;
use countersign_ports::{Disk, Initramfs};

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

/// A disk with the partitions of its table, none where it has no table that can be used.
#[derive(Debug, Clone)]
pub(super) struct Parted {
    pub(super) disk: Disk,
    pub(super) partitions: Vec<Partition>,
    /// Why the table was not used.
    fault: Option<TableFault>,
}

impl Parted {
    /// Reads the table.
    pub(super) fn read<S: Initramfs>(system: &S, disk: Disk) -> Result<Parted> {
        let head = system.read(&disk.path, 0, partition_table::HEAD_BYTES)?;
        let (partitions, fault) = match partition_table::read(&head, disk.size) {
            Ok(partitions) => (partitions, None),
            Err(fault) => (Vec::new(), Some(fault)),
        };
        Ok(Parted { disk, partitions, fault })
    }

    /// Facts about the disk; the content of each partition, or of the disk where there is none, is read.
    pub(super) fn facts<S: Initramfs>(&self, system: &S) -> Result<DiskFacts> {
        let Parted { disk, partitions, fault } = self;
        let mut facts = Vec::with_capacity(partitions.len());
        for (device, Partition { name, start, size, .. }) in self.devices().into_iter().zip(partitions) {
            // Nothing is decided by what this one holds, and a whole look at it is 17 MiB at every boot.
            let content = match name.as_str() {
                METADATA => Content::Unknown,
                _ => content(system, &disk.path, *start, *size)?,
            };
            facts.push(PartitionFacts { device, label: name.clone(), size: *size, content });
        }
        // What a parted disk holds is said by its partitions.
        let whole = if facts.is_empty() { whole_disk(system, disk)? } else { Content::Unknown };
        let content = match (whole, fault) {
            (Content::Known(PARTITION_TABLE), Some(fault)) => Content::Known(fault.found()),
            (whole, _) => whole,
        };
        Ok(DiskFacts {
            device: Device::from(&disk.path),
            serial: disk.serial.clone(),
            size: disk.size,
            read_only: disk.read_only,
            content,
            partitions: facts,
        })
    }

    /// The devices of the partitions, by number.
    pub(super) fn devices(&self) -> Vec<Device> {
        let disk = Device::from(&self.disk.path);
        self.partitions.iter().map(|partition| disk.partition(partition.number)).collect()
    }

    /// The partition of this device, if it is one.
    pub(super) fn partition(&self, device: &Device) -> Option<&Partition> {
        let index = self.devices().iter().position(|own| own == device)?;
        self.partitions.get(index)
    }
}

/// The content of a disk without partitions. It counts as blank only if the place where `data` would begin is blank as
/// well: what lies there would be overwritten, and after a power cut in between it would look like somebody's data.
fn whole_disk<S: Initramfs>(system: &S, disk: &Disk) -> Result<Content> {
    let content = content(system, &disk.path, 0, disk.size)?;
    if content == Content::Blank {
        let data = system.read(&disk.path, DATA_OFFSET, HEAD_BYTES)?;
        return Ok(classify(&data, &[]));
    }
    Ok(content)
}

/// The content of `size` bytes at `start`.
fn content<S: Initramfs>(system: &S, disk: &Path, start: u64, size: u64) -> Result<Content> {
    let read = |offset: u64, length: usize| {
        let rest = usize::try_from(size.saturating_sub(offset)).unwrap_or(usize::MAX);
        system.read(disk, start + offset, length.min(rest))
    };
    // A LUKS header says so in its first bytes; only what might be formatted is read in full.
    if let known @ (Content::Luks(_) | Content::Unfinished(_)) = classify(&read(0, 4096)?, &[]) {
        return Ok(known);
    }
    let head = read(0, HEAD_BYTES)?;
    let tail = read(size.saturating_sub(TAIL_BYTES as u64), TAIL_BYTES)?;
    Ok(classify(&head, &tail))
}
