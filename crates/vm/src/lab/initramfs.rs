//! Appends test-only files to an initramfs: the image key and the record of the guest OS.
//!
//! The kernel unpacks archives in a row, later files over earlier ones (its `buffer-format` document), so the shipped
//! archive stays as it is. A Secure Execution image would carry these files encrypted; here they are in the open.

use std::io::Write;
use std::path::{Path, PathBuf};

use crate::error::{Error, Result};

/// A file of the appended archive.
#[derive(Debug)]
pub struct Entry<'a> {
    /// Path without a leading slash; its folders are made, mode 0755.
    pub path: &'a str,
    /// Permission bits.
    pub mode: u32,
    /// Contents.
    pub bytes: Vec<u8>,
}

/// Regular file and folder in the mode field, as in `stat(2)`.
const FILE: u32 = 0o100_000;
const FOLDER: u32 = 0o040_000;

/// Writes `base` followed by an archive of `entries` to `target`.
///
/// # Errors
/// [`Error::Io`].
pub fn append(base: &Path, entries: &[Entry<'_>], target: &Path) -> Result<PathBuf> {
    let mut image = std::fs::read(base).map_err(Error::at(base))?;
    // An archive begins at a multiple of four; zeros between archives are skipped.
    image.resize(image.len().next_multiple_of(4), 0);
    image.extend(archive(entries));
    super::write(target, image)
}

/// A cpio archive in the format `newc`, uncompressed.
#[must_use]
pub fn archive(entries: &[Entry<'_>]) -> Vec<u8> {
    let mut out = Vec::new();
    let mut number = 0;
    let mut add = |path: &str, mode: u32, bytes: &[u8]| {
        number += 1;
        member(&mut out, number, path, mode, bytes);
    };
    let mut folders: Vec<&str> = Vec::new();
    for entry in entries {
        for (at, _) in entry.path.match_indices('/') {
            let folder = &entry.path[..at];
            if !folders.contains(&folder) {
                folders.push(folder);
                add(folder, FOLDER | 0o755, b"");
            }
        }
        add(entry.path, FILE | entry.mode, &entry.bytes);
    }
    member(&mut out, 0, "TRAILER!!!", 0, b"");
    out
}

/// Header of thirteen 8-digit fields, name, contents; name and contents padded to four.
fn member(out: &mut Vec<u8>, number: u32, path: &str, mode: u32, bytes: &[u8]) {
    let (size, name_size) = (bytes.len(), path.len() + 1);
    let links = if mode & FOLDER != 0 { 2 } else { 1 };
    // Writing to memory does not fail.
    let _ = write!(
        out,
        "070701{number:08X}{mode:08X}{owner:08X}{owner:08X}{links:08X}{owner:08X}{size:08X}{device}{name_size:08X}{owner:08X}{path}\0",
        owner = 0,
        device = "0".repeat(4 * 8),
    );
    out.resize(out.len().next_multiple_of(4), 0);
    out.extend(bytes);
    out.resize(out.len().next_multiple_of(4), 0);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::process::{run, text, tied};

    #[test]
    fn the_archive_is_one_to_the_cpio_program() {
        let folder = tempfile::tempdir().unwrap();
        let entries = [
            Entry { path: "etc/countersign/image-key.pem", mode: 0o400, bytes: b"key\n".to_vec() },
            Entry { path: "etc/countersign/image.json", mode: 0o444, bytes: b"{}".to_vec() },
        ];
        let archive = archive(&entries);
        let mut list = tied("cpio");
        list.args(["--list", "--verbose", "--numeric-uid-gid", "--quiet"]);
        let rows: Vec<Vec<String>> = text(list, &archive)
            .unwrap()
            .lines()
            .map(|line| line.split_ascii_whitespace().map(str::to_owned).collect())
            .collect();
        let seen: Vec<_> =
            rows.iter().map(|r| (r[0].as_str(), r[2].as_str(), r[3].as_str(), r[8].as_str())).collect();
        assert_eq!(
            seen,
            [
                ("drwxr-xr-x", "0", "0", "etc"),
                ("drwxr-xr-x", "0", "0", "etc/countersign"),
                ("-r--------", "0", "0", "etc/countersign/image-key.pem"),
                ("-r--r--r--", "0", "0", "etc/countersign/image.json"),
            ]
        );
        let mut unpack = tied("cpio");
        unpack.args(["--extract", "--quiet", "--make-directories"]).current_dir(folder.path());
        run(unpack, &archive).unwrap();
        assert_eq!(std::fs::read(folder.path().join(entries[0].path)).unwrap(), b"key\n");
    }

    #[test]
    fn the_second_archive_begins_at_a_multiple_of_four() {
        let folder = tempfile::tempdir().unwrap();
        let base = super::super::write(&folder.path().join("base"), "12345").unwrap();
        let entries = [Entry { path: "a", mode: 0o444, bytes: Vec::new() }];
        let target = append(&base, &entries, &folder.path().join("both")).unwrap();
        let image = std::fs::read(target).unwrap();
        assert_eq!(&image[..8], b"12345\0\0\0");
        assert_eq!(image[8..], archive(&entries));
    }
}
