//! Variables in a text, as the compose program replaces them: `$NAME`, `${NAME}`, `${NAME:-default}`,
//! `${NAME-default}`, `${NAME:?message}`, `${NAME?message}`, `${NAME:+other}`, `${NAME+other}`, and `$$` for a dollar
//! sign.
//!
//! Used for image references, which have to be known and judged before the engine runs, and for values of an env file.
//! Where the compose program goes beyond its documentation this follows the program (the package compose-go 2.4.8), for
//! it is the one that starts the image: a dollar sign before anything else stays; defaults and messages are read even
//! where they are not used; an expression ends at the brace that balances the braces in it, else at the last one of
//! its line; a name may hold the two letters beyond ASCII that are `s` and `k` in another case.

use zeroize::Zeroizing;

/// Levels of defaults in defaults.
const MAX_DEPTH: usize = 32;

/// Names that are remembered of one text.
const MAX_NAMES: usize = 8;

/// Why a text cannot be replaced.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fault {
    /// `${` without a name, with an unknown operator or without its end.
    Malformed,
    /// The text demands this variable, and it is not set.
    Missing(String),
    /// The result is longer than allowed, or defaults are nested too deeply.
    TooLarge,
}

/// A text with its variables replaced.
#[derive(Debug)]
pub struct Interpolated {
    /// The result; may hold values of the contract.
    pub text: Zeroizing<String>,
    /// The variables that were looked up for it; the first eight.
    pub names: Vec<String>,
    /// Those of them that are not set and stand there without a default or another operator: they are empty.
    pub unset: Vec<String>,
}

/// Replaces the variables in `text`; the result has at most `bound` bytes.
///
/// ```
/// use countersign_plan::workload::interpolate::interpolate;
///
/// let lookup = |name: &str| (name == "TAG").then_some("v2");
/// let made = interpolate("registry/app:${TAG:-latest}", 100, &lookup).unwrap();
/// assert_eq!(made.text.as_str(), "registry/app:v2");
/// ```
///
/// # Errors
/// [`Fault`], the first.
pub fn interpolate<'a>(
    text: &str,
    bound: usize,
    lookup: &dyn Fn(&str) -> Option<&'a str>,
) -> Result<Interpolated, Fault> {
    // Once to count, so that the result is allocated at its size: a buffer that grows leaves copies of values behind.
    let mut size = 0;
    let mut reader = Reader { lookup, names: Vec::new(), unset: Vec::new(), room: bound };
    reader.read(text, 0, Some(&mut |piece| size += piece.len()))?;
    let Reader { names, unset, .. } = reader;
    let mut result = Zeroizing::new(String::with_capacity(size));
    let mut again = Reader { lookup, names: Vec::new(), unset: Vec::new(), room: bound };
    again.read(text, 0, Some(&mut |piece| result.push_str(piece)))?;
    Ok(Interpolated { text: result, names, unset })
}

/// Takes the pieces of the result; absent where a default or a message is read for its faults alone.
type Emit<'e> = Option<&'e mut dyn FnMut(&str)>;

struct Reader<'l, 'a> {
    lookup: &'l dyn Fn(&str) -> Option<&'a str>,
    names: Vec<String>,
    unset: Vec<String>,
    /// Bytes that the result may still have.
    room: usize,
}

impl<'a> Reader<'_, 'a> {
    fn read(&mut self, text: &str, depth: usize, mut emit: Emit<'_>) -> Result<(), Fault> {
        if depth > MAX_DEPTH {
            return Err(Fault::TooLarge);
        }
        let mut at = 0;
        // The end of the current line and the last closing brace on it.
        let mut line = (0, None);
        while let Some(dollar) = text[at..].find('$').map(|offset| at + offset) {
            self.emit(&text[at..dollar], &mut emit)?;
            at = dollar + 1;
            let rest = &text[at..];
            if rest.starts_with('$') {
                self.emit("$", &mut emit)?;
                at += 1;
            } else if rest.starts_with('{') {
                if at >= line.0 {
                    let end = rest.find('\n').map_or(text.len(), |offset| at + offset);
                    line = (end, text[at..end].rfind('}').map(|offset| at + offset));
                }
                at += self.expression(
                    rest,
                    line.1.and_then(|brace: usize| brace.checked_sub(at)),
                    depth,
                    &mut emit,
                )?;
            } else {
                let end = name_end(rest);
                if end == 0 {
                    self.emit("$", &mut emit)?;
                } else {
                    let value = self.value(&rest[..end], emit.is_some());
                    self.emit(value.unwrap_or_default(), &mut emit)?;
                    at += end;
                }
            }
        }
        self.emit(&text[at..], &mut emit)
    }

    /// What stands behind the dollar sign of `${…}`, with the last closing brace of its line; how long it is.
    fn expression(
        &mut self,
        text: &str,
        last: Option<usize>,
        depth: usize,
        emit: &mut Emit<'_>,
    ) -> Result<usize, Fault> {
        let name_end = 1 + name_end(&text[1..]);
        let (name, rest) = (&text[1..name_end], &text[name_end..]);
        if name.is_empty() {
            return Err(Fault::Malformed);
        }
        if rest.starts_with('}') {
            let value = self.value(name, emit.is_some());
            self.emit(value.unwrap_or_default(), emit)?;
            return Ok(name_end + 1);
        }
        let (filled, symbol) = match rest.strip_prefix(':') {
            Some(rest) => (true, rest.chars().next()),
            None => (false, rest.chars().next()),
        };
        let symbol = symbol.filter(|symbol| "-+?".contains(*symbol)).ok_or(Fault::Malformed)?;
        let begin = name_end + usize::from(filled) + 1;
        let last = last.filter(|last| *last >= begin).ok_or(Fault::Malformed)?;
        let end = balance(&text.as_bytes()[..=last]).unwrap_or(last);
        let operand = &text[begin..end];
        let value = self.named(name, emit.is_some());
        let present = value.filter(|value| !filled || !value.is_empty());
        match (symbol, present) {
            ('-', None) | ('+', Some(_)) => {
                let emit: Emit<'_> = match emit {
                    Some(emit) => Some(&mut **emit),
                    None => None,
                };
                self.read(operand, depth + 1, emit)?;
            }
            (_, present) => {
                self.read(operand, depth + 1, None)?;
                match (symbol, present) {
                    ('?', None) => return Err(Fault::Missing(name.to_owned())),
                    // What is set and empty, or not set: nothing either way.
                    ('+', _) => {}
                    (_, present) => self.emit(present.unwrap_or_default(), emit)?,
                }
            }
        }
        Ok(end + 1)
    }

    /// The value of a variable alone.
    fn value(&mut self, name: &str, counts: bool) -> Option<&'a str> {
        let value = self.named(name, counts);
        if counts && value.is_none() {
            note(&mut self.unset, name);
        }
        value
    }

    /// The value of a variable with an operator.
    fn named(&mut self, name: &str, counts: bool) -> Option<&'a str> {
        if counts {
            note(&mut self.names, name);
        }
        (self.lookup)(name)
    }

    fn emit(&mut self, piece: &str, emit: &mut Emit<'_>) -> Result<(), Fault> {
        if let Some(emit) = emit {
            self.room = self.room.checked_sub(piece.len()).ok_or(Fault::TooLarge)?;
            emit(piece);
        }
        Ok(())
    }
}

/// Keeps a name, once.
fn note(list: &mut Vec<String>, name: &str) {
    if list.len() < MAX_NAMES && !list.iter().any(|known| known == name) {
        list.push(name.to_owned());
    }
}

/// Where the name at the start of `text` ends.
fn name_end(text: &str) -> usize {
    // The program's pattern ignores case, and these two are other cases of s and k.
    let letter =
        |letter: char| letter.is_ascii_alphabetic() || matches!(letter, '_' | '\u{17f}' | '\u{212a}');
    let mut letters = text.char_indices();
    match letters.next() {
        Some((_, first)) if letter(first) => {}
        _ => return 0,
    }
    letters.find(|(_, other)| !letter(*other) && !other.is_ascii_digit()).map_or(text.len(), |(at, _)| at)
}

/// Where the brace stands that balances the first one. The program looks at no letter that follows an opening brace.
fn balance(text: &[u8]) -> Option<usize> {
    let mut open = 0;
    let mut at = 0;
    while at < text.len() {
        match text[at] {
            b'}' if open == 1 => return Some(at),
            b'}' => open -= 1,
            b'{' => {
                open += 1;
                at += 1;
            }
            _ => {}
        }
        at += 1;
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Interpolated, Fault> {
        interpolate(text, 1000, &|name| match name {
            "REGISTRY" => Some("registry.example.org"),
            "EMPTY" => Some(""),
            "\u{17f}" => Some("long s"),
            _ => None,
        })
    }

    fn with(text: &str) -> Result<String, Fault> {
        read(text).map(|read| read.text.to_string())
    }

    #[test]
    fn the_documented_forms() {
        for (text, expected) in [
            ("plain", "plain"),
            ("${REGISTRY}/app", "registry.example.org/app"),
            ("$REGISTRY/app", "registry.example.org/app"),
            ("a$$b", "a$b"),
            ("$${REGISTRY}", "${REGISTRY}"),
            ("${MISSING}/app", "/app"),
            ("${MISSING:-x}", "x"),
            ("${EMPTY:-x}", "x"),
            ("${EMPTY-x}", ""),
            ("${MISSING:-${REGISTRY}}", "registry.example.org"),
            ("${MISSING-}${EMPTY:-}", ""),
            ("${REGISTRY:+y}", "y"),
            ("${EMPTY:+y}", ""),
            ("${MISSING+y}", ""),
            ("${EMPTY+y}", "y"),
            ("${REGISTRY:?needed}", "registry.example.org"),
            ("${EMPTY?needed}", ""),
        ] {
            assert_eq!(with(text).as_deref(), Ok(expected), "{text}");
        }
    }

    /// Held against the program itself by the test `compose_program`.
    #[test]
    fn what_the_program_does_beyond_its_documentation() {
        for (text, expected) in [
            ("$1 $( $", "$1 $( $"),
            ("${MISSING:-${EMPTY:-z}}}", "z}"),
            ("${MISSING:-{}}", "{}"),
            ("${MISSING:-{a}}", "{a}"),
            ("${REGISTRY+a} b}", "a b}"),
            ("${MISSING-a\nb}", ""),
            ("$\u{17f}", "long s"),
        ] {
            match expected {
                "" => assert_eq!(with(text), Err(Fault::Malformed), "{text}"),
                expected => assert_eq!(with(text).as_deref(), Ok(expected), "{text}"),
            }
        }
    }

    #[test]
    fn malformed_text_and_missing_demands_are_told_apart() {
        let missing = |name: &str| Err(Fault::Missing(name.to_owned()));
        for (text, expected) in [
            ("${MISSING:?needed}", missing("MISSING")),
            ("${EMPTY:?needed}", missing("EMPTY")),
            ("${REGISTRY:-${MISSING?x}}", missing("MISSING")),
            ("${REGISTRY", Err(Fault::Malformed)),
            ("${REGISTRY:-x", Err(Fault::Malformed)),
            ("${}", Err(Fault::Malformed)),
            ("${REGISTRY!x}", Err(Fault::Malformed)),
            ("${REGISTRY:x}", Err(Fault::Malformed)),
            ("${1}", Err(Fault::Malformed)),
        ] {
            assert_eq!(with(text), expected, "{text}");
        }
    }

    #[test]
    fn the_variables_that_decided_are_named() {
        let read = read("${MISSING}/${REGISTRY:-${UNUSED}}:${MISSING:-${OTHER}}").unwrap();
        assert_eq!(read.names, ["MISSING", "REGISTRY", "OTHER"]);
        assert_eq!(read.unset, ["MISSING", "OTHER"]);
    }

    #[test]
    fn nothing_grows_beyond_its_bound() {
        assert_eq!(with(&"$REGISTRY".repeat(51)), Err(Fault::TooLarge));
        assert_eq!(with(&format!("{}{}", "${A:-".repeat(33), "}".repeat(33))), Err(Fault::TooLarge));
        assert_eq!(with(&format!("{}{}", "${A:-".repeat(32), "}".repeat(32))).as_deref(), Ok(""));
    }
}
