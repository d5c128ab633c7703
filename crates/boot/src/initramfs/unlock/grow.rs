//! Growing a volume whose disk became larger: the partition `data`, what is mapped, the file system.
//!
//! Why the power may fail at any byte of the partition table is said in
//! [`countersign_plan::volumes::partition_table`]; a file system grows in its own journal. Each step looks at what is
//! there, so the next boot goes on where one was cut. The container itself has no size: its data reaches to the end of
//! the partition or disk. A volume with integrity does not grow: dm-integrity lays its tags out for the size that it
//! was made with.

use std::fmt::Display;
use std::io::ErrorKind;

use countersign_contract::code::Code;
use countersign_plan::luks2::Integrity;
use countersign_plan::volumes::facts::Device;
use countersign_plan::volumes::file_system::{SUPERBLOCK_BYTES, grows};
use countersign_plan::volumes::partition_table::{self, Growth, HEAD_BYTES, WORTH_BYTES};
use countersign_ports::Initramfs;

use crate::failure::Failure;
use crate::line::Line;
use crate::log::Log;

use super::open::Opened;
use super::probe::Parted;
use super::task::Task;

/// Why a volume with integrity keeps its size.
const LAID_OUT: &str = "expected a volume without integrity: tags are laid out for the size it was made with";

impl<S: Initramfs> Task<'_, S> {
    /// Grows what a mounted volume lies in, then its file system. The volume is mounted again afterwards.
    pub(super) fn grow(&self, log: &mut Log<'_, S>, opened: &mut Opened) -> Result<(), Failure> {
        let system = self.system;
        if opened.container.accepted.integrity() != Integrity::Absent {
            if has_room(&self.parted) {
                self.not_grown(log, LAID_OUT);
            }
            return Ok(());
        }
        if let Some(growth) = self.partition(log)? {
            let not_grown = self.fails_with(Code::PartitionNotResized);
            system.unmount(&self.staged).map_err(&not_grown)?;
            system.close(&self.mapper_name()).map_err(&not_grown)?;
            for write in &growth.writes {
                system.write_disk(self.disk(), write.offset, &write.bytes).map_err(&not_grown)?;
            }
            let part = Device::from(&opened.container.device).to_string();
            system.close(&part).map_err(&not_grown)?;
            system.open_part(self.disk(), &part, growth.start, growth.length).map_err(&not_grown)?;
            self.map_again(opened)?;
            self.mount(&opened.mapped)?;
        }
        if self.growth_due(opened)? {
            let not_extended = self.fails_with(Code::FileSystemNotExtended);
            let size = system.size(&opened.mapped).map_err(&not_extended)?;
            match system.grow(self.file_system(), &self.staged, size) {
                Ok(()) => self.tell(log, Code::VolumeGrown),
                // ext4's word for a file system that it once found an error in, a write that failed say. It is as usable
                // as it was.
                Err(error) if error.kind() == ErrorKind::PermissionDenied => self.not_grown(log, error),
                Err(error) => return Err(not_extended(error)),
            }
        }
        Ok(())
    }

    /// Whether the file system is smaller than what it lies on.
    fn growth_due(&self, opened: &Opened) -> Result<bool, Failure> {
        let unreadable = self.fails_with(Code::DiskUnreadable);
        let head = self.system.read(&opened.mapped, 0, SUPERBLOCK_BYTES).map_err(&unreadable)?;
        let size = self.system.size(&opened.mapped).map_err(&unreadable)?;
        Ok(grows(self.volume.file_system(), &head, size))
    }

    /// How the partition grows; a table that is not plainly a volume's is left as it is, with a warning.
    fn partition(&self, log: &mut Log<'_, S>) -> Result<Option<Growth>, Failure> {
        let Some(last) = self.parted.partitions.last().filter(|_| has_room(&self.parted)) else {
            return Ok(None);
        };
        let head =
            self.system.read(self.disk(), 0, HEAD_BYTES).map_err(self.fails_with(Code::DiskUnreadable))?;
        partition_table::grow(&head, self.parted.disk.size, last).or_else(|fault| {
            self.not_grown(log, fault);
            Ok(None)
        })
    }

    fn not_grown(&self, log: &mut Log<'_, S>, reason: impl Display) {
        log.warn(Line::of_volume(Code::VolumeNotGrown, self.name()).and(reason));
    }
}

/// Whether a parted disk has become larger.
fn has_room(Parted { disk, partitions, .. }: &Parted) -> bool {
    // What is before the first partition and behind the last one takes less than two MiB.
    let used: u64 = partitions.iter().map(|partition| partition.size).sum();
    !partitions.is_empty() && disk.size.saturating_sub(used) >= WORTH_BYTES
}
