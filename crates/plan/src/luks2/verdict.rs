//! What a header that passed says: the facts that opening, memory planning and the volume record need.
//!
//! An [`Accepted`] comes out of [`super::judge`] and from nowhere else.

use super::profile::Integrity;

/// On-disk format.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LuksVersion {
    /// LUKS1.
    Luks1,
    /// LUKS2.
    Luks2,
}

/// Key derivation of an accepted key slot, its costs within the profile's bounds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SlotKdf {
    /// Argon2id.
    Argon2id {
        /// Passes.
        time: u64,
        /// Memory in KiB.
        memory_kib: u64,
        /// Lanes.
        cpus: u64,
    },
    /// PBKDF2 with HMAC-SHA-256 or HMAC-SHA-512.
    Pbkdf2 {
        /// Iterations.
        iterations: u64,
    },
}

/// An accepted key slot.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Slot {
    pub(super) number: u8,
    pub(super) kdf: SlotKdf,
    pub(super) area: (u64, u64),
}

impl Slot {
    /// The number of the key slot, 0 to 31.
    pub fn number(&self) -> u8 {
        self.number
    }

    /// Where its key material lies on the device, and its length, in bytes.
    pub fn area(&self) -> (u64, u64) {
        self.area
    }

    /// How its key is derived.
    pub fn kdf(&self) -> SlotKdf {
        self.kdf
    }
}

/// A header that passed the judge; its cipher is aes-xts-plain64, alone or composed with HMAC-SHA-256.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Accepted {
    pub(super) version: LuksVersion,
    pub(super) uuid: String,
    pub(super) copy_len: u64,
    pub(super) sequence: u64,
    pub(super) digest: [u8; 32],
    pub(super) key_size: u64,
    pub(super) sector_size: u64,
    pub(super) integrity: Integrity,
    pub(super) data_offset: u64,
    pub(super) data_size: u64,
    pub(super) header_len: u64,
    pub(super) material_len: u64,
    pub(super) slots: Vec<Slot>,
}

impl Accepted {
    /// LUKS1 or LUKS2.
    pub fn version(&self) -> LuksVersion {
        self.version
    }

    /// The UUID, 36 lower-case characters.
    pub fn uuid(&self) -> &str {
        &self.uuid
    }

    /// Bytes of one of the two copies of the header's metadata; 0 for LUKS1, which has one.
    pub fn copy_len(&self) -> u64 {
        self.copy_len
    }

    /// How often the header was written, 1 and up; 0 for LUKS1, which does not count.
    pub fn sequence(&self) -> u64 {
        self.sequence
    }

    /// SHA-256 of what the header says, the same for both copies: two headers with one digest are one header.
    pub fn digest(&self) -> [u8; 32] {
        self.digest
    }

    /// Bytes of the volume key: 32 or 64, and 96 with integrity.
    pub fn key_size(&self) -> u64 {
        self.key_size
    }

    /// Bytes of an encryption sector: 512 or 4096.
    pub fn sector_size(&self) -> u64 {
        self.sector_size
    }

    /// How the data is protected against change.
    pub fn integrity(&self) -> Integrity {
        self.integrity
    }

    /// First byte of the encrypted data on the device.
    pub fn data_offset(&self) -> u64 {
        self.data_offset
    }

    /// Bytes of encrypted data on the device as it was judged, with the tags and the journal of integrity.
    pub fn data_size(&self) -> u64 {
        self.data_size
    }

    /// Bytes from the start of the device that a detached copy must hold: the header and the key material of
    /// its slots. Behind them the copy may be a hole up to [`Accepted::header_len`].
    pub fn material_len(&self) -> u64 {
        self.material_len
    }

    /// Bytes from the start of the device that belong to the header and all room for key slots, at most 32 MiB.
    pub fn header_len(&self) -> u64 {
        self.header_len
    }

    /// The key slots, by number; one, or two during rotation.
    pub fn slots(&self) -> &[Slot] {
        &self.slots
    }
}
