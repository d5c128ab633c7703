//! The work on one volume: the machine, the volume, its disk. Every step of the stage is a method of it.

use std::fmt::Display;
use std::path::{Path, PathBuf};

use countersign_contract::code::Code;
use countersign_contract::model::{FileSystem, Volume};
use countersign_plan::luks2::Accepted;
use countersign_plan::volumes::facts::Device;
use countersign_plan::volumes::mounting::Mounting;
use countersign_plan::volumes::partition_table::Partition;
use countersign_plan::volumes::{Action, mapper};
use countersign_ports::error::SystemError;
use countersign_ports::{FsType, Initramfs, MountFlags};

use crate::failure::Failure;
use crate::line::Line;
use crate::log::Log;
use crate::stage::Stage;

use super::probe::Parted;

/// Where volumes are mounted until the new root exists.
pub(in crate::initramfs) const STAGED: &str = "/volumes";

/// A volume of the contract whose disk was found and decided about.
#[derive(Debug)]
pub(super) struct Task<'a, S> {
    pub(super) system: &'a S,
    pub(super) volume: &'a Volume,
    /// Its disk.
    pub(super) parted: Parted,
    pub(super) action: Action,
    /// Where the volume is mounted until the new root exists.
    pub(super) staged: PathBuf,
}

/// A LUKS container whose header was accepted.
#[derive(Debug)]
pub(super) struct Container {
    /// The partition or disk.
    pub(super) device: PathBuf,
    /// The header that was judged, in guest memory; it and no other is opened.
    pub(super) header: Vec<u8>,
    pub(super) accepted: Accepted,
}

impl<'a, S: Initramfs> Task<'a, S> {
    pub(super) fn new(system: &'a S, volume: &'a Volume, parted: Parted, action: Action) -> Task<'a, S> {
        let staged = Path::new(STAGED).join(volume.name());
        Task { system, volume, parted, action, staged }
    }

    /// The whole disk.
    pub(super) fn disk(&self) -> &Path {
        &self.parted.disk.path
    }

    /// Opens what a container lies on: a partition by its place on the disk; a whole disk is there already.
    pub(super) fn open_part(&self, parted: &Parted, device: &Device) -> Result<(), SystemError> {
        match parted.partition(device) {
            Some(Partition { start, size, .. }) => {
                self.system.open_part(self.disk(), &device.to_string(), *start, *size).map(drop)
            }
            None => Ok(()),
        }
    }

    /// The volume's name in the contract.
    pub(super) fn name(&self) -> &'a str {
        self.volume.name()
    }

    /// Name of the mapped device below `/dev/mapper`.
    pub(super) fn mapper_name(&self) -> String {
        mapper::volume(self.name())
    }

    pub(super) fn file_system(&self) -> FsType {
        match self.volume.file_system() {
            FileSystem::Ext4 => FsType::Ext4,
            FileSystem::Xfs => FsType::Xfs,
            FileSystem::Btrfs => FsType::Btrfs,
        }
    }

    pub(super) fn flags(&self) -> MountFlags {
        let Mounting { read_only, nosuid, nodev, noexec, noatime, synchronous, discard } =
            Mounting::of(self.volume);
        MountFlags { read_only, nosuid, nodev, noexec, noatime, synchronous, discard }
    }

    /// Mounts the mapped device where it stays until the new root exists.
    pub(super) fn mount(&self, mapped: &Path) -> Result<(), Failure> {
        self.system
            .mount(self.file_system(), mapped, &self.staged, self.flags())
            .map_err(self.fails_with(Code::MountFailed))
    }

    /// A failure that names the volume.
    pub(super) fn fails(&self, code: Code, cause: impl Display) -> Failure {
        fails(self.volume, code, cause)
    }

    /// The same for `map_err`.
    pub(super) fn fails_with(&self, code: Code) -> impl Fn(SystemError) -> Failure + use<'a, S> {
        let volume = self.volume;
        move |error| fails(volume, code, error)
    }

    /// Says what was done with the volume, in the code's own words.
    pub(super) fn tell(&self, log: &Log<'_, S>, code: Code) {
        log.tell(&Line::of_volume(code, self.name()));
    }

    /// Warns of something about the volume, in the code's own words.
    pub(super) fn warn(&self, log: &mut Log<'_, S>, code: Code) {
        log.warn(Line::of_volume(code, self.name()));
    }
}

/// A failure of this stage that names a volume.
pub(super) fn fails(volume: &Volume, code: Code, cause: impl Display) -> Failure {
    Failure::machine(Stage::Unlock, code, format_args!("volume {}: {cause}", volume.name()))
}
