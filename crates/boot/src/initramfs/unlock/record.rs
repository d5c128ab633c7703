//! The record that a volume carries ([`countersign_plan::volumes::record`]): read and judged once the volume is
//! mounted, before anything else is written to the disk; brought up to date when its header changes.
//!
//! A volume that is mounted read-only keeps the record that it has, and none where it has none.

use countersign_contract::code::Code;
use countersign_contract::model::Serial;
use countersign_contract::refusal::Finding;
use countersign_crypto::LibraryError;
use countersign_plan::volumes::record::{ATTRIBUTE, LIMIT, Origin, RecordFault, Subject, VolumeRecord};
use countersign_ports::Initramfs;

use crate::failure::Failure;
use crate::log::Log;
use crate::stage::Stage;

use super::open::Opened;
use super::task::Task;

/// The record of a mounted volume.
#[derive(Debug)]
pub(super) struct Kept {
    record: VolumeRecord,
    /// What the file system holds is this record.
    written: bool,
}

impl Kept {
    /// Names the header that is about to be written, beside the one that is there.
    pub(super) fn announce<S: Initramfs>(
        &mut self,
        task: &Task<'_, S>,
        opened: &Opened,
        next: [u8; 32],
    ) -> Result<(), Failure> {
        self.record = self.record.announcing(next);
        self.write(task, opened)
    }

    /// Names the header that is there and no other.
    pub(super) fn settle<S: Initramfs>(
        &mut self,
        task: &Task<'_, S>,
        opened: &Opened,
    ) -> Result<(), Failure> {
        if let Some(record) = self.record.settled(opened.container.accepted.digest()) {
            self.record = record;
            self.written = false;
        }
        if self.written { Ok(()) } else { self.write(task, opened) }
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
        task: &Task<'_, S>,
        opened: &Opened,
        serial: &Serial,
    ) -> Result<(), Failure> {
        match self.record.raised(serial.number()) {
            None => Ok(()),
            Some(record) => {
                self.record = record;
                self.write(task, opened)
            }
        }
    }

    /// Whether the file system has yet to get a record, one that names its header alone, or the contract's serial.
    pub(super) fn due(&self, opened: &Opened, serial: &Serial) -> bool {
        !self.written
            || self.record.settled(opened.container.accepted.digest()).is_some()
            || self.record.raised(serial.number()).is_some()
    }

    fn write<S: Initramfs>(&mut self, task: &Task<'_, S>, opened: &Opened) -> Result<(), Failure> {
        let bytes = self.record.sealed(&opened.key).map_err(internal)?;
        task.system
            .set_attribute(&task.staged, ATTRIBUTE, &bytes)
            .map_err(task.fails_with(Code::VolumeRecordFailed))?;
        self.written = true;
        Ok(())
    }
}

impl<S: Initramfs> Task<'_, S> {
    /// Writes the first record of a new volume, unless it is mounted read-only.
    pub(super) fn first_record(&self, opened: &Opened, now: i64) -> Result<Option<Kept>, Failure> {
        if self.flags().read_only {
            return Ok(None);
        }
        let record = VolumeRecord::first(self.subject(opened), Origin::Made, now);
        let mut kept = Kept { record, written: false };
        kept.write(self, opened)?;
        Ok(Some(kept))
    }

    /// Judges the record of a mounted volume, and the contract by it; one that has none gets its first, not yet written.
    pub(super) fn check_record(
        &self,
        log: &mut Log<'_, S>,
        opened: &Opened,
        now: i64,
        serial: &Serial,
    ) -> Result<Kept, Failure> {
        let bytes = self
            .system
            .attribute(&self.staged, ATTRIBUTE, LIMIT)
            .map_err(self.fails_with(Code::VolumeRecordFailed))?;
        let subject = self.subject(opened);
        let refuse = |fault: RecordFault| self.fails(fault.code(), fault);
        let record = match &bytes {
            Some(bytes) => {
                let record = VolumeRecord::open(bytes, &opened.key).map_err(internal)?.map_err(refuse)?;
                record.judge(subject).map_err(refuse)?;
                record.judge_serial(serial.number()).map_err(|fault| self.older(serial, fault))?;
                record
            }
            None => {
                self.warn(log, Code::VolumeRecordMissing);
                VolumeRecord::first(subject, Origin::Found, now)
            }
        };
        Ok(Kept { record, written: bytes.is_some() })
    }

    /// The refusal of a contract that is older than one that has opened the volume.
    fn older(&self, serial: &Serial, fault: RecordFault) -> Failure {
        let message = format!("volume {}: {fault}", self.name());
        Failure::finding(Stage::Unlock, Finding::with(fault.code(), serial.place().clone(), message))
    }

    fn subject<'s>(&'s self, opened: &'s Opened) -> Subject<'s> {
        let accepted = &opened.container.accepted;
        Subject { volume: self.name(), uuid: accepted.uuid(), header: accepted.digest() }
    }
}

fn internal(error: LibraryError) -> Failure {
    Failure::machine(Stage::Unlock, Code::BootInternal, error)
}
