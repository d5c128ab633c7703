//! Mapped devices: a number, a size and a table for each.

use std::io;
use std::path::{Path, PathBuf};

use super::State;
use countersign_ports::error::{Result, SystemError};

/// Sectors before the data of a container.
pub(super) const HEADER_SECTORS: u64 = 32768;

/// A mapped device.
#[derive(Debug)]
pub(super) struct Mapped {
    /// The number that it keeps.
    pub(super) minor: usize,
    pub(super) device: PathBuf,
    pub(super) size: u64,
    pub(super) table: String,
}

/// The kernel has each name once.
pub(super) fn map(state: &mut State, device: &Path, name: &str, size: u64, table: String) -> Result<PathBuf> {
    if state.mapped.contains_key(name) {
        return Err(SystemError::io("map", name, io::ErrorKind::ResourceBusy));
    }
    let free = |minor: &usize| state.mapped.values().all(|mapped| mapped.minor != *minor);
    let minor = (0..).find(free).unwrap_or_default();
    state.mapped.insert(name.to_owned(), Mapped { minor, device: device.to_owned(), size, table });
    Ok(Path::new("/dev/mapper").join(name))
}
