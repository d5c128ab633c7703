//! Services that hold a third secret of a volume: key management services and GREP11 servers.
//!
//! Only what the contract says about them; nothing here speaks to one.

use countersign_crypto::certificate::Certificate;
use countersign_crypto::secret::{ApiKey, Grep11ClientKey, WrappedKey};

use super::material;
use super::read::Reader;
use crate::refusal::Refusal;

/// Minutes to wait for a service where the contract does not say.
pub(super) const KMS_TIMEOUT: u16 = 10;

/// The services of a volume; a volume without any has none of both.
#[derive(Debug)]
pub struct KeyServices {
    kms: Vec<Kms>,
    timeout_minutes: u16,
    grep11: Option<Grep11>,
}

/// A key management service that wraps a seed with a root key.
#[derive(Debug)]
pub struct Kms {
    api_key: ApiKey,
    root_key: String,
    private: bool,
}

/// A hardware security module behind a GREP11 server.
#[derive(Debug)]
pub struct Grep11 {
    address: String,
    certificates: Vec<Certificate>,
    key: Grep11ClientKey,
    authorities: Vec<Certificate>,
    wrapped: WrappedKey,
    previous_wrapped: Option<WrappedKey>,
}

impl KeyServices {
    /// At most five, in the order in which they are tried.
    pub fn kms(&self) -> &[Kms] {
        &self.kms
    }

    /// How long to wait for them, in minutes from 0 to 1000.
    pub fn timeout_minutes(&self) -> u16 {
        self.timeout_minutes
    }

    /// The GREP11 server.
    pub fn grep11(&self) -> Option<&Grep11> {
        self.grep11.as_ref()
    }
}

impl Kms {
    /// API key for the service.
    pub fn api_key(&self) -> &ApiKey {
        &self.api_key
    }

    /// Resource name of the root key, `crn:…`.
    pub fn root_key(&self) -> &str {
        &self.root_key
    }

    /// Whether the service is reached by its private address.
    pub fn private(&self) -> bool {
        self.private
    }
}

impl Grep11 {
    /// `host:port`.
    pub fn address(&self) -> &str {
        &self.address
    }

    /// The certificate that the guest shows, followed by its chain.
    pub fn certificates(&self) -> &[Certificate] {
        &self.certificates
    }

    /// The key of that certificate, as the contract has it; it was read once and belongs to the certificate.
    pub fn key(&self) -> &Grep11ClientKey {
        &self.key
    }

    /// The authority that issued the server's certificate.
    pub fn authorities(&self) -> &[Certificate] {
        &self.authorities
    }

    /// The AES key, wrapped by the module; base64, or asterisks if it was used before.
    pub fn wrapped(&self) -> &WrappedKey {
        &self.wrapped
    }

    /// The wrapped key until now, if it is being changed.
    pub fn previous_wrapped(&self) -> Option<&WrappedKey> {
        self.previous_wrapped.as_ref()
    }
}

/// Reads the services of the deployer's part of a volume.
pub(super) fn read(deployer: &Reader<'_>, refusals: &mut Vec<Refusal>) -> KeyServices {
    let list = deployer.child("kms");
    KeyServices {
        kms: list.iter().flat_map(Reader::items).filter_map(|service| kms(&service)).collect(),
        timeout_minutes: deployer.number("kmsTimeout").unwrap_or(KMS_TIMEOUT),
        grep11: deployer.child("grep11").and_then(|server| grep11(&server, refusals)),
    }
}

fn kms(service: &Reader<'_>) -> Option<Kms> {
    Some(Kms {
        api_key: ApiKey::copy_from(service.text("apiKey")?),
        root_key: service.text("crn")?.to_owned(),
        private: service.text("type") == Some("private"),
    })
}

fn grep11(server: &Reader<'_>, refusals: &mut Vec<Refusal>) -> Option<Grep11> {
    let shown = server.child("clientCert")?;
    let key = server.child("clientKey")?;
    let certificates = material::certificates(&shown, refusals);
    let parsed = material::private_key(&key, refusals);
    let authorities = material::certificates(&server.child("caCert")?, refusals);
    let (certificates, parsed, authorities) = (certificates?, parsed?, authorities?);
    if !certificates.first()?.belongs_to(&parsed) {
        refusals.push(Refusal::ClientPair(shown.place()));
        return None;
    }
    let blobs = server.child("metadata")?;
    Some(Grep11 {
        address: server.text("address")?.to_owned(),
        certificates,
        key: Grep11ClientKey::copy_from(key.as_text()?),
        authorities,
        wrapped: WrappedKey::copy_from(blobs.text("aesKeyBlob")?),
        previous_wrapped: blobs.text("previousaesKeyBlob").map(WrappedKey::copy_from),
    })
}
