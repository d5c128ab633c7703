//! The `.env` file of a compose project: read as the compose program reads it, written so that it can be read in one
//! way only.
//!
//! The syntax is that of compose's env files, which has no specification: what is not documented follows the program
//! (the package compose-go 2.4.8). A line is `NAME=value` or `NAME: value`, perhaps behind `export`; values may stand
//! in quotes, over several lines; ` #` begins a comment behind a value without quotes; variables are replaced but in
//! single quotes. The program's own variables and those of the contract come before those of the file.

use std::collections::BTreeMap;

use countersign_crypto::secret::SecretBytes;
use zeroize::Zeroizing;

use crate::workload::interpolate::{Fault, interpolate};

/// Most bytes of the file, and of all its values once variables are replaced.
pub const MAX_BYTES: usize = 1 << 20;

/// Names with their values, which are secrets.
pub type Variables = BTreeMap<String, Zeroizing<String>>;

/// Why the file is not taken. Names of variables may be printed, values may not.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{fault} (line {line})")]
pub struct DotenvRefusal {
    /// Line, from one, where the entry begins.
    pub line: usize,
    /// What is wrong with it.
    pub fault: DotenvFault,
}

/// What is wrong with an entry.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DotenvFault {
    /// Not UTF-8.
    #[error("expected text in UTF-8")]
    NotUtf8,
    /// A NUL, in the text or by an escape.
    #[error("expected no NUL")]
    Nul,
    /// Too large, or its values are once variables are replaced.
    #[error("expected at most 1 MiB, also with variables replaced")]
    TooLarge,
    /// No name, or a character that no name has.
    #[error("expected a name and =")]
    Name,
    /// A quoted value does not end.
    #[error("expected the closing quote of a value")]
    Quote,
    /// A variable in the value is not written as one.
    #[error("expected ${{NAME}} in the value, and $$ for a dollar sign")]
    Malformed,
    /// A variable that the value demands.
    #[error("expected {0} to be set")]
    Missing(String),
}

/// Reads a file. `outer` are the variables that come before those of the file, wherever a value names one.
///
/// # Errors
/// [`DotenvRefusal`], the first.
pub fn parse<'a>(file: &[u8], outer: &dyn Fn(&str) -> Option<&'a str>) -> Result<Variables, DotenvRefusal> {
    let at_line = |before: &[u8], fault| {
        let line = 1 + before.iter().filter(|byte| **byte == b'\n').count();
        DotenvRefusal { line, fault }
    };
    if file.len() > MAX_BYTES {
        return Err(DotenvRefusal { line: 1, fault: DotenvFault::TooLarge });
    }
    let text = std::str::from_utf8(file)
        .map_err(|error| at_line(&file[..error.valid_up_to()], DotenvFault::NotUtf8))?;
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let mut known = Variables::new();
    let mut room = MAX_BYTES;
    let mut rest = text;
    while let Some(start) = entry_start(rest) {
        rest = entry(start, &mut known, &mut room, outer)
            .map_err(|fault| at_line(&text.as_bytes()[..text.len() - start.len()], fault))?;
    }
    Ok(known)
}

/// The next entry, behind white space and comments.
fn entry_start(mut rest: &str) -> Option<&str> {
    loop {
        rest = rest.trim_start();
        if !rest.starts_with('#') {
            return (!rest.is_empty()).then_some(rest);
        }
        rest = &rest[rest.find('\n')?..];
    }
}

/// Reads one entry; what stands behind it.
fn entry<'a, 't>(
    text: &'t str,
    known: &mut Variables,
    room: &mut usize,
    outer: &dyn Fn(&str) -> Option<&'a str>,
) -> Result<&'t str, DotenvFault> {
    let text = match text.strip_prefix("export") {
        Some(rest) if rest.starts_with(['\t', '\n', '\u{c}', '\r', ' ']) => rest.trim_start_matches(is_space),
        _ => text,
    };
    let end = name_end(text)?;
    let name = text[..end].trim_end();
    let sign = text[end..].chars().next();
    if name.contains(' ') || (name.is_empty() && sign != Some('\n')) {
        return Err(DotenvFault::Name);
    }
    let rest = text.get(end + 1..).unwrap_or_default().trim_start_matches(is_space);
    if matches!(sign, None | Some('\n')) {
        // A name alone stands for the variable of that name that is set anyway.
        return Ok(rest);
    }
    let (value, expands, rest) = match rest.chars().next() {
        Some(quote @ ('"' | '\'')) => {
            let (value, rest) = quoted(rest, quote)?;
            (if quote == '"' { unescaped(&value) } else { value }, quote == '"', rest)
        }
        _ => {
            let (line, rest) = rest.split_once('\n').unwrap_or((rest, ""));
            let value = line.split_once(" #").map_or(line, |(value, _)| value).trim_end();
            (Zeroizing::new(value.to_owned()), true, rest)
        }
    };
    let value = if expands {
        let lookup = |name: &str| outer(name).or_else(|| known.get(name).map(|value| value.as_str()));
        interpolate(&value, *room, &lookup).map_err(fault)?.text
    } else {
        value
    };
    if value.contains('\0') {
        return Err(DotenvFault::Nul);
    }
    *room = room.checked_sub(value.len()).ok_or(DotenvFault::TooLarge)?;
    known.insert(name.to_owned(), value);
    Ok(rest)
}

fn fault(fault: Fault) -> DotenvFault {
    match fault {
        Fault::Malformed => DotenvFault::Malformed,
        Fault::Missing(name) => DotenvFault::Missing(name),
        Fault::TooLarge => DotenvFault::TooLarge,
    }
}

/// Where the name ends: at `=`, at `:`, or with its line.
fn name_end(text: &str) -> Result<usize, DotenvFault> {
    for (at, letter) in text.char_indices() {
        match letter {
            '=' | ':' | '\n' => return Ok(at),
            '_' | '.' | '-' | '[' | ']' => {}
            other if is_space(other) || other.is_alphabetic() || other.is_numeric() => {}
            _ => return Err(DotenvFault::Name),
        }
    }
    Ok(text.len())
}

/// White space that does not end a line.
fn is_space(letter: char) -> bool {
    matches!(letter, '\t' | '\u{b}' | '\u{c}' | '\r' | ' ' | '\u{85}' | '\u{a0}')
}

/// The text between two quotes, with `\` before the quote taken away, and what follows.
fn quoted(text: &str, quote: char) -> Result<(Zeroizing<String>, &str), DotenvFault> {
    let text = &text[1..];
    let mut escaped = false;
    let end = text
        .find(|letter| {
            let ends = letter == quote && !escaped;
            escaped = letter == '\\' && !escaped;
            ends
        })
        .ok_or(DotenvFault::Quote)?;
    // It only becomes shorter.
    let mut value = Zeroizing::new(String::with_capacity(end));
    let mut escaped = false;
    for letter in text[..end].chars() {
        if letter == '\\' && !escaped {
            escaped = true;
            continue;
        }
        if escaped && letter != quote {
            value.push('\\');
        }
        value.push(letter);
        escaped = false;
    }
    Ok((value, &text[end + 1..]))
}

/// The escapes of a value in double quotes. `\$` becomes `$$`, which the replacement of variables turns into a dollar
/// sign; `\0` and three octal digits are the character of that number; what is no escape stays.
fn unescaped(text: &str) -> Zeroizing<String> {
    let mut value = Zeroizing::new(String::with_capacity(text.len()));
    let mut rest = text;
    while let Some(at) = rest.find('\\') {
        value.push_str(&rest[..at]);
        rest = &rest[at + 1..];
        let mut length = 1;
        match rest.bytes().next() {
            Some(b'a') => value.push('\u{7}'),
            Some(b'b') => value.push('\u{8}'),
            Some(b'f') => value.push('\u{c}'),
            Some(b'n') => value.push('\n'),
            Some(b'r') => value.push('\r'),
            Some(b't') => value.push('\t'),
            Some(b'v') => value.push('\u{b}'),
            Some(b'"') => value.push('"'),
            Some(b'\\') => value.push('\\'),
            Some(b'$') => value.push_str("$$"),
            Some(b'0') => {
                // The program drops the zero even where no character comes out.
                let digits = rest[1..].bytes().take(3).take_while(u8::is_ascii_digit).count();
                let number = u8::from_str_radix(&rest[1..1 + digits], 8).ok();
                match number.filter(|_| digits == 3) {
                    Some(number) => value.push(char::from(number)),
                    None => {
                        value.push('\\');
                        value.push_str(&rest[1..1 + digits]);
                    }
                }
                length += digits;
            }
            _ => {
                value.push('\\');
                length = 0;
            }
        }
        rest = &rest[length..];
    }
    value.push_str(rest);
    value
}

/// Writes a file: each variable in a line of its own, in double quotes with `\`, `"`, `$` and line breaks escaped, so
/// that no value can end its line, name another variable or be replaced.
pub fn render(variables: &Variables) -> SecretBytes {
    // Allocated once at its largest size: a buffer that grows leaves copies of secrets behind.
    let size = variables.iter().map(|(name, value)| name.len() + 2 * value.len() + 4).sum();
    let mut text = Zeroizing::new(Vec::with_capacity(size));
    for (name, value) in variables {
        text.extend_from_slice(name.as_bytes());
        text.extend_from_slice(b"=\"");
        for byte in value.bytes() {
            match byte {
                b'\n' => text.extend_from_slice(b"\\n"),
                b'\r' => text.extend_from_slice(b"\\r"),
                b'"' | b'\\' | b'$' => text.extend_from_slice(&[b'\\', byte]),
                other => text.push(other),
            }
        }
        text.extend_from_slice(b"\"\n");
    }
    SecretBytes::copy_from(&text)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn outer(name: &str) -> Option<&'static str> {
        (name == "OUTER").then_some("outer")
    }

    fn read(text: &str) -> Vec<(String, String)> {
        let read = parse(text.as_bytes(), &outer).unwrap();
        read.into_iter().map(|(name, value)| (name, value.to_string())).collect()
    }

    fn refused(text: &[u8]) -> DotenvRefusal {
        parse(text, &outer).unwrap_err()
    }

    #[test]
    fn entries_as_the_compose_program_reads_them() {
        for (text, expected) in [
            ("", vec![]),
            ("# only\n\n   # comments", vec![]),
            ("A=1\nB: 2\r\nexport C=3", vec![("A", "1"), ("B", "2"), ("C", "3")]),
            ("\u{feff}A=1", vec![("A", "1")]),
            ("A = x y \nB=", vec![("A", "x y"), ("B", "")]),
            ("A=1 # comment\nB=1#none\nC=#none", vec![("A", "1"), ("B", "1#none"), ("C", "#none")]),
            ("A='x\n$B' # comment\nB=\"y\nz\"", vec![("A", "x\n$B"), ("B", "y\nz")]),
            ("A=\"x\" B=y", vec![("A", "x"), ("B", "y")]),
            ("A=1\nA=2", vec![("A", "2")]),
            (
                "A=$B$OUTER\nB=x\nC=${B}\nOUTER=inner\nD=$OUTER",
                vec![("A", "outer"), ("B", "x"), ("C", "x"), ("D", "outer"), ("OUTER", "inner")],
            ),
            ("A=${B:-x}$$y", vec![("A", "x$y")]),
            ("A\nOUTER\nB", vec![]),
            (r#"A="\n\t\"\\\$B\c\0101\07\0999""#, vec![("A", "\n\t\"\\$B\\cA\\7\\999")]),
            (r"A='\n\'x'", vec![("A", r"\n'x")]),
            (r"A=\n\x", vec![("A", r"\n\x")]),
        ] {
            let expected: Vec<(String, String)> =
                expected.into_iter().map(|(name, value)| (name.into(), value.into())).collect();
            assert_eq!(read(text), expected, "{text:?}");
        }
    }

    #[test]
    fn every_refusal_has_its_line() {
        for (text, line, fault) in [
            (&b"A=1\nB=\"x\n\n"[..], 2, DotenvFault::Quote),
            (b"\n\n=x", 3, DotenvFault::Name),
            (b"A B=x", 1, DotenvFault::Name),
            (b"A=1\n!=x", 2, DotenvFault::Name),
            (b"A B", 1, DotenvFault::Name),
            (b"export ", 1, DotenvFault::Name),
            (b"A='x\ny'\nB=${", 3, DotenvFault::Malformed),
            (b"A=${B?}", 1, DotenvFault::Missing("B".into())),
            (b"A=1\nB=\xff", 2, DotenvFault::NotUtf8),
            (b"A=\0", 1, DotenvFault::Nul),
            (b"A=\"\\0000\"", 1, DotenvFault::Nul),
        ] {
            assert_eq!(refused(text), DotenvRefusal { line, fault }, "{text:?}");
        }
    }

    #[test]
    fn values_that_multiply_are_stopped() {
        let mut text = format!("A0={}\n", "x".repeat(1000));
        for level in 1..40 {
            text.push_str(&format!("A{level}=$A{0}$A{0}\n", level - 1));
        }
        // 1000 bytes, twice that, and so on: the tenth one is too much.
        assert_eq!(refused(text.as_bytes()), DotenvRefusal { line: 11, fault: DotenvFault::TooLarge });
        assert_eq!(refused(&vec![b'\n'; MAX_BYTES + 1]).fault, DotenvFault::TooLarge);
    }

    #[test]
    fn what_is_written_is_what_is_read() {
        let written = |value: &str| {
            let variables = Variables::from([("A".to_owned(), Zeroizing::new(value.to_owned()))]);
            let file = render(&variables);
            assert_eq!(parse(file.expose(), &outer).unwrap(), variables, "{value:?}");
            String::from_utf8(file.expose().to_vec()).unwrap()
        };
        assert_eq!(written("x\nB=y"), "A=\"x\\nB=y\"\n");
        assert_eq!(written("\"$B\\"), "A=\"\\\"\\$B\\\\\"\n");
        for value in
            ["", " # ", "'", "\\'", "${OUTER}", "$$", "\\\\$", "\r\n", "\u{7}\t", "ä", "\\0101", "\\"]
        {
            written(value);
        }
    }
}
