//! File systems: made by their own programs, mounted by the kernel.
//!
//! Follows mke2fs(8), mkfs.xfs(8), mkfs.btrfs(8), mount(2). No policy about what is mounted where. A mount point
//! is reached without following symbolic links, as [`super::files`] does it.

use std::fs::{self, File};
use std::io;
use std::os::fd::AsRawFd;
use std::path::{Path, PathBuf};

use nix::errno::Errno;
use nix::mount::{MntFlags, MsFlags, mount, umount2};
use nix::unistd::syncfs;

use super::files::{self, DIRECTORY_MODE};
use super::programs::{self, Program};
use super::{Linux, attributes, grow};
use countersign_ports::error::{Result, SystemError};
use countersign_ports::{Disks, Durability, Filesystems, FsType, MountFlags};

/// Features of a new ext4, spelt out so that no configuration file of the image decides about them. All are known
/// to every kernel since 4.x, so that a volume opens on any rescue machine.
const EXT4_PERSISTENT: &str = "none,ext_attr,resize_inode,dir_index,filetype,extent,64bit,flex_bg,sparse_super,\
large_file,huge_file,dir_nlink,extra_isize,metadata_csum,has_journal";

/// The same for scratch space, which no boot finds again: no journal, no second superblock, no room to grow.
const EXT4_SCRATCH: &str = "none,ext_attr,dir_index,filetype,extent,64bit,flex_bg,sparse_super2,large_file,huge_file,\
dir_nlink,extra_isize,metadata_csum";

/// The same for a new xfs: what every kernel since 5.15 mounts.
const XFS_METADATA: &str = "crc=1,finobt=1,inobtcount=1,bigtime=1,reflink=1,rmapbt=0";
const XFS_INODES: &str = "sparse=1,nrext64=0";

impl Filesystems for Linux {
    fn make(&self, filesystem: FsType, device: &Path, label: &str, durability: Durability) -> Result<()> {
        let (program, arguments) = recipe(filesystem, label, durability, self.size(device)?)?;
        Program::new(programs::find(program)?).arguments(arguments).arguments([device]).run().map(drop)
    }

    fn mount(&self, filesystem: FsType, device: &Path, target: &Path, flags: MountFlags) -> Result<()> {
        let failed = |e: io::Error| SystemError::io("mount", target.display().to_string(), e);
        let directory = files::make_directory(target, DIRECTORY_MODE).map_err(failed)?;
        let target = by_descriptor(&directory);
        let name = filesystem.name();
        let attempt = |source: &Path, options: Option<&str>| {
            mount(Some(source), &target, Some(name), mount_flags(flags), options)
        };
        let mounted = if filesystem == FsType::Tmpfs {
            // Contents must not reach a disk; kernels before 6.4 do not know the option and have no swap here.
            match attempt(Path::new(name), Some("mode=0755,noswap")) {
                Err(Errno::EINVAL) => attempt(Path::new(name), Some("mode=0755")),
                other => other,
            }
        } else {
            attempt(device, flags.discard.then(|| discard(filesystem)))
        };
        mounted.map_err(|e| failed(e.into()))
    }

    fn bind(&self, source: &Path, target: &Path, flags: MountFlags) -> Result<()> {
        let bind = || -> io::Result<()> {
            let bind_onto =
                |onto: &Path| mount(Some(source), onto, None::<&str>, MsFlags::MS_BIND, None::<&str>);
            if fs::metadata(source)?.is_dir() {
                let directory = files::make_directory(target, DIRECTORY_MODE)?;
                bind_onto(&by_descriptor(&directory))?;
            } else {
                match files::write(target, 0o644, &[]) {
                    Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(error),
                    _ => bind_onto(target)?,
                }
            }
            // The flags of a bind mount are only taken by a second call, which must meet the new mount.
            let again = MsFlags::MS_BIND | MsFlags::MS_REMOUNT | mount_flags(flags);
            mount(None::<&str>, target, None::<&str>, again, None::<&str>).inspect_err(|_| {
                let _ = umount2(target, MntFlags::MNT_DETACH);
            })?;
            Ok(())
        };
        bind().map_err(|e| SystemError::io("bind to", target.display().to_string(), e))
    }

    fn move_mount(&self, source: &Path, target: &Path) -> Result<()> {
        let move_mount = || -> io::Result<()> {
            let directory = files::make_directory(target, DIRECTORY_MODE)?;
            Ok(mount(Some(source), &by_descriptor(&directory), None::<&str>, MsFlags::MS_MOVE, None::<&str>)?)
        };
        move_mount().map_err(|e| SystemError::io("move mount to", target.display().to_string(), e))
    }

    fn grow(&self, filesystem: FsType, target: &Path, bytes: u64) -> Result<()> {
        grow::file_system(filesystem, target, bytes)
            .map_err(|e| SystemError::io("grow file system at", target.display().to_string(), e))
    }

    fn set_attribute(&self, path: &Path, name: &str, value: &[u8]) -> Result<()> {
        attributes::set(path, name, value)
            .map_err(|e| SystemError::io("write attribute of", path.display().to_string(), e))
    }

    fn unmount(&self, target: &Path) -> Result<()> {
        let unmount = || -> io::Result<()> {
            // Unmounting writes as well, but would not say that it failed.
            syncfs(File::open(target)?)?;
            Ok(umount2(target, MntFlags::UMOUNT_NOFOLLOW)?)
        };
        unmount().map_err(|e| SystemError::io("unmount", target.display().to_string(), e))
    }
}

/// The kernel's name of an open directory, good while it is open. A descriptor made by [`files::make_directory`] cannot be exchanged for
/// a link between the look and the mount.
fn by_descriptor(directory: &impl AsRawFd) -> PathBuf {
    PathBuf::from(format!("/proc/self/fd/{}", directory.as_raw_fd()))
}

fn mount_flags(flags: MountFlags) -> MsFlags {
    [
        (flags.read_only, MsFlags::MS_RDONLY),
        (flags.nosuid, MsFlags::MS_NOSUID),
        (flags.nodev, MsFlags::MS_NODEV),
        (flags.noexec, MsFlags::MS_NOEXEC),
        (flags.noatime, MsFlags::MS_NOATIME),
        (flags.synchronous, MsFlags::MS_SYNCHRONOUS),
    ]
    .into_iter()
    .filter_map(|(wanted, flag)| wanted.then_some(flag))
    .collect()
}

/// The option by which a file system gives freed blocks back as it goes: no timer of the guest OS trims volumes. In
/// the background where the file system can; it is Btrfs' own default on a device that takes discards.
fn discard(filesystem: FsType) -> &'static str {
    if filesystem == FsType::Btrfs { "discard=async" } else { "discard" }
}

/// The program that makes a file system, and its arguments before the device.
///
/// None is forced: a device that is mounted or in use is refused by the program itself.
fn recipe(
    filesystem: FsType,
    label: &str,
    durability: Durability,
    size: u64,
) -> Result<(&'static str, Vec<String>)> {
    let words = |words: &[&str]| words.iter().map(|word| (*word).to_owned()).collect();
    match filesystem {
        FsType::Ext4 => {
            // Discarding would tell the host which blocks are in use.
            let (features, extended) = match durability {
                // Both lazy: the kernel zeroes inode tables after mounting and carries on after a power cut
                // (metadata_csum marks what is not yet done), and an unwritten journal holds, under a key that was
                // never used before, noise that no checksum fits. Writing them here would cost a 100 GB volume
                // minutes of its first boot.
                Durability::Persistent => {
                    (EXT4_PERSISTENT, "nodiscard,lazy_itable_init=1,lazy_journal_init=1")
                }
                // Nothing is read that was not written: on scratch space that is an error.
                Durability::Scratch => (EXT4_SCRATCH, "nodiscard,lazy_itable_init=0,num_backup_sb=0"),
            };
            let bytes_per_inode = bytes_per_inode(durability, size).to_string();
            Ok((
                "mke2fs",
                words(&[
                    "-q",
                    "-t",
                    "ext4",
                    "-b",
                    "4096",
                    "-I",
                    "256",
                    "-i",
                    &bytes_per_inode,
                    "-m",
                    "1",
                    "-e",
                    "remount-ro",
                    "-O",
                    features,
                    "-E",
                    extended,
                    "-L",
                    cut(label, 16),
                ]),
            ))
        }
        FsType::Xfs => {
            Ok(("mkfs.xfs", words(&["-q", "-K", "-m", XFS_METADATA, "-i", XFS_INODES, "-L", cut(label, 12)])))
        }
        FsType::Btrfs => Ok(("mkfs.btrfs", words(&["-q", "--nodiscard", "-L", cut(label, 255)]))),
        FsType::Erofs | FsType::Tmpfs => {
            Err(SystemError::new("make file system", filesystem.name(), "expected ext4, xfs or btrfs"))
        }
    }
}

/// One inode for so many bytes. Those of scratch space are written at every boot, so there are fewer: half as many as
/// elsewhere up to 16 GiB, a quarter from 32 GiB on, which is 4 MiB for each GiB.
fn bytes_per_inode(durability: Durability, size: u64) -> u64 {
    match durability {
        Durability::Persistent => 16 << 10,
        Durability::Scratch => (size >> 19).clamp(32 << 10, 64 << 10),
    }
}

/// The first `bytes` bytes of a label, between characters; a label has a fixed room in each file system.
fn cut(label: &str, bytes: usize) -> &str {
    let mut end = label.len().min(bytes);
    while !label.is_char_boundary(end) {
        end -= 1;
    }
    &label[..end]
}

#[cfg(test)]
pub(super) mod tests;
