//! Credentials and certificates for container registries.
//!
//! Says nothing about which registry an image comes from; that is the plan's business.

use std::collections::BTreeMap;

use countersign_crypto::certificate::Certificate;
use countersign_crypto::secret::RegistryPassword;

use super::material;
use super::read::Reader;
use crate::place::Place;
use crate::refusal::Refusal;

/// An account at a registry.
#[derive(Debug)]
pub struct Credentials {
    username: String,
    password: RegistryPassword,
}

impl Credentials {
    /// Name of the account.
    pub fn username(&self) -> &str {
        &self.username
    }

    /// Its password or API key.
    pub fn password(&self) -> &RegistryPassword {
        &self.password
    }
}

/// An authority that may have issued a registry's certificate.
#[derive(Debug)]
pub struct RegistryAuthority {
    name: String,
    certificates: Vec<Certificate>,
    place: Place,
}

impl RegistryAuthority {
    /// The name in the contract; it has no meaning beyond telling entries apart.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// At least one certificate.
    pub fn certificates(&self) -> &[Certificate] {
        &self.certificates
    }

    /// Where the contract has it.
    pub fn place(&self) -> &Place {
        &self.place
    }
}

pub(super) fn read(section: &Reader<'_>) -> BTreeMap<String, Credentials> {
    section
        .children("auths")
        .filter_map(|(registry, entry)| {
            let username = entry.text("username")?.to_owned();
            let password = RegistryPassword::copy_from(entry.text("password")?);
            Some((registry.to_owned(), Credentials { username, password }))
        })
        .collect()
}

pub(super) fn authorities(env: &Reader<'_>, refusals: &mut Vec<Refusal>) -> Vec<RegistryAuthority> {
    let mut found = Vec::new();
    let list = env.child("cacerts");
    for (name, entry) in list.iter().flat_map(Reader::items).flat_map(|map| map.entries().collect::<Vec<_>>())
    {
        if let Some(certificates) = material::certificates(&entry, refusals) {
            found.push(RegistryAuthority { name: name.to_owned(), certificates, place: entry.place() });
        }
    }
    found
}
