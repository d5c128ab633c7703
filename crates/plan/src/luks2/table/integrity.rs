//! The table of the dm-integrity device between the disk and dm-crypt, where a volume has integrity.
//!
//! dm-integrity stores the tags that dm-crypt makes and knows no key, so what it could be made to do is to lose or
//! mix up sectors, which the tags show. Its superblock lies on the disk and comes from the host: it decides how long
//! the device is and how much of it is journal, which is why both are read back here and bounded, not predicted.
//!
//! Follows the kernel's documentation of the dm-integrity target (admin-guide/device-mapper/dm-integrity).

use std::collections::BTreeSet;

use super::{Accepted, SECTOR, TableFault, number, one_line};

/// Bytes of HMAC-SHA-256.
pub(super) const TAG_BYTES: u64 = 32;

/// Parameters of the journal's and the tags' layout: any number will do.
const LAYOUT: [&str; 5] =
    ["journal_sectors", "interleave_sectors", "buffer_sectors", "journal_watermark", "commit_time"];

/// One line of a dm-integrity target, as `dmsetup table` prints it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IntegrityTable {
    start: u64,
    length_sectors: u64,
    device: String,
    offset_sectors: u64,
    tag_bytes: u64,
    mode: String,
    block_size: u64,
}

impl IntegrityTable {
    /// Parses a line such as `0 2048 integrity 253:1 32768 32 J 6 block_size:4096 journal_sectors:… fix_padding`.
    ///
    /// # Errors
    /// [`TableFault::Line`]; [`TableFault::Option`] for a tag made by dm-integrity itself, for a device apart, for
    /// sectors that get new tags, and for whatever else no volume of ours has.
    pub fn parse(line: &str) -> Result<Self, TableFault> {
        let mut words = one_line(line)?.split(' ');
        let mut word = || words.next().ok_or(TableFault::Line);
        let start = number(word()?)?;
        let length_sectors = number(word()?)?;
        if word()? != "integrity" {
            return Err(TableFault::Line);
        }
        let device = word()?.to_owned();
        let offset_sectors = number(word()?)?;
        let tag_bytes = number(word()?)?;
        let mode = word()?.to_owned();
        let count = number(word()?)?;
        let options: Vec<&str> = words.collect();
        if count != options.len() as u64 {
            return Err(TableFault::Line);
        }
        let block_size = block_size(&options)?;
        Ok(Self { start, length_sectors, device, offset_sectors, tag_bytes, mode, block_size })
    }

    /// Length of the device in 512-byte sectors.
    pub fn length_sectors(&self) -> u64 {
        self.length_sectors
    }

    /// Compares with an accepted header on a device of `device_size` bytes that is `device` as `major:minor`.
    ///
    /// # Errors
    /// Every field that differs, in the order of the line.
    pub fn compare(
        &self,
        accepted: &Accepted,
        device_size: u64,
        device: &str,
    ) -> Result<(), Vec<TableFault>> {
        let room = device_size.saturating_sub(accepted.data_offset()) / SECTOR;
        let whole = self.length_sectors.is_multiple_of(accepted.sector_size() / SECTOR);
        let checks = [
            (self.start == 0, TableFault::Start),
            (self.length_sectors > 0 && self.length_sectors < room && whole, TableFault::Length),
            (self.device == device, TableFault::Device),
            (self.offset_sectors == accepted.data_offset() / SECTOR, TableFault::Offset),
            (self.tag_bytes == TAG_BYTES, TableFault::Integrity),
            (self.mode == "J", TableFault::Journal),
            (self.block_size == accepted.sector_size(), TableFault::SectorSize),
        ];
        let faults: Vec<TableFault> =
            checks.into_iter().filter(|(holds, _)| !holds).map(|(_, fault)| fault).collect();
        if faults.is_empty() { Ok(()) } else { Err(faults) }
    }
}

/// Bytes of a block; every other parameter must be one that is known, each of them once.
fn block_size(options: &[&str]) -> Result<u64, TableFault> {
    let (mut size, mut seen) = (SECTOR, BTreeSet::new());
    for option in options {
        let name = match option.split_once(':') {
            Some(("block_size", value)) => {
                size = number(value)?;
                "block_size"
            }
            Some((name, value)) if LAYOUT.contains(&name) => {
                number(value)?;
                name
            }
            // How the tags of a block are laid out since Linux 5.4.
            None if *option == "fix_padding" => option,
            _ => return Err(TableFault::Option),
        };
        if !seen.insert(name) {
            return Err(TableFault::Option);
        }
    }
    Ok(size)
}
