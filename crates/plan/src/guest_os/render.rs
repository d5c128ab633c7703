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
use countersign_contract::refusal::Finding;
use countersign_crypto::LibraryError;
use countersign_crypto::certificate::Certificate;
use countersign_crypto::private_key::{PrivateKey, PrivateKeyError};
use countersign_crypto::secret::SecretBytes;

use crate::guest_os::file::File;
use crate::guest_os::handover::{
    Authorities, FOLDER, GuestPlan, Iam, Identity, LogClient, LogServer, LogService, PLAN,
    PUBLIC_AUTHORITIES, Registries, Workload,
};
use crate::guest_os::network;
use crate::images::authorities::registry_of_entry;
use crate::images::{credentials, policy};
use crate::workload::compose::{
    self, COMPOSE_FOLDER, COMPOSE_PROJECT, ComposeFault, ComposeNotice, ComposeRefusal, Environment, Found,
    Judged, Notice, PROFILES, Surroundings,
};
use crate::workload::dotenv::DotenvRefusal;
use crate::workload::reach::{ReachRule, Way};

/// The project's variables, in the compose folder.
const DOTENV: &str = ".env";

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
    /// Name of the compose file.
    compose_file: &'static str,
    /// What the author of the compose file should know.
    notices: Vec<ComposeNotice>,
    /// Every way out of its containers.
    pub ways: Vec<Way>,
}

impl Rendered {
    /// Whether the compose file names others, which are judged in the guest OS.
    pub fn is_undecided(&self) -> bool {
        matches!(self.plan.workload, Workload::Compose { other_files: true, .. })
    }

    /// What the author of the compose file should know, at its field of the contract.
    pub fn notices(&self, contract: &Contract) -> Vec<Finding> {
        let Some(place) = contract.place_of(&archive_pointer()) else { return Vec::new() };
        let finding = |notice: &ComposeNotice| {
            let message = format!("{}: {notice}", self.compose_file);
            Finding::new(notice.notice.code(), place.clone(), message, Some(notice.notice.hint().to_owned()))
        };
        self.notices.iter().map(finding).collect()
    }
}

/// `/workload/compose/archive`.
fn archive_pointer() -> Pointer {
    Pointer::section(SectionName::Workload).child("compose").child("archive")
}

/// Why a contract that is valid cannot run.
#[derive(Debug, thiserror::Error)]
pub enum RenderRefusal {
    /// The archive.
    #[error("/workload/compose/archive: {0}")]
    Archive(#[from] ArchiveError),
    /// The compose file in it.
    #[error("{file} in /workload/compose/archive: {}", first(refusals))]
    Compose {
        /// Its name.
        file: &'static str,
        /// What is wrong with it, at least one.
        refusals: Vec<ComposeRefusal>,
    },
    /// The archive's own `.env`.
    #[error(".env in /workload/compose/archive: {0}")]
    Dotenv(#[from] DotenvRefusal),
    /// A folder in the archive where the project's variables are to lie.
    #[error(".env in /workload/compose/archive: expected a file, not a folder")]
    DotenvFolder,
    /// The key of the client certificate, which was read when the contract was made, is not read a second time.
    #[error("/env/logging/syslog/key: {0}")]
    ClientKey(#[from] PrivateKeyError),
    /// A kind of workload or logging that the guest does not act on; `validate` refused it before.
    #[error("expected a compose workload, and a syslog server or a log router")]
    Unsupported,
    /// OpenSSL could not write what it had read.
    #[error(transparent)]
    Library(#[from] LibraryError),
    /// The plan could not be written as JSON.
    #[error("expected a plan that can be written: {0}")]
    Plan(String),
}

impl RenderRefusal {
    /// The message code.
    pub fn code(&self) -> Code {
        match self {
            RenderRefusal::Archive(error) => error.code(),
            RenderRefusal::Compose { refusals, .. } => {
                refusals.first().map_or(Code::ComposeRefused, |refusal| refusal.fault.code())
            }
            RenderRefusal::Dotenv(_) | RenderRefusal::DotenvFolder => Code::ArchiveDotenv,
            RenderRefusal::ClientKey(_) => Code::UnknownPrivateKeyType,
            RenderRefusal::Unsupported => Code::UnsupportedField,
            RenderRefusal::Library(_) | RenderRefusal::Plan(_) => Code::BootInternal,
        }
    }

    /// The refusal at its field of the contract, as often as there are reasons; none where it is not about a field.
    pub fn findings(&self, contract: &Contract) -> Vec<Finding> {
        let at = |pointer: &Pointer, code: Code, message: String, hint: Option<&'static str>| {
            let hint = hint.unwrap_or(code.remedy()).to_owned();
            contract.place_of(pointer).map(|place| Finding::new(code, place, message, Some(hint)))
        };
        let archive = archive_pointer();
        let one = match self {
            RenderRefusal::Compose { file, refusals } => {
                let finding = |refusal: &ComposeRefusal| {
                    let (code, hint) = (refusal.fault.code(), refusal.fault.hint());
                    at(&archive, code, format!("{file}: {refusal}"), hint)
                };
                return refusals.iter().filter_map(finding).collect();
            }
            RenderRefusal::Archive(error) => at(&archive, self.code(), error.to_string(), None),
            RenderRefusal::Dotenv(refusal) => at(&archive, self.code(), format!("{DOTENV}: {refusal}"), None),
            RenderRefusal::DotenvFolder => {
                let message = ".env: expected a file, not a folder";
                at(&archive, self.code(), message.to_owned(), None)
            }
            RenderRefusal::ClientKey(error) => {
                let syslog = Pointer::section(SectionName::Env).child("logging").child("syslog");
                at(&syslog.child("key"), self.code(), error.to_string(), None)
            }
            RenderRefusal::Unsupported | RenderRefusal::Library(_) | RenderRefusal::Plan(_) => None,
        };
        one.into_iter().collect()
    }
}

fn first(refusals: &[ComposeRefusal]) -> String {
    refusals.first().map(ToString::to_string).unwrap_or_default()
}

/// Renders everything that the guest OS gets.
///
/// # Errors
/// [`RenderRefusal`], the first.
pub fn render(contract: &Contract, guest: Guest<'_>) -> Result<Rendered, RenderRefusal> {
    let WorkloadKind::Compose { archive } = contract.workload() else {
        return Err(RenderRefusal::Unsupported);
    };
    let archive = Archive::parse(archive)?;
    let environment = environment(contract, &archive)?;
    let reach = ReachRule {
        volumes: contract.volumes().iter().map(|volume| volume.mount().to_owned()).collect(),
        refuse: guest.refuse_reach || contract.policy().refuse_reach(),
    };
    let (compose_file, Judged { images, mut notices, ways, undecided }) =
        compose_file(&environment, &archive, &reach)?;
    if contract.environment().contains_key(PROFILES) && !may_choose_profiles(contract) {
        notices.push(ComposeNotice { line: 1, notice: Notice::Profiles });
    }
    let mut files = Vec::new();
    let log = log_server(contract.logging(), &mut files)?;
    let registries = registries(contract, &mut files)?;
    let process = environment.process();
    compose_folder(&environment, archive, &mut files);
    files.extend(network::files(guest.network));
    let workload = Workload::Compose {
        project: COMPOSE_PROJECT.to_owned(),
        folder: COMPOSE_FOLDER.to_owned(),
        file: format!("{COMPOSE_FOLDER}/{compose_file}"),
        environment: process,
        reach,
        other_files: undecided.is_some(),
    };
    let plan = plan(guest, log, images, Some(registries), workload);
    files.push(plan_file(&plan)?);
    Ok(Rendered { files, plan, compose_file, notices, ways })
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
    Ok(Rendered { files, plan, compose_file: "", notices: Vec::new(), ways: Vec::new() })
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
        registries,
        workload,
    }
}

fn plan_file(plan: &GuestPlan) -> Result<File, RenderRefusal> {
    let json = serde_json::to_vec_pretty(plan).map_err(|error| RenderRefusal::Plan(error.to_string()))?;
    Ok(secret(format!("{FOLDER}/{PLAN}"), SecretBytes::new(json)))
}

/// The variables of the project.
fn environment(contract: &Contract, archive: &Archive) -> Result<Environment, RenderRefusal> {
    if archive.items().any(|(path, item)| path == DOTENV && matches!(item, Item::Folder)) {
        return Err(RenderRefusal::DotenvFolder);
    }
    let mut variables = contract.environment();
    if !may_choose_profiles(contract) {
        variables.remove(PROFILES);
    }
    Ok(Environment::read(archive.file(DOTENV), variables.into_iter())?)
}

/// Whether the contract's profiles count: they say which of the workload's services run, so the workload says it, or that
/// the deployer may.
fn may_choose_profiles(contract: &Contract) -> bool {
    contract.provider_environment_names().any(|name| name == PROFILES)
        || contract.policy().lists_variable(PROFILES)
}

/// The compose file's name, and what it asks for.
fn compose_file(
    environment: &Environment,
    archive: &Archive,
    reach: &ReachRule,
) -> Result<(&'static str, Judged), RenderRefusal> {
    let (file, text) = archive.compose_file()?;
    let refused = |refusals| RenderRefusal::Compose { file, refusals };
    let text = std::str::from_utf8(text).map_err(|error| {
        let before = &text[..error.valid_up_to()];
        let line = 1 + before.iter().filter(|byte| **byte == b'\n').count();
        refused(vec![ComposeRefusal { line, fault: ComposeFault::Character }])
    })?;
    let profiles = environment.profiles();
    let found = |path: &str| found(archive, path);
    let around =
        Surroundings { lookup: &|name| environment.get(name), files: &found, profiles: &profiles, reach };
    Ok((file, compose::judge(text, &around).map_err(refused)?))
}

/// What lies under a path of the compose folder.
fn found<'a>(archive: &'a Archive, path: &str) -> Option<Found<'a>> {
    if path == DOTENV {
        // Made of the contract's variables and the archive's; read before.
        return Some(Found::File(&[]));
    }
    if let Some(content) = archive.file(path) {
        return Some(Found::File(content));
    }
    let below =
        |item: &str| item.strip_prefix(path).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'));
    archive.items().any(|(item, _)| below(item)).then_some(Found::Folder)
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
    let path = format!("{FOLDER}/registry/credentials.json");
    let all = contract.registry_credentials();
    let entries = all.iter().map(|(registry, entry)| (*registry, entry.username(), entry.password()));
    files.push(secret(path.clone(), credentials::file(entries)));
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

/// The files of the archive, with the contract's variables joined to its `.env`.
fn compose_folder(environment: &Environment, archive: Archive, files: &mut Vec<File>) {
    for (path, item) in archive.into_items() {
        if let Item::File { mut content, executable } = item
            && path != DOTENV
        {
            let mode = if executable { 0o755 } else { 0o644 };
            // Moved, not copied: there may be 64 MiB of it.
            let content = SecretBytes::new(std::mem::take(&mut *content));
            files.push(File { path: format!("{COMPOSE_FOLDER}/{path}"), mode, content });
        }
    }
    files.push(secret(format!("{COMPOSE_FOLDER}/{DOTENV}"), environment.file()));
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
