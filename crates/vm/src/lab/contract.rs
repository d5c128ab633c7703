//! Contracts for boots: a typed description, its two YAML texts, and the medium that carries them.
//!
//! The texts are templates of this file and the sealing is done by the scripts in `qemu/party`: nothing here shares
//! code with what the guest reads them with. A contract that must be refused is made by changing the description
//! (a wrong seed, another authority), the texts ([`Texts::edit`]) or the delivery ([`Signature::Altered`],
//! [`Sealing::Plain`], another image's certificate).

use std::collections::BTreeMap;
use std::fmt::Write;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::{make_folder, party, read_text, write};
use crate::error::{Error, Result};
use crate::process::{run, text};

/// Where the guest sends its logs.
#[derive(Debug, Clone)]
pub struct Logging {
    /// Host name or IPv4 address as the guest sees it.
    pub host: String,
    /// TCP port.
    pub port: u16,
    /// PEM certificate of the authority that the guest trusts.
    pub authority: String,
    /// PEM client certificate.
    pub certificate: String,
    /// PEM client key.
    pub key: String,
}

/// IBM Cloud Logs instead of a syslog server; service and IAM have one host, one port and one authority.
#[derive(Debug, Clone)]
pub struct LogRouter {
    /// Host name or IPv4 address as the guest sees it.
    pub host: String,
    /// TCP port.
    pub port: u16,
    /// PEM certificate of the authority that the guest trusts.
    pub authority: String,
    /// Key that IAM gives tokens for.
    pub api_key: String,
}

/// Credentials of a registry.
#[derive(Debug, Clone)]
pub struct Credentials {
    /// Account.
    pub username: String,
    /// Password, at least 3 characters.
    pub password: String,
}

/// A data volume, both sides.
#[derive(Debug, Clone)]
pub struct Volume {
    /// Where it is mounted.
    pub mount: String,
    /// `ext4`, `xfs` or `btrfs`.
    pub filesystem: String,
    /// The workload provider's seed, at least 15 characters.
    pub workload_seed: String,
    /// The deployer's seed, at least 15 characters.
    pub env_seed: String,
}

/// Everything that the two sections say.
#[derive(Debug, Clone)]
pub struct Contract {
    /// Section `env`: the log server.
    pub logging: Logging,
    /// Section `env`: IBM Cloud Logs, which then stands in for the log server.
    pub log_router: Option<LogRouter>,
    /// Section `env`: PEM public key or certificate.
    pub signing_key: Option<String>,
    /// Section `env`: PEM authority of the registry.
    pub registry_authority: Option<String>,
    /// Section `env`: environment.
    pub env: BTreeMap<String, String>,
    /// Section `workload`: environment.
    pub workload_env: BTreeMap<String, String>,
    /// Section `workload`: credentials by registry (`host:port`).
    pub auths: BTreeMap<String, Credentials>,
    /// Both sections: volumes by key.
    pub volumes: BTreeMap<String, Volume>,
    /// Section `workload`: base64 of the compressed compose folder, see [`archive`].
    pub archive: String,
}

/// The two sections as the parties wrote them, before sealing.
#[derive(Debug, Clone)]
pub struct Texts {
    /// Section `workload`.
    pub workload: String,
    /// Section `env`.
    pub env: String,
}

impl Contract {
    /// Writes both sections out.
    #[must_use]
    pub fn texts(&self) -> Texts {
        Texts { workload: self.workload_text(), env: self.env_text() }
    }

    fn workload_text(&self) -> String {
        let mut out = String::from("type: workload\n");
        if !self.auths.is_empty() {
            out.push_str("auths:\n");
        }
        for (registry, credentials) in &self.auths {
            let (username, password) = (quoted(&credentials.username), quoted(&credentials.password));
            let _ =
                write!(out, "  {}:\n    username: {username}\n    password: {password}\n", quoted(registry));
        }
        let _ = write!(out, "compose:\n  archive: {}\n", self.archive);
        environment(&mut out, &self.workload_env);
        if !self.volumes.is_empty() {
            out.push_str("volumes:\n");
        }
        for (key, volume) in &self.volumes {
            let _ = write!(
                out,
                "  {key}:\n    mount: {}\n    filesystem: {}\n    seed: {}\n",
                volume.mount,
                volume.filesystem,
                quoted(&volume.workload_seed)
            );
        }
        out
    }

    fn env_text(&self) -> String {
        let mut out = match &self.log_router {
            Some(router) => router_text(router),
            None => syslog_text(&self.logging),
        };
        if let Some(pem) = &self.registry_authority {
            let _ = write!(out, "cacerts:\n  - certificate: {}\n", base64(pem.as_bytes()));
        }
        if let Some(pem) = &self.signing_key {
            let _ = write!(out, "signingKey: |\n{}", indented(pem, 2));
        }
        environment(&mut out, &self.env);
        if !self.volumes.is_empty() {
            out.push_str("volumes:\n");
        }
        for (key, volume) in &self.volumes {
            let _ = write!(out, "  {key}:\n    seed: {}\n", quoted(&volume.env_seed));
        }
        out
    }
}

fn syslog_text(logging: &Logging) -> String {
    let mut out = format!(
        "type: env\nlogging:\n  syslog:\n    hostname: {}\n    port: {}\n",
        logging.host, logging.port
    );
    let pems = [("server", &logging.authority), ("cert", &logging.certificate), ("key", &logging.key)];
    for (name, pem) in pems {
        let _ = write!(out, "    {name}: |\n{}", indented(pem, 6));
    }
    out
}

fn router_text(router: &LogRouter) -> String {
    let LogRouter { host, port, authority, api_key } = router;
    let (api_key, authority) = (quoted(api_key), indented(authority, 6));
    format!(
        "type: env\nlogging:\n  logRouter:\n    hostname: {host}\n    port: {port}\n    iamApiKey: {api_key}\n    \
         tags: [story]\ncountersign:\n  log-router:\n    iam-url: https://{host}:{port}\n    \
         authorities: |\n{authority}    iam-authorities: |\n{authority}"
    )
}

/// Which section a change is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Section {
    /// The workload provider's.
    Workload,
    /// The deployer's.
    Env,
}

impl Texts {
    /// Replaces `from`, which must occur exactly once, so that a change that no longer fits is noticed.
    ///
    /// # Errors
    /// [`Error::Format`] when it occurs never or more than once.
    pub fn edit(&mut self, section: Section, from: &str, to: &str) -> Result<()> {
        let text = match section {
            Section::Workload => &mut self.workload,
            Section::Env => &mut self.env,
        };
        if text.matches(from).count() != 1 {
            return Err(Error::format(format!("{section:?} section"), format!("\"{from}\" once")));
        }
        *text = text.replacen(from, to, 1);
        Ok(())
    }
}

/// How a section travels.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sealing {
    /// Readable by everyone.
    Plain,
    /// `hyper-protect-basic` token.
    HyperProtect(Passphrase),
    /// `contract-basic` token.
    ContractBasic(Passphrase),
    /// `countersign-v1` token: no passphrase, bound to its section.
    CountersignV1,
}

/// What the token's passphrase is made of (`qemu/party/seal --passphrase`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Passphrase {
    /// 32 random bytes.
    Random,
    /// A line feed as the 11th byte.
    LineFeed,
    /// A NUL as the 11th byte.
    Nul,
    /// A line feed first: the effective passphrase is empty.
    Empty,
}

/// The signature over both sections.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Signature {
    /// None at all.
    Absent,
    /// Made by the signing key.
    Valid,
    /// Made by the signing key, then one bit of it changed.
    Altered,
}

/// How the parties hand a contract over.
#[derive(Debug, Clone)]
pub struct Delivery {
    /// The provider's choice.
    pub workload: Sealing,
    /// The deployer's choice.
    pub env: Sealing,
    /// Certificate that both encrypt to.
    pub certificate: PathBuf,
    /// Private key of who signs.
    pub signer: PathBuf,
    /// What becomes of the signature.
    pub signature: Signature,
    /// Public key or certificate (PEM) that stands as `attestationPublicKey`, if any.
    pub auditor: Option<PathBuf>,
    /// `local-hostname` of meta-data.
    pub hostname: String,
    /// Contents of network-config, if any.
    pub network_config: Option<String>,
}

/// The disk that carries a contract.
#[derive(Debug, Clone)]
pub struct Medium {
    /// Disk image, ISO 9660 labelled `cidata`.
    pub image: PathBuf,
    /// The contract as it stands on it.
    pub user_data: PathBuf,
    /// Effective passphrases of the tokens that have one.
    pub passphrases: Vec<Vec<u8>>,
}

/// Seals, signs and writes the medium with the documented commands; all files go to `folder`.
///
/// # Errors
/// [`Error::Io`] or [`Error::Program`].
pub fn deliver(texts: &Texts, delivery: &Delivery, folder: &Path) -> Result<Medium> {
    let folder = make_folder(folder.to_owned())?;
    let mut passphrases = Vec::new();
    let mut contract = String::new();
    let mut values = Vec::new();
    for (name, section, sealing) in
        [("workload", &texts.workload, delivery.workload), ("env", &texts.env, delivery.env)]
    {
        let kept = folder.join(format!("{name}.passphrase"));
        let value = match sealer(name, sealing, &kept) {
            None => {
                let _ = write!(contract, "{name}: |\n{}", indented(section, 2));
                section.clone()
            }
            Some(mut command) => {
                command.arg(write(&folder.join(format!("{name}.yaml")), section)?).arg(&delivery.certificate);
                let token = text(command, b"")?;
                if sealing != Sealing::CountersignV1 {
                    passphrases.push(std::fs::read(&kept).map_err(Error::at(&kept))?);
                }
                let _ = writeln!(contract, "{name}: {token}");
                token
            }
        };
        values.push(write(&folder.join(format!("{name}.value")), value)?);
    }
    if delivery.signature != Signature::Absent {
        let mut command = party("sign");
        command.arg(&delivery.signer).args(&values);
        let signature = text(command, b"")?;
        let signature =
            if delivery.signature == Signature::Altered { altered(&signature) } else { signature };
        let _ = writeln!(contract, "envWorkloadSignature: {signature}");
    }
    if let Some(auditor) = &delivery.auditor {
        let _ = write!(contract, "attestationPublicKey: |\n{}", indented(&read_text(auditor)?, 2));
    }
    let user_data = write(&folder.join("user-data"), contract)?;
    write(&folder.join("meta-data"), format!("local-hostname: {}\n", delivery.hostname))?;
    write(&folder.join("vendor-data"), "#cloud-config\n")?;
    if let Some(config) = &delivery.network_config {
        write(&folder.join("network-config"), config)?;
    }
    let image = folder.join("cidata.iso");
    let mut command = party("medium");
    command.arg(&image).arg(&folder);
    run(command, b"")?;
    Ok(Medium { image, user_data, passphrases })
}

/// `compose.archive` for the files of `folder`.
///
/// # Errors
/// [`Error::Program`].
pub fn archive(folder: &Path) -> Result<String> {
    let mut command = party("archive");
    command.arg(folder);
    text(command, b"")
}

/// The LUKS passphrase of a volume by the documented command: hex SHA-256 over the deployer's seed, then the
/// workload's.
///
/// # Errors
/// [`Error::Program`].
pub fn volume_passphrase(volume: &Volume) -> Result<String> {
    let mut command = crate::process::tied("openssl");
    command.args(["dgst", "-sha256", "-r"]);
    let line = text(command, format!("{}{}", volume.env_seed, volume.workload_seed).as_bytes())?;
    line.split(' ').next().map(str::to_owned).ok_or_else(|| Error::format("openssl dgst", "a digest"))
}

/// Reads a PEM file for a contract.
///
/// # Errors
/// [`Error::Io`].
pub fn pem(path: &Path) -> Result<String> {
    read_text(path)
}

/// The program that makes a token, but for its last arguments, text and certificate. A passphrase is left in `kept`.
fn sealer(section: &str, sealing: Sealing, kept: &Path) -> Option<Command> {
    let (prefix, passphrase) = match sealing {
        Sealing::Plain => return None,
        Sealing::CountersignV1 => {
            let mut command = party("seal-v1");
            command.arg(section);
            return Some(command);
        }
        Sealing::HyperProtect(passphrase) => ("hyper-protect-basic", passphrase),
        Sealing::ContractBasic(passphrase) => ("contract-basic", passphrase),
    };
    let kind = match passphrase {
        Passphrase::Random => "random",
        Passphrase::LineFeed => "lf",
        Passphrase::Nul => "nul",
        Passphrase::Empty => "empty",
    };
    let mut command = party("seal");
    command.args(["--prefix", prefix, "--passphrase", kind, "--keep"]).arg(kept);
    Some(command)
}

/// Still base64 of the same length, with another character in the middle.
fn altered(signature: &str) -> String {
    let middle = signature.len() / 2;
    let other = if signature[middle..].starts_with('A') { "B" } else { "A" };
    format!("{}{other}{}", &signature[..middle], &signature[middle + 1..])
}

fn environment(out: &mut String, variables: &BTreeMap<String, String>) {
    if !variables.is_empty() {
        out.push_str("env:\n");
    }
    for (name, value) in variables {
        let _ = writeln!(out, "  {name}: {}", quoted(value));
    }
}

/// A JSON string is a double-quoted YAML scalar.
fn quoted(value: &str) -> String {
    serde_json::Value::from(value).to_string()
}

fn indented(text: &str, by: usize) -> String {
    text.lines().map(|line| format!("{:by$}{line}\n", "")).collect()
}

/// Standard base64 with padding, on one line.
pub(super) fn base64(bytes: &[u8]) -> String {
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut out = String::with_capacity(bytes.len().div_ceil(3) * 4);
    for chunk in bytes.chunks(3) {
        let group =
            chunk.iter().chain([0, 0].iter()).take(3).fold(0_usize, |sum, &b| sum << 8 | usize::from(b));
        for position in 0..4 {
            let index = group >> (18 - 6 * position) & 0x3f;
            out.push(if position <= chunk.len() { char::from(ALPHABET[index]) } else { '=' });
        }
    }
    out
}

#[cfg(test)]
#[path = "contract_tests.rs"]
mod tests;
