//! What crosses the handover: the names of its files, and the part of the plan that the guest OS carries out.
//!
//! The plan is written as JSON into memory-backed `/run` and read in the guest OS, so it holds names and paths only.
//! Whatever is secret lies in files of its own beside it ([`crate::guest_os::file::File`]).

use serde::{Deserialize, Serialize};

use crate::images::signatures::SignatureRules;
use crate::workload::reach::ReachRule;

/// Where the handover lies in the guest: memory-backed, 0700.
pub const FOLDER: &str = "/run/countersign";

/// [`GuestPlan`], for every stage of the guest OS.
pub const PLAN: &str = "plan.json";
/// The text of [`crate::workload::canonical::Canonical`], which is what is started.
pub const COMPOSE_MODEL: &str = "compose.json";
/// The text of [`crate::workload::play::Played`], which is what is started.
pub const PODS: &str = "pods.json";
/// [`crate::report::transcript::Transcript`], which each stage adds to.
pub const TRANSCRIPT: &str = "transcript.json";
/// Lines of the first cause, where the boot has failed.
pub const CAUSE: &str = "failure.txt";
/// The auditor's public key, PEM text, where the contract has one.
pub const AUDITOR: &str = "auditor.pem";
/// [`crate::record::bundle::Bundle`], so far with the first record.
pub const RECORDS: &str = "record.json";
/// PEM text of the key that signs the final record; the daemon takes it before anything of the workload is there, and it
/// is gone.
pub const BOOT_KEY: &str = "boot-key.pem";
/// Empty, from when the workload has started: the daemon waits for it.
pub const STARTED: &str = "started";
/// [`crate::watch::WatchRecords`].
pub const WATCH: &str = "watch.json";
/// [`crate::watch::schedule::State`], for a daemon that is started again.
pub const WATCH_STATE: &str = "watch-state.json";
/// [`crate::forwarding::ledger::Forwarded`], for a forwarder that is started again.
pub const FORWARDED: &str = "forward.json";

/// The public authorities, as the guest OS has them (package ca-certificates).
pub const PUBLIC_AUTHORITIES: &str = "/etc/ssl/certs/ca-certificates.crt";

/// Who speaks in the guest's own log records: what its host cannot choose, unlike its host name.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Identity {
    /// Private enterprise number of the structured data (RFC 5424 section 7.2.2).
    pub enterprise: u32,
    /// SHA-256 of the contract as it lay on its disk, hexadecimal: `cidata/user-data` of the attestation record.
    pub contract: String,
    /// SHA-256 fingerprint of the key that signed it; none where nobody did, or where the boot failed before that was
    /// known.
    pub signer: Option<String>,
}

/// `plan.json` of the handover.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GuestPlan {
    /// Version of the image.
    pub version: String,
    /// The guest's host name, as it appears in log records.
    pub hostname: String,
    /// What stands in its own records beside that.
    pub identity: Identity,
    /// Whether the interfaces are set up by a `network-config`.
    pub network_config: bool,
    /// The log server.
    pub log: LogServer,
    /// Images of all pods, each once, or those that the compose file itself names; of compose, what is pulled the canonical
    /// model says.
    pub images: Vec<String>,
    /// Who must have signed images.
    #[serde(default, skip_serializing_if = "SignatureRules::is_empty")]
    pub signed: SignatureRules,
    /// How registries are reached; nothing is pulled where this is absent.
    pub registries: Option<Registries>,
    /// What is started.
    pub workload: Workload,
    /// Whether the records are printed on the console as well.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub record_on_console: bool,
}

/// The log server of the contract.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LogServer {
    /// Host name or IP address.
    pub hostname: String,
    /// TCP port.
    pub port: u16,
    /// Path of the PEM file with the accepted authorities.
    pub ca: String,
    /// What it is spoken to with.
    pub service: LogService,
}

/// What a log server is spoken to with.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub enum LogService {
    /// Syslog over TLS.
    Syslog {
        /// What the guest shows for itself; none where the contract gives no client certificate.
        client: Option<LogClient>,
    },
    /// IBM Cloud Logs, over HTTPS with tokens.
    LogRouter {
        /// Path of the file with the API key.
        api_key: String,
        /// Who gives tokens for it.
        iam: Iam,
        /// Marks on every record.
        tags: Vec<String>,
    },
}

/// What the guest shows for itself to a syslog server.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LogClient {
    /// Path of its PEM certificate.
    pub certificate: String,
    /// Path of its PEM key.
    pub key: String,
}

/// Who gives tokens for an API key.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Iam {
    /// Host name or IP address.
    pub hostname: String,
    /// TCP port.
    pub port: u16,
    /// Path of the PEM file with the accepted authorities.
    pub ca: String,
}

/// How registries are reached.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Registries {
    /// Path of the credentials file, in the engines' common `auth.json` form.
    pub credentials: String,
    /// Authorities that the contract names, beside those of the guest OS.
    pub authorities: Option<Authorities>,
}

/// Authorities that the contract names for registries.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Authorities {
    /// Path of the PEM file with all of them.
    pub file: String,
    /// Registries for which they do not count.
    pub not_for: Vec<String>,
}

/// What is started.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub enum Workload {
    /// Nothing: the boot failed, and the guest OS only reports it.
    Nothing,
    /// A compose project.
    Compose {
        /// The project's name.
        project: String,
        /// The folder with the unpacked archive.
        folder: String,
        /// Path of the compose file.
        file: String,
        /// What the compose program is started with to read it.
        environment: Vec<(String, String)>,
        /// What containers may reach.
        reach: ReachRule,
        /// Whether the compose file names others, of which nothing was said in the initramfs.
        other_files: bool,
    },
    /// Pods; what is started is a note of its own.
    Play {
        /// How many containers they have.
        containers: usize,
    },
}
