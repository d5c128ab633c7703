//! Directory records of ISO 9660, and the three ways in which they carry a name.
//!
//! A record is parsed from a slice that it must fit into; nothing here follows an extent.

use std::borrow::Cow;

use super::{BLOCK, CidataError};

/// Bytes of a record before its name.
const HEAD: usize = 33;

/// Which names a directory tree has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Names {
    /// Joliet: UCS-2, big-endian.
    Joliet,
    /// ISO 9660 names, with Rock Ridge names beside them if the image was made so.
    Plain,
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

    /// A regular file: no directory, no associated file, in one extent, not interleaved.
    pub(super) fn is_single_file(&self) -> bool {
        self.0[25] & 0x86 == 0 && self.0[26] == 0 && self.0[27] == 0
    }

    /// The name in the form that is compared; none for the two entries that mean the directory and its parent,
    /// and for names that cannot be one of ours.
    pub(super) fn name(&self, names: Names) -> Option<Cow<'d, str>> {
        let raw = &self.0[HEAD..HEAD + usize::from(self.0[32])];
        if matches!(raw, [0] | [1]) {
            return None;
        }
        match names {
            Names::Joliet => {
                let units = raw.chunks_exact(2).map(|pair| u16::from_be_bytes([pair[0], pair[1]]));
                let name: String = char::decode_utf16(units).collect::<Result<_, _>>().ok()?;
                Some(Cow::Owned(strip_version(&name).to_owned()))
            }
            Names::Plain => self.rock_ridge_name().map(Cow::Borrowed).or_else(|| {
                let name = strip_version(std::str::from_utf8(raw).ok()?);
                // ISO names have no hyphen: tools write `_` and cut the first part to eight letters.
                let name = name.strip_suffix('.').unwrap_or(name).to_ascii_lowercase().replace('_', "-");
                Some(Cow::Owned(match name.as_str() {
                    "user-dat" => "user-data".to_owned(),
                    "meta-dat" => "meta-data".to_owned(),
                    "vendor-d" => "vendor-data".to_owned(),
                    "network-" => "network-config".to_owned(),
                    _ => name,
                }))
            }),
        }
    }

    /// The name of a Rock Ridge `NM` entry in the system use area, if there is one in one piece.
    fn rock_ridge_name(&self) -> Option<&'d str> {
        let name_length = usize::from(self.0[32]);
        // The name is padded to an even offset.
        let mut rest = self.0.get(HEAD + name_length + usize::from(name_length % 2 == 0)..)?;
        loop {
            let [first, second, length, _version, content @ ..] = rest else { return None };
            let length = usize::from(*length);
            if length < 4 || length > rest.len() {
                return None;
            }
            if [*first, *second] == *b"NM" {
                // The first byte of the content holds flags; a continued name is none of ours.
                let (flags, name) = content[..length - 4].split_first()?;
                return if *flags == 0 { std::str::from_utf8(name).ok() } else { None };
            }
            rest = &rest[length..];
        }
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
