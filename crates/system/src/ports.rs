//! What the stages may ask of the machine, in the words of the boot.
//!
//! The traits decide nothing: no policy, no message code, no order. [`crate::linux`] does it on the real
//! machine; [`crate::recorder`] writes down what was asked, for tests of the order and the decisions.

use std::path::{Path, PathBuf};
use std::time::Duration;

use countersign_crypto::secret::{SecretBytes, VolumePassphrase};
use countersign_crypto::volume_key::VolumeKey;

use crate::error::Result;

/// How a line is ranked in the kernel log and journal (RFC 5424 section 6.2.1, the subset we use).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Severity {
    /// The boot ends because of it.
    Error,
    /// Worth a look; the boot goes on.
    Warning,
    /// Progress.
    Info,
}

/// Where a person or a program reads what the boot does.
pub trait Report {
    /// Writes one line to the console and to the log that is later forwarded.
    fn line(&self, severity: Severity, text: &str);
    /// Writes one line whose text is for the owner alone to the log that is later forwarded; the console, which the host
    /// reads, gets `console` instead.
    fn line_to_owner(&self, severity: Severity, text: &str, console: &str);
}

/// The machine as a whole.
pub trait Platform {
    /// Usable memory in bytes.
    fn memory_bytes(&self) -> Result<u64>;
    /// Processors that this guest has; 1 where that is not known.
    fn processors(&self) -> u64;
    /// Gives the kernel back what this process has freed.
    fn release_memory(&self);
    /// Kernel release, as `uname -r` gives it.
    fn kernel_release(&self) -> Result<String>;
    /// Whether the Ultravisor reports this guest as a Secure Execution guest.
    fn secure_execution(&self) -> bool;
    /// Mounts the kernel's own file systems (`/proc`, `/sys`, `/dev`, `/run`).
    fn mount_kernel_filesystems(&self) -> Result<()>;
    /// Loads the kernel modules of the image's fixed list, in its order; returns how many.
    fn load_modules(&self) -> Result<usize>;
    /// Loads the kernel modules of a file system that not every guest needs; none for the others.
    fn load_filesystem(&self, filesystem: Filesystem) -> Result<()>;
    /// Loads the kernel modules of volumes with integrity, which not every guest has.
    fn load_integrity(&self) -> Result<()>;
    /// Names of programs that the image promises but lacks.
    fn missing_programs(&self) -> Vec<PathBuf>;
    /// Seconds since 1970-01-01T00:00:00Z by the guest's clock, which the host can set.
    fn unix_time(&self) -> i64;
    /// Time since the kernel started; never goes back.
    fn uptime(&self) -> Duration;
    /// Sets the kernel parameter `name`, in the dotted form of sysctl(8).
    fn set_kernel_parameter(&self, name: &str, value: &str) -> Result<()>;
    /// Sets the kernel's host name.
    fn set_hostname(&self, name: &str) -> Result<()>;
    /// Powers the machine off. Returns only where there is no machine, in tests.
    fn power_off(&self);
}

/// What the image builder sealed into the initramfs.
pub trait Sealed {
    /// PEM text of the image's RSA private key.
    fn image_key(&self) -> Result<SecretBytes>;
    /// `image.json`: version, root hash, serials of the image's own disks.
    fn manifest(&self) -> Result<Vec<u8>>;
    /// Removes the image key from the initramfs and overwrites its pages. A key that is gone already is no error.
    fn forget_image_key(&self) -> Result<()>;
}

/// A partition as the kernel sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Partition {
    /// Device node, `/dev/vdb1`.
    pub path: PathBuf,
    /// One-based number in the table.
    pub number: u32,
    /// Name in the partition table, empty where there is none.
    pub name: String,
    /// Bytes.
    pub size: u64,
}

/// A whole disk as the kernel sees it. All of it is the host's word.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Disk {
    /// Device node, `/dev/vdb`.
    pub path: PathBuf,
    /// Serial number given by the host, empty where there is none.
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
    /// Writes `bytes` at `offset` and waits until the device holds them: what is written later cannot reach it
    /// earlier. They are read back; a device that gives other bytes back is an error.
    fn write_disk(&self, device: &Path, offset: u64, bytes: &[u8]) -> Result<()>;
    /// Writes `length` bytes of zeros at `offset` and waits until the device holds them.
    fn write_zeros(&self, device: &Path, offset: u64, length: u64) -> Result<()>;
    /// Writes a GPT with the two partitions of a data volume: `metadata` (bytes given), then `data` on the
    /// rest; waits until the kernel shows both.
    fn partition(&self, disk: &Disk, metadata_bytes: u64) -> Result<[Partition; 2]>;
    /// Tells the kernel that a partition, in use by nobody, now has `length` bytes; `start`, where it begins, must be
    /// what the kernel knows. The table on the disk says so already.
    fn resize_partition(&self, disk: &Disk, partition: &Path, start: u64, length: u64) -> Result<()>;
}

/// The parameters of a new LUKS2 container.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LuksParameters {
    /// LUKS label, the volume's name.
    pub label: String,
    /// Argon2id memory in KiB.
    pub memory_kib: u32,
    /// Argon2id passes.
    pub passes: u32,
    /// Argon2id lanes; the library lowers it to the number of processors.
    pub lanes: u32,
    /// Sector size of the encrypted device in bytes.
    pub sector_size: u32,
    /// Whether every sector has an authentication tag (HMAC-SHA-256, stored by dm-integrity).
    pub integrity: bool,
}

/// What the name of the dm-integrity device ends with that lies below a mapped device; libcryptsetup's choice.
pub const INTEGRITY_SUFFIX: &str = "_dif";

/// From what a volume key is derived.
#[derive(Debug, Clone, Copy)]
pub struct Derivation<'a> {
    /// The partition or disk with the container; for messages.
    pub device: &'a Path,
    /// The copy of its header in guest memory.
    pub header: &'a [u8],
    /// What is tried on its key slots.
    pub passphrase: &'a VolumePassphrase,
}

/// Why a LUKS container was not opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// No key slot opens with this passphrase.
    #[error("no key slot opens with this passphrase")]
    WrongPassphrase,
    /// Anything else.
    #[error(transparent)]
    System(#[from] crate::error::SystemError),
}

/// Whether the blocks that a file system frees are told to the host.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Discard {
    /// They stay as they are.
    Kept,
    /// The host learns which blocks are in use.
    Told,
}

/// Encrypted volumes (libcryptsetup).
pub trait Luks {
    /// Makes the header of a new LUKS2 container (aes-xts-plain64, 512-bit key, argon2id) for `device`, key slots
    /// included, in guest memory: nothing is written to `device`, but with integrity the superblock of dm-integrity
    /// where the data begins, which is at 16 MiB.
    fn format(
        &self,
        device: &Path,
        parameters: &LuksParameters,
        passphrase: &VolumePassphrase,
    ) -> Result<(Vec<u8>, VolumeKey)>;
    /// Derives volume keys, all of them side by side, in processes of their own; the answers in the same order.
    /// Nothing is mapped or written.
    fn volume_keys(&self, derivations: &[Derivation<'_>]) -> Vec<std::result::Result<VolumeKey, OpenError>>;
    /// Maps `device` as `/dev/mapper/<name>` by the header copy in `header` (guest memory), never by the one on the
    /// device; returns the mapped device.
    fn open(
        &self,
        device: &Path,
        header: &[u8],
        name: &str,
        key: &VolumeKey,
        discard: Discard,
    ) -> Result<PathBuf>;
    /// The same for a new container with integrity, past the journal: until its sectors have been written once, none of
    /// them can be read, and a journal would have all of them written twice.
    fn open_unjournalled(&self, device: &Path, header: &[u8], name: &str, key: &VolumeKey)
    -> Result<PathBuf>;
    /// A copy of `header` with one key slot more, which opens with `passphrase`, and without the slots `old`.
    /// Nothing is written to a device.
    fn replace_slots(
        &self,
        header: &[u8],
        key: &VolumeKey,
        parameters: &LuksParameters,
        passphrase: &VolumePassphrase,
        old: &[u8],
    ) -> Result<Vec<u8>>;
    /// The kernel's table of a mapped device, one target a line as `dmsetup table` prints it, keys masked.
    fn table(&self, name: &str) -> Result<String>;
    /// Takes a mapped device down, and the dm-integrity device below it where there is one.
    fn close(&self, name: &str) -> Result<()>;
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

/// Mapped devices that hold no one's data: the image and the scratch space.
pub trait Mapper {
    /// Opens `device` as `/dev/mapper/<name>` under dm-verity; the kernel panics on a corrupted block.
    fn open_verity(&self, device: &Path, name: &str, verity: &Verity) -> Result<PathBuf>;
    /// Opens `device` as `/dev/mapper/<name>` with plain dm-crypt and a fresh random key that is kept nowhere else.
    fn open_scratch(&self, device: &Path, name: &str) -> Result<PathBuf>;
    /// Unmounts what is mounted at or below the folders, then closes every mapped device, volumes included. After an
    /// error, some of it is still up.
    fn take_down(&self, folders: &[&Path]) -> Result<()>;
}

/// A file system that we make or mount.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Filesystem {
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

impl Filesystem {
    /// The kernel's name.
    pub fn name(self) -> &'static str {
        match self {
            Filesystem::Ext4 => "ext4",
            Filesystem::Xfs => "xfs",
            Filesystem::Btrfs => "btrfs",
            Filesystem::Erofs => "erofs",
            Filesystem::Tmpfs => "tmpfs",
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
    fn make(&self, filesystem: Filesystem, device: &Path, label: &str, durability: Durability) -> Result<()>;
    /// Mounts `device` at `target`, which is made if missing. `device` is ignored for tmpfs.
    fn mount(&self, filesystem: Filesystem, device: &Path, target: &Path, flags: MountFlags) -> Result<()>;
    /// Binds `source` to `target`, which is made if missing.
    fn bind(&self, source: &Path, target: &Path, flags: MountFlags) -> Result<()>;
    /// Moves a mount; `target` is made if missing.
    fn move_mount(&self, source: &Path, target: &Path) -> Result<()>;
    /// Grows the file system mounted at `target` to `bytes`, the size of its device.
    fn grow(&self, filesystem: Filesystem, target: &Path, bytes: u64) -> Result<()>;
    /// Writes an extended attribute in one piece and waits until the device holds it.
    fn set_attribute(&self, path: &Path, name: &str, value: &[u8]) -> Result<()>;
    /// Unmounts, after writing out what is cached.
    fn unmount(&self, target: &Path) -> Result<()>;
}

/// A look at what is mounted.
pub trait Mounts {
    /// The mounts that process 1 sees, in the form of the kernel's `mountinfo`.
    fn mounts(&self) -> Result<String>;
    /// An extended attribute of a file or folder, at most `limit` bytes of it; none where there is none.
    fn attribute(&self, path: &Path, name: &str, limit: usize) -> Result<Option<Vec<u8>>>;
}

/// Files of the new root and of the handover, all of them in guest memory or on encrypted scratch.
pub trait Files {
    /// Makes a directory and its parents.
    fn make_directory(&self, path: &Path, mode: u32) -> Result<()>;
    /// Writes a new file; refuses to follow a symbolic link or to replace a file.
    fn write(&self, path: &Path, mode: u32, content: &[u8]) -> Result<()>;
    /// Makes a symbolic link.
    fn symlink(&self, target: &Path, link: &Path) -> Result<()>;
    /// Makes `new_root` the root, deletes what the initramfs held, and executes `init` with `arguments`. Returns only
    /// on failure.
    fn switch_root(&self, new_root: &Path, init: &Path, arguments: &[&str]) -> Result<()>;
}

/// Everything the initramfs stages need of the machine.
pub trait Initramfs:
    Report + Platform + Sealed + Disks + Luks + Mapper + Filesystems + Mounts + Files
{
}

impl<T> Initramfs for T where
    T: Report + Platform + Sealed + Disks + Luks + Mapper + Filesystems + Mounts + Files
{
}
