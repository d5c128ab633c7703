//! Making a volume on a blank device.
//!
//! A mark that says so stands in the first block of the disk or partition while a volume is being made on it. The
//! header is made in guest memory, the file system with its record behind it, and the header reaches the disk last,
//! its first block in place of the mark. A volume with integrity is filled with zeros in between ([`super::fill`]). A
//! power cut before that leaves the mark, and the next boot begins afresh; the
//! workload has had nothing in its hands yet.

use std::path::Path;

use countersign_contract::code::Code;
use countersign_plan::luks2::rewrite::{self, Write};
use countersign_plan::luks2::{Integrity, Profile};
use countersign_plan::volumes::content::Unfinished;
use countersign_plan::volumes::facts::Device;
use countersign_plan::volumes::new::{ARGON2ID, SECTOR_BYTES};
use countersign_plan::volumes::seeds::Age;
use countersign_plan::volumes::{Action, DATA_OFFSET, METADATA_BYTES};
use countersign_ports::{Durability, FsType, Initramfs, LuksParameters};

use crate::failure::Failure;
use crate::line::Line;
use crate::log::Log;

use super::open::Opened;
use super::passphrases;
use super::probe::Parted;
use super::ready::Ready;
use super::record::Kept;
use super::task::{Container, Task};

impl<'a, S: Initramfs> Task<'a, S> {
    /// Makes a new volume and mounts it; nothing where there is one.
    pub(super) fn make(&self, log: &mut Log<'_, S>, now: i64) -> Result<Option<Ready<'_, 'a, S>>, Failure> {
        let (opened, record) = match &self.action {
            Action::Open { .. } => return Ok(None),
            Action::CreateOnDisk => {
                log.say(&format!("making volume {} on {}", self.name(), self.disk().display()));
                self.warn_of_new(log);
                let data = self.part()?;
                self.create(log, data.path(), now)?
            }
            Action::CreateOnPartition { device, metadata } => {
                log.say(&format!("making volume {} on {device}", self.name()));
                self.warn_of_new(log);
                if let Some(metadata) = metadata {
                    self.make_metadata(&self.parted, metadata)?;
                }
                self.open_part(&self.parted, device).map_err(self.fails_with(Code::LuksFormatFailed))?;
                self.create(log, device.path(), now)?
            }
        };
        self.tell(log, Code::VolumeEncrypted);
        Ok(Some(Ready::new(self, log, opened, record)))
    }

    /// How a key slot of ours is made.
    pub(super) fn parameters(&self) -> LuksParameters {
        // The header is readable to the host, which knows the name; the label of the contract stays inside.
        LuksParameters {
            label: self.name().to_owned(),
            memory_kib: ARGON2ID.memory_kib,
            passes: ARGON2ID.passes,
            lanes: ARGON2ID.lanes,
            sector_size: SECTOR_BYTES,
            integrity: self.volume.options().integrity(),
        }
    }

    /// Says that a volume begins empty, and what keeps a blank disk from taking the place of one that is in use.
    fn warn_of_new(&self, log: &mut Log<'_, S>) {
        let code = Code::VolumeMade;
        log.warn(Line::of_volume(code, self.name()).advise(code.remedy()));
    }

    /// Parts a blank disk; returns the partition for the container.
    fn part(&self) -> Result<Device, Failure> {
        let failed = self.fails_with(Code::PartitioningFailed);
        let disk = &self.parted.disk;
        // There is no partition before the table's last write, which replaces the first of these marks; by then the
        // second stands where `data` begins.
        for offset in [0, DATA_OFFSET] {
            let mark = rewrite::unfinished(Unfinished::Disk, offset);
            self.system.write_disk(&disk.path, mark.offset, &mark.bytes).map_err(&failed)?;
        }
        self.system.partition(disk, METADATA_BYTES).map_err(&failed)?;
        let parted = Parted::read(self.system, disk.clone()).map_err(&failed)?;
        let [metadata, data] = parted.devices().try_into().map_err(|_| {
            self.fails(
                Code::PartitioningFailed,
                "expected the disk to keep the two partitions of its new table",
            )
        })?;
        self.make_metadata(&parted, &metadata)?;
        self.open_part(&parted, &data).map_err(&failed)?;
        Ok(data)
    }

    /// Makes the file system of the partition `metadata`, which nothing else is done with.
    fn make_metadata(&self, parted: &Parted, device: &Device) -> Result<(), Failure> {
        let failed = self.fails_with(Code::PartitioningFailed);
        self.open_part(parted, device).map_err(&failed)?;
        self.system.make(FsType::Ext4, device.path(), "metadata", Durability::Persistent).map_err(&failed)?;
        self.system.close(&device.to_string()).map_err(failed)
    }

    /// Makes a container, its file system and its record, and mounts it; the header is written last.
    fn create(&self, log: &Log<'_, S>, device: &Path, now: i64) -> Result<(Opened, Option<Kept>), Failure> {
        let not_made = self.fails_with(Code::LuksFormatFailed);
        let write =
            |write: &Write| self.system.write_disk(device, write.offset, &write.bytes).map_err(&not_made);
        write(&rewrite::unfinished(Unfinished::Container, 0))?;
        let passphrase = passphrases::current(self.volume)?;
        let (header, key) = self.system.format(device, &self.parameters(), &passphrase).map_err(&not_made)?;
        drop(passphrase);
        let size = self.system.size(device).map_err(&not_made)?;
        let accepted = self.accept(&header, &self.as_asked(Profile::countersign()), size)?;
        let container = Container { device: device.to_owned(), header, accepted };
        if container.accepted.integrity() != Integrity::Absent {
            self.fill(log, &container, &key)?;
        }
        let mapped = self.map(&container, &key)?;
        let label = self.volume.options().label().unwrap_or(self.name());
        self.system
            .make(self.file_system(), &mapped, label, Durability::Persistent)
            .map_err(self.fails_with(Code::CreateFileSystemFailed))?;
        let opened = Opened { container, mapped, key, age: Age::Current, repair: None };
        self.mount(&opened.mapped)?;
        let record = self.first_record(&opened, now)?;
        rewrite::first(&opened.container.header).iter().try_for_each(write)?;
        Ok((opened, record))
    }
}
