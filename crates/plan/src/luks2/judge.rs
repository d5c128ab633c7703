//! The verdict on a LUKS2 header: every field against the profile, all faults at once.
//!
//! Pure: no key is derived and nothing is opened. A header that passes says exactly one thing to
//! the kernel, which [`super::table`] states and compares afterwards.
//!
//! The list of checks follows the published attacks on headers that a host supplies: null ciphers,
//! shifted areas, dropped integrity, faked re-encryption, weak or endless key derivation.

use super::Luks2Header;
use super::fault::{HeaderFault, Place, Rule};
use super::metadata::{
    Af, Area, Cipher, Digest, DigestKind, Hash, Kdf, Keyslot, KeyslotKind, Segment, SegmentKind, SegmentSize,
    Tags, place, top,
};
use super::profile::{Bounds, Integrity, Profile};
use super::verdict::{Accepted, LuksVersion, Slot, SlotKdf};

/// Both header copies and the key slots area together, in bytes.
pub(super) const HEADER_LIMIT: u64 = 32 << 20;
/// Sectors in which the kernel counts.
pub(super) const SECTOR: u64 = 512;
/// Alignment of areas and segments in bytes.
pub(super) const BLOCK: u64 = 4096;
/// Stripes of the anti-forensic splitter.
pub(super) const STRIPES: u64 = 4000;
const SALT_LEN: usize = 32;

/// Faults found so far.
pub(super) struct Faults(Vec<HeaderFault>);

impl Faults {
    pub(super) fn new() -> Self {
        Self(Vec::new())
    }

    pub(super) fn add(&mut self, rule: Rule, place: Place) {
        self.0.push(HeaderFault::new(rule, place));
    }

    pub(super) fn require(&mut self, holds: bool, rule: Rule, place: impl FnOnce() -> Place) {
        if !holds {
            self.add(rule, place());
        }
    }

    pub(super) fn within(&mut self, value: u64, bounds: Bounds, rule: Rule, place: impl FnOnce() -> Place) {
        if value < bounds.0 || value > bounds.1 {
            self.0.push(HeaderFault::outside(rule, place(), bounds));
        }
    }

    /// The verdict: what was gathered on the way, or all faults.
    pub(super) fn verdict<T>(self, accepted: Option<T>) -> Result<T, Vec<HeaderFault>> {
        match accepted {
            Some(accepted) if self.0.is_empty() => Ok(accepted),
            _ => Err(self.0),
        }
    }
}

/// Judges a LUKS2 header whose copies agree.
pub(super) fn luks2(
    header: &Luks2Header,
    profile: &Profile,
    device_size: u64,
) -> Result<Accepted, Vec<HeaderFault>> {
    let metadata = &header.metadata;
    let mut faults = Faults::new();
    faults.require(device_size.is_multiple_of(SECTOR), Rule::DeviceSize, || Place::Device);
    faults.require(!metadata.requirements, Rule::Requirements, || top(&["config", "requirements"]));
    faults.require(!metadata.flags, Rule::ConfigFlags, || top(&["config", "flags"]));
    faults.require(metadata.tokens == 0, Rule::Tokens, || top(&["tokens"]));
    let json_size = u64::from(header.header_size) - BLOCK;
    faults.require(metadata.json_size == json_size, Rule::JsonSize, || top(&["config", "json_size"]));

    // The key slots area lies between the second copy and the data.
    let start = 2 * u64::from(header.header_size);
    let end = start.saturating_add(metadata.keyslots_size);
    let fits = metadata.keyslots_size.is_multiple_of(BLOCK) && end <= HEADER_LIMIT;
    faults.require(fits, Rule::KeyslotsSize, || top(&["config", "keyslots_size"]));

    let slots = keyslots(&metadata.keyslots, profile, (start, end), &mut faults);
    let segment = segment(&metadata.segments, profile, end, device_size, &mut faults);
    digest(&metadata.digests, &metadata.keyslots, profile, &mut faults);

    let key_size = slots.first().map(|(_, key_size)| *key_size);
    let accepted = match (segment, key_size) {
        (Some((data_offset, sector_size)), Some(key_size)) => Some(Accepted {
            version: LuksVersion::Luks2,
            uuid: header.uuid.clone(),
            copy_len: u64::from(header.header_size),
            sequence: header.sequence,
            digest: header.digest,
            key_size,
            sector_size,
            integrity: profile.integrity,
            data_offset,
            data_size: device_size.saturating_sub(data_offset),
            header_len: end,
            material_len: header.metadata.keyslots.iter().filter_map(area_end).max().unwrap_or(end),
            slots: slots.into_iter().map(|(slot, _)| slot).collect(),
        }),
        _ => None,
    };
    faults.verdict(accepted)
}

/// Where the key material of a slot ends.
fn area_end(slot: &Keyslot) -> Option<u64> {
    match &slot.kind {
        KeyslotKind::Luks2 { area: Area::Raw { offset, size, .. }, .. } => Some(offset.saturating_add(*size)),
        _ => None,
    }
}

/// The slots that could be read, each with its key size; what is wrong goes to `faults`.
fn keyslots(
    keyslots: &[Keyslot],
    profile: &Profile,
    area: (u64, u64),
    faults: &mut Faults,
) -> Vec<(Slot, u64)> {
    if profile.two_keyslots {
        let count = (1..=2).contains(&keyslots.len());
        faults.require(count, Rule::KeyslotCountRotation, || top(&["keyslots"]));
    } else {
        faults.require(keyslots.len() == 1, Rule::KeyslotCount, || top(&["keyslots"]));
    }
    let mut used: Vec<(u64, u64)> = Vec::new();
    let mut slots: Vec<(Slot, u64)> = Vec::new();
    for Keyslot { number, kind } in keyslots {
        let at = |members: &[&'static str]| place("keyslots", *number, members);
        let KeyslotKind::Luks2 { key_size, priority, af, area: own, kdf } = kind else {
            faults.add(Rule::KeyslotType, at(&["type"]));
            continue;
        };
        // All slots hold the same volume key.
        let same = slots.first().is_none_or(|(_, first)| first == key_size);
        let allowed = profile.key_sizes.contains(key_size) && same;
        faults.require(allowed, Rule::KeyslotKeySize, || at(&["key_size"]));
        faults.require(matches!(priority, None | Some(1 | 2)), Rule::KeyslotPriority, || at(&["priority"]));
        match af {
            Af::Luks1 { stripes, hash } => {
                faults.require(*stripes == STRIPES, Rule::AfStripes, || at(&["af", "stripes"]));
                faults.require(*hash != Hash::Other, Rule::AfHash, || at(&["af", "hash"]));
            }
            Af::Other => faults.add(Rule::AfType, at(&["af", "type"])),
        }
        keyslot_area(own, *number, *key_size, profile, area, &mut used, faults);
        if let Some(kdf) = keyslot_kdf(kdf, *number, profile, faults) {
            let area = match own {
                Area::Raw { offset, size, .. } => (*offset, *size),
                Area::Other => (0, 0),
            };
            slots.push((Slot { number: *number, kdf, area }, *key_size));
        }
    }
    slots
}

fn keyslot_area(
    own: &Area,
    number: u8,
    key_size: u64,
    profile: &Profile,
    (start, end): (u64, u64),
    used: &mut Vec<(u64, u64)>,
    faults: &mut Faults,
) {
    let at = |member: &'static str| place("keyslots", number, &["area", member]);
    let Area::Raw { offset, size, cipher, key_size: area_key } = own else {
        faults.add(Rule::AreaType, at("type"));
        return;
    };
    let (offset, size) = (*offset, *size);
    faults.require(*cipher == Cipher::AesXtsPlain64, Rule::AreaCipher, || at("encryption"));
    faults.require(profile.area_key_sizes.contains(area_key), Rule::AreaKeySize, || at("key_size"));
    let placed = offset % BLOCK == 0 && offset >= start && offset < end;
    faults.require(placed, Rule::AreaOffset, || at("offset"));
    let split = key_size.saturating_mul(STRIPES).div_ceil(BLOCK).saturating_mul(BLOCK);
    let area_end = offset.saturating_add(size);
    // A slot in the wrong place is one fault, not two.
    let inside = !placed || area_end <= end;
    // An area for a key size that is refused is not measured.
    let measured = !profile.key_sizes.contains(&key_size) || size == split;
    faults.require(measured && inside, Rule::AreaSize, || at("size"));
    let apart = used.iter().all(|(from, to)| area_end <= *from || offset >= *to);
    faults.require(apart, Rule::AreaOverlap, || at("offset"));
    used.push((offset, area_end));
}

fn keyslot_kdf(kdf: &Kdf, number: u8, profile: &Profile, faults: &mut Faults) -> Option<SlotKdf> {
    let at = |member: &'static str| place("keyslots", number, &["kdf", member]);
    match kdf {
        Kdf::Argon2id { time, memory_kib, cpus, salt_len } => {
            let bounds = &profile.argon2id;
            faults.within(*time, bounds.time, Rule::KdfTime, || at("time"));
            faults.within(*memory_kib, bounds.memory_kib, Rule::KdfMemory, || at("memory"));
            faults.within(*cpus, bounds.cpus, Rule::KdfCpus, || at("cpus"));
            // The product says something only of factors that are each in bounds.
            let sane = |value: u64, (low, high): Bounds| value >= low && value <= high;
            if sane(*time, bounds.time) && sane(*memory_kib, bounds.memory_kib) {
                faults.within(*time * *memory_kib, bounds.cost, Rule::KdfCost, || at("time"));
            }
            faults.require(*salt_len == SALT_LEN, Rule::KdfSalt, || at("salt"));
            Some(SlotKdf::Argon2id { time: *time, memory_kib: *memory_kib, cpus: *cpus })
        }
        Kdf::Pbkdf2 { hash, iterations, salt_len } => {
            let Some(bounds) = profile.pbkdf2 else {
                faults.add(Rule::KdfType, at("type"));
                return None;
            };
            faults.require(*hash != Hash::Other, Rule::KdfHash, || at("hash"));
            faults.within(*iterations, bounds, Rule::KdfIterations, || at("iterations"));
            faults.require(*salt_len == SALT_LEN, Rule::KdfSalt, || at("salt"));
            Some(SlotKdf::Pbkdf2 { iterations: *iterations })
        }
        Kdf::Other => {
            faults.add(Rule::KdfType, at("type"));
            None
        }
    }
}

/// Data offset and sector size in bytes.
fn segment(
    segments: &[Segment],
    profile: &Profile,
    header_end: u64,
    device_size: u64,
    faults: &mut Faults,
) -> Option<(u64, u64)> {
    let [Segment { number: 0, kind }] = segments else {
        faults.add(Rule::SegmentCount, top(&["segments"]));
        return None;
    };
    let at = |member: &'static str| place("segments", 0, &[member]);
    let SegmentKind::Crypt { offset, size, iv_tweak, cipher, sector_size, integrity, flags } = kind else {
        faults.add(Rule::SegmentType, at("type"));
        return None;
    };
    faults.require(*cipher == Cipher::AesXtsPlain64, Rule::SegmentCipher, || at("encryption"));
    faults.require(*iv_tweak == 0, Rule::SegmentIvTweak, || at("iv_tweak"));
    let sectors = matches!(sector_size, 512 | 4096);
    faults.require(sectors, Rule::SegmentSectorSize, || at("sector_size"));
    let placed = offset % BLOCK == 0 && *offset >= header_end && *offset < device_size;
    faults.require(placed, Rule::SegmentOffset, || at("offset"));
    if placed && sectors {
        let rest = device_size - offset;
        // The kernel refuses a part of a sector; so that cryptsetup and we agree, so do we.
        let whole = !rest.is_multiple_of(SECTOR) || rest.is_multiple_of(*sector_size);
        faults.require(whole, Rule::DeviceSize, || Place::Device);
        let all = *size == SegmentSize::Dynamic || *size == SegmentSize::Bytes(rest);
        faults.require(all, Rule::SegmentSize, || at("size"));
    }
    let expected = match profile.integrity {
        Integrity::Absent => Tags::Absent,
        Integrity::HmacSha256 => Tags::HmacSha256,
    };
    faults.require(*integrity == expected, Rule::SegmentIntegrity, || at("integrity"));
    faults.require(!flags, Rule::SegmentFlags, || at("flags"));
    Some((*offset, *sector_size))
}

fn digest(digests: &[Digest], slots: &[Keyslot], profile: &Profile, faults: &mut Faults) {
    let [Digest { number, kind }] = digests else {
        faults.add(Rule::DigestCount, top(&["digests"]));
        return;
    };
    let at = |member: &'static str| place("digests", *number, &[member]);
    let DigestKind::Pbkdf2 { keyslots, segments, hash, iterations, salt_len, digest_len } = kind else {
        faults.add(Rule::DigestType, at("type"));
        return;
    };
    let all = keyslots.iter().eq(slots.iter().map(|slot| &slot.number));
    faults.require(all, Rule::DigestKeyslots, || at("keyslots"));
    faults.require(segments[..] == [0], Rule::DigestSegments, || at("segments"));
    faults.within(*iterations, profile.digest_iterations, Rule::DigestIterations, || at("iterations"));
    faults.require(*salt_len == SALT_LEN, Rule::DigestSalt, || at("salt"));
    let expected = match hash {
        Hash::Sha256 => Some(32),
        Hash::Sha512 => Some(64),
        Hash::Other => None,
    };
    match expected {
        Some(len) => faults.require(*digest_len == len, Rule::DigestLength, || at("digest")),
        None => faults.add(Rule::DigestHash, at("hash")),
    }
}
