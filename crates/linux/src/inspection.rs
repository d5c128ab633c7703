//! What is looked at and not touched: mounts, attributes of files.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

use super::{Linux, attributes};
use countersign_ports::Mounts;
use countersign_ports::error::{Result, SystemError};

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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Paths;
    use std::fs;

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
