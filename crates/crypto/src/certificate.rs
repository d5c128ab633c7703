//! Certificates of the log server, the log client, a registry, an image: reading them, and the
//! facts about them that may be shown.
//!
//! This module checks no chain and no date. It tells what stands in a certificate; whether that
//! is acceptable depends on the time and on the place in the contract, which the caller knows.

use crate::LibraryError;
use crate::digest::sha256_hex;
use crate::private_key::PrivateKey;
use crate::text_form;
use openssl::asn1::{Asn1Time, Asn1TimeRef};
use openssl::hash::MessageDigest;
use openssl::nid::Nid;
use openssl::pkey::Id;
use openssl::x509::{GeneralNameRef, X509, X509NameRef};
use std::fmt;
use std::net::IpAddr;

/// The text holds no certificate, or a block that is not one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("expected one or more certificates, in PEM form or base64 of that, and nothing else")]
pub struct CertificateError;

/// The algorithm of a public key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum KeyKind {
    /// RSA, RSA-PSS included.
    Rsa,
    /// ECDSA on a named curve.
    EllipticCurve,
    /// Ed25519 or Ed448.
    Edwards,
    /// Anything else; nothing in a contract works with it.
    Other,
}

/// A name for which a certificate was issued, besides its subject.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum AlternativeName {
    /// A host name, possibly with `*` as its first label.
    Dns(String),
    /// An address.
    Ip(IpAddr),
}

/// What may be told about a certificate. Names come from the certificate's author: whoever prints
/// them should know that the operator of the host may read them.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct CertificateFacts {
    /// `C=…, O=…, CN=…` in the certificate's order, control characters replaced by `?`.
    pub subject: String,
    /// Like `subject`.
    pub issuer: String,
    /// Start of validity, seconds since 1970.
    pub not_before: i64,
    /// End of validity, seconds since 1970.
    pub not_after: i64,
    /// Algorithm of the public key.
    pub key_kind: KeyKind,
    /// Size of the public key, in bits: the modulus, or the order of the curve.
    pub key_bits: u32,
    /// The digest under the issuer's signature: its name as OpenSSL has it, such as `SHA256`.
    /// `None` where the signature algorithm brings its own (Ed25519) or states it as a parameter
    /// (RSA-PSS).
    pub signature_digest: Option<&'static str>,
    /// Half the length of that digest, in bits: the work of finding a collision if the digest were
    /// unbroken. 128 or more is sound; MD5 (64) and SHA-1 (80) are not.
    pub signature_strength: Option<u32>,
    /// Host names and addresses, in the certificate's order.
    pub alternative_names: Vec<AlternativeName>,
    /// SHA-256 of the DER certificate, 64 lowercase hexadecimal digits.
    pub sha256_fingerprint: String,
}

/// One certificate.
pub struct Certificate {
    x509: X509,
    facts: CertificateFacts,
}

impl fmt::Debug for Certificate {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_tuple("Certificate").field(&self.facts.sha256_fingerprint).finish()
    }
}

impl Certificate {
    /// Reads one certificate or several, from PEM or base64 of PEM, with the same tolerance as a
    /// signing key. The result has at least one.
    ///
    /// # Errors
    /// [`CertificateError`] when there is none, when one is broken, or when there are other PEM
    /// blocks among them: a private key in the place of a certificate must not go unnoticed.
    pub fn parse_all(text: &str) -> Result<Vec<Self>, CertificateError> {
        let pem = text_form::pem(text).ok_or(CertificateError)?;
        let stack = X509::stack_from_pem(pem.as_bytes()).map_err(|_| CertificateError)?;
        if stack.is_empty() || stack.len() != text_form::pem_blocks(&pem) {
            return Err(CertificateError);
        }
        stack.into_iter().map(|x509| Self::of(x509).ok_or(CertificateError)).collect()
    }

    fn of(x509: X509) -> Option<Self> {
        let key = x509.public_key().ok()?;
        let algorithms = x509.signature_algorithm().object().nid().signature_algorithms();
        let digest = algorithms.map(|both| both.digest).filter(|digest| *digest != Nid::UNDEF);
        let facts = CertificateFacts {
            subject: shown(x509.subject_name()),
            issuer: shown(x509.issuer_name()),
            not_before: seconds(x509.not_before())?,
            not_after: seconds(x509.not_after())?,
            key_kind: kind(key.id()),
            key_bits: key.bits(),
            signature_digest: digest.and_then(|digest| digest.short_name().ok()),
            signature_strength: digest.and_then(strength),
            alternative_names: alternative_names(&x509),
            sha256_fingerprint: sha256_hex(&x509.to_der().ok()?),
        };
        Some(Self { x509, facts })
    }

    pub(crate) fn x509(&self) -> &X509 {
        &self.x509
    }

    /// What may be told about it.
    pub fn facts(&self) -> &CertificateFacts {
        &self.facts
    }

    /// Whether it was issued for the public half of this key.
    pub fn belongs_to(&self, key: &PrivateKey) -> bool {
        self.x509.public_key().is_ok_and(|public| public.public_eq(key.expose()))
    }

    /// Whether the other certificate names itself as issuer of this one and its key made the
    /// signature. Says nothing about dates or whether the other may issue certificates.
    pub fn is_signed_by(&self, issuer: &Self) -> bool {
        self.x509.issuer_name().try_cmp(issuer.x509.subject_name()).is_ok_and(|order| order.is_eq())
            && issuer.x509.public_key().is_ok_and(|key| self.x509.verify(&key).unwrap_or(false))
    }

    /// The certificate as PEM, for a program that reads it from a file.
    ///
    /// # Errors
    /// [`LibraryError`] when OpenSSL has no memory.
    pub fn to_pem(&self) -> Result<String, LibraryError> {
        let failed = "encode a certificate";
        let pem = self.x509.to_pem().map_err(LibraryError::of(failed))?;
        String::from_utf8(pem).map_err(LibraryError::of(failed))
    }
}

/// A time of a certificate in seconds since 1970. `None` for one that OpenSSL cannot read.
pub(crate) fn seconds(time: &Asn1TimeRef) -> Option<i64> {
    let since = Asn1Time::from_unix(0).ok()?.diff(time).ok()?;
    Some(i64::from(since.days) * 86_400 + i64::from(since.secs))
}

fn kind(id: Id) -> KeyKind {
    match id {
        Id::RSA | Id::RSA_PSS => KeyKind::Rsa,
        Id::EC => KeyKind::EllipticCurve,
        Id::ED25519 | Id::ED448 => KeyKind::Edwards,
        _ => KeyKind::Other,
    }
}

fn strength(digest: Nid) -> Option<u32> {
    // A digest of n bytes has 8n bits, and collisions at half of that.
    u32::try_from(MessageDigest::from_nid(digest)?.size() * 4).ok()
}

fn shown(name: &X509NameRef) -> String {
    let mut text = String::new();
    for entry in name.entries() {
        if !text.is_empty() {
            text.push_str(", ");
        }
        text.push_str(entry.object().nid().short_name().unwrap_or("?"));
        text.push('=');
        let value = entry.data().to_string();
        let value = value.as_deref().unwrap_or("?");
        text.extend(value.chars().map(|char| if char.is_control() { '?' } else { char }));
    }
    text
}

fn alternative_names(x509: &X509) -> Vec<AlternativeName> {
    let Some(names) = x509.subject_alt_names() else { return Vec::new() };
    let name = |name: &GeneralNameRef| {
        if let Some(dns) = name.dnsname() {
            return Some(AlternativeName::Dns(dns.to_owned()));
        }
        let address = name.ipaddress()?;
        let v4 = <[u8; 4]>::try_from(address).map(IpAddr::from);
        let v6 = <[u8; 16]>::try_from(address).map(IpAddr::from);
        v4.or(v6).ok().map(AlternativeName::Ip)
    };
    names.iter().filter_map(name).collect()
}
