//! What is done with the disk of a volume: open what is there, make what is blank, refuse the rest.
//!
//! Follows the public decision table of HPCR for contracts without a key management service, with one difference
//! (DESIGN.md section 7): what HPCR would format because it is not LUKS is formatted here only if it is blank.
//!
//! | partitions | content | action |
//! |---|---|---|
//! | none | LUKS | open the whole disk (volumes made before spring 2023) |
//! | none | blank | new volume: GPT with `metadata` and `data`, LUKS2 on `data` |
//! | none | a first format that was cut short | the same, afresh |
//! | none | anything else | refuse |
//! | `metadata`, `data` | LUKS on `data` | open `data` |
//! | `metadata`, `data` | `data` blank | LUKS2 on `data` (parted beforehand, or a first format that was cut short) |
//! | `metadata`, `data` | a first format that was cut short on `data` | the same, afresh |
//! | `metadata`, `data` | anything else on `data` | refuse |
//! | any other number | | refuse |

use std::collections::BTreeMap;

use countersign_contract::code::Code;
use countersign_contract::model::{FileSystem, Initialize, Volume};

use crate::volumes::content::{Content, Unfinished};
use crate::volumes::devices::Assignment;
use crate::volumes::facts::{Device, DiskFacts, Facts, PartitionFacts};

/// Bytes of the `metadata` partition of a new volume.
pub const METADATA_BYTES: u64 = 100 << 20;
/// Where `data` begins on a disk that is parted here, in bytes.
pub const DATA_OFFSET: u64 = (1 << 20) + METADATA_BYTES;
/// What a disk spends before the file system begins and behind its end: a partition table at either end, `metadata`,
/// a LUKS2 header.
const OVERHEAD_BYTES: u64 = DATA_OFFSET + (16 << 20) + (1 << 20);

/// The smallest disk for a new volume. `mkfs.xfs` makes nothing below 300 MiB, `mkfs.btrfs` needs 109 MiB.
pub const fn least_disk_bytes(file_system: FileSystem) -> u64 {
    match file_system {
        FileSystem::Ext4 | FileSystem::Btrfs => 256 << 20,
        FileSystem::Xfs => 448 << 20,
    }
}

/// The smallest device for a container that is made on a partition.
const fn least_container_bytes(file_system: FileSystem) -> u64 {
    least_disk_bytes(file_system) - OVERHEAD_BYTES
}

/// What is done with a disk.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Action {
    /// Open the LUKS container on this device.
    Open {
        /// The partition or disk with the container.
        device: Device,
    },
    /// Write a partition table, then make a container on `data`.
    CreateOnDisk,
    /// Make a container on this partition.
    CreateOnPartition {
        /// The partition called `data`.
        device: Device,
        /// The partition called `metadata`, where its file system is still to be made.
        metadata: Option<Device>,
    },
}

/// Why a disk is not taken. Nothing was written.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum VolumeRefusal {
    /// It holds something that is not ours.
    #[error("expected a blank disk or a LUKS volume on {device}, found {found}")]
    Occupied {
        /// The disk or partition.
        device: Device,
        /// What was found.
        found: &'static str,
    },
    /// It is blank and the contract forbids to make a volume.
    #[error("expected a volume on {device}, found a blank disk, and the contract says initialize: never")]
    Blank {
        /// The disk or partition.
        device: Device,
    },
    /// Neither none nor the two documented partitions.
    #[error("expected no partition, or metadata and data, on {device}, found {count} partitions")]
    Partitions {
        /// The disk or partition.
        device: Device,
        /// How many there are.
        count: usize,
    },
    /// Two partitions with other names.
    #[error("expected the partitions of {device} to be called metadata and data")]
    PartitionNames {
        /// The disk or partition.
        device: Device,
    },
    /// Smaller than a new volume can be.
    #[error("expected at least {least} bytes on {device} for a new volume with {file_system}, found {size}", file_system = .file_system.as_str())]
    TooSmall {
        /// The disk or partition.
        device: Device,
        /// What is to be made on it.
        file_system: FileSystem,
        /// Bytes that this takes.
        least: u64,
        /// Bytes.
        size: u64,
    },
    /// The host attached it read-only.
    #[error("expected a writable disk, {device} is read-only")]
    ReadOnly {
        /// The disk or partition.
        device: Device,
    },
}

impl VolumeRefusal {
    /// The message code.
    pub fn code(&self) -> Code {
        match self {
            VolumeRefusal::Occupied { .. } => Code::VolumeOccupied,
            VolumeRefusal::Blank { .. } => Code::VolumeBlank,
            VolumeRefusal::Partitions { .. } => Code::PartitionCount,
            VolumeRefusal::PartitionNames { .. } => Code::PartitionNames,
            VolumeRefusal::TooSmall { .. } => Code::VolumeTooSmall,
            VolumeRefusal::ReadOnly { .. } => Code::VolumeReadOnly,
        }
    }
}

/// Why a volume has no disk, or cannot have the one that carries its name.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct Unsettled {
    /// Message code.
    pub code: Code,
    /// What was expected, and what was found.
    pub message: String,
}

/// The disk of a volume, and what is done with it.
///
/// # Errors
/// [`Unsettled`], and nothing may be written then.
pub fn settle(
    volume: &Volume,
    assigned: &BTreeMap<String, Assignment>,
    facts: &Facts,
) -> Result<(Device, Action), Unsettled> {
    let unsettled = |code, message: String| Unsettled { code, message };
    let device = match assigned.get(volume.name()) {
        Some(Assignment::Found(device)) => device,
        Some(Assignment::Ambiguous(devices)) => {
            let names: Vec<String> = devices.iter().map(ToString::to_string).collect();
            let message = format!("expected one disk with its name, found {}", names.join(", "));
            return Err(unsettled(Code::VolumeAmbiguous, message));
        }
        Some(Assignment::Shared(other)) => {
            let message = format!("expected a disk of its own, {other} has the same");
            return Err(unsettled(Code::VolumeAmbiguous, message));
        }
        Some(Assignment::Missing) | None => {
            return Err(unsettled(Code::VolumeMissing, "expected a disk with its name".to_owned()));
        }
    };
    let Some(disk) = facts.disks.iter().find(|disk| disk.device == *device) else {
        return Err(unsettled(Code::VolumeMissing, "expected its disk to stay attached".to_owned()));
    };
    match decide(disk, volume.options().initialize(), volume.file_system()) {
        Ok(action) => Ok((device.clone(), action)),
        Err(refusal) => Err(unsettled(refusal.code(), refusal.to_string())),
    }
}

/// Decides about the disk of one volume.
///
/// ```
/// use countersign_contract::model::{FileSystem, Initialize};
/// use countersign_plan::volumes::content::Content;
/// use countersign_plan::volumes::facts::DiskFacts;
/// use countersign_plan::volumes::{Action, decide};
///
/// let blank = DiskFacts {
///     device: "/dev/vdb".into(),
///     serial: "data".to_owned(),
///     size: 1 << 30,
///     read_only: false,
///     content: Content::Blank,
///     partitions: Vec::new(),
/// };
/// assert_eq!(decide(&blank, Initialize::IfBlank, FileSystem::Ext4), Ok(Action::CreateOnDisk));
///
/// let foreign = DiskFacts { content: Content::Known("an XFS file system"), ..blank };
/// let refusal = decide(&foreign, Initialize::IfBlank, FileSystem::Ext4).unwrap_err();
/// assert_eq!(
///     refusal.to_string(),
///     "expected a blank disk or a LUKS volume on vdb, found an XFS file system"
/// );
/// ```
///
/// # Errors
/// [`VolumeRefusal`], and nothing may be written then.
pub fn decide(
    disk: &DiskFacts,
    initialize: Initialize,
    file_system: FileSystem,
) -> Result<Action, VolumeRefusal> {
    let room = |device: &Device, size: u64, least: u64| {
        let device = device.clone();
        if size < least { Err(VolumeRefusal::TooSmall { device, file_system, least, size }) } else { Ok(()) }
    };
    if disk.read_only {
        return Err(VolumeRefusal::ReadOnly { device: disk.device.clone() });
    }
    match disk.partitions.as_slice() {
        [] => {
            if judge(&disk.device, &disk.content, initialize)? {
                return Ok(Action::Open { device: disk.device.clone() });
            }
            room(&disk.device, disk.size, least_disk_bytes(file_system))?;
            Ok(Action::CreateOnDisk)
        }
        [metadata, data] => {
            named(disk, metadata, data)?;
            if judge(&data.device, &data.content, initialize)? {
                Ok(Action::Open { device: data.device.clone() })
            } else {
                room(&data.device, data.size, least_container_bytes(file_system))?;
                // Only a table that we made ourselves says what `metadata` holds.
                let ours = data.content == Content::Unfinished(Unfinished::Disk);
                let metadata = ours.then(|| metadata.device.clone());
                Ok(Action::CreateOnPartition { device: data.device.clone(), metadata })
            }
        }
        other => Err(VolumeRefusal::Partitions { device: disk.device.clone(), count: other.len() }),
    }
}

/// Whether there is a container to open (`true`) or room for a new one (`false`).
fn judge(device: &Device, content: &Content, initialize: Initialize) -> Result<bool, VolumeRefusal> {
    let occupied = |found| VolumeRefusal::Occupied { device: device.clone(), found };
    match content {
        Content::Luks(_) => Ok(true),
        Content::Blank | Content::Unfinished(_) if initialize == Initialize::IfBlank => Ok(false),
        Content::Blank | Content::Unfinished(_) => Err(VolumeRefusal::Blank { device: device.clone() }),
        Content::Known(found) => Err(occupied(found)),
        Content::Unknown => Err(occupied("bytes that are not zero")),
    }
}

fn named(disk: &DiskFacts, metadata: &PartitionFacts, data: &PartitionFacts) -> Result<(), VolumeRefusal> {
    if metadata.label == "metadata" && data.label == "data" {
        Ok(())
    } else {
        Err(VolumeRefusal::PartitionNames { device: disk.device.clone() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn partition(name: &str, label: &str, content: Content) -> PartitionFacts {
        PartitionFacts { device: name.into(), label: label.into(), size: 1 << 30, content }
    }

    fn disk(content: Content, partitions: Vec<PartitionFacts>) -> DiskFacts {
        DiskFacts {
            device: "vdb".into(),
            serial: String::new(),
            size: 1 << 31,
            read_only: false,
            content,
            partitions,
        }
    }

    fn parted(data: Content) -> DiskFacts {
        let partitions =
            vec![partition("vdb1", "metadata", Content::Unknown), partition("vdb2", "data", data)];
        disk(Content::Known("a GPT partition table"), partitions)
    }

    #[test]
    fn the_table_row_by_row() {
        let decide = |disk: &DiskFacts| decide(disk, Initialize::IfBlank, FileSystem::Ext4);
        assert_eq!(decide(&disk(Content::Luks(2), vec![])), Ok(Action::Open { device: "vdb".into() }));
        assert_eq!(decide(&disk(Content::Blank, vec![])), Ok(Action::CreateOnDisk));
        assert_eq!(
            decide(&disk(Content::Known("an XFS file system"), vec![])),
            Err(VolumeRefusal::Occupied { device: "vdb".into(), found: "an XFS file system" })
        );
        assert_eq!(
            decide(&disk(Content::Unknown, vec![])),
            Err(VolumeRefusal::Occupied { device: "vdb".into(), found: "bytes that are not zero" })
        );
        assert_eq!(decide(&parted(Content::Luks(2))), Ok(Action::Open { device: "vdb2".into() }));
        let device = || Device::from("vdb2");
        for blank in [Content::Blank, Content::Unfinished(Unfinished::Container)] {
            let action = Action::CreateOnPartition { device: device(), metadata: None };
            assert_eq!(decide(&parted(blank)), Ok(action));
        }
        let action = Action::CreateOnPartition { device: device(), metadata: Some("vdb1".into()) };
        assert_eq!(decide(&parted(Content::Unfinished(Unfinished::Disk))), Ok(action));
        assert_eq!(decide(&disk(Content::Unfinished(Unfinished::Disk), vec![])), Ok(Action::CreateOnDisk));
        assert_eq!(
            decide(&parted(Content::Unknown)),
            Err(VolumeRefusal::Occupied { device: "vdb2".into(), found: "bytes that are not zero" })
        );
        let one = disk(Content::Unknown, vec![partition("vdb1", "data", Content::Luks(2))]);
        assert_eq!(decide(&one), Err(VolumeRefusal::Partitions { device: "vdb".into(), count: 1 }));
    }

    #[test]
    fn two_partitions_of_other_names_are_somebody_elses() {
        let partitions =
            vec![partition("vdb1", "boot", Content::Blank), partition("vdb2", "root", Content::Blank)];
        assert_eq!(
            decide(
                &disk(Content::Known("a GPT partition table"), partitions),
                Initialize::IfBlank,
                FileSystem::Ext4
            ),
            Err(VolumeRefusal::PartitionNames { device: "vdb".into() })
        );
    }

    #[test]
    fn never_means_never() {
        assert_eq!(
            decide(&disk(Content::Blank, vec![]), Initialize::Never, FileSystem::Ext4),
            Err(VolumeRefusal::Blank { device: "vdb".into() })
        );
        assert_eq!(
            decide(&parted(Content::Blank), Initialize::Never, FileSystem::Ext4),
            Err(VolumeRefusal::Blank { device: "vdb2".into() })
        );
    }

    #[test]
    fn read_only_and_small_disks_are_refused() {
        for (file_system, least) in
            [(FileSystem::Ext4, 256 << 20), (FileSystem::Btrfs, 256 << 20), (FileSystem::Xfs, 448 << 20)]
        {
            let mut small = disk(Content::Blank, vec![]);
            small.size = least;
            assert_eq!(decide(&small, Initialize::IfBlank, file_system), Ok(Action::CreateOnDisk));
            small.size = least - 1;
            let refused = |device: &str, least, size| {
                Err(VolumeRefusal::TooSmall { device: device.into(), file_system, least, size })
            };
            let found = decide(&small, Initialize::IfBlank, file_system);
            assert_eq!(found, refused("vdb", least, least - 1));
            // The same room, parted beforehand.
            let least = least - (118 << 20);
            let mut parted = parted(Content::Blank);
            parted.partitions[1].size = least - 1;
            let found = decide(&parted, Initialize::IfBlank, file_system);
            assert_eq!(found, refused("vdb2", least, least - 1));
            parted.partitions[1].size = least;
            assert!(decide(&parted, Initialize::IfBlank, file_system).is_ok());
        }
        let mut locked = disk(Content::Luks(2), vec![]);
        locked.read_only = true;
        assert_eq!(
            decide(&locked, Initialize::IfBlank, FileSystem::Ext4),
            Err(VolumeRefusal::ReadOnly { device: "vdb".into() })
        );
    }
}
