//! Opening a volume that exists.
//!
//! The header comes from the host, so it is read into guest memory once, judged there, and that very copy is
//! opened; afterwards the kernel's own table is compared with what was judged.

use std::fmt::Display;
use std::path::Path;

use countersign_contract::code::Code;
use countersign_contract::model::Volume;
use countersign_plan::luks2;
use countersign_plan::luks2::table::{CryptTable, expected_table};
use countersign_system::error::SystemError;
use countersign_system::ports::{Initramfs, OpenError};

use crate::failure::Failure;
use crate::log::Log;
use crate::stage::Stage;

use super::watched::identified;
use super::{Opened, Order, failed, header_refused, mapper_name, passphrase};

/// Judges the header, opens its copy with the seeds in either order, compares the kernel's table.
pub(super) fn open<S: Initramfs>(
    system: &S,
    log: &mut Log<'_, S>,
    volume: &Volume,
    device: &Path,
) -> Result<Opened, Failure> {
    let (header, accepted) = judge(system, volume, device)?;
    let name = mapper_name(volume);
    for order in [Order::DeployerFirst, Order::WorkloadFirst] {
        match system.open(device, &header, &name, &passphrase(volume, order)?) {
            Ok(mapped) => {
                if order == Order::WorkloadFirst {
                    let (code, name) = (Code::SeedOrder, volume.name());
                    log.warn_text(format!("{code}: volume {name}: {}", code.text()));
                }
                compare_table(system, volume, device, &name, &accepted)?;
                let identity = identified(volume, &header)?;
                return Ok(Opened { mapped, device: device.to_owned(), identity });
            }
            Err(OpenError::WrongPassphrase) => {}
            Err(OpenError::System(error)) => return Err(failed(volume, Code::LuksOpenFailed, &error)),
        }
    }
    let message = format!("volume {}: expected the seeds that it was made with", volume.name());
    Err(Failure::machine(Stage::Unlock, Code::LuksOpenFailed, message))
}

/// Reads the header into guest memory, each byte once, and holds it against the profile.
fn judge<S: Initramfs>(
    system: &S,
    volume: &Volume,
    device: &Path,
) -> Result<(Vec<u8>, luks2::Accepted), Failure> {
    let refused = |fault: &dyn Display| header_refused(volume, fault);
    let failed = |error: SystemError| header_refused(volume, &error);
    let size = system.size(device).map_err(failed)?;
    let mut header = system.read(device, 0, luks2::PROBE_LEN).map_err(failed)?;
    let metadata = luks2::metadata_len(&header).min(size);
    append(system, device, &mut header, metadata).map_err(failed)?;
    let parsed = luks2::read(&header).map_err(|error| refused(&error))?;
    let accepted = luks2::judge(&parsed, &luks2::Profile::compatible(), size).map_err(|faults| {
        let all: Vec<String> = faults.iter().map(ToString::to_string).collect();
        refused(&all.join("; "))
    })?;
    append(system, device, &mut header, accepted.material_len()).map_err(failed)?;
    Ok((header, accepted))
}

/// Reads on behind what is there already, up to `length` bytes in all.
fn append<S: Initramfs>(
    system: &S,
    device: &Path,
    header: &mut Vec<u8>,
    length: u64,
) -> Result<(), SystemError> {
    // Bounded by `luks2::HEADER_LIMIT`.
    let missing = usize::try_from(length).unwrap_or(usize::MAX).saturating_sub(header.len());
    if missing > 0 {
        header.extend(system.read(device, header.len() as u64, missing)?);
    }
    Ok(())
}

/// Compares what the kernel maps with what was judged; a mapping that is not that, or cannot be looked at, goes.
fn compare_table<S: Initramfs>(
    system: &S,
    volume: &Volume,
    device: &Path,
    name: &str,
    accepted: &luks2::Accepted,
) -> Result<(), Failure> {
    let refusal = match faults(system, device, name, accepted) {
        Ok(faults) if faults.is_empty() => return Ok(()),
        Ok(faults) => header_refused(volume, &faults.join("; ")),
        Err(error) => header_refused(volume, &error),
    };
    // The first cause is the mapping; the power-off takes down what cannot be closed.
    let _ = system.close(name);
    Err(refusal)
}

/// How the kernel's table differs from what was judged.
fn faults<S: Initramfs>(
    system: &S,
    device: &Path,
    name: &str,
    accepted: &luks2::Accepted,
) -> Result<Vec<String>, SystemError> {
    let size = system.size(device)?;
    let number = system.number(device)?;
    let line = system.table(name)?;
    let faults = match CryptTable::parse(&line) {
        Ok(table) => expected_table(accepted, size).compare(&table, &number).err().unwrap_or_default(),
        Err(fault) => vec![fault],
    };
    Ok(faults.iter().map(ToString::to_string).collect())
}
