//! Which disk each volume is on, and what will be done with it: waiting, matching, deciding. Reads only.

use std::collections::BTreeMap;
use std::time::Duration;

use countersign_contract::code::Code;
use countersign_contract::model::Volume;
use countersign_plan::devices::{Assignment, Wanted, assign};
use countersign_plan::facts::Facts;
use countersign_plan::volumes::{Action, VolumeRefusal, decide};
use countersign_system::error::SystemError;
use countersign_system::ports::{Disk, Initramfs};

use crate::failure::Failure;
use crate::log::Log;
use crate::stage::Stage;

use super::super::validate::HostFiles;
use super::probe;

/// How long disks may take to appear (HPCR's deadline).
const WAIT: Duration = Duration::from_secs(900);
/// How often the wait says what it is waiting for.
const SAY_EVERY: Duration = Duration::from_secs(30);

/// A volume that was decided about.
pub(super) struct Decided<'c> {
    pub(super) volume: &'c Volume,
    pub(super) disk: Disk,
    pub(super) action: Action,
}

/// Waits until every volume has its disk, then decides about each.
pub(super) fn find<'c, S: Initramfs>(
    system: &S,
    log: &Log<'_, S>,
    volumes: &'c [Volume],
    host: &HostFiles,
) -> Result<Vec<Decided<'c>>, Failure> {
    let wanted: Vec<_> = volumes.iter().map(wanted).collect();
    let deadline = system.uptime() + WAIT;
    loop {
        let disks = candidates(system, host)?;
        let facts = probe::facts(system, &disks).map_err(disk_error)?;
        let assigned = assign(&wanted, &facts.disks);
        let missing: Vec<&str> = assigned
            .iter()
            .filter(|(_, assignment)| **assignment == Assignment::Missing)
            .map(|(key, _)| key.as_str())
            .collect();
        if missing.is_empty() {
            return volumes.iter().map(|volume| one(volume, &assigned, &disks, &facts)).collect();
        }
        let left = deadline.saturating_sub(system.uptime());
        if left.is_zero() {
            let message = format!("expected a disk for {} within {} s", missing.join(", "), WAIT.as_secs());
            return Err(Failure::machine(Stage::Unlock, Code::VolumeMissing, message));
        }
        log.say(&format!("waiting for the disk of {}, {} s left", missing.join(", "), left.as_secs()));
        let turn = system.uptime() + SAY_EVERY.min(left);
        while !system.wait_for_disk(turn.saturating_sub(system.uptime())).map_err(disk_error)?
            && system.uptime() < turn
        {}
    }
}

/// Disks that may hold volumes: not the contract's, not the image's own.
fn candidates<S: Initramfs>(system: &S, host: &HostFiles) -> Result<Vec<Disk>, Failure> {
    let manifest = &host.manifest;
    let mut disks = system.disks().map_err(disk_error)?;
    disks.retain(|disk| {
        disk.path != host.contract_disk()
            && disk.serial != manifest.root.serial
            && disk.serial != manifest.scratch.serial
    });
    Ok(disks)
}

fn one<'c>(
    volume: &'c Volume,
    assigned: &BTreeMap<String, Assignment>,
    disks: &[Disk],
    facts: &Facts,
) -> Result<Decided<'c>, Failure> {
    let refuse = |code, message: String| {
        Failure::machine(Stage::Unlock, code, format!("volume {}: {message}", volume.name()))
    };
    let name = match assigned.get(volume.name()) {
        Some(Assignment::Found(name)) => name,
        Some(Assignment::Ambiguous(names)) => {
            let message = format!("expected one disk with its name, found {}", names.join(", "));
            return Err(refuse(Code::VolumeAmbiguous, message));
        }
        Some(Assignment::Shared(other)) => {
            let message = format!("expected a disk of its own, {other} has the same");
            return Err(refuse(Code::VolumeAmbiguous, message));
        }
        Some(Assignment::Missing) | None => {
            return Err(refuse(Code::VolumeMissing, "expected a disk with its name".to_owned()));
        }
    };
    let disk = disks.iter().find(|disk| probe::kernel_name(&disk.path) == *name);
    let known = facts.disks.iter().find(|disk| disk.name == *name);
    let (Some(disk), Some(known)) = (disk, known) else {
        return Err(refuse(Code::VolumeMissing, "expected its disk to stay attached".to_owned()));
    };
    let action = decide(known, volume.options().initialize())
        .map_err(|refusal| refuse(refusal_code(&refusal), refusal.to_string()))?;
    Ok(Decided { volume, disk: disk.clone(), action })
}

fn refusal_code(refusal: &VolumeRefusal) -> Code {
    match refusal {
        VolumeRefusal::Occupied { .. } => Code::VolumeOccupied,
        VolumeRefusal::Blank { .. } => Code::VolumeBlank,
        VolumeRefusal::Partitions { .. } => Code::PartitionCount,
        VolumeRefusal::PartitionNames { .. } => Code::PartitionNames,
        VolumeRefusal::TooSmall { .. } => Code::VolumeTooSmall,
        VolumeRefusal::ReadOnly { .. } => Code::VolumeReadOnly,
    }
}

/// What the disk of a volume may be called.
fn wanted(volume: &Volume) -> Wanted {
    Wanted {
        key: volume.name().to_owned(),
        volume_id: volume.volume_id().map(ToOwned::to_owned),
        volume_name: volume.volume_name().map(ToOwned::to_owned),
    }
}

fn disk_error(error: SystemError) -> Failure {
    Failure::machine(Stage::Unlock, Code::DiskUnreadable, error)
}
