//! A long text as numbered lines of a console or a log, and put together again.
//!
//! ```text
//! MARKER 1/3 aGVsbG8…
//! ```

/// Letters of the text in a line; with the rest it fits into one record of the kernel's log.
const LETTERS: usize = 800;
/// The most lines that are put together again: beyond any text that is cut here.
const MOST: u32 = 4096;

/// Cuts a text of ASCII letters into lines behind a marker.
pub fn cut(marker: &str, text: &str) -> Vec<String> {
    let parts = text.len().div_ceil(LETTERS);
    let mut rest = text;
    (1..=parts)
        .map(|number| {
            let (part, after) = rest.split_at(rest.len().min(LETTERS));
            rest = after;
            format!("{marker}{number}/{parts} {part}")
        })
        .collect()
}

/// The last text in a log that has all its lines, whatever stands before, between and behind them.
pub fn find(marker: &str, log: &str) -> Option<String> {
    let mut found = None;
    let (mut text, mut last, mut all) = (String::new(), 0, 0);
    for line in log.lines() {
        let Some((number, parts, part)) = line.split_once(marker).and_then(|(_, rest)| read(rest)) else {
            continue;
        };
        if number == 1 {
            (last, all) = (0, parts);
            text.clear();
        }
        // Once more, as a forwarder may send it that did not hear the server's answer.
        if number > 0 && number <= last && parts == all {
            continue;
        }
        // A gap: nothing of this text counts any more.
        if number != last + 1 || parts != all || parts > MOST {
            (last, all) = (0, 0);
            continue;
        }
        text.push_str(part);
        last = number;
        if number == parts {
            found = Some(std::mem::take(&mut text));
        }
    }
    found
}

/// Number, count and part of a line behind its marker.
fn read(line: &str) -> Option<(u32, u32, &str)> {
    let (place, part) = line.trim_end().split_once(' ')?;
    let (number, parts) = place.split_once('/')?;
    Some((number.parse().ok()?, parts.parse().ok()?, part))
}
