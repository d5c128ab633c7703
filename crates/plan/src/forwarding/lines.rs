//! Lines of containers that come in several entries become one again.
//!
//! podman's conmon reads a container's output through a buffer of 8 KiB. A line that does not fit comes in parts, each an
//! entry of its own; all but the last carry `CONTAINER_PARTIAL_MESSAGE=true`. What stands in the buffer when the
//! output ends carries it too, and nothing follows. Output and errors are two streams with a severity each, and each
//! start of a container has a conmon of its own (seen in conmon 2.1, `src/ctr_logging.c`).
//!
//! Parts are held until their line is whole; nobody else's entries wait for that. A line goes out unfinished
//!
//! - when its next part would make it longer than a message may be: that one begins the next record, so that nothing is
//!   left out of a line of any length;
//! - when nothing of it has come for [`PAUSE`], by the journal's timestamps, whichever container's entry shows it;
//! - when its container was started again, or entries are missing: they may be its own;
//! - when more is held than [`LINES`] or [`BYTES`]: the oldest one.
//!
//! All of that follows from what the journal holds, so a line that is read again is the same record. A journal that is
//! silent is handled by the caller.

use serde::{Deserialize, Serialize};

use super::entry::{Entry, MESSAGE_BYTES};

/// The longest time between two parts of a line, in microseconds. Parts follow each other at once, but journald may stand
/// still in between: for more than two seconds while it changed its file, on a busy emulated machine.
pub const PAUSE: u64 = 10_000_000;
/// The most lines that are held.
pub const LINES: usize = 64;
/// The most bytes of their messages.
pub const BYTES: usize = 512 << 10;

/// A line of which the end is missing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Line {
    /// Its first part, with the messages of all of them.
    entry: Entry,
    /// When its last part was made, microseconds since the kernel started.
    last: u64,
}

impl Line {
    fn goes_on_in(&self, next: &Entry) -> bool {
        let line = &self.entry;
        (&line.container_id, line.severity, &line.writer) == (&next.container_id, next.severity, &next.writer)
    }

    fn ends_before(&self, next: &Entry) -> bool {
        let restarted = self.entry.container_id == next.container_id && self.entry.writer != next.writer;
        let full =
            self.goes_on_in(next) && self.entry.message_length + text_length(next) > MESSAGE_BYTES as u64;
        restarted || full || next.monotonic.saturating_sub(self.last) > PAUSE
    }
}

/// Bytes of a message without the line feed at its end.
fn text_length(entry: &Entry) -> u64 {
    entry.message_length - u64::from(ends_with_line_feed(entry))
}

fn ends_with_line_feed(entry: &Entry) -> bool {
    entry.message_length == entry.message.len() as u64 && entry.message.ends_with(b"\n")
}

/// Whether an entry is a part, other than the last, of a container's line.
fn is_part(entry: &Entry) -> bool {
    entry.partial && !entry.container_id.is_empty()
}

/// The lines that are held, the oldest first.
#[derive(Debug, Default)]
pub struct Lines {
    held: Vec<Line>,
}

impl Lines {
    /// Goes on with lines that were held before.
    pub fn new(held: Vec<Line>) -> Lines {
        Lines { held }
    }

    /// What is held.
    pub fn held(&self) -> &[Line] {
        &self.held
    }

    /// A line that ends unfinished because this entry comes next, with a gap before it or without. To be asked until
    /// there is none, and then [`Lines::join`].
    pub fn ended_before(&mut self, next: &Entry, gap: bool) -> Option<Entry> {
        let ended = self.held.iter().position(|line| gap || line.ends_before(next));
        ended.or_else(|| self.crowded_by(next).then_some(0)).map(|place| self.held.remove(place).entry)
    }

    /// Whether there is no room to hold an entry.
    fn crowded_by(&self, next: &Entry) -> bool {
        let bytes: usize = self.held.iter().map(|line| line.entry.message.len()).sum();
        let begins = !self.held.iter().any(|line| line.goes_on_in(next));
        let full = (begins && self.held.len() >= LINES) || bytes + next.message.len() > BYTES;
        is_part(next) && full && !self.held.is_empty()
    }

    /// The record that an entry completes: itself, or the line of which it is the last part. None if it is held.
    pub fn join(&mut self, mut entry: Entry) -> Option<Entry> {
        let place = self.held.iter().position(|line| line.goes_on_in(&entry));
        match place {
            Some(place) => {
                if ends_with_line_feed(&entry) {
                    entry.message.pop();
                    entry.message_length -= 1;
                }
                let line = &mut self.held[place];
                line.entry.message.extend_from_slice(&entry.message);
                line.entry.message_length += entry.message_length;
                line.last = entry.monotonic;
                (!is_part(&entry)).then(|| self.held.remove(place).entry)
            }
            None if is_part(&entry) => {
                self.held.push(Line { last: entry.monotonic, entry });
                None
            }
            None => Some(entry),
        }
    }

    /// The oldest line, because nothing more is to come.
    pub fn give_up(&mut self) -> Option<Entry> {
        (!self.held.is_empty()).then(|| self.held.remove(0).entry)
    }
}

#[cfg(test)]
mod tests;
