//! The partitions of a disk, read from its table, and how `data` is grown to the end of a disk that became larger.
//!
//! Follows the UEFI specification, chapter 5 (GPT). The table is the host's word: a partition is used only where it lies
//! on the disk and apart from the others, by its offset on the whole disk. The kernel's own partitions are not used.
//!
//! Growing decides only which bytes go where in which order; who acts writes them one after the other, each on the
//! device before the next begins. Whatever is not plainly a table with `data` last is left as it is.
//!
//! # Why every cut leaves one good table
//!
//! The primary header at the second block counts if it and its array of entries fit; neither this reader nor Linux looks
//! at the backup. So the primary array in use is never touched: the new one goes beside it, into
//! the free room before the first partition, and the header, one block, is switched last.
//!
//! | cut while writing | partitions afterwards |
//! |---|---|
//! | 1. the protective MBR's size (one block) | the old ones, by the primary header |
//! | 2. the backup array and header at the new end, room that no partition has | the old ones |
//! | 3. the new primary array, in the place that is not in use | the old ones |
//! | 4. the primary header (one block) | the old or the new ones |

use crate::luks2::rewrite::Write;
use crate::volumes::content::is_zero;

/// Bytes to read from the start of the disk: all before the first partition of a volume's disk.
pub const HEAD_BYTES: usize = 1 << 20;

/// Room that is worth growing into; less may be lost to alignment and to the file system's own layout.
pub const WORTH_BYTES: u64 = 16 << 20;

/// Ends of partitions are multiples of this.
const ALIGNMENT: u64 = 1 << 20;
/// Bytes of an entry of the array.
const ENTRY: usize = 128;
/// Most entries of a table that is grown; every tool makes 128.
const MOST_ENTRIES: u32 = 256;
/// Bytes of the fields of a header.
const HEADER: usize = 92;
/// Where the MBR's four entries begin, and how long one is.
const MBR_ENTRIES: usize = 446;
const MBR_ENTRY: usize = 16;
/// The type of the MBR's entry that stands for a GPT.
const GPT_TYPE: u8 = 0xee;

/// Why a table is not used, or not changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum TableFault {
    /// No GPT, or one whose checksums do not hold.
    #[error("expected a GPT whose primary header and entries are whole")]
    Broken,
    /// A form that no volume's disk has.
    #[error("expected a GPT with a protective MBR and its entries at the usual places")]
    Form,
    /// A partition reaches beyond the disk or into another one or into the table itself.
    #[error("expected a GPT whose partitions lie on the disk, apart from each other")]
    Extent,
    /// The partition is not what it was when the boot began, or another one lies behind it.
    #[error("expected data to be the last partition, as it was read before")]
    Partition,
}

impl TableFault {
    /// What lies on a disk with such a table, in the words of a refusal.
    pub const fn found(self) -> &'static str {
        match self {
            TableFault::Broken => "a GPT partition table that is damaged",
            TableFault::Form | TableFault::Partition => "a GPT partition table that no volume's disk has",
            TableFault::Extent => "a GPT partition table whose partitions overlap or reach beyond the disk",
        }
    }
}

/// A partition by its place on the disk.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Partition {
    /// One-based number in the table.
    pub number: u32,
    /// The partition's own GUID, as it stands in the table.
    pub guid: [u8; 16],
    /// Name in the table; what is no UTF-16 is replaced.
    pub name: String,
    /// First byte on the disk.
    pub start: u64,
    /// Bytes.
    pub size: u64,
}

/// The partition as it will be, and what has to be written for it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Growth {
    /// First byte on the disk.
    pub start: u64,
    /// Bytes.
    pub length: u64,
    /// Each on the device before the next.
    pub writes: Vec<Write>,
}

/// The partitions of a table, by number. `head` are the first [`HEAD_BYTES`] of the disk, `disk_size` its bytes.
///
/// The size of a block is the table's own: a table that was made on a disk with blocks of 512 bytes means the same bytes
/// when its disk is attached with blocks of 4096. The primary table counts alone, under a protective MBR, as for Linux.
///
/// # Errors
/// [`TableFault`], also where there is no table.
pub fn read(head: &[u8], disk_size: u64) -> Result<Vec<Partition>, TableFault> {
    let table = Table::read(head)?;
    let blocks = disk_size / table.block;
    if !table.mbr_entries().any(|entry| entry[4] == GPT_TYPE) {
        return Err(TableFault::Form);
    }
    let mut partitions = Vec::new();
    for (number, entry) in (1..).zip(table.entries.chunks_exact(ENTRY)).filter(|(_, entry)| is_used(entry)) {
        let (first, last) = (first_block(entry), number64(entry, 40));
        if first < table.behind() || last < first || last >= blocks {
            return Err(TableFault::Extent);
        }
        let (start, size) = (first * table.block, (last - first + 1) * table.block);
        partitions.push(Partition { number, guid: guid(entry), name: name(entry), start, size });
    }
    let mut places: Vec<_> = partitions.iter().map(|partition| (partition.start, partition.size)).collect();
    places.sort_unstable();
    let apart = places.windows(2).all(|pair| pair[0].0 + pair[0].1 <= pair[1].0);
    if apart { Ok(partitions) } else { Err(TableFault::Extent) }
}

/// How the last partition grows; none where there is no room that is worth it. `head` are the first [`HEAD_BYTES`] of
/// the disk, `disk_size` its bytes.
///
/// # Errors
/// [`TableFault`]; nothing may be written then.
pub fn grow(head: &[u8], disk_size: u64, last: &Partition) -> Result<Option<Growth>, TableFault> {
    let table = Table::read(head)?;
    if !table.is_protected() {
        return Err(TableFault::Form);
    }
    let Table { block, entries_at, first_usable, .. } = table;
    let blocks = disk_size / block;
    let array_blocks = (table.entries.len() as u64).div_ceil(block);
    let (start, end) = table.extent(last)?;
    // The backup is the last block, its array before it.
    let last_usable = blocks.checked_sub(array_blocks + 2).ok_or(TableFault::Form)?;
    let alignment = ALIGNMENT / block;
    let new_end = (last_usable + 1) / alignment * alignment;
    if new_end.saturating_sub(end) * block < WORTH_BYTES {
        return Ok(None);
    }

    // Of two places, the one that is not in use.
    let place = if entries_at == 2 { 2 + array_blocks } else { 2 };
    let behind = place + array_blocks;
    let apart = behind <= entries_at || entries_at + array_blocks <= place;
    if !apart || table.used().any(|entry| first_block(entry) < behind) {
        return Err(TableFault::Form);
    }
    let mut entries = table.entries.to_vec();
    let at = (last.number as usize - 1) * ENTRY;
    entries[at + 40..at + 48].copy_from_slice(&(new_end - 1).to_le_bytes());
    let first_usable = first_usable.max(behind);
    let header = |own: u64, other: u64, array: u64| {
        let mut header = table.header.to_vec();
        for (at, value) in [(24, own), (32, other), (40, first_usable), (48, last_usable), (72, array)] {
            header[at..at + 8].copy_from_slice(&value.to_le_bytes());
        }
        header[88..92].copy_from_slice(&crc32fast::hash(&entries).to_le_bytes());
        header[16..20].fill(0);
        let checksum = crc32fast::hash(&header[..table.header_size]);
        header[16..20].copy_from_slice(&checksum.to_le_bytes());
        header
    };
    let mut array = entries.clone();
    array.resize((array_blocks * block) as usize, 0);
    let backup_at = last_usable + 1;
    let backup = [&array[..], &header(blocks - 1, 1, backup_at)].concat();
    let writes = vec![
        Write { offset: 0, bytes: table.protective(blocks) },
        Write { offset: backup_at * block, bytes: backup },
        Write { offset: place * block, bytes: array },
        Write { offset: block, bytes: header(1, blocks - 1, place) },
    ];
    Ok(Some(Growth { start: start * block, length: (new_end - start) * block, writes }))
}

/// A primary table whose checksums hold.
struct Table<'h> {
    /// Bytes of a block.
    block: u64,
    /// The first block.
    mbr: &'h [u8],
    /// The header's block.
    header: &'h [u8],
    header_size: usize,
    first_usable: u64,
    entries_at: u64,
    entries: &'h [u8],
}

impl<'h> Table<'h> {
    fn read(head: &'h [u8]) -> Result<Table<'h>, TableFault> {
        let signed = |block: &usize| head.get(*block..).is_some_and(|rest| rest.starts_with(b"EFI PART"));
        let block = [512, 4096].into_iter().find(signed).ok_or(TableFault::Broken)?;
        let header = head.get(block..2 * block).ok_or(TableFault::Broken)?;
        let header_size = number32(header, 12) as usize;
        if !(HEADER..=block).contains(&header_size) {
            return Err(TableFault::Broken);
        }
        let mut unsummed = header[..header_size].to_vec();
        unsummed[16..20].fill(0);
        let (count, size) = (number32(header, 80), number32(header, 84));
        let entries_at = number64(header, 72);
        if crc32fast::hash(&unsummed) != number32(header, 16) || number64(header, 24) != 1 {
            return Err(TableFault::Broken);
        }
        if size as usize != ENTRY || count > MOST_ENTRIES || entries_at < 2 {
            return Err(TableFault::Form);
        }
        let start = usize::try_from(entries_at).ok().and_then(|at| at.checked_mul(block));
        let range = start.and_then(|start| Some(start..start.checked_add(count as usize * ENTRY)?));
        let entries = range.and_then(|range| head.get(range)).ok_or(TableFault::Form)?;
        if crc32fast::hash(entries) != number32(header, 88) {
            return Err(TableFault::Broken);
        }
        let mbr = &head[..block];
        if mbr[510..512] != [0x55, 0xaa] {
            return Err(TableFault::Form);
        }
        let first_usable = number64(header, 40);
        Ok(Table { block: block as u64, mbr, header, header_size, first_usable, entries_at, entries })
    }

    /// Entries with a type.
    fn used(&self) -> impl Iterator<Item = &'h [u8]> {
        self.entries.chunks_exact(ENTRY).filter(|entry| is_used(entry))
    }

    /// The four entries of the MBR.
    fn mbr_entries(&self) -> impl Iterator<Item = &'h [u8]> {
        self.mbr[MBR_ENTRIES..510].chunks_exact(MBR_ENTRY)
    }

    /// Whether the MBR has one entry, of the type GPT, and none beside it.
    fn is_protected(&self) -> bool {
        let mut entries = self.mbr_entries();
        entries.next().is_some_and(|first| first[4] == GPT_TYPE) && entries.all(is_zero)
    }

    /// The first block behind header and entries.
    fn behind(&self) -> u64 {
        self.entries_at + (self.entries.len() as u64).div_ceil(self.block)
    }

    /// First block of the last partition, and the block behind it.
    fn extent(&self, last: &Partition) -> Result<(u64, u64), TableFault> {
        let index = (last.number as usize).checked_sub(1).ok_or(TableFault::Partition)?;
        let entry = self.entries.chunks_exact(ENTRY).nth(index).ok_or(TableFault::Partition)?;
        let (start, end) = (first_block(entry), number64(entry, 40).saturating_add(1));
        let bytes = |blocks: u64| blocks.checked_mul(self.block);
        let placed = bytes(start) == Some(last.start);
        let sized = end.checked_sub(start).and_then(bytes) == Some(last.size);
        let behind = self.used().filter(|other| first_block(other) > start).count();
        let alone = self.used().filter(|other| first_block(other) == start).count() == 1;
        let same = placed && sized && name(entry) == last.name;
        if same && behind == 0 && alone { Ok((start, end)) } else { Err(TableFault::Partition) }
    }

    /// The first block, its one partition over the whole disk; the field has 32 bits.
    fn protective(&self, blocks: u64) -> Vec<u8> {
        let mut mbr = self.mbr.to_vec();
        let covered = u32::try_from(blocks - 1).unwrap_or(u32::MAX);
        mbr[458..462].copy_from_slice(&covered.to_le_bytes());
        mbr
    }
}

/// An entry without a type is no partition.
fn is_used(entry: &[u8]) -> bool {
    !is_zero(&entry[..16])
}

/// The partition's own GUID, behind that of its type.
fn guid(entry: &[u8]) -> [u8; 16] {
    let mut guid = [0; 16];
    guid.copy_from_slice(&entry[16..32]);
    guid
}

/// The name of an entry, UTF-16 up to its first zero.
fn name(entry: &[u8]) -> String {
    let units = entry[56..].chunks_exact(2).map(|unit| u16::from_le_bytes([unit[0], unit[1]]));
    let units: Vec<u16> = units.take_while(|unit| *unit != 0).collect();
    String::from_utf16_lossy(&units)
}

fn first_block(entry: &[u8]) -> u64 {
    number64(entry, 32)
}

fn number32(bytes: &[u8], at: usize) -> u32 {
    bytes[at..at + 4].iter().rev().fold(0, |number, byte| number << 8 | u32::from(*byte))
}

fn number64(bytes: &[u8], at: usize) -> u64 {
    bytes[at..at + 8].iter().rev().fold(0, |number, byte| number << 8 | u64::from(*byte))
}

#[cfg(test)]
mod tests;
