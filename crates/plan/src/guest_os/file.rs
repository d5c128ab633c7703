//! A file that the plan asks for: rendered here, written by the boot.

use countersign_crypto::secret::SecretBytes;

/// A file for the guest, in memory-backed `/run` or on encrypted scratch.
#[derive(Debug)]
pub struct File {
    /// Absolute path in the guest.
    pub path: String,
    /// Permission bits. Whatever holds a secret is 0600.
    pub mode: u32,
    /// Content, wiped once it is written.
    pub content: SecretBytes,
}
