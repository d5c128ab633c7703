//! The typed contract: both sections, checked, with the views that the guest acts on.
//!
//! Built from sections that passed the schema, so what the schema promises is not checked again. What it
//! cannot say is checked here: volumes match one to one, mount points differ, certificates and keys can be
//! read. Fields are private; [`Contract::new`] is the only constructor. Secrets are in types of their own and
//! leave only through those types' named readers.
//!
//! Fields that the guest understands and does not act on yet are listed by [`Contract::unsupported`].

use std::collections::{BTreeMap, BTreeSet};

use countersign_crypto::secret::EnvironmentValue;

use crate::code::Code;
use crate::place::{Place, Pointer};
use crate::refusal::{Finding, MAX_REPORTED, Refusal};
use crate::schema::CheckedSection;

mod confidential_containers;
mod credentials;
mod extension;
mod images;
mod key_service;
mod logging;
mod machine;
mod material;
mod places;
mod play;
mod policy;
mod read;
mod seed;
mod unsupported;
mod user_data;
mod volume;

pub use confidential_containers::{AllowedImages, ConfidentialContainers, SealedSecretKeys};
pub use credentials::{Credentials, RegistryAuthority};
pub use extension::{Attestation, Initialize, MountOption, OnDeviation, Serial, VolumeOptions};
pub use images::{ImageRule, ImageRuleFault};
pub use key_service::{Grep11, KeyServices, Kms};
pub use logging::{LogDna, LogRouter, Logging, Server, Syslog, log_server};
pub use machine::{CryptoDevice, CryptoPassthrough, HostKey};
pub use play::{Play, Resource, ResourceKind};
pub use policy::Policy;
pub use user_data::UserData;
pub use volume::{DeployerSecret, FileSystem, Volume};

use places::Places;
use read::Reader;

/// A contract that may be acted on.
#[derive(Debug)]
pub struct Contract {
    workload: Workload,
    env: Env,
    volumes: Vec<Volume>,
    on_deviation: OnDeviation,
    serial: Serial,
    attestation: Attestation,
    policy: Policy,
    user_data: UserData,
    places: Places,
    warnings: Vec<Finding>,
    unsupported: Vec<Finding>,
}

/// What the workload section says, volumes and policy aside.
#[derive(Debug)]
struct Workload {
    kind: WorkloadKind,
    image_rules: BTreeMap<String, ImageRule>,
    environment: BTreeMap<String, EnvironmentValue>,
    credentials: BTreeMap<String, Credentials>,
}

/// What the env section says, volumes and policy aside.
#[derive(Debug)]
struct Env {
    logging: Logging,
    environment: BTreeMap<String, EnvironmentValue>,
    credentials: BTreeMap<String, Credentials>,
    registry_authorities: Vec<RegistryAuthority>,
    signing_key: Option<String>,
    host_keys: BTreeMap<String, HostKey>,
    crypto_passthrough: Option<CryptoPassthrough>,
    sealed_secrets: Option<SealedSecretKeys>,
}

/// How the workload is described.
pub enum WorkloadKind {
    /// A compose file in an archive.
    Compose {
        /// Base64 of a gzipped tar with a compose file at its top.
        archive: String,
    },
    /// Kubernetes objects.
    Play(Play),
    /// Pods of the confidential containers agent.
    ConfidentialContainers(ConfidentialContainers),
}

impl std::fmt::Debug for WorkloadKind {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            WorkloadKind::Compose { .. } => "Compose(…)",
            WorkloadKind::Play(_) => "Play(…)",
            WorkloadKind::ConfidentialContainers(_) => "ConfidentialContainers",
        })
    }
}

impl Contract {
    /// Makes a contract of its two checked sections.
    ///
    /// # Errors
    /// Everything that is wrong beyond the schema.
    pub fn new(workload: &CheckedSection, env: &CheckedSection) -> Result<Contract, Vec<Refusal>> {
        let mut refusals = Vec::new();
        let mut warnings: Vec<Finding> = workload.warnings().iter().chain(env.warnings()).cloned().collect();
        let (workload, env) = (Reader::section(workload.tree()), Reader::section(env.tree()));
        let volumes = volume::read(&workload, &env, &mut refusals, &mut warnings);
        let logging = logging::read(&env, &mut refusals, &mut warnings);
        let registry_authorities = credentials::authorities(&env, &mut refusals);
        warn_overridden(&workload, &env, "env", Code::EnvironmentOverridden, &mut warnings);
        warn_overridden(&workload, &env, "auths", Code::CredentialsOverridden, &mut warnings);
        warn_of_authorities(&workload, &env, &mut warnings);
        let signing_key = env.text("signingKey").map(str::to_owned);
        if let (Some(text), Some(value)) = (&signing_key, env.child("signingKey"))
            && let Err(error) = countersign_crypto::signature::SigningKey::parse(text)
        {
            refusals.push(Refusal::SigningKey(value.place(), error));
        }
        let image_rules = images::read(&workload, &mut refusals);
        let host_keys = machine::host_keys(&env, &mut refusals);
        let unsupported = unsupported::find(&workload, &env);
        let (Some(logging), Some(kind), true) = (logging, kind(&workload), refusals.is_empty()) else {
            refusals.sort_by_key(|refusal| (refusal.place().text, refusal.place().mark));
            refusals.truncate(MAX_REPORTED);
            return Err(refusals);
        };
        Ok(Contract {
            on_deviation: extension::on_deviation(&workload, &env),
            serial: extension::serial(&env),
            attestation: extension::attestation(&env),
            policy: policy::read(&workload, &env),
            user_data: user_data::read(&workload, &env),
            workload: Workload {
                kind,
                image_rules,
                environment: environment(&workload),
                credentials: credentials::read(&workload),
            },
            env: Env {
                logging,
                environment: environment(&env),
                credentials: credentials::read(&env),
                registry_authorities,
                signing_key,
                host_keys,
                crypto_passthrough: machine::crypto_passthrough(&env),
                sealed_secrets: env
                    .child("confidential-containers")
                    .and_then(|part| confidential_containers::sealed_secrets(&part)),
            },
            places: Places::of(&workload, &env),
            volumes,
            warnings,
            unsupported,
        })
    }

    /// What runs.
    pub fn workload(&self) -> &WorkloadKind {
        &self.workload.kind
    }

    /// The workload's environment: both sections' variables, the workload's where both have one.
    pub fn environment(&self) -> BTreeMap<&str, &EnvironmentValue> {
        overlay(&self.env.environment, &self.workload.environment)
    }

    /// The names of the variables that the workload provider sets.
    pub fn provider_environment_names(&self) -> impl Iterator<Item = &str> {
        self.workload.environment.keys().map(String::as_str)
    }

    /// Credentials by registry: both sections', the workload's where both have one.
    pub fn registry_credentials(&self) -> BTreeMap<&str, &Credentials> {
        overlay(&self.env.credentials, &self.workload.credentials)
    }

    /// Registries with credentials of the workload section, as it names them.
    pub fn provider_registries(&self) -> impl Iterator<Item = &str> {
        self.workload.credentials.keys().map(String::as_str)
    }

    /// Certificates of authorities that registries may have.
    pub fn registry_authorities(&self) -> &[RegistryAuthority] {
        &self.env.registry_authorities
    }

    /// Where log records go.
    pub fn logging(&self) -> &Logging {
        &self.env.logging
    }

    /// The volumes, each with both parties' parts, in the order of the workload section.
    pub fn volumes(&self) -> &[Volume] {
        &self.volumes
    }

    /// The public key or certificate of the signer, as text.
    pub fn signing_key(&self) -> Option<&str> {
        self.env.signing_key.as_deref()
    }

    /// Who must have signed which images, by the names that the rules stand under: `host/path[:tag][@sha256:digest]`.
    pub fn image_rules(&self) -> &BTreeMap<String, ImageRule> {
        &self.workload.image_rules
    }

    /// The machines that the guest may run on, by the names of their host keys; empty means any.
    pub fn host_keys(&self) -> &BTreeMap<String, HostKey> {
        &self.env.host_keys
    }

    /// Fields of this contract that the guest would not act on; a boot ends if there is any.
    pub fn unsupported(&self) -> &[Finding] {
        &self.unsupported
    }

    /// Crypto devices that are handed to the guest.
    pub fn crypto_passthrough(&self) -> Option<&CryptoPassthrough> {
        self.env.crypto_passthrough.as_ref()
    }

    /// The deployer's keys for sealed secrets of the confidential containers agent.
    pub fn deployer_sealed_secrets(&self) -> Option<&SealedSecretKeys> {
        self.env.sealed_secrets.as_ref()
    }

    /// Where a field stands that later stages judge: an archive, a certificate, a volume. Of another field, the
    /// place of the nearest of these above it; `None` for a pointer outside both sections.
    pub fn place_of(&self, pointer: &Pointer) -> Option<Place> {
        self.places.find(pointer)
    }

    /// What a check of the running guest does that finds a deviation.
    pub fn on_deviation(&self) -> OnDeviation {
        self.on_deviation
    }

    /// Which of two contracts is the newer one.
    pub fn serial(&self) -> &Serial {
        &self.serial
    }

    /// Who reads the attestation record.
    pub fn attestation(&self) -> &Attestation {
        &self.attestation
    }

    /// What the parties demand of each other.
    pub fn policy(&self) -> &Policy {
        &self.policy
    }

    /// What containers may read of it.
    pub fn user_data(&self) -> &UserData {
        &self.user_data
    }

    /// What an author should look at; none of it stops a boot.
    pub fn warnings(&self) -> &[Finding] {
        &self.warnings
    }
}

fn overlay<'m, T>(
    below: &'m BTreeMap<String, T>,
    above: &'m BTreeMap<String, T>,
) -> BTreeMap<&'m str, &'m T> {
    below.iter().chain(above).map(|(name, value)| (name.as_str(), value)).collect()
}

fn environment(section: &Reader<'_>) -> BTreeMap<String, EnvironmentValue> {
    section
        .children("env")
        .filter_map(|(name, value)| Some((name.to_owned(), EnvironmentValue::copy_from(value.as_text()?))))
        .collect()
}

fn kind(workload: &Reader<'_>) -> Option<WorkloadKind> {
    if let Some(compose) = workload.child("compose") {
        return Some(WorkloadKind::Compose { archive: compose.text("archive")?.to_owned() });
    }
    if let Some(play) = workload.child("play") {
        return Some(WorkloadKind::Play(play::read(&play)));
    }
    let part = workload.child("confidential-containers")?;
    confidential_containers::read(&part).map(WorkloadKind::ConfidentialContainers)
}

/// A warning at the env section's entry for each name that both sections have under `key`.
fn warn_overridden(
    workload: &Reader<'_>,
    env: &Reader<'_>,
    key: &str,
    code: Code,
    warnings: &mut Vec<Finding>,
) {
    let wins: BTreeSet<&str> = workload.children(key).map(|(name, _)| name).collect();
    for (_, value) in env.children(key).filter(|(name, _)| wins.contains(name)).take(MAX_REPORTED) {
        warnings.push(Finding::with(code, value.place(), "the workload section sets it too and wins"));
    }
}

/// A warning where authorities of the env section vouch for registries that get the workload section's credentials, and
/// the workload does not say for which. Whoever named the authority can answer as such a registry.
fn warn_of_authorities(workload: &Reader<'_>, env: &Reader<'_>, warnings: &mut Vec<Finding>) {
    let says = workload
        .child("countersign")
        .and_then(|own| own.child("policy"))
        .is_some_and(|policy| policy.child("registries").is_some());
    if says || workload.children("auths").next().is_none() {
        return;
    }
    if let Some(authorities) = env.child("cacerts").filter(|list| list.items().next().is_some()) {
        let message = "these authorities vouch for registries that get credentials of the workload section";
        warnings.push(Finding::with(Code::AuthorityOfDeployer, authorities.place(), message));
    }
}

/// A place for a refusal that no value stands at.
pub(crate) fn missing(parent: &Reader<'_>, name: &str) -> Place {
    let Place { text, pointer, mark } = parent.place();
    Place { text, pointer: Pointer::child(&pointer, name), mark }
}

#[cfg(test)]
#[allow(clippy::expect_used)]
mod tests;
