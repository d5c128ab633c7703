//! Changing the passphrase of a volume that is open, when the contract has `previousSeed`.
//!
//! The new header is made in guest memory and judged like any other. Why the power may fail at any byte while it is
//! written is said in [`countersign_plan::luks2::rewrite`]. Booting the same contract again changes nothing: the
//! volume opens with the new passphrase, has one key slot, and what the old slot left is zero.

use countersign_contract::code::Code;
use countersign_plan::luks2::LuksVersion;
use countersign_plan::luks2::rewrite::{self, Write};
use countersign_plan::volumes::seeds::{self, Age};
use countersign_ports::Initramfs;

use crate::failure::Failure;
use crate::log::Log;

use super::open::Opened;
use super::passphrases;
use super::record::Kept;
use super::task::Task;

impl<S: Initramfs> Task<'_, S> {
    /// Puts the new header in place of the old one, where there is a new one, and takes away what is left of the old.
    ///
    /// The volume's record names the new header before it is written and the old one until it is gone, so whichever the
    /// power leaves is the record's.
    pub(super) fn commit(
        &self,
        log: &Log<'_, S>,
        opened: &mut Opened,
        record: &mut Kept,
        new: Option<Vec<u8>>,
    ) -> Result<(), Failure> {
        if let Some(header) = new {
            let size = self
                .system
                .size(&opened.container.device)
                .map_err(self.fails_with(Code::SeedChangeFailed))?;
            // The data stays as it was made, 32 byte keys and all; there is one key slot again.
            let accepted = self.accept(&header, &self.settled(), size)?;
            record.announce(self, opened, accepted.digest())?;
            self.write_header(opened, &rewrite::replacement(&header, &accepted))?;
            opened.container.header = header;
            opened.container.accepted = accepted;
            opened.age = Age::Current;
            record.settle(self, opened)?;
            self.tell(log, Code::SeedsChanged);
        }
        self.wipe(opened)
    }

    /// Whether the volume has yet to get the seeds that the contract names.
    pub(super) fn seeds_due(&self, opened: &Opened) -> bool {
        seeds::changing(self.volume)
            && (opened.age == Age::Previous || opened.container.accepted.slots().len() != 1)
    }

    /// The header that the volume shall have, in memory; none where it has it already.
    pub(super) fn new_header(&self, opened: &Opened) -> Result<Option<Vec<u8>>, Failure> {
        if !self.seeds_due(opened) {
            return Ok(None);
        }
        let accepted = &opened.container.accepted;
        if accepted.version() == LuksVersion::Luks1 {
            return Err(self.fails(Code::SeedChangeFailed, "expected LUKS2, found LUKS1"));
        }
        let old: Vec<u8> = accepted.slots().iter().map(|slot| slot.number()).collect();
        let passphrase = passphrases::current(self.volume)?;
        self.system
            .replace_slots(&opened.container.header, &opened.key, &self.parameters(), &passphrase, &old)
            .map(Some)
            .map_err(self.fails_with(Code::SeedChangeFailed))
    }

    /// Overwrites what is left of a removed key slot.
    fn wipe(&self, opened: &Opened) -> Result<(), Failure> {
        let accepted = &opened.container.accepted;
        if !seeds::changing(self.volume) || accepted.version() == LuksVersion::Luks1 {
            return Ok(());
        }
        // At most `luks2::HEADER_LIMIT`.
        let length = usize::try_from(accepted.header_len()).unwrap_or(usize::MAX);
        let bytes = self
            .system
            .read(&opened.container.device, 0, length)
            .map_err(self.fails_with(Code::DiskUnreadable))?;
        self.write_header(opened, &rewrite::wipe(&bytes, accepted))
    }

    fn write_header(&self, opened: &Opened, writes: &[Write]) -> Result<(), Failure> {
        let device = &opened.container.device;
        writes
            .iter()
            .try_for_each(|write| self.system.write_disk(device, write.offset, &write.bytes))
            .map_err(self.fails_with(Code::SeedChangeFailed))
    }
}
