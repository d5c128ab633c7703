//! Stage `unlock`: finds each volume's disk, checks it, opens it or makes it, mounts it.
//!
//! Nothing is written before every volume has been found and decided about, the guest OS's image has been opened,
//! and every volume that exists has a header that was accepted and seeds that fit. Then those that exist are mapped and
//! mounted, their records are judged, and the contract is judged by the time that these tell ([`time`]). What is to be
//! changed on them is changed afterwards, and then the new ones are made, one volume after the other. The contract's
//! serial goes into the volumes' records last: until then the contract that opened them before still does.

mod create;
mod fill;
mod find;
mod grow;
mod keys;
mod open;
mod passphrases;
mod probe;
mod record;
mod rotate;
mod time;
mod watched;

use std::fmt::Display;
use std::path::{Path, PathBuf};

use countersign_contract::code::Code;
use countersign_contract::model::{FileSystem, MountOption, Serial, Volume};
use countersign_contract::schema;
use countersign_plan::volumes::Action;
use countersign_plan::volumes::mapper;
use countersign_plan::watch::WatchedVolume;
use countersign_ports::error::SystemError;
use countersign_ports::{Disk, FsType, Initramfs, MountFlags};

use crate::failure::Failure;
use crate::log::{Line, Log, Summary};
use crate::stage::Stage;

use super::attest::Attested;
use super::carried::Carried;
use super::root::open_image;
use find::{Decided, find};
use keys::Found;
use open::{Judged, Opened};
use record::Kept;

/// Where volumes are mounted until the new root exists.
pub(super) const STAGED: &str = "/volumes";

/// A volume that is open and mounted at a place of passage.
#[derive(Debug)]
pub(super) struct Mounted {
    /// Where it is mounted until the new root exists.
    pub(super) staged: PathBuf,
    /// Where the contract wants it.
    pub(super) mount: String,
    /// What the daemon will compare with.
    watched: WatchedVolume,
}

impl Mounted {
    /// The volume's name in the contract.
    pub(super) fn name(&self) -> &str {
        &self.watched.name
    }
}

/// A volume that is open and mounted, its record still to be raised to the contract's serial.
struct Ready<'v> {
    volume: &'v Volume,
    opened: Opened,
    staged: PathBuf,
    /// None where it is a new volume that is mounted read-only.
    record: Option<Kept>,
}

/// All volumes are open; contract and seeds are gone.
#[derive(Debug)]
pub(super) struct Unlocked {
    pub(super) carried: Carried,
    pub(super) volumes: Vec<Mounted>,
}

impl Attested {
    /// Runs the stage.
    ///
    /// # Errors
    /// The `HPL02…` and `HPL07…` errors of the catalogue; those of [`open_image`], as stage `root`.
    pub(super) fn unlock<S: Initramfs>(self, system: &S, log: &mut Log<'_, S>) -> Result<Unlocked, Failure> {
        log.stage(Stage::Unlock, |log| {
            let Attested { contract, mut carried } = self;
            // What the stage `validate` compiled has served; its memory is argon2id's from here on.
            schema::release();
            system.release_memory();
            let decided = find(system, log, contract.volumes(), &carried)?;
            open_image(system, &carried.manifest)?;
            // What exists is opened before anything is changed or made: a wrong seed must not leave a new volume behind.
            let now = time::now(system, carried.watch.verified);
            let mut reopened = Vec::with_capacity(decided.len());
            for (judged, found) in keys::find(system, log, &decided)? {
                reopened.push(reopen(system, log, judged, found, now, contract.serial())?);
            }
            let seen = reopened.iter().map(|volume| (volume.volume.name(), volume.record.last_seen()));
            carried.watch.verified = time::judge(system, log, &contract, carried.watch.verified, seen)?;
            let now = time::now(system, carried.watch.verified);
            let mut ready = Vec::with_capacity(decided.len());
            for volume in reopened {
                ready.push(change(system, log, volume, now, contract.serial())?);
            }
            for volume in &decided {
                ready.extend(make(system, log, volume, now)?);
            }
            for Ready { volume, opened, record, .. } in &mut ready {
                if let (Some(record), false) = (record, flags(volume).read_only) {
                    record.raise(system, volume, opened, contract.serial())?;
                }
            }
            let mut volumes = Vec::with_capacity(ready.len());
            for Ready { volume, opened, staged, .. } in ready {
                let watched = watched::watched(system, volume, &opened, &staged)?;
                volumes.push(Mounted { staged, mount: volume.mount().to_owned(), watched });
            }
            // A mount point inside another volume comes after that volume, or it would be covered.
            volumes.sort_by(|a, b| a.mount.cmp(&b.mount));
            if !volumes.is_empty() {
                log.tell(&Line::of(Code::VolumesMounted));
            }
            carried.watch.volumes = volumes.iter().map(|volume| volume.watched.clone()).collect();
            let summary = Summary::new().with("volumes", volumes.len());
            Ok((Unlocked { carried, volumes }, summary))
        })
    }
}

/// A volume that exists, mounted, its record judged; nothing on it was changed.
struct Reopened<'v> {
    volume: &'v Volume,
    disk: &'v Disk,
    staged: PathBuf,
    opened: Opened,
    record: Kept,
}

/// Opens a volume that exists with its key and mounts it.
fn reopen<'v, S: Initramfs>(
    system: &S,
    log: &mut Log<'_, S>,
    judged: Judged<'v>,
    found: Found,
    now: i64,
    serial: &Serial,
) -> Result<Reopened<'v>, Failure> {
    let Judged { volume, disk, .. } = judged;
    let staged = staged(volume);
    let opened = open::open(system, log, judged, found)?;
    probe::file_system(system, volume, &opened.mapped)?;
    mount(system, volume, &opened, &staged)?;
    let record = record::check(system, log, volume, &opened, &staged, now, serial)?;
    Ok(Reopened { volume, disk, staged, opened, record })
}

/// Changes on a volume what is to be changed.
fn change<'v, S: Initramfs>(
    system: &S,
    log: &mut Log<'_, S>,
    reopened: Reopened<'v>,
    now: i64,
    serial: &Serial,
) -> Result<Ready<'v>, Failure> {
    let Reopened { volume, disk, staged, mut opened, mut record } = reopened;
    open::repair(system, log, volume, &mut opened)?;
    if !flags(volume).read_only {
        record.see(now);
        let new = rotate::prepare(system, volume, &opened)?;
        record.settle(system, volume, &opened)?;
        rotate::commit(system, log, volume, &mut opened, &mut record, new)?;
        grow::grow(system, log, volume, disk, &mut opened, &staged)?;
    } else if record.due(&opened, serial) || rotate::due(volume, &opened) {
        leave(log, volume);
    }
    Ok(ready(log, volume, opened, staged, Some(record)))
}

/// Makes a new volume and mounts it; nothing where there is one.
fn make<'v, S: Initramfs>(
    system: &S,
    log: &mut Log<'_, S>,
    decided: &Decided<'v>,
    now: i64,
) -> Result<Option<Ready<'v>>, Failure> {
    let Decided { volume, disk, action } = decided;
    let name = volume.name();
    let node = |device: &String| Path::new("/dev").join(device);
    let staged = staged(volume);
    let (opened, record) = match action {
        Action::Open { .. } => return Ok(None),
        Action::CreateOnDisk => {
            log.say(&format!("making volume {name} on {}", disk.path.display()));
            warn_of_new(log, volume);
            let data = create::part(system, volume, disk)?;
            create::create(system, log, volume, &data, &staged, now)?
        }
        Action::CreateOnPartition { device, metadata } => {
            log.say(&format!("making volume {name} on {device}"));
            warn_of_new(log, volume);
            if let Some(metadata) = metadata {
                create::make_metadata(system, volume, &node(metadata))?;
            }
            create::create(system, log, volume, &node(device), &staged, now)?
        }
    };
    log.tell(&Line::of_volume(Code::VolumeEncrypted, name));
    Ok(Some(ready(log, volume, opened, staged, record)))
}

/// Says that a volume is mounted, and keeps of it what is needed until all are.
fn ready<'v, S: Initramfs>(
    log: &Log<'_, S>,
    volume: &'v Volume,
    mut opened: Opened,
    staged: PathBuf,
    record: Option<Kept>,
) -> Ready<'v> {
    log.tell(&Line::of_volume(Code::VolumeMounted, volume.name()));
    // Up to 16 MiB, which the next volume needs.
    opened.header = Vec::new();
    Ready { volume, opened, staged, record }
}

/// Says that a volume begins empty, and what keeps a blank disk from taking the place of one that is in use.
fn warn_of_new<S: Initramfs>(log: &mut Log<'_, S>, volume: &Volume) {
    let code = Code::VolumeMade;
    log.warn(Line::of_volume(code, volume.name()).advise(code.remedy()));
}

fn staged(volume: &Volume) -> PathBuf {
    Path::new(STAGED).join(volume.name())
}

fn mount<S: Initramfs>(system: &S, volume: &Volume, opened: &Opened, staged: &Path) -> Result<(), Failure> {
    system
        .mount(filesystem(volume), &opened.mapped, staged, flags(volume))
        .map_err(|error| failed(volume, Code::MountFailed, &error))
}

/// Says that something was to be written to a volume that is mounted read-only.
fn leave<S: Initramfs>(log: &mut Log<'_, S>, volume: &Volume) {
    let code = Code::VolumeLeftAsItIs;
    log.warn(Line::of_volume(code, volume.name()));
}

/// A failure that names the volume.
fn failed(volume: &Volume, code: Code, error: &SystemError) -> Failure {
    Failure::machine(Stage::Unlock, code, format!("volume {}: {error}", volume.name()))
}

fn header_refused(volume: &Volume, fault: &dyn Display) -> Failure {
    Failure::machine(Stage::Unlock, Code::HeaderRefused, format!("volume {}: {fault}", volume.name()))
}

fn filesystem(volume: &Volume) -> FsType {
    match volume.file_system() {
        FileSystem::Ext4 => FsType::Ext4,
        FileSystem::Xfs => FsType::Xfs,
        FileSystem::Btrfs => FsType::Btrfs,
    }
}

/// `nosuid` and `nodev` always; the contract may add.
fn flags(volume: &Volume) -> MountFlags {
    let has = |option| volume.options().mount_options().contains(&option);
    MountFlags {
        read_only: has(MountOption::ReadOnly),
        nosuid: true,
        nodev: true,
        noexec: has(MountOption::NoExecute),
        // `relatime` is what Linux does by itself; where one section asks for it and the other for `noatime`, the
        // latter wins.
        noatime: has(MountOption::NoAccessTime),
        synchronous: has(MountOption::Synchronous),
        discard: volume.options().discard(),
    }
}

/// Name of the mapped device below `/dev/mapper`.
fn mapper_name(volume: &Volume) -> String {
    mapper::volume(volume.name())
}
