//! What the daemon of the guest OS watches, and when: the records it gets, its schedule, its verdicts.
//!
//! The records are made by the stages of the initramfs, which saw the truth, and cross the handover as `watch.json`
//! beside `plan.json`; they hold names, numbers and dates, no secret. The daemon asks the machine what is there and
//! hands it to the functions here, which decide. Time is an argument: wall clock and uptime ([`schedule::Clock`]).

use serde::{Deserialize, Serialize};

pub mod expiry;
pub mod inspect;
pub mod mounts;
pub mod schedule;
pub mod workload;

use schedule::Clock;

/// `watch.json` of the handover.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WatchRecords {
    /// The time at which the contract was verified; the daemon never believes in an earlier one.
    pub verified: Clock,
    /// The guest OS's read-only image.
    pub image: Option<Mapping>,
    /// The mapped devices of the scratch space under `/`, the one that is mounted first; none where `/` is memory.
    pub scratch: Vec<Mapping>,
    /// The volumes, by mount point.
    pub volumes: Vec<WatchedVolume>,
    /// What ends one day.
    pub expiries: Vec<Expiry>,
    /// Whether a deviation ends the guest, by the contract's choice.
    pub power_off: bool,
    /// SHA-256 of the first record in the open, hexadecimal.
    #[serde(default)]
    pub record: Option<String>,
    /// How many warnings stand in it already.
    #[serde(default)]
    pub recorded_warnings: usize,
}

impl WatchRecords {
    /// Records that hold nothing yet but the time.
    pub fn new(verified: Clock) -> WatchRecords {
        WatchRecords {
            verified,
            image: None,
            scratch: Vec::new(),
            volumes: Vec::new(),
            expiries: Vec::new(),
            power_off: false,
            record: None,
            recorded_warnings: 0,
        }
    }
}

/// A mapped device and what the kernel said of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Mapping {
    /// Name below `/dev/mapper`.
    pub name: String,
    /// The kernel's table as `dmsetup table` prints it, keys masked.
    pub table: String,
}

/// A data volume as `unlock` left it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WatchedVolume {
    /// The contract's name for it.
    pub name: String,
    /// Where it is mounted.
    pub mount: String,
    /// Flags of the mount.
    pub flags: Flags,
    /// `major:minor` in the kernel's list of mounts: that of the mapped device, or, of a file system that may have
    /// several devices (btrfs), one that belongs to the mount alone.
    pub number: String,
    /// The mapped device.
    pub mapping: Mapping,
    /// The dm-integrity device below it; none for a volume without integrity.
    pub below: Option<Mapping>,
    /// The part of its disk that it lies on; none where it has the whole disk.
    pub partition: Option<Mapping>,
    /// The encrypted device below, `/dev/mapper/vdb2`.
    pub device: String,
    /// UUID of its LUKS header.
    pub uuid: String,
    /// How often its record was written; none where it has none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub generation: Option<u64>,
    /// Key slots of its LUKS header.
    pub key_slots: usize,
    /// SHA-256 of its record ([`crate::volumes::record`]), hexadecimal; none where it has none.
    pub record: Option<String>,
}

/// Flags of a mount that decide what can be done through it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Flags {
    /// Read-only.
    pub read_only: bool,
    /// Set-user-id bits have no effect.
    pub nosuid: bool,
    /// Device nodes have no effect.
    pub nodev: bool,
    /// Nothing can be executed.
    pub noexec: bool,
}

/// What ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Subject {
    /// The contract: the certificate in `env.signingKey`.
    Contract,
    /// The client certificate for the log server.
    LogClient,
    /// The authority of the log server.
    LogAuthority,
    /// The certificate to which contracts for this image are sealed.
    Image,
}

/// The end of something that is valid for a time.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Expiry {
    /// What ends.
    pub subject: Subject,
    /// SHA-256 fingerprint of the key (contract) or certificate, hexadecimal; empty where none is known.
    pub fingerprint: String,
    /// The last second in which it is valid, since 1970.
    pub not_after: i64,
}
