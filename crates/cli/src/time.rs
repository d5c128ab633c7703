//! The clock, and times on the command line. Everything below the verbs gets the time as an argument.

use std::time::{SystemTime, UNIX_EPOCH};

use anyhow::{Result, bail};
use countersign_plan::dates::seconds;

/// Seconds since 1970: the time that was given, or now.
pub(crate) fn at(given: Option<&str>) -> Result<i64> {
    match given {
        None => Ok(now()),
        Some(text) => match parse(text) {
            Some(time) => Ok(time),
            None => bail!("--at: expected 2027-01-31, 2027-01-31T12:00:00Z, or seconds since 1970"),
        },
    }
}

/// Seconds since 1970.
pub(crate) fn now() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
    i64::try_from(since).unwrap_or(i64::MAX)
}

/// Seconds since 1970 of a date, a time in UTC, or a number of seconds.
pub(crate) fn parse(text: &str) -> Option<i64> {
    if let Ok(seconds) = text.parse::<i64>() {
        return Some(seconds);
    }
    let whole = if text.contains('T') { text.to_owned() } else { format!("{text}T00:00:00Z") };
    seconds(&whole)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_those_of_date() {
        // Each from date -u -d TIME +%s.
        for (text, expected) in [
            ("1970-01-01", Some(0)),
            ("2000-02-29", Some(951_782_400)),
            ("2026-12-31T23:59:59Z", Some(1_798_761_599)),
            ("1798761599", Some(1_798_761_599)),
            ("2027-02-29", None),
            ("2027-13-01", None),
            ("2027-01-01T24:00:00Z", None),
            ("2027-1-1", None),
            ("tomorrow", None),
        ] {
            assert_eq!(parse(text), expected, "{text}");
        }
    }
}
