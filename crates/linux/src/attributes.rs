//! Extended attributes of files and folders.
//!
//! Follows xattr(7), getxattr(2), setxattr(2). A symbolic link as the last part of a path is not followed.

use std::ffi::CString;
use std::fs::File;
use std::io;
use std::os::fd::AsRawFd;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

/// The value of an attribute; none where there is no such attribute.
///
/// # Errors
/// A value longer than `limit` bytes (`ERANGE`); those of getxattr(2).
pub(super) fn get(path: &Path, name: &str, limit: usize) -> io::Result<Option<Vec<u8>>> {
    let (path, name) = (text(path.as_os_str().as_bytes())?, text(name.as_bytes())?);
    let mut value = vec![0; limit];
    // SAFETY: both texts end with NUL and live through the call; the kernel writes at most `value.len()` bytes.
    let length =
        unsafe { libc::lgetxattr(path.as_ptr(), name.as_ptr(), value.as_mut_ptr().cast(), value.len()) };
    let Ok(length) = usize::try_from(length) else {
        let error = io::Error::last_os_error();
        return if error.raw_os_error() == Some(libc::ENODATA) { Ok(None) } else { Err(error) };
    };
    value.truncate(length);
    Ok(Some(value))
}

/// Puts or replaces an attribute; it is on the device when this returns.
///
/// # Errors
/// Those of setxattr(2) and fsync(2).
pub(super) fn set(path: &Path, name: &str, value: &[u8]) -> io::Result<()> {
    let file = File::open(path)?;
    let name = text(name.as_bytes())?;
    // SAFETY: the descriptor is open, the name ends with NUL, and the kernel reads `value.len()` bytes of `value`.
    let done =
        unsafe { libc::fsetxattr(file.as_raw_fd(), name.as_ptr(), value.as_ptr().cast(), value.len(), 0) };
    if done != 0 {
        return Err(io::Error::last_os_error());
    }
    file.sync_all()
}

fn text(bytes: &[u8]) -> io::Result<CString> {
    CString::new(bytes).map_err(io::Error::other)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::process::Command;

    /// Of the class that everyone may write; the class does not matter to the calls.
    const NAME: &str = "user.countersign";

    #[test]
    fn what_is_written_is_what_python_reads_and_the_other_way_round() {
        // A folder of the build: a file system in memory may have no attributes of this class.
        let build = std::env::current_exe().unwrap();
        let folder = tempfile::tempdir_in(build.parent().unwrap()).unwrap();
        let python = |script: &str| {
            let output = Command::new("python3").args(["-c", script]).arg(folder.path()).output().unwrap();
            assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
            output.stdout
        };
        assert_eq!(get(folder.path(), NAME, 100).unwrap(), None);
        set(folder.path(), NAME, b"first").unwrap();
        set(folder.path(), NAME, b"the second value").unwrap();
        let read = "import os, sys; sys.stdout.buffer.write(os.getxattr(sys.argv[1], 'user.countersign'))";
        assert_eq!(python(read), b"the second value");
        python("import os, sys; os.setxattr(sys.argv[1], 'user.countersign', bytes(1024))");
        assert_eq!(get(folder.path(), NAME, 1024).unwrap(), Some(vec![0; 1024]));
        assert_eq!(get(folder.path(), NAME, 1023).unwrap_err().raw_os_error(), Some(libc::ERANGE));
        let nowhere = folder.path().join("nowhere");
        assert_eq!(get(&nowhere, NAME, 100).unwrap_err().kind(), io::ErrorKind::NotFound);
        assert_eq!(set(&nowhere, NAME, b"x").unwrap_err().kind(), io::ErrorKind::NotFound);
    }
}
