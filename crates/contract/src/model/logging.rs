//! Where log records go: a syslog server over TLS, or IBM Cloud Logs.
//!
//! IBM Cloud Logs is reached as its documentation has it; `countersign.log-router` says where that differs.
//!
//! Certificates and the client key are read here, so that a contract with an unusable one is refused before
//! anything starts; dates, names and chains are checked by the logging stage, which knows the time.

use countersign_crypto::certificate::Certificate;
use countersign_crypto::secret::{ApiKey, LogClientKey};

use super::material;
use super::read::Reader;
use crate::code::Code;
use crate::envelope::SectionTree;
use crate::refusal::{Finding, Refusal};
use crate::schema;

/// Port of syslog over TLS (RFC 5425), used where the contract names none.
pub(super) const SYSLOG_PORT: u16 = 6514;

/// Port of the ingestion address of IBM Cloud Logs.
pub(super) const LOG_ROUTER_PORT: u16 = 443;

/// Where API keys are exchanged for tokens, used where the contract names no other address.
pub(super) const IAM_URL: &str = "https://iam.cloud.ibm.com";

/// Where log records go.
#[derive(Debug)]
pub enum Logging {
    /// A server that speaks RFC 5424 over TLS.
    Syslog(Syslog),
    /// IBM Cloud Logs.
    LogRouter(LogRouter),
    /// IBM Log Analysis, which was switched off in March 2025; older contracts name it.
    LogDna(LogDna),
}

/// A server that is spoken to over TLS.
#[derive(Debug)]
pub struct Server {
    hostname: String,
    port: u16,
    authorities: Vec<Certificate>,
}

impl Server {
    /// Host name or IPv4 address; the server's certificate must carry it.
    pub fn hostname(&self) -> &str {
        &self.hostname
    }

    /// TCP port.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// The authority that issued the server's certificate; empty for the public ones, which only IBM Cloud Logs and its
    /// IAM may have.
    pub fn authorities(&self) -> &[Certificate] {
        &self.authorities
    }
}

/// Syslog.
#[derive(Debug)]
pub struct Syslog {
    server: Server,
    client: Option<(Vec<Certificate>, LogClientKey)>,
}

impl Syslog {
    /// The log server.
    pub fn server(&self) -> &Server {
        &self.server
    }

    /// The certificate that the guest shows, followed by its chain; empty if it shows none.
    pub fn client_certificates(&self) -> &[Certificate] {
        self.client.as_ref().map_or(&[], |(certificates, _)| certificates)
    }

    /// The key of the client certificate, PEM or base64 of PEM as the contract has it; it was read once with
    /// [`PrivateKey::parse`](countersign_crypto::private_key::PrivateKey::parse) and belongs to the certificate.
    pub fn client_key(&self) -> Option<&LogClientKey> {
        self.client.as_ref().map(|(_, key)| key)
    }
}

/// IBM Cloud Logs.
#[derive(Debug)]
pub struct LogRouter {
    server: Server,
    iam: Server,
    api_key: ApiKey,
    tags: Vec<String>,
}

impl LogRouter {
    /// The ingestion address.
    pub fn server(&self) -> &Server {
        &self.server
    }

    /// Identity and Access Management of IBM Cloud, where the key is exchanged for tokens.
    pub fn iam(&self) -> &Server {
        &self.iam
    }

    /// Key of the account that may write records.
    pub fn api_key(&self) -> &ApiKey {
        &self.api_key
    }

    /// Marks on every record.
    pub fn tags(&self) -> &[String] {
        &self.tags
    }
}

/// The ingestion address of IBM Log Analysis.
#[derive(Debug)]
pub struct LogDna {
    hostname: String,
    port: u16,
    ingestion_key: ApiKey,
}

impl LogDna {
    /// Host name of the ingestion address.
    pub fn hostname(&self) -> &str {
        &self.hostname
    }

    /// TCP port.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Key of the account that could write records.
    pub fn ingestion_key(&self) -> &ApiKey {
        &self.ingestion_key
    }
}

/// The log server of a section that may be wrong in everything else ([`SectionTree::log_part`]); `None` where even
/// this part breaks a rule, or names a service that is gone.
pub fn log_server(part: SectionTree) -> Option<Logging> {
    let checked = schema::check(part).ok()?;
    let mut refusals = Vec::new();
    let logging = read(&Reader::section(checked.tree()), &mut refusals, &mut Vec::new())?;
    (refusals.is_empty() && !matches!(logging, Logging::LogDna(_))).then_some(logging)
}

pub(super) fn read(
    env: &Reader<'_>,
    refusals: &mut Vec<Refusal>,
    warnings: &mut Vec<Finding>,
) -> Option<Logging> {
    let logging = env.child("logging")?;
    if let Some(syslog) = logging.child("syslog") {
        return syslog_server(&syslog, refusals, warnings).map(Logging::Syslog);
    }
    if let Some(router) = logging.child("logRouter") {
        return log_router(&router, own(env).as_ref(), refusals).map(Logging::LogRouter);
    }
    let server = logging.child("logDNA")?;
    Some(Logging::LogDna(LogDna {
        hostname: server.text("hostname")?.to_owned(),
        port: server.number("port").unwrap_or(SYSLOG_PORT),
        ingestion_key: ApiKey::copy_from(server.text("ingestionKey")?),
    }))
}

/// `countersign.log-router`.
pub(super) fn own<'t>(env: &Reader<'t>) -> Option<Reader<'t>> {
    env.child("countersign")?.child("log-router")
}

fn log_router(
    router: &Reader<'_>,
    own: Option<&Reader<'_>>,
    refusals: &mut Vec<Refusal>,
) -> Option<LogRouter> {
    let before = refusals.len();
    let mut authorities = |name: &str| {
        let field = own.and_then(|own| own.child(name));
        field.and_then(|field| material::certificates(&field, refusals)).unwrap_or_default()
    };
    let (log, iam) = (authorities("authorities"), authorities("iam-authorities"));
    if refusals.len() > before {
        return None;
    }
    let url = own.and_then(|own| own.text("iam-url")).unwrap_or(IAM_URL);
    let address = url.strip_prefix("https://")?;
    let (hostname, port) = match address.split_once(':') {
        Some((hostname, port)) => (hostname, port.parse().ok()?),
        None => (address, LOG_ROUTER_PORT),
    };
    Some(LogRouter {
        server: Server {
            hostname: router.text("hostname")?.to_owned(),
            port: router.number("port").unwrap_or(LOG_ROUTER_PORT),
            authorities: log,
        },
        iam: Server { hostname: hostname.to_owned(), port, authorities: iam },
        api_key: ApiKey::copy_from(router.text("iamApiKey")?),
        tags: router.texts("tags").unwrap_or_default(),
    })
}

fn syslog_server(
    syslog: &Reader<'_>,
    refusals: &mut Vec<Refusal>,
    warnings: &mut Vec<Finding>,
) -> Option<Syslog> {
    let before = refusals.len();
    let mut certificates =
        |field: &str| syslog.child(field).and_then(|field| material::certificates(&field, refusals));
    let authorities = certificates("server");
    let chain = certificates("cert");
    let key = syslog.child("key");
    let parsed_key = key.as_ref().and_then(|key| material::private_key(key, refusals));
    // Both or neither: the schema saw to that.
    match syslog.child("cert") {
        None => warnings.push(Finding::with(
            Code::NoClientCertificate,
            syslog.place(),
            "no client certificate for the log server",
        )),
        Some(cert) => {
            if let (Some(leaf), Some(parsed)) = (chain.as_ref().and_then(|chain| chain.first()), &parsed_key)
                && !leaf.belongs_to(parsed)
            {
                refusals.push(Refusal::ClientPair(cert.place()));
            }
        }
    }
    if refusals.len() > before {
        return None;
    }
    let client = match (chain, key.and_then(|key| key.as_text())) {
        (Some(chain), Some(key)) => Some((chain, LogClientKey::copy_from(key))),
        _ => None,
    };
    Some(Syslog {
        server: Server {
            hostname: syslog.text("hostname")?.to_owned(),
            port: syslog.number("port").unwrap_or(SYSLOG_PORT),
            authorities: authorities?,
        },
        client,
    })
}
