//! Mapped devices: a look at their tables, and apart from it parts of disks and the devices of the image itself.

use std::path::{Path, PathBuf};

use crate::error::Result;

/// A look at what is mapped.
pub trait Tables {
    /// The kernel's table of a mapped device, one target a line as `dmsetup table` prints it, keys masked.
    fn table(&self, name: &str) -> Result<String>;
}

/// The image's read-only root file system (dm-verity), all of it constants of the image, none read from disk.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verity {
    /// Data blocks before the hash tree.
    pub data_blocks: u64,
    /// Bytes of data and of hash blocks.
    pub block_size: u32,
    /// Where the hash tree begins, bytes.
    pub hash_offset: u64,
    /// Salt.
    pub salt: Vec<u8>,
    /// Digest of the hash tree, by the kernel's name.
    pub algorithm: &'static str,
    /// Root hash.
    pub root_hash: Vec<u8>,
}

/// Mapped devices without a key that a party has: parts of disks, the image, the scratch space.
pub trait Mapper {
    /// Opens `length` bytes at `start` of a disk as `/dev/mapper/<name>`, both multiples of 512.
    fn open_part(&self, disk: &Path, name: &str, start: u64, length: u64) -> Result<PathBuf>;
    /// Opens `device` as `/dev/mapper/<name>` under dm-verity; the kernel panics on a corrupted block.
    fn open_verity(&self, device: &Path, name: &str, verity: &Verity) -> Result<PathBuf>;
    /// Opens `device` as `/dev/mapper/<name>`, encrypted and authenticated with fresh random keys that are kept nowhere
    /// else, over a device `<name>_dif`. A sector that was never written, or that was altered below, is a read error;
    /// the first 2 MiB are written: a program that makes a file system reads there before it writes.
    fn open_scratch(&self, device: &Path, name: &str) -> Result<PathBuf>;
    /// The same without authentication: whatever lies on the device is read as something.
    fn open_plain_scratch(&self, device: &Path, name: &str) -> Result<PathBuf>;
    /// Unmounts what is mounted at or below the folders, then closes every mapped device, volumes included. After an
    /// error, some of it is still up.
    fn take_down(&self, folders: &[&Path]) -> Result<()>;
}
