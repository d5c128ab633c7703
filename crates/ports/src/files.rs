//! Files of the new root, and the change to it.

use std::path::Path;

use crate::error::Result;

/// Files of the new root and of the handover, all of them in guest memory or on encrypted scratch.
pub trait Files {
    /// Makes a directory and its parents.
    fn make_directory(&self, path: &Path, mode: u32) -> Result<()>;
    /// Writes a new file; refuses to follow a symbolic link or to replace a file.
    fn write(&self, path: &Path, mode: u32, content: &[u8]) -> Result<()>;
    /// Makes a symbolic link.
    fn symlink(&self, target: &Path, link: &Path) -> Result<()>;
    /// Makes `new_root` the root, deletes what the initramfs held, and executes `init` with `arguments`. Returns only
    /// on failure.
    fn switch_root(&self, new_root: &Path, init: &Path, arguments: &[&str]) -> Result<()>;
}
