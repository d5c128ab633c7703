//! Public keys that container images are signed with: OpenPGP keys for simple signing, PEM for cosign.
//!
//! The engine checks the signatures; here a contract's text is read far enough to say that it is a public key of the right
//! kind, and which. Of OpenPGP (RFC 9580, and for version 5 GnuPG's own successor of RFC 4880) that is the list of packets: none
//! may hold a secret key, and each primary key gives its fingerprint. Expiry and revocation are the engine's business at
//! the time of the pull.

use openssl::hash::{MessageDigest, hash};
use openssl::nid::Nid;
use openssl::pkey::{Id, PKey, Public};
use zeroize::Zeroizing;

use crate::LibraryError;
use crate::digest::{hex, sha256_hex};
use crate::signature::MIN_RSA_BITS;
use crate::text_form::{self, from_base64, is_white_space, to_base64};

/// Why a text is no key that images are signed with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ImageKeyError {
    /// Not an OpenPGP public key, or one of a version that GnuPG 2.4 does not read.
    #[error("expected an OpenPGP public key, as armoured text or base64 of that")]
    NotOpenPgp,
    /// Not a PEM public key.
    #[error("expected a public key as PEM, or base64 of that")]
    NotPem,
    /// A key of an algorithm or size that cosign's signatures are not checked with.
    #[error(
        "expected an RSA key of at least {MIN_RSA_BITS} bits, an elliptic curve key on P-256, P-384 or P-521, or an Ed25519 key"
    )]
    Algorithm,
    /// A private key.
    #[error("expected a public key, found a private key")]
    Private,
}

/// OpenPGP public keys; a signature by any of them counts.
#[derive(Clone, PartialEq, Eq)]
pub struct OpenPgpKeys {
    packets: Vec<u8>,
    fingerprints: Vec<String>,
}

impl std::fmt::Debug for OpenPgpKeys {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.debug_struct("OpenPgpKeys").field("fingerprints", &self.fingerprints).finish_non_exhaustive()
    }
}

impl OpenPgpKeys {
    /// Reads what `gpg --export` writes: armoured, or base64 of that, or base64 of the packets.
    ///
    /// # Errors
    /// [`ImageKeyError::NotOpenPgp`], [`ImageKeyError::Private`].
    pub fn parse(text: &str) -> Result<Self, ImageKeyError> {
        let packets = match text_form::pem(text) {
            Some(armoured) => dearmoured(&armoured)?,
            None => from_base64(text, is_white_space).ok_or(ImageKeyError::NotOpenPgp)?,
        };
        let fingerprints = fingerprints(&packets)?;
        Ok(Self { packets: packets.to_vec(), fingerprints })
    }

    /// Base64 of the packets, as `keyData` of containers-policy.json(5) takes it.
    pub fn to_base64(&self) -> String {
        to_base64(&self.packets)
    }

    /// The fingerprint of each primary key, as `gpg --fingerprint` says it: capital hexadecimal digits.
    pub fn fingerprints(&self) -> &[String] {
        &self.fingerprints
    }
}

/// The packets in an armoured block (RFC 9580 section 6.2). [`text_form::pem`] has taken the empty lines out.
fn dearmoured(text: &str) -> Result<Zeroizing<Vec<u8>>, ImageKeyError> {
    match text_form::pem_label(text) {
        Some("PGP PUBLIC KEY BLOCK") if text_form::pem_blocks(text) == 1 => {}
        Some(label) if label.contains("PRIVATE KEY") => return Err(ImageKeyError::Private),
        _ => return Err(ImageKeyError::NotOpenPgp),
    }
    let body = text.lines().skip_while(|line| !line.starts_with("-----BEGIN")).skip(1);
    // A header has a colon, which base64 has not; the checksum, which nobody has to look at, begins with a sign of equality.
    let body: String = body
        .skip_while(|line| line.contains(':'))
        .take_while(|line| !line.starts_with('=') && !line.starts_with("-----END"))
        .collect();
    from_base64(&body, is_white_space).ok_or(ImageKeyError::NotOpenPgp)
}

/// Packet types of RFC 9580 section 5 that a public key consists of.
mod packet {
    pub(super) const SIGNATURE: u8 = 2;
    pub(super) const SECRET_KEY: u8 = 5;
    pub(super) const PUBLIC_KEY: u8 = 6;
    pub(super) const SECRET_SUBKEY: u8 = 7;
    pub(super) const MARKER: u8 = 10;
    pub(super) const TRUST: u8 = 12;
    pub(super) const USER_ID: u8 = 13;
    pub(super) const PUBLIC_SUBKEY: u8 = 14;
    pub(super) const USER_ATTRIBUTE: u8 = 17;
}

fn fingerprints(mut packets: &[u8]) -> Result<Vec<String>, ImageKeyError> {
    let mut found = Vec::new();
    while !packets.is_empty() {
        let (kind, body, rest) = next_packet(packets).ok_or(ImageKeyError::NotOpenPgp)?;
        packets = rest;
        match kind {
            packet::PUBLIC_KEY => found.push(fingerprint(body).ok_or(ImageKeyError::NotOpenPgp)?),
            packet::SECRET_KEY | packet::SECRET_SUBKEY => return Err(ImageKeyError::Private),
            packet::MARKER => {}
            packet::SIGNATURE
            | packet::TRUST
            | packet::USER_ID
            | packet::PUBLIC_SUBKEY
            | packet::USER_ATTRIBUTE
                if !found.is_empty() => {}
            _ => return Err(ImageKeyError::NotOpenPgp),
        }
    }
    if found.is_empty() { Err(ImageKeyError::NotOpenPgp) } else { Ok(found) }
}

/// Type and body of the first packet, and what follows it (RFC 9580 section 4.2). Lengths that are not known at the
/// beginning are for messages, not for keys.
fn next_packet(bytes: &[u8]) -> Option<(u8, &[u8], &[u8])> {
    let (&head, rest) = bytes.split_first()?;
    if head & 0x80 == 0 {
        return None;
    }
    let number = |bytes: &[u8]| bytes.iter().fold(0usize, |sum, byte| sum << 8 | usize::from(*byte));
    let (kind, length, size) = if head & 0x40 != 0 {
        let (length, size) = match *rest.first()? {
            first @ 0..192 => (usize::from(first), 1),
            first @ 192..224 => (((usize::from(first) - 192) << 8) + usize::from(*rest.get(1)?) + 192, 2),
            255 => (number(rest.get(1..5)?), 5),
            224..255 => return None,
        };
        (head & 0x3f, length, size)
    } else {
        let size = match head & 3 {
            0 => 1,
            1 => 2,
            2 => 4,
            _ => return None,
        };
        (head >> 2 & 0xf, number(rest.get(..size)?), size)
    };
    let body = rest.get(size..size.checked_add(length)?)?;
    Some((kind, body, &rest[size + length..]))
}

/// The fingerprint of a key packet of version 4 (RFC 9580 section 5.5.4.2: SHA-1) or 5 (GnuPG: SHA-256).
fn fingerprint(body: &[u8]) -> Option<String> {
    let (prefix, digest) = match body.first()? {
        4 => {
            let length = u16::try_from(body.len()).ok()?.to_be_bytes();
            ([&[0x99], &length[..]].concat(), MessageDigest::sha1())
        }
        5 => {
            let length = u32::try_from(body.len()).ok()?.to_be_bytes();
            ([&[0x9a], &length[..]].concat(), MessageDigest::sha256())
        }
        _ => return None,
    };
    let digest = hash(digest, &[&prefix, body].concat()).ok()?;
    Some(hex(&digest).to_uppercase())
}

/// A public key that cosign's signatures are checked with.
#[derive(Clone)]
pub struct CosignKey(PKey<Public>);

impl std::fmt::Debug for CosignKey {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.write_str("CosignKey")
    }
}

impl CosignKey {
    /// Reads what `cosign generate-key-pair` writes to `cosign.pub`, or base64 of that.
    ///
    /// # Errors
    /// [`ImageKeyError::NotPem`], [`ImageKeyError::Algorithm`], [`ImageKeyError::Private`].
    pub fn parse(text: &str) -> Result<Self, ImageKeyError> {
        let pem = text_form::pem(text).ok_or(ImageKeyError::NotPem)?;
        match text_form::pem_label(&pem) {
            Some("PUBLIC KEY") if text_form::pem_blocks(&pem) == 1 => {}
            Some(label) if label.contains("PRIVATE KEY") => return Err(ImageKeyError::Private),
            _ => return Err(ImageKeyError::NotPem),
        }
        let key = PKey::public_key_from_pem(pem.as_bytes()).map_err(|_| ImageKeyError::NotPem)?;
        let usable = match key.id() {
            Id::RSA => key.bits() >= MIN_RSA_BITS,
            Id::ED25519 => true,
            Id::EC => {
                let curve = key.ec_key().ok().and_then(|key| key.group().curve_name());
                matches!(curve, Some(Nid::X9_62_PRIME256V1 | Nid::SECP384R1 | Nid::SECP521R1))
            }
            _ => false,
        };
        if usable { Ok(Self(key)) } else { Err(ImageKeyError::Algorithm) }
    }

    /// The key as PEM text.
    ///
    /// # Errors
    /// [`LibraryError`] when OpenSSL cannot write what it had read.
    pub fn to_pem(&self) -> Result<String, LibraryError> {
        let pem = self.0.public_key_to_pem().map_err(LibraryError::of("encode a public key"))?;
        Ok(String::from_utf8_lossy(&pem).into_owned())
    }

    /// SHA-256 of the DER public key, as 64 lowercase hexadecimal digits: what
    /// `openssl pkey -pubin -outform DER | sha256sum` says.
    ///
    /// # Errors
    /// [`LibraryError`] when OpenSSL has no memory.
    pub fn sha256_fingerprint(&self) -> Result<String, LibraryError> {
        let der = self.0.public_key_to_der().map_err(LibraryError::of("encode a public key"))?;
        Ok(sha256_hex(&der))
    }
}
