//! The 4096-byte binary header of LUKS2 and the frame of its JSON area, one copy at a time.
//!
//! Everything in it is checked: magic, version, size, place, text fields, reserved bytes, checksum.
//! The meaning of the JSON text is left to [`super::metadata`], agreement of the copies to
//! [`super::read`].
//!
//! Follows the LUKS2 on-disk format specification 1.1, section 2.1. Numbers are big-endian.

use countersign_crypto::digest::Sha256;

use super::fault::{HeaderCopy, HeaderFault, Place, Rule};
use crate::volumes::content::is_zero;

/// Length of the binary header in bytes.
pub(super) const BINARY_LEN: usize = 4096;
/// Magic of the primary copy, and of LUKS1.
pub(super) const PRIMARY_MAGIC: [u8; 6] = *b"LUKS\xba\xbe";
/// Magic of the secondary copy.
pub(super) const SECONDARY_MAGIC: [u8; 6] = *b"SKUL\xba\xbe";
/// Legal values of `hdr_size`: binary header and JSON area together, in bytes.
pub(super) const HEADER_SIZES: [u32; 9] = [
    0x0000_4000,
    0x0000_8000,
    0x0001_0000,
    0x0002_0000,
    0x0004_0000,
    0x0008_0000,
    0x0010_0000,
    0x0020_0000,
    0x0040_0000,
];

/// A field of the binary header: name, first byte, length.
#[derive(Clone, Copy)]
struct Field(&'static str, usize, usize);

const MAGIC: Field = Field("magic", 0, 6);
const VERSION: Field = Field("version", 6, 2);
const HDR_SIZE: Field = Field("hdr_size", 8, 8);
const SEQID: Field = Field("seqid", 16, 8);
const LABEL: Field = Field("label", 24, 48);
const CSUM_ALG: Field = Field("csum_alg", 72, 32);
const UUID: Field = Field("uuid", 168, 40);
const SUBSYSTEM: Field = Field("subsystem", 208, 48);
const HDR_OFFSET: Field = Field("hdr_offset", 256, 8);
const PADDING: Field = Field("_padding", 264, 184);
const CSUM: Field = Field("csum", 448, 64);
const PADDING_4096: Field = Field("_padding4096", 512, 3584);
/// SHA-256 fills the first half of the checksum field.
const CSUM_LEN: usize = 32;

/// One copy whose frame and checksum hold.
#[derive(Debug)]
pub(super) struct BinaryHeader<'b> {
    pub(super) header_size: u32,
    pub(super) sequence: u64,
    pub(super) uuid: String,
    label: &'b [u8],
    subsystem: &'b [u8],
    /// The JSON text without its closing zero byte.
    pub(super) json: &'b [u8],
}

impl BinaryHeader<'_> {
    /// SHA-256 over what both copies say: sequence number, UUID, label, subsystem, JSON text.
    pub(super) fn digest(&self) -> [u8; 32] {
        let mut sha256 = Sha256::new();
        sha256.update(&self.sequence.to_be_bytes());
        for part in [self.uuid.as_bytes(), self.label, self.subsystem, self.json] {
            sha256.update(&(part.len() as u64).to_be_bytes());
            sha256.update(part);
        }
        sha256.finish()
    }

    /// Whether two copies say the same; salt, place and checksum differ by design.
    pub(super) fn same_content(&self, other: &BinaryHeader<'_>) -> bool {
        self.header_size == other.header_size
            && self.uuid == other.uuid
            && self.label == other.label
            && self.subsystem == other.subsystem
            && self.json == other.json
    }
}

/// Reads one copy, which begins at byte `offset` of `bytes`.
///
/// # Errors
/// The first rule that the copy breaks, in the order of the fields, the checksum before the JSON
/// area is looked at.
pub(super) fn read_copy(
    bytes: &[u8],
    copy: HeaderCopy,
    offset: usize,
) -> Result<BinaryHeader<'_>, HeaderFault> {
    let fault = |rule: Rule, field: Field| HeaderFault::new(rule, Place::Binary { copy, field: field.0 });
    let rest = bytes.get(offset..).unwrap_or_default();
    let raw = rest.get(..BINARY_LEN).ok_or_else(|| fault(Rule::Short, MAGIC))?;
    let field = |field: Field| &raw[field.1..field.1 + field.2];
    let number = |at: Field| field(at).iter().fold(0u64, |number, byte| number << 8 | u64::from(*byte));

    let magic = match copy {
        HeaderCopy::Primary => PRIMARY_MAGIC,
        HeaderCopy::Secondary => SECONDARY_MAGIC,
    };
    if field(MAGIC) != magic {
        return Err(fault(Rule::Magic, MAGIC));
    }
    if number(VERSION) != 2 {
        return Err(fault(Rule::Version, VERSION));
    }
    let header_size = HEADER_SIZES
        .into_iter()
        .find(|size| u64::from(*size) == number(HDR_SIZE))
        .ok_or_else(|| fault(Rule::HeaderSize, HDR_SIZE))?;
    let whole = rest.get(..header_size as usize).ok_or_else(|| fault(Rule::Short, HDR_SIZE))?;
    if field(CSUM_ALG) != padded(b"sha256", CSUM_ALG.2) {
        return Err(fault(Rule::ChecksumAlgorithm, CSUM_ALG));
    }
    if field(CSUM)[..CSUM_LEN] != checksum(whole) {
        return Err(fault(Rule::Checksum, CSUM));
    }
    if number(SEQID) == 0 || number(SEQID) > 1 << 48 {
        return Err(fault(Rule::HeaderSequence, SEQID));
    }
    let label = text(field(LABEL)).ok_or_else(|| fault(Rule::HeaderText, LABEL))?;
    let subsystem = text(field(SUBSYSTEM)).ok_or_else(|| fault(Rule::HeaderText, SUBSYSTEM))?;
    let uuid = text(field(UUID)).and_then(uuid).ok_or_else(|| fault(Rule::HeaderUuid, UUID))?;
    if usize::try_from(number(HDR_OFFSET)) != Ok(offset) {
        return Err(fault(Rule::HeaderOffset, HDR_OFFSET));
    }
    for reserved in [PADDING, PADDING_4096] {
        if !is_zero(field(reserved)) {
            return Err(fault(Rule::HeaderPadding, reserved));
        }
    }
    if !is_zero(&field(CSUM)[CSUM_LEN..]) {
        return Err(fault(Rule::HeaderPadding, CSUM));
    }
    let area = &whole[BINARY_LEN..];
    let json = until_zero(area).ok_or_else(|| HeaderFault::new(Rule::JsonEnd, Place::Json(Vec::new())))?;
    Ok(BinaryHeader { header_size, sequence: number(SEQID), uuid, label, subsystem, json })
}

/// Makes one copy into the other: magic, place and checksum are those of `copy` at `offset` afterwards. `whole` is
/// a copy that [`read_copy`] accepted.
pub(super) fn readdress(whole: &mut [u8], copy: HeaderCopy, offset: u64) {
    let magic = match copy {
        HeaderCopy::Primary => PRIMARY_MAGIC,
        HeaderCopy::Secondary => SECONDARY_MAGIC,
    };
    whole[..magic.len()].copy_from_slice(&magic);
    whole[HDR_OFFSET.1..HDR_OFFSET.1 + HDR_OFFSET.2].copy_from_slice(&offset.to_be_bytes());
    let checksum = checksum(whole);
    whole[CSUM.1..CSUM.1 + CSUM_LEN].copy_from_slice(&checksum);
}

/// SHA-256 over a header copy with its checksum field taken as zero.
fn checksum(whole: &[u8]) -> [u8; 32] {
    let mut sha256 = Sha256::new();
    sha256.update(&whole[..CSUM.1]);
    sha256.update(&[0; CSUM.2]);
    sha256.update(&whole[CSUM.1 + CSUM.2..]);
    sha256.finish()
}

fn padded(text: &[u8], len: usize) -> Vec<u8> {
    let mut field = text.to_vec();
    field.resize(len, 0);
    field
}

/// The bytes before the first zero byte, if there is one and only zero bytes follow it.
fn until_zero(bytes: &[u8]) -> Option<&[u8]> {
    let end = bytes.iter().position(|byte| *byte == 0)?;
    let (text, rest) = bytes.split_at(end);
    if is_zero(rest) { Some(text) } else { None }
}

/// A text field: printable ASCII up to its first zero byte, then only zero bytes.
pub(super) fn text(field: &[u8]) -> Option<&[u8]> {
    until_zero(field).filter(|text| text.iter().all(|byte| (0x20..0x7f).contains(byte)))
}

/// A UUID in the one spelling that cryptsetup writes: 36 characters, lower case.
pub(super) fn uuid(text: &[u8]) -> Option<String> {
    let right = |(at, byte): (usize, &u8)| match at {
        8 | 13 | 18 | 23 => *byte == b'-',
        _ => matches!(byte, b'0'..=b'9' | b'a'..=b'f'),
    };
    if text.len() != 36 || !text.iter().enumerate().all(right) {
        return None;
    }
    String::from_utf8(text.to_vec()).ok()
}
