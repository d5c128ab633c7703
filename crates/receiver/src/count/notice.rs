//! What is told of a guest beside its records, in words: what happened, why that can be, what to do.

use std::fmt;

use serde::Serialize;

/// Something that the numbers, the checks or the origins of records show.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Notice {
    /// A boot began.
    Began,
    /// Records with these numbers did not come.
    Missing {
        /// The first.
        first: u64,
        /// The last.
        last: u64,
    },
    /// The records that were missing last came after all.
    Found {
        /// The number.
        number: u64,
    },
    /// Another record under a number that was taken.
    Taken {
        /// The number.
        number: u64,
    },
    /// Numbers began again without the first record of a boot.
    Again {
        /// The number from which they go on.
        number: u64,
    },
    /// The checks with these numbers did not come.
    ChecksMissing {
        /// The first.
        first: u64,
        /// The last.
        last: u64,
    },
    /// A check came this many seconds after the one before it.
    CheckLate {
        /// The number.
        number: u64,
        /// Seconds.
        seconds: i64,
    },
    /// Nothing came when a check was due.
    Silent {
        /// The check that was due.
        check: u64,
        /// Minutes since the last record.
        minutes: i64,
    },
    /// A guest that was silent speaks.
    Speaks,
    /// A record that looks like the guest's and is of another origin.
    Imitation {
        /// Who wrote it: the container, or the program.
        by: String,
    },
    /// The boot failed.
    Failed {
        /// Code of the first cause.
        code: String,
    },
    /// The workload runs.
    Started,
}

/// How much it matters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Weight {
    /// For the record.
    Info,
    /// Somebody should look.
    Warning,
    /// Something is wrong.
    Error,
}

impl Notice {
    /// How much it matters.
    pub fn weight(&self) -> Weight {
        match self {
            Notice::Began | Notice::Found { .. } | Notice::Speaks | Notice::Started => Weight::Info,
            Notice::Missing { .. }
            | Notice::Again { .. }
            | Notice::CheckLate { .. }
            | Notice::ChecksMissing { .. }
            | Notice::Imitation { .. } => Weight::Warning,
            Notice::Taken { .. } | Notice::Silent { .. } | Notice::Failed { .. } => Weight::Error,
        }
    }

    /// What to do about it.
    pub fn remedy(&self) -> &'static str {
        match self {
            Notice::Began | Notice::Found { .. } | Notice::Speaks | Notice::Started => "nothing to do",
            Notice::Missing { .. } => {
                "look for HPL01123W in this guest's log: the guest counts what its journal dropped; a gap without it was \
                 made on the way here"
            }
            Notice::Taken { .. } | Notice::Again { .. } => {
                "give each guest a client certificate and a host name of its own; if it has them, somebody else uses its \
                 certificate: have it revoked"
            }
            Notice::ChecksMissing { .. } | Notice::CheckLate { .. } => {
                "look for a gap in the numbers at that time; without one the guest did not check, or the host stopped it \
                 meanwhile"
            }
            Notice::Silent { .. } => {
                "see whether the guest runs and reaches this server; if it was stopped on purpose there is nothing to do"
            }
            Notice::Imitation { .. } => {
                "read the line as what it is, text of a program in the guest; ask the workload provider why it is printed"
            }
            Notice::Failed { .. } => "read the cause, and countersign explain with its code",
        }
    }
}

impl fmt::Display for Notice {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Notice::Began => write!(out, "a boot begins"),
            Notice::Missing { first, last } if first == last => write!(out, "record {first} is missing"),
            Notice::Missing { first, last } => {
                write!(out, "records {first} to {last} are missing: {} in all", last - first + 1)
            }
            Notice::Found { number } => write!(out, "record {number}, which was missing, has come"),
            Notice::Taken { number } => write!(out, "a second, different record has the number {number}"),
            Notice::Again { number } => {
                write!(out, "the numbers go on from {number}, without the beginning of a boot")
            }
            Notice::ChecksMissing { first, last } if first == last => write!(out, "check {first} is missing"),
            Notice::ChecksMissing { first, last } => write!(out, "checks {first} to {last} are missing"),
            Notice::CheckLate { number, seconds } => {
                write!(
                    out,
                    "check {number} came {} minutes after the one before it, and one is due every hour",
                    seconds / 60
                )
            }
            Notice::Silent { check, minutes } => {
                write!(out, "check {check} was due and has not come; nothing has come for {minutes} minutes")
            }
            Notice::Speaks => write!(out, "the guest is heard again"),
            Notice::Imitation { by } => write!(out, "a line of {by} looks like the guest's own and is not"),
            Notice::Failed { code } => write!(out, "the boot failed with {code}"),
            Notice::Started => write!(out, "the workload is started"),
        }
    }
}
