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
    /// A second colon where a value stands.
    Colon,
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
            Cause::Colon => Some(
                "put a value that holds a colon and a blank in quotes, or correct how this line is indented",
            ),
            Cause::Quote => Some("close the quote, and leave a blank between it and a comment"),
            Cause::Bracket => Some("close the bracket or brace, and separate what it holds by commas"),
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
