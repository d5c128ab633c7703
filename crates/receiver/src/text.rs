//! Small readings of a line's text, and making foreign text fit to be shown.

/// What a stage line begins with, after whatever a terminal put before it.
pub const MARKER: &str = "countersign: stage=";
/// Letters of a text that are kept.
const LETTERS: usize = 300;

/// Splits `HPLccnnnX` off a line that begins with one.
pub fn code(line: &str) -> Option<(&str, &str)> {
    let (code, rest) = line.split_at_checked(9)?;
    let bytes = code.as_bytes();
    let formed = code.starts_with("HPL")
        && bytes[3..8].iter().all(u8::is_ascii_digit)
        && matches!(bytes[8], b'E' | b'W' | b'I')
        && rest.starts_with([':', ' ']);
    formed.then(|| (code, rest.trim_start_matches([':', ' '])))
}

/// A text on one line, without control characters and what turns the direction of writing, cut.
pub fn tame(text: &str) -> String {
    let text = text.trim();
    let mut tamed: String = text.chars().take(LETTERS).map(plain).collect();
    if text.chars().nth(LETTERS).is_some() {
        tamed.push('…');
    }
    tamed
}

/// A letter as a terminal may get it; a space for one that it may not.
fn plain(letter: char) -> char {
    match letter {
        // Unicode's bidirectional controls: they show a line as something else than it is.
        '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' => ' ',
        letter if letter.is_control() => ' ',
        letter => letter,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_code_stands_at_the_beginning_and_is_whole() {
        assert_eq!(code("HPL10001I: runs"), Some(("HPL10001I", "runs")));
        assert_eq!(code("HPL05001E /env/a: expected"), Some(("HPL05001E", "/env/a: expected")));
        for text in ["HPL10001I", "HPL1000\u{e9}I: x", "see HPL10001I: x", "HPL10001X: x", "HPL100011: x", ""]
        {
            assert_eq!(code(text), None, "{text}");
        }
    }

    #[test]
    fn what_is_shown_cannot_steer_a_terminal() {
        assert_eq!(tame(" a\u{1b}[2J\nb\u{202e}c "), "a [2J b c");
        assert_eq!(tame(&"x".repeat(400)).chars().count(), 301);
    }
}
