//! Block devices as sysfs shows them.
//!
//! Follows the kernel's `Documentation/ABI/stable/sysfs-block`. All of it is the host's word: names, serials
//! and sizes are reported as found, and nothing is concluded from them.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Seek, SeekFrom, Write};
use std::os::fd::AsRawFd;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{FileExt, FileTypeExt, MetadataExt};
use std::path::{Path, PathBuf};
use std::time::Duration;

use nix::fcntl::{PosixFadviseAdvice, posix_fadvise};
use nix::sys::stat::{major, minor};

use super::announcements::Announcements;
use super::{Linux, kernel_partitions, partition_table};
use countersign_ports::error::{Result, SystemError};
use countersign_ports::{Disk, DiskWrites, Disks};

/// Names of block devices that are not disks of the machine.
const VIRTUAL: [&str; 7] = ["loop", "ram", "dm-", "md", "zram", "nbd", "fd"];

/// Where drivers put a serial number, the first that is there counts: virtio, then NVMe, SCSI, DASD.
const SERIALS: [&str; 5] = ["serial", "device/serial", UNIT_SERIAL, "device/wwid", "device/uid"];

/// The page "unit serial number" of a SCSI disk (SPC-4, 7.8.16), as the disk sent it. It says what the host gave as
/// serial number; `wwid` wraps that into other words, or says something else.
const UNIT_SERIAL: &str = "device/vpd_pg80";

/// Bytes of such a page before the serial number: peripheral, page code 0x80, length.
const PAGE_HEADER: usize = 4;

/// A disk of the host has a short serial (virtio: 20 bytes); longer text is cut.
const MAXIMUM_SERIAL: usize = 256;

/// Bytes of one write of zeros.
const ZEROS: usize = 1 << 20;

/// The unit of sizes in sysfs, whatever the disk's own blocks are.
const SYSFS_SECTOR: u64 = 512;

impl Disks for Linux {
    fn disks(&self) -> Result<Vec<Disk>> {
        self.announcements()?;
        let directory = self.paths.sys.join("block");
        let names = names(&directory)
            .map_err(|e| SystemError::io("list disks", directory.display().to_string(), e))?;
        let read = |name: &String| read_disk(&directory.join(name), name, &self.paths.dev);
        let mut disks: Vec<Disk> = names.iter().filter_map(read).collect();
        disks.sort_by(|a, b| device_order(&a.path).cmp(&device_order(&b.path)));
        Ok(disks)
    }

    fn wait_for_disk(&self, timeout: Duration) -> Result<bool> {
        self.announcements()?
            .wait_for_block_device(timeout)
            .map_err(|e| SystemError::io("wait for a disk", "kernel events", e))
    }

    fn size(&self, device: &Path) -> Result<u64> {
        File::open(device)
            .and_then(|mut file| file.seek(SeekFrom::End(0)))
            .map_err(|e| SystemError::io("read size of", device.display().to_string(), e))
    }

    fn number(&self, device: &Path) -> Result<String> {
        let number = || -> io::Result<String> {
            let data = fs::metadata(device)?;
            if !data.file_type().is_block_device() {
                return Err(io::Error::new(io::ErrorKind::InvalidInput, "expected a block device"));
            }
            Ok(format!("{}:{}", major(data.rdev()), minor(data.rdev())))
        };
        number().map_err(|e| SystemError::io("read number of", device.display().to_string(), e))
    }

    fn read(&self, device: &Path, offset: u64, length: usize) -> Result<Vec<u8>> {
        File::open(device)
            .and_then(|file| read_at(&file, offset, length))
            .map_err(|e| SystemError::io("read disk", device.display().to_string(), e))
    }
}

impl DiskWrites for Linux {
    fn write_disk(&self, device: &Path, offset: u64, bytes: &[u8]) -> Result<()> {
        let write = || -> io::Result<()> {
            let file = OpenOptions::new().read(true).write(true).open(device)?;
            file.write_all_at(bytes, offset)?;
            file.sync_all()?;
            kept(&file, offset, bytes)
        };
        write().map_err(|e| SystemError::io("write disk", device.display().to_string(), e))
    }

    fn write_zeros(&self, device: &Path, offset: u64, length: u64) -> Result<()> {
        let write = || -> io::Result<()> {
            let (zeros, end) = (vec![0; ZEROS], offset.saturating_add(length));
            let file = OpenOptions::new().write(true).open(device)?;
            let mut at = offset;
            while at < end {
                let piece = usize::try_from(end - at).unwrap_or(ZEROS).min(ZEROS);
                file.write_all_at(&zeros[..piece], at)?;
                at += piece as u64;
            }
            file.sync_all()
        };
        write().map_err(|e| SystemError::io("write zeros to", device.display().to_string(), e))
    }

    fn partition(&self, disk: &Disk, metadata_bytes: u64) -> Result<()> {
        let write = || -> io::Result<()> {
            let device = OpenOptions::new().read(true).write(true).open(&disk.path)?;
            let block_size = logical_block_size(&device)?;
            partition_table::write(&device, disk.size, block_size, metadata_bytes)
        };
        write().map_err(|e| SystemError::io("partition disk", disk.path.display().to_string(), e))
    }

    fn remove_partition_nodes(&self) -> Result<()> {
        let directory = self.paths.sys.join("block");
        let failed =
            |subject: &Path, e| SystemError::io("remove partitions of", subject.display().to_string(), e);
        for name in names(&directory).map_err(|e| failed(&directory, e))? {
            let disk = node(&self.paths.dev, &name);
            kernel_partitions::remove(&directory.join(&name), &disk).map_err(|e| failed(&disk, e))?;
        }
        Ok(())
    }

    fn release_disk(&self, disk: &Path) -> Result<()> {
        let release = || -> io::Result<()> {
            let name = disk.strip_prefix(&self.paths.dev).unwrap_or(disk).display().to_string();
            let block = self.paths.sys.join("block").join(name.replace('/', "!"));
            let device = fs::canonicalize(block.join("device"))?;
            let on_its_bus = device.file_name().ok_or(io::ErrorKind::NotFound)?;
            // It returns when the driver has let go, and the disk's node and sysfs folder went with it.
            let mut unbind = OpenOptions::new().write(true).open(device.join("driver/unbind"))?;
            unbind.write_all(on_its_bus.as_bytes())
        };
        release().map_err(|e| SystemError::io("release disk", disk.display().to_string(), e))
    }
}

impl Linux {
    fn announcements(&self) -> Result<&Announcements> {
        if let Some(announcements) = self.announcements.get() {
            return Ok(announcements);
        }
        let announcements = Announcements::subscribe()
            .map_err(|e| SystemError::io("listen to the kernel", "device events", e))?;
        // A second thread may have been first: its subscription is as good.
        Ok(self.announcements.get_or_init(|| announcements))
    }
}

/// Names of the disks of the machine.
fn names(directory: &Path) -> io::Result<Vec<String>> {
    let mut names = Vec::new();
    for entry in fs::read_dir(directory)? {
        let name = entry?.file_name().to_string_lossy().into_owned();
        if !is_virtual(&name) {
            names.push(name);
        }
    }
    Ok(names)
}

fn is_virtual(name: &str) -> bool {
    VIRTUAL.iter().any(|prefix| {
        name.strip_prefix(prefix).is_some_and(|rest| rest.starts_with(|c: char| c.is_ascii_digit()))
    })
}

/// Shorter names first, so that `vdb` comes before `vdaa`, as the kernel counts.
fn device_order(path: &Path) -> (usize, &Path) {
    (path.as_os_str().len(), path)
}

/// `None` for a device that went away meanwhile, that has no medium, or that the kernel hides behind another.
fn read_disk(directory: &Path, name: &str, dev: &Path) -> Option<Disk> {
    let size = number(&directory.join("size"))? * SYSFS_SECTOR;
    if size == 0 || number(&directory.join("hidden")) == Some(1) {
        return None;
    }
    let serial = SERIALS.iter().find_map(|file| serial(directory, file).filter(|text| !text.is_empty()));
    Some(Disk {
        path: node(dev, name),
        serial: serial.map(|s| s.chars().take(MAXIMUM_SERIAL).collect()).unwrap_or_default(),
        size,
        read_only: number(&directory.join("ro")) == Some(1),
    })
}

/// sysfs writes `!` for the `/` in a device's name.
fn node(dev: &Path, name: &str) -> PathBuf {
    dev.join(name.replace('!', "/"))
}

fn serial(directory: &Path, file: &str) -> Option<String> {
    let path = directory.join(file);
    if file != UNIT_SERIAL {
        return text(&path);
    }
    fs::read(&path).ok()?.get(PAGE_HEADER..).map(plain)
}

fn text(path: &Path) -> Option<String> {
    fs::read(path).ok().map(|bytes| plain(&bytes))
}

/// A serial is whatever bytes the host gave.
fn plain(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).trim_matches(['\0', '\n', ' ']).to_owned()
}

fn number(path: &Path) -> Option<u64> {
    text(path)?.parse().ok()
}

/// Reads back what was written, from the disk and not from the kernel's cache: a disk may drop what it says it keeps,
/// and what is done next may take away the only other copy.
fn kept(file: &File, offset: u64, bytes: &[u8]) -> io::Result<()> {
    posix_fadvise(file, 0, 0, PosixFadviseAdvice::POSIX_FADV_DONTNEED)?;
    if read_at(file, offset, bytes.len())? == bytes {
        return Ok(());
    }
    Err(io::Error::new(io::ErrorKind::InvalidData, "expected the disk to keep what it took"))
}

fn read_at(file: &File, offset: u64, length: usize) -> io::Result<Vec<u8>> {
    let mut buffer = Vec::new();
    buffer.try_reserve_exact(length)?;
    buffer.resize(length, 0);
    let mut filled = 0;
    while filled < length {
        match file.read_at(&mut buffer[filled..], offset + filled as u64) {
            Ok(0) => break,
            Ok(got) => filled += got,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    buffer.truncate(filled);
    Ok(buffer)
}

fn logical_block_size(device: &File) -> io::Result<u64> {
    if !device.metadata()?.file_type().is_block_device() {
        return Ok(SYSFS_SECTOR);
    }
    let mut size: libc::c_int = 0;
    // SAFETY: the kernel writes one int to the pointer, which is to a live int.
    unsafe { ioctl::logical_block_size(device.as_raw_fd(), &mut size) }?;
    u64::try_from(size).map_err(io::Error::other)
}

/// Requests of `<linux/fs.h>`.
#[allow(missing_docs)]
mod ioctl {
    nix::ioctl_read_bad!(logical_block_size, nix::request_code_none!(0x12, 104), libc::c_int);
}

#[cfg(test)]
mod tests {
    use super::super::Paths;
    use super::*;
    fn write(root: &Path, path: &str, text: &str) {
        let path = root.join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    #[test]
    fn disks_come_from_sysfs() {
        let root = tempfile::tempdir().unwrap();
        let sys = root.path();
        for (path, text) in [
            ("block/vdb/size", "2048\n"),
            ("block/vdb/ro", "0\n"),
            ("block/vdb/serial", "data-volume"),
            ("block/vdb/vdb2/partition", "2\n"),
            ("block/vdb/vdb2/size", "1024\n"),
            ("block/vdb/queue/size", "1\n"),
            ("block/vda/size", "16\n"),
            ("block/vda/ro", "1\n"),
            ("block/vda/device/serial", "  spaces \n"),
            ("block/vdaa/size", "16\n"),
            ("block/sda/size", "8\n"),
            ("block/sda/device/wwid", "naa.6001405\n"),
            ("block/sdb/size", "8\n"),
            ("block/sdb/device/wwid", "naa.6001406\n"),
            ("block/cciss!c0d0/size", "8\n"),
            ("block/sr0/size", "0\n"),
            ("block/nvme0c0n1/size", "8\n"),
            ("block/nvme0c0n1/hidden", "1\n"),
            ("block/loop0/size", "8\n"),
            ("block/dm-0/size", "8\n"),
            ("block/zram0/size", "8\n"),
            ("block/md127/size", "8\n"),
        ] {
            write(sys, path, text);
        }
        fs::write(sys.join("block/sda/device/vpd_pg80"), b"\x00\x80\x00\x06unit  ").unwrap();
        fs::write(sys.join("block/sdb/device/vpd_pg80"), b"\x00\x80\x00\x00").unwrap();
        let machine = Linux::with_paths(Paths { sys: sys.into(), ..Paths::default() });
        let disk = |path: &str, serial: &str, size, read_only| Disk {
            path: path.into(),
            serial: serial.into(),
            size,
            read_only,
        };
        assert_eq!(
            machine.disks().unwrap(),
            [
                disk("/dev/sda", "unit", 4096, false),
                disk("/dev/sdb", "naa.6001406", 4096, false),
                disk("/dev/vda", "spaces", 8192, true),
                disk("/dev/vdb", "data-volume", 1 << 20, false),
                disk("/dev/vdaa", "", 8192, false),
                disk("/dev/cciss/c0d0", "", 4096, false),
            ]
        );
    }

    #[test]
    fn a_disk_is_released_by_its_name_on_the_bus() {
        let root = tempfile::tempdir().unwrap();
        let sys = root.path();
        write(sys, "devices/css0/virtio3/block/vdb/size", "16\n");
        write(sys, "drivers/virtio_blk/unbind", "");
        let link = |target: &str, link: &str| {
            fs::create_dir_all(sys.join(link).parent().unwrap()).unwrap();
            std::os::unix::fs::symlink(sys.join(target), sys.join(link)).unwrap();
        };
        link("drivers/virtio_blk", "devices/css0/virtio3/driver");
        link("devices/css0/virtio3", "devices/css0/virtio3/block/vdb/device");
        link("devices/css0/virtio3/block/vdb", "block/vdb");
        let machine = Linux::with_paths(Paths { sys: sys.into(), ..Paths::default() });
        machine.release_disk(Path::new("/dev/vdb")).unwrap();
        assert_eq!(fs::read_to_string(sys.join("drivers/virtio_blk/unbind")).unwrap(), "virtio3");
        let error = machine.release_disk(Path::new("/dev/vdc")).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::NotFound);
        assert!(error.to_string().starts_with("release disk /dev/vdc: "), "{error}");
    }

    #[test]
    fn reading_stops_at_the_end_of_the_device_and_nowhere_else() {
        let mut file = tempfile::NamedTempFile::new().unwrap();
        file.write_all(&[1, 2, 3, 4, 5]).unwrap();
        let machine = Linux::new();
        assert_eq!(machine.read(file.path(), 1, 3).unwrap(), [2, 3, 4]);
        assert_eq!(machine.read(file.path(), 3, 100).unwrap(), [4, 5]);
        assert_eq!(machine.read(file.path(), 5, 1).unwrap(), [0u8; 0]);
        let error = machine.read(Path::new("/nowhere/vdb"), 0, 1).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::NotFound);
        assert!(error.to_string().starts_with("read disk /nowhere/vdb: "), "{error}");
        assert_eq!(machine.read(file.path(), 0, usize::MAX).unwrap_err().kind(), io::ErrorKind::OutOfMemory);
    }

    #[test]
    fn what_is_written_lies_at_its_place_and_nowhere_else() {
        let file = tempfile::NamedTempFile::new().unwrap();
        fs::write(file.path(), [7; 16384]).unwrap();
        let machine = Linux::new();
        machine.write_disk(file.path(), 4096, &[9; 100]).unwrap();
        let mut expected = [7; 16384];
        expected[4096..4196].fill(9);
        assert_eq!(fs::read(file.path()).unwrap(), expected);
        let error = machine.write_disk(Path::new("/nowhere/vdb"), 0, &[0]).unwrap_err();
        assert!(error.to_string().starts_with("write disk /nowhere/vdb: "), "{error}");
        // What a disk gives back that dropped a write is another text.
        let lies = kept(&File::open(file.path()).unwrap(), 4096, &[8; 100]).unwrap_err();
        assert_eq!(lies.to_string(), "expected the disk to keep what it took");
        let short = kept(&File::open(file.path()).unwrap(), 16380, &[7; 8]).unwrap_err();
        assert_eq!(short.kind(), io::ErrorKind::InvalidData);
        assert_eq!(machine.size(file.path()).unwrap(), 16384);
        assert_eq!(machine.number(file.path()).unwrap_err().kind(), io::ErrorKind::InvalidInput);
    }

    /// The test machine's own first disk or loop device, as its kernel numbers it.
    #[test]
    fn the_number_of_a_block_device_is_that_of_sysfs() {
        let device =
            fs::read_dir("/sys/block").unwrap().map(|entry| entry.unwrap().file_name()).find_map(|name| {
                let node = Path::new("/dev").join(&name);
                node.exists().then(|| (node, Path::new("/sys/block").join(name).join("dev")))
            });
        let Some((node, number)) = device else {
            return;
        };
        assert_eq!(Linux::new().number(&node).unwrap(), fs::read_to_string(number).unwrap().trim());
    }

    #[test]
    fn the_list_itself_missing_is_an_error() {
        let root = tempfile::tempdir().unwrap();
        let machine = Linux::with_paths(Paths { sys: root.path().into(), ..Paths::default() });
        assert_eq!(machine.disks().unwrap_err().kind(), io::ErrorKind::NotFound);
    }
}
