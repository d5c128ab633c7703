//! How a key reaches a machine and nobody else: elliptic curve P-521, and the key slots of headers and requests.
//!
//! Whoever seals has a key pair for this one purpose, the *customer key*. With the public key of a machine it gives a
//! shared secret, from which the key of the slot is derived; the slot holds the wrapped key. The same form serves image
//! headers, attestation requests and add-secret requests.

use std::fmt;

use countersign_crypto::digest::{hex, secret_sha256};
use openssl::bn::{BigNum, BigNumContext};
use openssl::derive::Deriver;
use openssl::ec::{EcGroup, EcKey};
use openssl::nid::Nid;
use openssl::pkey::{HasPublic, PKey, PKeyRef, Private, Public};
use openssl::sha::sha256;
use openssl::symm::{Cipher, encrypt_aead};
use zeroize::Zeroizing;

use crate::LibraryError;
use crate::key::HeaderKey;

/// Bytes of a public key: x and y, each padded with zeros in front to half of this.
pub const COORDINATES: usize = 160;

/// Bytes of a key slot: hash of the machine's key, wrapped key, tag.
pub const SLOT: usize = 80;

/// Bytes of an AES-GCM tag.
pub const TAG: usize = 16;

/// SHA-256 of a machine's public key in the form of [`COORDINATES`]: "public host key hash", by which a machine finds its
/// slot and a measurement names the machine.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct KeyHash([u8; 32]);

impl KeyHash {
    /// The raw digest.
    pub fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// From the raw digest.
    pub const fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }
}

impl fmt::Display for KeyHash {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(&hex(&self.0))
    }
}

impl fmt::Debug for KeyHash {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "KeyHash({self})")
    }
}

/// The public half of a P-521 key pair.
pub struct PublicKey {
    key: PKey<Public>,
    coordinates: [u8; COORDINATES],
}

impl fmt::Debug for PublicKey {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "PublicKey({})", self.hash())
    }
}

impl PublicKey {
    /// Takes a key of this curve; `None` for any other.
    pub fn new<T: HasPublic>(key: &PKeyRef<T>) -> Option<Self> {
        let ec = key.ec_key().ok()?;
        if ec.group().curve_name() != Some(Nid::SECP521R1) || ec.check_key().is_err() {
            return None;
        }
        let mut context = BigNumContext::new().ok()?;
        let (mut x, mut y) = (BigNum::new().ok()?, BigNum::new().ok()?);
        ec.public_key().affine_coordinates(ec.group(), &mut x, &mut y, &mut context).ok()?;
        let half = (COORDINATES / 2).try_into().ok()?;
        let both = [x.to_vec_padded(half).ok()?, y.to_vec_padded(half).ok()?].concat();
        let key = PKey::from_ec_key(EcKey::from_public_key(ec.group(), ec.public_key()).ok()?).ok()?;
        Some(Self { key, coordinates: both.try_into().ok()? })
    }

    /// From its two coordinates; `None` where they are no point of the curve.
    pub fn from_coordinates(coordinates: &[u8; COORDINATES]) -> Option<Self> {
        let group = EcGroup::from_curve_name(Nid::SECP521R1).ok()?;
        let (x, y) = coordinates.split_at(COORDINATES / 2);
        let (x, y) = (BigNum::from_slice(x).ok()?, BigNum::from_slice(y).ok()?);
        let key = EcKey::from_public_key_affine_coordinates(&group, &x, &y).ok()?;
        Self::new(PKey::from_ec_key(key).ok()?.as_ref()).filter(|key| key.coordinates == *coordinates)
    }

    /// x and y, as the formats have them.
    pub fn coordinates(&self) -> &[u8; COORDINATES] {
        &self.coordinates
    }

    /// Its hash.
    pub fn hash(&self) -> KeyHash {
        KeyHash(sha256(&self.coordinates))
    }
}

/// The key of a slot: SHA-256 of what both sides share (66 bytes, x of the common point) and of the number 1 in 32 bits.
///
/// # Errors
/// [`LibraryError`] when OpenSSL has no memory.
pub(crate) fn slot_key(
    own: &PKeyRef<Private>,
    other: &PublicKey,
) -> Result<Zeroizing<[u8; 32]>, LibraryError> {
    let failed = || LibraryError::of("agree on a key");
    let mut deriver = Deriver::new(own).map_err(failed())?;
    deriver.set_peer(&other.key).map_err(failed())?;
    let shared = Zeroizing::new(deriver.derive_to_vec().map_err(failed())?);
    secret_sha256(&[&shared, &1_u32.to_be_bytes()])
}

/// The key pair of whoever seals, made for one sealing.
pub struct CustomerKey {
    /// OpenSSL wipes it when it is dropped.
    key: PKey<Private>,
    public: PublicKey,
}

impl fmt::Debug for CustomerKey {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("CustomerKey([redacted])")
    }
}

impl CustomerKey {
    /// A fresh one.
    ///
    /// # Errors
    /// [`LibraryError`] when OpenSSL has no random numbers or no curve P-521.
    pub fn random() -> Result<Self, LibraryError> {
        let failed = || LibraryError::of("make a P-521 key");
        let group = EcGroup::from_curve_name(Nid::SECP521R1).map_err(failed())?;
        let key = EcKey::generate(&group).and_then(PKey::from_ec_key).map_err(failed())?;
        let public = PublicKey::new(&key).ok_or(()).map_err(LibraryError::of("make a P-521 key"))?;
        Ok(Self { key, public })
    }

    /// Its public half.
    pub fn public(&self) -> &PublicKey {
        &self.public
    }

    /// The slot in which this machine finds the key.
    ///
    /// # Errors
    /// [`LibraryError`] when OpenSSL has no memory.
    pub fn slot(&self, host: &PublicKey, key: &HeaderKey) -> Result<[u8; SLOT], LibraryError> {
        let failed = || LibraryError::of("wrap a key");
        let wrapping = slot_key(&self.key, host)?;
        let mut tag = [0; TAG];
        // The wrapping key is used once, so a fixed IV is what the format says.
        let wrapped = encrypt_aead(
            Cipher::aes_256_gcm(),
            wrapping.as_ref(),
            Some(&[0; 12]),
            b"",
            key.expose(),
            &mut tag,
        )
        .map_err(failed())?;
        let slot = [host.hash().as_bytes().as_slice(), &wrapped, &tag].concat();
        slot.try_into().map_err(LibraryError::of("wrap a key"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_public_key_survives_its_coordinates() {
        let key = CustomerKey::random().unwrap();
        let again = PublicKey::from_coordinates(key.public().coordinates()).unwrap();
        assert_eq!(again.hash(), key.public().hash());
        assert_eq!(key.public().coordinates()[..14], [0; 14]);
        assert_eq!(format!("{key:?}"), "CustomerKey([redacted])");
    }

    #[test]
    fn what_is_no_point_of_the_curve_is_no_key() {
        assert!(PublicKey::from_coordinates(&[0; COORDINATES]).is_none());
        let mut coordinates = *CustomerKey::random().unwrap().public().coordinates();
        coordinates[159] ^= 1;
        assert!(PublicKey::from_coordinates(&coordinates).is_none());
        // Above the field's prime: the same point in another spelling.
        coordinates[159] ^= 1;
        coordinates[0] = 1;
        assert!(PublicKey::from_coordinates(&coordinates).is_none());
    }

    #[test]
    fn another_curve_is_no_key() {
        let group = EcGroup::from_curve_name(Nid::SECP384R1).unwrap();
        let key = PKey::from_ec_key(EcKey::generate(&group).unwrap()).unwrap();
        assert!(PublicKey::new(&key).is_none());
    }
}
