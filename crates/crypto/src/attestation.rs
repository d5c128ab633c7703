//! The keys that sign attestation records, and the check of what they signed.
//!
//! Two records are made in a boot, by two keys. The first is signed by the image's attestation key ([`AttestationKey`]):
//! RSA-4096, PKCS#1 v1.5, SHA-256, 512 bytes, as HPCR's, so that
//! `openssl sha256 -verify KEY -signature se-signature.bin se-checksums.txt` checks it. The final one is signed by a key
//! that is made in this boot ([`BootKey`]): ECDSA on P-256 with SHA-256, which costs next to nothing to make and which
//! the same openssl command checks.
//!
//! Whether the certificate of an attestation key is to be trusted is for [`issuance`](crate::issuance) and for whoever
//! gives it.

use std::fmt;

use openssl::ec::{EcGroup, EcKey};
use openssl::hash::MessageDigest;
use openssl::nid::Nid;
use openssl::pkey::{Id, PKey, Private, Public};
use openssl::sign::{Signer, Verifier};

use crate::LibraryError;
use crate::certificate::Certificate;
use crate::digest::sha256_hex;
use crate::secret::SecretBytes;
use crate::text_form::{from_base64, to_base64};

/// Bits of the modulus of an attestation key.
pub const BITS: u32 = 4096;
/// Bytes of a signature of an attestation key.
pub const SIGNATURE_BYTES: usize = BITS as usize / 8;

/// Why a text is no attestation key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum AttestationKeyError {
    /// No unencrypted private key in PEM form.
    #[error("expected an unencrypted private key in PEM form")]
    NotAPrivateKey,
    /// A private key of another algorithm or size.
    #[error("expected an RSA key of {BITS} bits")]
    NotRsa4096,
    /// Its certificate was issued for another key.
    #[error("expected the certificate of this key")]
    OtherCertificate,
}

/// The private key of a guest image by which its first record is signed.
pub struct AttestationKey(PKey<Private>);

impl fmt::Debug for AttestationKey {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("AttestationKey([redacted])")
    }
}

impl AttestationKey {
    /// Reads an unencrypted PEM private key, PKCS#8 or PKCS#1, that belongs to the certificate.
    ///
    /// # Errors
    /// [`AttestationKeyError`] for anything else.
    pub fn from_pem(pem: &[u8], certificate: &Certificate) -> Result<Self, AttestationKeyError> {
        // The callback keeps OpenSSL from asking the terminal for a password.
        let key = PKey::private_key_from_pem_callback(pem, |_| Ok(0))
            .map_err(|_| AttestationKeyError::NotAPrivateKey)?;
        if key.id() != Id::RSA || key.bits() != BITS {
            return Err(AttestationKeyError::NotRsa4096);
        }
        if !certificate.x509().public_key().is_ok_and(|public| public.public_eq(&key)) {
            return Err(AttestationKeyError::OtherCertificate);
        }
        Ok(Self(key))
    }

    /// The signature over a record, [`SIGNATURE_BYTES`] bytes.
    ///
    /// # Errors
    /// [`LibraryError`] when OpenSSL does not sign.
    pub fn sign(&self, record: &[u8]) -> Result<Vec<u8>, LibraryError> {
        sign(&self.0, record)
    }
}

/// The private key of one boot, by which its final record is signed.
pub struct BootKey(PKey<Private>);

impl fmt::Debug for BootKey {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("BootKey([redacted])")
    }
}

impl BootKey {
    /// A new key.
    ///
    /// # Errors
    /// [`LibraryError`] when OpenSSL has no randomness or not this curve.
    pub fn generate() -> Result<Self, LibraryError> {
        let failed = || LibraryError::of("make an elliptic key");
        let group = EcGroup::from_curve_name(Nid::X9_62_PRIME256V1).map_err(failed())?;
        let key = EcKey::generate(&group).map_err(failed())?;
        PKey::from_ec_key(key).map(Self).map_err(failed())
    }

    /// Reads what [`BootKey::to_pem`] wrote.
    ///
    /// # Errors
    /// [`LibraryError`] for any other text.
    pub fn from_pem(pem: &[u8]) -> Result<Self, LibraryError> {
        let failed = || LibraryError::of("read the key of this boot");
        let key = PKey::private_key_from_pem_callback(pem, |_| Ok(0)).map_err(failed())?;
        if key.id() == Id::EC {
            Ok(Self(key))
        } else {
            Err(LibraryError::of("read the key of this boot")(()))
        }
    }

    /// The key as PKCS#8 PEM, for the one process that signs with it.
    ///
    /// # Errors
    /// [`LibraryError`] when OpenSSL has no memory.
    pub fn to_pem(&self) -> Result<SecretBytes, LibraryError> {
        let pem = self.0.private_key_to_pem_pkcs8().map_err(LibraryError::of("encode a private key"))?;
        Ok(SecretBytes::new(pem))
    }

    /// Its public half: base64 of the DER SubjectPublicKeyInfo, on one line.
    ///
    /// # Errors
    /// [`LibraryError`] when OpenSSL has no memory.
    pub fn public_half(&self) -> Result<String, LibraryError> {
        let der = self.0.public_key_to_der().map_err(LibraryError::of("encode a public key"))?;
        Ok(to_base64(&der))
    }

    /// The signature over a record, DER.
    ///
    /// # Errors
    /// [`LibraryError`] when OpenSSL does not sign.
    pub fn sign(&self, record: &[u8]) -> Result<Vec<u8>, LibraryError> {
        sign(&self.0, record)
    }
}

fn sign(key: &PKey<Private>, record: &[u8]) -> Result<Vec<u8>, LibraryError> {
    let failed = || LibraryError::of("sign a record");
    let mut signer = Signer::new(MessageDigest::sha256(), key).map_err(failed())?;
    signer.update(record).map_err(failed())?;
    signer.sign_to_vec().map_err(failed())
}

/// Why something is no key that a record's signature can be held against.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RecordKeyError {
    /// Of an image: not RSA, or below 2048 bits.
    #[error("expected the certificate of an RSA key of at least 2048 bits")]
    NotRsa,
    /// Of a boot: anything but a P-256 key.
    #[error("expected base64 of a P-256 public key")]
    NotOfABoot,
}

/// The public half of a key that signs records.
pub struct RecordKey(PKey<Public>);

impl fmt::Debug for RecordKey {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("RecordKey")
    }
}

impl RecordKey {
    /// The key of an image, from its certificate.
    ///
    /// # Errors
    /// [`RecordKeyError::NotRsa`].
    pub fn of_image(certificate: &Certificate) -> Result<Self, RecordKeyError> {
        let key = certificate.x509().public_key().map_err(|_| RecordKeyError::NotRsa)?;
        let large = key.bits() >= crate::signature::MIN_RSA_BITS;
        if key.id() == Id::RSA && large { Ok(Self(key)) } else { Err(RecordKeyError::NotRsa) }
    }

    /// The key of a boot, from the line of the first record: see [`BootKey::public_half`].
    ///
    /// # Errors
    /// [`RecordKeyError::NotOfABoot`].
    pub fn of_boot(base64: &str) -> Result<Self, RecordKeyError> {
        let read = || {
            let key = PKey::public_key_from_der(&from_base64(base64, |_| false)?).ok()?;
            let curve = key.ec_key().ok()?.group().curve_name();
            (curve == Some(Nid::X9_62_PRIME256V1)).then_some(key)
        };
        read().map(Self).ok_or(RecordKeyError::NotOfABoot)
    }

    /// Whether this key signed exactly these bytes. A failure of OpenSSL counts as no.
    pub fn signed(&self, record: &[u8], signature: &[u8]) -> bool {
        let holds = || {
            let mut verifier = Verifier::new(MessageDigest::sha256(), &self.0)?;
            verifier.update(record)?;
            verifier.verify(signature)
        };
        holds().unwrap_or(false)
    }

    /// SHA-256 of the DER public key, 64 lowercase hexadecimal digits.
    ///
    /// # Errors
    /// [`LibraryError`] when OpenSSL has no memory.
    pub fn sha256_fingerprint(&self) -> Result<String, LibraryError> {
        let der = self.0.public_key_to_der().map_err(LibraryError::of("encode a public key"))?;
        Ok(sha256_hex(&der))
    }
}
