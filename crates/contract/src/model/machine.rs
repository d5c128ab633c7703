//! What the deployer says about the machine: the host keys that it may have, and secrets for its crypto devices.
//!
//! Secrets stay as text; the Ultravisor's store is not spoken to here.

use std::collections::BTreeMap;

use countersign_crypto::certificate::Certificate;
use countersign_crypto::secret::AssociationSecret;

use super::material;
use super::read::Reader;
use crate::refusal::Refusal;

/// A host key: which machine the guest may run on.
#[derive(Debug)]
pub struct HostKey {
    description: String,
    document: Vec<Certificate>,
}

impl HostKey {
    /// What the attestation record says about the machine.
    pub fn description(&self) -> &str {
        &self.description
    }

    /// The host key document: the certificate of the machine's key, followed by its chain if that is given.
    pub fn document(&self) -> &[Certificate] {
        &self.document
    }
}

/// `crypto-pt`: crypto devices that are handed to the guest.
#[derive(Debug)]
pub struct CryptoPassthrough {
    lock: bool,
    devices: BTreeMap<u8, CryptoDevice>,
}

/// One device: a domain of a card, and the secret that associates it with this guest.
#[derive(Debug)]
pub struct CryptoDevice {
    card: u8,
    domain: u16,
    secret: AssociationSecret,
    wrapping_key: Option<String>,
}

impl CryptoPassthrough {
    /// Whether the Ultravisor's store is locked after the secrets were added.
    pub fn lock(&self) -> bool {
        self.lock
    }

    /// The devices by the index of their secret, 1 to 8.
    pub fn devices(&self) -> &BTreeMap<u8, CryptoDevice> {
        &self.devices
    }
}

impl CryptoDevice {
    /// Number of the card.
    pub fn card(&self) -> u8 {
        self.card
    }

    /// Number of the domain.
    pub fn domain(&self) -> u16 {
        self.domain
    }

    /// The association secret, base64 of 32 bytes.
    pub fn secret(&self) -> &AssociationSecret {
        &self.secret
    }

    /// Verification pattern of the EP11 wrapping key, hexadecimal.
    pub fn wrapping_key(&self) -> Option<&str> {
        self.wrapping_key.as_deref()
    }
}

/// The host keys by name.
pub(super) fn host_keys(env: &Reader<'_>, refusals: &mut Vec<Refusal>) -> BTreeMap<String, HostKey> {
    let mut key = |(name, entry): (&str, Reader<'_>)| {
        let document = material::certificates(&entry.child("host-key-doc")?, refusals)?;
        let description = entry.text("description")?.to_owned();
        Some((name.to_owned(), HostKey { description, document }))
    };
    env.children("host-attestation").filter_map(&mut key).collect()
}

pub(super) fn crypto_passthrough(env: &Reader<'_>) -> Option<CryptoPassthrough> {
    let map = env.child("crypto-pt")?;
    let device = |(name, entry): (&str, Reader<'_>)| {
        let index = name.strip_prefix("index-")?.parse().ok()?;
        let (card, domain) = entry.text("domain-id")?.split_once('.')?;
        let device = CryptoDevice {
            card: u8::from_str_radix(card, 16).ok()?,
            domain: u16::from_str_radix(domain, 16).ok()?,
            secret: AssociationSecret::copy_from(entry.text("secret")?),
            wrapping_key: entry.text("mkvp").map(str::to_owned),
        };
        Some((index, device))
    };
    Some(CryptoPassthrough {
        lock: map.truth("lock").unwrap_or(false),
        devices: map.entries().filter_map(device).collect(),
    })
}
