//! What the kernel is told when a disk became larger: a partition's new end, a mounted file system's new size.
//!
//! Follows `<linux/blkpg.h>`, ext4's `EXT4_IOC_RESIZE_FS`, XFS's ioctl_xfs_fsgrowfs(2) and ioctl_xfs_fsgeometry(2),
//! btrfs's `BTRFS_IOC_RESIZE`. A file system that has the size already stays as it is.

use std::fs::File;
use std::io;
use std::os::fd::AsRawFd;
use std::path::Path;

use nix::sys::statfs::fstatfs;

use countersign_ports::FsType;

/// Gives a partition that nobody uses its new end; it begins where it began.
pub(super) fn resize_partition(disk: &File, number: u32, start: u64, length: u64) -> io::Result<()> {
    let mut partition = ioctl::Partition {
        start: i64::try_from(start).map_err(io::Error::other)?,
        length: i64::try_from(length).map_err(io::Error::other)?,
        number: i32::try_from(number).map_err(io::Error::other)?,
        device: [0; 64],
        volume: [0; 64],
    };
    let request = ioctl::Request {
        operation: ioctl::RESIZE_PARTITION,
        flags: 0,
        length: i32::try_from(size_of::<ioctl::Partition>()).map_err(io::Error::other)?,
        data: &mut partition,
    };
    // SAFETY: the request and what it points to have the kernel's layout and live through the call.
    unsafe { ioctl::partition(disk.as_raw_fd(), &request) }?;
    Ok(())
}

/// Grows the file system that is mounted at `target` to `bytes`, the size of its device.
pub(super) fn file_system(filesystem: FsType, target: &Path, bytes: u64) -> io::Result<()> {
    let root = File::open(target)?;
    let descriptor = root.as_raw_fd();
    match filesystem {
        FsType::Ext4 => {
            let block = u64::try_from(fstatfs(&root)?.block_size()).map_err(io::Error::other)?;
            let blocks = bytes.checked_div(block).ok_or(io::ErrorKind::InvalidData)?;
            // SAFETY: the kernel reads one number of 64 bits, which lives through the call.
            unsafe { ioctl::resize_ext4(descriptor, &blocks) }?;
        }
        FsType::Xfs => {
            let mut geometry = ioctl::Geometry([0; 28]);
            // SAFETY: the kernel writes a structure of 112 bytes, which is the size of `Geometry`.
            unsafe { ioctl::geometry_xfs(descriptor, &mut geometry) }?;
            // Block size and the share of inodes in percent, which stays.
            let (block, inodes) = (u64::from(geometry.0[0]), geometry.0[7]);
            let blocks = bytes.checked_div(block).ok_or(io::ErrorKind::InvalidData)?;
            // SAFETY: the kernel reads a structure of this layout, which lives through the call.
            unsafe { ioctl::grow_xfs(descriptor, &ioctl::GrowXfs { blocks, inodes }) }?;
        }
        FsType::Btrfs => {
            let mut arguments = ioctl::ResizeBtrfs { descriptor: 0, name: [0; 4088] };
            arguments.name[..3].copy_from_slice(b"max");
            // SAFETY: the kernel reads a structure of this layout, its text ended by NUL, which lives through the call.
            unsafe { ioctl::resize_btrfs(descriptor, &arguments) }?;
        }
        FsType::Erofs | FsType::Tmpfs => return Err(io::ErrorKind::Unsupported.into()),
    }
    root.sync_all()
}

/// Requests and structures of the kernel's headers.
#[allow(missing_docs)]
mod ioctl {
    pub(super) const RESIZE_PARTITION: i32 = 3;

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

    /// `struct xfs_fsop_geom_v1`, its fields of 64 bits in halves that nobody reads.
    #[repr(C, align(8))]
    pub(super) struct Geometry(pub [u32; 28]);

    #[repr(C)]
    pub(super) struct GrowXfs {
        pub blocks: u64,
        pub inodes: u32,
    }

    #[repr(C)]
    pub(super) struct ResizeBtrfs {
        pub descriptor: i64,
        pub name: [u8; 4088],
    }

    nix::ioctl_write_ptr_bad!(partition, nix::request_code_none!(0x12, 105), Request);
    nix::ioctl_write_ptr!(resize_ext4, b'f', 16, u64);
    nix::ioctl_read!(geometry_xfs, b'X', 100, Geometry);
    nix::ioctl_write_ptr!(grow_xfs, b'X', 110, GrowXfs);
    nix::ioctl_write_ptr!(resize_btrfs, 0x94, 3, ResizeBtrfs);
}
