//! What is mounted, as the double remembers and shows it.

use std::io;
use std::path::{Path, PathBuf};

use super::{Place, Rehearsal, State};
use countersign_ports::error::{Result, SystemError};
use countersign_ports::{FsType, Mounts};

/// A mount. A file system shows the number of its device; btrfs shows an anonymous number.
#[derive(Debug)]
pub(super) struct Mount {
    pub(super) filesystem: &'static str,
    pub(super) device: PathBuf,
    pub(super) target: PathBuf,
    pub(super) options: String,
}

impl Mounts for Rehearsal {
    fn mounts(&self) -> Result<String> {
        let state = self.look("list mounts")?;
        let line = |(id, mount): (usize, &Mount)| {
            let Mount { filesystem, device, target, options } = mount;
            let (number, target) = (state.mount_number(mount), target.display());
            // Options behind a second word are those of the file system.
            let (options, own) = options.split_once(' ').unwrap_or((options, "rw"));
            format!("{} 1 {number} / {target} {options} - {filesystem} {} {own}\n", id + 20, device.display())
        };
        Ok(state.mounts.iter().enumerate().map(line).collect())
    }

    fn attribute(&self, path: &Path, _: &str, limit: usize) -> Result<Option<Vec<u8>>> {
        let state = self.look(format!("attribute of {}", path.display()))?;
        let device = state.mounted_at(path).ok_or_else(|| {
            SystemError::io("read attribute of", path.display().to_string(), io::ErrorKind::NotFound)
        })?;
        let value = state.attributes.get(&device);
        Ok(value.map(|value| value[..value.len().min(limit)].to_vec()))
    }
}

impl State {
    /// The place of the disk or partition whose file system is mounted there.
    pub(super) fn mounted_at(&self, target: &Path) -> Option<Place> {
        let mount = self.mounts.iter().rev().find(|mount| mount.target == target)?;
        Some(self.below(&mount.device))
    }

    /// What the kernel's list of mounts shows as the device of one.
    fn mount_number(&self, mount: &Mount) -> String {
        match self.number(&mount.device) {
            Some(number) if mount.filesystem == FsType::Btrfs.name() => number.replacen("254:", "0:4", 1),
            Some(number) => number,
            None => "0:1".to_owned(),
        }
    }
}
