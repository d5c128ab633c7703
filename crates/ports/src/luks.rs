//! Encrypted volumes.

use std::path::{Path, PathBuf};

use countersign_crypto::secret::VolumePassphrase;
use countersign_crypto::volume_key::VolumeKey;

use crate::error::{Result, SystemError};

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
    System(#[from] SystemError),
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
    /// Takes a mapped device down, and the dm-integrity device below it where there is one.
    fn close(&self, name: &str) -> Result<()>;
}
