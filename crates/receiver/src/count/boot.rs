//! One boot of a guest, as its records tell it.

use std::collections::BTreeSet;
use std::hash::{DefaultHasher, Hash, Hasher};

use countersign_plan::report::stage::Stage;
use serde::Serialize;

use super::checks::Checks;
use super::notice::Notice;
use super::numbers::{Met, Numbers};
use crate::entry::Entry;
use crate::text::{code, tame};
use crate::timeline::{Assembler, State, Timeline};

/// Names of containers that are kept.
const CONTAINERS: usize = 64;
/// Warnings and errors that are kept.
const WARNINGS: usize = 64;

/// Errors about the contract, its keys, and disks: those of a boot that has no log yet.
const BEFORE_THE_LOG: [&str; 4] = ["HPL02", "HPL05", "HPL07", "HPL12"];
/// Errors about the log server, the network, images and pods: those of a boot whose workload does not run yet.
const BEFORE_THE_WORKLOAD: [&str; 4] = ["HPL01", "HPL03", "HPL06", "HPL15"];

/// How far a boot is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Outcome {
    /// It goes on.
    Starting,
    /// The workload runs.
    Running,
    /// It failed.
    Failed,
}

/// A warning or an error that the guest said.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Said {
    /// When, milliseconds since 1970.
    pub at: i64,
    /// Its code.
    pub code: String,
    /// Its text.
    pub text: String,
}

/// A boot.
#[derive(Debug)]
pub struct Boot {
    /// Its number in the log, from 1.
    pub id: usize,
    /// When its first record came, milliseconds since 1970.
    pub began: i64,
    /// When its last record came.
    pub last: i64,
    /// Records in all.
    pub records: u64,
    /// Their numbers.
    pub numbers: Numbers,
    /// Its checks.
    pub checks: Checks,
    /// SHA-256 of its contract.
    pub contract: String,
    /// SHA-256 of its signer's key.
    pub signer: String,
    /// How far it is.
    pub outcome: Outcome,
    /// The first error, where it failed.
    pub cause: Option<Said>,
    /// Warnings and errors.
    pub warnings: Vec<Said>,
    /// Names of its containers.
    pub containers: BTreeSet<String>,
    /// Lines that look like the guest's own and are not.
    pub imitations: u64,
    stages: Assembler,
    /// Whether it began with the record that tries the log server.
    probed: bool,
    /// The first error without a number: the report of a failed boot comes that way, all of it with one time.
    reported: Option<Said>,
    /// The last error with one.
    error: Option<Said>,
    ended: bool,
    silent: bool,
}

impl Boot {
    /// One that begins with this record.
    pub(super) fn new(id: usize, entry: &Entry, now: i64) -> Boot {
        Boot {
            id,
            began: now,
            last: now,
            records: 0,
            numbers: Numbers::default(),
            checks: Checks::default(),
            contract: String::new(),
            signer: String::new(),
            outcome: Outcome::Starting,
            cause: None,
            warnings: Vec::new(),
            containers: BTreeSet::new(),
            imitations: 0,
            stages: Assembler::default(),
            probed: entry.is_probe(),
            reported: None,
            error: None,
            ended: false,
            silent: false,
        }
    }

    /// Its stages, as far as it is.
    pub fn timeline(&self) -> Timeline {
        self.stages.so_far()
    }

    /// Whether nothing came when a check was due.
    pub fn is_silent(&self) -> bool {
        self.silent
    }

    /// Whether this record is of another boot.
    pub(super) fn is_over_before(&self, entry: &Entry, tells: bool) -> bool {
        if let Some(number) = entry.number {
            // Numbers begin again; anything else under a number that was taken is told.
            let begins =
                number == 1 && (self.numbers.is_taken(number, digest(entry)) || self.numbers.is_past(number));
            return begins || self.begins_again(entry, tells);
        }
        if !entry.is_guest(tells) {
            return false;
        }
        if entry.is_probe() {
            // Sent again, where the first one's end was not seen.
            return self.numbers.records > 0 || self.ended;
        }
        // The report of a failed boot, after that of another.
        if self.ended && entry.severity.is_none_or(|severity| severity <= 3) && entry.origin.is_some() {
            return self.reported.as_ref().is_some_and(|report| Some(report.at) != entry.time);
        }
        self.is_reported_by_another(entry) || self.begins_again(entry, tells)
    }

    /// Whether the first line of a failed boot's report, which has no number, is of another boot than this one, whose records
    /// have some: it tells another contract or signer, or what a boot that got this far has behind it. The power may have
    /// been cut, and the next boot may fail before it has a log of its own. Where nothing tells them apart, the report is
    /// this boot's: it then has a cause too many, and no boot is made up.
    fn is_reported_by_another(&self, entry: &Entry) -> bool {
        let error = entry.origin.is_some() && entry.severity.is_none_or(|severity| severity <= 3);
        if !error || self.numbers.records == 0 || self.reported.is_some() {
            return false;
        }
        let differs = |known: &str, told: &str| !known.is_empty() && !told.is_empty() && known != tame(told);
        if differs(&self.contract, &entry.contract) || differs(&self.signer, &entry.signer) {
            return true;
        }
        let begins = |begins: &[&str]| begins.iter().any(|begin| entry.code.starts_with(begin));
        match self.outcome {
            // What runs can end by a deviation, and by a unit that fails.
            Outcome::Running => begins(&BEFORE_THE_LOG) || begins(&BEFORE_THE_WORKLOAD),
            Outcome::Starting => begins(&BEFORE_THE_LOG),
            Outcome::Failed => false,
        }
    }

    /// The first stage begins, and there have been stages.
    fn begins_again(&self, entry: &Entry, tells: bool) -> bool {
        let first = entry.stage == Stage::Preflight.name() && entry.message.contains("state=start");
        let again = entry.number.is_some_and(|number| self.numbers.last().is_some_and(|last| number <= last));
        first && !again && entry.is_guest(tells) && !self.timeline().stages.is_empty()
    }

    /// Counts a record.
    pub(super) fn record(&mut self, entry: &Entry, now: i64, tells: bool, notices: &mut Vec<Notice>) {
        self.last = now;
        if std::mem::take(&mut self.silent) {
            notices.push(Notice::Speaks);
        }
        if let Some(number) = entry.number {
            match self.numbers.meet(number, digest(entry), self.probed) {
                Met::Next => {}
                Met::Behind(first, last) => notices.push(Notice::Missing { first, last }),
                Met::Found => notices.push(Notice::Found { number }),
                // It was looked at when it came first.
                Met::Repeat => return,
                Met::Taken => notices.push(Notice::Taken { number }),
            }
        }
        self.records += 1;
        self.stages.record(entry, tells);
        if entry.is_imitation() {
            self.imitations += 1;
            let by = if entry.container.is_empty() { &entry.app } else { &entry.container };
            notices.push(Notice::Imitation { by: tame(by) });
        }
        if !entry.container.is_empty() && self.containers.len() < CONTAINERS {
            self.containers.insert(tame(&entry.container));
        }
        if entry.is_guest(tells) {
            self.line(entry, now, notices);
        }
    }

    /// A line of the guest's own.
    fn line(&mut self, entry: &Entry, now: i64, notices: &mut Vec<Notice>) {
        for (kept, told) in [(&mut self.contract, &entry.contract), (&mut self.signer, &entry.signer)] {
            if kept.is_empty() {
                *kept = tame(told);
            }
        }
        notices.extend(self.checks.line(&entry.code, &entry.message, entry.time, now));
        let Some((code, text)) = code(&entry.message) else { return };
        let said = || Said { at: entry.time.unwrap_or(now), code: code.to_owned(), text: tame(text) };
        match code {
            "HPL10001I" if self.outcome == Outcome::Starting => {
                self.outcome = Outcome::Running;
                notices.push(Notice::Started);
            }
            "HPL10000E" if !self.ended => {
                self.ended = true;
                self.outcome = Outcome::Failed;
                let cause = self.reported.clone().or(self.error.clone()).unwrap_or_else(said);
                notices.push(Notice::Failed { code: cause.code.clone() });
                self.cause = Some(cause);
            }
            "HPL10000E" => {}
            _ if code.ends_with('E') => {
                if entry.number.is_some() {
                    self.error = Some(said());
                } else if self.reported.is_none() {
                    self.reported = Some(said());
                    // The journal's own lines of the failure may have come before.
                    self.cause = self.cause.take().map(|_| said());
                }
                self.warn(said());
            }
            _ if code.ends_with('W') => self.warn(said()),
            _ => {}
        }
    }

    fn warn(&mut self, said: Said) {
        let known = |other: &Said| other.code == said.code && other.text == said.text;
        if self.warnings.len() < WARNINGS && !self.warnings.iter().any(known) {
            self.warnings.push(said);
        }
    }

    /// Whether the guest is silent at this time, told once.
    pub(super) fn tick(&mut self, now: i64) -> Option<Notice> {
        let notice = (!self.ended).then(|| self.checks.overdue(now, self.last)).flatten();
        self.silent |= notice.is_some();
        notice
    }

    /// The stage that failed, or the one that it is in.
    pub fn stage(&self) -> Option<Stage> {
        let stages = self.timeline().stages;
        let failed = stages.iter().find(|bar| bar.state == State::Failed);
        failed.or(stages.last()).map(|bar| bar.stage)
    }
}

/// What tells two records apart. Not for an adversary who holds the guest's own key: it could send anything.
fn digest(entry: &Entry) -> u64 {
    let mut hasher = DefaultHasher::new();
    // Some log servers trim messages, and what is stored is read as theirs is.
    let message = entry.message.trim_start_matches('\u{feff}').trim();
    (entry.time, &entry.app, message, &entry.stage, &entry.code, &entry.container).hash(&mut hasher);
    hasher.finish()
}
