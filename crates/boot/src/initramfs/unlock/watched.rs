//! What the daemon will hold a volume against while the guest runs ([`countersign_plan::watch`]).
//!
//! Taken when all volumes are mounted, their tables were found good and their records are written: whatever differs
//! later has been changed.

use std::path::Path;

use countersign_contract::code::Code;
use countersign_crypto::digest::sha256_hex;
use countersign_plan::volumes::facts::Device;
use countersign_plan::volumes::record::{self, ATTRIBUTE, LIMIT};
use countersign_plan::watch::mounts;
use countersign_plan::watch::{Flags, Mapping, WatchedVolume};
use countersign_ports::error::SystemError;
use countersign_ports::{Initramfs, MountFlags};

use crate::failure::Failure;

use super::open::{self, Opened};
use super::task::Task;

impl<S: Initramfs> Task<'_, S> {
    /// What is kept of a volume that is mounted.
    pub(super) fn watched(&self, opened: &Opened) -> Result<WatchedVolume, Failure> {
        let name = self.mapper_name();
        let accepted = &opened.container.accepted;
        let number = mount_number(self.system, &self.staged).map_err(self.fails_with(Code::MountFailed))?;
        let record = self
            .system
            .attribute(&self.staged, ATTRIBUTE, LIMIT)
            .map_err(self.fails_with(Code::VolumeRecordFailed))?;
        let below = open::below(&name, accepted).map(|name| self.mapping(name)).transpose()?;
        let mapping = self.mapping(name)?;
        let device = &opened.container.device;
        let partition = (device != self.disk()).then(|| self.mapping(Device::from(device).to_string()));
        let MountFlags { read_only, nosuid, nodev, noexec, .. } = self.flags();
        Ok(WatchedVolume {
            name: self.name().to_owned(),
            mount: self.volume.mount().to_owned(),
            flags: Flags { read_only, nosuid, nodev, noexec },
            number,
            mapping,
            below,
            partition: partition.transpose()?,
            device: device.display().to_string(),
            uuid: accepted.uuid().to_owned(),
            key_slots: accepted.slots().len(),
            generation: record.as_deref().and_then(record::generation),
            record: record.as_deref().map(sha256_hex),
        })
    }

    fn mapping(&self, name: String) -> Result<Mapping, Failure> {
        let table = self.system.table(&name).map_err(self.fails_with(Code::LuksOpenFailed))?;
        Ok(Mapping { name, table })
    }
}

/// The number that the kernel's list of mounts shows for a mount.
fn mount_number<S: Initramfs>(system: &S, point: &Path) -> Result<String, SystemError> {
    let text = system.mounts()?;
    let mounts = mounts::parse(&text);
    let mount = mounts.as_ref().and_then(|mounts| mounts::at(mounts, &point.display().to_string()));
    mount.map(|mount| mount.number.clone()).ok_or_else(|| {
        SystemError::new("list mounts", point.display().to_string(), "expected the volume to be mounted")
    })
}
