//! The encrypted parts: which there are, how a page is encrypted, and the digests over all pages.
//!
//! Each component fills whole pages, the last one padded with zeros. A page is encrypted by AES-256-XTS under the one
//! component key, with a tweak of its own: the component's kind, six random bytes, and the page's place in the component.

use countersign_crypto::LibraryError;
use openssl::cipher::Cipher;
use openssl::cipher_ctx::CipherCtx;
use openssl::rand::rand_bytes;
use openssl::sha::Sha512;

use super::PAGE;
use crate::key::ComponentKey;

/// What a component is; the number is part of its tweaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u16)]
pub enum Kind {
    /// The kernel, a raw image.
    Kernel = 40,
    /// The initramfs.
    Initramfs = 50,
    /// The kernel's command line, ended by a zero.
    CommandLine = 60,
    /// The second boot loader part, which runs first inside and starts the kernel.
    Stage3b = 70,
}

impl Kind {
    /// All, in the order of their addresses.
    pub const ALL: [Kind; 4] = [Kind::Kernel, Kind::Initramfs, Kind::CommandLine, Kind::Stage3b];
}

impl std::fmt::Display for Kind {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.write_str(match self {
            Kind::Kernel => "kernel",
            Kind::Initramfs => "initramfs",
            Kind::CommandLine => "command line",
            Kind::Stage3b => "boot loader stage3b",
        })
    }
}

/// The first half of a component's tweaks: its kind in two bytes, six random ones.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Tweak([u8; 8]);

impl Tweak {
    /// A fresh one for this component.
    ///
    /// # Errors
    /// [`LibraryError`] when OpenSSL has no random numbers.
    pub(super) fn random(kind: Kind) -> Result<Self, LibraryError> {
        let mut bytes = [0; 8];
        rand_bytes(&mut bytes[2..]).map_err(LibraryError::of("make a random tweak"))?;
        bytes[..2].copy_from_slice(&(kind as u16).to_be_bytes());
        Ok(Self(bytes))
    }

    pub(super) const fn from_bytes(bytes: [u8; 8]) -> Self {
        Self(bytes)
    }

    pub(super) const fn as_bytes(&self) -> &[u8; 8] {
        &self.0
    }

    /// Of which component, `None` for a kind that there is not.
    pub fn kind(&self) -> Option<Kind> {
        let number = u16::from_be_bytes([self.0[0], self.0[1]]);
        Kind::ALL.into_iter().find(|kind| *kind as u16 == number)
    }

    /// The tweak of the page that begins so many bytes into the component.
    pub(crate) fn at(&self, offset: u64) -> [u8; 16] {
        (u128::from(u64::from_be_bytes(self.0)) << 64 | u128::from(offset)).to_be_bytes()
    }
}

/// Where a component lies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Placed {
    /// First half of its tweaks.
    pub tweak: Tweak,
    /// Address of its first byte.
    pub address: u64,
    /// Bytes, whole pages.
    pub size: u64,
}

/// The digests that the header has over all encrypted pages in the order of their addresses.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct ListDigests {
    /// SHA-512 of the pages as they are encrypted.
    pub(crate) pages: [u8; 64],
    /// SHA-512 of their addresses, 8 bytes each.
    pub(crate) addresses: [u8; 64],
    /// SHA-512 of their tweaks, 16 bytes each.
    pub(crate) tweaks: [u8; 64],
    /// How many pages.
    pub(crate) count: u64,
}

/// [`ListDigests`] in the making.
pub(crate) struct Lists {
    pages: Sha512,
    addresses: Sha512,
    tweaks: Sha512,
    count: u64,
}

impl Lists {
    pub(crate) fn new() -> Self {
        Self { pages: Sha512::new(), addresses: Sha512::new(), tweaks: Sha512::new(), count: 0 }
    }

    /// Adds all pages of a component.
    pub(crate) fn add(&mut self, placed: &Placed, encrypted: &[u8]) {
        self.pages.update(encrypted);
        let mut offset = 0;
        for _ in encrypted.chunks(PAGE) {
            self.addresses.update(&placed.address.wrapping_add(offset).to_be_bytes());
            self.tweaks.update(&placed.tweak.at(offset));
            offset += PAGE as u64;
            self.count += 1;
        }
    }

    pub(crate) fn finish(self) -> ListDigests {
        ListDigests {
            pages: self.pages.finish(),
            addresses: self.addresses.finish(),
            tweaks: self.tweaks.finish(),
            count: self.count,
        }
    }
}

/// A cipher that encrypts pages, or decrypts them, under this key.
///
/// # Errors
/// [`LibraryError`] when OpenSSL has no AES-256-XTS or no memory.
pub(crate) fn cipher(key: &ComponentKey, encrypts: bool) -> Result<CipherCtx, LibraryError> {
    let failed = || LibraryError::of("prepare AES-256-XTS");
    let mut cipher = CipherCtx::new().map_err(failed())?;
    let (kind, key) = (Some(Cipher::aes_256_xts()), Some(key.expose().as_slice()));
    if encrypts { cipher.encrypt_init(kind, key, None) } else { cipher.decrypt_init(kind, key, None) }
        .map_err(failed())?;
    Ok(cipher)
}

/// Encrypts a component in place: whole pages, the padding among them.
///
/// # Errors
/// [`LibraryError`] when OpenSSL fails.
pub(super) fn encrypt(cipher: &mut CipherCtx, tweak: Tweak, pages: &mut [u8]) -> Result<(), LibraryError> {
    each_page(cipher, tweak, pages, |cipher, tweak| cipher.encrypt_init(None, None, Some(tweak)))
}

/// Decrypts a component in place.
///
/// # Errors
/// [`LibraryError`] when OpenSSL fails.
#[cfg(feature = "machine")]
pub(crate) fn decrypt(cipher: &mut CipherCtx, tweak: Tweak, pages: &mut [u8]) -> Result<(), LibraryError> {
    each_page(cipher, tweak, pages, |cipher, tweak| cipher.decrypt_init(None, None, Some(tweak)))
}

fn each_page(
    cipher: &mut CipherCtx,
    tweak: Tweak,
    pages: &mut [u8],
    begin: impl Fn(&mut CipherCtx, &[u8]) -> Result<(), openssl::error::ErrorStack>,
) -> Result<(), LibraryError> {
    let failed = || LibraryError::of("run AES-256-XTS");
    let mut offset = 0;
    for page in pages.chunks_exact_mut(PAGE) {
        begin(cipher, &tweak.at(offset)).map_err(failed())?;
        cipher.cipher_update_inplace(page, PAGE).map_err(failed())?;
        offset += PAGE as u64;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tweak_has_kind_and_place() {
        let tweak = Tweak::random(Kind::Initramfs).unwrap();
        assert_eq!(tweak.kind(), Some(Kind::Initramfs));
        let page = tweak.at(0x3000);
        assert_eq!(
            (&page[..8], &page[8..]),
            (tweak.as_bytes().as_slice(), [0, 0, 0, 0, 0, 0, 0x30, 0].as_slice())
        );
        assert_eq!(Tweak::from_bytes([0, 41, 1, 2, 3, 4, 5, 6]).kind(), None);
    }
}
