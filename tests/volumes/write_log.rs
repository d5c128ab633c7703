//! The log of all writes to a disk, in the kernel's form, and disks made again from a part of it.
//!
//! Written by QEMU's `blklogwrites`; the form is that of the kernel's
//! `Documentation/admin-guide/device-mapper/log-writes.rst`: a superblock in the first sector, then for each request
//! a sector with where, how much and flags, followed by the data. All numbers are little-endian.

use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::Path;

use countersign_tests::lab::{MARK_AT, Mark};

/// "hswrshfj", the superblock's magic number.
const MAGIC: u64 = 0x006a_7366_7773_6872;
const FLUSH: u64 = 1;
const FUA: u64 = 2;
const DISCARD: u64 = 4;
/// The unit of offsets and lengths.
const SECTOR: u64 = 512;

/// One write.
#[derive(Debug, Clone)]
pub(crate) struct Entry {
    /// Byte offset on the disk.
    pub at: u64,
    /// What was written; zeros for a discard, which reads as zeros from a raw image.
    pub bytes: Vec<u8>,
}

/// All writes, and where the disk was told to keep what it had.
#[derive(Debug)]
pub(crate) struct WriteLog {
    /// In the order of their completion.
    pub writes: Vec<Entry>,
    /// So many writes came before each flush, ascending.
    pub flushes: Vec<usize>,
}

impl WriteLog {
    /// Reads a log; panics where it is none.
    pub(crate) fn read(path: &Path) -> WriteLog {
        let file = File::open(path).unwrap();
        let number = |at: u64| {
            let mut bytes = [0; 8];
            file.read_exact_at(&mut bytes, at).unwrap();
            u64::from_le_bytes(bytes)
        };
        assert_eq!(number(0), MAGIC, "{}: not a log of writes", path.display());
        let sector_size = number(24) & u64::from(u32::MAX);
        let mut log = WriteLog { writes: Vec::new(), flushes: Vec::new() };
        let mut at = sector_size;
        for _ in 0..number(16) {
            let (sector, sectors, flags) = (number(at), number(at + 8), number(at + 16));
            at += sector_size;
            if flags & FLUSH != 0 {
                log.flushes.push(log.writes.len());
            }
            if flags & DISCARD != 0 {
                log.writes.push(Entry { at: sector * SECTOR, bytes: vec![0; (sectors * SECTOR) as usize] });
            } else if sectors > 0 {
                let mut bytes = vec![0; (sectors * sector_size) as usize];
                file.read_exact_at(&mut bytes, at).unwrap();
                at += bytes.len() as u64;
                log.writes.push(Entry { at: sector * sector_size, bytes });
            }
            if flags & FUA != 0 {
                log.flushes.push(log.writes.len());
            }
        }
        log
    }

    /// The marks on the disk, each with the number of its write.
    pub(crate) fn marks(&self) -> Vec<(usize, Mark)> {
        let writes = self.writes.iter().enumerate().filter(|(_, write)| write.at == MARK_AT);
        writes.filter_map(|(index, write)| Some((index, Mark::read(&write.bytes)?))).collect()
    }
}

/// How a cut differs from one that merely stops.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Kind {
    /// It does not.
    Behind,
    /// The last write is torn.
    Torn,
    /// Writes are lost that no flush had made safe.
    Losing,
}

/// What had reached the disk when the power went.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Cut {
    /// The first so many writes happened.
    pub writes: usize,
    /// But of these nothing reached the disk: it kept them in a cache and was not told to flush.
    pub lost: Vec<usize>,
    /// And of the last one only the first half of its sectors.
    pub torn: bool,
}

impl Cut {
    /// Everything up to here, in order.
    pub(crate) fn after(writes: usize) -> Cut {
        Cut { writes, lost: Vec::new(), torn: false }
    }

    /// Which kind it is.
    pub(crate) fn kind(&self) -> Kind {
        match (self.torn, self.lost.is_empty()) {
            (true, _) => Kind::Torn,
            (false, true) => Kind::Behind,
            (false, false) => Kind::Losing,
        }
    }

    /// A name that says it all.
    pub(crate) fn name(&self) -> String {
        let mut name = format!("after write {}", self.writes);
        if !self.lost.is_empty() {
            name.push_str(&format!(" without {:?}", self.lost));
        }
        if self.torn {
            name.push_str(", torn");
        }
        name
    }

    /// Which writes are wholly or partly there.
    fn kept(&self) -> impl Iterator<Item = usize> + '_ {
        (0..self.writes).filter(|write| !self.lost.contains(write))
    }

    /// Whether the last write or one that is lost is at an offset of this kind.
    pub(crate) fn touches(&self, log: &WriteLog, kind: impl Fn(u64) -> bool) -> bool {
        let last = self.writes.checked_sub(1);
        last.iter().chain(&self.lost).any(|write| kind(log.writes[*write].at))
    }

    /// Makes the disk: `image` holds what was there before the first write.
    pub(crate) fn apply(&self, log: &WriteLog, image: &Path) {
        let file = File::options().write(true).open(image).unwrap();
        for index in self.kept() {
            let Entry { at, bytes } = &log.writes[index];
            let mut length = bytes.len();
            if self.torn && index + 1 == self.writes {
                length = length / 2 / SECTOR as usize * SECTOR as usize;
            }
            file.write_all_at(&bytes[..length], *at).unwrap();
        }
    }

    /// The last mark that was written before the cut. What it speaks of was waited for with a flush before the mark
    /// was written, and what a cut loses comes after the last flush: it must be there whether or not the mark is.
    pub(crate) fn marked(&self, marks: &[(usize, Mark)]) -> Option<Mark> {
        marks.iter().filter(|(write, _)| *write < self.writes).map(|(_, mark)| *mark).max()
    }
}

/// Every cut worth making once the first `start` writes are safe: behind each write in order; inside each write of
/// several sectors; and for each stretch of writes that no flush separates, with the first of them lost, with all but
/// the last lost, and with every other one lost.
pub(crate) fn cuts(log: &WriteLog, mut start: usize) -> Vec<Cut> {
    let mut cuts: Vec<Cut> = (start..=log.writes.len()).map(Cut::after).collect();
    for (index, write) in log.writes.iter().enumerate().skip(start) {
        if write.bytes.len() as u64 >= 2 * SECTOR {
            cuts.push(Cut { torn: true, ..Cut::after(index + 1) });
        }
    }
    for end in log.flushes.iter().copied().chain([log.writes.len()]) {
        if end >= start + 2 {
            cuts.push(Cut { lost: vec![start], ..Cut::after(end) });
            cuts.push(Cut { lost: (start..end - 1).collect(), ..Cut::after(end) });
            cuts.push(Cut { lost: (start..end).step_by(2).collect(), ..Cut::after(end) });
        }
        start = start.max(end);
    }
    cuts.sort_by_key(|cut| (cut.writes, cut.torn, cut.lost.len()));
    cuts.dedup();
    cuts
}

#[test]
fn a_log_is_read_and_cut() {
    // By hand, after the kernel's document: two writes, a flush, a write of two sectors.
    let mut bytes = vec![0u8; 512];
    let put =
        |bytes: &mut [u8], at: usize, value: u64| bytes[at..at + 8].copy_from_slice(&value.to_le_bytes());
    put(&mut bytes, 0, MAGIC);
    put(&mut bytes, 8, 1);
    put(&mut bytes, 16, 4);
    put(&mut bytes, 24, 512);
    for (sector, sectors, flags, byte) in
        [(1, 1, 0, b'a'), (2, 1, 0, b'b'), (0, 0, FLUSH, 0), (4, 2, 0, b'c')]
    {
        let start = bytes.len();
        bytes.resize(start + 512, 0);
        for (field, value) in [sector, sectors, flags].into_iter().enumerate() {
            put(&mut bytes, start + 8 * field, value);
        }
        bytes.extend(std::iter::repeat_n(byte, 512 * sectors as usize));
    }
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("log");
    std::fs::write(&path, bytes).unwrap();
    let log = WriteLog::read(&path);
    assert_eq!((log.writes.len(), &log.flushes[..]), (3, &[2][..]));

    let disk = |cut: &Cut| {
        let image = folder.path().join("image");
        std::fs::write(&image, [0; 6 * 512]).unwrap();
        cut.apply(&log, &image);
        let image = std::fs::read(image).unwrap();
        image
            .chunks(512)
            .map(|sector| if sector[0] == 0 { '.' } else { sector[0] as char })
            .collect::<String>()
    };
    let all = cuts(&log, 0);
    let disks: Vec<String> = all.iter().map(disk).collect();
    assert_eq!(disks, ["......", ".a....", ".ab...", "..b...", ".ab.cc", ".ab.c."]);
    assert_eq!(all[5].name(), "after write 3, torn");
    let behind: Vec<String> = cuts(&log, 2).iter().map(Cut::name).collect();
    assert_eq!(behind, ["after write 2", "after write 3", "after write 3, torn"]);
    assert!(all[3].touches(&log, |at| at == 512) && !all[4].touches(&log, |at| at == 512));
    let marks = [(0, Mark::Open), (1, Mark::File(8)), (2, Mark::File(9))];
    assert_eq!(Cut::after(2).marked(&marks), Some(Mark::File(8)));
    assert_eq!(Cut::after(0).marked(&marks), None);
}
