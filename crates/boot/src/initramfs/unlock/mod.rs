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
mod judge;
mod keys;
mod open;
mod passphrases;
mod probe;
mod ready;
mod record;
mod rotate;
mod task;
mod time;
mod watched;

use std::path::PathBuf;

use countersign_contract::code::Code;
use countersign_contract::model::Serial;
use countersign_contract::schema;
use countersign_plan::watch::WatchedVolume;
use countersign_ports::Initramfs;

use crate::failure::Failure;
use crate::line::Line;
use crate::log::{Log, Summary};
use crate::stage::Stage;

use super::attest::Attested;
use super::carried::Carried;
use super::root::image::Image;
use keys::Located;
use open::Opened;
use ready::Ready;
use record::Kept;
use task::Task;

pub(super) use task::STAGED;

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

/// All volumes are open; contract and seeds are gone.
#[derive(Debug)]
pub(super) struct Unlocked {
    pub(super) carried: Carried,
    /// The guest OS's image, which is open, too.
    pub(super) image: Image,
    pub(super) volumes: Vec<Mounted>,
}

impl Attested {
    /// Runs the stage.
    ///
    /// # Errors
    /// The `HPL02…` and `HPL07…` errors of the catalogue; those of [`Image::open`], as stage `root`.
    pub(super) fn unlock<S: Initramfs>(self, system: &S, log: &mut Log<'_, S>) -> Result<Unlocked, Failure> {
        log.stage(Stage::Unlock, |log| {
            let Attested { contract, mut carried, bundle: _ } = self;
            // What the stage `validate` compiled has served; its memory is argon2id's from here on.
            schema::release();
            system.release_memory();
            let tasks = find::find(system, log, contract.volumes(), &carried)?;
            let image = Image::open(system, &carried.manifest)?;
            // What exists is opened before anything is changed or made: a wrong seed must not leave a new volume behind.
            let now = time::now(system, carried.watch.verified);
            let mut reopened = Vec::with_capacity(tasks.len());
            for located in keys::find(system, log, &tasks)? {
                reopened.push(Reopened::open(located, log, now, contract.serial())?);
            }
            let seen = reopened.iter().map(|volume| (volume.task.name(), volume.record.last_seen()));
            carried.watch.verified = time::judge(system, log, &contract, carried.watch.verified, seen)?;
            let now = time::now(system, carried.watch.verified);
            let mut ready = Vec::with_capacity(tasks.len());
            for volume in reopened {
                ready.push(volume.change(log, now, contract.serial())?);
            }
            for task in &tasks {
                ready.extend(task.make(log, now)?);
            }
            for volume in &mut ready {
                volume.raise(contract.serial())?;
            }
            // A disk that was just being attached may have been looked at before the kernel was. Now that something lies
            // on it, the kernel does not look again.
            system
                .remove_partition_nodes()
                .map_err(|error| Failure::machine(Stage::Unlock, Code::BootInternal, error))?;
            let mut volumes = Vec::with_capacity(ready.len());
            for Ready { task, opened, .. } in ready {
                let watched = task.watched(&opened)?;
                volumes.push(Mounted {
                    staged: task.staged.clone(),
                    mount: task.volume.mount().to_owned(),
                    watched,
                });
            }
            // A mount point inside another volume comes after that volume, or it would be covered.
            volumes.sort_by(|a, b| a.mount.cmp(&b.mount));
            if !volumes.is_empty() {
                log.tell(&Line::of(Code::VolumesMounted));
            }
            carried.watch.volumes = volumes.iter().map(|volume| volume.watched.clone()).collect();
            let summary = Summary::new().with("volumes", volumes.len());
            Ok((Unlocked { carried, image, volumes }, summary))
        })
    }
}

/// A volume that exists, mounted, its record judged; nothing on it was changed.
struct Reopened<'t, 'a, S> {
    task: &'t Task<'a, S>,
    opened: Opened,
    record: Kept,
}

impl<'t, 'a, S: Initramfs> Reopened<'t, 'a, S> {
    /// Opens a volume that exists with its key and mounts it.
    fn open(
        (task, judged, found): Located<'t, 'a, S>,
        log: &mut Log<'_, S>,
        now: i64,
        serial: &Serial,
    ) -> Result<Reopened<'t, 'a, S>, Failure> {
        let opened = task.open(log, judged, found)?;
        task.judge_file_system(&opened.mapped)?;
        task.mount(&opened.mapped)?;
        let record = task.check_record(log, &opened, now, serial)?;
        Ok(Reopened { task, opened, record })
    }

    /// Changes on the volume what is to be changed.
    fn change(self, log: &mut Log<'_, S>, now: i64, serial: &Serial) -> Result<Ready<'t, 'a, S>, Failure> {
        let Reopened { task, mut opened, mut record } = self;
        task.repair(log, &mut opened)?;
        if !task.flags().read_only {
            record.see(now);
            let new = task.new_header(&opened)?;
            record.settle(task, &opened)?;
            task.commit(log, &mut opened, &mut record, new)?;
            task.grow(log, &mut opened)?;
        } else if record.due(&opened, serial) || task.seeds_due(&opened) {
            // Something was to be written to a volume that is mounted read-only.
            task.warn(log, Code::VolumeLeftAsItIs);
        }
        Ok(Ready::new(task, log, opened, Some(record)))
    }
}
