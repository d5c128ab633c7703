//! The record that a volume carries inside its encrypted file system: whose it is and which header belongs to it.
//!
//! A header comes from the host and nothing in it is authentic. The record is: its tag needs a key that is derived
//! from the volume key ([`VolumeKey::record_tag`]). So these are noticed after opening and before anything of the
//! workload runs: two volumes with the same seeds exchanged, a volume copied under another name, an older header (and
//! with it an older passphrase) put back in front of newer data.
//!
//! Not noticed: a whole disk put back as it was, since header and record are then of one time; and, on a volume
//! without `integrity`, old blocks put back one by one.
//!
//! The record also keeps the latest time at which the volume was opened, so that a clock that is set back at power-on is
//! known for what it is ([`crate::trust::time_floor`]); and the highest serial of the contracts that have opened the volume
//! (`env.countersign.serial`), so that a host cannot put an older contract back: a signed one is as good as a newer one
//! but for its serial. Records of format 1 have neither; what is written is format 2.
//!
//! While a header is being replaced, the record names both, the old and the next: whichever the power leaves on the
//! disk is good. Decides only; who reads and writes it is the boot.

use countersign_contract::code::Code;
use countersign_crypto::LibraryError;
use countersign_crypto::digest::hex;
use countersign_crypto::volume_key::VolumeKey;

/// The extended attribute of the file system's root that holds the record. Only a process with `CAP_SYS_ADMIN` over
/// the whole guest can read or write attributes of this class, so no container that is not privileged can.
pub const ATTRIBUTE: &str = "trusted.countersign";

/// Most bytes of a record; a volume's name has at most 255.
pub const LIMIT: usize = 1024;

/// What the first line begins with; the number of the format follows.
const TITLE: &str = "countersign volume record ";

/// The two formats: the second has a time and a serial.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Format {
    First,
    Second,
}

/// How a volume came to its record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Origin {
    /// Written when the volume was made.
    Made,
    /// Written when a volume without record was opened: what was before is not vouched for.
    Found,
}

impl Origin {
    fn word(self) -> &'static str {
        match self {
            Origin::Made => "made",
            Origin::Found => "found",
        }
    }
}

/// What a record is about.
#[derive(Debug, Clone, Copy)]
pub struct Subject<'a> {
    /// The volume's name in the contract.
    pub volume: &'a str,
    /// UUID of the container.
    pub uuid: &'a str,
    /// SHA-256 of what the header says ([`crate::luks2::Accepted::digest`]).
    pub header: [u8; 32],
}

/// The record of a volume.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VolumeRecord {
    volume: String,
    uuid: String,
    /// How often the record was written, 1 and up.
    generation: u64,
    origin: Origin,
    /// When the first record was written, seconds since 1970 by the guest's clock.
    since: i64,
    /// The header, in hexadecimal digits.
    header: String,
    /// The header that is to replace it.
    next: Option<String>,
    /// The latest time at which the volume was opened, seconds since 1970.
    time: i64,
    /// The highest serial of the contracts that have opened the volume; none where they had none.
    serial: Option<u64>,
}

/// Why a volume is not opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum RecordFault {
    /// The tag does not fit, or is missing.
    #[error("expected a record that was written under the volume's own key")]
    Invalid,
    /// The name or the UUID is another.
    #[error("expected the record of this volume, found that of another")]
    OtherVolume,
    /// Neither the header that the record names nor the one that was to replace it.
    #[error("expected the header that the volume's record names")]
    OtherHeader,
    /// The contract's serial is below the record's, or missing.
    #[error("expected a serial that is not lower than the one in the volume's record")]
    OlderContract,
}

impl RecordFault {
    /// The message code.
    pub fn code(self) -> Code {
        match self {
            RecordFault::Invalid => Code::VolumeRecordInvalid,
            RecordFault::OtherVolume => Code::VolumeExchanged,
            RecordFault::OtherHeader => Code::HeaderReplaced,
            RecordFault::OlderContract => Code::ContractOlder,
        }
    }
}

impl VolumeRecord {
    /// The first record of a volume. `since` is in seconds since 1970.
    pub fn first(subject: Subject<'_>, origin: Origin, since: i64) -> VolumeRecord {
        VolumeRecord {
            volume: subject.volume.to_owned(),
            uuid: subject.uuid.to_owned(),
            generation: 1,
            origin,
            since,
            header: hex(&subject.header),
            next: None,
            time: since,
            serial: None,
        }
    }

    /// The latest time that the record knows of, seconds since 1970.
    pub fn last_seen(&self) -> i64 {
        self.time
    }

    /// The record of a volume that is opened at `now`; none where it knows of that time or a later one.
    pub fn seen(&self, now: i64) -> Option<VolumeRecord> {
        (now > self.last_seen()).then(|| VolumeRecord {
            generation: self.generation + 1,
            time: now,
            ..self.clone()
        })
    }

    /// The bytes of the attribute.
    ///
    /// # Errors
    /// [`LibraryError`] when OpenSSL fails.
    pub fn sealed(&self, key: &VolumeKey) -> Result<Vec<u8>, LibraryError> {
        let text = self.text(Format::Second);
        let tag = hex(&key.record_tag(text.as_bytes())?);
        Ok(format!("{text}tag {tag}\n").into_bytes())
    }

    /// Reads the bytes of the attribute; nothing of them is looked at before the tag holds.
    ///
    /// # Errors
    /// [`RecordFault::Invalid`]; [`LibraryError`] when OpenSSL fails.
    pub fn open(bytes: &[u8], key: &VolumeKey) -> Result<Result<VolumeRecord, RecordFault>, LibraryError> {
        let Some(text) = authentic(bytes, key)? else {
            return Ok(Err(RecordFault::Invalid));
        };
        Ok(VolumeRecord::parse(text).ok_or(RecordFault::Invalid))
    }

    /// Holds what was opened against the record.
    ///
    /// # Errors
    /// [`RecordFault::OtherVolume`], [`RecordFault::OtherHeader`].
    pub fn judge(&self, subject: Subject<'_>) -> Result<(), RecordFault> {
        if (subject.volume, subject.uuid) != (self.volume.as_str(), self.uuid.as_str()) {
            return Err(RecordFault::OtherVolume);
        }
        let header = hex(&subject.header);
        match header == self.header || self.next.as_ref() == Some(&header) {
            true => Ok(()),
            false => Err(RecordFault::OtherHeader),
        }
    }

    /// Holds the contract's serial against the record.
    ///
    /// # Errors
    /// [`RecordFault::OlderContract`].
    pub fn judge_serial(&self, serial: Option<u64>) -> Result<(), RecordFault> {
        // None is below every number.
        if serial < self.serial { Err(RecordFault::OlderContract) } else { Ok(()) }
    }

    /// The record with the contract's serial; none where it has that one, or a higher one.
    pub fn raised(&self, serial: Option<u64>) -> Option<VolumeRecord> {
        (serial > self.serial).then(|| VolumeRecord {
            generation: self.generation + 1,
            serial,
            ..self.clone()
        })
    }

    /// The record while `next` is put in place of the header.
    #[must_use]
    pub fn announcing(&self, next: [u8; 32]) -> VolumeRecord {
        VolumeRecord { generation: self.generation + 1, next: Some(hex(&next)), ..self.clone() }
    }

    /// The record once `header` is the one on the disk; none where it says so already.
    pub fn settled(&self, header: [u8; 32]) -> Option<VolumeRecord> {
        let header = hex(&header);
        (self.next.is_some() || self.header != header).then(|| VolumeRecord {
            generation: self.generation + 1,
            header,
            next: None,
            ..self.clone()
        })
    }

    fn text(&self, format: Format) -> String {
        let number = match format {
            Format::First => 1,
            Format::Second => 2,
        };
        let mut text = format!(
            "{TITLE}{number}\nvolume {}\nuuid {}\ngeneration {}\norigin {}\nsince {}\nheader {}\nnext {}\n",
            self.volume,
            self.uuid,
            self.generation,
            self.origin.word(),
            self.since,
            self.header,
            self.next.as_deref().unwrap_or("none"),
        );
        if format == Format::Second {
            let serial = self.serial.map_or_else(|| "none".to_owned(), |serial| serial.to_string());
            text.push_str(&format!("time {}\nserial {serial}\n", self.time));
        }
        text
    }

    /// Reads a text that is authentic, so only what [`VolumeRecord::text`] writes is taken.
    fn parse(text: &str) -> Option<VolumeRecord> {
        let (number, rest) = text.strip_prefix(TITLE)?.split_once('\n')?;
        let format = match number {
            "1" => Format::First,
            "2" => Format::Second,
            _ => return None,
        };
        let mut lines = rest.lines();
        let mut value = |name: &str| lines.next()?.strip_prefix(name)?.strip_prefix(' ');
        let mut record = VolumeRecord {
            volume: value("volume")?.to_owned(),
            uuid: value("uuid")?.to_owned(),
            generation: value("generation")?.parse().ok()?,
            origin: match value("origin")? {
                "made" => Origin::Made,
                "found" => Origin::Found,
                _ => return None,
            },
            since: value("since")?.parse().ok()?,
            header: value("header")?.to_owned(),
            next: value("next").map(|next| (next != "none").then(|| next.to_owned()))?,
            time: 0,
            serial: None,
        };
        record.time = record.since;
        if format == Format::Second {
            record.time = value("time")?.parse().ok()?;
            record.serial = match value("serial")? {
                "none" => None,
                serial => Some(serial.parse().ok()?),
            };
        }
        (record.text(format) == text).then_some(record)
    }
}

/// How often a record was written. Its tag is not checked: for one that was made or verified just before.
pub fn generation(bytes: &[u8]) -> Option<u64> {
    let text = std::str::from_utf8(bytes).ok()?;
    text.lines().find_map(|line| line.strip_prefix("generation "))?.parse().ok()
}

/// The text before the tag, if the tag holds.
fn authentic<'b>(bytes: &'b [u8], key: &VolumeKey) -> Result<Option<&'b str>, LibraryError> {
    let Some((text, tag)) = std::str::from_utf8(bytes).ok().and_then(split) else {
        return Ok(None);
    };
    Ok((key.authenticates(text.as_bytes(), &tag)?).then_some(text))
}

/// Text and tag; the text keeps its last line feed.
fn split(record: &str) -> Option<(&str, Vec<u8>)> {
    let digits = record.strip_suffix('\n')?;
    let (at, digits) = (digits.rfind("\ntag ")? + 1, digits.rsplit(' ').next()?);
    let pair = |pair: &[u8]| u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok();
    let tag = digits.as_bytes().chunks(2).map(pair).collect::<Option<Vec<u8>>>()?;
    Some((&record[..at], tag))
}

#[cfg(test)]
mod tests;
