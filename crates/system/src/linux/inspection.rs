//! What is looked at and not touched: mounts, attributes of files, how much lies in a folder.

use std::fs::{self, File};
use std::io::{self, Read};
use std::path::Path;

use super::{Linux, attributes};
use crate::error::{Result, SystemError};
use crate::ports::Mounts;
use crate::ports_host::Inspection;

/// Above what hundreds of containers mount.
const MAXIMUM_MOUNTS: u64 = 4 << 20;

impl Mounts for Linux {
    /// Those of process 1: the daemon's unit may have a view of its own.
    fn mounts(&self) -> Result<String> {
        let path = self.paths.proc.join("1/mountinfo");
        let read = || -> io::Result<String> {
            let mut text = String::new();
            File::open(&path)?.take(MAXIMUM_MOUNTS + 1).read_to_string(&mut text)?;
            if text.len() as u64 > MAXIMUM_MOUNTS {
                return Err(io::Error::new(io::ErrorKind::FileTooLarge, "expected at most 4 MiB"));
            }
            Ok(text)
        };
        read().map_err(|e| SystemError::io("read mounts", path.display().to_string(), e))
    }

    fn attribute(&self, path: &Path, name: &str, limit: usize) -> Result<Option<Vec<u8>>> {
        attributes::get(path, name, limit)
            .map_err(|e| SystemError::io("read attribute of", path.display().to_string(), e))
    }
}

impl Inspection for Linux {
    fn folder_bytes(&self, folder: &Path) -> Result<u64> {
        let count = || -> io::Result<u64> {
            let entries = match fs::read_dir(folder) {
                Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(0),
                entries => entries?,
            };
            let mut bytes = 0;
            for entry in entries {
                match entry?.metadata() {
                    Ok(data) if data.is_file() => bytes += data.len(),
                    // A queue's file may go between the two looks.
                    Ok(_) => {}
                    Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                    Err(error) => return Err(error),
                }
            }
            Ok(bytes)
        };
        count().map_err(|e| SystemError::io("read folder", folder.display().to_string(), e))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::linux::Paths;

    #[test]
    fn the_files_of_a_folder_are_counted_and_a_missing_one_is_empty() {
        let folder = tempfile::tempdir().unwrap();
        let machine = Linux::new();
        fs::write(folder.path().join("a"), "12345").unwrap();
        fs::write(folder.path().join("b"), "123").unwrap();
        fs::create_dir(folder.path().join("c")).unwrap();
        fs::write(folder.path().join("c/d"), "123").unwrap();
        assert_eq!(machine.folder_bytes(folder.path()).unwrap(), 8);
        assert_eq!(machine.folder_bytes(&folder.path().join("e")).unwrap(), 0);
        assert!(machine.folder_bytes(&folder.path().join("a")).is_err());
    }

    #[test]
    fn mounts_are_those_of_process_1_within_the_bound() {
        let proc = tempfile::tempdir().unwrap();
        let machine = Linux::with_paths(Paths { proc: proc.path().into(), ..Paths::default() });
        assert!(machine.mounts().unwrap_err().to_string().contains("1/mountinfo"));
        fs::create_dir(proc.path().join("1")).unwrap();
        let file = proc.path().join("1/mountinfo");
        fs::write(&file, "29 1 254:1 / / rw - ext4 x rw\n").unwrap();
        assert_eq!(machine.mounts().unwrap().lines().count(), 1);
        File::options().write(true).open(&file).unwrap().set_len(MAXIMUM_MOUNTS + 1).unwrap();
        assert_eq!(machine.mounts().unwrap_err().kind(), io::ErrorKind::FileTooLarge);
    }
}
