//! File systems, mounts and the files of the new root.

use std::io;
use std::path::Path;

use countersign_ports::error::{Result, SystemError};
use countersign_ports::{Durability, Files, Filesystems, FsType, MountFlags};

use super::machine::absent;
use super::{Mount, Rehearsal};

impl Filesystems for Rehearsal {
    fn make(&self, filesystem: FsType, device: &Path, label: &str, durability: Durability) -> Result<()> {
        let durability = match durability {
            Durability::Persistent => "persistent",
            Durability::Scratch => "scratch",
        };
        let name = filesystem.name();
        let mut state = self.ask(format!("make {name} {} label={label} {durability}", device.display()))?;
        let below = state.below(device);
        state.attributes.remove(&below);
        let (offset, magic): (u64, &[u8]) = match filesystem {
            FsType::Ext4 => (0x438, &[0x53, 0xef]),
            FsType::Xfs => (0, b"XFSB"),
            FsType::Btrfs => (0x10040, b"_BHRfS_M"),
            FsType::Erofs | FsType::Tmpfs => return Ok(()),
        };
        if device.starts_with("/dev/mapper") {
            state.put(device, offset, magic);
        }
        Ok(())
    }

    fn mount(&self, filesystem: FsType, device: &Path, target: &Path, flags: MountFlags) -> Result<()> {
        let (name, device, target) = (filesystem.name(), device.display(), target.display());
        let request = format!("mount {name} {device} at {target}{}", words(flags));
        let mount = Mount {
            filesystem: name,
            device: device.to_string().into(),
            target: target.to_string().into(),
            options: options(flags),
        };
        self.ask(request)?.mounts.push(mount);
        Ok(())
    }

    fn bind(&self, source: &Path, target: &Path, flags: MountFlags) -> Result<()> {
        self.ask(format!("bind {} to {}{}", source.display(), target.display(), words(flags))).map(drop)
    }

    fn move_mount(&self, source: &Path, target: &Path) -> Result<()> {
        let mut state = self.ask(format!("move {} to {}", source.display(), target.display()))?;
        for mount in &mut state.mounts {
            if mount.target == source {
                mount.target = target.to_owned();
            }
        }
        Ok(())
    }

    fn grow(&self, filesystem: FsType, target: &Path, bytes: u64) -> Result<()> {
        self.ask(format!("grow {} at {} bytes={bytes}", filesystem.name(), target.display())).map(drop)
    }

    /// All or nothing: a power cut is before it once no byte may be written any more.
    fn set_attribute(&self, path: &Path, name: &str, value: &[u8]) -> Result<()> {
        let mut state = self.ask(format!("set attribute {name} of {}", path.display()))?;
        if state.bytes_left == Some(0) {
            return Err(SystemError::new("write attribute of", path.display().to_string(), "power cut"));
        }
        let device = state.mounted_at(path).ok_or_else(|| absent("write attribute of", path))?;
        state.attributes.insert(device, value.to_vec());
        Ok(())
    }

    fn unmount(&self, target: &Path) -> Result<()> {
        self.ask(format!("unmount {}", target.display()))?.mounts.retain(|mount| mount.target != target);
        Ok(())
    }
}

impl Files for Rehearsal {
    fn make_directory(&self, path: &Path, mode: u32) -> Result<()> {
        self.ask(format!("make directory {} mode={mode:04o}", path.display())).map(drop)
    }

    fn write(&self, path: &Path, mode: u32, content: &[u8]) -> Result<()> {
        let mut state = self.ask(format!("write {} mode={mode:04o}", path.display()))?;
        if state.files.contains_key(path) {
            let subject = path.display().to_string();
            return Err(SystemError::io("write file", subject, io::ErrorKind::AlreadyExists));
        }
        state.files.insert(path.to_owned(), (mode, content.to_vec()));
        Ok(())
    }

    fn symlink(&self, target: &Path, link: &Path) -> Result<()> {
        self.ask(format!("link {} to {}", link.display(), target.display())).map(drop)
    }

    /// Returns `Ok`, so that a test sees that the boot came this far.
    fn switch_root(&self, new_root: &Path, init: &Path, arguments: &[&str]) -> Result<()> {
        let mut request = format!("switch root to {} and execute {}", new_root.display(), init.display());
        for argument in arguments {
            request.push_str(&format!(" {argument}"));
        }
        let mut state = self.ask(request)?;
        // What lies in the new root is seen from there now, the rest not at all.
        state.mounts.retain_mut(|mount| match mount.target.strip_prefix(new_root) {
            Ok(rest) => {
                mount.target = Path::new("/").join(rest);
                true
            }
            Err(_) => false,
        });
        Ok(())
    }
}

fn words(flags: MountFlags) -> String {
    [
        (flags.read_only, " read-only"),
        (flags.nosuid, " nosuid"),
        (flags.nodev, " nodev"),
        (flags.noexec, " noexec"),
        (flags.noatime, " noatime"),
        (flags.synchronous, " sync"),
        (flags.discard, " discard"),
    ]
    .into_iter()
    .filter_map(|(set, word)| set.then_some(word))
    .collect()
}

/// As the kernel lists them.
fn options(flags: MountFlags) -> String {
    let first = if flags.read_only { "ro" } else { "rw" };
    let rest = words(MountFlags { read_only: false, ..flags });
    format!("{first}{}", rest.replace(' ', ","))
}
