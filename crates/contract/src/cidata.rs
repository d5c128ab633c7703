//! The contract disk: a small ISO 9660 image with the volume id `cidata`, as NoCloud sources are made.
//!
//! Reads the four files that matter from the root directory of an image that is wholly in memory; the caller
//! bounds it to [`MAX_IMAGE_BYTES`]. The host wrote every byte of it, so every offset is checked, nothing is
//! followed but the root directory's single extent, and there is no loop that could turn endless. It knows no
//! subdirectories, no multi-extent files, no zisofs, no UDF: a contract needs none of these.
//!
//! Which tree and which names count is decided as the kernel decides when it mounts such a disk: Rock Ridge if the
//! root directory announces it, else the Joliet tree, else the plain ISO names. An enhanced volume descriptor (ISO
//! 9660:1999, "level 4") is passed over. Follows ECMA-119, the Joliet specification and IEEE P1281 and P1282 as far
//! as they are needed.

pub mod meta_data;
mod names;
pub mod network_config;
mod record;
mod rock_ridge;
mod write;

use names::Names;
use record::DirectoryRecord;
use rock_ridge::RockRidge;
pub use write::write;

/// Size of the logical blocks that ISO 9660 descriptors stand in.
const BLOCK: usize = 2048;

/// The first block that may hold a volume descriptor.
const FIRST_DESCRIPTOR: usize = 16;

/// How many descriptors are looked at; real images have two or three and a terminator.
const MAX_DESCRIPTORS: usize = 16;

/// Largest image a caller may hand in: 16 MiB, far above any contract with its neighbours.
pub const MAX_IMAGE_BYTES: usize = 16 << 20;

/// Most entries of the root directory that are looked at.
const MAX_ENTRIES: usize = 4096;

/// The volume id of the contract disk; compared without regard to case, because tools write both.
pub const VOLUME_ID: &str = "cidata";

/// Why an image is not a usable contract disk.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CidataError {
    /// The image is larger than [`MAX_IMAGE_BYTES`].
    #[error("expected a contract disk of at most 16 MiB")]
    TooLarge,
    /// No ISO 9660 primary volume descriptor at its fixed place.
    #[error("expected an ISO 9660 file system")]
    NotIso9660,
    /// The volume id is not `cidata`.
    #[error("expected the volume id cidata")]
    OtherVolume,
    /// A block size other than 2048 bytes.
    #[error("expected logical blocks of 2048 bytes")]
    BlockSize,
    /// The list of volume descriptors does not end.
    #[error("expected a terminator after at most {MAX_DESCRIPTORS} volume descriptors")]
    NoTerminator,
    /// A number that is stored in both byte orders differs between them.
    #[error("expected equal numbers in both byte orders in the {0}")]
    ByteOrders(&'static str),
    /// An extent reaches beyond the end of the image.
    #[error("expected the {0} to lie inside the disk")]
    OutOfBounds(&'static str),
    /// A directory record whose lengths do not fit.
    #[error("expected a well-formed record in the root directory")]
    BadRecord,
    /// The root directory has too many entries.
    #[error("expected at most {MAX_ENTRIES} entries in the root directory")]
    TooManyEntries,
    /// Two entries of one of the four names.
    #[error("expected the file {0} once")]
    Duplicate(&'static str),
    /// An entry of one of the four names that is not a plain file in one piece.
    #[error("expected {0} to be a regular file in one extent")]
    NotAFile(&'static str),
}

impl CidataError {
    /// The message code: the disk is missing, or it is not usable.
    pub fn code(&self) -> crate::code::Code {
        match self {
            CidataError::NotIso9660 | CidataError::OtherVolume => crate::code::Code::CidataMissing,
            _ => crate::code::Code::CidataInvalid,
        }
    }
}

/// The files of a contract disk, borrowed from the image.
#[derive(Clone, Copy, Default)]
pub struct Cidata<'i> {
    /// The contract.
    pub user_data: Option<&'i [u8]>,
    /// Host name and instance id; see [`meta_data`].
    pub meta_data: Option<&'i [u8]>,
    /// Hashed into the attestation record, otherwise not used.
    pub vendor_data: Option<&'i [u8]>,
    /// Network settings; see [`network_config`].
    pub network_config: Option<&'i [u8]>,
}

impl std::fmt::Debug for Cidata<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let sizes = |file: Option<&[u8]>| file.map(<[u8]>::len);
        f.debug_struct("Cidata")
            .field("user_data_bytes", &sizes(self.user_data))
            .field("meta_data_bytes", &sizes(self.meta_data))
            .field("vendor_data_bytes", &sizes(self.vendor_data))
            .field("network_config_bytes", &sizes(self.network_config))
            .finish()
    }
}

/// Whether the beginning of a disk (at least 34 KiB) is that of a contract disk, by its volume id.
///
/// For choosing among disks without reading them whole.
pub fn is_cidata(start: &[u8]) -> bool {
    primary(start).is_ok_and(|descriptor| volume_id(descriptor).eq_ignore_ascii_case(VOLUME_ID.as_bytes()))
}

/// Finds the files of a contract disk.
///
/// # Errors
/// [`CidataError`], when the image is not a contract disk or is malformed anywhere on the way to its files.
pub fn read(image: &[u8]) -> Result<Cidata<'_>, CidataError> {
    if image.len() > MAX_IMAGE_BYTES {
        return Err(CidataError::TooLarge);
    }
    let primary = primary(image)?;
    if !volume_id(primary).eq_ignore_ascii_case(VOLUME_ID.as_bytes()) {
        return Err(CidataError::OtherVolume);
    }
    let joliet = joliet(image)?;
    let (directory, names) = match (root(image, primary)?, joliet) {
        (iso, None) => {
            let rock_ridge = announced(image, iso).unwrap_or(RockRidge::unannounced(image));
            (iso, Names::Iso(rock_ridge))
        }
        (iso, Some(joliet)) => match announced(image, iso) {
            // Some makers leave the ISO tree empty and announce Rock Ridge all the same.
            Some(rock_ridge) if !is_empty(iso)? => (iso, Names::Iso(rock_ridge)),
            _ => (root(image, joliet)?, Names::Joliet),
        },
    };
    let mut files = Cidata::default();
    for entry in record::entries(directory, MAX_ENTRIES) {
        let entry = entry?;
        if entry.is_associated() {
            continue;
        }
        let Some(name) = names.of(&entry) else { continue };
        let Some((name, slot)) = slot(&mut files, &name) else { continue };
        if slot.is_some() {
            return Err(CidataError::Duplicate(name));
        }
        if !entry.is_single_file() {
            return Err(CidataError::NotAFile(name));
        }
        *slot = Some(extent(image, &entry, name)?);
    }
    Ok(files)
}

/// The root directory of a descriptor's tree.
fn root<'i>(image: &'i [u8], descriptor: &'i [u8]) -> Result<&'i [u8], CidataError> {
    if both16(descriptor, 128, "volume descriptor")? != BLOCK {
        return Err(CidataError::BlockSize);
    }
    let root = DirectoryRecord::parse(descriptor.get(156..190).ok_or(CidataError::BadRecord)?)?;
    if !root.is_directory() {
        return Err(CidataError::BadRecord);
    }
    extent(image, &root, "root directory")
}

/// Rock Ridge, if the first record of the root directory announces it.
fn announced<'i>(image: &'i [u8], directory: &'i [u8]) -> Option<RockRidge<'i>> {
    let dot = record::entries(directory, 1).next()?.ok()?;
    RockRidge::announced(image, &dot)
}

/// Whether a directory holds nothing but itself and its parent.
fn is_empty(directory: &[u8]) -> Result<bool, CidataError> {
    for entry in record::entries(directory, MAX_ENTRIES) {
        if !entry?.is_dot() {
            return Ok(false);
        }
    }
    Ok(true)
}

/// The field that a file of this name goes to. Plain ISO names are upper case with `_` for `-`.
fn slot<'f, 'i>(files: &'f mut Cidata<'i>, name: &str) -> Option<(&'static str, &'f mut Option<&'i [u8]>)> {
    match name {
        "user-data" => Some(("user-data", &mut files.user_data)),
        "meta-data" => Some(("meta-data", &mut files.meta_data)),
        "vendor-data" => Some(("vendor-data", &mut files.vendor_data)),
        "network-config" => Some(("network-config", &mut files.network_config)),
        _ => None,
    }
}

/// The primary volume descriptor, which must be the first descriptor.
fn primary(image: &[u8]) -> Result<&[u8], CidataError> {
    match descriptor(image, 0) {
        Some(block) if block[0] == 1 => Ok(block),
        _ => Err(CidataError::NotIso9660),
    }
}

/// The Joliet supplementary descriptor, if there is one.
fn joliet(image: &[u8]) -> Result<Option<&[u8]>, CidataError> {
    let mut found = None;
    for number in 1..MAX_DESCRIPTORS {
        let block = descriptor(image, number).ok_or(CidataError::NoTerminator)?;
        match block[0] {
            255 => return Ok(found),
            // Joliet is marked by one of three escape sequences; all mean UCS-2 names.
            2 if found.is_none() && matches!(&block[88..91], b"%/@" | b"%/C" | b"%/E") => found = Some(block),
            _ => {}
        }
    }
    Err(CidataError::NoTerminator)
}

/// The volume descriptor of the given number, if the block carries the standard's identifier. Its version is 1, or 2
/// for an enhanced volume descriptor; the kernel does not ask.
fn descriptor(image: &[u8], number: usize) -> Option<&[u8]> {
    let start = (FIRST_DESCRIPTOR + number) * BLOCK;
    let block = image.get(start..start + BLOCK)?;
    (&block[1..6] == b"CD001").then_some(block)
}

/// The volume id without its padding.
fn volume_id(descriptor: &[u8]) -> &[u8] {
    let id = &descriptor[40..72];
    let end = id.iter().rposition(|byte| !matches!(byte, b' ' | 0)).map_or(0, |last| last + 1);
    &id[..end]
}

/// The bytes of a record's extent.
fn extent<'i>(
    image: &'i [u8],
    record: &DirectoryRecord<'_>,
    what: &'static str,
) -> Result<&'i [u8], CidataError> {
    let start = record.block()?.checked_mul(BLOCK).ok_or(CidataError::OutOfBounds(what))?;
    let end = start.checked_add(record.size()?).ok_or(CidataError::OutOfBounds(what))?;
    image.get(start..end).ok_or(CidataError::OutOfBounds(what))
}

/// A 16-bit number stored little-endian, then big-endian.
fn both16(bytes: &[u8], at: usize, what: &'static str) -> Result<usize, CidataError> {
    match bytes.get(at..at + 4) {
        Some(&[a, b, c, d]) if [a, b] == [d, c] => Ok(usize::from(u16::from_le_bytes([a, b]))),
        Some(_) => Err(CidataError::ByteOrders(what)),
        None => Err(CidataError::OutOfBounds(what)),
    }
}
