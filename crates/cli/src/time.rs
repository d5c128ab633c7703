//! The clock, and times on the command line. Everything below the verbs gets the time as an argument.

use std::time::{SystemTime, UNIX_EPOCH};

use anyhow::{Result, bail};
use countersign_plan::dates::timestamp;

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
    let (date, clock) = whole.strip_suffix('Z')?.split_once('T')?;
    let numbers = |text: &str, separator| -> Option<Vec<i64>> {
        text.split(separator).map(|part| part.parse().ok()).collect()
    };
    let (date, clock) = (numbers(date, '-')?, numbers(clock, ':')?);
    let ([year @ 1970..=9999, month @ 1..=12, day], [hour, minute, second]) =
        (date.as_slice(), clock.as_slice())
    else {
        return None;
    };
    // Days of a year that begins in March, so that the leap day is its last.
    let (year, month) = if *month > 2 { (*year, month - 3) } else { (year - 1, month + 9) };
    let days = 365 * year + year / 4 - year / 100 + year / 400 + (153 * month + 2) / 5 + day - 719_469;
    let time = days * 86_400 + hour * 3_600 + minute * 60 + second;
    // What does not print as it was written is no date: 30 February, 25 o'clock.
    (timestamp(time) == whole).then_some(time)
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
