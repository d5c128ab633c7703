//! Block devices: a look at them, and apart from it what changes them.

use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::error::Result;

/// A partition as the kernel sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Partition {
    /// Device node, `/dev/vdb1`.
    pub path: PathBuf,
    /// One-based number in the table.
    pub number: u32,
    /// Name in the partition table, empty where the table has no name.
    pub name: String,
    /// Bytes.
    pub size: u64,
}

/// A whole disk as the kernel sees it. All of it is the host's word.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Disk {
    /// Device node, `/dev/vdb`.
    pub path: PathBuf,
    /// Serial number given by the host, empty where the host gives none.
    pub serial: String,
    /// Bytes.
    pub size: u64,
    /// The host attached it read-only.
    pub read_only: bool,
    /// Partitions by ascending number.
    pub partitions: Vec<Partition>,
}

/// Block devices.
pub trait Disks {
    /// All whole disks, by device name; no loop, ram or mapped devices.
    fn disks(&self) -> Result<Vec<Disk>>;
    /// Waits until the kernel announces a block device or `timeout` has passed; whether one was announced.
    fn wait_for_disk(&self, timeout: Duration) -> Result<bool>;
    /// Bytes of a disk, partition or mapped device.
    fn size(&self, device: &Path) -> Result<u64>;
    /// The device's number as `major:minor`.
    fn number(&self, device: &Path) -> Result<String>;
    /// Reads exactly `length` bytes at `offset`, fewer only at the end of the device.
    fn read(&self, device: &Path, offset: u64, length: usize) -> Result<Vec<u8>>;
}

/// Changes of block devices.
pub trait DiskWrites {
    /// Writes `bytes` at `offset` and waits until the device holds them: what is written later cannot reach it
    /// earlier. They are read back; a device that gives other bytes back is an error.
    fn write_disk(&self, device: &Path, offset: u64, bytes: &[u8]) -> Result<()>;
    /// Writes `length` bytes of zeros at `offset` and waits until the device holds them.
    fn write_zeros(&self, device: &Path, offset: u64, length: u64) -> Result<()>;
    /// Writes a GPT with the two partitions of a data volume: `metadata` (bytes given), then `data` on the
    /// rest; waits until the kernel shows both.
    fn partition(&self, disk: &Disk, metadata_bytes: u64) -> Result<[Partition; 2]>;
    /// Takes the driver of a whole disk away: it has no node any more, and nobody reads or writes it.
    fn release_disk(&self, disk: &Path) -> Result<()>;
    /// Tells the kernel that a partition, in use by nobody, now has `length` bytes; `start`, where it begins, must be
    /// what the kernel knows. The table on the disk says so already.
    fn resize_partition(&self, disk: &Disk, partition: &Path, start: u64, length: u64) -> Result<()>;
}
