//! Which disk each volume is on, and what will be done with it: waiting, matching, deciding. Reads only.

use std::collections::BTreeMap;
use std::time::Duration;

use countersign_contract::code::Code;
use countersign_contract::model::Volume;
use countersign_plan::volumes::devices::{Assignment, Wanted, assign};
use countersign_plan::volumes::facts::Facts;
use countersign_plan::volumes::settle;
use countersign_ports::Initramfs;
use countersign_ports::error::SystemError;

use crate::failure::Failure;
use crate::log::Log;
use crate::stage::Stage;
use crate::wait::until;

use super::super::carried::Carried;
use super::super::root::image;
use super::probe::Parted;
use super::task::{Task, fails};

/// How long disks may take to appear (HPCR's deadline).
const WAIT: Duration = Duration::from_secs(900);
/// How often the wait says what it is waiting for.
const SAY_EVERY: Duration = Duration::from_secs(30);

/// Waits until every volume has its disk, then decides about each.
pub(super) fn find<'c, S: Initramfs>(
    system: &'c S,
    log: &Log<'_, S>,
    volumes: &'c [Volume],
    carried: &Carried,
) -> Result<Vec<Task<'c, S>>, Failure> {
    let wanted: Vec<_> = volumes.iter().map(Wanted::of).collect();
    let look = || {
        let (disks, facts) = look(system, carried)?;
        let assigned = assign(&wanted, &facts.disks);
        let missing = assigned.iter().filter(|(_, assignment)| **assignment == Assignment::Missing);
        let missing: Vec<&str> = missing.map(|(key, _)| key.as_str()).collect();
        Ok(if missing.is_empty() { Ok((disks, facts, assigned)) } else { Err(missing.join(", ")) })
    };
    let pause = |missing: &String, left: Duration| {
        log.say(&format!("waiting for the disk of {missing}, {} s left", left.as_secs()));
        let turn = system.uptime() + SAY_EVERY.min(left);
        while !system.wait_for_disk(turn.saturating_sub(system.uptime())).map_err(disk_error)?
            && system.uptime() < turn
        {}
        Ok(true)
    };
    let (disks, facts, assigned) = until(system, WAIT, look, pause)?.map_err(|missing| {
        let message = format!("expected a disk for {missing} within {} s", WAIT.as_secs());
        Failure::machine(Stage::Unlock, Code::VolumeMissing, message)
    })?;
    volumes.iter().map(|volume| one(system, volume, &assigned, &disks, &facts)).collect()
}

/// Disks that may hold volumes, with their partitions, and facts about them: not the image's own. The contract's is gone.
fn look<S: Initramfs>(system: &S, carried: &Carried) -> Result<(Vec<Parted>, Facts), Failure> {
    let manifest = &carried.manifest;
    let mut disks = system.disks().map_err(disk_error)?;
    disks.retain(|disk| disk.serial != manifest.root.serial && disk.serial != manifest.scratch.serial);
    let (mut parted, mut facts) = (Vec::with_capacity(disks.len()), Facts::default());
    for disk in disks {
        let disk = Parted::read(system, disk).map_err(disk_error)?;
        if disk.partitions.iter().any(|partition| image::carries(&manifest.root, partition)) {
            continue;
        }
        facts.disks.push(disk.facts(system).map_err(disk_error)?);
        parted.push(disk);
    }
    Ok((parted, facts))
}

fn one<'c, S: Initramfs>(
    system: &'c S,
    volume: &'c Volume,
    assigned: &BTreeMap<String, Assignment>,
    disks: &[Parted],
    facts: &Facts,
) -> Result<Task<'c, S>, Failure> {
    let (device, action) = settle(volume, assigned, facts)
        .map_err(|unsettled| fails(volume, unsettled.code, unsettled.message))?;
    let Some(parted) = disks.iter().find(|parted| parted.disk.path == device.path()) else {
        return Err(fails(volume, Code::VolumeMissing, "expected its disk to stay attached"));
    };
    Ok(Task::new(system, volume, parted.clone(), action))
}

fn disk_error(error: SystemError) -> Failure {
    Failure::machine(Stage::Unlock, Code::DiskUnreadable, error)
}
