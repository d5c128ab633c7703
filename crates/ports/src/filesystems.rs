//! File systems and mounts: a look at them, and apart from it what changes them.

use std::path::Path;

use crate::error::Result;

/// A file system that we make or mount.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FsType {
    /// ext4.
    Ext4,
    /// xfs.
    Xfs,
    /// btrfs.
    Btrfs,
    /// erofs, read-only.
    Erofs,
    /// In memory.
    Tmpfs,
}

impl FsType {
    /// The kernel's name.
    pub fn name(self) -> &'static str {
        match self {
            FsType::Ext4 => "ext4",
            FsType::Xfs => "xfs",
            FsType::Btrfs => "btrfs",
            FsType::Erofs => "erofs",
            FsType::Tmpfs => "tmpfs",
        }
    }
}

/// Flags of a mount. `nosuid` and `nodev` are what a data volume gets; the root of the guest gets neither.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct MountFlags {
    /// Read-only.
    pub read_only: bool,
    /// Set-user-id bits have no effect.
    pub nosuid: bool,
    /// Device nodes have no effect.
    pub nodev: bool,
    /// Nothing can be executed.
    pub noexec: bool,
    /// No access times; without it, those that Linux keeps by default (`relatime`).
    pub noatime: bool,
    /// Every write waits for the disk.
    pub synchronous: bool,
    /// The file system tells the device below which blocks it frees.
    pub discard: bool,
}

/// What a new file system is for; decides how much of it is prepared in advance.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Durability {
    /// Outlives the boot: journal, checksums.
    Persistent,
    /// Thrown away at power-off: no journal.
    Scratch,
}

/// File systems and mounts.
pub trait Filesystems {
    /// Makes a file system with a label.
    fn make(&self, filesystem: FsType, device: &Path, label: &str, durability: Durability) -> Result<()>;
    /// Mounts `device` at `target`, which is made if missing. `device` is ignored for tmpfs.
    fn mount(&self, filesystem: FsType, device: &Path, target: &Path, flags: MountFlags) -> Result<()>;
    /// Binds `source` to `target`, which is made if missing.
    fn bind(&self, source: &Path, target: &Path, flags: MountFlags) -> Result<()>;
    /// Moves a mount; `target` is made if missing.
    fn move_mount(&self, source: &Path, target: &Path) -> Result<()>;
    /// Grows the file system mounted at `target` to `bytes`, the size of its device.
    fn grow(&self, filesystem: FsType, target: &Path, bytes: u64) -> Result<()>;
    /// Writes an extended attribute in one piece and waits until the device holds it.
    fn set_attribute(&self, path: &Path, name: &str, value: &[u8]) -> Result<()>;
    /// Unmounts, after writing out what is cached.
    fn unmount(&self, target: &Path) -> Result<()>;
}

/// A look at what is mounted.
pub trait Mounts {
    /// The mounts that process 1 sees, in the form of the kernel's `mountinfo`.
    fn mounts(&self) -> Result<String>;
    /// An extended attribute of a file or folder, at most `limit` bytes of it; `None` where it has no such attribute.
    fn attribute(&self, path: &Path, name: &str, limit: usize) -> Result<Option<Vec<u8>>>;
}
