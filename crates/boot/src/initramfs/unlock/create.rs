//! Making a volume on a blank device.
//!
//! The header is made in guest memory, the file system behind it, and the header reaches the disk last: a power
//! cut before that leaves a blank head, and the next boot begins afresh.

use std::path::Path;

use countersign_contract::code::Code;
use countersign_contract::model::Volume;
use countersign_system::error::SystemError;
use countersign_system::ports::{Durability, Initramfs, LuksParameters, OpenError};

use crate::failure::Failure;

use super::watched::identified;
use super::{Opened, Order, failed, filesystem, mapper_name, passphrase};

/// Argon2id as RFC 9106 section 4 recommends where memory is short (64 MiB, 4 lanes), with 4 passes instead of 3, the
/// fewest that libcryptsetup takes.
const ARGON2ID: (u32, u32, u32) = (64 << 10, 4, 4);
/// Sector size of new containers: that of the file systems above, so that one block is one encryption.
const SECTOR_BYTES: u32 = 4096;

/// Makes a container and its file system; the header is written last.
pub(super) fn create<S: Initramfs>(system: &S, volume: &Volume, device: &Path) -> Result<Opened, Failure> {
    let not_made = |error| failed(volume, Code::LuksFormatFailed, &error);
    let (memory_kib, passes, lanes) = ARGON2ID;
    let label = volume.options().label().unwrap_or(volume.name());
    let parameters =
        LuksParameters { label: label.to_owned(), memory_kib, passes, lanes, sector_size: SECTOR_BYTES };
    let passphrase = passphrase(volume, Order::DeployerFirst)?;
    let header = system.format(device, &parameters, &passphrase).map_err(not_made)?;
    let identity = identified(volume, &header)?;
    let mapped = match system.open(device, &header, &mapper_name(volume), &passphrase) {
        Ok(mapped) => mapped,
        Err(OpenError::System(error)) => return Err(not_made(error)),
        Err(OpenError::WrongPassphrase) => {
            let device = device.display().to_string();
            return Err(not_made(SystemError::new("open", device, "the new header does not open")));
        }
    };
    system
        .make(filesystem(volume), &mapped, label, Durability::Persistent)
        .map_err(|error| failed(volume, Code::CreateFileSystemFailed, &error))?;
    system.commit_header(device, &header).map_err(not_made)?;
    Ok(Opened { mapped, device: device.to_owned(), identity })
}
