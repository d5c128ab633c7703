//! The guest OS's image: opened under dm-verity and mounted.
//!
//! It lies on a disk of its own, which has the serial number that `image.json` names, or in a partition, whose GUID the
//! root hash gives: the disk from which the machine started then carries it, under any serial number or none. Which of them
//! it is found on is the host's word; what is read there is held against the root hash.
//!
//! It is opened while volumes are still closed, in the middle of `unlock`: this reads only, and a guest whose OS is
//! missing or altered must not leave a new volume behind. What fails here is a failure of `root`.

use std::path::{Path, PathBuf};

use countersign_contract::code::Code;
use countersign_plan::guest_os::image::{ImageManifest, RootImage};
use countersign_plan::volumes::facts::Device;
use countersign_plan::volumes::mapper;
use countersign_plan::volumes::partition_table::{self, Partition};
use countersign_ports::error::SystemError;
use countersign_ports::{Disk, FsType, Initramfs, MountFlags, Verity};

use crate::failure::Failure;
use crate::stage::Stage;

/// Where the erofs image is mounted until the switch; the binds keep it.
pub(in crate::initramfs) const IMAGE: &str = "/image";

/// The image is open and mounted: no root is put together without it.
#[derive(Debug)]
pub(in crate::initramfs) struct Image(());

impl Image {
    /// Opens and mounts it.
    ///
    /// # Errors
    /// `HPL11110E` when the image's disk is missing or its root hash does not fit.
    pub(in crate::initramfs) fn open<S: Initramfs>(
        system: &S,
        manifest: &ImageManifest,
    ) -> Result<Image, Failure> {
        let verity = verity(&manifest.root)?;
        let device = find(system, &manifest.root)?;
        let device = system.open_verity(&device, mapper::IMAGE, &verity).map_err(failed)?;
        system.mount(FsType::Erofs, &device, Path::new(IMAGE), read_only()).map_err(failed)?;
        Ok(Image(()))
    }

    /// A folder of it.
    pub(super) fn folder(&self, name: &str) -> PathBuf {
        Path::new(IMAGE).join(name)
    }
}

/// The device on which the guest OS lies: a partition is opened by its place on the disk.
fn find<S: Initramfs>(system: &S, root: &RootImage) -> Result<PathBuf, Failure> {
    let disks = system.disks().map_err(failed)?;
    let named = by_serial(&disks, &root.serial);
    // The disk that is named first: as long as it is there, no other is read.
    let others = disks.iter().filter(|disk| disk.serial != root.serial);
    for disk in named.into_iter().chain(others) {
        // A disk that cannot be read is not the one; a volume on it is refused by name.
        let partition = partition(system, disk, root).unwrap_or_default();
        if let Some(Partition { number, start, size, .. }) = partition {
            let name = Device::from(&disk.path).partition(number).to_string();
            return system.open_part(&disk.path, &name, start, size).map_err(failed);
        }
        if disk.serial == root.serial {
            return Ok(disk.path.clone());
        }
    }
    let message = format!(
        "expected a disk with the serial number {}, or one with the partition of this image's guest OS",
        root.serial
    );
    Err(Failure::machine(Stage::Root, Code::RootImage, message))
}

/// The partition with the guest OS, if the disk has it.
fn partition<S: Initramfs>(
    system: &S,
    disk: &Disk,
    root: &RootImage,
) -> Result<Option<Partition>, SystemError> {
    let head = system.read(&disk.path, 0, partition_table::HEAD_BYTES)?;
    let partitions = partition_table::read(&head, disk.size).unwrap_or_default();
    Ok(partitions.into_iter().find(|partition| carries(root, partition)))
}

/// Whether a partition is that of the guest OS.
pub(in crate::initramfs) fn carries(root: &RootImage, partition: &Partition) -> bool {
    root.partition() == Some(partition.guid)
}

/// How it is mounted, and bound.
pub(super) fn read_only() -> MountFlags {
    MountFlags { read_only: true, nodev: true, ..MountFlags::default() }
}

pub(super) fn by_serial<'d>(disks: &'d [Disk], serial: &str) -> Option<&'d Disk> {
    disks.iter().find(|disk| disk.serial == serial)
}

pub(super) fn failed(error: SystemError) -> Failure {
    Failure::machine(Stage::Root, Code::RootImage, error)
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
