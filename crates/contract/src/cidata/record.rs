//! Directory records of ISO 9660, and the ways in which they carry a name; see `rock_ridge` for the third.
//!
//! A record is parsed from a slice that it must fit into; nothing here follows an extent.

use super::rock_ridge::RockRidge;
use super::{BLOCK, CidataError};

/// Bytes of a record before its name.
const HEAD: usize = 33;

/// Which names a directory tree has.
#[derive(Debug, Clone, Copy)]
pub(super) enum Names<'i> {
    /// Joliet: UCS-2, big-endian.
    Joliet,
    /// ISO 9660 names, with Rock Ridge names beside them if the image was made so.
    Iso(RockRidge<'i>),
}

/// One directory record.
pub(super) struct DirectoryRecord<'d>(&'d [u8]);

impl<'d> DirectoryRecord<'d> {
    /// Takes a slice that holds exactly one record.
    pub(super) fn parse(bytes: &'d [u8]) -> Result<Self, CidataError> {
        let length = usize::from(*bytes.first().ok_or(CidataError::BadRecord)?);
        if length != bytes.len() || length <= HEAD || HEAD + usize::from(bytes[32]) > length {
            return Err(CidataError::BadRecord);
        }
        Ok(Self(bytes))
    }

    /// First block of the extent, after the extended attributes if there are any.
    pub(super) fn block(&self) -> Result<usize, CidataError> {
        Ok(self.both32(2)?.saturating_add(usize::from(self.0[1])))
    }

    /// Bytes of the extent.
    pub(super) fn size(&self) -> Result<usize, CidataError> {
        self.both32(10)
    }

    pub(super) fn is_directory(&self) -> bool {
        self.0[25] & 0x02 != 0
    }

    /// What belongs to a file of the same name, such as a resource fork; nobody sees it.
    pub(super) fn is_associated(&self) -> bool {
        self.0[25] & 0x04 != 0
    }

    /// Whether it means the directory itself, or its parent.
    pub(super) fn is_dot(&self) -> bool {
        matches!(self.raw_name(), [0] | [1])
    }

    /// A regular file: no directory, in one extent, not interleaved.
    pub(super) fn is_single_file(&self) -> bool {
        self.0[25] & 0x82 == 0 && self.0[26] == 0 && self.0[27] == 0
    }

    /// The name in the form that is compared; none for the two entries that mean the directory and its parent,
    /// and for names that cannot be one of ours.
    pub(super) fn name(&self, names: Names<'d>) -> Option<String> {
        if self.is_dot() {
            return None;
        }
        let raw = self.raw_name();
        match names {
            Names::Joliet => {
                let units = raw.chunks_exact(2).map(|pair| u16::from_be_bytes([pair[0], pair[1]]));
                let name: String = char::decode_utf16(units).collect::<Result<_, _>>().ok()?;
                Some(strip_version(&name).to_owned())
            }
            Names::Iso(rock_ridge) => rock_ridge.name(self).or_else(|| {
                let name = strip_version(std::str::from_utf8(raw).ok()?);
                // ISO names have no hyphen: tools write `_` and cut the first part to eight letters.
                let name = name.strip_suffix('.').unwrap_or(name).to_ascii_lowercase().replace('_', "-");
                Some(match name.as_str() {
                    "user-dat" => "user-data".to_owned(),
                    "meta-dat" => "meta-data".to_owned(),
                    "vendor-d" => "vendor-data".to_owned(),
                    "network-" => "network-config".to_owned(),
                    _ => name,
                })
            }),
        }
    }

    /// What stands behind the name, which is padded to an even offset.
    pub(super) fn system_use(&self) -> &'d [u8] {
        let name = usize::from(self.0[32]);
        self.0.get(HEAD + name + usize::from(name % 2 == 0)..).unwrap_or_default()
    }

    fn raw_name(&self) -> &'d [u8] {
        &self.0[HEAD..HEAD + usize::from(self.0[32])]
    }

    /// A 32-bit number stored little-endian, then big-endian.
    fn both32(&self, at: usize) -> Result<usize, CidataError> {
        let little: [u8; 4] = self.0[at..at + 4].try_into().map_err(|_| CidataError::BadRecord)?;
        let big: [u8; 4] = self.0[at + 4..at + 8].try_into().map_err(|_| CidataError::BadRecord)?;
        if u32::from_le_bytes(little) != u32::from_be_bytes(big) {
            return Err(CidataError::ByteOrders("root directory"));
        }
        usize::try_from(u32::from_le_bytes(little)).map_err(|_| CidataError::BadRecord)
    }
}

/// A name without its version, `;1`.
fn strip_version(name: &str) -> &str {
    name.split(';').next().unwrap_or(name)
}

/// The records of a directory's extent. A record does not cross a block; a zero length ends a block.
pub(super) fn entries(
    directory: &[u8],
    most: usize,
) -> impl Iterator<Item = Result<DirectoryRecord<'_>, CidataError>> {
    let mut blocks = directory.chunks(BLOCK);
    let mut block: &[u8] = &[];
    let mut seen = 0;
    let mut failed = false;
    std::iter::from_fn(move || {
        if failed {
            return None;
        }
        let length = loop {
            match block.first() {
                Some(0) | None => block = blocks.next()?,
                Some(length) => break usize::from(*length),
            }
        };
        seen += 1;
        let record = if seen > most {
            Err(CidataError::TooManyEntries)
        } else {
            block.get(..length).ok_or(CidataError::BadRecord).and_then(DirectoryRecord::parse)
        };
        match &record {
            Ok(_) => block = &block[length..],
            Err(_) => failed = true,
        }
        Some(record)
    })
}
