//! How a LUKS2 header is changed on a disk, so that the power may fail at any byte.
//!
//! Decides only which bytes go where in which order; who acts writes them one after the other, each on the device
//! before the next begins.
//!
//! # Why every cut leaves a header that opens
//!
//! A header is changed from O (one key slot, the old passphrase) to N (one key slot, the new one). N's key material
//! lies where O has none: the library takes a free area. Both headers stand in two copies, primary and secondary,
//! and N's sequence number is the greater one.
//!
//! | cut while writing | on the disk afterwards | opens with |
//! |---|---|---|
//! | 1. N's key material | O in both copies; O's material untouched | old |
//! | 2. N's secondary copy | O's primary, a secondary that is torn (its checksum fails), O or N | old, or new if N |
//! | 3. N's primary copy | N's secondary, a primary that is torn, O or N | new |
//! | 4. zeros over O's material | N in both copies; N's material untouched | new |
//!
//! In row 2 and 3 the two copies differ. [`super::read`] then takes the sound one, the newer if both are sound, and
//! [`repair`] makes the other from it. Whichever passphrase opens, the contract that asked for the change has both,
//! so the next boot goes on from there: with the old one it begins again at 1, with the new one it repairs and wipes.
//!
//! LUKS1 has one copy of its header and is never changed.

use super::binary::{self, BINARY_LEN};
use super::fault::HeaderCopy;
use super::judge::BLOCK;
use super::{Accepted, Interrupted};
use crate::volumes::content::{UNFINISHED, UNFINISHED_DISK, Unfinished, is_zero};

/// Bytes for one place of a device.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Write {
    /// Where they begin on the device.
    pub offset: u64,
    /// What is written.
    pub bytes: Vec<u8>,
}

impl Write {
    /// The same change to a copy of the header in memory.
    pub fn apply(&self, header: &mut Vec<u8>) {
        // Offsets are those of a header of at most 32 MiB.
        let start = usize::try_from(self.offset).unwrap_or(usize::MAX);
        let end = start.saturating_add(self.bytes.len());
        if header.len() < end {
            header.resize(end, 0);
        }
        header[start..end].copy_from_slice(&self.bytes);
    }
}

/// The broken copy of an interrupted header, made anew from the sound one.
pub fn repair(header: &[u8], interrupted: &Interrupted) -> Write {
    let length = u64::from(interrupted.header().header_size());
    let (sound, broken, copy) = match interrupted.sound {
        HeaderCopy::Primary => (0, length, HeaderCopy::Secondary),
        HeaderCopy::Secondary => (length, 0, HeaderCopy::Primary),
    };
    let mut bytes = part(header, sound, length).to_vec();
    binary::readdress(&mut bytes, copy, broken);
    Write { offset: broken, bytes }
}

/// The writes, in their order, that put the header `new` with its one key slot onto the disk of another header.
pub fn replacement(new: &[u8], accepted: &Accepted) -> Vec<Write> {
    let length = accepted.copy_len();
    let areas = accepted.slots().iter().map(|slot| slot.area());
    let copies = [(length, length), (0, length)];
    areas
        .chain(copies)
        .map(|(offset, length)| Write { offset, bytes: part(new, offset, length).to_vec() })
        .collect()
}

/// Zeros for what lies in the key slots area and belongs to no key slot, such as the material of a removed one.
/// `header` holds the first [`Accepted::header_len`] bytes of the device; what is zero already is left out.
pub fn wipe(header: &[u8], accepted: &Accepted) -> Vec<Write> {
    let mut writes: Vec<Write> = Vec::new();
    let mut at = 2 * accepted.copy_len();
    while at < accepted.header_len() {
        let used = accepted.slots().iter().any(|slot| {
            let (offset, length) = slot.area();
            at >= offset && at < offset + length
        });
        let block = part(header, at, BLOCK);
        if !used && !is_zero(block) {
            match writes.last_mut() {
                Some(last) if last.offset + last.bytes.len() as u64 == at => {
                    last.bytes.resize(last.bytes.len() + block.len(), 0);
                }
                _ => writes.push(Write { offset: at, bytes: vec![0; block.len()] }),
            }
        }
        at += BLOCK;
    }
    writes
}

/// The first block of a device while a volume is being made on it; `offset` is where it begins.
pub fn unfinished(what: Unfinished, offset: u64) -> Write {
    let mark = match what {
        Unfinished::Container => UNFINISHED,
        Unfinished::Disk => UNFINISHED_DISK,
    };
    let mut bytes = mark.to_vec();
    bytes.resize(BINARY_LEN, 0);
    Write { offset, bytes }
}

/// The writes, in their order, that put a new header onto a device that is marked as [`unfinished`]: the mark goes
/// last, and with it comes what makes the rest a header.
pub fn first(header: &[u8]) -> [Write; 2] {
    let (start, rest) = header.split_at(header.len().min(BINARY_LEN));
    [Write { offset: BINARY_LEN as u64, bytes: rest.to_vec() }, Write { offset: 0, bytes: start.to_vec() }]
}

/// Up to `length` bytes at `offset`.
fn part(header: &[u8], offset: u64, length: u64) -> &[u8] {
    let bound = |at: u64| usize::try_from(at).unwrap_or(usize::MAX).min(header.len());
    &header[bound(offset)..bound(offset.saturating_add(length))]
}
