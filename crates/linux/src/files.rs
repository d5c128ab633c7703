//! Files of the new root and of the handover.
//!
//! Every path is absolute and is walked without following a symbolic link (openat2(2), RESOLVE_NO_SYMLINKS):
//! links in the new root would lead into the initramfs. Nothing is ever replaced. Nothing is flushed: all of it
//! is in guest memory or on scratch space.

use std::fs::{self, File};
use std::io::{self, Write};
use std::os::fd::OwnedFd;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Component, Path};

use nix::errno::Errno;
use nix::fcntl::{OFlag, OpenHow, ResolveFlag, open, openat2};
use nix::sys::stat::{Mode, fchmod, mkdirat};
use nix::unistd::symlinkat;

use super::{Linux, switch_root};
use countersign_ports::Files;
use countersign_ports::error::{Result, SystemError};

/// Mode of parents that are made on the way, and of mount points.
pub(super) const DIRECTORY_MODE: u32 = 0o755;

const ZEROS: [u8; 4096] = [0; 4096];

impl Files for Linux {
    fn make_directory(&self, path: &Path, mode: u32) -> Result<()> {
        make_directory(path, mode)
            .map(drop)
            .map_err(|e| SystemError::io("make directory", path.display().to_string(), e))
    }

    fn write(&self, path: &Path, mode: u32, content: &[u8]) -> Result<()> {
        write(path, mode, content).map_err(|e| SystemError::io("write file", path.display().to_string(), e))
    }

    fn symlink(&self, target: &Path, link: &Path) -> Result<()> {
        let make = || -> io::Result<()> {
            let (parent, name) = open_parent(link)?;
            Ok(symlinkat(target, parent, name)?)
        };
        make().map_err(|e| SystemError::io("make symbolic link", link.display().to_string(), e))
    }

    fn switch_root(&self, new_root: &Path, init: &Path, arguments: &[&str]) -> Result<()> {
        switch_root::switch_root(&self.paths, new_root, init, arguments)
    }
}

/// Makes the directory and its missing parents; opens it.
pub(super) fn make_directory(path: &Path, mode: u32) -> io::Result<OwnedFd> {
    let mut directory = root()?;
    let names = names(path)?;
    for (index, name) in names.iter().enumerate() {
        let mode = if index + 1 == names.len() { mode } else { DIRECTORY_MODE };
        let mode = Mode::from_bits_truncate(mode);
        let made = match mkdirat(&directory, *name, mode) {
            Ok(()) => true,
            Err(Errno::EEXIST) => false,
            Err(error) => return Err(error.into()),
        };
        directory = enter(&directory, name)?;
        if made {
            // What the process's mask took away.
            fchmod(&directory, mode)?;
        }
    }
    Ok(directory)
}

/// Makes a file with the content; fails if there is anything of that name.
pub(super) fn write(path: &Path, mode: u32, content: &[u8]) -> io::Result<()> {
    let (parent, name) = open_parent(path)?;
    let mode = Mode::from_bits_truncate(mode);
    let how = OpenHow::new()
        .flags(OFlag::O_WRONLY | OFlag::O_CREAT | OFlag::O_EXCL | OFlag::O_NOFOLLOW | OFlag::O_CLOEXEC)
        // Open to others only once the content is there.
        .mode(Mode::S_IRUSR | Mode::S_IWUSR)
        .resolve(ResolveFlag::RESOLVE_NO_SYMLINKS | ResolveFlag::RESOLVE_BENEATH);
    let mut file = File::from(openat2(parent, name, how)?);
    file.write_all(content)?;
    fchmod(&file, mode)?;
    Ok(())
}

/// Overwrites a file with zeros and removes it. Where files lie in memory (ramfs, tmpfs), writing over one writes over its
/// pages. One that is not there is no error; a link of that name is one.
pub(super) fn erase(path: &Path) -> io::Result<()> {
    // Not truncated: the pages that hold the secret are those that must be overwritten.
    let mut file = match File::options().write(true).custom_flags(libc::O_NOFOLLOW).open(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        file => file?,
    };
    let mut left = file.metadata()?.len();
    while left > 0 {
        let length = left.min(ZEROS.len() as u64);
        file.write_all(&ZEROS[..length as usize])?;
        left -= length;
    }
    file.sync_data()?;
    fs::remove_file(path)
}

/// Opens the directory that holds `path`, and names the last component.
fn open_parent(path: &Path) -> io::Result<(OwnedFd, &Path)> {
    let names = names(path)?;
    let Some((name, parents)) = names.split_last() else {
        return Err(invalid());
    };
    let mut directory = root()?;
    for parent in parents {
        directory = enter(&directory, parent)?;
    }
    Ok((directory, *name))
}

/// The components of an absolute path without `.` and `..`.
fn names(path: &Path) -> io::Result<Vec<&Path>> {
    let mut components = path.components();
    if components.next() != Some(Component::RootDir) {
        return Err(invalid());
    }
    components
        .map(|component| match component {
            Component::Normal(name) => Ok(Path::new(name)),
            _ => Err(invalid()),
        })
        .collect()
}

fn root() -> io::Result<OwnedFd> {
    Ok(open("/", OFlag::O_PATH | OFlag::O_DIRECTORY | OFlag::O_CLOEXEC, Mode::empty())?)
}

/// Opens the directory `name` in `directory`; refuses a symbolic link.
fn enter(directory: &OwnedFd, name: &Path) -> io::Result<OwnedFd> {
    let how = OpenHow::new()
        .flags(OFlag::O_RDONLY | OFlag::O_DIRECTORY | OFlag::O_NOFOLLOW | OFlag::O_CLOEXEC)
        .resolve(ResolveFlag::RESOLVE_NO_SYMLINKS | ResolveFlag::RESOLVE_BENEATH);
    Ok(openat2(directory, name, how)?)
}

fn invalid() -> io::Error {
    io::Error::new(io::ErrorKind::InvalidInput, "expected an absolute path without . and ..")
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use std::os::unix::fs::{FileExt, PermissionsExt, symlink};

    fn mode(path: &Path) -> u32 {
        fs::symlink_metadata(path).unwrap().permissions().mode() & 0o7777
    }

    /// ELOOP has no stable kind of its own.
    pub(in super::super) fn is_link_refusal(error: &SystemError) -> bool {
        error.kind() == io::ErrorKind::NotADirectory || error.to_string().contains("(os error 40)")
    }

    /// Temporary folders may themselves be reached by a link.
    fn folder() -> (tempfile::TempDir, std::path::PathBuf) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().canonicalize().unwrap();
        (folder, path)
    }

    #[test]
    fn directories_are_made_with_parents_whatever_the_mask() {
        let (_folder, root) = folder();
        let machine = Linux::new();
        machine.make_directory(&root.join("a/b/c"), 0o2777).unwrap();
        assert_eq!((mode(&root.join("a")), mode(&root.join("a/b/c"))), (0o755, 0o2777));
        // Again: what is there stays as it is.
        machine.make_directory(&root.join("a/b/c"), 0o700).unwrap();
        assert_eq!(mode(&root.join("a/b/c")), 0o2777);
    }

    #[test]
    fn a_file_is_written_once_with_its_mode() {
        let (_folder, root) = folder();
        let machine = Linux::new();
        let path = root.join("handover");
        machine.write(&path, 0o640, b"content").unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"content");
        assert_eq!(mode(&path), 0o640);
        let again = machine.write(&path, 0o640, b"other").unwrap_err();
        assert_eq!(again.kind(), io::ErrorKind::AlreadyExists);
        assert_eq!(fs::read(&path).unwrap(), b"content");
        let error = machine.write(&root.join("missing/file"), 0o600, b"").unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::NotFound);
    }

    #[test]
    fn no_link_is_followed_neither_at_the_end_nor_on_the_way() {
        let (_folder, root) = folder();
        let (_elsewhere, elsewhere) = folder();
        let machine = Linux::new();
        symlink(elsewhere.join("target"), root.join("dangling")).unwrap();
        symlink(&elsewhere, root.join("way")).unwrap();
        assert_eq!(
            machine.write(&root.join("dangling"), 0o600, b"x").unwrap_err().kind(),
            io::ErrorKind::AlreadyExists
        );
        for error in [
            machine.write(&root.join("way/file"), 0o600, b"x").unwrap_err(),
            machine.make_directory(&root.join("way/directory"), 0o700).unwrap_err(),
            machine.make_directory(&root.join("way"), 0o700).unwrap_err(),
            machine.symlink(Path::new("a"), &root.join("way/link")).unwrap_err(),
        ] {
            assert!(is_link_refusal(&error), "{error}");
        }
        assert_eq!(fs::read_dir(elsewhere).unwrap().count(), 0);
    }

    #[test]
    fn paths_must_be_absolute_and_plain() {
        let machine = Linux::new();
        for path in ["relative", "/tmp/../etc/x", ""] {
            let error = machine.write(Path::new(path), 0o600, b"").unwrap_err();
            assert_eq!(error.kind(), io::ErrorKind::InvalidInput, "{path}");
            assert_eq!(
                machine.make_directory(Path::new(path), 0o700).unwrap_err().kind(),
                io::ErrorKind::InvalidInput
            );
        }
        assert_eq!(
            machine.write(Path::new("/"), 0o600, b"").unwrap_err().kind(),
            io::ErrorKind::InvalidInput
        );
    }

    #[test]
    fn an_erased_file_is_zeros_where_it_lay_and_gone() {
        let (_folder, root) = folder();
        let path = root.join("credentials");
        for size in [0, 1, 4096, 10_000] {
            fs::write(&path, vec![7; size]).unwrap();
            let still_open = File::open(&path).unwrap();
            erase(&path).unwrap();
            assert!(!path.exists());
            let mut left = vec![1; size];
            still_open.read_exact_at(&mut left, 0).unwrap();
            assert_eq!((left, still_open.metadata().unwrap().len()), (vec![0; size], size as u64));
        }
        // Again, and with somebody else's file behind the name.
        erase(&path).unwrap();
        fs::write(root.join("other"), "kept").unwrap();
        symlink(root.join("other"), &path).unwrap();
        erase(&path).unwrap_err();
        assert_eq!(fs::read(root.join("other")).unwrap(), b"kept");
    }

    #[test]
    fn links_are_made_and_never_replaced() {
        let (_folder, root) = folder();
        let machine = Linux::new();
        machine.symlink(Path::new("/run/x"), &root.join("link")).unwrap();
        assert_eq!(fs::read_link(root.join("link")).unwrap(), Path::new("/run/x"));
        assert_eq!(
            machine.symlink(Path::new("/run/y"), &root.join("link")).unwrap_err().kind(),
            io::ErrorKind::AlreadyExists
        );
    }
}
