//! The guest's console as a typed stream of events.
//!
//! The lines are the interface of `countersignd` that its README lists: stage lines, coded messages, the exit line.
//! Everything else is kept as it came. A line that carries the marker without following the format is an event of its
//! own, [`Event::Malformed`], so that a broken interface cannot pass for chatter.

use std::fmt;
use std::time::Instant;

pub use countersign_plan::report::stage::Stage;

/// What every line of the interface begins with, after whatever prefix a journal or the kernel puts before it.
pub const MARKER: &str = "countersign: ";

/// A line longer than this is cut here, in bytes; a hostile or broken guest cannot fill the harness's memory.
const LINE_LIMIT: usize = 64 * 1024;

/// How far a stage is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum State {
    /// Begun.
    Start,
    /// Ended well.
    Done,
    /// Refused or broken; the boot ends.
    Failed,
}

impl State {
    /// All of them, in their order.
    pub const ALL: [State; 3] = [State::Start, State::Done, State::Failed];

    /// The state of a name.
    pub fn find(name: &str) -> Option<State> {
        State::ALL.into_iter().find(|state| state.name() == name)
    }

    /// The name on the console.
    pub const fn name(self) -> &'static str {
        match self {
            State::Start => "start",
            State::Done => "done",
            State::Failed => "failed",
        }
    }
}

impl fmt::Display for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// A line of the console.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// `countersign: stage=… state=… key=value… ms=…`
    Stage {
        /// Which stage.
        stage: Stage,
        /// How far it is.
        state: State,
        /// The other pairs, in their order, `ms` excepted.
        fields: Vec<(String, String)>,
        /// Milliseconds since the stage began, by the guest's clock.
        ms: Option<u64>,
    },
    /// `HPLcccnnS: text`, a line for people with a stable code.
    Message {
        /// `HPL`, five digits, one of `I`, `W`, `E`.
        code: String,
        /// What follows the code.
        text: String,
    },
    /// `countersign: exit=… stage=… code=…`, the last line before power-off.
    Exit {
        /// Exit code of the program.
        status: i32,
        /// The stage that failed.
        stage: Option<Stage>,
        /// Code of the first cause.
        code: Option<String>,
    },
    /// A line with the marker that does not follow the format: a defect of the guest.
    Malformed(String),
    /// Any other line.
    Console(String),
}

impl Event {
    /// Whether it is the line of `stage` reaching `state`.
    #[must_use]
    pub fn is_stage(&self, stage: Stage, state: State) -> bool {
        matches!(self, Self::Stage { stage: s, state: t, .. } if (*s, *t) == (stage, state))
    }

    /// Whether it is a message with `code`.
    #[must_use]
    pub fn is_message(&self, code: &str) -> bool {
        matches!(self, Self::Message { code: c, .. } if c == code)
    }

    /// The value of `key` on a stage line.
    #[must_use]
    pub fn field(&self, key: &str) -> Option<&str> {
        match self {
            Self::Stage { fields, .. } => fields.iter().find(|(k, _)| k == key).map(|(_, v)| v.as_str()),
            _ => None,
        }
    }

    /// Reads one console line without its line end.
    #[must_use]
    pub fn parse(line: &str) -> Self {
        if let Some(start) = line.find(MARKER) {
            return interface_line(&line[start + MARKER.len()..])
                .unwrap_or_else(|| Self::Malformed(line.to_owned()));
        }
        if let Some((code, text)) = message(line) {
            return Self::Message { code: code.to_owned(), text: text.to_owned() };
        }
        Self::Console(line.to_owned())
    }
}

fn interface_line(text: &str) -> Option<Event> {
    let mut pairs = Vec::new();
    for word in text.split_ascii_whitespace() {
        let (key, value) = word.split_once('=')?;
        if key.is_empty() || value.is_empty() || pairs.iter().any(|&(k, _)| k == key) {
            return None;
        }
        pairs.push((key, value));
    }
    let mut take = |key: &str| pairs.iter().position(|&(k, _)| k == key).map(|at| pairs.remove(at).1);
    let stage = match take("stage") {
        Some(name) => Some(Stage::find(name)?),
        None => None,
    };
    if let Some(status) = take("exit") {
        let code = take("code").map(str::to_owned);
        return Some(Event::Exit { status: status.parse().ok()?, stage, code });
    }
    let state = State::find(take("state")?)?;
    let ms = match take("ms") {
        Some(number) => Some(number.parse().ok()?),
        None => None,
    };
    let fields = pairs.iter().map(|&(key, value)| (key.to_owned(), value.to_owned())).collect();
    Some(Event::Stage { stage: stage?, state, fields, ms })
}

/// The first message code of a line, and the text after it.
fn message(line: &str) -> Option<(&str, &str)> {
    const LENGTH: usize = "HPL00000E".len();
    line.match_indices("HPL").find_map(|(at, _)| {
        let code = line.get(at..at + LENGTH)?;
        let (digits, severity) = code["HPL".len()..].split_at_checked(5)?;
        let rest = &line[at + LENGTH..];
        let whole = !line[..at].ends_with(|c: char| c.is_ascii_alphanumeric()) && rest.starts_with(':');
        let valid = digits.bytes().all(|b| b.is_ascii_digit()) && matches!(severity, "I" | "W" | "E");
        (whole && valid).then(|| (code, rest[1..].trim()))
    })
}

/// An event with its time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Seen {
    /// When the harness read the line.
    pub at: Instant,
    /// What the line says.
    pub event: Event,
}

/// Cuts a byte stream into lines: without line ends and terminal control sequences, whatever the portions.
#[derive(Debug, Default)]
pub struct Lines {
    pending: Vec<u8>,
}

impl Lines {
    /// Takes the next portion and returns the lines that it completes.
    pub fn feed(&mut self, bytes: &[u8]) -> Vec<String> {
        let mut complete = Vec::new();
        for &byte in bytes {
            if byte != b'\n' {
                self.pending.push(byte);
            }
            if byte == b'\n' || self.pending.len() >= LINE_LIMIT {
                complete.push(clean(&std::mem::take(&mut self.pending)));
            }
        }
        complete
    }

    /// The last line, if the stream ended in the middle of one.
    pub fn finish(&mut self) -> Option<String> {
        let line = clean(&std::mem::take(&mut self.pending));
        (!line.is_empty()).then_some(line)
    }
}

/// Text of a line: control sequences (ECMA-48 CSI, OSC, two-character escapes) and other control characters go.
fn clean(bytes: &[u8]) -> String {
    let text = String::from_utf8_lossy(bytes);
    let mut out = String::with_capacity(text.len());
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        match c {
            '\u{1b}' => match chars.next() {
                Some('[') => while chars.next().is_some_and(|c| !('\u{40}'..='\u{7e}').contains(&c)) {},
                Some(']') => {
                    // Ends with BEL, or with ESC and a backslash.
                    while let Some(c) = chars.next() {
                        if c == '\u{7}' || (c == '\u{1b}' && chars.next_if_eq(&'\\').is_some()) {
                            break;
                        }
                    }
                }
                _ => {}
            },
            '\t' => out.push(c),
            c if c.is_control() => {}
            c => out.push(c),
        }
    }
    out
}

#[cfg(test)]
#[path = "events_tests.rs"]
mod tests;
