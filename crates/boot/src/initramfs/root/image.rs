//! The guest OS's image: opened under dm-verity and mounted.
//!
//! It is opened while volumes are still closed, in the middle of `unlock`: this reads only, and a guest whose OS is
//! missing or altered must not leave a new volume behind. What fails here is a failure of `root`.

use std::path::{Path, PathBuf};

use countersign_contract::code::Code;
use countersign_plan::guest_os::image::{ImageManifest, RootImage};
use countersign_plan::volumes::mapper;
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
        let disks = system.disks().map_err(failed)?;
        let os = by_serial(&disks, &manifest.root.serial).ok_or_else(|| {
            let message = format!("expected a disk with the serial number {}", manifest.root.serial);
            Failure::machine(Stage::Root, Code::RootImage, message)
        })?;
        let device = system.open_verity(&os.path, mapper::IMAGE, &verity(&manifest.root)?).map_err(failed)?;
        system.mount(FsType::Erofs, &device, Path::new(IMAGE), read_only()).map_err(failed)?;
        Ok(Image(()))
    }

    /// A folder of it.
    pub(super) fn folder(&self, name: &str) -> PathBuf {
        Path::new(IMAGE).join(name)
    }
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
