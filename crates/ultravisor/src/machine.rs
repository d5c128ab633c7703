//! What a machine does with a sealed image: its Ultravisor opens the header with the machine's private key, takes the
//! encrypted pages over one by one, and starts the guest if all digests hold.
//!
//! A machine's private key never leaves it, so nothing that is shipped can call this: it plays the machine, for tests and
//! for the harness, which boots what comes out. Refusals have the numbers that a real Ultravisor answers, as far as they
//! are public (s390-tools, `stage3a`). The order of its checks is not public; here it is header, then pages, then digests.

use std::fmt;

use countersign_crypto::LibraryError;
use openssl::pkey::{PKey, PKeyRef, Private};
use openssl::symm::{Cipher, decrypt_aead};
use zeroize::Zeroizing;

use crate::exchange::{KeyHash, PublicKey, SLOT, slot_key};
use crate::image::{
    HeaderTags, ImageFault, Kind, Lists, PAGE, STAGE3B_ARGUMENTS, STAGE3B_BYTES, STAGE3B_SHA256, Secrets,
    cipher, decrypt, find, short_psw,
};
use crate::key::{CommunicationKey, HeaderKey};

/// The machine refuses to start the image.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Refusal {
    /// The boot loader finds no header or parameter block that it could hand over.
    #[error(transparent)]
    Image(#[from] ImageFault),
    /// rc 0x0108, rrc 5.
    #[error("no key slot for this machine: the image is for other machines")]
    NoSlot,
    /// rc 0x0108: the slot does not open.
    #[error("the key slot of this machine does not open: it was altered")]
    Slot,
    /// rc 0x0108: the header's tag does not hold under the key of the slot.
    #[error("the header does not open: it was altered")]
    Header,
    /// rc 0x0109: flags about secrets that are not set by us.
    #[error("unknown flags about secrets in the header")]
    SecretFlags,
    /// The parameter block names pages that are not in the file, or no whole pages.
    #[error("the parameter block names pages outside the image")]
    Range,
    /// rc 0x0102, rrc 0x1d.
    #[error("the number of encrypted pages is not that of the header")]
    PageCount,
    /// rc 0x0102, rrc 0x1a.
    #[error("the addresses of the pages are not those of the header")]
    Addresses,
    /// rc 0x0102, rrc 0x1c.
    #[error("the tweaks of the pages are not those of the header")]
    Tweaks,
    /// rc 0x0102, rrc 0x1b.
    #[error("the encrypted pages are not those of the header")]
    Pages,
    /// What would start is not the boot loader part, or it does not start there.
    #[error("what would start in the guest is not the boot loader part stage3b")]
    Start,
    /// OpenSSL.
    #[error(transparent)]
    Library(#[from] LibraryError),
}

/// A machine, by its private key.
pub struct Machine {
    key: PKey<Private>,
    hash: KeyHash,
}

impl fmt::Debug for Machine {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "Machine({})", self.hash)
    }
}

/// A guest as it starts: its memory, decrypted.
pub struct Guest {
    memory: Zeroizing<Vec<u8>>,
    parts: Vec<(Kind, std::ops::Range<usize>)>,
    tags: HeaderTags,
    communication: CommunicationKey,
}

impl fmt::Debug for Guest {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "Guest({:?})", self.tags)
    }
}

impl Machine {
    /// With this key, an unencrypted PEM private key; `None` for anything but one on P-521.
    pub fn from_pem(pem: &[u8]) -> Option<Self> {
        let key = PKey::private_key_from_pem_callback(pem, |_| Ok(0)).ok()?;
        Self::new(&key)
    }

    /// With this key; `None` for another curve.
    pub fn new(key: &PKeyRef<Private>) -> Option<Self> {
        let hash = PublicKey::new(key)?.hash();
        Some(Self { key: key.to_owned(), hash })
    }

    /// The hash of its public key.
    pub fn hash(&self) -> KeyHash {
        self.hash
    }

    /// Starts an image.
    ///
    /// # Errors
    /// [`Refusal`].
    pub fn start(&self, image: &[u8]) -> Result<Guest, Refusal> {
        let (_, header, _, block, _) = find(image)?;
        let slot =
            header.slot_bytes().find(|slot| slot.starts_with(self.hash.as_bytes())).ok_or(Refusal::NoSlot)?;
        let customer = header.customer_key().ok_or(Refusal::Header)?;
        let key = self.header_key(&customer, slot)?;
        let Secrets { communication, components, psw, flags } = header.open(&key).ok_or(Refusal::Header)?;
        if flags != 0 {
            return Err(Refusal::SecretFlags);
        }

        let plain = header.flags().plain_components();
        let mut decryption = cipher(&components, false)?;
        let mut memory = Zeroizing::new(vec![0; image.len()]);
        let (mut lists, mut parts) = (Lists::new(), Vec::new());
        for placed in &block.components {
            let range = range(placed.address, placed.size, image.len()).ok_or(Refusal::Range)?;
            lists.add(placed, &image[range.clone()]);
            let pages = &mut memory[range.clone()];
            pages.copy_from_slice(&image[range.clone()]);
            if !plain {
                decrypt(&mut decryption, placed.tweak, pages)?;
            }
            parts.extend(placed.tweak.kind().map(|kind| (kind, range)));
        }
        let (found, tags) = (lists.finish(), header.tags());
        for (same, refusal) in [
            (found.count == header.pages(), Refusal::PageCount),
            (found.addresses == tags.addresses, Refusal::Addresses),
            (found.tweaks == tags.tweaks, Refusal::Tweaks),
            (found.pages == tags.pages, Refusal::Pages),
        ] {
            if !same {
                return Err(refusal);
            }
        }
        memory[..8].copy_from_slice(&short_psw(psw.1));
        let guest = Guest { memory, parts, tags, communication };
        guest.starts_at(psw.1).ok_or(Refusal::Start)?;
        Ok(guest)
    }

    fn header_key(&self, customer: &PublicKey, slot: &[u8]) -> Result<HeaderKey, Refusal> {
        let wrapping = slot_key(&self.key, customer)?;
        let (_, wrapped) = slot.split_at(32);
        let (encrypted, tag) = wrapped.split_at(SLOT - 48);
        let plain =
            decrypt_aead(Cipher::aes_256_gcm(), wrapping.as_ref(), Some(&[0; 12]), b"", encrypted, tag);
        let mut plain = Zeroizing::new(plain.map_err(|_| Refusal::Slot)?);
        HeaderKey::take(&mut plain).ok_or(Refusal::Slot)
    }
}

impl Guest {
    /// The memory as the guest finds it, from address 0, where a program status word says where to begin: an emulator
    /// boots this file. Holds the image's secrets.
    pub fn memory(&self) -> &[u8] {
        &self.memory
    }

    /// A component in plain text, its padding among it. Empty for one that there is not.
    pub fn component(&self, kind: Kind) -> &[u8] {
        let part = self.parts.iter().find(|(other, _)| *other == kind);
        part.map_or(&[], |(_, range)| &self.memory[range.clone()])
    }

    /// What names the sealing.
    pub fn tags(&self) -> HeaderTags {
        self.tags
    }

    /// The key to which dumps are encrypted.
    pub fn communication_key(&self) -> &CommunicationKey {
        &self.communication
    }

    /// The guest begins at `stage3b`, which is the program that it must be.
    fn starts_at(&self, address: u64) -> Option<()> {
        let (_, range) = self.parts.iter().find(|(kind, _)| *kind == Kind::Stage3b)?;
        let mut template = self.memory[range.clone()].get(..STAGE3B_BYTES)?.to_vec();
        template[STAGE3B_BYTES - STAGE3B_ARGUMENTS..].fill(0);
        let digest = countersign_crypto::digest::sha256_hex(&template);
        (range.start as u64 == address && digest == STAGE3B_SHA256).then_some(())
    }
}

fn range(address: u64, size: u64, end: usize) -> Option<std::ops::Range<usize>> {
    let (begin, size) = (usize::try_from(address).ok()?, usize::try_from(size).ok()?);
    let whole = begin.is_multiple_of(PAGE) && size.is_multiple_of(PAGE);
    let range = begin..begin.checked_add(size)?;
    (whole && range.end <= end).then_some(range)
}
