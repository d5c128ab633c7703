//! What the YAML of the compose program and of the engine takes a plain scalar for: the package yaml.v3 (its file `resolve.go`), which is YAML
//! 1.2's core schema with octal numbers, underscores and dates of YAML 1.1.

/// What a scalar is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Scalar {
    Null,
    Boolean,
    Integer,
    /// A number with a point or an exponent, or none.
    Number,
    /// A day, or a point in time.
    Date,
    Text,
}

/// What a scalar without quotes and without a tag is.
pub(super) fn plain(text: &str) -> Scalar {
    match text {
        "" | "~" | "null" | "Null" | "NULL" => return Scalar::Null,
        "true" | "True" | "TRUE" | "false" | "False" | "FALSE" => return Scalar::Boolean,
        ".nan" | ".NaN" | ".NAN" => return Scalar::Number,
        _ => {}
    }
    let infinity = text.strip_prefix(['+', '-']).unwrap_or(text);
    if matches!(infinity, ".inf" | ".Inf" | ".INF") {
        return Scalar::Number;
    }
    let digits = text.replace('_', "");
    match text.bytes().next() {
        Some(b'0'..=b'9') if is_date(text) => Scalar::Date,
        Some(b'0'..=b'9' | b'+' | b'-') if is_integer(&digits) => Scalar::Integer,
        Some(b'0'..=b'9' | b'+' | b'-') if is_decimal(&digits) => Scalar::Number,
        Some(b'.') if is_decimal(text) => Scalar::Number,
        _ => Scalar::Text,
    }
}

/// An integer of 64 bits: decimal, or behind `0x`, `0o`, `0` or `0b`.
fn is_integer(text: &str) -> bool {
    integer(text).is_some()
}

/// The value of an integer.
pub(super) fn integer(text: &str) -> Option<i128> {
    let text = text.replace('_', "");
    let (negative, digits) = match text.strip_prefix('-') {
        Some(digits) => (true, digits),
        None => (false, text.strip_prefix('+').unwrap_or(&text)),
    };
    let lower = digits.to_ascii_lowercase();
    let (base, digits) = match lower.get(..2) {
        Some("0x") => (16, &lower[2..]),
        Some("0o") => (8, &lower[2..]),
        Some("0b") => (2, &lower[2..]),
        _ if lower.starts_with('0') && lower.len() > 1 => (8, &lower[1..]),
        _ => (10, lower.as_str()),
    };
    // The library would take a sign here as well.
    digits.bytes().next().filter(u8::is_ascii_hexdigit)?;
    let value = u64::from_str_radix(digits, base).ok().filter(|value| !negative || *value <= 1 << 63)?;
    Some(if negative { -i128::from(value) } else { i128::from(value) })
}

/// A number as text that is read as one again.
pub(super) fn float(number: f64) -> String {
    if number.is_nan() {
        ".nan".to_owned()
    } else if number.is_infinite() {
        if number > 0.0 { ".inf" } else { "-.inf" }.to_owned()
    } else {
        format!("{number:e}")
    }
}

/// `1.5`, `.5`, `1.`, `1e3`; also an integer too large for one.
fn is_decimal(text: &str) -> bool {
    let digits = text.strip_prefix(['+', '-']).unwrap_or(text);
    let (mantissa, exponent) = match digits.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => (mantissa, Some(exponent)),
        None => (digits, None),
    };
    let (whole, part) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let all = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    let exponent = exponent.map(|exponent| exponent.strip_prefix(['+', '-']).unwrap_or(exponent));
    all(whole)
        && all(part)
        && !(whole.is_empty() && part.is_empty())
        && exponent.is_none_or(|exponent| !exponent.is_empty() && all(exponent))
}

/// `2026-1-31`, alone or with a time behind `T`, `t` or a space.
fn is_date(text: &str) -> bool {
    let (day, time) = match text.split_once(['T', 't', ' ']) {
        Some((day, time)) => (day, Some(time)),
        None => (text, None),
    };
    let within = |part: &str, digits: usize, least: u32, most: u32| {
        !part.is_empty()
            && part.len() <= digits
            && part.bytes().all(|byte| byte.is_ascii_digit())
            && part.parse().is_ok_and(|value: u32| (least..=most).contains(&value))
    };
    let is_day = matches!(day.split('-').collect::<Vec<_>>()[..], [year, month, day]
        if year.len() == 4 && within(year, 4, 0, 9999) && within(month, 2, 1, 12) && within(day, 2, 1, 31));
    let is_time = |time: &str| {
        let end = time.find(['Z', '+', '-']).unwrap_or(time.len());
        matches!(time[..end].split(':').collect::<Vec<_>>()[..], [hours, minutes, seconds]
            if within(hours, 2, 0, 23)
                && within(minutes, 2, 0, 59)
                && within(seconds.split_once('.').map_or(seconds, |(whole, _)| whole), 2, 0, 59))
    };
    is_day && time.is_none_or(is_time)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Each tried with the program.
    #[test]
    fn plain_scalars_are_what_the_program_takes_them_for() {
        for (text, expected) in [
            ("", Scalar::Null),
            ("~", Scalar::Null),
            ("nul", Scalar::Text),
            ("true", Scalar::Boolean),
            ("yes", Scalar::Text),
            ("5", Scalar::Integer),
            ("+5", Scalar::Integer),
            ("-0x1F", Scalar::Integer),
            ("0o17", Scalar::Integer),
            ("010", Scalar::Integer),
            ("0b11", Scalar::Integer),
            ("1_000", Scalar::Integer),
            ("18446744073709551615", Scalar::Integer),
            ("18446744073709551616", Scalar::Number),
            ("08", Scalar::Number),
            ("1e3", Scalar::Number),
            ("1.", Scalar::Number),
            (".5", Scalar::Number),
            ("-.inf", Scalar::Number),
            (".nan", Scalar::Number),
            ("2026-01-31", Scalar::Date),
            ("2026-1-31 10:00:00", Scalar::Date),
            ("2026-13-31", Scalar::Text),
            ("1.2.3", Scalar::Text),
            ("--5", Scalar::Text),
            ("0x", Scalar::Text),
            ("0x-5", Scalar::Text),
            (".", Scalar::Text),
            ("5m", Scalar::Text),
            ("1e", Scalar::Text),
        ] {
            assert_eq!(plain(text), expected, "{text}");
        }
    }
}
