//! What the log server has, what it may have, and when it is asked.
//!
//! Syslog over TLS has no acknowledgement, and TCP's says only that the server's kernel has the bytes. What says that
//! the server's program has read them is the end of a conversation (see the conversation's own code). So records go out
//! in conversations of bounded length: ended in order, all of it counts as sent; broken, all of it is sent again from
//! the journal, under the same numbers.
//!
//! A conversation costs a handshake and some round trips, and what is in one that breaks arrives twice. So its length
//! follows what there is to say: one that fills at once, because much has piled up, doubles the next one's, any other
//! brings it back towards the usual one. One that breaks halves it, so that a server too slow for the usual length still
//! gets on.
//!
//! A server that answers each request makes a conversation of each.
//!
//! Records are numbered as the journal numbers its entries, but a line that came in several entries is one record and
//! takes one number ([`super::lines`]), and so a gap in the numbers of records is a gap in the journal.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::entry::Entry;
use super::lines::Line;

/// The usual length: bytes after which a conversation is ended.
const FIRST_BYTES: usize = 128 << 10;
/// The most: no more than this, and the one frame that passes it, is ever sent in vain at once.
const MOST_BYTES: usize = 1 << 20;
/// The least that breaks leave.
const LEAST_BYTES: usize = 16 << 10;
/// A conversation that is full so soon was filled by what had piled up.
const SOON: Duration = Duration::from_millis(500);
/// Unanswered conversations before one is believed of a server that has never answered.
const UNANSWERED: u8 = 3;
/// A syslog connection is closed this long after its first record, to learn whether the server has read it.
pub const SYSLOG_LONGEST: Duration = Duration::from_secs(60);
/// The same of a request, which holds its records back until it is made.
pub const REQUEST_LONGEST: Duration = Duration::from_secs(1);

/// A position in the journal: behind this entry.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Position {
    /// The entry's cursor; none at the journal's beginning.
    pub cursor: Option<String>,
    /// The entry's number; 0 at the beginning.
    pub number: u64,
    /// The number of the last record up to there.
    pub record: u64,
}

/// `forward.json`: what a forwarder leaves for the next one, and for the daemon.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Forwarded {
    /// All entries up to here are at the log server, but for the parts of lines that have not ended.
    pub confirmed: Position,
    /// Those lines.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub unfinished: Vec<Line>,
    /// When the first of those that wait was made, in seconds since the kernel started.
    pub waiting_since: Option<u64>,
    /// Why the log server does not take them.
    pub reason: Option<String>,
    /// When the first forwarder of this boot began, microseconds since the kernel started: before anything of the
    /// workload.
    #[serde(default)]
    pub began: u64,
}

/// What is known of the log server's side.
#[derive(Debug)]
pub struct Ledger {
    confirmed: Position,
    /// Behind the last entry that was read.
    read: Position,
    /// The furthest that was ever read.
    furthest: Position,
    /// Entries up to this number are not missed again.
    missed: u64,
    /// The number before the first entry that was sent while nothing was confirmed.
    origin: Option<u64>,
    longest: Duration,
    bytes: usize,
    limit: usize,
    /// Whether the conversation was full soon.
    soon: bool,
    /// Whether the server has ever answered a goodbye.
    answers: bool,
    /// Conversations that it let us close.
    unanswered: u8,
    /// Uptime at the first record of the conversation, and when that record was made.
    begun: Option<(Duration, u64)>,
}

impl Ledger {
    /// Goes on behind a position; no conversation lasts longer.
    pub fn new(confirmed: Position, longest: Duration) -> Ledger {
        Ledger {
            read: confirmed.clone(),
            furthest: confirmed.clone(),
            confirmed,
            longest,
            missed: 0,
            origin: None,
            bytes: 0,
            limit: FIRST_BYTES,
            soon: false,
            answers: false,
            unanswered: 0,
            begun: None,
        }
    }

    /// How many entries are missing between the one before it and this one, which comes next.
    pub fn gap(&self, entry: &Entry) -> u64 {
        (self.number(entry) - 1).saturating_sub(self.known(entry))
    }

    /// An entry was read. Returns how many are missing before it, each counted once however often it is missed; what
    /// was sent in vain and is gone from the journal when it ought to be sent again is missing too.
    pub fn note_read(&mut self, entry: &Entry) -> u64 {
        let (number, known, gap) = (self.number(entry), self.known(entry), self.gap(entry));
        if self.read.cursor.is_none() {
            self.origin = Some(known);
        }
        let before = number - 1;
        let missing = before.saturating_sub(self.missed.max(known));
        if missing > 0 {
            self.missed = before;
        }
        let (read, furthest) = (&mut self.read, &self.furthest);
        // Which of the entries that are gone made one record cannot be told any more: no number is taken twice.
        let joined = furthest.number + read.record != furthest.record + read.number;
        read.record += before.saturating_sub(read.number);
        if gap > 0 && number <= furthest.number && joined {
            read.record = read.record.max(furthest.record);
        }
        read.number = number;
        read.cursor = Some(entry.cursor.clone());
        missing
    }

    /// The number of an entry that comes next: the journal's own, else one more than the last one's.
    fn number(&self, entry: &Entry) -> u64 {
        entry.number.unwrap_or(self.read.number + 1).max(1)
    }

    /// The number up to which entries are accounted for.
    fn known(&self, next: &Entry) -> u64 {
        match self.read.cursor {
            // What was before the very first entry is not known; as long as nothing is confirmed it is sent again.
            None => self.origin.unwrap_or(self.number(next) - 1),
            Some(_) => self.read.number,
        }
    }

    /// The number of the next record.
    pub fn next_record(&mut self) -> u64 {
        self.read.record += 1;
        self.read.record
    }

    /// The record is on its way, in a frame of so many bytes, at this uptime; it was made that long after the kernel
    /// had started, in microseconds.
    pub fn note_sent(&mut self, made: u64, bytes: usize, uptime: Duration) {
        self.bytes += bytes;
        let (begun, _) = *self.begun.get_or_insert((uptime, made / 1_000_000));
        self.soon = self.bytes >= self.limit && uptime.saturating_sub(begun) < SOON;
    }

    /// How long the conversation may go on at this uptime; `None` while nothing has been sent.
    pub fn left(&self, uptime: Duration) -> Option<Duration> {
        let (begun, _) = self.begun?;
        if self.bytes >= self.limit {
            return Some(Duration::ZERO);
        }
        Some((begun + self.longest).saturating_sub(uptime))
    }

    /// The conversation ended in order; `answered` if the server answered our goodbye. Whether that counts: from a server
    /// that has ever answered, nothing else does; from one that never has, the third time, since it may be a server
    /// without close_notify.
    pub fn confirm(&mut self, answered: bool) -> bool {
        self.answers |= answered;
        if !answered {
            self.unanswered = self.unanswered.saturating_add(1);
            if self.answers || self.unanswered < UNANSWERED {
                return false;
            }
        }
        self.confirmed = self.read.clone();
        self.limit = match self.soon {
            true => (self.limit * 2).min(MOST_BYTES),
            false => self.limit.min(FIRST_BYTES.max(self.limit / 2)),
        };
        (self.bytes, self.begun) = (0, None);
        true
    }

    /// Whether the server is one that answers a goodbye, however long that takes.
    pub fn answers(&self) -> bool {
        self.answers
    }

    /// The conversation broke; one that never began tells nothing about the server.
    pub fn lose(&mut self, began: bool) {
        if self.read.number > self.furthest.number {
            self.furthest = self.read.clone();
        }
        self.read = self.confirmed.clone();
        if began {
            self.limit = (self.limit / 2).max(LEAST_BYTES);
        }
        (self.bytes, self.begun) = (0, None);
    }

    /// Behind the last entry that the server has.
    pub fn confirmed(&self) -> &Position {
        &self.confirmed
    }

    /// Behind the last entry that was read.
    pub fn read_to(&self) -> &Position {
        &self.read
    }

    /// When the first record on its way was made, in seconds since the kernel started.
    pub fn waiting_since(&self) -> Option<u64> {
        self.begun.map(|(_, made)| made)
    }
}

#[cfg(test)]
mod tests;
