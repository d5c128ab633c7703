//! What the machine turned out to be: the second input of a plan.
//!
//! Facts are gathered once by the stages and handed in; nothing here looks at the machine. All of them are the
//! host's word and are used to choose and to refuse, never to trust.

use std::fmt;
use std::path::{Path, PathBuf};

use crate::volumes::content::Content;

/// Where mapped devices have their nodes.
pub const MAPPED: &str = "/dev/mapper";

/// A disk or partition by its path, `/dev/vdb` or `/dev/mapper/vdb2`; printed by its kernel name, `vdb2`.
///
/// One name from the first look at the machine to the mapping: the kernel name alone does not lead back to the path.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Device(PathBuf);

impl Device {
    /// The path.
    pub fn path(&self) -> &Path {
        &self.0
    }

    /// The partition of this disk with this number: a mapped device, called as the kernel would call it.
    pub fn partition(&self, number: u32) -> Device {
        let disk = self.to_string();
        // `vdb2`, but `nvme0n1p2`.
        let separator = if disk.ends_with(|last: char| last.is_ascii_digit()) { "p" } else { "" };
        Device(Path::new(MAPPED).join(format!("{disk}{separator}{number}")))
    }
}

impl<P: Into<PathBuf>> From<P> for Device {
    fn from(path: P) -> Device {
        Device(path.into())
    }
}

impl fmt::Display for Device {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.file_name().unwrap_or_default().to_string_lossy())
    }
}

/// Facts about the machine.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Facts {
    /// Whole disks that may hold volumes, by device. The image's own disks and the contract's are not among
    /// them.
    pub disks: Vec<DiskFacts>,
}

/// A whole disk.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DiskFacts {
    /// Where it is.
    pub device: Device,
    /// Serial number given by the host, empty where the host gives none.
    pub serial: String,
    /// Bytes.
    pub size: u64,
    /// The host attached it read-only.
    pub read_only: bool,
    /// What its first and last bytes hold, where it has no partitions.
    pub content: Content,
    /// Partitions by ascending number.
    pub partitions: Vec<PartitionFacts>,
}

/// A partition of a disk.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PartitionFacts {
    /// Where it is.
    pub device: Device,
    /// Name in the partition table.
    pub label: String,
    /// Bytes.
    pub size: u64,
    /// What its first and last bytes hold.
    pub content: Content,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_partition_is_called_as_the_kernel_would_call_it() {
        for (disk, path, name) in [
            ("/dev/vdb", "/dev/mapper/vdb2", "vdb2"),
            ("/dev/nvme0n1", "/dev/mapper/nvme0n1p2", "nvme0n1p2"),
            ("/dev/cciss/c0d0", "/dev/mapper/c0d0p2", "c0d0p2"),
        ] {
            let partition = Device::from(disk).partition(2);
            assert_eq!((partition.path(), partition.to_string().as_str()), (Path::new(path), name));
        }
    }
}
