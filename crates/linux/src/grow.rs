//! What the kernel is told when a disk became larger: a mounted file system's new size.
//!
//! Follows ext4's `EXT4_IOC_RESIZE_FS`, XFS's ioctl_xfs_fsgrowfs(2) and ioctl_xfs_fsgeometry(2),
//! btrfs's `BTRFS_IOC_RESIZE`. A file system that has the size already stays as it is.

use std::fs::File;
use std::io;
use std::os::fd::AsRawFd;
use std::path::Path;

use nix::sys::statfs::fstatfs;

use countersign_ports::FsType;

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

    nix::ioctl_write_ptr!(resize_ext4, b'f', 16, u64);
    nix::ioctl_read!(geometry_xfs, b'X', 100, Geometry);
    nix::ioctl_write_ptr!(grow_xfs, b'X', 110, GrowXfs);
    nix::ioctl_write_ptr!(resize_btrfs, 0x94, 3, ResizeBtrfs);
}
