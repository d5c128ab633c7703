//! What the stages may ask of a machine, in the words of the boot.
//!
//! The traits decide nothing: no policy, no message code, no order. `countersign-linux` does it on the real machine;
//! `countersign-rehearsal` writes down what was asked, for tests of the order and the decisions. Traits are narrow: what
//! looks and what changes are apart, so that a stage which may only look is given no way to change anything.
//!
//! At the top is what the initramfs asks; [`guest_os`] is what the units of the guest OS ask.

#![forbid(unsafe_code)]

mod clock;
mod disks;
pub mod error;
mod files;
mod filesystems;
pub mod guest_os;
mod luks;
mod mapper;
mod platform;
mod report;

pub use clock::Clock;
pub use disks::{Disk, DiskWrites, Disks};
pub use files::Files;
pub use filesystems::{Durability, Filesystems, FsType, MountFlags, Mounts};
pub use luks::{Derivation, Discard, INTEGRITY_SUFFIX, Luks, LuksParameters, OpenError};
pub use mapper::{Mapper, Tables, Verity};
pub use platform::{ImageFiles, Platform};
pub use report::{Event, Fields, Key, Priority, Report};

/// Everything the stages of the initramfs need of the machine.
pub trait Initramfs:
    Report
    + Clock
    + Platform
    + ImageFiles
    + Disks
    + DiskWrites
    + Luks
    + Tables
    + Mapper
    + Filesystems
    + Mounts
    + Files
{
}

impl<T> Initramfs for T where
    T: Report
        + Clock
        + Platform
        + ImageFiles
        + Disks
        + DiskWrites
        + Luks
        + Tables
        + Mapper
        + Filesystems
        + Mounts
        + Files
{
}
