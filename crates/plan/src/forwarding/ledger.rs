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

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::entry::Entry;

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
/// Time after its first record after which a conversation of syslog is ended, that the server may be asked.
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
}

/// `forward.json`: what a forwarder leaves for the next one, and for the daemon.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Forwarded {
    /// All entries up to here are at the log server.
    pub confirmed: Position,
    /// When the first of those that wait was made, in seconds since the kernel started.
    pub waiting_since: Option<u64>,
    /// Why the log server does not take them.
    pub reason: Option<String>,
}

/// What is known of the log server's side.
#[derive(Debug)]
pub struct Ledger {
    confirmed: Position,
    sent: Position,
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
            sent: confirmed.clone(),
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

    /// The number of an entry that comes next: the journal's own, else one more than the last one's.
    pub fn number(&self, entry: &Entry) -> u64 {
        entry.number.unwrap_or(self.sent.number + 1)
    }

    /// An entry is on its way, in a frame of so many bytes, at this uptime. Returns how many entries are missing between
    /// the one before it and this one, each counted once however often it is missed; what was sent in vain and is gone
    /// from the journal when it ought to be sent again is missing too.
    pub fn send(&mut self, entry: Entry, bytes: usize, uptime: Duration) -> u64 {
        let number = self.number(&entry);
        let before = number.saturating_sub(1);
        let known = match self.sent.cursor {
            // What was before the very first entry is not known; as long as nothing is confirmed it is sent again.
            None => *self.origin.get_or_insert(before),
            Some(_) => self.sent.number,
        };
        let missing = before.saturating_sub(self.missed.max(known));
        if missing > 0 {
            self.missed = before;
        }
        self.sent = Position { cursor: Some(entry.cursor), number };
        self.bytes += bytes;
        let (begun, _) = *self.begun.get_or_insert((uptime, entry.monotonic / 1_000_000));
        self.soon = self.bytes >= self.limit && uptime.saturating_sub(begun) < SOON;
        missing
    }

    /// How long the conversation may go on at this uptime; nothing has been sent where there is none.
    pub fn left(&self, uptime: Duration) -> Option<Duration> {
        let (begun, _) = self.begun?;
        if self.bytes >= self.limit {
            return Some(Duration::ZERO);
        }
        Some((begun + self.longest).saturating_sub(uptime))
    }

    /// The conversation ended in order; `answered` if the server answered our goodbye. Whether that counts: from a server
    /// that has ever answered, nothing else does; from one that never has, the third time, since it may be one that
    /// takes no goodbye.
    pub fn confirm(&mut self, answered: bool) -> bool {
        self.answers |= answered;
        if !answered {
            self.unanswered = self.unanswered.saturating_add(1);
            if self.answers || self.unanswered < UNANSWERED {
                return false;
            }
        }
        self.confirmed = self.sent.clone();
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
        self.sent = self.confirmed.clone();
        if began {
            self.limit = (self.limit / 2).max(LEAST_BYTES);
        }
        (self.bytes, self.begun) = (0, None);
    }

    /// Behind the last entry that the server has.
    pub fn confirmed(&self) -> &Position {
        &self.confirmed
    }

    /// Behind the last entry that is on its way.
    pub fn sent(&self) -> &Position {
        &self.sent
    }

    /// When the first entry on its way was made, in seconds since the kernel started.
    pub fn waiting_since(&self) -> Option<u64> {
        self.begun.map(|(_, made)| made)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(number: impl Into<Option<u64>>) -> Entry {
        let number = number.into();
        let cursor = format!("c{}", number.unwrap_or_default());
        Entry { cursor, number, monotonic: 7_500_000, ..Entry::default() }
    }

    fn at(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    fn position(number: u64) -> Position {
        Position { cursor: Some(format!("c{number}")), number }
    }

    #[test]
    fn what_was_sent_counts_once_the_conversation_ended_and_is_sent_again_when_it_broke() {
        let mut ledger = Ledger::new(Position::default(), SYSLOG_LONGEST);
        assert_eq!(ledger.left(at(5)), None);
        ledger.send(entry(500), 10, at(5));
        ledger.send(entry(501), 10, at(6));
        assert_eq!((ledger.confirmed(), ledger.sent()), (&Position::default(), &position(501)));
        assert_eq!((ledger.left(at(20)), ledger.waiting_since()), (Some(at(45)), Some(7)));
        assert!(ledger.confirm(true));
        assert_eq!(
            (ledger.confirmed(), ledger.left(at(99)), ledger.waiting_since()),
            (&position(501), None, None)
        );
        ledger.send(entry(502), 10, at(100));
        ledger.lose(true);
        assert_eq!((ledger.sent(), ledger.left(at(100))), (&position(501), None));
        assert_eq!(ledger.number(&entry(502)), 502);
    }

    #[test]
    fn what_is_gone_before_anything_was_confirmed_is_missing_too() {
        let mut ledger = Ledger::new(Position::default(), SYSLOG_LONGEST);
        assert_eq!(ledger.send(entry(500), 10, at(5)), 0);
        assert_eq!(ledger.send(entry(501), 10, at(5)), 0);
        ledger.lose(true);
        // 500 and 501 among them, which may never have arrived; told once.
        assert_eq!(ledger.send(entry(700), 10, at(6)), 200);
        ledger.lose(true);
        assert_eq!(ledger.send(entry(710), 10, at(7)), 10);
    }

    #[test]
    fn a_conversation_ends_after_its_time_or_its_bytes() {
        let mut ledger = Ledger::new(Position::default(), SYSLOG_LONGEST);
        ledger.send(entry(1), 10, at(5));
        assert_eq!(ledger.left(at(64)), Some(at(1)));
        assert_eq!(ledger.left(at(66)), Some(at(0)));
        ledger.send(entry(2), FIRST_BYTES - 11, at(6));
        assert_eq!(ledger.left(at(6)), Some(at(59)));
        ledger.send(entry(3), 1, at(6));
        assert_eq!(ledger.left(at(6)), Some(at(0)));
    }

    /// KiB that fit into the next conversation, when a KiB comes each so many milliseconds.
    fn limit(ledger: &mut Ledger, pace: u64) -> u64 {
        let mut count = 0;
        let now = |count| Duration::from_millis(count * pace);
        while ledger.left(now(count)) != Some(at(0)) {
            ledger.send(entry(None), 1 << 10, now(count));
            count += 1;
        }
        count
    }

    #[test]
    fn conversations_that_fill_at_once_become_longer_until_others_do_not() {
        let mut ledger = Ledger::new(Position::default(), SYSLOG_LONGEST);
        let mut limits = Vec::new();
        for pace in [0, 0, 0, 0, 1, 5, 5, 5, 5] {
            limits.push(limit(&mut ledger, pace));
            assert!(ledger.confirm(true));
        }
        assert_eq!(limits, [128, 256, 512, 1024, 1024, 512, 256, 128, 128]);
        // At 250 KiB a second they have about that much.
        let mut ledger = Ledger::new(Position::default(), SYSLOG_LONGEST);
        for expected in [128, 128, 128] {
            assert_eq!(limit(&mut ledger, 4), expected);
            assert!(ledger.confirm(true));
        }
    }

    #[test]
    fn conversations_that_break_become_shorter() {
        let mut ledger = Ledger::new(Position::default(), SYSLOG_LONGEST);
        let mut limits = Vec::new();
        for _ in 0..5 {
            limits.push(limit(&mut ledger, 4));
            ledger.lose(true);
        }
        assert_eq!(limits, [128, 64, 32, 16, 16]);
        ledger.lose(false);
        assert_eq!(limit(&mut ledger, 4), 16);
        let mut ledger = Ledger::new(Position::default(), SYSLOG_LONGEST);
        ledger.lose(false);
        assert_eq!(limit(&mut ledger, 4), 128, "one that never began tells nothing");
    }

    #[test]
    fn a_goodbye_that_is_not_answered_counts_from_a_server_that_never_answers() {
        let mut ledger = Ledger::new(Position::default(), SYSLOG_LONGEST);
        let once = |ledger: &mut Ledger, answered| {
            ledger.send(entry(1), 1, at(0));
            let counts = ledger.confirm(answered);
            if !counts {
                ledger.lose(true);
            }
            counts
        };
        assert_eq!([false; 4].map(|answered| once(&mut ledger, answered)), [false, false, true, true]);
        assert!(!ledger.answers());
        assert!(once(&mut ledger, true) && ledger.answers());
        assert_eq!([false; 4].map(|answered| once(&mut ledger, answered)), [false; 4]);
    }

    #[test]
    fn missing_entries_are_counted_once() {
        let mut ledger = Ledger::new(Position::default(), SYSLOG_LONGEST);
        let send = |ledger: &mut Ledger, number: u64| ledger.send(entry(number), 1, at(0));
        assert_eq!(send(&mut ledger, 500), 0, "nothing is known of what was before");
        assert_eq!(send(&mut ledger, 501), 0);
        assert_eq!(send(&mut ledger, 510), 8);
        assert_eq!(send(&mut ledger, 511), 0);
        ledger.lose(true);
        assert_eq!(send(&mut ledger, 501), 0);
        assert_eq!(send(&mut ledger, 510), 0, "the same hole");
        assert!(ledger.confirm(true));
        send(&mut ledger, 511);
        send(&mut ledger, 512);
        ledger.lose(true);
        assert_eq!(send(&mut ledger, 520), 9, "511 and 512 were sent in vain and are gone");
    }

    #[test]
    fn an_entry_without_number_follows_the_one_before() {
        let mut ledger = Ledger::new(position(7), SYSLOG_LONGEST);
        assert_eq!(ledger.number(&entry(None)), 8);
        assert_eq!(ledger.send(entry(None), 1, at(0)), 0);
        assert_eq!(ledger.number(&entry(None)), 9);
        ledger.lose(true);
        assert_eq!(ledger.number(&entry(None)), 8);
    }
}
