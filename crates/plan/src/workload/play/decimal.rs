//! Numbers that are no integers, where a text is expected.

/// What Go's `strconv.FormatFloat` makes of a number with 32 bits, which is what the engine's reader asks for. None for
/// infinities and what is no number (`.inf`, `.nan`): JSON, by which the engine's reader goes, has none.
pub(super) fn decimal(text: &str) -> Option<String> {
    let plain = text.replace('_', "").to_ascii_lowercase();
    if plain.ends_with(".inf") || plain == ".nan" {
        return None;
    }
    let number = plain.parse::<f64>().ok()?;
    if number.is_infinite() {
        // Too large to be a number to Go: a text.
        return Some(text.to_owned());
    }
    #[allow(clippy::cast_possible_truncation)]
    let number = number as f32;
    if number.is_infinite() {
        return Some(if number > 0.0 { "+Inf" } else { "-Inf" }.to_owned());
    }
    let shortest = format!("{number:e}");
    let (digits, exponent) = shortest.split_once('e')?;
    let exponent: i32 = exponent.parse().ok()?;
    if (-4..6).contains(&exponent) || number == 0.0 {
        return Some(number.to_string());
    }
    let sign = if exponent < 0 { '-' } else { '+' };
    Some(format!("{digits}e{sign}{:02}", exponent.abs()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_become_the_text_that_go_makes_of_them() {
        for (text, expected) in [
            ("1.0", "1"),
            ("1.10", "1.1"),
            ("1e3", "1000"),
            ("1e6", "1e+06"),
            ("1234567.5", "1.2345675e+06"),
            ("0.0001", "0.0001"),
            ("0.00001", "1e-05"),
            ("3.141592653589793", "3.1415927"),
            ("-0.5", "-0.5"),
            ("1e100", "+Inf"),
            ("1E400", "1E400"),
            ("08", "8"),
        ] {
            assert_eq!(decimal(text).as_deref(), Some(expected), "{text}");
        }
        for text in [".inf", "+.Inf", "-.INF", ".NaN"] {
            assert_eq!(decimal(text), None, "{text}");
        }
    }
}
