//! Judging the header of a volume that exists.
//!
//! The header comes from the host, so it is read into guest memory once, judged there, and that very copy is
//! opened. Where a power cut left one of the two header copies broken, the copy in memory is repaired first and judged
//! then; the disk is repaired by [`Task::repair`], once the volume is known to be the right one.

use std::path::Path;

use countersign_contract::code::Code;
use countersign_plan::luks2::rewrite::{self, Write};
use countersign_plan::luks2::{self, Accepted, HeaderFault, Profile, ReadError, Rule};
use countersign_plan::volumes::seeds;
use countersign_ports::Initramfs;
use countersign_ports::error::SystemError;

use crate::failure::Failure;

use super::task::{Container, Task};

/// A volume whose header was accepted.
#[derive(Debug)]
pub(super) struct Judged {
    pub(super) container: Container,
    /// A header copy that is broken on the disk.
    pub(super) repair: Option<Write>,
}

impl<S: Initramfs> Task<'_, S> {
    /// Reads the header into guest memory, each byte once, and holds it against the profile; its argon2id may take
    /// `budget` KiB of memory.
    pub(super) fn judge(&self, device: &Path, budget: u64) -> Result<Judged, Failure> {
        let unreadable = self.fails_with(Code::DiskUnreadable);
        let size = self.system.size(device).map_err(&unreadable)?;
        let mut header = self.system.read(device, 0, luks2::PROBE_LEN).map_err(&unreadable)?;
        let metadata = luks2::metadata_len(&header).min(size);
        self.append(device, &mut header, metadata).map_err(&unreadable)?;
        let repair = match luks2::read(&header) {
            Err(ReadError::Interrupted(interrupted)) => Some(rewrite::repair(&header, &interrupted)),
            _ => None,
        };
        if let Some(repair) = &repair {
            repair.apply(&mut header);
        }
        let accepted = self.accept(&header, &self.profile().with_memory_limit(budget), size)?;
        self.append(device, &mut header, accepted.material_len()).map_err(&unreadable)?;
        Ok(Judged { container: Container { device: device.to_owned(), header, accepted }, repair })
    }

    /// What the header of a volume that exists may be.
    pub(super) fn profile(&self) -> Profile {
        match seeds::changing(self.volume) {
            true => self.settled().during_rotation(),
            false => self.settled(),
        }
    }

    /// The same while no seed is being changed.
    pub(super) fn settled(&self) -> Profile {
        self.as_asked(Profile::compatible())
    }

    /// A profile with the integrity that the contract asks for. One that it does not ask for is refused as well: the
    /// kernel modules for it are loaded by the contract's word, before any disk is looked at.
    pub(super) fn as_asked(&self, profile: Profile) -> Profile {
        if self.volume.options().integrity() { profile.with_integrity() } else { profile }
    }

    /// Holds a header against a profile.
    pub(super) fn accept(&self, header: &[u8], profile: &Profile, size: u64) -> Result<Accepted, Failure> {
        let parsed = luks2::read(header).map_err(|error| self.fails(Code::HeaderRefused, error))?;
        luks2::judge(&parsed, profile, size).map_err(|faults| {
            let all: Vec<String> = faults.iter().map(ToString::to_string).collect();
            let code = if faults.iter().any(differs) { Code::IntegrityDiffers } else { Code::HeaderRefused };
            self.fails(code, all.join("; "))
        })
    }

    /// Reads on behind what is there already, up to `length` bytes in all.
    fn append(&self, device: &Path, header: &mut Vec<u8>, length: u64) -> Result<(), SystemError> {
        // Bounded by `luks2::HEADER_LIMIT`.
        let missing = usize::try_from(length).unwrap_or(usize::MAX).saturating_sub(header.len());
        if missing > 0 {
            header.extend(self.system.read(device, header.len() as u64, missing)?);
        }
        Ok(())
    }
}

/// Whether a header is refused for what the contract says of integrity; LUKS1, which has none, only then.
fn differs(fault: &HeaderFault) -> bool {
    matches!(fault.rule(), Rule::SegmentIntegrity | Rule::Luks1Refused)
}
