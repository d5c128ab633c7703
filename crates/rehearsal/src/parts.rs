//! Partitions: real tables on the disks of the double, and bytes that lie at one place whatever they are called by.

use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use gpt::mbr::ProtectiveMBR;
use gpt::partition_types::LINUX_FS;
use gpt::{GptConfig, GptError};

use super::State;
use countersign_ports::Disk;

/// Where the first partition begins.
const FIRST: u64 = 1 << 20;
/// Bytes of a block.
const BLOCK: u64 = 512;

/// A disk as it is attached, with a GPT of these partitions: name and bytes of each, one behind the other.
#[derive(Debug, Clone)]
pub struct Attached {
    /// The disk.
    pub disk: Disk,
    /// Its partitions; no table without them.
    pub partitions: Vec<(String, u64)>,
}

impl From<Disk> for Attached {
    fn from(disk: Disk) -> Attached {
        Attached { disk, partitions: Vec::new() }
    }
}

impl Attached {
    /// The same on a disk of so many bytes.
    #[must_use]
    pub fn enlarged(mut self, size: u64) -> Attached {
        self.disk.size = size;
        self
    }
}

/// A place on a disk.
pub(super) type Place = (PathBuf, u64);

impl State {
    /// Writes a table and lets tests call its partitions `/dev/vdd1`.
    pub(super) fn part(&mut self, disk: &Disk, partitions: &[(String, u64)]) -> Result<(), GptError> {
        let medium = Medium { state: self, disk, at: 0 };
        let mut table = GptConfig::new().writable(true).create_from_device(medium, None)?;
        let (mut start, mut places) = (FIRST, Vec::new());
        for (number, (name, size)) in (1..).zip(partitions) {
            table.add_partition_at(name, number, start / BLOCK, size / BLOCK, LINUX_FS, 0)?;
            places.push((PathBuf::from(format!("{}{number}", disk.path.display())), start));
            start += size;
        }
        let mut medium = table.write()?;
        let covered = u32::try_from(disk.size / BLOCK - 1).unwrap_or(u32::MAX);
        ProtectiveMBR::with_lb_size(covered).overwrite_lba0(&mut medium).map_err(io::Error::other)?;
        let places = places.into_iter().map(|(path, start)| (path, (disk.path.clone(), start)));
        self.parts.extend(places);
        Ok(())
    }

    /// Where a device's first byte lies.
    pub(super) fn place(&self, device: &Path) -> Place {
        self.parts.get(device).cloned().unwrap_or_else(|| (device.to_owned(), 0))
    }
}

/// A disk as the library writes to it.
#[derive(Debug)]
struct Medium<'s> {
    state: &'s mut State,
    disk: &'s Disk,
    at: u64,
}

impl Read for Medium<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        buffer.copy_from_slice(&self.state.get(&self.disk.path, self.at, buffer.len()));
        self.at += buffer.len() as u64;
        Ok(buffer.len())
    }
}

impl Write for Medium<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.state.put(&self.disk.path, self.at, bytes);
        self.at += bytes.len() as u64;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Seek for Medium<'_> {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        let (from, by) = match to {
            SeekFrom::Start(at) => (at, 0),
            SeekFrom::End(by) => (self.disk.size, by),
            SeekFrom::Current(by) => (self.at, by),
        };
        self.at = from.checked_add_signed(by).ok_or(io::ErrorKind::InvalidInput)?;
        Ok(self.at)
    }
}
