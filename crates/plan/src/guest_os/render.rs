//! The guest OS's share of the contract: which files it gets and what it has to do.
//!
//! Rendered before anything is opened or written, so that a contract whose workload cannot run is refused while
//! nothing has happened yet.

use std::collections::BTreeSet;

use countersign_contract::archive::{Archive, ArchiveError, Item};
use countersign_contract::cidata::network_config::NetworkConfig;
use countersign_contract::code::Code;
use countersign_contract::model::{Contract, LogRouter, Logging, Syslog, WorkloadKind};
use countersign_contract::place::{Pointer, SectionName};
use countersign_contract::refusal::{Finding, MAX_REPORTED};
use countersign_crypto::LibraryError;
use countersign_crypto::certificate::Certificate;
use countersign_crypto::private_key::PrivateKey;
use countersign_crypto::secret::SecretBytes;

use crate::guest_os::file::File;
use crate::guest_os::handover::{
    Authorities, FOLDER, GuestPlan, Iam, Identity, LogClient, LogServer, LogService, PLAN,
    PUBLIC_AUTHORITIES, Registries, Workload,
};
use crate::guest_os::network;
use crate::images::authorities::registry_of_entry;
use crate::images::credentials::auth_json;
use crate::images::name::ImageName;
use crate::images::policy;
use crate::images::signatures::SignatureRules;
use crate::workload::compose::ServicePlan;
use crate::workload::play::ContainerPlan;
use crate::workload::reach::{ReachRule, Sections, Way};

mod compose;
mod play;
mod refusal;

pub use refusal::RenderRefusal;

/// What the image and the contract disk add to the contract.
#[derive(Debug, Clone, Copy)]
pub struct Guest<'g> {
    /// Version of the image.
    pub version: &'g str,
    /// Host name.
    pub hostname: &'g str,
    /// What stands in its own log records beside that.
    pub identity: &'g Identity,
    /// `network-config`; without it, DHCP.
    pub network: Option<&'g NetworkConfig>,
    /// Whether the image refuses containers that reach into the guest.
    pub refuse_reach: bool,
}

/// Files and plan of the guest OS.
#[derive(Debug)]
pub struct Rendered {
    /// In the order in which they are written.
    pub files: Vec<File>,
    /// `plan.json`, which is among the files as well.
    pub plan: GuestPlan,
    /// What the author of the workload should know, at its field of the contract.
    pub notices: Vec<Finding>,
    /// Every way out of its containers.
    pub ways: Vec<Way>,
    /// The containers of its pods; of a compose file the services say it.
    pub containers: Vec<ContainerPlan>,
}

impl Rendered {
    /// Whether the compose file names others, which are judged in the guest OS.
    pub fn is_undecided(&self) -> bool {
        matches!(self.plan.workload, Workload::Compose { other_files: true, .. })
    }
}

/// What becomes of a workload.
struct Described {
    workload: Workload,
    images: Vec<String>,
    files: Vec<File>,
    notices: Vec<Finding>,
    ways: Vec<Way>,
    containers: Vec<ContainerPlan>,
}

/// `/workload/compose/archive`, or that of `play`.
fn archive_pointer(contract: &Contract) -> Pointer {
    let kind = if matches!(contract.workload(), WorkloadKind::Play(_)) { "play" } else { "compose" };
    Pointer::section(SectionName::Workload).child(kind).child("archive")
}

/// Renders everything that the guest OS gets.
///
/// # Errors
/// [`RenderRefusal`], the first.
pub fn render(contract: &Contract, guest: Guest<'_>) -> Result<Rendered, RenderRefusal> {
    let reach = reach(contract, guest.refuse_reach);
    let signed = SignatureRules::of(contract.image_rules())?;
    let described = match contract.workload() {
        WorkloadKind::Compose { archive } => compose::describe(contract, archive, reach, &signed)?,
        WorkloadKind::Play(play) => play::describe(contract, play, reach, &signed)?,
        WorkloadKind::ConfidentialContainers(_) => return Err(RenderRefusal::Unsupported),
    };
    let Described { workload, images, files: unpacked, mut notices, ways, containers } = described;
    // Of a file that names others, the images are known in the guest OS.
    if !matches!(workload, Workload::Compose { other_files: true, .. }) {
        notices.extend(unused_rules(contract, &signed, &images));
    }
    let mut files = Vec::new();
    let log = log_server(contract.logging(), &mut files)?;
    let registries = registries(contract, &mut files)?;
    files.extend(unpacked);
    files.extend(network::files(guest.network));
    let mut plan = GuestPlan { signed, ..plan(guest, log, images, Some(registries), workload) };
    plan.record_on_console = contract.attestation().console();
    files.push(plan_file(&plan)?);
    Ok(Rendered { files, plan, notices, ways, containers })
}

fn reach(contract: &Contract, refuse: bool) -> ReachRule {
    ReachRule {
        volumes: contract.volumes().iter().map(|volume| volume.mount().to_owned()).collect(),
        refuse: refuse || contract.policy().refuse_reach(),
        sections: Sections::of(contract.user_data()),
    }
}

/// What [`render`] refused, and for the author of the workload whatever else is wrong with it: the guest ends at an entry of
/// the archive or at its `.env`, and behind these there is the compose file, or there are pods. `guest` is that of `render`.
pub fn all_refusals(contract: &Contract, guest: Guest<'_>, refusal: RenderRefusal) -> Vec<RenderRefusal> {
    let ends_early =
        matches!(refusal, RenderRefusal::Archive(_) | RenderRefusal::Dotenv(_) | RenderRefusal::DotenvFolder);
    let (true, Ok(signed)) = (ends_early, SignatureRules::of(contract.image_rules())) else {
        return vec![refusal];
    };
    let reach = reach(contract, guest.refuse_reach);
    match contract.workload() {
        WorkloadKind::Compose { archive } => compose::refusals(contract, archive, &reach, &signed),
        WorkloadKind::Play(play) => play::refusals(contract, play, &reach, &signed),
        WorkloadKind::ConfidentialContainers(_) => vec![refusal],
    }
}

/// What each service of a compose workload is and has, for its author; empty for pods, whose containers [`Rendered`] has.
pub fn services(contract: &Contract, rendered: &Rendered) -> Vec<ServicePlan> {
    match &rendered.plan.workload {
        Workload::Compose { file, reach, .. } => {
            let signed = &rendered.plan.signed;
            compose::services(contract, &rendered.files, file, reach, signed).unwrap_or_default()
        }
        Workload::Play { .. } | Workload::Nothing => Vec::new(),
    }
}

/// Paths of entries that were refused, as [`Archive`] has them.
fn left_out(refused: &[ArchiveError]) -> Vec<String> {
    let paths = refused.iter().filter_map(|error| Some(error.entry()?.path.as_str()));
    paths.map(|path| path.trim_start_matches("./").trim_end_matches('/').to_owned()).collect()
}

/// A warning at each rule for signed images that counts for none of the workload's.
fn unused_rules(contract: &Contract, signed: &SignatureRules, images: &[String]) -> Vec<Finding> {
    let images: Vec<ImageName> = images.iter().filter_map(|image| ImageName::parse(image)).collect();
    let rules = signed.unused(&images).into_iter().filter_map(|name| contract.image_rules().get(name));
    rules.map(|rule| Finding::of(Code::ImageRuleUnused, rule.place().clone())).take(MAX_REPORTED).collect()
}

/// Renders what the guest OS gets after a failed boot: network and log server, nothing of the workload.
///
/// # Errors
/// [`RenderRefusal::ClientKey`], [`RenderRefusal::Unsupported`], or OpenSSL's.
pub fn render_report(logging: &Logging, guest: Guest<'_>) -> Result<Rendered, RenderRefusal> {
    let mut files = Vec::new();
    let log = log_server(logging, &mut files)?;
    files.extend(network::files(guest.network));
    let plan = plan(guest, log, Vec::new(), None, Workload::Nothing);
    files.push(plan_file(&plan)?);
    Ok(Rendered { files, plan, notices: Vec::new(), ways: Vec::new(), containers: Vec::new() })
}

fn plan(
    guest: Guest<'_>,
    log: LogServer,
    images: Vec<String>,
    registries: Option<Registries>,
    workload: Workload,
) -> GuestPlan {
    GuestPlan {
        version: guest.version.to_owned(),
        hostname: guest.hostname.to_owned(),
        identity: guest.identity.clone(),
        network_config: guest.network.is_some(),
        log,
        images,
        signed: SignatureRules::default(),
        registries,
        workload,
        record_on_console: false,
    }
}

fn plan_file(plan: &GuestPlan) -> Result<File, RenderRefusal> {
    let json = serde_json::to_vec_pretty(plan).map_err(|error| RenderRefusal::Plan(error.to_string()))?;
    Ok(secret(format!("{FOLDER}/{PLAN}"), SecretBytes::new(json)))
}

/// The log server, and the files that it is spoken to with.
fn log_server(logging: &Logging, files: &mut Vec<File>) -> Result<LogServer, RenderRefusal> {
    match logging {
        Logging::Syslog(syslog) => syslog_server(syslog, files),
        Logging::LogRouter(router) => Ok(log_router(router, files)?),
        Logging::LogDna(_) => Err(RenderRefusal::Unsupported),
    }
}

fn log_file(name: &str) -> String {
    format!("{FOLDER}/logging/{name}")
}

fn syslog_server(syslog: &Syslog, files: &mut Vec<File>) -> Result<LogServer, RenderRefusal> {
    let ca = log_file("ca.pem");
    files.push(public(ca.clone(), &pem(syslog.server().authorities())?));
    let client = match syslog.client_key() {
        None => None,
        Some(text) => {
            let client = LogClient { certificate: log_file("client.pem"), key: log_file("client-key.pem") };
            files.push(public(client.certificate.clone(), &pem(syslog.client_certificates())?));
            files.push(secret(client.key.clone(), PrivateKey::parse(text.expose())?.to_pem()?));
            Some(client)
        }
    };
    Ok(LogServer {
        hostname: syslog.server().hostname().to_owned(),
        port: syslog.server().port(),
        ca,
        service: LogService::Syslog { client },
    })
}

fn log_router(router: &LogRouter, files: &mut Vec<File>) -> Result<LogServer, LibraryError> {
    let mut authorities = |name: &str, certificates: &[Certificate]| -> Result<String, LibraryError> {
        if certificates.is_empty() {
            return Ok(PUBLIC_AUTHORITIES.to_owned());
        }
        let path = log_file(name);
        files.push(public(path.clone(), &pem(certificates)?));
        Ok(path)
    };
    let ca = authorities("ca.pem", router.server().authorities())?;
    let iam_ca = authorities("iam-ca.pem", router.iam().authorities())?;
    let api_key = log_file("api-key");
    files.push(secret(api_key.clone(), SecretBytes::copy_from(router.api_key().expose().as_bytes())));
    Ok(LogServer {
        hostname: router.server().hostname().to_owned(),
        port: router.server().port(),
        ca,
        service: LogService::LogRouter {
            api_key,
            iam: Iam { hostname: router.iam().hostname().to_owned(), port: router.iam().port(), ca: iam_ca },
            tags: router.tags().to_vec(),
        },
    })
}

/// Credentials, and the authorities of private registries where there are any. Until the images are known the engine may
/// copy none.
fn registries(contract: &Contract, files: &mut Vec<File>) -> Result<Registries, RenderRefusal> {
    files.push(public(policy::FILE.to_owned(), &policy::nothing()));
    let path = format!("{FOLDER}/registry/config.json");
    let all = contract.registry_credentials();
    let entries = all.iter().map(|(registry, entry)| (*registry, entry.username(), entry.password()));
    files.push(secret(path.clone(), auth_json(entries)));
    let mut authorities = String::new();
    for authority in contract.registry_authorities() {
        authorities.push_str(&pem(authority.certificates())?);
    }
    let authorities = (!authorities.is_empty()).then(|| {
        let file = format!("{FOLDER}/registry/ca.pem");
        files.push(public(file.clone(), &authorities));
        Authorities { file, not_for: not_for(contract) }
    });
    Ok(Registries { credentials: path, authorities })
}

/// Registries for which authorities of the env section do not count: those with credentials of the workload section that
/// its policy does not list.
fn not_for(contract: &Contract) -> Vec<String> {
    let Some(listed) = contract.policy().registries() else { return Vec::new() };
    let registries: BTreeSet<&str> = contract.provider_registries().map(registry_of_entry).collect();
    let others = registries
        .into_iter()
        .filter(|registry| !listed.iter().any(|listed| listed.eq_ignore_ascii_case(registry)));
    others.map(str::to_owned).collect()
}

/// The files of an archive, as far as they are wanted, in a folder of the guest.
fn unpacked(archive: Archive, folder: &str, wanted: impl Fn(&str) -> bool, files: &mut Vec<File>) {
    for (path, item) in archive.into_items() {
        if let Item::File { mut content, executable } = item
            && wanted(&path)
        {
            let mode = if executable { 0o755 } else { 0o644 };
            // Moved, not copied: there may be 64 MiB of it.
            let content = SecretBytes::new(std::mem::take(&mut *content));
            files.push(File { path: format!("{folder}/{path}"), mode, content });
        }
    }
}

fn pem(certificates: &[Certificate]) -> Result<String, LibraryError> {
    certificates.iter().map(Certificate::to_pem).collect()
}

fn public(path: String, content: &str) -> File {
    File { path, mode: 0o644, content: SecretBytes::copy_from(content.as_bytes()) }
}

fn secret(path: String, content: SecretBytes) -> File {
    File { path, mode: 0o600, content }
}
