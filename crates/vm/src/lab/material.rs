//! Guest material of a harness, appended to an initramfs that ships none of it.

use std::fs::File;
use std::io::copy;
use std::path::Path;

use crate::arguments::Run;
use crate::error::{Error, Result};

/// Appends the archive `material` to the run's own initramfs, and makes its program `first` process 1.
///
/// # Errors
/// [`Error::Io`].
pub fn add(run: &mut Run, material: &Path, first: &str) -> Result<()> {
    let path = run.initramfs.as_ref().ok_or_else(|| Error::format("run", "an initramfs of its own"))?;
    let mut initramfs = File::options().append(true).open(path).map_err(Error::at(path))?;
    let mut material = File::open(material).map_err(Error::at(material))?;
    copy(&mut material, &mut initramfs).map_err(Error::at(path))?;
    run.command_line.push(format!("rdinit={first}"));
    Ok(())
}
