//! The system use entries of ISO 9660 directory records, as far as Rock Ridge hides names in them.
//!
//! Entries may go on elsewhere in the image (`CE`): such a part must lie in one block, and only a few are followed.
//! Follows SUSP (IEEE P1281) and Rock Ridge (IEEE P1282); what is damaged ends the list, as it does for the kernel.

use super::BLOCK;
use super::record::DirectoryRecord;

/// Most parts of one record's entries.
const MAX_PARTS: usize = 4;

/// Longest name that is put together.
const MAX_NAME: usize = 255;

/// What an image's root directory says about Rock Ridge.
#[derive(Debug, Clone, Copy)]
pub(super) struct RockRidge<'i> {
    image: &'i [u8],
    /// Bytes of every system use area that belong to something else.
    skip: usize,
}

impl<'i> RockRidge<'i> {
    /// Rock Ridge, if the record `.` of the root directory announces an extension (`ER`).
    pub(super) fn announced(image: &'i [u8], root: &DirectoryRecord<'i>) -> Option<Self> {
        let probe = Self { image, skip: 0 };
        let mut skip = 0;
        let mut announced = false;
        for (signature, content) in probe.entries(root) {
            match (&signature, content) {
                (b"SP", [0xbe, 0xef, bytes, ..]) => skip = usize::from(*bytes),
                (b"SP", _) => return None,
                (b"ER", _) => announced = true,
                _ => {}
            }
        }
        announced.then_some(Self { image, skip })
    }

    /// Entries without an announcement, as the kernel takes them where there is no Joliet tree either.
    pub(super) fn unannounced(image: &'i [u8]) -> Self {
        Self { image, skip: 0 }
    }

    /// The name of a record, if it has one here and it is text.
    pub(super) fn name(&self, record: &DirectoryRecord<'i>) -> Option<String> {
        let mut name = Vec::new();
        for (signature, content) in self.entries(record) {
            // Bit 0: the name goes on in the next entry. Bits 1 and 2: the directory itself, its parent.
            if let (b"NM", [0 | 1, part @ ..]) = (&signature, content) {
                name.extend_from_slice(part);
                if name.len() > MAX_NAME {
                    return None;
                }
            }
        }
        if name.is_empty() { None } else { String::from_utf8(name).ok() }
    }

    /// Signature and content of each entry.
    fn entries(&self, record: &DirectoryRecord<'i>) -> impl Iterator<Item = ([u8; 2], &'i [u8])> {
        let image = self.image;
        let mut rest = record.system_use().get(self.skip..).unwrap_or_default();
        let mut next: Option<&'i [u8]> = None;
        let mut parts = 1;
        std::iter::from_fn(move || {
            loop {
                let (signature, content, behind) = match rest {
                    [first, second, length, _version, ..]
                        if (4..=rest.len()).contains(&usize::from(*length)) =>
                    {
                        let (entry, behind) = rest.split_at(usize::from(*length));
                        ([*first, *second], &entry[4..], behind)
                    }
                    _ => {
                        rest = next.take().filter(|_| parts < MAX_PARTS)?;
                        parts += 1;
                        continue;
                    }
                };
                rest = behind;
                if signature == *b"CE" {
                    next = part(image, content);
                    continue;
                }
                return Some((signature, content));
            }
        })
    }
}

/// The part of the image that a `CE` entry names: block, offset and length, each in both byte orders.
fn part<'i>(image: &'i [u8], content: &[u8]) -> Option<&'i [u8]> {
    let number = |at: usize| {
        let bytes: [u8; 4] = content.get(at..at + 4)?.try_into().ok()?;
        usize::try_from(u32::from_le_bytes(bytes)).ok()
    };
    let (block, offset, length) = (number(0)?, number(8)?, number(16)?);
    if offset.checked_add(length)? > BLOCK {
        return None;
    }
    let start = block.checked_mul(BLOCK)?.checked_add(offset)?;
    image.get(start..start.checked_add(length)?)
}
