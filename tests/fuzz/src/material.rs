//! Keys and certificates, made by OpenSSL when a target starts. None is kept in the corpus.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use openssl::asn1::Asn1Time;
use openssl::ec::{EcGroup, EcKey};
use openssl::error::ErrorStack;
use openssl::hash::MessageDigest;
use openssl::nid::Nid;
use openssl::pkey::{PKey, Private};
use openssl::rsa::Rsa;
use openssl::x509::{X509, X509NameBuilder};

/// What `@name@` stands for in the seeds of the target `section`, and its value as base64 of PEM.
pub struct Material(Vec<(&'static str, String)>);

impl Material {
    /// Makes an authority, a client certificate with its key, another key and a signing key.
    ///
    /// # Panics
    /// When OpenSSL has no randomness.
    pub fn new() -> Self {
        Self::made().expect("OpenSSL makes keys")
    }

    fn made() -> Result<Self, ErrorStack> {
        let (authority, client, other) = (elliptic()?, elliptic()?, elliptic()?);
        let signer = PKey::from_rsa(Rsa::generate(2048)?)?;
        let encoded = |pem: Vec<u8>| STANDARD.encode(pem);
        Ok(Self(vec![
            ("@ca@", encoded(certificate(&authority)?.to_pem()?)),
            ("@cert@", encoded(certificate(&client)?.to_pem()?)),
            ("@key@", encoded(client.private_key_to_pem_pkcs8()?)),
            ("@other-key@", encoded(other.private_key_to_pem_pkcs8()?)),
            ("@signing@", encoded(certificate(&signer)?.to_pem()?)),
            ("@cosign@", encoded(other.public_key_to_pem()?)),
            // An RSA key of no bits, version 4, of 1970 (RFC 9580 section 5.5.2).
            ("@openpgp@", "mAoEAAAAAAEAAAAA".to_owned()),
        ]))
    }

    /// The text with the material put in, each name once: an input cannot grow without bound.
    pub fn fill(&self, text: &str) -> String {
        self.0.iter().fold(text.to_owned(), |text, (name, value)| text.replacen(name, value, 1))
    }
}

impl Default for Material {
    fn default() -> Self {
        Self::new()
    }
}

fn elliptic() -> Result<PKey<Private>, ErrorStack> {
    let group = EcGroup::from_curve_name(Nid::X9_62_PRIME256V1)?;
    PKey::from_ec_key(EcKey::generate(&group)?)
}

fn certificate(key: &PKey<Private>) -> Result<X509, ErrorStack> {
    let mut name = X509NameBuilder::new()?;
    name.append_entry_by_text("CN", "fuzz")?;
    let name = name.build();
    let (start, end) = (Asn1Time::days_from_now(0)?, Asn1Time::days_from_now(365)?);
    let mut builder = X509::builder()?;
    builder.set_version(2)?;
    builder.set_subject_name(&name)?;
    builder.set_issuer_name(&name)?;
    builder.set_pubkey(key)?;
    builder.set_not_before(&start)?;
    builder.set_not_after(&end)?;
    builder.sign(key, MessageDigest::sha256())?;
    Ok(builder.build())
}
