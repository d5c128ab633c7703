//! The verdict on what the machine shows now against what the records say.
//!
//! The kernel's tables and mounts are the guest's own memory; the header on the disk is the host's, read by the same
//! bounded reader as at the start and believed in nothing but its difference.

use std::fmt::Display;

use countersign_contract::code::Code;
use countersign_crypto::digest::sha256_hex;

use super::mounts::{self, Mount};
use super::{Flags, Mapping, WatchedVolume};
use crate::luks2;

/// Something is not as the initramfs left it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Deviation {
    /// Message code.
    pub code: Code,
    /// What deviates and what was expected; names and numbers only.
    pub text: String,
}

impl Deviation {
    fn new(code: Code, subject: &str, expectation: impl Display) -> Deviation {
        Deviation { code, text: format!("{subject}: {expectation}") }
    }

    /// Something could not be looked at.
    pub fn unseen(subject: &str, reason: impl Display) -> Deviation {
        Deviation::new(Code::WatchUnreadable, subject, reason)
    }
}

/// The kernel's table of a mapped device.
pub fn mapping(subject: &str, expected: &Mapping, table: &str) -> Option<Deviation> {
    let code = if subject == ROOT { Code::ScratchChanged } else { Code::TableChanged };
    let same = expected.table == table;
    (!same).then(|| Deviation::new(code, subject, "expected the kernel's table as it was at the start"))
}

/// How the mount point `/` is called in deviations.
pub const ROOT: &str = "mount point /";

/// What is mounted at `point`: the device with this number, with at least these flags.
pub fn mount(
    subject: &str,
    point: &str,
    number: &str,
    flags: Option<Flags>,
    found: &[Mount],
) -> Option<Deviation> {
    let Some(found) = mounts::at(found, point) else {
        return Some(Deviation::new(Code::MountGone, subject, "expected it to be mounted"));
    };
    if found.number != number {
        let expectation = "expected its own encrypted device to be mounted there";
        return Some(Deviation::new(Code::MountReplaced, subject, expectation));
    }
    let flags = flags?;
    if found.flags != flags {
        let expectation = format!("expected the mount flags{}", words(flags));
        return Some(Deviation::new(Code::MountFlags, subject, expectation));
    }
    if found.file_system_read_only && !flags.read_only {
        let expectation = "expected a file system that takes writes; it turns read-only after an error";
        return Some(Deviation::new(Code::MountFlags, subject, expectation));
    }
    None
}

/// The header on the device below a volume: whose it is and how many key slots it has.
pub fn header(subject: &str, expected: &WatchedVolume, bytes: &[u8]) -> Option<Deviation> {
    let header = match luks2::read(bytes) {
        Ok(header) => header,
        Err(error) => return Some(Deviation::unseen(subject, error)),
    };
    if header.uuid() != expected.uuid {
        let expectation = "expected the luks header that was opened at the start";
        return Some(Deviation::new(Code::HeaderChanged, subject, expectation));
    }
    let (found, expected) = (header.key_slots(), expected.key_slots);
    (found != expected).then(|| {
        let expectation = format!("expected {expected} key slots in the luks header, found {found}");
        Deviation::new(Code::HeaderChanged, subject, expectation)
    })
}

/// The record that a volume carries. Who has no key cannot tell whether one is authentic, only whether it is the one
/// that the start found to be.
pub fn record(subject: &str, expected: &WatchedVolume, found: Option<&[u8]>) -> Option<Deviation> {
    (found.map(sha256_hex) != expected.record).then(|| {
        let expectation = match expected.record {
            Some(_) => "expected its record as it was at the start",
            None => "expected no record, as it was at the start",
        };
        Deviation::new(Code::RecordChanged, subject, expectation)
    })
}

fn words(flags: Flags) -> String {
    let Flags { read_only, nosuid, nodev, noexec } = flags;
    [(read_only, " read-only"), (nosuid, " nosuid"), (nodev, " nodev"), (noexec, " noexec")]
        .into_iter()
        .filter_map(|(set, word)| set.then_some(word))
        .collect()
}
