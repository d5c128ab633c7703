//! What a log says of its guests when it is counted: boots, missing records, missing checks, imitations.
//!
//! A guest is a client certificate and a host name, and the latter is the host's choice: two guests with one
//! certificate and one name look like one whose numbers jump, which is told. A boot begins with the record that tries
//! the log server ([`crate::entry::PROBE`]), with the first stage when there is one already, or where the numbers begin
//! again. The same code counts what comes over TLS and what other programs stored.
//!
//! Pure: time is an argument, what follows from a record is returned ([`Notice`]). Memory is bounded by [`GUESTS`],
//! [`BOOTS`] and the bounds of the parts.

pub mod boot;
pub mod checks;
pub mod notice;
pub mod numbers;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, VecDeque};

use crate::entry::Entry;
use boot::Boot;
use notice::Notice;

/// Guests that are known at once; beyond them the one that was silent longest is forgotten.
pub const GUESTS: usize = 256;
/// Boots of one guest that are known; the oldest goes first.
pub const BOOTS: usize = 8;

/// Who a guest is.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Guest {
    /// SHA-256 of its client certificate; empty where a log does not say.
    pub client: String,
    /// Its host name.
    pub host: String,
}

/// A notice with the boot that it is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Told {
    /// Number of the boot in this log, from 1.
    pub boot: usize,
    /// The guest's host name.
    pub host: String,
    /// What is to be told.
    pub notice: Notice,
}

/// All guests of a log.
#[derive(Debug, Default)]
pub struct Guests {
    boots: BTreeMap<Guest, VecDeque<Boot>>,
    /// Boots so far.
    count: usize,
    /// Whether any record told an origin; then those that tell none are nobody's.
    tells: bool,
}

impl Guests {
    /// Of a log in which records tell their origin, or do not (a console; a log server that dropped it).
    pub fn new(tells: bool) -> Guests {
        Guests { tells, ..Guests::default() }
    }

    /// Counts a record that was taken at this time, milliseconds since 1970, and says what is to be told of it. The
    /// number is that of its boot.
    pub fn record(&mut self, entry: &Entry, now: i64) -> (usize, Vec<Told>) {
        let guest = Guest { client: entry.client.clone(), host: entry.host.clone() };
        self.make_room(&guest);
        let boots = self.boots.entry(guest).or_default();
        let mut notices = Vec::new();
        let first = boots.is_empty();
        let begins = match boots.back() {
            None => true,
            Some(boot) => boot.is_over_before(entry, self.tells),
        };
        if begins {
            self.count += 1;
            if boots.len() == BOOTS {
                boots.pop_front();
            }
            boots.push_back(Boot::new(self.count, entry, now));
            notices.push(Notice::Began);
            if let (Some(number @ 1), false) = (entry.number, first) {
                notices.push(Notice::Again { number });
            }
        }
        let Some(boot) = boots.back_mut() else { return (0, Vec::new()) };
        boot.record(entry, now, self.tells, &mut notices);
        (boot.id, told(boot.id, &entry.host, notices))
    }

    /// What is to be told because nothing came: guests that are silent at this time.
    pub fn tick(&mut self, now: i64) -> Vec<Told> {
        let mut all = Vec::new();
        for (guest, boots) in &mut self.boots {
            if let Some(boot) = boots.back_mut()
                && let Some(notice) = boot.tick(now)
            {
                all.extend(told(boot.id, &guest.host, vec![notice]));
            }
        }
        all
    }

    /// All boots that are known, in the order in which they began.
    pub fn boots(&self) -> Vec<(&Guest, &Boot)> {
        let mut all: Vec<_> = self
            .boots
            .iter()
            .flat_map(|(guest, boots)| boots.iter().map(move |boot| (guest, boot)))
            .collect();
        all.sort_by_key(|(_, boot)| boot.id);
        all
    }

    /// Forgets a guest where another one comes and there are too many.
    fn make_room(&mut self, guest: &Guest) {
        if self.boots.len() < GUESTS || self.boots.contains_key(guest) {
            return;
        }
        let last = |boots: &VecDeque<Boot>| boots.back().map(|boot| boot.last);
        let oldest = self.boots.iter().min_by_key(|(_, boots)| last(boots)).map(|(guest, _)| guest.clone());
        if let Some(oldest) = oldest {
            self.boots.remove(&oldest);
        }
    }
}

fn told(boot: usize, host: &str, notices: Vec<Notice>) -> Vec<Told> {
    notices.into_iter().map(|notice| Told { boot, host: host.to_owned(), notice }).collect()
}
