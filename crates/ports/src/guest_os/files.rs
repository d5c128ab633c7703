//! Files in memory: notes that the stages keep for each other, and files that other programs read.

use std::path::Path;

use crate::error::Result;

/// The folder of the handover, in memory, for root alone; all notes lie in it.
pub const HANDOVER: &str = "/run/countersign";

/// Folder of ours below what containers may mount as `/var/hyperprotect`, in memory; there it is read-only.
pub const PUBLISHED: &str = "/run/countersign/hyperprotect/countersign";

/// Notes that the stages keep for each other until power-off.
pub trait Notes {
    /// Reads the note of this file name in [`HANDOVER`]; an error of the kind [`std::io::ErrorKind::NotFound`] if
    /// nobody wrote it.
    fn note(&self, name: &str) -> Result<Vec<u8>>;
    /// Writes a note, replacing the one that was there. Readers see the old one or the new one, never a part.
    fn keep_note(&self, name: &str, content: &[u8]) -> Result<()>;
    /// Overwrites a note with zeros, where it lies, and removes it. One that is not there is no error.
    fn erase_note(&self, name: &str) -> Result<()>;
    /// Writes a file of this name into the folder [`PUBLISHED`] (mode 0400), replacing the one that was there.
    fn publish(&self, name: &str, content: &[u8]) -> Result<()>;
}

/// Files that other programs of the guest OS read.
pub trait GuestFiles {
    /// Reads a file.
    fn read_file(&self, path: &Path) -> Result<Vec<u8>>;
    /// Writes a file (mode 0644), replacing what was there; folders that it lies in are made.
    fn replace_file(&self, path: &Path, content: &[u8]) -> Result<()>;
    /// Overwrites a file that lies in memory with zeros, where it lies, and removes it. One that is not there is no
    /// error.
    fn erase_file(&self, path: &Path) -> Result<()>;
}
