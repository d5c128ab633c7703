//! What a verb answers, and what it says beside its result.

use std::io::{IsTerminal, Write};

/// What a verb answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Answer {
    Yes,
    No,
}

/// Says something beside the result, on standard error.
pub(crate) fn note(text: &str) {
    // Without standard error there is nobody to tell.
    let _ = writeln!(std::io::stderr(), "countersign: {}", tame(text));
}

/// A colour that a terminal has for a word; in bold, so that it is told from the rest without the colour as well.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Colour {
    Red,
    Green,
    Yellow,
    Cyan,
}

impl Colour {
    /// Whether this stream is a terminal that is to have colours: <https://no-color.org>, and no `dumb` one.
    pub(crate) fn wanted(stream: &impl IsTerminal) -> bool {
        let set = |name: &str| std::env::var_os(name).filter(|value| !value.is_empty());
        stream.is_terminal() && set("NO_COLOR").is_none() && set("TERM").is_none_or(|term| term != "dumb")
    }

    /// The text in this colour, if colours are wanted.
    pub(crate) fn paint(self, text: &str, wanted: bool) -> String {
        let number = match self {
            Colour::Red => 31,
            Colour::Green => 32,
            Colour::Yellow => 33,
            Colour::Cyan => 36,
        };
        if wanted { format!("\u{1b}[1;{number}m{text}\u{1b}[0m") } else { text.to_owned() }
    }
}

/// A text that goes to a terminal, its control characters escaped.
pub(crate) fn tame(text: &str) -> String {
    let mut tamed = String::with_capacity(text.len());
    for letter in text.chars() {
        if letter.is_control() && letter != '\n' {
            tamed.extend(letter.escape_unicode());
        } else {
            tamed.push(letter);
        }
    }
    tamed
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_terminal_gets_no_control_characters() {
        assert_eq!(tame("a\u{1b}[2Jb\nc"), "a\\u{1b}[2Jb\nc");
    }
}
