//! The record that a volume carries ([`countersign_plan::volumes::record`]): read and judged once the volume is
//! mounted, before anything else is written to the disk; brought up to date when its header changes.
//!
//! A volume that is mounted read-only keeps the record that it has, and none where it has none.

use std::path::{Path, PathBuf};

use countersign_contract::code::Code;
use countersign_contract::model::{Serial, Volume};
use countersign_contract::refusal::Finding;
use countersign_crypto::LibraryError;
use countersign_plan::volumes::record::{ATTRIBUTE, LIMIT, Origin, RecordFault, Subject, VolumeRecord};
use countersign_ports::Initramfs;

use crate::failure::Failure;
use crate::log::{Line, Log};
use crate::stage::Stage;

use super::open::Opened;
use super::{failed, flags};

/// The record of a mounted volume.
pub(super) struct Kept {
    staged: PathBuf,
    record: VolumeRecord,
    /// What the file system holds is this record.
    written: bool,
}

impl Kept {
    /// Names the header that is about to be written, beside the one that is there.
    pub(super) fn announce<S: Initramfs>(
        &mut self,
        system: &S,
        volume: &Volume,
        opened: &Opened,
        next: [u8; 32],
    ) -> Result<(), Failure> {
        self.record = self.record.announcing(next);
        self.write(system, volume, opened)
    }

    /// Names the header that is there and no other.
    pub(super) fn settle<S: Initramfs>(
        &mut self,
        system: &S,
        volume: &Volume,
        opened: &Opened,
    ) -> Result<(), Failure> {
        if let Some(record) = self.record.settled(opened.accepted.digest()) {
            self.record = record;
            self.written = false;
        }
        if self.written { Ok(()) } else { self.write(system, volume, opened) }
    }

    /// The latest time at which the volume was opened before.
    pub(super) fn last_seen(&self) -> i64 {
        self.record.last_seen()
    }

    /// Notes that the volume is opened at this time; [`Kept::settle`] writes it.
    pub(super) fn see(&mut self, now: i64) {
        if let Some(record) = self.record.seen(now) {
            self.record = record;
            self.written = false;
        }
    }

    /// Keeps the contract's serial from now on, where it is higher than the one that is kept.
    pub(super) fn raise<S: Initramfs>(
        &mut self,
        system: &S,
        volume: &Volume,
        opened: &Opened,
        serial: &Serial,
    ) -> Result<(), Failure> {
        match self.record.raised(serial.number()) {
            None => Ok(()),
            Some(record) => {
                self.record = record;
                self.write(system, volume, opened)
            }
        }
    }

    /// Whether the file system has yet to get a record, one that names its header alone, or the contract's serial.
    pub(super) fn due(&self, opened: &Opened, serial: &Serial) -> bool {
        !self.written
            || self.record.settled(opened.accepted.digest()).is_some()
            || self.record.raised(serial.number()).is_some()
    }

    fn write<S: Initramfs>(&mut self, system: &S, volume: &Volume, opened: &Opened) -> Result<(), Failure> {
        write(system, volume, opened, &self.staged, &self.record)?;
        self.written = true;
        Ok(())
    }
}

/// Writes the first record of a new volume, unless it is mounted read-only.
pub(super) fn make<S: Initramfs>(
    system: &S,
    volume: &Volume,
    opened: &Opened,
    staged: &Path,
    now: i64,
) -> Result<Option<Kept>, Failure> {
    if flags(volume).read_only {
        return Ok(None);
    }
    let record = VolumeRecord::first(subject(volume, opened), Origin::Made, now);
    write(system, volume, opened, staged, &record)?;
    Ok(Some(Kept { staged: staged.to_owned(), record, written: true }))
}

/// Judges the record of a mounted volume, and the contract by it; one that has none gets its first, not yet written.
pub(super) fn check<S: Initramfs>(
    system: &S,
    log: &mut Log<'_, S>,
    volume: &Volume,
    opened: &Opened,
    staged: &Path,
    now: i64,
    serial: &Serial,
) -> Result<Kept, Failure> {
    let bytes = system
        .attribute(staged, ATTRIBUTE, LIMIT)
        .map_err(|error| failed(volume, Code::VolumeRecordFailed, &error))?;
    let subject = subject(volume, opened);
    let refuse = |fault: RecordFault| {
        Failure::machine(Stage::Unlock, fault.code(), format!("volume {}: {fault}", volume.name()))
    };
    let record = match &bytes {
        Some(bytes) => {
            let record = VolumeRecord::open(bytes, &opened.key).map_err(internal)?.map_err(refuse)?;
            record.judge(subject).map_err(refuse)?;
            record.judge_serial(serial.number()).map_err(|fault| older(volume, serial, fault))?;
            record
        }
        None => {
            let code = Code::VolumeRecordMissing;
            log.warn(Line::of_volume(code, volume.name()));
            VolumeRecord::first(subject, Origin::Found, now)
        }
    };
    Ok(Kept { staged: staged.to_owned(), record, written: bytes.is_some() })
}

/// The refusal of a contract that is older than one that has opened the volume.
fn older(volume: &Volume, serial: &Serial, fault: RecordFault) -> Failure {
    let message = format!("volume {}: {fault}", volume.name());
    Failure::finding(Stage::Unlock, Finding::new(fault.code(), serial.place().clone(), message, None))
}

fn subject<'v>(volume: &'v Volume, opened: &'v Opened) -> Subject<'v> {
    Subject { volume: volume.name(), uuid: opened.accepted.uuid(), header: opened.accepted.digest() }
}

fn write<S: Initramfs>(
    system: &S,
    volume: &Volume,
    opened: &Opened,
    staged: &Path,
    record: &VolumeRecord,
) -> Result<(), Failure> {
    let bytes = record.sealed(&opened.key).map_err(internal)?;
    system
        .set_attribute(staged, ATTRIBUTE, &bytes)
        .map_err(|error| failed(volume, Code::VolumeRecordFailed, &error))
}

fn internal(error: LibraryError) -> Failure {
    Failure::machine(Stage::Unlock, Code::BootInternal, error)
}
