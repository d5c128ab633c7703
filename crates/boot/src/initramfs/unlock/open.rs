//! Opening a volume that exists: mapping it once its header was judged ([`super::judge`]) and its key is there
//! ([`super::keys`]), and comparing what the kernel maps with what was judged.

use std::path::{Path, PathBuf};

use countersign_contract::code::Code;
use countersign_crypto::volume_key::VolumeKey;
use countersign_plan::luks2::rewrite::Write;
use countersign_plan::luks2::table::{CryptTable, IntegrityTable, TableFlag, expected_table};
use countersign_plan::luks2::{Accepted, Integrity};
use countersign_plan::volumes::facts::MAPPED;
use countersign_plan::volumes::mapper::INTEGRITY_SUFFIX;
use countersign_plan::volumes::seeds::{Age, Order};
use countersign_ports::error::SystemError;
use countersign_ports::{Discard, Initramfs};

use crate::failure::Failure;
use crate::log::Log;

use super::judge::Judged;
use super::keys::Found;
use super::task::{Container, Task};

/// A volume that is mapped.
#[derive(Debug)]
pub(super) struct Opened {
    pub(super) container: Container,
    /// The mapped device.
    pub(super) mapped: PathBuf,
    pub(super) key: VolumeKey,
    /// Which seeds opened it.
    pub(super) age: Age,
    /// A header copy that is still broken on the disk.
    pub(super) repair: Option<Write>,
}

impl<S: Initramfs> Task<'_, S> {
    /// Maps the volume with the key that was found for it.
    pub(super) fn open(&self, log: &mut Log<'_, S>, judged: Judged, found: Found) -> Result<Opened, Failure> {
        let Judged { container, repair } = judged;
        let Found { key, order, age } = found;
        if order == Order::WorkloadFirst && age == Age::Current {
            self.warn(log, Code::SeedOrder);
        }
        let mapped = self.map(&container, &key)?;
        Ok(Opened { container, mapped, key, age, repair })
    }

    /// Maps a container and compares the kernel's table with what was judged.
    pub(super) fn map(&self, container: &Container, key: &VolumeKey) -> Result<PathBuf, Failure> {
        let name = self.mapper_name();
        let Container { device, header, accepted } = container;
        let mapped = self
            .system
            .open(device, header, &name, key, self.discard())
            .map_err(self.fails_with(Code::LuksOpenFailed))?;
        self.compare_table(device, &name, accepted)?;
        Ok(mapped)
    }

    /// Maps a volume anew whose partition has grown; nothing of it may be in use.
    pub(super) fn map_again(&self, opened: &mut Opened) -> Result<(), Failure> {
        let container = &mut opened.container;
        let size = self.system.size(&container.device).map_err(self.fails_with(Code::DiskUnreadable))?;
        container.accepted = self.accept(&container.header, &self.profile(), size)?;
        opened.mapped = self.map(container, &opened.key)?;
        Ok(())
    }

    /// Writes the header copy that a power cut left broken.
    pub(super) fn repair(&self, log: &mut Log<'_, S>, opened: &mut Opened) -> Result<(), Failure> {
        if let Some(write) = opened.repair.take() {
            self.warn(log, Code::HeaderRepaired);
            self.system
                .write_disk(&opened.container.device, write.offset, &write.bytes)
                .map_err(self.fails_with(Code::HeaderNotRepaired))?;
        }
        Ok(())
    }

    /// Compares what the kernel maps with what was judged; a mapping that is not that, or cannot be looked at, goes.
    fn compare_table(&self, device: &Path, name: &str, accepted: &Accepted) -> Result<(), Failure> {
        let refusal = match self.faults(device, name, accepted) {
            Ok(faults) if faults.is_empty() => return Ok(()),
            Ok(faults) => self.fails(Code::HeaderRefused, faults.join("; ")),
            Err(error) => self.fails(Code::HeaderRefused, error),
        };
        // The first cause is the mapping; the power-off takes down what cannot be closed.
        let _ = self.system.close(name);
        Err(refusal)
    }

    /// How the kernel's table differs from what was judged.
    fn faults(&self, device: &Path, name: &str, accepted: &Accepted) -> Result<Vec<String>, SystemError> {
        let system = self.system;
        let size = system.size(device)?;
        let mut number = system.number(device)?;
        let line = system.table(name)?;
        let mut expected = expected_table(accepted, size);
        if self.discard() == Discard::Told {
            expected = expected.with_flag(TableFlag::AllowDiscards);
        }
        let mut faults = Vec::new();
        if let Some(below) = below(name, accepted) {
            match IntegrityTable::parse(&system.table(&below)?) {
                Ok(table) => {
                    faults.extend(table.compare(accepted, size, &number).err().unwrap_or_default());
                    expected = expected.over(&table);
                }
                Err(fault) => faults.push(fault),
            }
            number = system.number(&Path::new(MAPPED).join(below))?;
        }
        match CryptTable::parse(&line) {
            Ok(table) => faults.extend(expected.compare(&table, &number).err().unwrap_or_default()),
            Err(fault) => faults.push(fault),
        }
        Ok(faults.iter().map(ToString::to_string).collect())
    }

    fn discard(&self) -> Discard {
        if self.flags().discard { Discard::Told } else { Discard::Kept }
    }
}

/// The dm-integrity device below the mapping `name`, where the volume has integrity.
pub(super) fn below(name: &str, accepted: &Accepted) -> Option<String> {
    (accepted.integrity() != Integrity::Absent).then(|| format!("{name}{INTEGRITY_SUFFIX}"))
}
