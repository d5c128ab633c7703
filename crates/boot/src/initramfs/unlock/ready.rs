//! A volume that is open and mounted, its record still to be raised to the contract's serial.

use countersign_contract::code::Code;
use countersign_contract::model::Serial;
use countersign_ports::Initramfs;

use crate::failure::Failure;
use crate::log::Log;

use super::open::Opened;
use super::record::Kept;
use super::task::Task;

/// What is needed of it until all volumes are there.
pub(super) struct Ready<'t, 'a, S> {
    pub(super) task: &'t Task<'a, S>,
    pub(super) opened: Opened,
    /// None where it is a new volume that is mounted read-only.
    record: Option<Kept>,
}

impl<'t, 'a, S: Initramfs> Ready<'t, 'a, S> {
    /// Says that the volume is mounted.
    pub(super) fn new(
        task: &'t Task<'a, S>,
        log: &Log<'_, S>,
        mut opened: Opened,
        record: Option<Kept>,
    ) -> Ready<'t, 'a, S> {
        task.tell(log, Code::VolumeMounted);
        // Up to 16 MiB, which the next volume needs.
        opened.container.header = Vec::new();
        Ready { task, opened, record }
    }

    /// Keeps the contract's serial on the volume.
    pub(super) fn raise(&mut self, serial: &Serial) -> Result<(), Failure> {
        match &mut self.record {
            Some(record) if !self.task.flags().read_only => record.raise(self.task, &self.opened, serial),
            _ => Ok(()),
        }
    }
}
