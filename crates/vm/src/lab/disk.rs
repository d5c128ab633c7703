//! Disk images: sparse files, their fingerprint, and what is in their raw bytes.
//!
//! Holes are skipped by asking the file system for them, so that a large empty disk costs nothing.

use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};

use nix::errno::Errno;
use nix::unistd::{Whence, lseek64};

use crate::error::{Error, Result};
use crate::process::{feed, tied};

/// Unit in which zeros are told from data, in bytes.
const BLOCK: usize = 4096;

/// A new raw image of `bytes`, all zero, that takes no space yet.
///
/// # Errors
/// [`Error::Io`], also when the file is there already.
pub fn create(path: &Path, bytes: u64) -> Result<PathBuf> {
    let file = File::create_new(path).map_err(Error::at(path))?;
    file.set_len(bytes).map_err(Error::at(path))?;
    Ok(path.to_owned())
}

/// SHA-256, as hex, over the size and over every block that is not zero, with its place: two images have the same
/// fingerprint exactly when they are equal byte for byte, however they are stored.
///
/// # Errors
/// [`Error::Io`] or [`Error::Program`].
pub fn fingerprint(path: &Path) -> Result<String> {
    let mut command = tied("openssl");
    command.args(["dgst", "-sha256", "-r"]);
    let line = feed(command, |pipe| {
        let mut file = File::open(path)?;
        pipe.write_all(&file.metadata()?.len().to_be_bytes())?;
        let mut block = [0; BLOCK];
        for (start, end) in extents(&file)? {
            let mut offset = start - start % BLOCK as u64;
            while offset < end {
                file.seek(SeekFrom::Start(offset))?;
                let length = fill(&mut file, &mut block)?;
                if block[..length] != [0; BLOCK][..length] {
                    pipe.write_all(&offset.to_be_bytes())?;
                    pipe.write_all(&block[..length])?;
                }
                offset += BLOCK as u64;
            }
        }
        Ok(())
    })?;
    let line = String::from_utf8_lossy(&line).into_owned();
    line.split(' ').next().map(str::to_owned).ok_or_else(|| Error::format("openssl dgst", "a digest"))
}

/// Where the file holds data, as (first byte, byte after the last); the rest reads as zeros.
pub(super) fn extents(file: &File) -> std::io::Result<Vec<(u64, u64)>> {
    let size = file.metadata()?.len();
    let mut extents = Vec::new();
    let seek = |from: u64, whence| -> nix::Result<u64> {
        let from = i64::try_from(from).map_err(|_| Errno::EOVERFLOW)?;
        u64::try_from(lseek64(file, from, whence)?).map_err(|_| Errno::EOVERFLOW)
    };
    let mut at = 0;
    while at < size {
        let start = match seek(at, Whence::SeekData) {
            Ok(start) => start,
            // Nothing but a hole up to the end.
            Err(Errno::ENXIO) => break,
            Err(error) => return Err(error.into()),
        };
        at = seek(start, Whence::SeekHole)?;
        extents.push((start, at));
    }
    Ok(extents)
}

fn fill(file: &mut File, block: &mut [u8]) -> std::io::Result<usize> {
    let mut length = 0;
    while length < block.len() {
        match file.read(&mut block[length..])? {
            0 => break,
            more => length += more,
        }
    }
    Ok(length)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::{FileExt, MetadataExt};

    fn image(folder: &Path, name: &str) -> PathBuf {
        create(&folder.join(name), 64 << 20).unwrap()
    }

    fn put(path: &Path, at: u64, bytes: &[u8]) {
        File::options().write(true).open(path).unwrap().write_all_at(bytes, at).unwrap();
    }

    #[test]
    fn a_new_disk_takes_no_space_and_none_is_overwritten() {
        let folder = tempfile::tempdir().unwrap();
        let path = image(folder.path(), "a");
        let metadata = std::fs::metadata(&path).unwrap();
        assert_eq!((metadata.len(), metadata.blocks()), (64 << 20, 0));
        create(&path, 1).unwrap_err();
    }

    #[test]
    fn the_fingerprint_is_of_the_content_alone() {
        let folder = tempfile::tempdir().unwrap();
        let [sparse, full, other, moved] =
            ["sparse", "full", "other", "moved"].map(|name| image(folder.path(), name));
        put(&full, 0, &vec![0; 64 << 20]);
        let empty = fingerprint(&sparse).unwrap();
        assert_eq!(empty, fingerprint(&full).unwrap());
        for path in [&sparse, &full] {
            put(path, (40 << 20) + 5, b"x");
        }
        put(&other, (40 << 20) + 6, b"x");
        put(&moved, (41 << 20) + 5, b"x");
        let marked = fingerprint(&sparse).unwrap();
        assert_eq!(marked, fingerprint(&full).unwrap());
        assert_ne!(marked, empty);
        assert_ne!(marked, fingerprint(&other).unwrap());
        assert_ne!(marked, fingerprint(&moved).unwrap());
        File::options().write(true).open(&sparse).unwrap().set_len(65 << 20).unwrap();
        assert_ne!(marked, fingerprint(&sparse).unwrap());
    }
}
