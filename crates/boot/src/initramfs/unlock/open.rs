//! Opening a volume that exists: judging its header, and mapping it once its key is there ([`super::keys`]).
//!
//! The header comes from the host, so it is read into guest memory once, judged there, and that very copy is
//! opened; afterwards the kernel's own table is compared with what was judged. Where a power cut left one of the two
//! header copies broken, the copy in memory is repaired first and judged then; the disk is repaired by [`repair`],
//! once the volume is known to be the right one.

use std::path::{Path, PathBuf};

use countersign_contract::code::Code;
use countersign_contract::model::Volume;
use countersign_crypto::volume_key::VolumeKey;
use countersign_plan::luks2::rewrite::{self, Write};
use countersign_plan::luks2::table::{CryptTable, IntegrityTable, TableFlag, expected_table};
use countersign_plan::luks2::{self, Accepted, HeaderFault, Integrity, Profile, ReadError, Rule};
use countersign_plan::volumes::mapper::INTEGRITY_SUFFIX;
use countersign_plan::volumes::seeds::{self, Age, Order};
use countersign_ports::error::SystemError;
use countersign_ports::{Discard, Disk, Initramfs};

use crate::failure::Failure;
use crate::log::{Line, Log};
use crate::stage::Stage;

use super::find::Decided;
use super::keys::Found;

use super::{failed, header_refused, mapper_name};

/// A volume that is mapped.
#[derive(Debug)]
pub(super) struct Opened {
    /// The partition or disk with the container.
    pub(super) device: PathBuf,
    /// The mapped device.
    pub(super) mapped: PathBuf,
    /// The header that was judged and opened.
    pub(super) header: Vec<u8>,
    pub(super) accepted: Accepted,
    pub(super) key: VolumeKey,
    /// Which seeds opened it.
    pub(super) age: Age,
    /// A header copy that is still broken on the disk.
    pub(super) repair: Option<Write>,
}

/// A volume whose header was accepted.
pub(super) struct Judged<'v> {
    pub(super) volume: &'v Volume,
    pub(super) disk: &'v Disk,
    /// The partition or disk with the container.
    pub(super) device: PathBuf,
    pub(super) header: Vec<u8>,
    pub(super) accepted: Accepted,
    repair: Option<Write>,
}

/// Maps a volume with the key that was found for it.
pub(super) fn open<S: Initramfs>(
    system: &S,
    log: &mut Log<'_, S>,
    judged: Judged<'_>,
    found: Found,
) -> Result<Opened, Failure> {
    let Judged { volume, device, header, accepted, repair, .. } = judged;
    let Found { key, order, age } = found;
    if order == Order::WorkloadFirst && age == Age::Current {
        let (code, name) = (Code::SeedOrder, volume.name());
        log.warn(Line::of_volume(code, name));
    }
    let mapped = map(system, volume, &device, &header, &accepted, &key)?;
    Ok(Opened { device, mapped, header, accepted, key, age, repair })
}

/// Maps a container and compares the kernel's table with what was judged.
pub(super) fn map<S: Initramfs>(
    system: &S,
    volume: &Volume,
    device: &Path,
    header: &[u8],
    accepted: &Accepted,
    key: &VolumeKey,
) -> Result<PathBuf, Failure> {
    let name = mapper_name(volume);
    let mapped = system
        .open(device, header, &name, key, discard(volume))
        .map_err(|error| failed(volume, Code::LuksOpenFailed, &error))?;
    compare_table(system, volume, device, &name, accepted)?;
    Ok(mapped)
}

/// Maps a volume anew whose partition has grown; nothing of it may be in use.
pub(super) fn map_again<S: Initramfs>(
    system: &S,
    volume: &Volume,
    opened: &mut Opened,
) -> Result<(), Failure> {
    let size = system.size(&opened.device).map_err(|error| failed(volume, Code::DiskUnreadable, &error))?;
    opened.accepted = accept(volume, &opened.header, &profile(volume), size)?;
    opened.mapped = map(system, volume, &opened.device, &opened.header, &opened.accepted, &opened.key)?;
    Ok(())
}

/// Writes the header copy that a power cut left broken.
pub(super) fn repair<S: Initramfs>(
    system: &S,
    log: &mut Log<'_, S>,
    volume: &Volume,
    opened: &mut Opened,
) -> Result<(), Failure> {
    if let Some(write) = opened.repair.take() {
        let (code, name) = (Code::HeaderRepaired, volume.name());
        log.warn(Line::of_volume(code, name));
        system
            .write_disk(&opened.device, write.offset, &write.bytes)
            .map_err(|error| failed(volume, Code::HeaderNotRepaired, &error))?;
    }
    Ok(())
}

/// Reads the header into guest memory, each byte once, and holds it against the profile; its argon2id may take `budget`
/// KiB of memory.
pub(super) fn judge<'v, S: Initramfs>(
    system: &S,
    decided: &'v Decided<'_>,
    device: PathBuf,
    budget: u64,
) -> Result<Judged<'v>, Failure> {
    let Decided { volume, disk, .. } = decided;
    let unreadable = |error: SystemError| failed(volume, Code::DiskUnreadable, &error);
    let size = system.size(&device).map_err(unreadable)?;
    let mut header = system.read(&device, 0, luks2::PROBE_LEN).map_err(unreadable)?;
    let metadata = luks2::metadata_len(&header).min(size);
    append(system, &device, &mut header, metadata).map_err(unreadable)?;
    let repair = match luks2::read(&header) {
        Err(ReadError::Interrupted(interrupted)) => Some(rewrite::repair(&header, &interrupted)),
        _ => None,
    };
    if let Some(repair) = &repair {
        repair.apply(&mut header);
    }
    let accepted = accept(volume, &header, &profile(volume).with_memory_limit(budget), size)?;
    append(system, &device, &mut header, accepted.material_len()).map_err(unreadable)?;
    Ok(Judged { volume, disk, device, header, accepted, repair })
}

/// What the header of a volume that exists may be.
fn profile(volume: &Volume) -> Profile {
    match seeds::changing(volume) {
        true => settled(volume).during_rotation(),
        false => settled(volume),
    }
}

/// The same while no seed is being changed.
pub(super) fn settled(volume: &Volume) -> Profile {
    as_asked(volume, Profile::compatible())
}

/// A profile with the integrity that the contract asks for. One that it does not ask for is refused as well: the kernel
/// modules for it are loaded by the contract's word, before any disk is looked at.
pub(super) fn as_asked(volume: &Volume, profile: Profile) -> Profile {
    if volume.options().integrity() { profile.with_integrity() } else { profile }
}

/// Holds a header against a profile.
pub(super) fn accept(
    volume: &Volume,
    header: &[u8],
    profile: &Profile,
    size: u64,
) -> Result<Accepted, Failure> {
    let parsed = luks2::read(header).map_err(|error| header_refused(volume, &error))?;
    luks2::judge(&parsed, profile, size).map_err(|faults| {
        let all: Vec<String> = faults.iter().map(ToString::to_string).collect();
        let code = if faults.iter().any(differs) { Code::IntegrityDiffers } else { Code::HeaderRefused };
        Failure::machine(Stage::Unlock, code, format!("volume {}: {}", volume.name(), all.join("; ")))
    })
}

/// Whether a header is refused for what the contract says of integrity; LUKS1, which has none, only then.
fn differs(fault: &HeaderFault) -> bool {
    matches!(fault.rule(), Rule::SegmentIntegrity | Rule::Luks1Refused)
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
    accepted: &Accepted,
) -> Result<(), Failure> {
    let refusal = match faults(system, volume, device, name, accepted) {
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
    volume: &Volume,
    device: &Path,
    name: &str,
    accepted: &Accepted,
) -> Result<Vec<String>, SystemError> {
    let size = system.size(device)?;
    let mut number = system.number(device)?;
    let line = system.table(name)?;
    let mut expected = expected_table(accepted, size);
    if discard(volume) == Discard::Told {
        expected = expected.with_flag(TableFlag::AllowDiscards);
    }
    let mut faults = Vec::new();
    if let Some(below) = below(name, accepted) {
        match IntegrityTable::parse(&system.table(&below)?) {
            Ok(table) => {
                faults.extend(table.compare(accepted, size, &number).err().unwrap_or_default());
                expected = expected.over(&table);
            }
            Err(fault) => faults.push(fault),
        }
        number = system.number(&Path::new("/dev/mapper").join(below))?;
    }
    match CryptTable::parse(&line) {
        Ok(table) => faults.extend(expected.compare(&table, &number).err().unwrap_or_default()),
        Err(fault) => faults.push(fault),
    }
    Ok(faults.iter().map(ToString::to_string).collect())
}

/// The dm-integrity device below the mapping `name`, where the volume has integrity.
pub(super) fn below(name: &str, accepted: &Accepted) -> Option<String> {
    (accepted.integrity() != Integrity::Absent).then(|| format!("{name}{INTEGRITY_SUFFIX}"))
}

fn discard(volume: &Volume) -> Discard {
    if volume.options().discard() { Discard::Told } else { Discard::Kept }
}
