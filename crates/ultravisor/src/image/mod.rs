//! The sealed image: a memory image that a machine loads at address 0, of which the kernel, the initramfs, the command
//! line and the second boot loader part are encrypted.
//!
//! | address | part | encrypted |
//! |---|---|---|
//! | 0 | program status word: where the boot loader begins | |
//! | 0xc000 | metadata: where header and parameter block are | |
//! | 0x10000 | boot loader `stage3a`, which asks the Ultravisor to take the image over | |
//! | 0x14000 | header: keys and digests, for the machines that may run it | its own form |
//! | next pages | kernel, initramfs, command line, boot loader `stage3b` | yes |
//! | next page | parameter block (IPIB): which pages are encrypted, with which tweaks | |
//!
//! [`seal`] writes one, [`SealedImage::read`] reads it as anybody may who has no key: every byte outside the encrypted
//! parts is then known, and every encrypted page is under the header's digests. Whether the header is under the key that
//! it should be only the machine can say (module `machine`).
//!
//! Not done here: images with plain components ("generic"), images without an initramfs, images of other programs, whose
//! parts may lie elsewhere.

mod component;
mod header;
mod loader;
mod parameters;
mod read;
mod seal;

pub use component::{Kind, Placed, Tweak};
pub use header::{Flags, Header, HeaderFault, HeaderTags};
pub use loader::{BootLoader, BootLoaderFault, STAGE3A_SHA256, STAGE3B_SHA256};
pub use parameters::{ParameterBlock, ParameterFault};
pub use read::{ImageFault, SealedImage};
pub use seal::{Dumping, Parts, Rules, SealFault, Sealed, seal};

#[cfg(fuzzing)]
pub(crate) use header::fuzz_draft;

#[cfg(feature = "machine")]
pub(crate) use component::{Lists, cipher, decrypt};
#[cfg(feature = "machine")]
pub(crate) use header::Secrets;
#[cfg(feature = "machine")]
pub(crate) use loader::{STAGE3B_ARGUMENTS, STAGE3B_BYTES};
#[cfg(feature = "machine")]
pub(crate) use read::find;

/// Bytes of a page, the unit of encryption and digests.
pub const PAGE: usize = 4096;

/// The largest image that is sealed or read, 1 GiB: a guest has more memory than that to begin with.
pub const MAX_BYTES: usize = 1 << 30;

/// Where the metadata is.
const METADATA: usize = 0xc000;
const METADATA_BYTES: usize = 28;
const METADATA_MAGIC: &[u8; 8] = b"SeImgLnx";
const METADATA_VERSION: u32 = 1;

/// Where `stage3a` is loaded, and where it begins to run.
const STAGE3A: usize = 0x10000;
const STAGE3A_ENTRY: u64 = 0x11000;

/// Where the header is: the first place at which IBM's programs look.
const HEADER: usize = 0x14000;

/// Addresses of 31 bits and more: the mask of the program status words inside the image.
const PSW_MASK: u64 = 0x0000_0001_8000_0000;
/// Where a Linux kernel for s390 begins to run.
const KERNEL_ENTRY: u64 = 0x10000;

/// The short program status word at address 0: the mask with the bit that says so, and the address in it.
pub(crate) fn short_psw(address: u64) -> [u8; 8] {
    (0x0008_0000_0000_0000 | PSW_MASK | address).to_be_bytes()
}

/// The size in whole pages; `None` beyond [`MAX_BYTES`].
fn paged(bytes: usize) -> Option<usize> {
    (bytes <= MAX_BYTES).then(|| bytes.next_multiple_of(PAGE))
}
