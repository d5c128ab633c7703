//! The hourly check of a guest (`HPL13000I: check N: …`): a number that is missing, an hour without one, silence.

use countersign_plan::watch::schedule::CHECK_SECONDS;

use super::notice::Notice;

/// Seconds by which a check may be late: a conversation of a minute, a server that was away for some, a busy guest.
const GRACE: i64 = 600;

#[derive(Debug, Clone, Copy)]
struct Last {
    number: u64,
    /// When it was made, by the guest's clock.
    made: Option<i64>,
    /// When it came.
    came: i64,
}

/// The checks of one boot.
#[derive(Debug, Default)]
pub struct Checks {
    last: Option<Last>,
    /// Checks so far.
    pub count: u64,
    /// Whether its absence was told.
    told: bool,
}

impl Checks {
    /// A line of the guest, made and come at these times (milliseconds).
    pub fn line(&mut self, code: &str, message: &str, made: Option<i64>, came: i64) -> Option<Notice> {
        let number: u64 = match code {
            "HPL13000I" | "HPL13001I" => message.split_once("check ")?.1.split(':').next()?.parse().ok()?,
            _ => return None,
        };
        let before = self.last;
        if before.is_some_and(|last| number <= last.number) {
            return None;
        }
        self.last = Some(Last { number, made, came });
        self.count += 1;
        self.told = false;
        let last = before?;
        if number > last.number + 1 {
            return Some(Notice::ChecksMissing { first: last.number + 1, last: number - 1 });
        }
        let seconds = made?.saturating_sub(last.made?) / 1000;
        (seconds > interval() + GRACE).then_some(Notice::CheckLate { number, seconds })
    }

    /// The check that was due and has not come by now, told once; `heard` is when the last record came.
    pub fn overdue(&mut self, now: i64, heard: i64) -> Option<Notice> {
        let last = self.last.filter(|_| !self.told)?;
        // By this side's clock alone: the guest's is the host's choice.
        if now.saturating_sub(last.came) <= (interval() + GRACE) * 1000 {
            return None;
        }
        self.told = true;
        Some(Notice::Silent { check: last.number + 1, minutes: now.saturating_sub(heard) / 60_000 })
    }

    /// Whether the check that was due has not come.
    pub fn is_silent(&self) -> bool {
        self.told
    }

    /// Number of the last one.
    pub fn last(&self) -> Option<u64> {
        self.last.map(|last| last.number)
    }
}

fn interval() -> i64 {
    i64::try_from(CHECK_SECONDS).unwrap_or(i64::MAX / 2)
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR: i64 = 3_600_000;

    fn check(checks: &mut Checks, number: u64, time: i64) -> Option<Notice> {
        checks.line("HPL13000I", &format!("HPL13000I: check {number}: checking"), Some(time), time)
    }

    #[test]
    fn a_missing_number_and_a_late_check_are_told() {
        let mut checks = Checks::default();
        assert_eq!(check(&mut checks, 1, 0), None);
        assert_eq!(checks.line("HPL13001I", "HPL13001I: check 1: all", Some(5), 5), None);
        assert_eq!(check(&mut checks, 2, HOUR + 5_000), None);
        assert_eq!(check(&mut checks, 5, 4 * HOUR), Some(Notice::ChecksMissing { first: 3, last: 4 }));
        assert_eq!(
            check(&mut checks, 6, 5 * HOUR + 601_000),
            Some(Notice::CheckLate { number: 6, seconds: 4_201 })
        );
        assert_eq!((checks.count, checks.last()), (4, Some(6)));
    }

    #[test]
    fn silence_is_told_once() {
        let mut checks = Checks::default();
        assert_eq!(checks.overdue(100 * HOUR, 0), None);
        check(&mut checks, 1, 0);
        assert_eq!(checks.overdue(HOUR + 600_000, 0), None);
        let silent = checks.overdue(HOUR + 600_001, 60_000);
        assert_eq!(silent, Some(Notice::Silent { check: 2, minutes: 69 }));
        assert_eq!(checks.overdue(3 * HOUR, 60_000), None);
        assert!(checks.is_silent());
        check(&mut checks, 2, 3 * HOUR);
        assert!(!checks.is_silent());
    }
}
