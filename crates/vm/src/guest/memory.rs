//! The memory of a running machine, as the host of a machine without Secure Execution reads it.

use std::fs::File;
use std::io::Read;
use std::os::unix::fs::FileExt;
use std::path::Path;

use serde_json::json;

use super::Guest;
use crate::error::{Error, Result};

/// Bytes that the emulator hands over at once.
const PART: usize = 64 << 20;
/// Bytes that become a hole where all of them are zero.
const BLOCK: usize = 64 << 10;

impl Guest {
    /// Copies the machine's memory, so many MiB, to a new file; what is zero becomes a hole. The machine stands still
    /// meanwhile.
    ///
    /// # Errors
    /// [`Error::Io`] for a file that cannot be written, [`Error::Format`] when there is no emulator or it refuses.
    pub fn memory(&mut self, mib: u32, image: &Path) -> Result<()> {
        let monitor = self.monitor.as_mut().ok_or_else(|| Error::format("guest", "an emulator"))?;
        let size = u64::from(mib) << 20;
        let file = File::create(image).map_err(Error::at(image))?;
        file.set_len(size).map_err(Error::at(image))?;
        let folder = tempfile::tempdir().map_err(Error::at(std::env::temp_dir()))?;
        let part = folder.path().join("part");
        monitor.execute("stop", json!({}))?;
        for at in (0..size).step_by(PART) {
            let length = (size - at).min(PART as u64);
            monitor.execute("pmemsave", json!({ "val": at, "size": length, "filename": part }))?;
            copy(&part, &file, at).map_err(Error::at(image))?;
        }
        monitor.execute("cont", json!({})).map(drop)
    }
}

/// Copies the blocks that are not zero to this place.
fn copy(from: &Path, to: &File, mut at: u64) -> std::io::Result<()> {
    static ZERO: [u8; BLOCK] = [0; BLOCK];
    let mut from = File::open(from)?;
    let mut block = vec![0; BLOCK];
    loop {
        let length = from.read(&mut block)?;
        if length == 0 {
            return Ok(());
        }
        if block[..length] != ZERO[..length] {
            to.write_all_at(&block[..length], at)?;
        }
        at += length as u64;
    }
}
