//! `countersign.policy`: what a party demands of the contract in which its section stands.
//!
//! Sealing keeps a section secret and does not choose its company: whoever has the image's certificate can put an
//! `env` of their own beside somebody else's sealed workload. With these conditions the provider says which company
//! is acceptable. What can be judged from the sections alone is judged when the policy is read; who signed is known
//! to the caller.

use countersign_crypto::certificate::Certificate;

use super::missing;
use super::read::Reader;
use crate::code::Code;
use crate::place::Place;
use crate::refusal::{Finding, MAX_REPORTED};

/// What the parties demand of each other.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Policy {
    refuse_unsigned: bool,
    refuse_reach: bool,
    signing_keys: Option<Vec<String>>,
    signing_key: Place,
    variables: Vec<String>,
    registries: Option<Vec<String>>,
    breaches: Vec<Finding>,
}

impl Policy {
    /// Whether a contract without signature is refused: if either section says so, or if the workload section says
    /// whose signature it takes.
    pub fn refuse_unsigned(&self) -> bool {
        self.refuse_unsigned || self.signing_keys.is_some()
    }

    /// Whether a container that reaches into the guest is refused: if either section says so.
    pub fn refuse_reach(&self) -> bool {
        self.refuse_reach
    }

    /// What the env section sets against the conditions of the workload section, the signature aside.
    pub fn breaches(&self) -> &[Finding] {
        &self.breaches
    }

    /// Whether the workload section lists a variable among those that the env section may set.
    pub fn lists_variable(&self, name: &str) -> bool {
        self.variables.iter().any(|listed| listed == name)
    }

    /// Registries with credentials of the workload section for which authorities of the env section count; all of them
    /// where there is no list.
    pub fn registries(&self) -> Option<&[String]> {
        self.registries.as_deref()
    }

    /// What is wrong about the signer: the SHA-256 fingerprint of the signing key, lower-case hexadecimal, or none
    /// for an unsigned contract.
    pub fn signer_breach(&self, signer: Option<&str>) -> Option<Finding> {
        let breach = |code: Code, message| Some(Finding::with(code, self.signing_key.clone(), message));
        match (signer, &self.signing_keys) {
            (None, _) if self.refuse_unsigned() => {
                breach(Code::UnsignedRefused, "expected a signature, because countersign.policy demands one")
            }
            (Some(signer), Some(keys)) if !keys.iter().any(|key| key == signer) => {
                breach(Code::SignerRefused, "expected a key that the workload's policy.signing-keys lists")
            }
            _ => None,
        }
    }
}

pub(super) fn read(workload: &Reader<'_>, env: &Reader<'_>) -> Policy {
    let provider = own(workload);
    let deployer = own(env);
    let refuses = |what: &str| {
        let mut policies = [&provider, &deployer].into_iter().flatten();
        policies.any(|policy| policy.text(what) == Some("refuse"))
    };
    let list = |name: &str| provider.as_ref().and_then(|policy| policy.texts(name));
    let mut breaches = Vec::new();
    let variables = list("env");
    if let Some(names) = &variables {
        environment(env, names, &mut breaches);
    }
    if let Some(logging) = env.child("logging") {
        if let Some(servers) = list("log-servers") {
            breaches.extend(log_server(&logging, &servers));
        }
        if let Some(fingerprints) = list("log-authorities") {
            breaches.extend(log_authorities(env, &fingerprints));
        }
    }
    Policy {
        refuse_unsigned: refuses("unsigned"),
        refuse_reach: refuses("reach"),
        signing_keys: list("signing-keys"),
        variables: variables.unwrap_or_default(),
        registries: list("registries"),
        signing_key: env.child("signingKey").map_or_else(|| missing(env, "signingKey"), |key| key.place()),
        breaches,
    }
}

fn own<'t>(section: &Reader<'t>) -> Option<Reader<'t>> {
    section.child("countersign")?.child("policy")
}

fn refused(code: Code, place: Place, message: &str) -> Finding {
    Finding::with(code, place, message)
}

fn environment(env: &Reader<'_>, names: &[String], breaches: &mut Vec<Finding>) {
    let message = "expected only variables that the workload's policy.env lists";
    let others = env.children("env").filter(|(name, _)| !names.iter().any(|listed| listed == name));
    breaches.extend(
        others.take(MAX_REPORTED).map(|(_, value)| refused(Code::EnvironmentRefused, value.place(), message)),
    );
}

/// Host names are compared without regard to case; an entry without a port allows all ports.
fn log_server(logging: &Reader<'_>, servers: &[String]) -> Option<Finding> {
    let (server, default) = match logging.child("syslog") {
        Some(syslog) => (syslog, super::logging::SYSLOG_PORT),
        None => match logging.child("logRouter") {
            Some(router) => (router, super::logging::LOG_ROUTER_PORT),
            None => (logging.child("logDNA")?, super::logging::SYSLOG_PORT),
        },
    };
    let hostname = server.child("hostname")?;
    let name = hostname.as_text()?;
    let port = server.number("port").unwrap_or(default).to_string();
    let listed: Vec<(&str, Option<&str>)> = servers
        .iter()
        .map(|entry| entry.split_once(':').map_or((entry.as_str(), None), |(name, port)| (name, Some(port))))
        .filter(|(listed, _)| listed.eq_ignore_ascii_case(name))
        .collect();
    if listed.iter().any(|(_, listed)| listed.is_none_or(|listed| listed == port)) {
        return None;
    }
    // The name is right and the port is not: the field that has to change is the port.
    let place = match (listed.is_empty(), server.child("port")) {
        (false, Some(port)) => port.place(),
        (false, None) => missing(&server, "port"),
        (true, _) => hostname.place(),
    };
    let message = "expected a log server that the workload's policy.log-servers lists";
    Some(refused(Code::LogServerNotListed, place, message))
}

/// Public authorities that stand behind a log router are in no contract, so no list can hold them: such a router needs
/// authorities of its own. Who gives it tokens for the deployer's key reads nothing, and is not asked for.
fn log_authorities(env: &Reader<'_>, fingerprints: &[String]) -> Option<Finding> {
    let message = "expected only certificates that the workload's policy.log-authorities lists";
    let logging = env.child("logging")?;
    let authorities = match (logging.child("syslog"), logging.child("logRouter")) {
        (Some(syslog), _) => syslog.child("server")?,
        (None, Some(router)) => match super::logging::own(env).and_then(|own| own.child("authorities")) {
            Some(authorities) => authorities,
            None => return Some(refused(Code::LogAuthorityNotListed, router.place(), message)),
        },
        (None, None) => return None,
    };
    // One that cannot be read is refused for that.
    let certificates = Certificate::parse_all(authorities.as_text()?).ok()?;
    let listed = |certificate: &Certificate| fingerprints.contains(&certificate.facts().sha256_fingerprint);
    if certificates.iter().all(listed) {
        return None;
    }
    Some(refused(Code::LogAuthorityNotListed, authorities.place(), message))
}
