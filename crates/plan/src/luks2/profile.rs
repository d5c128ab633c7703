//! What a volume's LUKS header must say before it is opened.
//!
//! Two profiles: [`Profile::countersign`] for volumes made here, [`Profile::compatible`] for
//! volumes that HPCR or a person with cryptsetup made. Neither has an option to weaken it; the
//! methods narrow a profile or name the one wider state that seed rotation passes through.
//!
//! Costs are bounded below, so that a forged header cannot make guessing the seeds cheap, and
//! above, so that it cannot stall the boot. HPCR's own parameters are not public; the compatible
//! bounds hold everything that cryptsetup picks by its own benchmark.

/// Bytes of a key of the data cipher or of a key slot's cipher.
pub(super) type KeySizes = &'static [u64];
/// Lowest and highest accepted value.
pub(super) type Bounds = (u64, u64);

const MIB_IN_KIB: u64 = 1024;

/// How the data segment is protected against change.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Integrity {
    /// Encryption only: the segment has no `integrity` member.
    Absent,
    /// Every sector has an authentication tag, HMAC-SHA-256, which dm-integrity stores.
    HmacSha256,
}

/// Accepted costs of argon2id.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Argon2idBounds {
    pub(super) memory_kib: Bounds,
    pub(super) time: Bounds,
    pub(super) cpus: Bounds,
    /// Passes times memory in KiB.
    pub(super) cost: Bounds,
}

/// What [`super::judge`] accepts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Profile {
    pub(super) two_keyslots: bool,
    /// Of the volume key.
    pub(super) key_sizes: KeySizes,
    /// Of the key that a key slot's area is encrypted with.
    pub(super) area_key_sizes: KeySizes,
    pub(super) argon2id: Argon2idBounds,
    /// Iterations of a PBKDF2 key slot; none when PBKDF2 is refused.
    pub(super) pbkdf2: Option<Bounds>,
    pub(super) digest_iterations: Bounds,
    pub(super) integrity: Integrity,
    pub(super) luks1: bool,
}

impl Profile {
    /// Volumes that Countersign made: LUKS2, aes-xts-plain64 with a 64 byte key, argon2id.
    pub fn countersign() -> Self {
        Self {
            two_keyslots: false,
            key_sizes: &[64],
            area_key_sizes: &[64],
            argon2id: Argon2idBounds {
                memory_kib: (32 * MIB_IN_KIB, 1024 * MIB_IN_KIB),
                time: (1, 64),
                cpus: (1, 4),
                // 4 passes over 32 MiB, the least that cryptsetup picks by itself; 16 passes over
                // 1 GiB, some seconds on the slowest machine worth supporting.
                cost: (128 * MIB_IN_KIB, 16 * 1024 * MIB_IN_KIB),
            },
            pbkdf2: None,
            digest_iterations: (1_000, 10_000_000),
            integrity: Integrity::Absent,
            luks1: false,
        }
    }

    /// Volumes made elsewhere: also 32 byte keys, PBKDF2 and LUKS1.
    pub fn compatible() -> Self {
        Self {
            key_sizes: &[32, 64],
            area_key_sizes: &[32, 64],
            pbkdf2: Some((1_000, 10_000_000)),
            luks1: true,
            ..Self::countersign()
        }
    }

    /// While a seed is being replaced: one key slot or two.
    #[must_use]
    pub fn during_rotation(self) -> Self {
        Self { two_keyslots: true, ..self }
    }

    /// With HMAC-SHA-256 over every sector: a 32 byte key for it behind the 64 bytes of the cipher. LUKS1 has no such
    /// thing.
    #[must_use]
    pub fn with_integrity(self) -> Self {
        Self { integrity: Integrity::HmacSha256, key_sizes: &[96], luks1: false, ..self }
    }

    /// Lowers the upper bound of argon2id's memory to what the guest can spare, in KiB.
    ///
    /// The bound is never raised, and never put below the lower one.
    #[must_use]
    pub fn with_memory_limit(mut self, kib: u64) -> Self {
        let (low, high) = self.argon2id.memory_kib;
        self.argon2id.memory_kib = (low, kib.clamp(low, high));
        self
    }
}
