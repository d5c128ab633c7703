//! Stage `root`: the guest OS from its read-only image, on top of scratch space that nobody can read later.
//!
//! The root file system is a fresh ext4 on a disk that is encrypted and authenticated with random keys that exist in the
//! kernel only; where the machine has no scratch disk, or the image builder wants it so, it is memory. `usr` and `etc`
//! come from the erofs image under dm-verity, whose constants are sealed in the initramfs: no superblock of the host is
//! read. The volumes move in last, so that mount points may lie anywhere.

use std::path::{Path, PathBuf};

use countersign_contract::code::Code;
use countersign_plan::guest_os::handover::FOLDER;
use countersign_plan::guest_os::image::{Protection, ScratchDisk};
use countersign_plan::record::folder::{self, HYPERPROTECT};
use countersign_plan::volumes::mapper::{self, INTEGRITY_SUFFIX};
use countersign_plan::watch::Mapping;
use countersign_ports::error::SystemError;
use countersign_ports::{Disk, Durability, FsType, Initramfs, MountFlags};

use crate::failure::Failure;
use crate::log::{Log, Summary};
use crate::stage::Stage;

use super::carried::Carried;
use super::unlock::Unlocked;
use image::{Image, read_only};

pub(super) mod image;

/// Where the new root is put together.
pub(super) const NEW_ROOT: &str = "/sysroot";
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
    /// `HPL11111E` when the scratch space cannot be made, `HPL11110E` when the image cannot be bound into it,
    /// `HPL11112E` when the folder of the record cannot.
    pub(super) fn root<S: Initramfs>(self, system: &S, log: &mut Log<'_, S>) -> Result<Rooted, Failure> {
        let Unlocked { mut carried, image, volumes } = self;
        log.stage(Stage::Root, |_| {
            let disks = system.disks().map_err(scratch)?;
            let ScratchDisk { serial, protection } = &carried.manifest.scratch;
            let disk = image::by_serial(&disks, serial).map(|disk| (disk, *protection));
            let scratch_space = lay_out(system, &image, disk)?;
            record_folder(system, volumes.iter().map(|volume| volume.mount.as_str()))?;
            for volume in &volumes {
                let target = new(volume.mount.trim_start_matches('/'));
                system.move_mount(&volume.staged, &target).map_err(|error| {
                    let message = format!("volume {}: {}", volume.name(), error.about("its mount point"));
                    Failure::machine(Stage::Root, Code::MountFailed, message)
                })?;
            }
            carried.watch.image = Some(mapping(system, mapper::IMAGE).map_err(image::failed)?);
            let mapped = scratch_space.mapped.iter().map(|name| mapping(system, name));
            carried.watch.scratch = mapped.collect::<Result<_, _>>().map_err(scratch)?;
            let summary = Summary::new().with("verity", "yes").with("scratch", scratch_space.kind);
            Ok((Rooted { carried }, summary))
        })
    }
}

/// The folder of the record, in memory, shown read-only to the workload. A volume that is mounted below it finds its
/// mount point there; one that is mounted in its place takes it.
fn record_folder<'m, S: Initramfs>(
    system: &S,
    mut mounts: impl Iterator<Item = &'m str> + Clone,
) -> Result<(), Failure> {
    if mounts.clone().any(|mount| mount == HYPERPROTECT) {
        return Ok(());
    }
    let mut shown = || -> Result<(), SystemError> {
        system.make_directory(Path::new(FOLDER), 0o700)?;
        for (folder, mode) in folder::folders() {
            system.make_directory(Path::new(&folder), mode)?;
        }
        let home = folder::folder();
        mounts.try_for_each(|mount| {
            let below = mount.strip_prefix(HYPERPROTECT).and_then(|below| below.strip_prefix('/'));
            let make = |below| system.make_directory(&Path::new(&home).join(below), 0o755);
            // What the contract calls it is not repeated.
            below.map_or(Ok(()), make).map_err(|error| error.about("a mount point"))
        })?;
        let target = new(HYPERPROTECT.trim_start_matches('/'));
        system.bind(Path::new(&home), &target, MountFlags { nosuid: true, noexec: true, ..read_only() })
    };
    shown().map_err(|error| Failure::machine(Stage::Root, Code::HandoverFailed, error))
}

/// Scratch space that is mounted.
#[derive(Debug)]
pub(super) struct Scratch {
    /// The word of the stage's line.
    kind: &'static str,
    /// Its mapped devices, the one that is mounted first; none where it is memory.
    mapped: Vec<String>,
}

/// Puts the new root together, on the scratch disk or in memory.
pub(super) fn lay_out<S: Initramfs>(
    system: &S,
    image: &Image,
    disk: Option<(&Disk, Protection)>,
) -> Result<Scratch, Failure> {
    let scratch_space = scratch_root(system, disk)?;
    for (folder, mode) in FOLDERS {
        system.make_directory(&new(folder), *mode).map_err(scratch)?;
    }
    for (target, link) in LINKS {
        system.symlink(Path::new(target), &new(link)).map_err(scratch)?;
    }
    for folder in ["usr", "etc"] {
        system.bind(&image.folder(folder), &new(folder), read_only()).map_err(image::failed)?;
    }
    Ok(scratch_space)
}

/// `path` in the new root.
pub(super) fn new(path: &str) -> PathBuf {
    Path::new(NEW_ROOT).join(path)
}

/// Mounts the writable part of the root.
fn scratch_root<S: Initramfs>(system: &S, disk: Option<(&Disk, Protection)>) -> Result<Scratch, Failure> {
    let name = mapper::SCRATCH.to_owned();
    let below = format!("{name}{INTEGRITY_SUFFIX}");
    let (device, scratch_space) = match disk {
        Some((disk, Protection::Integrity)) => {
            let device = system.open_scratch(&disk.path, &name).map_err(scratch)?;
            (Some(device), Scratch { kind: "authenticated", mapped: vec![name, below] })
        }
        Some((disk, Protection::Plain)) => {
            let device = system.open_plain_scratch(&disk.path, &name).map_err(scratch)?;
            (Some(device), Scratch { kind: "encrypted", mapped: vec![name] })
        }
        None | Some((_, Protection::Memory)) => (None, Scratch { kind: "memory", mapped: Vec::new() }),
    };
    let target = Path::new(NEW_ROOT);
    let flags = MountFlags { nodev: true, ..MountFlags::default() };
    match device {
        Some(device) => system
            .make(FsType::Ext4, &device, "scratch", Durability::Scratch)
            .and_then(|()| system.mount(FsType::Ext4, &device, target, flags)),
        None => system.mount(FsType::Tmpfs, Path::new("scratch"), target, flags),
    }
    .map_err(scratch)?;
    Ok(scratch_space)
}

/// What the daemon will compare a mapped device with.
fn mapping<S: Initramfs>(system: &S, name: &str) -> Result<Mapping, SystemError> {
    Ok(Mapping { name: name.to_owned(), table: system.table(name)? })
}

fn scratch(error: SystemError) -> Failure {
    Failure::machine(Stage::Root, Code::ScratchSpace, error)
}
