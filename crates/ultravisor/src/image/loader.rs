//! The boot loader parts of IBM's s390-tools, of which only these two files are used.
//!
//! `stage3a` runs before the image is protected, `stage3b` inside it. Both are templates with room for arguments at their
//! end. They come from Debian's package s390-tools 2.40.0-4, which `qemu/debian.lock` names; their digests are fixed here,
//! so that no other program gets into an image, and so that an image can be read without the files.

use openssl::sha::sha256;

use crate::bytes::from_hex;

/// SHA-256 of `stage3a.bin`.
pub const STAGE3A_SHA256: &str = "f73c5f307d0c5421b36962caea8baf6029686c53d20fbbb96e6649a443cf0ee1";
/// SHA-256 of `stage3b_reloc.bin`.
pub const STAGE3B_SHA256: &str = "f5d7f2cebc1b5349edeec6e5b182f461add09d3d05707d5097e6255a22737cd9";

/// Bytes of `stage3a.bin`, arguments included.
pub(super) const STAGE3A_BYTES: usize = 11224;
/// Bytes of `stage3b_reloc.bin`, arguments included.
pub(crate) const STAGE3B_BYTES: usize = 5588;
/// Arguments at the end of `stage3a`: distance to the header, its size, distance to the parameter block.
pub(super) const STAGE3A_ARGUMENTS: usize = 24;
/// Arguments at the end of `stage3b`: address and size of kernel, command line and initramfs; where the kernel starts.
pub(crate) const STAGE3B_ARGUMENTS: usize = 64;

/// A file is not the boot loader part that it should be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum BootLoaderFault {
    /// `stage3a.bin`.
    #[error("expected stage3a.bin with SHA-256 {STAGE3A_SHA256}, as in the s390-tools of qemu/debian.lock")]
    Stage3a,
    /// `stage3b_reloc.bin`.
    #[error(
        "expected stage3b_reloc.bin with SHA-256 {STAGE3B_SHA256}, as in the s390-tools of qemu/debian.lock"
    )]
    Stage3b,
}

/// Both parts, with the digests that they must have.
#[derive(Debug, Clone, Copy)]
pub struct BootLoader<'a> {
    stage3a: &'a [u8],
    stage3b: &'a [u8],
}

impl<'a> BootLoader<'a> {
    /// Takes the contents of both files.
    ///
    /// # Errors
    /// [`BootLoaderFault`] for the first that has another digest.
    pub fn new(stage3a: &'a [u8], stage3b: &'a [u8]) -> Result<Self, BootLoaderFault> {
        let is = |bytes: &[u8], digest: &str| from_hex(digest) == Some(sha256(bytes));
        if !is(stage3a, STAGE3A_SHA256) || stage3a.len() != STAGE3A_BYTES {
            return Err(BootLoaderFault::Stage3a);
        }
        if !is(stage3b, STAGE3B_SHA256) || stage3b.len() != STAGE3B_BYTES {
            return Err(BootLoaderFault::Stage3b);
        }
        Ok(Self { stage3a, stage3b })
    }

    /// `stage3a` without its arguments.
    pub(super) fn stage3a(&self) -> &'a [u8] {
        &self.stage3a[..STAGE3A_BYTES - STAGE3A_ARGUMENTS]
    }

    /// `stage3b` without its arguments.
    pub(super) fn stage3b(&self) -> &'a [u8] {
        &self.stage3b[..STAGE3B_BYTES - STAGE3B_ARGUMENTS]
    }
}
