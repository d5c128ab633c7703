//! The time by which dates are judged at power-on: never earlier than one that is known to have passed.
//!
//! The host sets the guest's clock. Two things in the guest's own hands say that it must be later: the build date of the
//! image, sealed in `image.json`, and the time at which a volume was last opened, in the record that the volume carries
//! under its own key ([`crate::volumes::record`]). A clock that is behind is not believed: certificates are judged by the
//! later time, and the guest's clock goes on from it. The first is known before the contract is opened, the second only when the volumes are open; what was
//! judged before is judged again then. A clock that is ahead cannot be told from one that is right.
//!
//! Pure: clocks in, the time that counts out. The running guest is watched by [`crate::watch::schedule`].

use countersign_contract::code::Code;

use crate::dates::timestamp;
use crate::watch::schedule::{Clock, TOLERANCE_SECONDS};

/// Why a time is known to have passed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Known<'a> {
    /// The image was built then.
    Image,
    /// The volume of this name was opened then.
    Volume(&'a str),
}

/// The later of the clock and a time that is known to have passed, both in seconds since 1970.
pub fn later(clock: i64, known: Option<i64>) -> i64 {
    known.map_or(clock, |known| known.max(clock))
}

/// What is said of a clock that is behind `known` by more than a correction: code and sentence. A clock that is behind by
/// less is not believed either.
pub fn warning(clock: i64, known: i64, why: Known<'_>) -> Option<(Code, String)> {
    let behind = known.saturating_sub(clock);
    let (code, subject) = match why {
        Known::Image => (Code::ClockBehindImage, String::new()),
        Known::Volume(name) => (Code::ClockBehindVolume, format!("volume {name}: ")),
    };
    let end = timestamp(known);
    (behind > TOLERANCE_SECONDS)
        .then(|| (code, format!("{subject}{} by {behind} s; dates are judged by {end}", code.text())))
}

/// The time that counts now: the clock, or the time that counted at `since`, carried on by the uptime.
pub fn carried(since: Clock, now: Clock) -> i64 {
    since.at(now.uptime).max(now.unix)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clock_that_is_behind_is_not_believed_and_told_beyond_a_correction() {
        assert_eq!((later(5, None), later(5, Some(4)), later(5, Some(6))), (5, 5, 6));
        for (clock, told) in
            [(1_000, false), (999, false), (940, false), (939, true), (0, true), (i64::MIN, true)]
        {
            assert_eq!(warning(clock, 1_000, Known::Image).is_some(), told, "{clock}");
            assert_eq!(later(clock, Some(1_000)), 1_000, "{clock}");
        }
        let (code, text) = warning(0, 951_782_399, Known::Image).unwrap();
        assert_eq!(code.as_str(), "HPL11107W");
        let expected = "the clock is behind the build date of the image by 951782399 s; dates are judged by \
                        2000-02-28T23:59:59Z";
        assert_eq!(text, expected);
        let (code, text) = warning(0, 951_782_399, Known::Volume("data")).unwrap();
        assert_eq!(code.as_str(), "HPL11108W");
        assert!(text.starts_with("volume data: the clock is behind the time at which "), "{text}");
    }

    #[test]
    fn the_time_that_counts_goes_on_with_the_uptime() {
        let since = Clock { unix: 1_000, uptime: 10 };
        for (unix, uptime, counts) in [(0, 10, 1_000), (0, 25, 1_015), (2_000, 25, 2_000), (1_015, 25, 1_015)]
        {
            assert_eq!(carried(since, Clock { unix, uptime }), counts);
        }
    }
}
