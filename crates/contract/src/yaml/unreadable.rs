//! Why a text is not read any further, and where.

use crate::place::Mark;

/// What ends a line.
pub(super) const BREAKS: [char; 2] = ['\n', '\r'];

/// Why a text is not read. Names no character of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Cause {
    /// A character that YAML forbids.
    ControlCharacter,
    /// U+0085, U+2028 or U+2029: YAML 1.1 ends a line there, YAML 1.2 does not.
    LineBreak,
    /// More levels than the parser counts.
    TooDeep,
    /// A directive that is not well-formed, or names another version than 1.1.
    Directive,
    /// An alias without its anchor, or an anchor without a name.
    Anchor,
    /// A tag that is not well-formed.
    Tag,
    /// A value that begins with a character that has a meaning of its own.
    Indicator,
    /// A value that begins with `{{`, which is a map in a map.
    Braces,
    /// A list or map that is closed before its line ends.
    BehindBracket,
    /// A value that begins with `|` or `>` and is no block.
    BlockHeader,
    /// A backslash in double quotes that begins no escape.
    Escape,
    /// A second colon where a value stands.
    Colon,
    /// An entry where none may stand.
    Entry,
    /// A line that is neither an entry nor part of a text.
    Line,
    /// A list that begins on the line of its key.
    Item,
    /// A line that is indented otherwise than what it belongs to.
    Indentation,
    /// A tab where only spaces may indent.
    Tab,
    /// A quote that is not closed, or something behind a closed one.
    Quote,
    /// A bracket or brace that is not closed, or not by its own kind.
    Bracket,
    /// Anything else.
    Other,
}

impl Cause {
    /// What would help, if there is more to say than to look at the place.
    pub const fn hint(self) -> Option<&'static str> {
        match self {
            Cause::Tab => Some("indent with spaces, not with tabs"),
            Cause::Indicator => Some(
                "put the value in quotes: it begins with %, @, ` or another character that yaml reserves",
            ),
            Cause::Braces => Some(
                "put the value in quotes: it begins with {{ or {%, where yaml reads a map and not a text",
            ),
            Cause::BehindBracket => Some(
                "put the value in quotes: it begins with [ or { and goes on behind the bracket that closes it",
            ),
            Cause::BlockHeader => Some(
                "put the value in quotes: it begins with | or >, behind which yaml reads a text on the lines below",
            ),
            Cause::Escape => {
                Some("write \\\\ for a backslash in double quotes, or put the value in single quotes")
            }
            Cause::Colon => {
                Some("put the value in quotes: it holds a colon and a blank, or ends with a colon")
            }
            Cause::Entry => Some(
                "indent the line as far as the others of its map; the line before it needs a blank behind its colon",
            ),
            Cause::Line => Some(
                "write name: value, with a blank behind the colon; a line of a text is indented deeper than its key",
            ),
            Cause::Item => Some("begin the list on the line below, or put the value in quotes"),
            Cause::Indentation => Some("indent the line as far as the others of its list or map"),
            Cause::Quote => Some(
                "close the quote where the value ends, and write nothing but a comment behind it; in single quotes write \
                 ' twice, in double quotes \\\"",
            ),
            Cause::Bracket => Some(
                "close the bracket or brace, and separate what it holds by commas; put a text that begins with one in \
                 quotes",
            ),
            Cause::Anchor => Some("put a text that begins with & or * in quotes"),
            Cause::Tag => Some("put a text that begins with ! in quotes"),
            Cause::Directive => Some("remove the line that begins with %"),
            Cause::LineBreak => Some(
                "end lines with LF or CRLF; write U+0085, U+2028, U+2029 as \\N, \\L, \\P in double quotes",
            ),
            _ => None,
        }
    }
}

/// A text that is not read any further.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Unreadable {
    /// Why.
    pub cause: Cause,
    /// Where.
    pub mark: Mark,
}

/// What the value at the place of an error begins with tells more than what the parser missed there.
pub(super) fn told_by_value(cause: Cause, text: &str, at: usize) -> Cause {
    if !TOLD_BY_VALUE.contains(&cause) {
        return cause;
    }
    let Some(before) = text.get(..at) else { return cause };
    let start = before.rfind(BREAKS).map_or(0, |end| end + 1);
    let line = text[start..].split(BREAKS).next().unwrap_or_default();
    if let Some(told) = told_by(cause, value(line)) {
        return told;
    }
    // At the beginning of a line, what is wrong may be the end of the one before.
    let above = before.trim_end().rsplit(BREAKS).next().unwrap_or_default();
    if text[start..at].trim().is_empty()
        && let Some(told) = told_by(cause, value(above))
    {
        return told;
    }
    if cause != Cause::Entry {
        return cause;
    }
    let entry = behind_dashes(line);
    if value(entry) != entry && is_entry(value(entry)) {
        Cause::Colon
    } else if entry != line.trim() {
        Cause::Indentation
    } else if is_entry(entry) {
        Cause::Entry
    } else {
        Cause::Line
    }
}

/// Causes for which the value counts more.
const TOLD_BY_VALUE: [Cause; 6] =
    [Cause::Other, Cause::Entry, Cause::Indentation, Cause::Bracket, Cause::Quote, Cause::Indicator];

/// What a value tells about an error in it.
fn told_by(cause: Cause, value: &str) -> Option<Cause> {
    let mut letters = value.chars();
    let (first, second) = (letters.next()?, letters.next());
    let ends = |ends: &[char]| value.trim_end().ends_with(ends);
    Some(match (first, second) {
        ('{', Some('{' | '%')) => Cause::Braces,
        _ if cause == Cause::Indicator => return None,
        ('[' | '{', _) if ends(&[']', '}', ',', '[', '{']) => Cause::Bracket,
        ('[' | '{', _) if value.contains([']', '}']) => Cause::BehindBracket,
        ('[' | '{' | ']' | '}', _) => Cause::Bracket,
        ('|' | '>', _) => Cause::BlockHeader,
        ('%' | '@' | '`' | ',', _) | ('?', Some(' ')) => Cause::Indicator,
        ('"' | '\'', _) => Cause::Quote,
        ('-', None | Some(' ')) => Cause::Item,
        ('&' | '*', _) if cause == Cause::Other => Cause::Anchor,
        ('!', _) if cause == Cause::Other => Cause::Tag,
        _ => return None,
    })
}

/// Whether a line begins with a key.
fn is_entry(line: &str) -> bool {
    line.contains(": ") || line.trim_end().ends_with(':')
}

/// The value on a line: what stands behind the dashes, or behind the first key.
fn value(line: &str) -> &str {
    let rest = behind_dashes(line);
    match rest.split_once(": ") {
        Some((key, value)) if !key.starts_with(['[', '{', '"', '\'', '|', '>']) => value.trim_start(),
        _ => rest,
    }
}

/// What stands on a line behind the dashes of a list.
fn behind_dashes(line: &str) -> &str {
    let mut rest = line.trim();
    while let Some(item) = rest.strip_prefix("- ") {
        rest = item.trim_start();
    }
    rest
}

/// Whether two braces open at a place, which is that of the second one.
pub fn begins_with_braces(text: &str, mark: Mark) -> bool {
    let index = |number: u32| usize::try_from(number).unwrap_or(usize::MAX).saturating_sub(1);
    let Some(line) = text.split('\n').nth(index(mark.line)) else { return false };
    let mut letters = line.chars().skip(index(mark.column).saturating_sub(1));
    mark.column > 1 && letters.next() == Some('{') && letters.next() == Some('{')
}
