//! Days and times of UTC as text, without a clock.

/// Seconds since 1970 as RFC 3339, UTC.
pub fn timestamp(unix_time: i64) -> String {
    let (days, seconds) = (unix_time.div_euclid(86_400), unix_time.rem_euclid(86_400));
    let (year, month, day) = date(days);
    let (hour, minute, second) = (seconds / 3_600, seconds / 60 % 60, seconds % 60);
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}Z")
}

/// Seconds since 1970 of a time as [`timestamp`] writes it, from 1970 on. `None` for anything else, a 30 February included.
pub fn seconds(timestamp_text: &str) -> Option<i64> {
    let (date, clock) = timestamp_text.strip_suffix('Z')?.split_once('T')?;
    let numbers = |text: &str, separator| -> Option<Vec<i64>> {
        text.split(separator).map(|part| part.parse().ok()).collect()
    };
    let (date, clock) = (numbers(date, '-')?, numbers(clock, ':')?);
    let ([year @ 1970..=9999, month @ 1..=12, day], [hour, minute, second]) =
        (date.as_slice(), clock.as_slice())
    else {
        return None;
    };
    // Days of a year that begins in March, so that the leap day is its last. Neither day nor hour is bounded yet.
    let (year, month) = if *month > 2 { (*year, month - 3) } else { (year - 1, month + 9) };
    let days = (365 * year + year / 4 - year / 100 + year / 400 + (153 * month + 2) / 5).checked_add(*day)?
        - 719_469;
    let clock = hour.checked_mul(3_600)?.checked_add(minute.checked_mul(60)?)?.checked_add(*second)?;
    let time = days.checked_mul(86_400)?.checked_add(clock)?;
    // What does not print as it was written is no time: 30 February, 25 o'clock.
    (timestamp(time) == timestamp_text).then_some(time)
}

/// Year, month (1 to 12) and day (1 to 31) of a day counted from 1970-01-01: Howard Hinnant's `civil_from_days`.
pub(crate) fn date(days: i64) -> (i64, i64, i64) {
    let shifted = days + 719_468;
    let era = shifted.div_euclid(146_097);
    let day_of_era = shifted.rem_euclid(146_097);
    let year_of_era = (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_index = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month_index + 2) / 5 + 1;
    let month = if month_index < 10 { month_index + 3 } else { month_index - 9 };
    (year_of_era + era * 400 + i64::from(month <= 2), month, day)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_at_the_edges_of_months_and_leap_years() {
        // Each checked with date -u -d @N +%FT%TZ.
        for (time, expected) in [
            (0, "1970-01-01T00:00:00Z"),
            (951_782_399, "2000-02-28T23:59:59Z"),
            (951_782_400, "2000-02-29T00:00:00Z"),
            (951_868_800, "2000-03-01T00:00:00Z"),
            (4_107_542_400, "2100-03-01T00:00:00Z"),
            (1_798_761_599, "2026-12-31T23:59:59Z"),
        ] {
            assert_eq!(timestamp(time), expected);
            assert_eq!(seconds(expected), Some(time));
        }
    }

    #[test]
    fn what_is_no_time_is_none() {
        for text in [
            "2027-02-29T00:00:00Z",
            "2027-13-01T00:00:00Z",
            "2027-01-01T24:00:00Z",
            "2027-1-1T00:00:00Z",
            "1969-12-31T23:59:59Z",
            "2027-01-9223372036854775807T00:00:00Z",
            "2027-01-01T9223372036854775807:00:00Z",
            "2027-01-01",
            "",
        ] {
            assert_eq!(seconds(text), None, "{text}");
        }
    }
}
