//! What the daemon will hold a volume against while the guest runs ([`countersign_plan::watch`]).
//!
//! Taken when the volume is mounted and its table was found good: whatever differs later has been changed.

use countersign_contract::code::Code;
use countersign_contract::model::Volume;
use countersign_plan::watch::{Flags, Mapping, WatchedVolume};
use countersign_system::ports::{Initramfs, MountFlags};

use crate::failure::Failure;

use super::open::Opened;
use super::{failed, flags, mapper_name};

/// The record of a volume.
pub(super) fn watched<S: Initramfs>(
    system: &S,
    volume: &Volume,
    opened: &Opened,
) -> Result<WatchedVolume, Failure> {
    let name = mapper_name(volume);
    let table = system.table(&name).map_err(|error| failed(volume, Code::LuksOpenFailed, &error))?;
    let MountFlags { read_only, nosuid, nodev, noexec, .. } = flags(volume);
    Ok(WatchedVolume {
        name: volume.name().to_owned(),
        mount: volume.mount().to_owned(),
        flags: Flags { read_only, nosuid, nodev, noexec },
        mapping: Mapping { name, table },
        device: opened.device.display().to_string(),
        uuid: opened.accepted.uuid().to_owned(),
        key_slots: opened.accepted.slots().len(),
    })
}
