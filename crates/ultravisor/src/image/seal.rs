//! Sealing: kernel, initramfs and command line become an image that only the given machines can run.
//!
//! Every key is made here, for this sealing, and dropped at its end: two sealings of the same parts have nothing in common
//! but their plain text.

use openssl::rand::rand_bytes;

use super::component::{Kind, Lists, Placed, Tweak, cipher, encrypt};
use super::header::{Draft, Flags, Header, HeaderTags, MAX_SLOTS};
use super::loader::{BootLoader, STAGE3B_BYTES};
use super::parameters::ParameterBlock;
use super::read::{ImageFault, SealedImage, stage3a_arguments};
use super::{
    HEADER, KERNEL_ENTRY, MAX_BYTES, METADATA, METADATA_MAGIC, METADATA_VERSION, PAGE, PSW_MASK, STAGE3A,
    STAGE3A_ENTRY, paged, short_psw,
};
use crate::LibraryError;
use crate::bytes::{array, number64};
use crate::document::HostKey;
use crate::exchange::CustomerKey;
use crate::key::{CommunicationKey, ComponentKey, HeaderKey};

/// Where a kernel says that it is one.
const KERNEL_MAGIC: (usize, &[u8; 6]) = (0x10008, b"S390EP");
/// Where it says how long its command line may be, the ending zero among it; 0 means [`COMMAND_LINE`].
const KERNEL_COMMAND_LINE: usize = 0x10430;
const COMMAND_LINE: u64 = 896;

/// What is sealed.
#[derive(Clone, Copy)]
pub struct Parts<'a> {
    /// The kernel as s390x boots it: a raw image, no ELF file.
    pub kernel: &'a [u8],
    /// The initramfs with the image key.
    pub initramfs: &'a [u8],
    /// The kernel's command line, without an ending zero.
    pub command_line: &'a str,
}

impl std::fmt::Debug for Parts<'_> {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.debug_struct("Parts").finish_non_exhaustive()
    }
}

/// Whether the host may dump the guest's memory.
#[derive(Debug)]
pub enum Dumping {
    /// It may not.
    Never,
    /// It may, encrypted to this key, which whoever reads a dump has to have.
    To(CommunicationKey),
}

/// What a guest is allowed.
#[derive(Debug)]
pub struct Rules {
    /// Dumps of its memory.
    pub dumping: Dumping,
    /// Whether a machine may use its backup host key, after its own was exchanged.
    pub backup_host_keys: bool,
}

impl Default for Rules {
    /// For production: neither.
    fn default() -> Self {
        Self { dumping: Dumping::Never, backup_host_keys: false }
    }
}

/// Why parts cannot be sealed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SealFault {
    /// Not what s390x boots.
    #[error("expected a kernel for s390x as a raw image (S390EP at 0x10008), not an ELF or compressed file")]
    Kernel,
    /// Empty.
    #[error("expected an initramfs, found an empty file")]
    Initramfs,
    /// Too long for this kernel.
    #[error("expected a command line of at most {0} bytes, which is what this kernel takes")]
    CommandLineLength(u64),
    /// A zero in it.
    #[error("expected a command line on one line, without line breaks and zeros")]
    CommandLineText,
    /// No machine to run it.
    #[error("expected at least one host key document, and at most {MAX_SLOTS}")]
    Hosts,
    /// A machine twice.
    #[error("expected every host key once; two documents are of the same key")]
    HostTwice,
    /// More than 1 GiB.
    #[error("expected an image of at most 1 GiB")]
    TooLarge,
    /// OpenSSL.
    #[error(transparent)]
    Library(#[from] LibraryError),
}

/// A sealed image.
#[derive(Debug)]
pub struct Sealed {
    bytes: Vec<u8>,
    components: Vec<Placed>,
    tags: HeaderTags,
}

impl Sealed {
    /// The file. Nothing in it is secret.
    pub fn as_bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// What names this sealing.
    pub fn tags(&self) -> HeaderTags {
        self.tags
    }

    /// The image as anybody reads it. It has just been written, so nothing is checked once more.
    ///
    /// # Errors
    /// None in practice: [`seal`] has read the header.
    pub fn image(&self) -> Result<SealedImage<'_>, ImageFault> {
        SealedImage::written(&self.bytes, self.components.clone())
    }
}

/// Seals the parts to these machines.
///
/// # Errors
/// [`SealFault`].
pub fn seal(
    parts: &Parts<'_>,
    loader: &BootLoader<'_>,
    hosts: &[HostKey],
    rules: Rules,
) -> Result<Sealed, SealFault> {
    check(parts, hosts)?;
    let layout = Layout::of(parts, hosts.len()).ok_or(SealFault::TooLarge)?;
    let mut bytes = vec![0; layout.block + ParameterBlock::size(Kind::ALL.len())];

    let components = ComponentKey::random()?;
    let mut encryption = cipher(&components, true)?;
    let (mut lists, mut placed) = (Lists::new(), Vec::new());
    let command_line = [parts.command_line.as_bytes(), &[0]].concat();
    let stage3b = [loader.stage3b(), &layout.stage3b_arguments(parts)].concat();
    for (kind, content) in Kind::ALL.into_iter().zip([parts.kernel, parts.initramfs, &command_line, &stage3b])
    {
        let (address, size) = layout.component(kind);
        let one = Placed { tweak: Tweak::random(kind)?, address: address as u64, size: size as u64 };
        let pages = &mut bytes[address..address + size];
        pages[..content.len()].copy_from_slice(content);
        encrypt(&mut encryption, one.tweak, pages)?;
        lists.add(&one, pages);
        placed.push(one);
    }

    let (key, customer) = (HeaderKey::random()?, CustomerKey::random()?);
    let slots: Vec<_> =
        hosts.iter().map(|host| customer.slot(host.public(), &key)).collect::<Result<_, LibraryError>>()?;
    let mut iv = [0; 12];
    rand_bytes(&mut iv).map_err(LibraryError::of("make a random IV"))?;
    let flags = Flags::new(matches!(rules.dumping, Dumping::To(_)), rules.backup_host_keys);
    let communication = match rules.dumping {
        Dumping::Never => CommunicationKey::random()?,
        Dumping::To(key) => key,
    };
    let entry = layout.component(Kind::Stage3b).0 as u64;
    let draft = Draft { customer: customer.public(), slots: &slots, flags, lists: lists.finish(), iv, entry };
    let header = draft.write(&key, communication, components)?;

    let mut put = |at: usize, part: &[u8]| bytes[at..at + part.len()].copy_from_slice(part);
    put(0, &short_psw(STAGE3A_ENTRY));
    put(METADATA, METADATA_MAGIC);
    put(METADATA + 8, &(HEADER as u64).to_be_bytes());
    put(METADATA + 16, &METADATA_VERSION.to_be_bytes());
    put(METADATA + 20, &(layout.block as u64).to_be_bytes());
    put(STAGE3A, loader.stage3a());
    put(STAGE3A + loader.stage3a().len(), &stage3a_arguments(header.len() as u64, layout.block as u64));
    put(HEADER, &header);
    let block =
        ParameterBlock { header: HEADER as u64, header_size: header.len() as u64, components: placed };
    put(layout.block, &block.to_bytes());
    let tags = Header::parse(&header).map_err(LibraryError::of("write a header"))?.tags();
    Ok(Sealed { bytes, components: block.components, tags })
}

fn check(parts: &Parts<'_>, hosts: &[HostKey]) -> Result<(), SealFault> {
    if array(parts.kernel, KERNEL_MAGIC.0).as_ref() != Some(KERNEL_MAGIC.1) {
        return Err(SealFault::Kernel);
    }
    let longest = match number64(parts.kernel, KERNEL_COMMAND_LINE).ok_or(SealFault::Kernel)? {
        0 => COMMAND_LINE,
        longest => longest,
    };
    if parts.command_line.len() as u64 >= longest {
        return Err(SealFault::CommandLineLength(longest - 1));
    }
    if parts.command_line.contains(['\0', '\n', '\r']) {
        return Err(SealFault::CommandLineText);
    }
    if parts.initramfs.is_empty() {
        return Err(SealFault::Initramfs);
    }
    if hosts.is_empty() || hosts.len() > MAX_SLOTS {
        return Err(SealFault::Hosts);
    }
    let mut hashes: Vec<_> = hosts.iter().map(HostKey::hash).collect();
    hashes.sort_unstable();
    hashes.dedup();
    if hashes.len() == hosts.len() { Ok(()) } else { Err(SealFault::HostTwice) }
}

/// Where everything goes.
struct Layout {
    /// Address and padded size, in the order of [`Kind::ALL`].
    components: [(usize, usize); 4],
    /// The parameter block.
    block: usize,
}

impl Layout {
    /// `None` beyond [`MAX_BYTES`].
    fn of(parts: &Parts<'_>, hosts: usize) -> Option<Self> {
        let sizes = [parts.kernel.len(), parts.initramfs.len(), parts.command_line.len() + 1, STAGE3B_BYTES];
        let mut next = (HEADER + Header::size(hosts)).next_multiple_of(PAGE);
        let mut components = [(0, 0); 4];
        for (place, size) in components.iter_mut().zip(sizes) {
            *place = (next, paged(size)?);
            next = next.checked_add(place.1).filter(|end| *end < MAX_BYTES - PAGE)?;
        }
        Some(Self { components, block: next })
    }

    fn component(&self, kind: Kind) -> (usize, usize) {
        match kind {
            Kind::Kernel => self.components[0],
            Kind::Initramfs => self.components[1],
            Kind::CommandLine => self.components[2],
            Kind::Stage3b => self.components[3],
        }
    }

    /// Address and size, without padding, of what `stage3b` puts into place; and the kernel's program status word.
    fn stage3b_arguments(&self, parts: &Parts<'_>) -> Vec<u8> {
        let at = |kind| self.component(kind).0 as u64;
        let numbers = [
            at(Kind::Kernel),
            parts.kernel.len() as u64,
            at(Kind::CommandLine),
            parts.command_line.len() as u64 + 1,
            at(Kind::Initramfs),
            parts.initramfs.len() as u64,
            PSW_MASK,
            KERNEL_ENTRY,
        ];
        numbers.into_iter().flat_map(u64::to_be_bytes).collect()
    }
}
