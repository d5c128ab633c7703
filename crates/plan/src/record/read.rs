//! Reads a record, of this program or of any generation of HPCR, line by line.
//!
//! What a line means is decided here, what to think of it in [`compare`](super::compare). Lines that nobody knows are kept:
//! a later version may have more. What no generation writes is refused: too much, control characters, a digest that is
//! none, the same thing said twice.

use std::collections::BTreeSet;

use super::build::is_digest;
use super::first;
use super::name::Name;
use super::{MAX_BYTES, MAX_LINE, MAX_LINES};

/// Why a text is no record.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RecordError {
    /// More than [`MAX_BYTES`].
    #[error("expected a record of at most {MAX_BYTES} bytes")]
    Bytes,
    /// More than [`MAX_LINES`].
    #[error("expected a record of at most {MAX_LINES} lines")]
    Lines,
    /// A line that is longer than [`MAX_LINE`].
    #[error("line {0}: expected at most {MAX_LINE} bytes")]
    Line(usize),
    /// Not UTF-8, or a control character.
    #[error("line {0}: expected text without control characters")]
    Text(usize),
    /// No version in the first line.
    #[error("line 1: expected the version of the image, such as 26.7.1")]
    Version,
    /// An empty line.
    #[error("line {0}: expected no empty line")]
    Empty(usize),
    /// A name without the digest that belongs to it.
    #[error("line {0}: expected 64 hexadecimal digits, one blank and a name")]
    Digest(usize),
    /// The same digest or fact twice.
    #[error("line {0}: expected each line once, found the same name again")]
    Twice(usize),
    /// Nothing but a version: no digest at all.
    #[error("expected digests in the record, found none")]
    Nothing,
    /// Our lines, of a format that is not known here.
    #[error("line {0}: expected a record of format 1; use the countersign of the image's version")]
    Format(usize),
}

/// A fact in the lines of information.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
#[non_exhaustive]
pub enum Fact {
    /// Type, plant and serial number of the machine.
    Machine,
    /// Days since the image was built.
    ImageAge,
    /// End of the encryption certificate.
    EncryptionEnd,
    /// End of the attestation certificate.
    AttestationEnd,
    /// What the Ultravisor calls the guest's configuration.
    Configuration,
    /// The host key document that was used.
    HostKey,
    /// Its end.
    HostKeyEnd,
    /// Whether there is a crypto device.
    ApPresent,
    /// How many there are.
    ApCount,
    /// Ours: the form of our lines.
    Format,
    /// Ours: the form of a final record's lines.
    FinalFormat,
    /// Ours: whether the contract is signed.
    Signed,
    /// Ours: the contract's serial.
    Serial,
    /// Ours: whether the signature covers the auditor's key.
    Auditor,
    /// Ours: what the image accepts.
    Accepts,
    /// Ours: the image has no attestation key.
    NotSigned,
    /// Ours: the public half of the boot's key.
    FinalKey,
    /// Ours: a warning.
    Warning,
    /// Ours: a volume.
    Volume,
    /// Ours: an image of a container.
    ContainerImage,
}

/// Lines of the form `NAME: VALUE`, and whether there may be several.
const FACTS: [(&str, Fact, bool); 17] = [
    ("Machine Type/Plant/Serial", Fact::Machine, false),
    ("Image age", Fact::ImageAge, false),
    ("Encryption Certificate valid until", Fact::EncryptionEnd, false),
    ("Attestation Certificate valid until", Fact::AttestationEnd, false),
    ("Ultravisor CUID", Fact::Configuration, false),
    ("Host HKD", Fact::HostKey, false),
    ("HKD is valid until", Fact::HostKeyEnd, false),
    ("AP device present", Fact::ApPresent, false),
    ("Number of configured APs", Fact::ApCount, false),
    ("Countersign record", Fact::Format, false),
    ("Countersign final record", Fact::FinalFormat, false),
    ("Contract serial", Fact::Serial, false),
    ("Auditor's key", Fact::Auditor, false),
    ("Image accepts", Fact::Accepts, true),
    ("Key of the final record", Fact::FinalKey, false),
    ("Warning", Fact::Warning, true),
    ("Volume", Fact::Volume, true),
];
/// The one whose value holds colons that belong to it.
const CONTAINER_IMAGE: &str = "Container image: ";

/// What a line says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Said {
    /// The version of the image.
    Version(String),
    /// A fact and its value; empty for one that has none.
    Fact(Fact, String),
    /// A digest and what it is of.
    Digest(Name, String),
    /// Nothing that is known here.
    Unknown(String),
}

/// A line of a record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Line {
    /// From one.
    pub number: usize,
    /// What it says.
    pub said: Said,
}

/// Whose record it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// HPCR's.
    Hpcr,
    /// The first record of a guest of ours.
    First,
    /// The final one.
    Final,
}

impl Kind {
    /// The word in reports.
    pub const fn as_str(self) -> &'static str {
        match self {
            Kind::Hpcr => "hpcr",
            Kind::First => "first",
            Kind::Final => "final",
        }
    }
}

/// A record that was read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Record {
    lines: Vec<Line>,
}

impl Record {
    /// Reads a record. A last line without a line feed counts, as HPCR 25.11.0 wrote it.
    ///
    /// # Errors
    /// [`RecordError`] with the line.
    pub fn parse(bytes: &[u8]) -> Result<Record, RecordError> {
        if bytes.len() > MAX_BYTES {
            return Err(RecordError::Bytes);
        }
        let bytes = bytes.strip_suffix(b"\n").unwrap_or(bytes);
        let mut lines = Vec::new();
        let mut seen = BTreeSet::new();
        for (index, bytes) in bytes.split(|byte| *byte == b'\n').enumerate() {
            let number = index + 1;
            if number > MAX_LINES {
                return Err(RecordError::Lines);
            }
            if bytes.len() > MAX_LINE {
                return Err(RecordError::Line(number));
            }
            let text = std::str::from_utf8(bytes).map_err(|_| RecordError::Text(number))?;
            if text.chars().any(char::is_control) {
                return Err(RecordError::Text(number));
            }
            let said = if index == 0 { version(text)? } else { say(text, number)? };
            if !once(&said, &mut seen) {
                return Err(RecordError::Twice(number));
            }
            lines.push(Line { number, said });
        }
        if !lines.iter().any(|line| matches!(line.said, Said::Digest(..))) {
            return Err(RecordError::Nothing);
        }
        Ok(Record { lines })
    }

    /// The version of the image.
    pub fn version(&self) -> &str {
        match self.lines.first().map(|line| &line.said) {
            Some(Said::Version(version)) => version,
            _ => "",
        }
    }

    /// All lines, in their order.
    pub fn lines(&self) -> &[Line] {
        &self.lines
    }

    /// Whose it is.
    pub fn kind(&self) -> Kind {
        if self.fact(Fact::FinalFormat).is_some() {
            Kind::Final
        } else if self.fact(Fact::Format).is_some() {
            Kind::First
        } else {
            Kind::Hpcr
        }
    }

    /// The value of a fact, the first of several.
    pub fn fact(&self, wanted: Fact) -> Option<&str> {
        self.facts(wanted).next()
    }

    /// The values of a fact.
    pub fn facts(&self, wanted: Fact) -> impl Iterator<Item = &str> {
        self.lines.iter().filter_map(move |line| match &line.said {
            Said::Fact(fact, value) if *fact == wanted => Some(value.as_str()),
            _ => None,
        })
    }

    /// The digest of something.
    pub fn digest(&self, wanted: &Name) -> Option<&str> {
        self.lines.iter().find_map(|line| match &line.said {
            Said::Digest(name, digest) if name == wanted => Some(digest.as_str()),
            _ => None,
        })
    }
}

fn version(text: &str) -> Result<Said, RecordError> {
    let good = |byte: u8| byte.is_ascii_alphanumeric() || b".+-~_".contains(&byte);
    if text.is_empty() || text.len() > 64 || !text.bytes().all(good) {
        return Err(RecordError::Version);
    }
    Ok(Said::Version(text.to_owned()))
}

fn say(text: &str, number: usize) -> Result<Said, RecordError> {
    if text.trim().is_empty() {
        return Err(RecordError::Empty(number));
    }
    match text {
        first::SIGNED => return Ok(Said::Fact(Fact::Signed, "yes".to_owned())),
        first::NOT_SIGNED => return Ok(Said::Fact(Fact::Signed, "no".to_owned())),
        first::RECORD_NOT_SIGNED => return Ok(Said::Fact(Fact::NotSigned, String::new())),
        _ => {}
    }
    if let Some(value) = text.strip_prefix(CONTAINER_IMAGE) {
        return Ok(Said::Fact(Fact::ContainerImage, value.to_owned()));
    }
    if let Some((digest, name)) = text.split_once(' ')
        && is_digest(digest)
    {
        return match name.trim_end_matches(' ') {
            "" => Err(RecordError::Digest(number)),
            name if name.starts_with(' ') => Err(RecordError::Digest(number)),
            name => Ok(Said::Digest(Name::parse(name), digest.to_owned())),
        };
    }
    if let Some((name, value)) = text.split_once(": ")
        && let Some((_, fact, _)) = FACTS.iter().find(|(known, ..)| *known == name)
    {
        let value = value.trim_end_matches(' ').to_owned();
        let format = matches!(fact, Fact::Format | Fact::FinalFormat);
        if format && value != first::FORMAT {
            return Err(RecordError::Format(number));
        }
        return Ok(Said::Fact(*fact, value));
    }
    // What stands before a name that is known is a digest or nothing.
    if let Some((before, name)) = text.split_once(' ')
        && !before.ends_with(':')
        && !matches!(Name::parse(name), Name::Other(_))
    {
        return Err(RecordError::Digest(number));
    }
    Ok(Said::Unknown(text.to_owned()))
}

/// Whether this was not said before.
fn once(said: &Said, seen: &mut BTreeSet<String>) -> bool {
    match said {
        Said::Version(_) | Said::Unknown(_) => true,
        Said::Fact(fact, _) => {
            let several = FACTS.iter().any(|(_, known, several)| known == fact && *several);
            several || *fact == Fact::ContainerImage || seen.insert(format!("{fact:?}"))
        }
        // The same part under both spellings is the same thing.
        Said::Digest(Name::Contract { part, .. }, _) => seen.insert(format!("contract:{}", part.as_str())),
        Said::Digest(name, _) => seen.insert(name.to_string()),
    }
}

#[cfg(test)]
mod tests;
