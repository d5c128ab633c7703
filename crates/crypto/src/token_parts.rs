//! The parts of a token of either kind, as text: taken apart, and what may be wrong with one.

use std::fmt;

use zeroize::Zeroizing;

use crate::text_form::{from_base64, is_line_break, is_white_space};

/// What is wrong with a part of a token.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PartFault {
    /// There is nothing in it.
    Empty,
    /// White space inside, which is none of the line breaks that mean nothing.
    WhiteSpace,
    /// Not base64 for another reason, or too short.
    Form,
}

impl fmt::Display for PartFault {
    /// Goes on where the name of the part ends.
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(match self {
            Self::Empty => ": it is empty",
            Self::WhiteSpace => ", without blanks in it",
            Self::Form => "",
        })
    }
}

/// Both parts behind the prefix, or how many parts there are.
pub(crate) fn halves(rest: &str) -> Result<(&str, &str), usize> {
    match rest.split_once('.') {
        None => Err(2),
        Some((_, last)) if last.contains('.') => Err(rest.split('.').count() + 1),
        Some(halves) => Ok(halves),
    }
}

/// The bytes of a part. Line breaks mean nothing, as `base64 -d` has it.
pub(crate) fn bytes(part: &str) -> Result<Zeroizing<Vec<u8>>, PartFault> {
    if part.bytes().all(is_white_space) {
        return Err(PartFault::Empty);
    }
    from_base64(part, is_line_break).ok_or_else(|| match from_base64(part, is_white_space) {
        Some(_) => PartFault::WhiteSpace,
        None => PartFault::Form,
    })
}
