//! The forwarder's two ends: the journal and the log server.

use std::time::Duration;

use super::{ConnectionError, LogTarget};
use crate::error::Result;

/// How the journal is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reading {
    /// Entries that will be written are waited for.
    Following,
    /// It ends with the last entry that is there.
    ToTheEnd,
}

/// What the forwarder has waited for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Arrival {
    /// So many bytes of the journal.
    Journal(usize),
    /// The journal has been read to its end, or, for this reason, can be read no further.
    EndOfJournal(Option<String>),
    /// The log server has ended the conversation, for this reason if it gave one.
    HungUp(ConnectionError),
    /// The time is over.
    Due,
    /// The forwarder has to end.
    Ended,
}

/// How a conversation with the log server ended in order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ending {
    /// The server answered our goodbye: its program has read everything.
    Answered,
    /// It did not, and closed when our half of the connection was closed: so does a server without close_notify, and a
    /// connection whose peer has vanished.
    Closed,
}

/// The forwarder's two ends, and its words to the service manager. At most one journal is open and one conversation
/// going on.
pub trait Forwarder {
    /// Opens the journal behind the entry with this cursor, or at its beginning; its bytes are those of
    /// `journalctl --output=export`, with these fields.
    fn open_journal(&mut self, after: Option<&str>, reading: Reading, fields: &str) -> Result<()>;
    /// Closes the journal, if it is open.
    fn close_journal(&mut self);
    /// Begins a conversation with the log server, which may take this long.
    fn connect(&mut self, target: &LogTarget, timeout: Duration) -> std::result::Result<(), ConnectionError>;
    /// Hands bytes over; returns when the kernel has taken them, which may take this long.
    fn send(&mut self, bytes: &[u8], timeout: Duration) -> std::result::Result<(), ConnectionError>;
    /// Ends the conversation, which may take this long. Our half of the connection stays open until the server has
    /// closed its own, or `patience` is over.
    fn finish(
        &mut self,
        timeout: Duration,
        patience: Option<Duration>,
    ) -> std::result::Result<Ending, ConnectionError>;
    /// Breaks the conversation off, if there is one.
    fn disconnect(&mut self);
    /// Waits for whatever comes first; bytes of the journal go to `buffer`.
    fn wait(&mut self, buffer: &mut [u8], time: Duration) -> Arrival;
    /// Forwarding has begun.
    fn ready(&mut self);
    /// One line for people who look at the unit.
    fn status(&mut self, text: &str);
}
