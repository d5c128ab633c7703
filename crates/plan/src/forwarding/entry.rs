//! Entries of the journal out of the bytes of `journalctl --output=export`.
//!
//! Follows the Journal Export Format of systemd (<https://systemd.io/JOURNAL_EXPORT_FORMATS/>): an entry is a run of
//! fields that ends with an empty line; a field is `NAME=value` and a line feed, or, where the value may hold anything,
//! `NAME`, a line feed, its length as 64 bits little-endian, the value, a line feed. The bytes come in pieces of any
//! size. Of each value no more is kept than can be sent, however long it is.

use serde::{Deserialize, Serialize};

/// Bytes of a message that are kept; longer ones are cut.
pub const MESSAGE_BYTES: usize = 64 << 10;

/// Bytes of any other value that are kept: above a cursor (some 160) and every identifier that can be sent.
const VALUE_BYTES: usize = 512;

/// The longest name that journald accepts for a field.
const NAME_BYTES: usize = 64;

/// Fields to ask `journalctl` for; it adds the cursor, the times and the number by itself.
pub const FIELDS: &str = "MESSAGE,PRIORITY,SYSLOG_FACILITY,SYSLOG_IDENTIFIER,SYSLOG_PID,_COMM,_PID,CONTAINER_NAME,\
                          CONTAINER_ID,CONTAINER_PARTIAL_MESSAGE,IMAGE_NAME,_TRANSPORT,_SYSTEMD_UNIT,_EXE,\
                          _SOURCE_MONOTONIC_TIMESTAMP";

/// What of an entry of the journal concerns the log server.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Entry {
    /// Where the entry stands: what `journalctl --after-cursor` takes.
    pub cursor: String,
    /// Its number in the journal, which leaves none out; none before systemd 254.
    pub number: Option<u64>,
    /// When journald took it, microseconds since 1970 by the guest's clock.
    pub realtime: u64,
    /// The same, microseconds since the kernel started.
    pub monotonic: u64,
    /// Severity, 0 to 7.
    pub severity: Option<u8>,
    /// Facility, 0 to 23.
    pub facility: Option<u8>,
    /// Name of the container.
    #[serde(with = "bytes")]
    pub container: Vec<u8>,
    /// Id of the container.
    #[serde(with = "bytes")]
    pub container_id: Vec<u8>,
    /// Name of its image.
    #[serde(with = "bytes")]
    pub image: Vec<u8>,
    /// Name that the program gives itself.
    #[serde(with = "bytes")]
    pub identifier: Vec<u8>,
    /// Name of the process.
    #[serde(with = "bytes")]
    pub command: Vec<u8>,
    /// Process id that the program gives.
    #[serde(with = "bytes")]
    pub process: Vec<u8>,
    /// The message, at most [`MESSAGE_BYTES`] of it.
    #[serde(with = "bytes")]
    pub message: Vec<u8>,
    /// Bytes of the whole message.
    pub message_length: u64,
    /// Whether the line of the container goes on in a later entry.
    pub partial: bool,
    /// Process id of who wrote the entry, as the kernel knows it.
    #[serde(with = "bytes")]
    pub writer: Vec<u8>,
    /// How journald got it: `journal`, `stdout`, `syslog`, `kernel`, …
    #[serde(with = "bytes")]
    pub transport: Vec<u8>,
    /// Unit of who wrote it, as journald knows it.
    #[serde(with = "bytes")]
    pub unit: Vec<u8>,
    /// Path of the program that wrote it, as journald knows it.
    #[serde(with = "bytes")]
    pub program: Vec<u8>,
    /// When the kernel took it into its log, microseconds since it started, by the kernel's own word.
    pub kernel_time: Option<u64>,
    /// Made here, in no journal.
    #[serde(default)]
    pub own: bool,
}

/// Bytes that are mostly text, as a string: each byte is the character of that number.
mod bytes {
    use serde::de::Error;
    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    pub(super) fn serialize<S: Serializer>(bytes: &[u8], serializer: S) -> Result<S::Ok, S::Error> {
        bytes.iter().map(|byte| char::from(*byte)).collect::<String>().serialize(serializer)
    }

    pub(super) fn deserialize<'d, D: Deserializer<'d>>(deserializer: D) -> Result<Vec<u8>, D::Error> {
        let text = String::deserialize(deserializer)?;
        let bytes: Result<_, _> = text.chars().map(u8::try_from).collect();
        bytes.map_err(|_| D::Error::custom("expected characters up to U+00FF"))
    }
}

/// The bytes are not the export format.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("expected the journal in its export format")]
pub struct Malformed;

/// The fields that matter.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Field {
    Cursor,
    Number,
    Realtime,
    Monotonic,
    Severity,
    Facility,
    Container,
    ContainerId,
    Image,
    Identifier,
    Command,
    Process,
    Message,
    Partial,
    Writer,
    Transport,
    Unit,
    Program,
    KernelTime,
    Other,
}

impl Field {
    fn named(name: &[u8]) -> Field {
        match name {
            b"__CURSOR" => Field::Cursor,
            b"__SEQNUM" => Field::Number,
            b"__REALTIME_TIMESTAMP" => Field::Realtime,
            b"__MONOTONIC_TIMESTAMP" => Field::Monotonic,
            b"PRIORITY" => Field::Severity,
            b"SYSLOG_FACILITY" => Field::Facility,
            b"CONTAINER_NAME" => Field::Container,
            b"CONTAINER_ID" => Field::ContainerId,
            b"IMAGE_NAME" => Field::Image,
            b"SYSLOG_IDENTIFIER" => Field::Identifier,
            b"_COMM" => Field::Command,
            b"SYSLOG_PID" => Field::Process,
            b"MESSAGE" => Field::Message,
            b"CONTAINER_PARTIAL_MESSAGE" => Field::Partial,
            b"_PID" => Field::Writer,
            b"_TRANSPORT" => Field::Transport,
            b"_SYSTEMD_UNIT" => Field::Unit,
            b"_EXE" => Field::Program,
            b"_SOURCE_MONOTONIC_TIMESTAMP" => Field::KernelTime,
            _ => Field::Other,
        }
    }

    /// Bytes of the value that are kept.
    fn room(self) -> usize {
        match self {
            Field::Message => MESSAGE_BYTES,
            Field::Other => 0,
            _ => VALUE_BYTES,
        }
    }
}

/// Where in the format the next byte stands.
#[derive(Debug, Clone, Copy)]
enum State {
    /// In the name of a field, or at the empty line behind the last one.
    Name,
    /// In a value that ends with its line.
    Text(Field),
    /// In the length of a value.
    Length(Field, [u8; 8], usize),
    /// In a value with so many bytes left.
    Binary(Field, u64),
    /// At the line feed behind such a value.
    End(Field),
}

/// Takes bytes, gives entries.
#[derive(Debug)]
pub struct Parser {
    state: State,
    /// The name or value that is being read, as far as it is kept.
    kept: Vec<u8>,
    /// Bytes of the value so far.
    length: u64,
    entry: Entry,
    /// Whether the entry has a field.
    begun: bool,
    /// Whether it has a message; of several the first counts.
    message: bool,
}

impl Default for Parser {
    fn default() -> Parser {
        Parser {
            state: State::Name,
            kept: Vec::new(),
            length: 0,
            entry: Entry::default(),
            begun: false,
            message: false,
        }
    }
}

impl Parser {
    /// The next whole entry; takes what it has read off the front of `input`. Nothing where all of `input` was read
    /// and the entry goes on in bytes to come.
    ///
    /// # Errors
    /// The bytes are something else, or an entry has no cursor or no time.
    pub fn next(&mut self, input: &mut &[u8]) -> Result<Option<Entry>, Malformed> {
        while let Some(first) = input.first() {
            match self.state {
                State::Name => {
                    if *first == b'\n' && self.kept.is_empty() {
                        *input = &input[1..];
                        if let Some(entry) = self.ended()? {
                            return Ok(Some(entry));
                        }
                        continue;
                    }
                    self.name(input)?;
                }
                State::Text(field) => {
                    let end = input.iter().position(|byte| *byte == b'\n');
                    self.keep(field, &input[..end.unwrap_or(input.len())]);
                    *input = &input[end.map_or(input.len(), |end| end + 1)..];
                    if end.is_some() {
                        self.store(field)?;
                    }
                }
                State::Length(field, mut bytes, count) => {
                    bytes[count] = *first;
                    *input = &input[1..];
                    self.state = match count {
                        7 => State::Binary(field, u64::from_le_bytes(bytes)),
                        _ => State::Length(field, bytes, count + 1),
                    };
                }
                State::Binary(field, 0) => self.state = State::End(field),
                State::Binary(field, left) => {
                    let taken = usize::try_from(left).map_or(input.len(), |left| left.min(input.len()));
                    self.keep(field, &input[..taken]);
                    *input = &input[taken..];
                    self.state = State::Binary(field, left - taken as u64);
                }
                State::End(field) => {
                    if *first != b'\n' {
                        return Err(Malformed);
                    }
                    *input = &input[1..];
                    self.store(field)?;
                }
            }
        }
        Ok(None)
    }

    fn name(&mut self, input: &mut &[u8]) -> Result<(), Malformed> {
        let end = input.iter().position(|byte| matches!(byte, b'=' | b'\n'));
        let part = &input[..end.unwrap_or(input.len())];
        if self.kept.len() + part.len() > NAME_BYTES || (end == Some(0) && self.kept.is_empty()) {
            return Err(Malformed);
        }
        self.kept.extend_from_slice(part);
        if let Some(end) = end {
            let field = Field::named(&self.kept);
            self.kept.clear();
            self.state = match input[end] {
                b'=' => State::Text(field),
                _ => State::Length(field, [0; 8], 0),
            };
        }
        *input = &input[end.map_or(input.len(), |end| end + 1)..];
        Ok(())
    }

    fn keep(&mut self, field: Field, bytes: &[u8]) {
        let room = field.room() - self.kept.len();
        self.kept.extend_from_slice(&bytes[..bytes.len().min(room)]);
        self.length += bytes.len() as u64;
    }

    /// The field is whole.
    fn store(&mut self, field: Field) -> Result<(), Malformed> {
        let value = std::mem::take(&mut self.kept);
        let length = std::mem::take(&mut self.length);
        self.state = State::Name;
        self.begun = true;
        let entry = &mut self.entry;
        let number = || text(&value).and_then(|text| text.parse::<u64>().ok());
        // Whoever writes to the journal may give a field twice or with nonsense in it.
        let first = |place: &mut Vec<u8>| {
            if place.is_empty() {
                place.clone_from(&value);
            }
        };
        match field {
            Field::Cursor => {
                let fits = |cursor: &&str| {
                    length < VALUE_BYTES as u64 && cursor.bytes().all(|byte| byte.is_ascii_graphic())
                };
                entry.cursor = text(&value).filter(fits).ok_or(Malformed)?.to_owned();
            }
            Field::Number => entry.number = number(),
            Field::Realtime => entry.realtime = number().ok_or(Malformed)?,
            Field::Monotonic => entry.monotonic = number().ok_or(Malformed)?,
            Field::Severity => entry.severity = entry.severity.or_else(|| below(number(), 8)),
            Field::Facility => entry.facility = entry.facility.or_else(|| below(number(), 24)),
            Field::Container => first(&mut entry.container),
            Field::ContainerId => first(&mut entry.container_id),
            Field::Image => first(&mut entry.image),
            Field::Identifier => first(&mut entry.identifier),
            Field::Command => first(&mut entry.command),
            Field::Process => first(&mut entry.process),
            Field::Partial => entry.partial |= value == b"true",
            Field::Writer => first(&mut entry.writer),
            Field::Transport => first(&mut entry.transport),
            Field::Unit => first(&mut entry.unit),
            Field::Program => first(&mut entry.program),
            Field::KernelTime => entry.kernel_time = entry.kernel_time.or_else(number),
            Field::Message if !self.message => {
                self.message = true;
                entry.message = value;
                entry.message_length = length;
            }
            Field::Message | Field::Other => {}
        }
        Ok(())
    }

    /// An empty line: the entry is whole, or there was none.
    fn ended(&mut self) -> Result<Option<Entry>, Malformed> {
        if !std::mem::take(&mut self.begun) {
            return Ok(None);
        }
        self.message = false;
        let entry = std::mem::take(&mut self.entry);
        if entry.cursor.is_empty() || entry.realtime == 0 { Err(Malformed) } else { Ok(Some(entry)) }
    }
}

fn text(bytes: &[u8]) -> Option<&str> {
    std::str::from_utf8(bytes).ok()
}

fn below(number: Option<u64>, limit: u8) -> Option<u8> {
    number.and_then(|number| u8::try_from(number).ok()).filter(|number| *number < limit)
}

#[cfg(test)]
pub(crate) mod tests;
