//! The header of a sealed image: for which machines it is, what the Ultravisor allows, digests of the pages; and encrypted
//! in it the keys and where the guest begins.
//!
//! | offset | bytes | |
//! |---|---|---|
//! | 0x000 | 8, 4, 4 | `IBMSecEx`, version 0x100, size of the header |
//! | 0x010 | 12, 4 | IV, reserved |
//! | 0x020 | 8, 8 | number of key slots, size of the encrypted area (128) |
//! | 0x030 | 8, 8 | number of encrypted pages, plaintext flags |
//! | 0x040 | 160 | customer public key |
//! | 0x0e0 | 64 × 3 | digests of pages, addresses, tweaks |
//! | 0x1a0 | 80 each | key slots |
//! | then | 128 | encrypted: communication key, component key, program status word, secret flags, optional items |
//! | end − 16 | 16 | tag |
//!
//! AES-256-GCM under the header key; all that stands before the encrypted area is authenticated. The flags' bits are
//! numbered from the highest.

use std::fmt;

use countersign_crypto::digest::{hex, sha256};
use openssl::symm::{Cipher, decrypt_aead, encrypt_aead};
use zeroize::Zeroizing;

use super::PSW_MASK;
use super::component::ListDigests;
use crate::LibraryError;
use crate::bytes::{array, number32, number64};
use crate::exchange::{COORDINATES, KeyHash, PublicKey, SLOT, TAG};
use crate::key::{CommunicationKey, ComponentKey, HeaderKey};

const MAGIC: &[u8; 8] = b"IBMSecEx";
const VERSION: u32 = 0x100;
/// The largest header that a machine takes.
const MAX_BYTES: usize = 8192;
/// Where the key slots begin.
const SLOTS: usize = 0x1a0;
/// Bytes of the encrypted area without optional items.
const ENCRYPTED: usize = 128;

/// The most machines that a header has room for.
pub(super) const MAX_SLOTS: usize = (MAX_BYTES - SLOTS - ENCRYPTED - TAG) / SLOT;

/// What the Ultravisor allows a guest; these flags stand in the header for everybody to read.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Flags(u64);

impl fmt::Debug for Flags {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "Flags({:#x})", self.0)
    }
}

const fn bit(number: u32) -> u64 {
    1 << (63 - number)
}

impl Flags {
    const DUMPING: u64 = bit(34);
    const PLAIN: u64 = bit(35);
    const PROTECTED_KEYS: u64 = bit(56) | bit(57) | bit(58);
    const PROTECTED_HMAC: u64 = bit(59);
    const BACKUP_KEYS: u64 = bit(62);
    const KNOWN: u64 =
        Self::DUMPING | Self::PLAIN | Self::PROTECTED_KEYS | Self::PROTECTED_HMAC | Self::BACKUP_KEYS;

    /// What IBM's program sets without being asked: protected keys for DES, AES and elliptic curves, which the guest makes
    /// for itself. No dumping, no backup keys.
    pub const PRODUCTION: Flags = Flags(Self::PROTECTED_KEYS);

    pub(super) fn new(dumping: bool, backup_host_keys: bool) -> Self {
        let flag = |set: bool, flag: u64| if set { flag } else { 0 };
        Self(Self::PROTECTED_KEYS | flag(dumping, Self::DUMPING) | flag(backup_host_keys, Self::BACKUP_KEYS))
    }

    /// The number in the header.
    pub const fn value(self) -> u64 {
        self.0
    }

    /// Whether the host may dump the guest's memory, encrypted to the communication key.
    pub const fn dumping(self) -> bool {
        self.0 & Self::DUMPING != 0
    }

    /// Whether a machine may open the image by its backup host key as well.
    pub const fn backup_host_keys(self) -> bool {
        self.0 & Self::BACKUP_KEYS != 0
    }

    /// Whether the components are not encrypted.
    pub const fn plain_components(self) -> bool {
        self.0 & Self::PLAIN != 0
    }
}

/// What names one sealing: the digests and the tag of its header. Attestation measures them, requests are bound to them.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct HeaderTags {
    /// SHA-512 of all encrypted pages (PLD).
    pub pages: [u8; 64],
    /// SHA-512 of their addresses (ALD).
    pub addresses: [u8; 64],
    /// SHA-512 of their tweaks (TLD).
    pub tweaks: [u8; 64],
    /// The header's authentication tag.
    pub tag: [u8; 16],
}

impl fmt::Debug for HeaderTags {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "HeaderTags({})", hex(&self.tag))
    }
}

/// Why bytes are no header of a sealed image.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum HeaderFault {
    /// It does not begin with `IBMSecEx`, or is too short for anything.
    #[error("expected a Secure Execution header")]
    None,
    /// Of another version.
    #[error("expected a header of version 0x100, found {0:#x}")]
    Version(u32),
    /// The sizes in it do not add up, or are beyond what a machine takes.
    #[error("expected a header whose sizes add up, of 8192 bytes at most")]
    Size,
    /// There is none, or more than fit.
    #[error("expected 1 to {MAX_SLOTS} key slots")]
    Slots,
    /// Optional items, which nobody defined.
    #[error("expected an encrypted area of {ENCRYPTED} bytes")]
    EncryptedArea,
    /// Bytes that are for the future.
    #[error("expected reserved bytes of the header to be zero")]
    Reserved,
    /// Flags that nobody defined.
    #[error("expected only known flags in the header")]
    Flags,
    /// No point of P-521.
    #[error("expected a customer key on the curve P-521")]
    CustomerKey,
}

/// A header, as far as anybody can read it.
#[derive(Clone)]
pub struct Header<'a> {
    bytes: &'a [u8],
    slots: usize,
}

impl fmt::Debug for Header<'_> {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "Header({:?})", self.tags())
    }
}

impl<'a> Header<'a> {
    /// Reads the header at the beginning of these bytes, as long as it says.
    ///
    /// # Errors
    /// The first [`HeaderFault`].
    pub fn parse(bytes: &'a [u8]) -> Result<Self, HeaderFault> {
        if !bytes.starts_with(MAGIC) || bytes.len() < SLOTS {
            return Err(HeaderFault::None);
        }
        let word = |at| number32(bytes, at).unwrap_or_default();
        let number = |at| number64(bytes, at).unwrap_or_default();
        if word(8) != VERSION {
            return Err(HeaderFault::Version(word(8)));
        }
        if number(0x28) != ENCRYPTED as u64 {
            return Err(HeaderFault::EncryptedArea);
        }
        let slots = usize::try_from(number(0x20)).unwrap_or(usize::MAX);
        if !(1..=MAX_SLOTS).contains(&slots) {
            return Err(HeaderFault::Slots);
        }
        let size = Self::size(slots);
        if word(0xc) as usize != size {
            return Err(HeaderFault::Size);
        }
        let bytes = bytes.get(..size).ok_or(HeaderFault::Size)?;
        if word(0x1c) != 0 {
            return Err(HeaderFault::Reserved);
        }
        if number(0x38) & !Flags::KNOWN != 0 {
            return Err(HeaderFault::Flags);
        }
        let header = Self { bytes, slots };
        header.customer_key().ok_or(HeaderFault::CustomerKey)?;
        Ok(header)
    }

    /// Bytes of a header with so many slots.
    pub(super) const fn size(slots: usize) -> usize {
        SLOTS + slots * SLOT + ENCRYPTED + TAG
    }

    /// The header as bytes.
    pub fn as_bytes(&self) -> &'a [u8] {
        self.bytes
    }

    /// The machines that it is for.
    pub fn hosts(&self) -> Vec<KeyHash> {
        self.slot_bytes().filter_map(|slot| array(slot, 0)).map(KeyHash::from_bytes).collect()
    }

    /// How many pages are encrypted.
    pub fn pages(&self) -> u64 {
        number64(self.bytes, 0x30).unwrap_or_default()
    }

    /// What the Ultravisor allows.
    pub fn flags(&self) -> Flags {
        Flags(number64(self.bytes, 0x38).unwrap_or_default())
    }

    /// The key pair's public half with which the slots were made.
    pub(crate) fn customer_key(&self) -> Option<PublicKey> {
        PublicKey::from_coordinates(&array::<COORDINATES>(self.bytes, 0x40)?)
    }

    /// Its digests and its tag.
    pub fn tags(&self) -> HeaderTags {
        let digest = |at| array(self.bytes, at).unwrap_or([0; 64]);
        HeaderTags {
            pages: digest(0xe0),
            addresses: digest(0x120),
            tweaks: digest(0x160),
            tag: array(self.bytes, self.bytes.len() - TAG).unwrap_or_default(),
        }
    }

    /// SHA-256 of the whole header.
    pub fn sha256(&self) -> [u8; 32] {
        sha256(self.bytes)
    }

    pub(crate) fn slot_bytes(&self) -> impl Iterator<Item = &'a [u8]> {
        self.bytes[SLOTS..SLOTS + self.slots * SLOT].chunks_exact(SLOT)
    }

    /// What is encrypted in it, `None` where key or tag do not fit.
    #[cfg_attr(not(feature = "machine"), allow(dead_code))]
    pub(crate) fn open(&self, key: &HeaderKey) -> Option<Secrets> {
        let area = self.bytes.len() - TAG - ENCRYPTED;
        let (authenticated, rest) = self.bytes.split_at(area);
        let (encrypted, tag) = rest.split_at(ENCRYPTED);
        let iv = &authenticated[0x10..0x1c];
        let plain =
            decrypt_aead(Cipher::aes_256_gcm(), key.expose(), Some(iv), authenticated, encrypted, tag)
                .ok()?;
        Secrets::read(Zeroizing::new(plain))
    }
}

/// The encrypted area.
#[cfg_attr(not(feature = "machine"), allow(dead_code))]
pub(crate) struct Secrets {
    pub(crate) communication: CommunicationKey,
    pub(crate) components: ComponentKey,
    /// Mask and address of the program status word with which the guest begins.
    pub(crate) psw: (u64, u64),
    /// Flags about secrets; none of them is set by us.
    pub(crate) flags: u64,
}

impl Secrets {
    /// The area of a new header, to begin at this address.
    fn write(&self) -> Zeroizing<Vec<u8>> {
        let mut area = Zeroizing::new(Vec::with_capacity(ENCRYPTED));
        area.extend_from_slice(self.communication.expose());
        area.extend_from_slice(self.components.expose());
        for number in [self.psw.0, self.psw.1, self.flags, 0] {
            area.extend_from_slice(&number.to_be_bytes());
        }
        area
    }

    #[cfg_attr(not(feature = "machine"), allow(dead_code))]
    fn read(mut area: Zeroizing<Vec<u8>>) -> Option<Self> {
        let psw = (number64(&area, 96)?, number64(&area, 104)?);
        let flags = number64(&area, 112)?;
        // Optional items: none.
        if number64(&area, 120)? != 0 {
            return None;
        }
        Some(Self {
            communication: CommunicationKey::take(&mut area[..32])?,
            components: ComponentKey::take(&mut area[32..96])?,
            psw,
            flags,
        })
    }
}

/// A draft with one byte in all its digests.
#[cfg(fuzzing)]
pub(crate) fn fuzz_draft<'a>(
    customer: &'a crate::exchange::CustomerKey,
    slots: &'a [[u8; SLOT]],
    flags: Flags,
    fill: u8,
) -> Draft<'a> {
    let lists =
        ListDigests { pages: [fill; 64], addresses: [fill; 64], tweaks: [fill; 64], count: fill.into() };
    Draft { customer: customer.public(), slots, flags, lists, iv: [fill; 12], entry: 0 }
}

/// What a new header says.
pub(crate) struct Draft<'a> {
    pub(super) customer: &'a PublicKey,
    pub(super) slots: &'a [[u8; SLOT]],
    pub(super) flags: Flags,
    pub(super) lists: ListDigests,
    pub(super) iv: [u8; 12],
    /// Where the guest begins.
    pub(super) entry: u64,
}

impl Draft<'_> {
    /// The header, its secret part encrypted.
    ///
    /// # Errors
    /// [`LibraryError`] when OpenSSL fails.
    pub(crate) fn write(
        &self,
        key: &HeaderKey,
        communication: CommunicationKey,
        components: ComponentKey,
    ) -> Result<Vec<u8>, LibraryError> {
        let size = Header::size(self.slots.len());
        let mut header = Vec::with_capacity(size);
        header.extend_from_slice(MAGIC);
        header.extend_from_slice(&VERSION.to_be_bytes());
        header.extend_from_slice(&(size as u32).to_be_bytes());
        header.extend_from_slice(&self.iv);
        header.extend_from_slice(&[0; 4]);
        for number in [self.slots.len() as u64, ENCRYPTED as u64, self.lists.count, self.flags.value()] {
            header.extend_from_slice(&number.to_be_bytes());
        }
        header.extend_from_slice(self.customer.coordinates());
        for digest in [&self.lists.pages, &self.lists.addresses, &self.lists.tweaks] {
            header.extend_from_slice(digest);
        }
        header.extend(self.slots.iter().flatten());
        let secrets = Secrets { communication, components, psw: (PSW_MASK, self.entry), flags: 0 };
        let mut tag = [0; TAG];
        let encrypted = encrypt_aead(
            Cipher::aes_256_gcm(),
            key.expose(),
            Some(&self.iv),
            &header,
            &secrets.write(),
            &mut tag,
        )
        .map_err(LibraryError::of("encrypt the header"))?;
        header.extend_from_slice(&encrypted);
        header.extend_from_slice(&tag);
        Ok(header)
    }
}
