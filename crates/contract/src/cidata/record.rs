//! Directory records of ISO 9660; see `names` for what they are called.
//!
//! A record is parsed from a slice that it must fit into; nothing here follows an extent.

use super::{BLOCK, CidataError};

/// Bytes of a record before its name.
const HEAD: usize = 33;

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

    /// What stands behind the name, which is padded to an even offset.
    pub(super) fn system_use(&self) -> &'d [u8] {
        let name = usize::from(self.0[32]);
        self.0.get(HEAD + name + usize::from(name % 2 == 0)..).unwrap_or_default()
    }

    /// The name as it is stored.
    pub(super) fn raw_name(&self) -> &'d [u8] {
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
