//! What the volume lab is told and what it answers: the words between the tests and the guest program `volume-lab`.
//!
//! A script is JSON on a disk with the serial number [`SCRIPT`]; each case is answered by one console line that
//! begins with [`PREFIX`]. Says nothing about what is right: cases ask, answers tell, the tests judge.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// Serial number of the disk that carries the script, ended by a NUL.
pub const SCRIPT: &str = "script";
/// Begins the line of an answer.
pub const PREFIX: &str = "lab: ";
/// Begins a line that a boot says while it waits for a disk, said on the console at once.
pub const WAITS: &str = "lab-waits: ";
/// The line after the last answer.
pub const END: &str = "lab-end";
/// Bytes of the sector that a mark takes.
pub const MARK_BYTES: usize = 512;
/// Where a disk is marked: the room that a partition table leaves before the first partition.
pub const MARK_AT: u64 = 512 << 10;
/// The file that [`Act::Workload`] overwrites in place.
pub const COUNTER: &str = "counter";

/// All cases of one guest.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct Script {
    /// PEM text of the image key. Sections travel in the clear, but a guest without a key does not start.
    pub image_key: String,
    /// In order.
    pub cases: Vec<Case>,
}

/// One run of the boot up to its end, with what is done before and after.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct Case {
    /// Name of the answer.
    pub name: String,
    /// Done first.
    pub before: Vec<Act>,
    /// The boot; without one the case is only its acts.
    pub boot: Option<Boot>,
    /// Done when the boot has opened its volumes.
    pub after: Vec<Act>,
}

/// A boot from the contract's disk to the end of the initramfs.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct Boot {
    /// Serial number of the contract's disk.
    pub contract: String,
    /// The disks that this boot sees: serial number of the machine's disk, and the one it is shown with. Two may be
    /// shown with the same.
    pub disks: Vec<(String, String)>,
    /// Milliseconds of each wait for a disk that really go by; then the boot's clock jumps over the rest. 0 for as
    /// few as the lab sees fit.
    pub wait_ms: u64,
    /// The processes that derive keys answer with another key each.
    pub false_keys: bool,
}

/// Something done by hand in the guest. Paths of files and arguments may begin with `{volume}`, the folder of the
/// mounted volumes; arguments may begin with `{disk:SERIAL}`.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub enum Act {
    /// Copies bytes from disk to disk and waits until they are there.
    Copy {
        /// Serial number and offset of the source.
        from: (String, u64),
        /// Serial number and offset of the target.
        to: (String, u64),
        /// Bytes.
        length: u64,
    },
    /// Runs a program to its end.
    Run {
        /// Absolute path, then arguments.
        words: Vec<String>,
        /// Standard input.
        input: String,
    },
    /// Writes a file of the [`pattern`] of its path's last part, and waits until it is on the disk.
    Write {
        /// The file.
        path: String,
        /// Bytes.
        length: usize,
    },
    /// Answers with the digests of the files in a folder that are as [`Act::Write`] leaves them.
    Look {
        /// The folder.
        folder: String,
    },
    /// Loads the kernel modules of a file system, `xfs` or `btrfs`, or those of dm-integrity, `integrity`.
    Load {
        /// The name.
        modules: String,
    },
    /// Opens a disk as scratch space, as the stage `root` does, makes its file system and mounts it.
    Scratch {
        /// Serial number.
        disk: String,
        /// The folder where it is mounted, below `/mnt`.
        at: String,
        /// Without integrity.
        plain: bool,
    },
    /// Says [`WAITS`] with a serial number, and waits until the host attaches that disk.
    Await {
        /// Serial number.
        disk: String,
    },
    /// Marks a disk and waits until the mark is there.
    Mark {
        /// Serial number.
        disk: String,
        /// What the mark says.
        mark: Mark,
    },
    /// Attaches a SCSI disk that is another disk with faults: device mapper's targets over that disk, and the kernel's
    /// SCSI target with a loop back over them. It goes when the case ends.
    Attach {
        /// Serial number of the SCSI disk.
        serial: String,
        /// Serial number of the disk below; nobody else may use it meanwhile.
        disk: String,
        /// What is wrong with it, ascending; the rest is well.
        faults: Vec<Stretch>,
    },
    /// Writes files `0` to `files - 1` one after the other, each waited for; behind each its number over the one in
    /// the file [`COUNTER`], waited for; and behind that [`Mark::File`]. A cut behind the mark *n* must leave the
    /// files up to *n*, and a counter that is not below *n*.
    Workload {
        /// The folder.
        folder: String,
        /// Serial number of the disk that is marked.
        disk: String,
        /// How many.
        files: u32,
        /// Bytes of each.
        length: usize,
    },
}

/// What device mapper makes of a stretch of a disk.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub enum Fault {
    /// Its target `error`: every request fails.
    Error,
    /// Its target `flakey`: well for `up` seconds, then down for `down` seconds, and so on.
    Flakey {
        /// Seconds; with 0 it is down from the start.
        up: u32,
        /// Seconds.
        down: u32,
        /// What happens while it is down, in the target's own words (`drop_writes`); without any every request fails.
        features: Vec<String>,
    },
}

/// A stretch of a disk and what is wrong with it, in bytes that are multiples of 512.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Stretch {
    /// Where it begins.
    pub at: u64,
    /// Bytes.
    pub length: u64,
    /// What is wrong.
    pub fault: Fault,
}

/// How far a case had come, said by a sector of its disk; later ones are greater.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Mark {
    /// The disk is as the boot shall find it.
    Prepared,
    /// The boot has ended: the volume is the workload's.
    Open,
    /// The workload's file of this number is on the disk.
    File(u32),
}

impl Mark {
    /// The sector.
    ///
    /// # Errors
    /// None that a mark can have; those of the encoder.
    pub fn sector(self) -> serde_json::Result<Vec<u8>> {
        let mut sector = serde_json::to_vec(&("countersign volume lab", self))?;
        sector.resize(MARK_BYTES, 0);
        Ok(sector)
    }

    /// The mark that stands at the start of these bytes.
    #[must_use]
    pub fn read(bytes: &[u8]) -> Option<Mark> {
        let end = bytes.iter().position(|byte| *byte == 0)?;
        let (_, mark): (String, Mark) = serde_json::from_slice(&bytes[..end]).ok()?;
        Some(mark)
    }
}

/// What came of a case.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct Answer {
    /// Name of the case.
    pub name: String,
    /// What kept the lab itself from doing the case.
    pub trouble: Option<String>,
    /// Message code of the refusal; none when the boot went through.
    pub code: Option<String>,
    /// Stage of the refusal.
    pub stage: Option<String>,
    /// Everything that the boot said, console order.
    pub lines: Vec<String>,
    /// From the start of `unlock` to its end or to the refusal, milliseconds.
    pub unlock_ms: u64,
    /// How often a header was tried with a passphrase: a key derivation each.
    pub derivations: u32,
    /// How often a header was made.
    pub formats: u32,
    /// Sectors written to each disk while the boot ran, by the machine's serial number.
    pub written: BTreeMap<String, u64>,
    /// Mapped devices there were when the boot had ended.
    pub mapped: Vec<String>,
    /// Whole files found by [`Act::Look`], by name, with their length.
    pub files: BTreeMap<String, usize>,
    /// Files found by [`Act::Look`] that are not as they were written.
    pub broken: Vec<String>,
    /// What stands in the file [`COUNTER`] that [`Act::Look`] found.
    pub counter: Option<u32>,
    /// Those of them that could not be read.
    pub unreadable: Vec<String>,
    /// Output of each program, standard error included.
    pub output: Vec<String>,
}

/// The bytes of a file called `name`: nothing that compresses or repeats, the same everywhere.
#[must_use]
pub fn pattern(name: &str, length: usize) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(length + 32);
    let mut block = openssl::sha::sha256(name.as_bytes());
    while bytes.len() < length {
        bytes.extend_from_slice(&block);
        block = openssl::sha::sha256(&block);
    }
    bytes.truncate(length);
    bytes
}
