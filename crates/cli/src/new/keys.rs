//! Keys and certificates to start with: a log authority with a server and a client, and a signer.
//!
//! Elliptic curve P-256 for TLS, RSA for the signature, as contracts need it. The certificates last a year; whoever
//! goes into production has an authority of their own.

use anyhow::Result;
use openssl::asn1::Asn1Time;
use openssl::bn::{BigNum, MsbOption};
use openssl::ec::{EcGroup, EcKey};
use openssl::hash::MessageDigest;
use openssl::nid::Nid;
use openssl::pkey::{PKey, PKeyRef, Private};
use openssl::rsa::Rsa;
use openssl::x509::extension::{
    AuthorityKeyIdentifier, BasicConstraints, ExtendedKeyUsage, KeyUsage, SubjectAlternativeName,
    SubjectKeyIdentifier,
};
use openssl::x509::{X509, X509NameBuilder};
use zeroize::Zeroizing;

/// Days that a certificate lasts.
const DAYS: u32 = 365;
/// Bits of the signing key.
const SIGNER_BITS: u32 = 4096;

/// A private key with what may be shown of it.
pub(crate) struct Pair {
    key: PKey<Private>,
    /// A certificate, or for the signer the public key; PEM.
    public: Vec<u8>,
}

impl Pair {
    /// An authority that signs itself.
    pub(crate) fn authority(name: &str) -> Result<Pair> {
        let key = curve_key()?;
        let public = certificate(name, None, &key, None)?;
        Ok(Pair { key, public })
    }

    /// A key with a certificate of this authority: for the server called `host`, or for a client.
    pub(crate) fn issue(&self, name: &str, host: Option<&str>) -> Result<Pair> {
        let key = curve_key()?;
        let public = certificate(name, host, &key, Some(self))?;
        Ok(Pair { key, public })
    }

    /// A key that signs contracts.
    pub(crate) fn signer() -> Result<Pair> {
        let key = PKey::from_rsa(Rsa::generate(SIGNER_BITS)?)?;
        let public = key.public_key_to_pem()?;
        Ok(Pair { key, public })
    }

    /// The certificate, PEM.
    pub(crate) fn certificate(&self) -> &[u8] {
        &self.public
    }

    /// The public key of a signer, PEM.
    pub(crate) fn public(&self) -> &[u8] {
        &self.public
    }

    /// The private key, PKCS#8 PEM.
    pub(crate) fn key_pem(&self) -> Result<Zeroizing<Vec<u8>>> {
        Ok(Zeroizing::new(self.key.private_key_to_pem_pkcs8()?))
    }
}

fn curve_key() -> Result<PKey<Private>> {
    let group = EcGroup::from_curve_name(Nid::X9_62_PRIME256V1)?;
    Ok(PKey::from_ec_key(EcKey::generate(&group)?)?)
}

/// A certificate for `key`: of an authority without `issuer`, of a server with `host`, else of a client.
fn certificate(
    name: &str,
    host: Option<&str>,
    key: &PKeyRef<Private>,
    issuer: Option<&Pair>,
) -> Result<Vec<u8>> {
    let mut builder = X509::builder()?;
    builder.set_version(2)?;
    let mut serial = BigNum::new()?;
    serial.rand(127, MsbOption::MAYBE_ZERO, false)?;
    let serial = serial.to_asn1_integer()?;
    builder.set_serial_number(&serial)?;
    let mut subject = X509NameBuilder::new()?;
    // A common name holds at most 64 letters; the name that counts is the alternative name.
    subject.append_entry_by_nid(Nid::COMMONNAME, &name.chars().take(64).collect::<String>())?;
    let subject = subject.build();
    builder.set_subject_name(&subject)?;
    let begin = Asn1Time::days_from_now(0)?;
    builder.set_not_before(&begin)?;
    let end = Asn1Time::days_from_now(DAYS)?;
    builder.set_not_after(&end)?;
    builder.set_pubkey(key)?;
    let parent = issuer.map(|issuer| X509::from_pem(&issuer.public)).transpose()?;
    match &parent {
        None => {
            builder.set_issuer_name(&subject)?;
            builder.append_extension(BasicConstraints::new().critical().ca().pathlen(0).build()?)?;
            builder.append_extension(KeyUsage::new().critical().key_cert_sign().crl_sign().build()?)?;
        }
        Some(parent) => {
            builder.set_issuer_name(parent.subject_name())?;
            builder.append_extension(BasicConstraints::new().critical().build()?)?;
            builder.append_extension(KeyUsage::new().critical().digital_signature().build()?)?;
            let mut usage = ExtendedKeyUsage::new();
            let usage = if host.is_some() { usage.server_auth() } else { usage.client_auth() };
            builder.append_extension(usage.build()?)?;
        }
    }
    // RFC 5280 sections 4.2.1.1 and 4.2.1.2: clients that are strict (Python since 3.13) want both.
    let identifier = SubjectKeyIdentifier::new().build(&builder.x509v3_context(parent.as_deref(), None))?;
    builder.append_extension(identifier)?;
    if parent.is_some() {
        let context = builder.x509v3_context(parent.as_deref(), None);
        let identifier = AuthorityKeyIdentifier::new().keyid(true).build(&context)?;
        builder.append_extension(identifier)?;
    }
    if let Some(host) = host {
        let mut names = SubjectAlternativeName::new();
        let names = if host.parse::<std::net::IpAddr>().is_ok() { names.ip(host) } else { names.dns(host) };
        let extension = names.build(&builder.x509v3_context(parent.as_deref(), None))?;
        builder.append_extension(extension)?;
    }
    builder.sign(issuer.map_or(key, |issuer| &issuer.key), MessageDigest::sha256())?;
    Ok(builder.build().to_pem()?)
}
