//! The files of the folder: their names, their order, and a line that was not finished.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};

const BEFORE: &str = "records-";
const BEHIND: &str = ".jsonl";
/// Bytes that are looked at at once for the end of the last line.
const PIECE: u64 = 64 << 10;

/// A file of records.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Segment {
    /// From 1, in order of age.
    pub number: u64,
    /// Where it is.
    pub path: PathBuf,
}

/// The path of a number.
pub(super) fn path(folder: &Path, number: u64) -> PathBuf {
    folder.join(format!("{BEFORE}{number:08}{BEHIND}"))
}

/// All files of records in a folder, the oldest first.
///
/// # Errors
/// The folder cannot be read.
pub fn list(folder: &Path) -> io::Result<Vec<Segment>> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        let number = name.strip_prefix(BEFORE).and_then(|rest| rest.strip_suffix(BEHIND));
        if let Some(number) = number.and_then(|number| number.parse().ok()) {
            found.push(Segment { number, path });
        }
    }
    found.sort_by_key(|segment| segment.number);
    Ok(found)
}

/// Takes back what follows the last line feed. Returns the length that is left.
pub(super) fn mend(path: &Path) -> io::Result<u64> {
    let mut file: File = OpenOptions::new().read(true).write(true).open(path)?;
    let length = file.metadata()?.len();
    let mut end = length;
    let mut piece = Vec::new();
    while end > 0 {
        let begin = end.saturating_sub(PIECE);
        file.seek(SeekFrom::Start(begin))?;
        piece.clear();
        (&file).take(end - begin).read_to_end(&mut piece)?;
        if let Some(at) = piece.iter().rposition(|byte| *byte == b'\n') {
            end = begin + at as u64 + 1;
            break;
        }
        end = begin;
    }
    if end < length {
        file.set_len(end)?;
        file.sync_data()?;
    }
    Ok(end)
}
