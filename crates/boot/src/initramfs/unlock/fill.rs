//! The first writing of every sector of a new volume with integrity: a sector that was never written has no tag, and
//! reading it is an error.
//!
//! Nothing depends on how far it came: the mark of [`super::create`] stands until the volume is whole, so after a power
//! cut it begins afresh. What the kernel maps is not compared here, since nothing but zeros goes through it; it is mapped
//! anew afterwards, with the journal, and compared then.

use std::time::Duration;

use countersign_contract::code::Code;
use countersign_crypto::volume_key::VolumeKey;
use countersign_ports::Initramfs;

use crate::failure::Failure;
use crate::log::Log;

use super::task::{Container, Task};

/// Bytes between two looks at the clock.
const PIECE: u64 = 64 << 20;
/// How often it is said how far it came.
const SAY_EVERY: Duration = Duration::from_secs(30);

impl<S: Initramfs> Task<'_, S> {
    /// Writes zeros to the whole of a container that is mapped for this and taken down again.
    pub(super) fn fill(
        &self,
        log: &Log<'_, S>,
        container: &Container,
        key: &VolumeKey,
    ) -> Result<(), Failure> {
        let system = self.system;
        let not_made = self.fails_with(Code::LuksFormatFailed);
        let name = self.mapper_name();
        let mapped =
            system.open_unjournalled(&container.device, &container.header, &name, key).map_err(&not_made)?;
        let size = system.size(&mapped).map_err(&not_made)?;
        let (mut at, mut said) = (0, system.uptime());
        log.say(&format!("writing all {} MiB of volume {} once, for its integrity", size >> 20, self.name()));
        while at < size {
            let length = PIECE.min(size - at);
            system.write_zeros(&mapped, at, length).map_err(&not_made)?;
            at += length;
            let now = system.uptime();
            if now.saturating_sub(said) >= SAY_EVERY {
                log.say(&format!("volume {}: {} of {} MiB written", self.name(), at >> 20, size >> 20));
                said = now;
            }
        }
        system.close(&name).map_err(&not_made)
    }
}
