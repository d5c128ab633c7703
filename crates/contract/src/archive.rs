//! The archive of a compose or play workload: base64 of a gzipped tar, to files in memory.
//!
//! Signed or not, an archive is taken apart carefully: sizes and counts are bounded while unpacking, only
//! regular files and folders are taken, and every path stays inside. Owners, times and extended attributes are
//! dropped; of the mode only whether the file is executable is kept. Writing the files is another's work.

use std::collections::BTreeMap;
use std::fmt;
use std::io::Read;

use base64::Engine as _;
use base64::alphabet;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use flate2::bufread::GzDecoder;
use tar::EntryType;
use zeroize::Zeroizing;

use crate::code::Code;

/// Most bytes of all files together, and of the tar stream: 64 MiB.
pub const MAX_BYTES: usize = 64 << 20;

/// Most files and folders.
pub const MAX_ENTRIES: usize = 4096;

/// Longest path in bytes.
pub const MAX_PATH: usize = 1024;

/// The names of a compose file, in the order of preference of the compose tools.
pub const COMPOSE_NAMES: [&str; 4] =
    ["compose.yaml", "compose.yml", "docker-compose.yaml", "docker-compose.yml"];

/// Why an archive is refused. Names no path: paths of a sealed workload are the provider's own affair.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ArchiveError {
    /// Not base64.
    #[error("expected base64")]
    Base64,
    /// Not gzip, not tar, cut short, or followed by something else.
    #[error("expected a complete gzipped tar archive")]
    Stream,
    /// More than [`MAX_BYTES`].
    #[error("expected at most 64 MiB of unpacked data")]
    TooLarge,
    /// More than [`MAX_ENTRIES`].
    #[error("expected at most 4096 files and folders")]
    TooManyEntries,
    /// A link, device, pipe or other special entry.
    #[error("expected regular files and folders only, entry {0} is none")]
    Kind(usize),
    /// An absolute path, one with `..`, one that is no UTF-8, with control characters, or too long.
    #[error("expected a relative path inside the archive, entry {0} has none")]
    Path(usize),
    /// A path twice, or a file where another entry has a folder.
    #[error("expected each path once, entry {0} repeats one")]
    Duplicate(usize),
    /// No compose file at the top.
    #[error("expected a compose file at the top of the archive")]
    NoCompose,
    /// More than one compose file at the top.
    #[error("expected one compose file at the top of the archive, found several")]
    SeveralCompose,
}

impl ArchiveError {
    /// The message code.
    pub fn code(&self) -> Code {
        match self {
            ArchiveError::Base64 | ArchiveError::Stream => Code::ArchiveEncoding,
            ArchiveError::TooLarge | ArchiveError::TooManyEntries => Code::ArchiveTooLarge,
            ArchiveError::Kind(_) => Code::ArchiveEntryKind,
            ArchiveError::Path(_) => Code::ArchivePath,
            ArchiveError::Duplicate(_) => Code::ArchiveDuplicate,
            ArchiveError::NoCompose => Code::NoComposeFile,
            ArchiveError::SeveralCompose => Code::SeveralComposeFiles,
        }
    }
}

/// A file or folder of an archive.
pub enum Item {
    /// A folder.
    Folder,
    /// A file.
    File {
        /// Whether its owner may execute it.
        executable: bool,
        /// What is in it; wiped on drop, since archives carry configuration.
        content: Zeroizing<Vec<u8>>,
    },
}

impl fmt::Debug for Item {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Item::Folder => f.write_str("Folder"),
            Item::File { content, .. } => write!(f, "File({} bytes)", content.len()),
        }
    }
}

/// An archive, taken apart. Paths are relative, with `/` between their parts; every folder on the way to a file
/// is listed.
#[derive(Debug)]
pub struct Archive {
    items: BTreeMap<String, Item>,
}

impl Archive {
    /// Takes the text of an `archive` field apart. White space in the base64 is ignored, and so are line
    /// breaks written as `\n`.
    ///
    /// # Errors
    /// [`ArchiveError`].
    pub fn parse(text: &str) -> Result<Archive, ArchiveError> {
        let packed = from_base64(text)?;
        // Reading one byte beyond the limit tells a full archive from one that is too large.
        let mut stream = GzDecoder::new(packed.as_slice()).take(MAX_BYTES as u64 + 1);
        let mut tape = Zeroizing::new(Vec::new());
        stream.read_to_end(&mut tape).map_err(|_| ArchiveError::Stream)?;
        if tape.len() > MAX_BYTES {
            return Err(ArchiveError::TooLarge);
        }
        if !stream.into_inner().into_inner().is_empty() {
            return Err(ArchiveError::Stream);
        }
        // A tar archive ends with blocks of zeroes; without them it was cut.
        if tape.len() < 1024
            || tape.len() % 512 != 0
            || tape[tape.len() - 1024..].iter().any(|byte| *byte != 0)
        {
            return Err(ArchiveError::Stream);
        }
        Self::from_tar(&tape)
    }

    fn from_tar(tape: &[u8]) -> Result<Archive, ArchiveError> {
        let mut items: BTreeMap<String, Item> = BTreeMap::new();
        let mut explicit: std::collections::BTreeSet<String> = std::collections::BTreeSet::new();
        let mut reader = tar::Archive::new(tape);
        for (number, entry) in reader.entries().map_err(|_| ArchiveError::Stream)?.enumerate() {
            let number = number + 1;
            if number > MAX_ENTRIES {
                return Err(ArchiveError::TooManyEntries);
            }
            let mut entry = entry.map_err(|_| ArchiveError::Stream)?;
            let kind = entry.header().entry_type();
            if kind == EntryType::XGlobalHeader {
                continue;
            }
            let folder = kind == EntryType::Directory;
            if !folder && !matches!(kind, EntryType::Regular | EntryType::Continuous) {
                return Err(ArchiveError::Kind(number));
            }
            let path = clean(&entry.path_bytes()).ok_or(ArchiveError::Path(number))?;
            if path.is_empty() {
                // The packed folder itself, `./`; a file cannot be that.
                if folder {
                    continue;
                }
                return Err(ArchiveError::Path(number));
            }
            let content = if folder {
                None
            } else {
                let mut content = Zeroizing::new(Vec::with_capacity(bounded(entry.size(), tape.len())?));
                entry.read_to_end(&mut content).map_err(|_| ArchiveError::Stream)?;
                Some(content)
            };
            let mode = entry.header().mode().map_err(|_| ArchiveError::Stream)?;
            for (end, _) in path.match_indices('/') {
                let parent = &path[..end];
                match items.get(parent) {
                    Some(Item::Folder) => {}
                    Some(Item::File { .. }) => return Err(ArchiveError::Duplicate(number)),
                    None => {
                        items.insert(parent.to_owned(), Item::Folder);
                    }
                }
            }
            let item = match content {
                None => Item::Folder,
                Some(content) => Item::File { executable: mode & 0o100 != 0, content },
            };
            // A folder may be listed after something in it; anything else is there twice.
            let implied = matches!((items.get(&path), &item), (Some(Item::Folder), Item::Folder));
            if !explicit.insert(path.clone()) || (items.contains_key(&path) && !implied) {
                return Err(ArchiveError::Duplicate(number));
            }
            items.insert(path, item);
            if items.len() > MAX_ENTRIES {
                return Err(ArchiveError::TooManyEntries);
            }
        }
        Ok(Archive { items })
    }

    /// All files and folders by path; a folder comes before what is in it.
    pub fn items(&self) -> impl Iterator<Item = (&str, &Item)> {
        self.items.iter().map(|(path, item)| (path.as_str(), item))
    }

    /// The content of a file.
    pub fn file(&self, path: &str) -> Option<&[u8]> {
        match self.items.get(path) {
            Some(Item::File { content, .. }) => Some(content),
            _ => None,
        }
    }

    /// Name and content of the compose file.
    ///
    /// # Errors
    /// [`ArchiveError::NoCompose`] and [`ArchiveError::SeveralCompose`].
    pub fn compose_file(&self) -> Result<(&'static str, &[u8]), ArchiveError> {
        let mut found = COMPOSE_NAMES.into_iter().filter_map(|name| Some((name, self.file(name)?)));
        match (found.next(), found.next()) {
            (Some(file), None) => Ok(file),
            (None, _) => Err(ArchiveError::NoCompose),
            (Some(_), Some(_)) => Err(ArchiveError::SeveralCompose),
        }
    }
}

/// The size of an entry; more than the tape holds means that the tape was cut.
fn bounded(size: u64, tape: usize) -> Result<usize, ArchiveError> {
    usize::try_from(size).ok().filter(|size| *size <= tape).ok_or(ArchiveError::Stream)
}

/// Decodes standard base64, with or without padding; white space, and line breaks written as `\n` or `\r`, are
/// ignored.
fn from_base64(text: &str) -> Result<Zeroizing<Vec<u8>>, ArchiveError> {
    let config = GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent);
    let engine = GeneralPurpose::new(&alphabet::STANDARD, config);
    let mut compact = Zeroizing::new(Vec::with_capacity(text.len()));
    let mut bytes = text.bytes().peekable();
    while let Some(byte) = bytes.next() {
        match byte {
            b'\\' if matches!(bytes.peek(), Some(b'n' | b'r')) => {
                bytes.next();
            }
            byte if byte.is_ascii_whitespace() => {}
            byte => compact.push(byte),
        }
    }
    engine.decode(compact.as_slice()).map(Zeroizing::new).map_err(|_| ArchiveError::Base64)
}

/// A path without `.` parts and closing slash, if it is one that stays inside.
fn clean(path: &[u8]) -> Option<String> {
    let path = std::str::from_utf8(path).ok()?;
    if path.is_empty() || path.len() > MAX_PATH || path.starts_with('/') || path.chars().any(char::is_control)
    {
        return None;
    }
    let mut parts = Vec::new();
    for part in path.split('/') {
        match part {
            "" | "." => {}
            ".." => return None,
            part => parts.push(part),
        }
    }
    Some(parts.join("/"))
}
