//! The daemon's clockwork.

use std::time::Duration;

/// Why the daemon goes on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wake {
    /// The time is over.
    Due,
    /// Somebody asks for a check.
    Demanded,
    /// The daemon has to end.
    Ended,
}

/// The daemon's clockwork: waits, and tells the service manager that it lives.
pub trait Alarm {
    /// The first check is over.
    fn ready(&mut self);
    /// One line for people who look at the unit.
    fn status(&mut self, text: &str);
    /// Whether a line of the journal would be noticed that asks for a check.
    fn hears(&self) -> bool;
    /// Waits for the time or for somebody.
    fn wait(&mut self, time: Duration) -> Wake;
}
