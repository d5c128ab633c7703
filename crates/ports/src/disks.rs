//! Block devices: a look at them, and apart from it what changes them.

use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::error::Result;

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
    /// Writes a GPT with the two partitions of a data volume: `metadata` (bytes given), then `data` on the rest. The
    /// kernel is not told.
    fn partition(&self, disk: &Disk, metadata_bytes: u64) -> Result<()>;
    /// Takes away the partitions that the kernel found on all disks by itself, and their nodes. One that is in use is an
    /// error; a disk that went away is skipped.
    fn remove_partition_nodes(&self) -> Result<()>;
    /// Takes the driver of a whole disk away: it has no node any more, and nobody reads or writes it.
    fn release_disk(&self, disk: &Path) -> Result<()>;
}
