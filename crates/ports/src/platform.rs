//! The machine as a whole, and what the image builder put into the initramfs.

use std::path::PathBuf;

use countersign_crypto::secret::SecretBytes;

use crate::FsType;
use crate::error::Result;

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
    /// What the hypervisor says of the machine, the text of `/proc/sysinfo`.
    fn system_information(&self) -> Result<String>;
    /// Whether the Ultravisor reports this guest as a Secure Execution guest.
    fn secure_execution(&self) -> bool;
    /// Mounts the kernel's own file systems (`/proc`, `/sys`, `/dev`, `/run`).
    fn mount_kernel_filesystems(&self) -> Result<()>;
    /// Loads the kernel modules of the image's fixed list, in its order; returns how many.
    fn load_modules(&self) -> Result<usize>;
    /// Loads the kernel modules of a file system that not every guest needs; none for the others.
    fn load_filesystem(&self, filesystem: FsType) -> Result<()>;
    /// Loads the kernel modules of volumes with integrity, which not every guest has.
    fn load_integrity(&self) -> Result<()>;
    /// Names of programs that the image promises but lacks.
    fn missing_programs(&self) -> Vec<PathBuf>;
    /// Sets the kernel parameter `name`, in the dotted form of sysctl(8).
    fn set_kernel_parameter(&self, name: &str, value: &str) -> Result<()>;
    /// Has the kernel close itself against the root user (`confidentiality` of kernel_lockdown(7)). Returns its list of
    /// modes afterwards, the one in force in brackets: `none integrity [confidentiality]`.
    fn lock_down(&self) -> Result<String>;
    /// Whether the processor has a true random number generator and the kernel uses it.
    fn hardware_random(&self) -> bool;
    /// Waits until the kernel's random number generator is seeded (getrandom(2)).
    fn wait_until_seeded(&self) -> Result<()>;
    /// Sets the clock, to seconds since 1970.
    fn set_clock(&self, unix_time: i64) -> Result<()>;
    /// Sets the kernel's host name.
    fn set_hostname(&self, name: &str) -> Result<()>;
    /// Powers the machine off. Returns only where there is no machine, in tests.
    fn power_off(&self);
}

/// What the image builder sealed into the initramfs.
pub trait ImageFiles {
    /// PEM text of the image's RSA private key.
    fn image_key(&self) -> Result<SecretBytes>;
    /// `image.json`: version, root hash, serials of the image's own disks.
    fn manifest(&self) -> Result<Vec<u8>>;
    /// PEM text of the private key that signs attestation records.
    fn attestation_key(&self) -> Result<SecretBytes>;
    /// PEM text of its certificate.
    fn attestation_certificate(&self) -> Result<Vec<u8>>;
    /// The build manifest, where the image builder sealed it in.
    fn build_manifest(&self) -> Result<Option<Vec<u8>>>;
    /// The same as [`ImageFiles::forget_image_key`] for the attestation key.
    fn forget_attestation_key(&self) -> Result<()>;
    /// Removes the image key from the initramfs and overwrites its pages. A key that is gone already is no error.
    fn forget_image_key(&self) -> Result<()>;
}
