//! Notes of the handover, and files that other programs of the guest OS read.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use super::{Linux, files};
use countersign_ports::error::{Result, SystemError};
use countersign_ports::guest_os::{GuestFiles, HANDOVER, Notes, PUBLISHED};

/// Above any file of the handover; the contract itself has at most 1 MiB.
const MAXIMUM_SIZE: u64 = 16 << 20;

impl Notes for Linux {
    fn note(&self, name: &str) -> Result<Vec<u8>> {
        self.read_file(&note_path(name)?)
    }

    fn keep_note(&self, name: &str, content: &[u8]) -> Result<()> {
        self.replace_file(&note_path(name)?, content)
    }

    fn erase_note(&self, name: &str) -> Result<()> {
        self.erase_file(&note_path(name)?)
    }

    fn publish(&self, name: &str, content: &[u8]) -> Result<()> {
        note_path(name)?;
        let path = Path::new(PUBLISHED).join(name);
        replace(&path, 0o400, content).map_err(|e| SystemError::io("publish", path.display().to_string(), e))
    }
}

/// A note lies in the folder of the handover and nowhere else.
fn note_path(name: &str) -> Result<PathBuf> {
    if name.is_empty() || name.starts_with('.') || name.contains('/') {
        let reason = io::Error::new(io::ErrorKind::InvalidInput, "expected the name of a note");
        return Err(SystemError::io("find note", name, reason));
    }
    Ok(Path::new(HANDOVER).join(name))
}

impl GuestFiles for Linux {
    fn read_file(&self, path: &Path) -> Result<Vec<u8>> {
        let read = || -> io::Result<Vec<u8>> {
            let mut content = Vec::new();
            File::open(path)?.take(MAXIMUM_SIZE + 1).read_to_end(&mut content)?;
            if content.len() as u64 > MAXIMUM_SIZE {
                return Err(io::Error::new(io::ErrorKind::FileTooLarge, "expected at most 16 MiB"));
            }
            Ok(content)
        };
        read().map_err(|e| SystemError::io("read file", path.display().to_string(), e))
    }

    fn replace_file(&self, path: &Path, content: &[u8]) -> Result<()> {
        replace(path, 0o644, content)
            .map_err(|e| SystemError::io("write file", path.display().to_string(), e))
    }

    fn erase_file(&self, path: &Path) -> Result<()> {
        files::erase(path).map_err(|e| SystemError::io("erase file", path.display().to_string(), e))
    }
}

/// Readers see the old file or the new one, never a part; a link of that name is replaced, not followed.
fn replace(path: &Path, mode: u32, content: &[u8]) -> io::Result<()> {
    let mut name = path.file_name().ok_or(io::ErrorKind::InvalidInput)?.to_owned();
    name.push(".new");
    let new = path.with_file_name(name);
    fs::create_dir_all(path.parent().ok_or(io::ErrorKind::InvalidInput)?)?;
    match fs::remove_file(&new) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&new)?;
    file.write_all(content)?;
    file.set_permissions(std::os::unix::fs::PermissionsExt::from_mode(mode))?;
    fs::rename(&new, path)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::{PermissionsExt, symlink};

    #[test]
    fn a_file_is_replaced_whole_and_a_link_is_not_followed() {
        let folder = tempfile::tempdir().unwrap();
        let machine = Linux::new();
        let path = folder.path().join("resolv.conf");
        let target = folder.path().join("target");
        fs::write(&target, "kept").unwrap();
        symlink(&target, &path).unwrap();
        // What an interrupted call left behind.
        fs::write(folder.path().join("resolv.conf.new"), "part").unwrap();
        machine.replace_file(&path, b"one").unwrap();
        machine.replace_file(&path, b"two").unwrap();
        assert_eq!(machine.read_file(&path).unwrap(), b"two");
        assert_eq!(fs::symlink_metadata(&path).unwrap().permissions().mode() & 0o7777, 0o644);
        assert_eq!(fs::read(&target).unwrap(), b"kept");
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 2);
    }

    #[test]
    fn folders_on_the_way_to_a_file_are_made() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("certs.d/192.0.2.1:5000/ca.crt");
        Linux::new().replace_file(&path, b"one").unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"one");
    }

    #[test]
    fn reading_is_bounded_and_names_the_file() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let machine = Linux::new();
        file.as_file().set_len(MAXIMUM_SIZE).unwrap();
        assert_eq!(machine.read_file(file.path()).unwrap().len() as u64, MAXIMUM_SIZE);
        file.as_file().set_len(MAXIMUM_SIZE + 1).unwrap();
        assert_eq!(machine.read_file(file.path()).unwrap_err().kind(), io::ErrorKind::FileTooLarge);
        let error = machine.read_file(Path::new("/nowhere/plan.json")).unwrap_err();
        assert!(error.to_string().starts_with("read file /nowhere/plan.json: "), "{error}");
    }
}
