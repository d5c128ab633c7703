//! What the kernel must have made of an accepted header: the dm-crypt table, expected and compared; with integrity,
//! that of the dm-integrity device below ([`IntegrityTable`]) as well.
//!
//! The table is the last word on how data is encrypted, so it is read back after opening and every
//! field is compared. The key never appears: only its length is read, from a masked key or from
//! the kernel keyring's description.
//!
//! Follows the kernel's documentation of the dm-crypt target (admin-guide/device-mapper/dm-crypt).

use std::collections::BTreeSet;

mod integrity;

pub use integrity::IntegrityTable;

use super::judge::SECTOR;
use super::profile::Integrity;
use super::verdict::{Accepted, LuksVersion};

/// An optional parameter of a dm-crypt target that has no value.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum TableFlag {
    /// Discards reach the device.
    AllowDiscards,
    /// Encrypt on the processor that submitted.
    SameCpuCrypt,
    /// Submit writes from the encrypting thread.
    SubmitFromCryptCpus,
    /// Reads bypass the work queue.
    NoReadWorkqueue,
    /// Writes bypass the work queue.
    NoWriteWorkqueue,
    /// IVs count encryption sectors. cryptsetup never sets it for LUKS.
    IvLargeSectors,
}

impl TableFlag {
    fn of(name: &str) -> Option<Self> {
        Some(match name {
            "allow_discards" => Self::AllowDiscards,
            "same_cpu_crypt" => Self::SameCpuCrypt,
            "submit_from_crypt_cpus" => Self::SubmitFromCryptCpus,
            "no_read_workqueue" => Self::NoReadWorkqueue,
            "no_write_workqueue" => Self::NoWriteWorkqueue,
            "iv_large_sectors" => Self::IvLargeSectors,
            _ => return None,
        })
    }
}

/// What a table field may break.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum TableFault {
    /// Not one line of the target.
    #[error("table-line: expected one line of a crypt target, and of an integrity target below it")]
    Line,
    /// The mapping does not begin at sector 0.
    #[error("table-start: expected the mapping to begin at sector 0")]
    Start,
    /// Wrong length.
    #[error("table-length: expected the length of the data segment")]
    Length,
    /// Wrong cipher.
    #[error("table-cipher: expected aes-xts-plain64, with hmac(sha256) where the volume has integrity")]
    Cipher,
    /// Wrong key length or a key that belongs to another volume.
    #[error("table-key: expected the volume's own key in its length")]
    Key,
    /// Wrong IV offset.
    #[error("table-iv-offset: expected IV offset 0")]
    IvOffset,
    /// Wrong device.
    #[error("table-device: expected the device that was opened")]
    Device,
    /// Wrong start of data.
    #[error("table-offset: expected the offset of the data segment")]
    Offset,
    /// Wrong sector size.
    #[error("table-sector-size: expected the sector size of the data segment")]
    SectorSize,
    /// A flag is set that was not asked for, or the other way round.
    #[error("table-flags: expected exactly the flags that were asked for")]
    Flags,
    /// No tags where the volume has integrity, tags where it has none, or tags of another length.
    #[error("table-integrity: expected the tags of the volume's integrity, and no others")]
    Integrity,
    /// Writes do not go through the journal of dm-integrity, so a power cut leaves sectors without their tags.
    #[error("table-journal: expected the journal of dm-integrity in use")]
    Journal,
    /// A parameter that no accepted volume has.
    #[error("table-option: expected only parameters of an accepted volume")]
    Option,
}

impl TableFault {
    /// The stable identifier.
    pub fn id(self) -> &'static str {
        match self {
            Self::Line => "table-line",
            Self::Start => "table-start",
            Self::Length => "table-length",
            Self::Cipher => "table-cipher",
            Self::Key => "table-key",
            Self::IvOffset => "table-iv-offset",
            Self::Device => "table-device",
            Self::Offset => "table-offset",
            Self::SectorSize => "table-sector-size",
            Self::Flags => "table-flags",
            Self::Integrity => "table-integrity",
            Self::Journal => "table-journal",
            Self::Option => "table-option",
        }
    }
}

/// The key field of a table, without the key.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Key {
    /// Masked or not, in hexadecimal digits.
    Inline { bytes: u64 },
    /// In the kernel keyring, type `logon`.
    Keyring { bytes: u64, description: String },
}

/// One line of a dm-crypt target, as `dmsetup table` prints it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CryptTable {
    start: u64,
    length_sectors: u64,
    cipher: String,
    key: Key,
    iv_offset: u64,
    device: String,
    offset_sectors: u64,
    sector_size: u64,
    /// Bytes of a sector's tag.
    tag_bytes: Option<u64>,
    flags: BTreeSet<TableFlag>,
}

impl CryptTable {
    /// Parses a line such as `0 2048 crypt aes-xts-plain64 :64:logon:… 0 253:1 32768 1 allow_discards`.
    ///
    /// # Errors
    /// [`TableFault::Line`], [`TableFault::Key`], [`TableFault::Integrity`] or [`TableFault::Option`].
    pub fn parse(line: &str) -> Result<Self, TableFault> {
        let mut words = one_line(line)?.split(' ');
        let mut word = || words.next().ok_or(TableFault::Line);
        let start = number(word()?)?;
        let length_sectors = number(word()?)?;
        if word()? != "crypt" {
            return Err(TableFault::Line);
        }
        let cipher = word()?.to_owned();
        let key = key(word()?)?;
        let iv_offset = number(word()?)?;
        let device = word()?.to_owned();
        let offset_sectors = number(word()?)?;
        let options: Vec<&str> = words.collect();
        let Parameters { sector_size, tag_bytes, flags } = parameters(&options)?;
        Ok(Self {
            start,
            length_sectors,
            cipher,
            key,
            iv_offset,
            device,
            offset_sectors,
            sector_size: sector_size.unwrap_or(SECTOR),
            tag_bytes,
            flags,
        })
    }
}

fn one_line(text: &str) -> Result<&str, TableFault> {
    let line = text.strip_suffix('\n').unwrap_or(text);
    if line.contains('\n') { Err(TableFault::Line) } else { Ok(line) }
}

fn number(word: &str) -> Result<u64, TableFault> {
    if word.bytes().all(|byte| byte.is_ascii_digit()) {
        word.parse().map_err(|_| TableFault::Line)
    } else {
        Err(TableFault::Line)
    }
}

fn key(word: &str) -> Result<Key, TableFault> {
    let Some(keyring) = word.strip_prefix(':') else {
        let hexadecimal = word.len().is_multiple_of(2) && word.bytes().all(|byte| byte.is_ascii_hexdigit());
        return if hexadecimal {
            Ok(Key::Inline { bytes: word.len() as u64 / 2 })
        } else {
            Err(TableFault::Key)
        };
    };
    let mut parts = keyring.splitn(3, ':');
    match (parts.next().and_then(|bytes| number(bytes).ok()), parts.next(), parts.next()) {
        (Some(bytes), Some("logon"), Some(description)) => {
            Ok(Key::Keyring { bytes, description: description.to_owned() })
        }
        _ => Err(TableFault::Key),
    }
}

/// Optional parameters.
#[derive(Default)]
struct Parameters {
    sector_size: Option<u64>,
    tag_bytes: Option<u64>,
    flags: BTreeSet<TableFlag>,
}

/// The optional parameters from their count and themselves.
fn parameters(words: &[&str]) -> Result<Parameters, TableFault> {
    let mut found = Parameters::default();
    let Some((count, options)) = words.split_first() else {
        return Ok(found);
    };
    if number(count)? != options.len() as u64 {
        return Err(TableFault::Line);
    }
    for option in options {
        let new = if let Some(size) = option.strip_prefix("sector_size:") {
            found.sector_size.replace(number(size)?).is_none()
        } else if let Some(tag) = option.strip_prefix("integrity:") {
            // Of all kinds of tags, those that the cipher itself makes.
            let bytes = tag.strip_suffix(":aead").ok_or(TableFault::Integrity)?;
            found.tag_bytes.replace(number(bytes)?).is_none()
        } else {
            found.flags.insert(TableFlag::of(option).ok_or(TableFault::Option)?)
        };
        if !new {
            return Err(TableFault::Option);
        }
    }
    Ok(found)
}

/// What the kernel's table must say after an accepted header was opened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ExpectedTable {
    /// Cipher specification.
    pub cipher: &'static str,
    /// Bytes of the volume key.
    pub key_bytes: u64,
    /// Length of the mapping in 512-byte sectors.
    pub length_sectors: u64,
    /// Start of the data on the device in 512-byte sectors.
    pub offset_sectors: u64,
    /// Bytes of an encryption sector.
    pub sector_size: u64,
    /// Added to the sector number in the IV.
    pub iv_offset: u64,
    /// Bytes of a sector's tag; none without integrity.
    pub tag_bytes: Option<u64>,
    /// Optional parameters without value; none unless asked for.
    pub flags: BTreeSet<TableFlag>,
    /// Start of the description of a key in the kernel keyring; none for LUKS1, which has its key inline.
    keyring: Option<String>,
}

/// The table for an accepted header on a device of `device_size` bytes; with integrity, to be completed by
/// [`ExpectedTable::over`].
pub fn expected_table(accepted: &Accepted, device_size: u64) -> ExpectedTable {
    let (cipher, tag_bytes) = match accepted.integrity() {
        Integrity::Absent => ("aes-xts-plain64", None),
        Integrity::HmacSha256 => ("capi:authenc(hmac(sha256),xts(aes))-plain64", Some(integrity::TAG_BYTES)),
    };
    ExpectedTable {
        cipher,
        key_bytes: accepted.key_size(),
        length_sectors: device_size.saturating_sub(accepted.data_offset()) / SECTOR,
        offset_sectors: accepted.data_offset() / SECTOR,
        sector_size: accepted.sector_size(),
        iv_offset: 0,
        tag_bytes,
        flags: BTreeSet::new(),
        keyring: match accepted.version() {
            LuksVersion::Luks2 => Some(format!("cryptsetup:{}-d", accepted.uuid())),
            LuksVersion::Luks1 => None,
        },
    }
}

impl ExpectedTable {
    /// Expects a flag that the caller asked for when opening.
    #[must_use]
    pub fn with_flag(mut self, flag: TableFlag) -> Self {
        self.flags.insert(flag);
        self
    }

    /// Expects the mapping to be all of a dm-integrity device, which was compared itself.
    #[must_use]
    pub fn over(self, below: &IntegrityTable) -> Self {
        Self { length_sectors: below.length_sectors(), offset_sectors: 0, ..self }
    }

    /// Compares every field; `device` is the opened device as `major:minor`.
    ///
    /// # Errors
    /// Every field that differs, in the order of the line.
    pub fn compare(&self, table: &CryptTable, device: &str) -> Result<(), Vec<TableFault>> {
        let checks = [
            (table.start == 0, TableFault::Start),
            (table.length_sectors == self.length_sectors, TableFault::Length),
            (table.cipher == self.cipher, TableFault::Cipher),
            (self.key_fits(&table.key), TableFault::Key),
            (table.iv_offset == self.iv_offset, TableFault::IvOffset),
            (table.device == device, TableFault::Device),
            (table.offset_sectors == self.offset_sectors, TableFault::Offset),
            (table.sector_size == self.sector_size, TableFault::SectorSize),
            (table.flags == self.flags, TableFault::Flags),
            (table.tag_bytes == self.tag_bytes, TableFault::Integrity),
        ];
        let faults: Vec<TableFault> =
            checks.into_iter().filter(|(holds, _)| !holds).map(|(_, fault)| fault).collect();
        if faults.is_empty() { Ok(()) } else { Err(faults) }
    }

    fn key_fits(&self, key: &Key) -> bool {
        match key {
            Key::Inline { bytes } => *bytes == self.key_bytes,
            Key::Keyring { bytes, description } => {
                // cryptsetup names the key after the UUID and the number of its digest.
                let digest = self.keyring.as_deref().and_then(|prefix| description.strip_prefix(prefix));
                let numbered =
                    |digest: &str| !digest.is_empty() && digest.bytes().all(|byte| byte.is_ascii_digit());
                *bytes == self.key_bytes && digest.is_some_and(numbered)
            }
        }
    }
}
