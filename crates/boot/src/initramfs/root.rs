//! Stage `root`: the guest OS from its read-only image, on top of scratch space that nobody can read later.
//!
//! The root file system is a fresh ext4 on plain dm-crypt with a random key that exists in the kernel only; where
//! the machine has no scratch disk, it is memory. `usr` and `etc` come from the erofs image under dm-verity, whose
//! constants are sealed in the initramfs: no superblock of the host is read. The volumes move in last, so that
//! mount points may lie anywhere.

use std::path::{Path, PathBuf};

use countersign_contract::code::Code;
use countersign_plan::guest_os::image::{ImageManifest, RootImage};
use countersign_plan::volumes::mapper;
use countersign_plan::watch::Mapping;
use countersign_ports::error::SystemError;
use countersign_ports::{Disk, Durability, FsType, Initramfs, MountFlags, Verity};

use crate::failure::Failure;
use crate::log::{Log, Summary};
use crate::stage::Stage;

use super::carried::Carried;
use super::unlock::Unlocked;

/// Where the new root is put together.
pub(super) const NEW_ROOT: &str = "/sysroot";
/// Where the erofs image is mounted until the switch; the binds keep it.
pub(super) const IMAGE: &str = "/image";
/// What scratch space on a disk is.
const ENCRYPTED: &str = "encrypted";
/// Folders of the new root, with their modes. `usr` and `etc` come from the image.
const FOLDERS: &[(&str, u32)] = &[
    ("usr", 0o755),
    ("etc", 0o755),
    ("proc", 0o755),
    ("sys", 0o755),
    ("dev", 0o755),
    ("run", 0o755),
    ("tmp", 0o1777),
    ("root", 0o700),
    ("home", 0o755),
    ("mnt", 0o755),
    ("media", 0o755),
    ("opt", 0o755),
    ("srv", 0o755),
    ("var", 0o755),
    ("var/cache", 0o755),
    ("var/lib", 0o755),
    ("var/log", 0o755),
    ("var/spool", 0o755),
    ("var/tmp", 0o1777),
];
/// Links of a merged `/usr`.
const LINKS: &[(&str, &str)] = &[
    ("usr/bin", "bin"),
    ("usr/sbin", "sbin"),
    ("usr/lib", "lib"),
    ("usr/lib64", "lib64"),
    ("/run", "var/run"),
    ("/run/lock", "var/lock"),
];

/// A guest OS that is ready to be switched to.
#[derive(Debug)]
pub(super) struct Rooted {
    pub(super) carried: Carried,
}

impl Unlocked {
    /// Runs the stage.
    ///
    /// # Errors
    /// `HPL11111E` when the scratch space cannot be made, `HPL11110E` when the image cannot be bound into it.
    pub(super) fn root<S: Initramfs>(self, system: &S, log: &mut Log<'_, S>) -> Result<Rooted, Failure> {
        let Unlocked { mut carried, volumes } = self;
        log.stage(Stage::Root, |_| {
            let disks = system.disks().map_err(scratch)?;
            let manifest = &carried.manifest;
            let scratch_kind = lay_out(system, by_serial(&disks, &manifest.scratch.serial))?;
            for volume in &volumes {
                let target = new(volume.mount.trim_start_matches('/'));
                system.move_mount(&volume.staged, &target).map_err(|error| {
                    let message = format!("volume {}: {}", volume.name(), error.about("its mount point"));
                    Failure::machine(Stage::Root, Code::MountFailed, message)
                })?;
            }
            carried.watch.image = Some(mapping(system, mapper::IMAGE).map_err(image)?);
            carried.watch.scratch = match scratch_kind {
                ENCRYPTED => Some(mapping(system, mapper::SCRATCH).map_err(scratch)?),
                _ => None,
            };
            let summary = Summary::new().with("verity", "yes").with("scratch", scratch_kind);
            Ok((Rooted { carried }, summary))
        })
    }
}

/// Puts the new root together, on the scratch disk or in memory; says which.
pub(super) fn lay_out<S: Initramfs>(system: &S, disk: Option<&Disk>) -> Result<&'static str, Failure> {
    let scratch_kind = scratch_root(system, disk)?;
    for (folder, mode) in FOLDERS {
        system.make_directory(&new(folder), *mode).map_err(scratch)?;
    }
    for (target, link) in LINKS {
        system.symlink(Path::new(target), &new(link)).map_err(scratch)?;
    }
    let read_only = read_only();
    for folder in ["usr", "etc"] {
        system.bind(&Path::new(IMAGE).join(folder), &new(folder), read_only).map_err(image)?;
    }
    Ok(scratch_kind)
}

/// Opens and mounts the guest OS's image. Reads only, so it comes before the first byte is written anywhere: a
/// guest whose OS is missing or altered must not leave a new volume behind.
///
/// # Errors
/// `HPL11110E` when the image's disk is missing or its root hash does not fit.
pub(super) fn open_image<S: Initramfs>(system: &S, manifest: &ImageManifest) -> Result<(), Failure> {
    let disks = system.disks().map_err(image)?;
    let os = by_serial(&disks, &manifest.root.serial).ok_or_else(|| {
        let message = format!("expected a disk with the serial number {}", manifest.root.serial);
        Failure::machine(Stage::Root, Code::RootImage, message)
    })?;
    let device = system.open_verity(&os.path, mapper::IMAGE, &verity(&manifest.root)?).map_err(image)?;
    system.mount(FsType::Erofs, &device, Path::new(IMAGE), read_only()).map_err(image)
}

fn read_only() -> MountFlags {
    MountFlags { read_only: true, nodev: true, ..MountFlags::default() }
}

/// `path` in the new root.
pub(super) fn new(path: &str) -> PathBuf {
    Path::new(NEW_ROOT).join(path)
}

fn by_serial<'d>(disks: &'d [Disk], serial: &str) -> Option<&'d Disk> {
    disks.iter().find(|disk| disk.serial == serial)
}

fn verity(root: &RootImage) -> Result<Verity, Failure> {
    let (salt, root_hash) = root.salt_and_root_hash().ok_or_else(|| {
        let message = "expected salt and root hash of image.json in hexadecimal";
        Failure::machine(Stage::Root, Code::ImageIncomplete, message)
    })?;
    Ok(Verity {
        data_blocks: root.data_blocks,
        block_size: root.block_size,
        hash_offset: root.hash_offset,
        salt,
        algorithm: root.algorithm.name(),
        root_hash,
    })
}

/// Mounts the writable part of the root; says what it is.
fn scratch_root<S: Initramfs>(system: &S, disk: Option<&Disk>) -> Result<&'static str, Failure> {
    let target = Path::new(NEW_ROOT);
    let flags = MountFlags { nodev: true, ..MountFlags::default() };
    match disk {
        Some(disk) => {
            let device = system.open_scratch(&disk.path, mapper::SCRATCH).map_err(scratch)?;
            system.make(FsType::Ext4, &device, "scratch", Durability::Scratch).map_err(scratch)?;
            system.mount(FsType::Ext4, &device, target, flags).map_err(scratch)?;
            Ok(ENCRYPTED)
        }
        None => {
            system.mount(FsType::Tmpfs, Path::new("scratch"), target, flags).map_err(scratch)?;
            Ok("memory")
        }
    }
}

/// What the daemon will compare a mapped device with.
fn mapping<S: Initramfs>(system: &S, name: &str) -> Result<Mapping, SystemError> {
    Ok(Mapping { name: name.to_owned(), table: system.table(name)? })
}

fn image(error: SystemError) -> Failure {
    Failure::machine(Stage::Root, Code::RootImage, error)
}

fn scratch(error: SystemError) -> Failure {
    Failure::machine(Stage::Root, Code::ScratchSpace, error)
}
