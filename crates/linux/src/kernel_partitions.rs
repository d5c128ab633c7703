//! The partitions that the kernel finds by itself on every disk of the host, taken away again.
//!
//! The host wrote those tables. Countersign reads them itself and maps by offset, so nothing needs the kernel's nodes, and
//! what is not there nobody opens. Follows `<linux/blkpg.h>`.

use std::fs::{self, File};
use std::io;
use std::os::fd::AsRawFd;
use std::path::Path;

use nix::errno::Errno;

/// Takes the partitions of one disk away: `directory` is the disk's in sysfs, `disk` its node.
pub(super) fn remove(directory: &Path, disk: &Path) -> io::Result<()> {
    let numbers = match numbers(directory) {
        Err(error) if is_gone(&error) => return Ok(()),
        numbers => numbers?,
    };
    for number in numbers {
        match File::open(disk).and_then(|disk| remove_one(&disk, number)) {
            Err(error) if !is_gone(&error) => return Err(error),
            _ => {}
        }
    }
    Ok(())
}

/// Numbers of the partitions that the kernel shows.
fn numbers(directory: &Path) -> io::Result<Vec<i32>> {
    let mut numbers = Vec::new();
    for entry in fs::read_dir(directory)? {
        match fs::read_to_string(entry?.path().join("partition")) {
            Ok(text) => numbers.push(text.trim().parse().map_err(io::Error::other)?),
            // Most entries are files, or folders of something else.
            Err(error) if error.kind() == io::ErrorKind::NotADirectory || is_gone(&error) => {}
            Err(error) => return Err(error),
        }
    }
    numbers.sort_unstable();
    Ok(numbers)
}

fn remove_one(disk: &File, number: i32) -> io::Result<()> {
    let mut partition = ioctl::Partition { start: 0, length: 0, number, device: [0; 64], volume: [0; 64] };
    let request = ioctl::Request {
        operation: ioctl::DELETE,
        flags: 0,
        length: i32::try_from(size_of::<ioctl::Partition>()).map_err(io::Error::other)?,
        data: &mut partition,
    };
    // SAFETY: the request and what it points to have the kernel's layout and live through the call.
    unsafe { ioctl::partition(disk.as_raw_fd(), &request) }?;
    Ok(())
}

/// Whether a disk or partition went away meanwhile.
fn is_gone(error: &io::Error) -> bool {
    error.kind() == io::ErrorKind::NotFound
        || [Errno::ENXIO, Errno::ENODEV].iter().any(|gone| error.raw_os_error() == Some(*gone as i32))
}

/// Request and structures of the kernel's header.
#[allow(missing_docs)]
mod ioctl {
    pub(super) const DELETE: i32 = 2;

    #[repr(C)]
    pub(super) struct Partition {
        pub start: i64,
        pub length: i64,
        pub number: i32,
        pub device: [u8; 64],
        pub volume: [u8; 64],
    }

    #[repr(C)]
    pub(super) struct Request {
        pub operation: i32,
        pub flags: i32,
        pub length: i32,
        pub data: *mut Partition,
    }

    nix::ioctl_write_ptr_bad!(partition, nix::request_code_none!(0x12, 105), Request);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_numbers_are_those_of_sysfs() {
        let disk = tempfile::tempdir().unwrap();
        for (file, text) in
            [("size", "2048"), ("vdb10/partition", "10\n"), ("vdb2/partition", "2\n"), ("queue/size", "1")]
        {
            let path = disk.path().join(file);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        }
        assert_eq!(numbers(disk.path()).unwrap(), [2, 10]);
    }

    #[test]
    fn a_disk_that_went_away_is_no_error_and_one_that_refuses_is() {
        let sys = tempfile::tempdir().unwrap();
        remove(&sys.path().join("vdb"), Path::new("/nowhere/vdb")).unwrap();
        fs::create_dir_all(sys.path().join("vdb1")).unwrap();
        fs::write(sys.path().join("vdb1/partition"), "1\n").unwrap();
        remove(sys.path(), Path::new("/nowhere/vdb")).unwrap();
        // What is no disk takes no such request.
        let file = tempfile::NamedTempFile::new().unwrap();
        let error = remove(sys.path(), file.path()).unwrap_err();
        assert_eq!(error.raw_os_error(), Some(Errno::ENOTTY as i32));
    }
}
