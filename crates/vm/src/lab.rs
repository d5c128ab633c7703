//! The world around a guest: whoever sends it a contract, takes its logs, serves its images, holds its disks.
//!
//! Everything is real (openssl, rsyslog, a registry), listens on 127.0.0.1 on ports that the system chooses, lives in
//! one folder, and goes with it. Nothing here uses Countersign's own crates.

pub mod canary;
pub mod cloud_logs;
pub mod contract;
pub mod disk;
pub mod http;
pub mod image;
pub mod keys;
pub mod material;
pub mod neighbour;
mod recorder;
pub mod registry;
pub mod signing;
pub mod syslog;
pub mod world;

use std::path::{Path, PathBuf};

use crate::error::{Error, Result};
use crate::profile::checkout;

/// A script that holds a party's documented steps, `qemu/party/<name>`, as a command tied to the harness.
fn party(name: &str) -> std::process::Command {
    crate::process::tied(checkout().join("qemu/party").join(name))
}

pub(crate) fn write(path: &Path, bytes: impl AsRef<[u8]>) -> Result<PathBuf> {
    std::fs::write(path, bytes).map_err(Error::at(path))?;
    Ok(path.to_owned())
}

fn read_text(path: &Path) -> Result<String> {
    std::fs::read_to_string(path).map_err(Error::at(path))
}

pub(crate) fn make_folder(path: PathBuf) -> Result<PathBuf> {
    std::fs::create_dir_all(&path).map_err(Error::at(&path))?;
    Ok(path)
}
