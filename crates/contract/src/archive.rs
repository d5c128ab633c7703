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
use crate::refusal::MAX_REPORTED;

/// Most bytes of all files together, and of the tar stream: 64 MiB.
pub const MAX_BYTES: usize = 64 << 20;

/// Most files and folders.
pub const MAX_ENTRIES: usize = 4096;

/// Longest path in bytes.
pub const MAX_PATH: usize = 1024;

/// The names of a compose file, in the order of preference of the compose tools.
pub const COMPOSE_NAMES: [&str; 4] =
    ["compose.yaml", "compose.yml", "docker-compose.yaml", "docker-compose.yml"];

/// An entry of an archive. Shown as its number, for the guest's messages go to the deployer, and paths of a sealed workload
/// are the provider's own affair; who writes a workload is told [`Entry::path`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// Its number, from one.
    pub number: usize,
    /// Its path, without control characters and as far as it is UTF-8, at most [`MAX_PATH`] characters of it.
    pub path: String,
}

impl fmt::Display for Entry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "entry {}", self.number)
    }
}

/// What an entry is that is neither a file nor a folder.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Special {
    /// A second name of a file that stands before it.
    HardLink,
    /// A symbolic link.
    SymbolicLink,
    /// A device, a pipe or anything else.
    Other,
}

impl Special {
    fn of(kind: EntryType) -> Special {
        match kind {
            EntryType::Link => Special::HardLink,
            EntryType::Symlink => Special::SymbolicLink,
            _ => Special::Other,
        }
    }
}

impl fmt::Display for Special {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Special::HardLink => "a hard link",
            Special::SymbolicLink => "a symbolic link",
            Special::Other => "neither",
        })
    }
}

/// Why an archive is refused. What it prints names no path.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
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
    #[error("expected regular files and folders only, {0} is {1}")]
    Kind(Entry, Special),
    /// An absolute path, one with `..`, one that is no UTF-8, with control characters, or too long.
    #[error("expected a relative path inside the archive, {0} has none")]
    Path(Entry),
    /// A path twice, or a file where another entry has a folder.
    #[error("expected each path once, {0} repeats one")]
    Duplicate(Entry),
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
            ArchiveError::Kind(..) => Code::ArchiveEntryKind,
            ArchiveError::Path(_) => Code::ArchivePath,
            ArchiveError::Duplicate(_) => Code::ArchiveDuplicate,
            ArchiveError::NoCompose => Code::NoComposeFile,
            ArchiveError::SeveralCompose => Code::SeveralComposeFiles,
        }
    }

    /// What would help; the code's remedy where nothing more is known.
    pub fn hint(&self) -> &'static str {
        match self {
            ArchiveError::Kind(_, Special::HardLink) => {
                "pack with GNU tar and --hard-dereference, which writes the file again instead of a second name of it"
            }
            ArchiveError::Kind(_, Special::SymbolicLink) => {
                "pack with GNU tar, --dereference and --hard-dereference, which write the file that the link names, or remove the link"
            }
            ArchiveError::Kind(_, Special::Other) => {
                "remove the entry: a device or a pipe has no content to pack"
            }
            other => other.code().remedy(),
        }
    }

    /// The entry that it is about, if it is about one.
    pub fn entry(&self) -> Option<&Entry> {
        match self {
            ArchiveError::Kind(entry, _) | ArchiveError::Path(entry) | ArchiveError::Duplicate(entry) => {
                Some(entry)
            }
            _ => None,
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
        Archive::read(text, &mut Err)
    }

    /// The same for its author, who wants to know all of it: the archive without the entries that are refused, and why they
    /// are. Nothing is started from this.
    ///
    /// # Errors
    /// [`ArchiveError`], where the archive as a whole cannot be read.
    pub fn remains(text: &str) -> Result<(Archive, Vec<ArchiveError>), ArchiveError> {
        let mut refused = Vec::new();
        let archive = Archive::read(text, &mut |error| {
            if refused.len() < MAX_REPORTED {
                refused.push(error);
            }
            Ok(())
        })?;
        Ok((archive, refused))
    }

    fn read(text: &str, refuse: Refuse<'_>) -> Result<Archive, ArchiveError> {
        let packed = from_base64(text)?;
        let mut tape = Tape::new(GzDecoder::new(packed.as_slice()));
        let archive = Self::from_tar(&mut tape, refuse);
        // A stream that is too long or broken is that first, whatever its entries seemed to be.
        tape.finish()?;
        archive
    }

    /// Takes the entries from the stream one by one, so that what is unpacked lies in memory once. An entry that is refused
    /// is left out, where `refuse` lets the reading go on.
    fn from_tar(tape: &mut Tape<'_>, refuse: Refuse<'_>) -> Result<Archive, ArchiveError> {
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
                refuse(ArchiveError::Kind(shown(number, &entry.path_bytes()), Special::of(kind)))?;
                continue;
            }
            let Some(path) = clean(&entry.path_bytes()).filter(|path| folder || !path.is_empty()) else {
                refuse(ArchiveError::Path(shown(number, &entry.path_bytes())))?;
                continue;
            };
            // The packed folder itself, `./`; a file cannot be that.
            if path.is_empty() {
                continue;
            }
            let content = if folder {
                None
            } else {
                // Sized once: neither a copy nor a smaller buffer is left behind unwiped.
                let mut content = Zeroizing::new(vec![0; bounded(entry.size())?]);
                entry.read_exact(&mut content).map_err(|_| ArchiveError::Stream)?;
                Some(content)
            };
            let mode = entry.header().mode().map_err(|_| ArchiveError::Stream)?;
            let parents = || path.match_indices('/').map(|(end, _)| &path[..end]);
            if parents().any(|parent| matches!(items.get(parent), Some(Item::File { .. }))) {
                refuse(ArchiveError::Duplicate(shown(number, path.as_bytes())))?;
                continue;
            }
            for parent in parents() {
                if !items.contains_key(parent) {
                    items.insert(parent.to_owned(), Item::Folder);
                }
            }
            let item = match content {
                None => Item::Folder,
                Some(content) => Item::File { executable: mode & 0o100 != 0, content },
            };
            // A folder may be listed after something in it; anything else is there twice.
            let implied = matches!((items.get(&path), &item), (Some(Item::Folder), Item::Folder));
            if !explicit.insert(path.clone()) || (items.contains_key(&path) && !implied) {
                refuse(ArchiveError::Duplicate(shown(number, path.as_bytes())))?;
                continue;
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

    /// As [`Archive::items`], without copying what is in the files.
    pub fn into_items(self) -> impl Iterator<Item = (String, Item)> {
        self.items.into_iter()
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

/// Takes what is wrong with an entry: `Err` ends the reading.
type Refuse<'r> = &'r mut dyn FnMut(ArchiveError) -> Result<(), ArchiveError>;

fn shown(number: usize, path: &[u8]) -> Entry {
    let path = String::from_utf8_lossy(path);
    Entry { number, path: path.chars().filter(|letter| !letter.is_control()).take(MAX_PATH).collect() }
}

/// The size of an entry; more than a whole archive may hold means that the stream ends before it does.
fn bounded(size: u64) -> Result<usize, ArchiveError> {
    usize::try_from(size).ok().filter(|size| *size <= MAX_BYTES).ok_or(ArchiveError::Stream)
}

/// How the last bytes of a tar archive end it: two blocks of zeroes.
const END: usize = 1024;

/// The unpacked stream: counts what is read, and keeps the last bytes.
struct Tape<'p> {
    stream: GzDecoder<&'p [u8]>,
    len: usize,
    /// At most [`END`] bytes.
    last: Zeroizing<Vec<u8>>,
    broken: bool,
}

impl<'p> Tape<'p> {
    fn new(stream: GzDecoder<&'p [u8]>) -> Self {
        Self { stream, len: 0, last: Zeroizing::new(Vec::with_capacity(2 * END)), broken: false }
    }

    /// Reads what the entries left.
    ///
    /// # Errors
    /// [`ArchiveError::TooLarge`]; [`ArchiveError::Stream`] when the stream is broken, does not end a tar archive, or
    /// is followed by something.
    fn finish(&mut self) -> Result<(), ArchiveError> {
        let mut rest = Zeroizing::new(vec![0; 64 << 10]);
        while !self.broken && self.len <= MAX_BYTES && self.read(&mut rest).is_ok_and(|read| read > 0) {}
        if self.len > MAX_BYTES {
            return Err(ArchiveError::TooLarge);
        }
        let ended =
            self.len.is_multiple_of(512) && self.last.len() == END && self.last.iter().all(|byte| *byte == 0);
        let followed = !self.stream.get_ref().is_empty();
        if self.broken || followed || !ended { Err(ArchiveError::Stream) } else { Ok(()) }
    }
}

impl Read for Tape<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        if self.len > MAX_BYTES {
            return Err(std::io::ErrorKind::FileTooLarge.into());
        }
        let read = self.stream.read(buffer).inspect_err(|_| self.broken = true)?;
        self.len += read;
        let new = &buffer[read.saturating_sub(END)..read];
        let kept = (END - new.len()).min(self.last.len());
        let dropped = self.last.len() - kept;
        self.last.drain(..dropped);
        self.last.extend_from_slice(new);
        Ok(read)
    }
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
