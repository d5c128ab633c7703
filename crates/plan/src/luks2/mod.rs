//! Reading and judging LUKS headers that come from the host.
//!
//! A disk belongs to the host, and so does every byte of its LUKS header: a header with a null
//! cipher opens with any passphrase and hands the host the plain data. So the header is read once
//! into guest memory, [`read`] takes it apart, [`judge`] holds every field against a [`Profile`],
//! that same copy is opened detached, and [`table`] says what the kernel must have made of it.
//!
//! Nothing here reads a device, derives a key, opens or writes. Nothing here prints text from a
//! header: faults name places and rules. Whether a header without fault is authentic is not
//! decided here; the volume record answers that after opening.
//!
//! Steps of a caller:
//! 1. read the first [`PROBE_LEN`] bytes of the device; [`metadata_len`] says how many bytes of
//!    its start are needed; append the missing ones, never reading a byte twice;
//! 2. [`read`], then [`judge`];
//! 3. append up to [`Accepted::material_len`] bytes and open that copy;
//! 4. compare the kernel's table with [`table::expected_table`].
//!
//! Follows the LUKS2 on-disk format specification 1.1 and the LUKS1 one, 1.2.3.

mod binary;
mod fault;
mod json;
mod judge;
mod luks1;
mod metadata;
mod profile;
mod reader;
pub mod rewrite;
pub mod table;
mod verdict;

use binary::{BinaryHeader, HEADER_SIZES, SECONDARY_MAGIC};
pub use fault::{HeaderCopy, HeaderFault, Place, Rule, Step};
pub use luks1::Luks1Header;
use metadata::Metadata;
pub use profile::{Integrity, Profile};
pub use verdict::{Accepted, LuksVersion, Slot, SlotKdf};

/// Bytes to read first.
pub const PROBE_LEN: usize = binary::BINARY_LEN;
/// Most bytes that [`read`] looks at: two copies of the largest legal size.
pub const METADATA_LIMIT: u64 = 2 * HEADER_SIZES[HEADER_SIZES.len() - 1] as u64;
/// Most bytes that a header and its key slots take.
pub const HEADER_LIMIT: u64 = judge::HEADER_LIMIT;

/// A LUKS2 header whose metadata is complete, not yet judged.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Luks2Header {
    header_size: u32,
    sequence: u64,
    uuid: String,
    digest: [u8; 32],
    metadata: Metadata,
}

impl Luks2Header {
    fn of(copy: &BinaryHeader<'_>) -> Result<Self, HeaderFault> {
        Ok(Self {
            header_size: copy.header_size,
            sequence: copy.sequence,
            uuid: copy.uuid.clone(),
            digest: copy.digest(),
            metadata: metadata::read(copy.json)?,
        })
    }

    /// Bytes of one copy: binary header and JSON area.
    pub fn header_size(&self) -> u32 {
        self.header_size
    }

    /// How often the header was written, 1 and up. The host can put an older header back.
    pub fn sequence(&self) -> u64 {
        self.sequence
    }

    /// The UUID, 36 lower-case characters.
    pub fn uuid(&self) -> &str {
        &self.uuid
    }
}

/// A header that could be read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Header {
    /// LUKS2, both copies sound and equal.
    Luks2(Luks2Header),
    /// LUKS1.
    Luks1(Luks1Header),
}

impl Header {
    /// The UUID, 36 lower-case characters.
    pub fn uuid(&self) -> &str {
        match self {
            Header::Luks2(header) => header.uuid(),
            Header::Luks1(header) => header.uuid(),
        }
    }

    /// How many key slots are in use.
    pub fn key_slots(&self) -> usize {
        match self {
            Header::Luks2(header) => header.metadata.keyslots.len(),
            Header::Luks1(header) => header.key_slots(),
        }
    }
}

/// A LUKS2 header of which only one copy is current, as a power cut during its update leaves it.
///
/// Not to be opened as it is. The boot repairs its copy in memory ([`rewrite::repair`]) and has the
/// result read and judged like any other header. The disk is repaired later, once the volume is
/// known to be the right one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Interrupted {
    /// The copy that is sound, and the newer one if both are.
    pub sound: HeaderCopy,
    /// What is wrong with the other.
    pub fault: HeaderFault,
    header: Luks2Header,
}

impl Interrupted {
    /// What the sound copy says.
    pub fn header(&self) -> &Luks2Header {
        &self.header
    }
}

/// Why no header could be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ReadError {
    /// Neither copy shows a LUKS magic. This does not make the device blank.
    #[error("{0}")]
    Absent(HeaderFault),
    /// There is a header, and it is refused.
    #[error("{0}")]
    Fault(HeaderFault),
    /// One of the two copies is sound.
    #[error("only the {} header copy is current: {}", .0.sound, .0.fault)]
    Interrupted(Box<Interrupted>),
}

impl ReadError {
    /// The fault that decided.
    pub fn fault(&self) -> &HeaderFault {
        match self {
            Self::Absent(fault) | Self::Fault(fault) => fault,
            Self::Interrupted(interrupted) => &interrupted.fault,
        }
    }
}

/// How many bytes from the start of the device [`read`] needs, given its first [`PROBE_LEN`]
/// bytes; at most [`METADATA_LIMIT`], or the whole device where that is smaller.
pub fn metadata_len(probe: &[u8]) -> u64 {
    let size = probe.get(8..16).map(|raw| raw.iter().fold(0u64, |size, byte| size << 8 | u64::from(*byte)));
    let is_luks2 = probe.starts_with(&binary::PRIMARY_MAGIC) && probe.get(6..8) == Some(&[0, 2]);
    match HEADER_SIZES.iter().find(|legal| Some(u64::from(**legal)) == size) {
        Some(legal) if is_luks2 => 2 * u64::from(*legal),
        // The primary copy is damaged or not there: look wherever the secondary may be.
        _ => METADATA_LIMIT,
    }
}

/// Reads the header from the first bytes of a device; [`metadata_len`] says how many.
///
/// # Errors
/// [`ReadError`]; the first broken rule, in the order of the header.
pub fn read(bytes: &[u8]) -> Result<Header, ReadError> {
    match binary::read_copy(bytes, HeaderCopy::Primary, 0) {
        Ok(primary) => read_behind(bytes, &primary),
        Err(fault) => read_without_primary(bytes, fault),
    }
}

fn read_behind(bytes: &[u8], primary: &BinaryHeader<'_>) -> Result<Header, ReadError> {
    let offset = primary.header_size as usize;
    if bytes.len() < 2 * offset {
        // Too few bytes were passed, or the device is too small: not a damaged copy.
        let place = Place::Binary { copy: HeaderCopy::Secondary, field: "magic" };
        return Err(ReadError::Fault(HeaderFault::new(Rule::Short, place)));
    }
    let secondary = match binary::read_copy(bytes, HeaderCopy::Secondary, offset) {
        Ok(secondary) => secondary,
        Err(fault) => return Err(interrupted(HeaderCopy::Primary, primary, fault)),
    };
    if primary.sequence != secondary.sequence {
        let (newer, copy, older) = if primary.sequence > secondary.sequence {
            (primary, HeaderCopy::Primary, HeaderCopy::Secondary)
        } else {
            (&secondary, HeaderCopy::Secondary, HeaderCopy::Primary)
        };
        let place = Place::Binary { copy: older, field: "seqid" };
        return Err(interrupted(copy, newer, HeaderFault::new(Rule::CopiesSequence, place)));
    }
    if !primary.same_content(&secondary) {
        let place = Place::Binary { copy: HeaderCopy::Secondary, field: "json" };
        return Err(ReadError::Fault(HeaderFault::new(Rule::CopiesDiffer, place)));
    }
    Luks2Header::of(primary).map(Header::Luks2).map_err(ReadError::Fault)
}

fn read_without_primary(bytes: &[u8], fault: HeaderFault) -> Result<Header, ReadError> {
    let mut seen = false;
    for offset in HEADER_SIZES.map(|size| size as usize) {
        if bytes.get(offset..).is_none_or(|rest| !rest.starts_with(&SECONDARY_MAGIC)) {
            continue;
        }
        seen = true;
        if let Ok(secondary) = binary::read_copy(bytes, HeaderCopy::Secondary, offset)
            && secondary.header_size as usize == offset
        {
            return Err(interrupted(HeaderCopy::Secondary, &secondary, fault));
        }
    }
    if luks1::is_luks1(bytes) {
        return luks1::read(bytes).map(Header::Luks1).map_err(ReadError::Fault);
    }
    if fault.rule() == Rule::Magic && !seen {
        return Err(ReadError::Absent(fault));
    }
    Err(ReadError::Fault(fault))
}

fn interrupted(sound: HeaderCopy, copy: &BinaryHeader<'_>, fault: HeaderFault) -> ReadError {
    match Luks2Header::of(copy) {
        Ok(header) => ReadError::Interrupted(Box::new(Interrupted { sound, fault, header })),
        // Nothing to repair from: the one sound frame holds metadata that is refused.
        Err(fault) => ReadError::Fault(fault),
    }
}

/// Holds a header against a profile. `device_size` is in bytes.
///
/// # Errors
/// Every broken rule, in the order of the header; never empty.
pub fn judge(header: &Header, profile: &Profile, device_size: u64) -> Result<Accepted, Vec<HeaderFault>> {
    match header {
        Header::Luks2(header) => judge::luks2(header, profile, device_size),
        Header::Luks1(header) => luks1::judge(header, profile, device_size),
    }
}

/// Judges the sound copy of an interrupted header without repairing anything. The boot judges the
/// repaired header instead; tests and the fuzz target ask what the sound copy alone says.
///
/// # Errors
/// As [`judge`].
pub fn judge_interrupted(
    interrupted: &Interrupted,
    profile: &Profile,
    device_size: u64,
) -> Result<Accepted, Vec<HeaderFault>> {
    judge::luks2(&interrupted.header, profile, device_size)
}

/// Entry for fuzzing: must return for any input, in time proportional to its length.
///
/// The input is taken twice, as the start of a device and as the text of a JSON area, since random
/// bytes never get past the checksum. Returns whether either was accepted by any profile.
pub fn fuzz_header(input: &[u8]) -> bool {
    let device_size = 1 << 30;
    let profiles = [
        Profile::countersign(),
        Profile::compatible().during_rotation(),
        Profile::compatible().with_integrity().during_rotation(),
    ];
    let accepted =
        |header: &Header| profiles.iter().any(|profile| judge(header, profile, device_size).is_ok());
    let whole = metadata_len(input) <= METADATA_LIMIT && read(input).is_ok_and(|header| accepted(&header));
    let text = metadata::read(input).is_ok_and(|metadata| {
        accepted(&Header::Luks2(Luks2Header {
            header_size: HEADER_SIZES[0],
            sequence: 1,
            uuid: String::new(),
            digest: [0; 32],
            metadata,
        }))
    });
    whole || text
}
