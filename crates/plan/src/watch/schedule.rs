//! When the daemon has to do what.
//!
//! | what | when |
//! |---|---|
//! | check of the volumes | at the start, then every hour of uptime |
//! | the same on demand | at once, three times in five minutes at most |
//! | notice: contract | first of the month; daily in the last 30 days; four-hourly in the last 7; hourly in the last day and after |
//! | notice: certificate | daily in the last 30 days; twelve-hourly in the last 7; four-hourly after |
//!
//! Days and hours are those of UTC, so that an interval does not depend on when the guest was started; a notice that
//! is due when the guest starts is given then. The host sets the clock, so it is not believed when it goes back: the
//! highest time seen is carried on by the uptime. A clock that is set forward only brings notices early.
//!
//! Pure: two clocks in, what is due and the next wake-up out. The state has a fixed number of entries.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{Expiry, Subject};
use crate::dates;

const HOUR: i64 = 3_600;
const DAY: i64 = 24 * HOUR;

/// Seconds of uptime between two checks of the volumes.
pub const CHECK_SECONDS: u64 = 3_600;
/// Seconds of uptime in which [`DEMANDS`] checks may be asked for.
pub const DEMAND_SECONDS: u64 = 300;
/// How many.
pub const DEMANDS: usize = 3;
/// A clock that is behind by less is a clock that was corrected.
pub const TOLERANCE_SECONDS: i64 = 60;

/// Both clocks at one moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Clock {
    /// Seconds since 1970, by the clock that the host can set.
    pub unix: i64,
    /// Seconds since the kernel's start; never goes back.
    pub uptime: u64,
}

impl Clock {
    /// The time at a later uptime, if nobody sets the clock.
    pub fn at(self, uptime: u64) -> i64 {
        let passed = uptime.saturating_sub(self.uptime);
        self.unix.saturating_add(i64::try_from(passed).unwrap_or(i64::MAX))
    }
}

/// What the daemon remembers between two wake-ups.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct State {
    /// The highest time seen, and when.
    seen: Clock,
    /// Whether the clock was behind at the last look.
    behind: bool,
    /// Uptime of the last hourly check.
    checked: Option<u64>,
    /// Uptimes of the last checks on demand, at most [`DEMANDS`].
    demands: Vec<u64>,
    /// Whether it was said that a demand came too early, since the last one that was met.
    throttled: bool,
    /// The last notice for each subject.
    notices: BTreeMap<Subject, Slot>,
}

/// A stretch of time in which one notice is given.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
struct Slot {
    /// Length in seconds, 0 for a month.
    length: i64,
    /// Number of the stretch since 1970.
    index: i64,
}

/// What is due.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Due {
    /// The time that counts, seconds since 1970.
    pub now: i64,
    /// The clock was set back by so many seconds since the last look.
    pub set_back: Option<i64>,
    /// The volumes have to be checked.
    pub check: bool,
    /// Notices to give, by place among the expiries.
    pub notices: Vec<usize>,
    /// Seconds until something is due again, if the clock is not set; at least 1.
    pub wake: u64,
}

/// The answer to a check that somebody asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Demand {
    /// To be done now.
    Granted,
    /// Too many; to be said, because it was not said before.
    Refused,
    /// Too many, and that was said already.
    Ignored,
}

impl State {
    /// The state of a daemon that starts for the first time, with the time at which the contract was verified.
    pub fn new(verified: Clock) -> State {
        State {
            seen: verified,
            behind: false,
            checked: None,
            demands: Vec::new(),
            throttled: false,
            notices: BTreeMap::new(),
        }
    }

    /// Decides what is due; counts it as done.
    pub fn due(&mut self, expiries: &[Expiry], clock: Clock) -> Due {
        let (now, set_back) = self.advance(clock);
        let check = self.checked.is_none_or(|at| clock.uptime.saturating_sub(at) >= CHECK_SECONDS);
        if check {
            self.checked = Some(clock.uptime);
        }
        let mut notices = Vec::new();
        for (place, expiry) in expiries.iter().enumerate() {
            let Some(slot) = slot(expiry, now) else { continue };
            if self.notices.insert(expiry.subject, slot) != Some(slot) {
                notices.push(place);
            }
        }
        let next_check = self.checked.unwrap_or(clock.uptime) + CHECK_SECONDS;
        let next_notice = expiries.iter().map(|expiry| next(expiry, now) - now).min();
        let next_notice = next_notice.and_then(|wait| u64::try_from(wait).ok()).unwrap_or(CHECK_SECONDS);
        let wake = next_check.saturating_sub(clock.uptime).min(next_notice).max(1);
        Due { now, set_back, check, notices, wake }
    }

    /// Counts a check that was made at the start, whenever the last one was.
    pub fn checked(&mut self, clock: Clock) {
        self.checked = Some(clock.uptime);
    }

    /// Decides about a check that somebody asks for; counts it if it is granted.
    pub fn demand(&mut self, clock: Clock) -> Demand {
        self.demands.retain(|at| clock.uptime.saturating_sub(*at) < DEMAND_SECONDS);
        if self.demands.len() < DEMANDS {
            self.demands.push(clock.uptime);
            self.throttled = false;
            return Demand::Granted;
        }
        if std::mem::replace(&mut self.throttled, true) { Demand::Ignored } else { Demand::Refused }
    }

    /// The time that counts, and by how much the clock went back since the last look.
    fn advance(&mut self, clock: Clock) -> (i64, Option<i64>) {
        let carried = self.seen.at(clock.uptime);
        let now = clock.unix.max(carried);
        self.seen = Clock { unix: now, uptime: clock.uptime.max(self.seen.uptime) };
        let back = carried.saturating_sub(clock.unix);
        let was_behind = std::mem::replace(&mut self.behind, back > TOLERANCE_SECONDS);
        (now, (self.behind && !was_behind).then_some(back))
    }
}

/// The stretch in which `now` lies; none where no notice is given now.
fn slot(expiry: &Expiry, now: i64) -> Option<Slot> {
    let length = match (expiry.subject, expiry.not_after.saturating_sub(now)) {
        (Subject::Contract, left) if left <= DAY => HOUR,
        (Subject::Contract, left) if left <= 7 * DAY => 4 * HOUR,
        (_, left) if left < 0 => 4 * HOUR,
        (_, left) if left <= 7 * DAY => 12 * HOUR,
        (_, left) if left <= 30 * DAY => DAY,
        (Subject::Contract, _) => {
            let (year, month, day) = dates::date(now.div_euclid(DAY));
            return (day == 1).then_some(Slot { length: 0, index: 12 * year + month });
        }
        _ => return None,
    };
    Some(Slot { length, index: now.div_euclid(length) })
}

/// When the next stretch may begin.
fn next(expiry: &Expiry, now: i64) -> i64 {
    let end = expiry.not_after;
    // Where the intervals change.
    let changes =
        [end.saturating_sub(30 * DAY), end.saturating_sub(7 * DAY), end.saturating_sub(DAY), end + 1];
    let change = changes.into_iter().filter(|at| *at > now).min();
    let boundary = match slot(expiry, now) {
        Some(Slot { length, index }) if length > 0 => (index + 1) * length,
        _ => next_month(now),
    };
    change.map_or(boundary, |change| change.min(boundary))
}

/// Midnight of the next first of a month.
fn next_month(now: i64) -> i64 {
    let today = now.div_euclid(DAY);
    let first = (today + 1..today + 32).find(|day| dates::date(*day).2 == 1);
    first.unwrap_or(today + 31) * DAY
}

#[cfg(test)]
mod tests;
