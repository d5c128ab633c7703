//! How a new container is made, and the key slot of a volume whose seeds are changed.

/// What a guess costs: parameters of argon2id (RFC 9106).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Argon2id {
    /// Memory, in KiB.
    pub memory_kib: u32,
    /// Passes over the memory.
    pub passes: u32,
    /// Lanes.
    pub lanes: u32,
}

/// As RFC 9106 section 4 recommends where memory is short (64 MiB, 4 lanes), with 4 passes instead of 3, the fewest that
/// libcryptsetup takes.
pub const ARGON2ID: Argon2id = Argon2id { memory_kib: 64 << 10, passes: 4, lanes: 4 };

/// Sector size of new containers, in bytes: that of the file systems above, so that one block is one encryption.
pub const SECTOR_BYTES: u32 = 4096;
