//! LUKS1 headers: read and judged. Volumes of this age were made before LUKS2 became the default.
//!
//! The format has no checksum and no second copy, so every field is bounded on its own.
//! Follows the LUKS1 on-disk format specification 1.2.3. Numbers are big-endian, offsets count
//! 512-byte sectors.

use super::binary::{self, PRIMARY_MAGIC};
use super::fault::{HeaderFault, Place, Rule};
use super::judge::{BLOCK, Faults, HEADER_LIMIT, SECTOR, STRIPES};
use super::metadata::{Cipher, Hash};
use super::profile::{Integrity, Profile};
use super::verdict::{Accepted, LuksVersion, Slot, SlotKdf};

/// Length of the header in bytes.
const HEADER_LEN: usize = 592;
const SLOT_LEN: usize = 48;
const SLOTS: u8 = 8;
const ENABLED: u32 = 0x00ac_71f3;
const DISABLED: u32 = 0x0000_dead;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Enabled,
    Disabled,
    Other,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct RawSlot {
    state: State,
    iterations: u32,
    offset: u32,
    stripes: u32,
}

/// A LUKS1 header, complete, not yet judged. It keeps no text of the header but the UUID.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Luks1Header {
    cipher: Cipher,
    hash: Hash,
    payload: u32,
    key_size: u32,
    digest_iterations: u32,
    uuid: String,
    digest: [u8; 32],
    slots: Vec<RawSlot>,
}

impl Luks1Header {
    /// The UUID, 36 lower-case characters.
    pub fn uuid(&self) -> &str {
        &self.uuid
    }

    /// How many key slots are in use.
    pub fn key_slots(&self) -> usize {
        self.slots.iter().filter(|slot| slot.state == State::Enabled).count()
    }
}

/// Whether the bytes begin like a LUKS1 header.
pub(super) fn is_luks1(bytes: &[u8]) -> bool {
    bytes.starts_with(&PRIMARY_MAGIC) && bytes.get(6..8) == Some(&[0, 1])
}

/// Reads the header at the start of `bytes`.
pub(super) fn read(bytes: &[u8]) -> Result<Luks1Header, HeaderFault> {
    let fault = |rule: Rule, field: &'static str| HeaderFault::new(rule, Place::Luks1 { field, slot: None });
    let raw = bytes.get(..HEADER_LEN).ok_or_else(|| fault(Rule::Luks1Short, "magic"))?;
    let number = |at: usize| u32::from_be_bytes([raw[at], raw[at + 1], raw[at + 2], raw[at + 3]]);
    let text = |at: usize, len: usize, field: &'static str| {
        let text = binary::text(&raw[at..at + len]).ok_or_else(|| fault(Rule::Luks1Text, field))?;
        Ok::<_, HeaderFault>(String::from_utf8_lossy(text).into_owned())
    };
    let cipher = text(8, 32, "cipher-name")?;
    let mode = text(40, 32, "cipher-mode")?;
    let hash = text(72, 32, "hash-spec")?;
    let uuid =
        binary::text(&raw[168..208]).and_then(binary::uuid).ok_or_else(|| fault(Rule::Luks1Uuid, "uuid"))?;
    let slots = (0..usize::from(SLOTS)).map(|slot| {
        let at = 208 + slot * SLOT_LEN;
        RawSlot {
            state: match number(at) {
                ENABLED => State::Enabled,
                DISABLED => State::Disabled,
                _ => State::Other,
            },
            iterations: number(at + 4),
            offset: number(at + 40),
            stripes: number(at + 44),
        }
    });
    Ok(Luks1Header {
        cipher: Cipher::of(&format!("{cipher}-{mode}")),
        hash: Hash::of(&hash),
        payload: number(104),
        key_size: number(108),
        digest_iterations: number(164),
        uuid,
        digest: countersign_crypto::digest::sha256(raw),
        slots: slots.collect(),
    })
}

/// Judges a LUKS1 header.
pub(super) fn judge(
    header: &Luks1Header,
    profile: &Profile,
    device_size: u64,
) -> Result<Accepted, Vec<HeaderFault>> {
    let at = |field: &'static str| move || Place::Luks1 { field, slot: None };
    let mut faults = Faults::new();
    // Integrity protection needs LUKS2, so a profile that asks for it never allows LUKS1.
    if !profile.luks1 {
        faults.add(Rule::Luks1Refused, at("version")());
        return faults.verdict(None);
    }
    faults.require(device_size.is_multiple_of(SECTOR), Rule::DeviceSize, || Place::Device);
    faults.require(header.cipher == Cipher::AesXtsPlain64, Rule::Luks1Cipher, at("cipher-mode"));
    faults.require(header.hash != Hash::Other, Rule::Luks1Hash, at("hash-spec"));
    let key_size = u64::from(header.key_size);
    let sized = profile.key_sizes.contains(&key_size);
    faults.require(sized, Rule::Luks1KeySize, at("key-bytes"));
    let iterations = profile.digest_iterations;
    let found = u64::from(header.digest_iterations);
    faults.within(found, iterations, Rule::Luks1DigestIterations, at("mk-digest-iter"));

    let payload = u64::from(header.payload) * SECTOR;
    let material = key_size.saturating_mul(STRIPES).div_ceil(SECTOR) * SECTOR;
    let mut used: Vec<(u64, u64)> = Vec::new();
    let mut slots = Vec::new();
    for (number, slot) in (0..SLOTS).zip(&header.slots) {
        let at = |field: &'static str| move || Place::Luks1 { field, slot: Some(number) };
        // cryptsetup lays out all eight areas when it formats, so disabled slots are held to it too.
        faults.require(slot.state != State::Other, Rule::Luks1SlotState, at("active"));
        let stripes = u64::from(slot.stripes);
        faults.require(stripes == STRIPES, Rule::Luks1SlotStripes, at("stripes"));
        if sized {
            let start = u64::from(slot.offset) * SECTOR;
            let end = start + material;
            let apart = used.iter().all(|(from, to)| end <= *from || start >= *to);
            let placed = start >= BLOCK && end <= payload;
            faults.require(placed && apart, Rule::Luks1SlotOffset, at("key-material-offset"));
            used.push((start, end));
        }
        if slot.state == State::Enabled {
            let iterations = u64::from(slot.iterations);
            let bounds = profile.pbkdf2.unwrap_or(profile.digest_iterations);
            faults.within(iterations, bounds, Rule::Luks1SlotIterations, at("iterations"));
            let area = (u64::from(slot.offset) * SECTOR, material);
            slots.push(Slot { number, kdf: SlotKdf::Pbkdf2 { iterations }, area });
        }
    }
    let most = if profile.two_keyslots { 2 } else { 1 };
    let counted = (1..=most).contains(&slots.len());
    faults.require(counted, Rule::Luks1SlotCount, at("active"));
    let placed =
        payload > 0 && payload.is_multiple_of(BLOCK) && payload <= HEADER_LIMIT && payload < device_size;
    faults.require(placed, Rule::Luks1Payload, at("payload-offset"));
    faults.verdict(Some(Accepted {
        version: LuksVersion::Luks1,
        uuid: header.uuid.clone(),
        copy_len: 0,
        sequence: 0,
        digest: header.digest,
        key_size,
        sector_size: SECTOR,
        integrity: Integrity::Absent,
        data_offset: payload,
        data_size: device_size.saturating_sub(payload),
        header_len: payload,
        material_len: payload,
        slots,
    }))
}
