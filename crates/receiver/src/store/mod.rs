//! The folder of records: lines of JSON in files that are begun anew at a size, on disk before they count.
//!
//! ```text
//! lock                      held while a receiver runs: two on one folder would write into each other
//! records-00000001.jsonl    the oldest that is kept
//! records-00000002.jsonl    …
//! ```
//!
//! [`Store::append`] writes whole lines or none: what a full disk leaves of one is taken back. [`Store::sync`] returns
//! when everything up to a mark is on disk; conversations that end side by side share one system call. A disk that
//! fails to sync may have dropped what it was given and say nothing the next time (fsync(2), "EIO"): after a failure the
//! file is left, every mark in it fails, and the senders send again.

mod segments;
#[cfg(test)]
mod tests;

use std::fs::{DirBuilder, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

use nix::errno::Errno;
use nix::fcntl::{Flock, FlockArg};
use thiserror::Error;

pub use segments::{Segment, list};

/// Bytes after which a file is ended.
pub const SEGMENT: u64 = 64 << 20;

/// Why the folder does not take records.
#[derive(Debug, Error)]
pub enum StoreError {
    /// Another receiver has the folder.
    #[error(
        "{0}: expected no other receiver on this folder; give this one a folder of its own, or end the other"
    )]
    Taken(PathBuf),
    /// A file or the folder cannot be used.
    #[error("{path}: {error}")]
    File {
        /// Which.
        path: PathBuf,
        /// What the system says.
        error: io::Error,
    },
    /// The disk is full, or a quota is used up.
    #[error(
        "{0}: the disk is full; records are refused until there is space, and what was confirmed is kept"
    )]
    Full(PathBuf),
    /// What was written since may not be on disk.
    #[error("what was written is not surely on disk")]
    Lost,
}

impl StoreError {
    fn of(path: &Path, error: io::Error) -> StoreError {
        match error.kind() {
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => StoreError::Full(path.to_owned()),
            _ => StoreError::File { path: path.to_owned(), error },
        }
    }
}

/// How far something was written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Mark {
    /// Bytes since the store was opened.
    through: u64,
    /// Failed syncs before it.
    failures: u64,
}

impl Mark {
    /// Whether everything up to an earlier mark can still be relied on when this one is synced.
    pub fn follows(self, earlier: Mark) -> bool {
        self.failures == earlier.failures
    }
}

/// The folder, held by this process alone.
#[derive(Debug)]
pub struct Store {
    folder: PathBuf,
    segment: u64,
    keep: Option<usize>,
    writer: Mutex<Writer>,
    /// Up to where all is on disk.
    synced: Mutex<Mark>,
    _lock: Flock<File>,
}

#[derive(Debug)]
struct Writer {
    file: File,
    number: u64,
    length: u64,
    mark: Mark,
}

impl Store {
    /// Opens the folder, made where it is missing, for its owner alone. A line that an earlier process left unfinished
    /// is taken back: it was never confirmed. Files beyond `keep` are removed, the oldest first; none without it.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn open(folder: &Path, segment: u64, keep: Option<usize>) -> Result<Store, StoreError> {
        let failed = |error| StoreError::of(folder, error);
        DirBuilder::new().recursive(true).mode(0o700).create(folder).map_err(failed)?;
        let lock = lock(folder)?;
        let last = segments::list(folder).map_err(failed)?.pop();
        let (file, number, length) = match last {
            None => (create(folder, 1)?, 1, 0),
            Some(last) => {
                let length = segments::mend(&last.path).map_err(|error| StoreError::of(&last.path, error))?;
                (
                    append_to(&last.path).map_err(|error| StoreError::of(&last.path, error))?,
                    last.number,
                    length,
                )
            }
        };
        let mark = Mark { through: 0, failures: 0 };
        let writer = Mutex::new(Writer { file, number, length, mark });
        Ok(Store { folder: folder.to_owned(), segment, keep, writer, synced: Mutex::new(mark), _lock: lock })
    }

    /// Writes whole lines. They are on disk when [`Store::sync`] has returned for the mark.
    ///
    /// # Errors
    /// [`StoreError`]; then nothing of them is there.
    pub fn append(&self, lines: &[u8]) -> Result<Mark, StoreError> {
        let mut writer = held(&self.writer);
        if writer.length > 0 && writer.length + lines.len() as u64 > self.segment {
            self.turn(&mut writer)?;
        }
        if let Err(error) = writer.file.write_all(lines) {
            let path = segments::path(&self.folder, writer.number);
            // What is there of them goes; where even that fails no line may follow them.
            if writer.file.set_len(writer.length).is_err() {
                self.leave(&mut writer)?;
            }
            return Err(StoreError::of(&path, error));
        }
        writer.length += lines.len() as u64;
        writer.mark.through += lines.len() as u64;
        Ok(writer.mark)
    }

    /// Returns when everything up to the mark is on disk.
    ///
    /// # Errors
    /// [`StoreError`]; then it may not be.
    pub fn sync(&self, mark: Mark) -> Result<(), StoreError> {
        let mut synced = held(&self.synced);
        if mark.failures != synced.failures {
            return Err(StoreError::Lost);
        }
        if mark.through <= synced.through {
            return Ok(());
        }
        let (file, now, number) = {
            let writer = held(&self.writer);
            if writer.mark.failures != mark.failures {
                *synced = writer.mark;
                return Err(StoreError::Lost);
            }
            (writer.file.try_clone(), writer.mark, writer.number)
        };
        if let Err(error) = file.and_then(|file| file.sync_data()) {
            let mut writer = held(&self.writer);
            let left = self.leave(&mut writer);
            *synced = Mark { through: synced.through, failures: writer.mark.failures };
            left?;
            return Err(StoreError::of(&segments::path(&self.folder, number), error));
        }
        *synced = now;
        Ok(())
    }

    /// How far everything was written.
    pub fn mark(&self) -> Mark {
        held(&self.writer).mark
    }

    /// The folder.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// Ends the file and begins the next.
    fn turn(&self, writer: &mut Writer) -> Result<(), StoreError> {
        if let Err(error) = writer.file.sync_data() {
            let path = segments::path(&self.folder, writer.number);
            self.leave(writer)?;
            return Err(StoreError::of(&path, error));
        }
        self.begin(writer)?;
        if let Some(keep) = self.keep {
            let failed = |error| StoreError::of(&self.folder, error);
            let all = segments::list(&self.folder).map_err(failed)?;
            for old in all.iter().take(all.len().saturating_sub(keep.max(1))) {
                std::fs::remove_file(&old.path).map_err(|error| StoreError::of(&old.path, error))?;
            }
        }
        Ok(())
    }

    /// Leaves a file that cannot be relied on; no mark before counts any more.
    fn leave(&self, writer: &mut Writer) -> Result<(), StoreError> {
        writer.mark.failures += 1;
        self.begin(writer)
    }

    fn begin(&self, writer: &mut Writer) -> Result<(), StoreError> {
        let number = writer.number + 1;
        writer.file = create(&self.folder, number)?;
        (writer.number, writer.length) = (number, 0);
        Ok(())
    }
}

/// What a thread that panicked left is whole: it is changed by single assignments.
fn held<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn lock(folder: &Path) -> Result<Flock<File>, StoreError> {
    let path = folder.join("lock");
    let mut options = OpenOptions::new();
    let file = options.write(true).create(true).truncate(false).mode(0o600).open(&path);
    let file = file.map_err(|error| StoreError::of(&path, error))?;
    Flock::lock(file, FlockArg::LockExclusiveNonblock).map_err(|(_, error)| match error {
        Errno::EWOULDBLOCK => StoreError::Taken(folder.to_owned()),
        error => StoreError::of(&path, error.into()),
    })
}

fn append_to(path: &Path) -> io::Result<File> {
    OpenOptions::new().append(true).open(path)
}

/// A new file, whose name is on disk as well.
fn create(folder: &Path, number: u64) -> Result<File, StoreError> {
    let path = segments::path(folder, number);
    let mut options = OpenOptions::new();
    let made = options.append(true).create_new(true).mode(0o600).open(&path);
    let file = made.map_err(|error| StoreError::of(&path, error))?;
    File::open(folder).and_then(|folder| folder.sync_all()).map_err(|error| StoreError::of(folder, error))?;
    Ok(file)
}
