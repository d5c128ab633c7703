//! What time it is.

use std::time::Duration;

/// The two clocks.
pub trait Clock {
    /// Seconds since 1970-01-01T00:00:00Z by the guest's clock, which the host can set.
    fn unix_time(&self) -> i64;
    /// Time since the kernel started; never goes back.
    fn uptime(&self) -> Duration;
}
