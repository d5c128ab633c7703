//! What the daemon will hold a volume against while the guest runs ([`countersign_plan::watch`]).
//!
//! Taken when all volumes are mounted, their tables were found good and their records are written: whatever differs
//! later has been changed.

use std::path::Path;

use countersign_contract::code::Code;
use countersign_contract::model::Volume;
use countersign_crypto::digest::sha256_hex;
use countersign_plan::volumes::record::{ATTRIBUTE, LIMIT};
use countersign_plan::watch::mounts;
use countersign_plan::watch::{Flags, Mapping, WatchedVolume};
use countersign_ports::error::SystemError;
use countersign_ports::{Initramfs, MountFlags};

use crate::failure::Failure;

use super::open::{self, Opened};
use super::{failed, flags, mapper_name};

/// What is kept of a volume that is mounted at `staged`.
pub(super) fn watched<S: Initramfs>(
    system: &S,
    volume: &Volume,
    opened: &Opened,
    staged: &Path,
) -> Result<WatchedVolume, Failure> {
    let name = mapper_name(volume);
    let number = mount_number(system, staged).map_err(|error| failed(volume, Code::MountFailed, &error))?;
    let record = system
        .attribute(staged, ATTRIBUTE, LIMIT)
        .map_err(|error| failed(volume, Code::VolumeRecordFailed, &error))?;
    let below = open::below(&name, &opened.accepted).map(|name| mapping(system, volume, name)).transpose()?;
    let mapping = mapping(system, volume, name)?;
    let MountFlags { read_only, nosuid, nodev, noexec, .. } = flags(volume);
    Ok(WatchedVolume {
        name: volume.name().to_owned(),
        mount: volume.mount().to_owned(),
        flags: Flags { read_only, nosuid, nodev, noexec },
        number,
        mapping,
        below,
        device: opened.device.display().to_string(),
        uuid: opened.accepted.uuid().to_owned(),
        key_slots: opened.accepted.slots().len(),
        record: record.as_deref().map(sha256_hex),
    })
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

fn mapping<S: Initramfs>(system: &S, volume: &Volume, name: String) -> Result<Mapping, Failure> {
    let table = system.table(&name).map_err(|error| failed(volume, Code::LuksOpenFailed, &error))?;
    Ok(Mapping { name, table })
}
