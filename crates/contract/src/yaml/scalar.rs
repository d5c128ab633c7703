//! Plain scalars to null, truth values, numbers or strings, by the YAML 1.2 core schema.
//!
//! Deviation: decimal numbers with a leading zero stay strings (see the parent module). Integers beyond 64
//! bits become floating-point numbers, as JSON readers take them.

use zeroize::Zeroizing;

use super::{Data, Style};

/// What a plain scalar means.
pub(super) fn resolve(text: &str) -> Option<Data> {
    match text {
        "" | "~" | "null" | "Null" | "NULL" => return Some(Data::Null),
        "true" | "True" | "TRUE" => return Some(Data::Bool(true)),
        "false" | "False" | "FALSE" => return Some(Data::Bool(false)),
        ".nan" | ".NaN" | ".NAN" => return Some(Data::Float(f64::NAN)),
        _ => {}
    }
    let (negative, unsigned) = match text.as_bytes().first() {
        Some(b'-') => (true, &text[1..]),
        Some(b'+') => (false, &text[1..]),
        _ => (false, text),
    };
    match unsigned {
        ".inf" | ".Inf" | ".INF" => {
            return Some(Data::Float(if negative { f64::NEG_INFINITY } else { f64::INFINITY }));
        }
        _ => {}
    }
    // Octal and hexadecimal have no sign in the core schema.
    for (prefix, radix) in [("0o", 8), ("0x", 16)] {
        if let Some(digits) = text.strip_prefix(prefix) {
            if !digits.is_empty() && digits.chars().all(|digit| digit.is_digit(radix)) {
                return i64::from_str_radix(digits, radix).ok().map(Data::Integer);
            }
            return None;
        }
    }
    let whole = unsigned.bytes().take_while(u8::is_ascii_digit).count();
    if whole > 1 && unsigned.starts_with('0') {
        return None;
    }
    if whole == unsigned.len() && whole > 0 {
        return match text.strip_prefix('+').unwrap_or(text).parse::<i64>() {
            Ok(number) => Some(Data::Integer(number)),
            Err(_) => text.parse().ok().map(Data::Float),
        };
    }
    is_float(unsigned).then(|| text.parse().ok().map(Data::Float)).flatten()
}

/// `(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?`
fn is_float(text: &str) -> bool {
    let digits = |text: &str| text.bytes().take_while(u8::is_ascii_digit).count();
    let whole = digits(text);
    let mut rest = &text[whole..];
    if let Some(fraction) = rest.strip_prefix('.') {
        let length = digits(fraction);
        if whole == 0 && length == 0 {
            return false;
        }
        rest = &fraction[length..];
    } else if whole == 0 {
        return false;
    }
    if rest.is_empty() {
        return true;
    }
    let Some(exponent) = rest.strip_prefix(['e', 'E']) else { return false };
    let exponent = exponent.strip_prefix(['-', '+']).unwrap_or(exponent);
    !exponent.is_empty() && digits(exponent) == exponent.len()
}

/// A scalar as written in `style`.
pub(super) fn scalar(text: String, style: Style) -> Data {
    let text = Zeroizing::new(text);
    if style == Style::Plain
        && let Some(data) = resolve(&text)
    {
        return data;
    }
    Data::Text(text, style)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn strings_stay_strings() {
        for text in [
            "no",
            "yes",
            "on",
            "off",
            "y",
            "017",
            "00",
            "-017",
            "1_000",
            "0o8",
            "0xg",
            "0x",
            "1e",
            "e1",
            ".",
            "-",
            "+",
            "2026-01-01",
            "10.0.0.1",
            "1.2.3",
            "6514 ",
            "tRUE",
            "12:30",
            "0b1",
            "+.e3",
            "--1",
            "+-1",
            "١",
        ] {
            assert!(resolve(text).is_none(), "{text}");
        }
    }

    #[test]
    fn numbers_are_numbers() {
        for (text, number) in
            [("0", 0), ("6514", 6514), ("-3", -3), ("+3", 3), ("0o17", 15), ("0x1F", 31), ("-0", 0)]
        {
            assert!(matches!(resolve(text), Some(Data::Integer(found)) if found == number), "{text}");
        }
        for (text, number) in [
            ("1.5", 1.5),
            (".5", 0.5),
            ("1.", 1.0),
            ("1e3", 1e3),
            ("-1E-2", -0.01),
            ("0.5", 0.5),
            ("99999999999999999999", 1e20),
        ] {
            assert!(matches!(resolve(text), Some(Data::Float(found)) if found == number), "{text}");
        }
        assert!(matches!(resolve("-.inf"), Some(Data::Float(found)) if found == f64::NEG_INFINITY));
    }
}
