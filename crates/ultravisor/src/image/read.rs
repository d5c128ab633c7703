//! What anybody may read of a sealed image, and must find there.
//!
//! Outside the encrypted parts an image made here has no byte that is not known beforehand: so nothing hides there, and
//! no other program runs before the Ultravisor takes over. The Ultravisor itself checks header and encrypted pages only.

use openssl::sha::sha256;

use super::component::{Kind, Lists, Placed};
use super::header::{Header, HeaderFault, HeaderTags};
use super::loader::{STAGE3A_ARGUMENTS, STAGE3A_BYTES, STAGE3A_SHA256, STAGE3B_BYTES};
use super::parameters::{ParameterBlock, ParameterFault};
use super::{
    HEADER, MAX_BYTES, METADATA, METADATA_BYTES, METADATA_MAGIC, METADATA_VERSION, PAGE, STAGE3A,
    STAGE3A_ENTRY, short_psw,
};
use crate::bytes::{array, from_hex, number32, number64};
use crate::exchange::KeyHash;

/// Why a file is not taken for a sealed image. Places are addresses, which are offsets in the file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ImageFault {
    /// More than [`MAX_BYTES`].
    #[error("expected a sealed image of at most 1 GiB")]
    TooLarge,
    /// No metadata at 0xc000.
    #[error("expected a sealed image, with its metadata (SeImgLnx, version 1) at 0xc000")]
    Metadata,
    /// The header is not at 0x14000, or the file ends before it does.
    #[error("expected the header at 0x14000, where the metadata and the parameter block say it is")]
    HeaderPlace,
    /// The header itself.
    #[error("header: {0}")]
    Header(#[from] HeaderFault),
    /// The parameter block itself.
    #[error("parameter block: {0}")]
    Parameters(#[from] ParameterFault),
    /// The program status word at 0.
    #[error("expected the image to start its boot loader, at 0x11000")]
    Start,
    /// `stage3a`.
    #[error(
        "expected the boot loader part stage3a of qemu/debian.lock; another program would run before the guest is protected"
    )]
    BootLoader,
    /// The arguments of `stage3a`.
    #[error("expected the boot loader to be told where header and parameter block are")]
    BootLoaderArguments,
    /// The components that the parameter block names.
    #[error(
        "expected kernel, initramfs, command line and stage3b in whole pages, one behind the other from the first page behind \
         the header, and then the parameter block"
    )]
    Components,
    /// Something beside the parts.
    #[error("expected nothing but zeros outside the parts, found something at {0:#x}")]
    Stray(usize),
    /// The components are not encrypted.
    #[error("expected encrypted components; this image has them in plain, its key among them")]
    Plain,
    /// Digests over the pages.
    #[error("the encrypted pages are not those of the header (page list digest)")]
    Pages,
    /// Over their addresses.
    #[error("the pages' addresses are not those of the header (address list digest)")]
    Addresses,
    /// Over their tweaks.
    #[error("the pages' tweaks are not those of the header (tweak list digest)")]
    Tweaks,
    /// Their number.
    #[error("expected {expected} encrypted pages, as the header says, found {found}")]
    PageCount {
        /// In the header.
        expected: u64,
        /// In the parameter block.
        found: u64,
    },
}

/// Header and parameter block of a file, wherever its metadata says they are.
pub(crate) fn find(bytes: &[u8]) -> Result<(u64, Header<'_>, u64, ParameterBlock, usize), ImageFault> {
    if bytes.len() > MAX_BYTES {
        return Err(ImageFault::TooLarge);
    }
    if array(bytes, METADATA).as_ref() != Some(METADATA_MAGIC)
        || number32(bytes, METADATA + 16) != Some(METADATA_VERSION)
    {
        return Err(ImageFault::Metadata);
    }
    let behind = |offset: u64| usize::try_from(offset).ok().and_then(|offset| bytes.get(offset..));
    let place = |at| number64(bytes, at).ok_or(ImageFault::Metadata);
    let (header_at, block_at) = (place(METADATA + 8)?, place(METADATA + 20)?);
    let header = Header::parse(behind(header_at).ok_or(ImageFault::HeaderPlace)?)?;
    let (block, size) = ParameterBlock::parse(behind(block_at).ok_or(ParameterFault)?)?;
    Ok((header_at, header, block_at, block, size))
}

/// A sealed image as anybody may read it: every byte outside the encrypted parts is what it must be, and the encrypted
/// pages are those that the header has digests of. Not known is whether the header's own tag holds; a machine knows that.
#[derive(Debug, Clone)]
pub struct SealedImage<'a> {
    bytes: &'a [u8],
    header: Header<'a>,
    components: Vec<Placed>,
}

impl<'a> SealedImage<'a> {
    /// Reads the whole file.
    ///
    /// # Errors
    /// The first [`ImageFault`], in the order of the addresses and then of the digests.
    pub fn read(bytes: &'a [u8]) -> Result<Self, ImageFault> {
        let (header_at, header, block_at, block, block_size) = find(bytes)?;
        if header_at != HEADER as u64 || block.header != header_at {
            return Err(ImageFault::HeaderPlace);
        }
        let header_size = header.as_bytes().len();
        if block.header_size != header_size as u64 {
            return Err(ImageFault::HeaderPlace);
        }
        if bytes[..8] != short_psw(STAGE3A_ENTRY) {
            return Err(ImageFault::Start);
        }
        stage3a(bytes, header_size as u64, block_at)?;
        let end = placed(&block.components, header_size).ok_or(ImageFault::Components)?;
        if block_at != end as u64 {
            return Err(ImageFault::Components);
        }
        let parts = [
            (0, 8),
            (METADATA, METADATA_BYTES),
            (STAGE3A, STAGE3A_BYTES),
            (HEADER, header_size),
            (
                (HEADER + header_size).next_multiple_of(PAGE),
                end - (HEADER + header_size).next_multiple_of(PAGE),
            ),
            (end, block_size),
        ];
        let mut covered = 0;
        for (begin, size) in parts {
            nothing_in(bytes, covered, begin)?;
            covered = begin + size;
        }
        nothing_in(bytes, covered, bytes.len())?;
        if header.flags().plain_components() {
            return Err(ImageFault::Plain);
        }
        let image = Self { bytes, header, components: block.components };
        image.digests()?;
        Ok(image)
    }

    /// An image that was just made here, and so is what it must be.
    pub(super) fn written(bytes: &'a [u8], components: Vec<Placed>) -> Result<Self, ImageFault> {
        let header = Header::parse(bytes.get(HEADER..).ok_or(ImageFault::HeaderPlace)?)?;
        Ok(Self { bytes, header, components })
    }

    fn digests(&self) -> Result<(), ImageFault> {
        let mut lists = Lists::new();
        for placed in &self.components {
            lists.add(placed, self.component(placed));
        }
        let (found, expected) = (lists.finish(), self.header.tags());
        if found.count != self.header.pages() {
            return Err(ImageFault::PageCount { expected: self.header.pages(), found: found.count });
        }
        let same = [
            (found.addresses == expected.addresses, ImageFault::Addresses),
            (found.tweaks == expected.tweaks, ImageFault::Tweaks),
            (found.pages == expected.pages, ImageFault::Pages),
        ];
        same.into_iter().find(|(same, _)| !same).map_or(Ok(()), |(_, fault)| Err(fault))
    }

    /// The encrypted pages of a component; [`placed`] has checked that they are in the file.
    fn component(&self, placed: &Placed) -> &'a [u8] {
        let begin = placed.address as usize;
        &self.bytes[begin..begin + placed.size as usize]
    }

    /// Its header.
    pub fn header(&self) -> &Header<'a> {
        &self.header
    }

    /// What names this sealing.
    pub fn tags(&self) -> HeaderTags {
        self.header.tags()
    }

    /// The machines that it is for.
    pub fn hosts(&self) -> Vec<KeyHash> {
        self.header.hosts()
    }

    /// The encrypted parts.
    pub fn components(&self) -> &[Placed] {
        &self.components
    }

    /// The whole file.
    pub fn as_bytes(&self) -> &'a [u8] {
        self.bytes
    }
}

/// `stage3a` has its digest when its arguments are taken out, and they are what they must be.
fn stage3a(bytes: &[u8], header_size: u64, block_at: u64) -> Result<(), ImageFault> {
    let loaded = bytes.get(STAGE3A..STAGE3A + STAGE3A_BYTES).ok_or(ImageFault::BootLoader)?;
    let (program, arguments) = loaded.split_at(STAGE3A_BYTES - STAGE3A_ARGUMENTS);
    let template = [program, &[0; STAGE3A_ARGUMENTS]].concat();
    if from_hex(STAGE3A_SHA256) != Some(sha256(&template)) {
        return Err(ImageFault::BootLoader);
    }
    if arguments != stage3a_arguments(header_size, block_at) {
        return Err(ImageFault::BootLoaderArguments);
    }
    Ok(())
}

/// Distances are counted from where the arguments begin.
pub(super) fn stage3a_arguments(header_size: u64, block_at: u64) -> [u8; STAGE3A_ARGUMENTS] {
    let from = (STAGE3A + STAGE3A_BYTES - STAGE3A_ARGUMENTS) as u64;
    let mut arguments = [0; STAGE3A_ARGUMENTS];
    for (place, number) in
        arguments.chunks_exact_mut(8).zip([HEADER as u64 - from, header_size, block_at.wrapping_sub(from)])
    {
        place.copy_from_slice(&number.to_be_bytes());
    }
    arguments
}

/// Where the last component ends, `None` where they are not as they must be.
fn placed(components: &[Placed], header_size: usize) -> Option<usize> {
    let mut next = (HEADER + header_size).next_multiple_of(PAGE);
    if components.len() != Kind::ALL.len() {
        return None;
    }
    for (kind, placed) in Kind::ALL.into_iter().zip(components) {
        let size = usize::try_from(placed.size).ok().filter(|size| *size > 0 && size.is_multiple_of(PAGE))?;
        if placed.tweak.kind() != Some(kind) || placed.address != next as u64 {
            return None;
        }
        next = next.checked_add(size).filter(|end| *end <= MAX_BYTES)?;
    }
    let last = components.last()?;
    (last.size == STAGE3B_BYTES.next_multiple_of(PAGE) as u64).then_some(next)
}

fn nothing_in(bytes: &[u8], begin: usize, end: usize) -> Result<(), ImageFault> {
    let between = bytes.get(begin..end).ok_or(ImageFault::Components)?;
    match between.iter().position(|byte| *byte != 0) {
        Some(place) => Err(ImageFault::Stray(begin + place)),
        None => Ok(()),
    }
}
