//! What the machine turned out to be: the second input of a plan.
//!
//! Facts are gathered once by the stages and handed in; nothing here looks at the machine. All of them are the
//! host's word and are used to choose and to refuse, never to trust.

use crate::volumes::content::Content;

/// Facts about the machine.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Facts {
    /// Whole disks that may hold volumes, by device name. The image's own disks and the contract's are not among
    /// them.
    pub disks: Vec<DiskFacts>,
}

/// A whole disk.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DiskFacts {
    /// Kernel name, `vdb`.
    pub name: String,
    /// Serial number given by the host, empty where there is none.
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
    /// Kernel name, `vdb2`.
    pub name: String,
    /// Name in the partition table.
    pub label: String,
    /// Bytes.
    pub size: u64,
    /// What its first and last bytes hold.
    pub content: Content,
}
