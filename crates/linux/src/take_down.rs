//! Everything that was mounted and mapped, taken down again: the state from which a failed boot goes on.
//!
//! What is mounted is read from the kernel (proc_pid_mountinfo(5)), not remembered, so that nothing is left because a
//! stage failed half-way. Devices may lie on each other; each pass takes those that nothing uses.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use nix::mount::{MntFlags, umount2};

use super::{Linux, device_mapper};

pub(super) fn take_down(machine: &Linux, folders: &[&Path]) -> io::Result<()> {
    let mounts = fs::read_to_string(machine.paths.proc.join("self/mountinfo"))?;
    // The latest first: a mount inside another is younger.
    for target in mounted_below(&mounts, folders).into_iter().rev() {
        umount2(&target, MntFlags::UMOUNT_NOFOLLOW)?;
    }
    loop {
        let names = mapped(&machine.paths.sys.join("block"))?;
        let Some(first) = names.first() else { return Ok(()) };
        let mut progress = false;
        let mut last = io::Error::new(io::ErrorKind::ResourceBusy, format!("{first} is in use"));
        for name in &names {
            match device_mapper::remove(&machine.mapped("control"), name) {
                Ok(()) => progress = true,
                Err(error) => last = error,
            }
        }
        if !progress {
            return Err(last);
        }
    }
}

/// Mount points at or below one of the folders, in the order of mounting.
fn mounted_below(mountinfo: &str, folders: &[&Path]) -> Vec<PathBuf> {
    let targets = mountinfo.lines().filter_map(|line| line.split(' ').nth(4)).map(PathBuf::from);
    targets.filter(|target| folders.iter().any(|folder| target.starts_with(folder))).collect()
}

/// Names of the mapped devices.
fn mapped(block: &Path) -> io::Result<Vec<String>> {
    let mut names = Vec::new();
    for entry in fs::read_dir(block)? {
        match fs::read_to_string(entry?.path().join("dm/name")) {
            Ok(name) => names.push(name.trim_end().to_owned()),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(error),
        }
    }
    names.sort();
    Ok(names)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_mounted_at_or_below_the_folders_counts() {
        let mountinfo = "22 1 0:21 / /proc rw - proc proc rw\n\
             40 1 253:1 / /image ro,nodev - erofs /dev/mapper/os ro\n\
             41 1 253:2 / /volumes/data rw - ext4 /dev/mapper/volume-data rw\n\
             42 41 253:3 / /volumes/data/inside rw - ext4 /dev/mapper/volume-inside rw\n\
             43 1 0:40 / /volumes-of-others rw - tmpfs tmpfs rw\n";
        let found = mounted_below(mountinfo, &[Path::new("/image"), Path::new("/volumes")]);
        assert_eq!(found, ["/image", "/volumes/data", "/volumes/data/inside"].map(PathBuf::from));
    }

    #[test]
    fn mapped_devices_are_those_with_a_name_of_the_device_mapper() {
        let block = tempfile::tempdir().unwrap();
        for (disk, name) in [("dm-0", Some("volume-data\n")), ("vda", None), ("dm-1", Some("os\n"))] {
            let folder = block.path().join(disk).join("dm");
            match name {
                Some(name) => {
                    fs::create_dir_all(&folder).unwrap();
                    fs::write(folder.join("name"), name).unwrap();
                }
                None => fs::create_dir_all(block.path().join(disk)).unwrap(),
            }
        }
        assert_eq!(mapped(block.path()).unwrap(), ["os", "volume-data"]);
        assert!(mapped(&block.path().join("absent")).is_err());
    }

    #[test]
    fn nothing_to_take_down_is_no_error() {
        let sys = tempfile::tempdir().unwrap();
        fs::create_dir(sys.path().join("block")).unwrap();
        let machine = Linux::with_paths(super::super::Paths { sys: sys.path().into(), ..Default::default() });
        take_down(&machine, &[Path::new("/nothing-is-mounted-here")]).unwrap();
    }
}
