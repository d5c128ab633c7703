//! Times of records: milliseconds since 1970, and text. The clock itself is read by who acts.

use countersign_plan::dates;

/// Milliseconds since 1970 of an RFC 3339 time, which RFC 5424 has too.
pub fn milliseconds(text: &str) -> Option<i64> {
    let (head, tail) = text.split_at_checked(19)?;
    let seconds = dates::seconds(&format!("{head}Z"))?;
    let zone_at = tail.find(['Z', '+', '-'])?;
    let (fraction, zone) = tail.split_at(zone_at);
    let milliseconds = match fraction.strip_prefix('.') {
        None if fraction.is_empty() => 0,
        Some(digits) if digits.bytes().all(|b| b.is_ascii_digit()) => {
            format!("{digits:0<3}").get(..3)?.parse().ok()?
        }
        _ => return None,
    };
    let offset = match zone.split_at(1) {
        ("Z", "") => 0,
        (sign, offset) => {
            let (hours, minutes) = offset.split_once(':')?;
            let seconds =
                i64::from(hours.parse::<u8>().ok()?) * 3600 + i64::from(minutes.parse::<u8>().ok()?) * 60;
            if sign == "-" { -seconds } else { seconds }
        }
    };
    Some((seconds - offset) * 1000 + milliseconds)
}

/// RFC 3339, UTC, with milliseconds.
pub fn text(milliseconds: i64) -> String {
    let whole = dates::timestamp(milliseconds.div_euclid(1000));
    format!("{}.{:03}Z", whole.trim_end_matches('Z'), milliseconds.rem_euclid(1000))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_those_of_date() {
        // Each from date -u -d TIME +%s%3N.
        for (written, expected) in [
            ("2026-11-22T02:54:56.000042Z", Some(1_795_316_096_000)),
            ("2026-11-22T03:54:56.5+01:00", Some(1_795_316_096_500)),
            ("2003-08-24T05:14:15.000003-07:00", Some(1_061_727_255_000)),
            ("2026-11-22T02:54:56Z", Some(1_795_316_096_000)),
            ("2026-11-22 02:54:56Z", None),
            ("2026-11-22T02:54:56", None),
            ("2026-11-22T02:54:56.xZ", None),
            ("-", None),
        ] {
            assert_eq!(milliseconds(written), expected, "{written}");
        }
        assert_eq!(text(1_795_316_096_042), "2026-11-22T02:54:56.042Z");
    }
}
