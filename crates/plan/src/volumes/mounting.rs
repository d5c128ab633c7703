//! How a volume is mounted: what the contract asks for, and what holds for every volume.

use countersign_contract::model::{MountOption, Volume};

/// Flags of a volume's mount.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Mounting {
    /// `ro`.
    pub read_only: bool,
    /// `nosuid`: always.
    pub nosuid: bool,
    /// `nodev`: always.
    pub nodev: bool,
    /// `noexec`.
    pub noexec: bool,
    /// `noatime`.
    pub noatime: bool,
    /// `sync`.
    pub synchronous: bool,
    /// The file system tells the disk what it no longer uses; so does the container then.
    pub discard: bool,
}

impl Mounting {
    /// What holds for this volume.
    pub fn of(volume: &Volume) -> Mounting {
        let asked = |option| volume.options().mount_options().contains(&option);
        Mounting {
            read_only: asked(MountOption::ReadOnly),
            nosuid: true,
            nodev: true,
            noexec: asked(MountOption::NoExecute),
            // `relatime` is what Linux does by itself; where one section asks for it and the other for `noatime`, the
            // latter wins.
            noatime: asked(MountOption::NoAccessTime),
            synchronous: asked(MountOption::Synchronous),
            discard: volume.options().discard(),
        }
    }
}
