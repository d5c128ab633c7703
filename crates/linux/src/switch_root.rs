//! From the initramfs to the guest OS.
//!
//! Follows the kernel's `Documentation/filesystems/ramfs-rootfs-initramfs.rst`: the root of the initramfs
//! cannot be unmounted, so the new root is moved over it and the old content is deleted, which frees its
//! memory. Deletes only what is in memory, only on the file system of the old root, and only in process 1.

use std::io;
use std::os::fd::AsFd;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::Command;

use nix::dir::Dir;
use nix::fcntl::{AtFlags, OFlag};
use nix::mount::{MsFlags, mount};
use nix::sys::stat::{Mode, SFlag, fstat, fstatat, stat};
use nix::sys::statfs::{FsType, TMPFS_MAGIC, fstatfs};
use nix::unistd::{UnlinkatFlags, chdir, chroot, unlinkat};

use super::Paths;
use countersign_ports::error::{Result, SystemError};

/// `<linux/magic.h>`; nix has no name for it.
const RAMFS_MAGIC: u32 = 0x8584_58f6;

/// Makes `new_root` the root and executes `init` in it with `arguments`; returns only on failure.
pub(super) fn switch_root(paths: &Paths, new_root: &Path, init: &Path, arguments: &[&str]) -> Result<()> {
    let failed = |operation, subject: &Path, e: io::Error| {
        SystemError::io(operation, subject.display().to_string(), e)
    };
    let old_root = open_old_root(new_root).map_err(|e| failed("switch root to", new_root, e))?;

    for mounted in [&paths.proc, &paths.sys, &paths.dev, &paths.run] {
        let target = new_root.join(mounted.strip_prefix("/").unwrap_or(mounted));
        move_mount(mounted, &target).map_err(|e| failed("move mount to", &target, e))?;
    }
    let enter = || -> nix::Result<()> {
        chdir(new_root)?;
        mount(Some("."), "/", None::<&str>, MsFlags::MS_MOVE, None::<&str>)?;
        chroot(".")?;
        chdir("/")
    };
    enter().map_err(|e| failed("switch root to", new_root, e.into()))?;
    delete_content(old_root).map_err(|e| failed("delete initramfs", Path::new("/"), e))?;

    // The environment that the kernel itself gives to a first process.
    let error = Command::new(init).args(arguments).env_clear().env("HOME", "/").env("TERM", "linux").exec();
    Err(failed("execute", init, error))
}

fn move_mount(source: &Path, target: &Path) -> io::Result<()> {
    Ok(mount(Some(source), target, None::<&str>, MsFlags::MS_MOVE, None::<&str>)?)
}

/// Opens `/` if it is the initramfs of this process 1 and `new_root` is another file system.
fn open_old_root(new_root: &Path) -> io::Result<Dir> {
    let refuse = |expected| Err(io::Error::new(io::ErrorKind::InvalidInput, expected));
    if std::process::id() != 1 {
        return refuse("expected to be process 1");
    }
    let root = Dir::open("/", OFlag::O_RDONLY | OFlag::O_DIRECTORY | OFlag::O_CLOEXEC, Mode::empty())?;
    let kind = fstatfs(&root)?.filesystem_type();
    if kind != TMPFS_MAGIC && kind != FsType(RAMFS_MAGIC as _) {
        return refuse("expected the root to be in memory");
    }
    let init = fstatat(&root, "init", AtFlags::AT_SYMLINK_NOFOLLOW)?;
    if SFlag::from_bits_truncate(init.st_mode) & SFlag::S_IFMT != SFlag::S_IFREG {
        return refuse("expected the program /init of an initramfs");
    }
    if fstat(&root)?.st_dev == stat(new_root)?.st_dev {
        return refuse("expected the new root to be a mounted file system");
    }
    Ok(root)
}

/// Deletes everything below `directory` that is on its own file system.
fn delete_content(directory: Dir) -> io::Result<()> {
    let device = fstat(&directory)?.st_dev;
    delete_below(directory, device)
}

fn delete_below(mut directory: Dir, device: libc::dev_t) -> io::Result<()> {
    let entries = directory.iter().collect::<nix::Result<Vec<_>>>()?;
    for entry in entries {
        let name = entry.file_name();
        if matches!(name.to_bytes(), b"." | b"..") {
            continue;
        }
        let found = fstatat(&directory, name, AtFlags::AT_SYMLINK_NOFOLLOW)?;
        // A mount point: neither it nor what is mounted there.
        if found.st_dev != device {
            continue;
        }
        if SFlag::from_bits_truncate(found.st_mode) & SFlag::S_IFMT == SFlag::S_IFDIR {
            let flags = OFlag::O_RDONLY | OFlag::O_DIRECTORY | OFlag::O_NOFOLLOW | OFlag::O_CLOEXEC;
            let below = Dir::openat(directory.as_fd(), name, flags, Mode::empty())?;
            let holds_mount = delete_directory_content(below, device)?;
            if !holds_mount {
                unlinkat(directory.as_fd(), name, UnlinkatFlags::RemoveDir)?;
            }
        } else {
            unlinkat(directory.as_fd(), name, UnlinkatFlags::NoRemoveDir)?;
        }
    }
    Ok(())
}

/// Deletes the content of a directory; whether something had to stay because a file system is mounted on it.
fn delete_directory_content(directory: Dir, device: libc::dev_t) -> io::Result<bool> {
    let again = directory.as_fd().try_clone_to_owned()?;
    delete_below(directory, device)?;
    let mut left = Dir::from_fd(nix::fcntl::openat(
        again,
        ".",
        OFlag::O_RDONLY | OFlag::O_DIRECTORY | OFlag::O_CLOEXEC,
        Mode::empty(),
    )?)?;
    for entry in left.iter() {
        if !matches!(entry?.file_name().to_bytes(), b"." | b"..") {
            return Ok(true);
        }
    }
    Ok(false)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    fn open(path: &Path) -> Dir {
        Dir::open(path, OFlag::O_RDONLY | OFlag::O_DIRECTORY | OFlag::O_CLOEXEC, Mode::empty()).unwrap()
    }

    #[test]
    fn only_process_1_may_delete_a_root() {
        let error =
            switch_root(&Paths::default(), Path::new("/proc"), Path::new("/bin/true"), &[]).unwrap_err();
        assert!(error.to_string().contains("expected to be process 1"), "{error}");
    }

    #[test]
    fn deleting_takes_all_of_the_tree_and_follows_no_link() {
        let root = tempfile::tempdir().unwrap();
        let elsewhere = tempfile::tempdir().unwrap();
        fs::write(elsewhere.path().join("kept"), "").unwrap();
        fs::create_dir_all(root.path().join("lib/modules/deep")).unwrap();
        fs::write(root.path().join("lib/modules/deep/a.ko"), "").unwrap();
        fs::write(root.path().join("init"), "").unwrap();
        std::os::unix::fs::symlink(elsewhere.path(), root.path().join("link")).unwrap();
        delete_content(open(root.path())).unwrap();
        assert_eq!(fs::read_dir(root.path()).unwrap().count(), 0);
        assert!(elsewhere.path().join("kept").exists());
    }

    #[test]
    fn deleting_stops_at_a_mounted_file_system() {
        if !super::super::filesystems::tests::in_private_mounts() {
            return;
        }
        let root = tempfile::tempdir().unwrap();
        let mounted = root.path().join("a/b/mounted");
        fs::create_dir_all(&mounted).unwrap();
        fs::write(root.path().join("a/file"), "").unwrap();
        mount(Some("tmpfs"), &mounted, Some("tmpfs"), MsFlags::empty(), None::<&str>).unwrap();
        fs::write(mounted.join("kept"), "").unwrap();
        delete_content(open(root.path())).unwrap();
        assert!(mounted.join("kept").exists());
        assert!(!root.path().join("a/file").exists());
        nix::mount::umount(&mounted).unwrap();
    }
}
