//! `new`: a folder to start from. Everything in it is accepted by `check`.
//!
//! The texts are templates beside this file, the keys and certificates are fresh ([`keys`]). Nothing that exists is
//! overwritten.

pub(crate) mod keys;
mod parts;

use std::io::Write;
use std::path::Path;

use anyhow::{Context, Result, bail};
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use zeroize::Zeroizing;

use crate::answer::Answer;
use crate::arguments::{Case, New};
use crate::files;
use keys::Pair;

const WORKLOAD: &str = include_str!("workload.yaml");
const ENV: &str = include_str!("env.yaml");
const COMPOSE: &str = include_str!("compose.yaml");
const POD: &str = include_str!("pod.yaml");

pub(crate) fn run(options: &New, out: &mut dyn Write) -> Result<Answer> {
    let folder = options.folder.as_path();
    let host = options.log_server.as_str();
    let plain = |letter: char| letter.is_ascii_alphanumeric() || letter == '.' || letter == '-';
    if host.is_empty() || host.len() > 253 || !host.chars().all(plain) {
        bail!("--log-server: expected a host name");
    }
    make(folder)?;
    make(&folder.join(parts::kind(options)))?;
    make(&folder.join("log-server"))?;
    let authority = Pair::authority("log authority")?;
    let server = authority.issue(host, Some(host))?;
    let client = authority.issue("log client", None)?;
    let signer = Pair::signer()?;
    let registry = Side::new(options, Case::PrivateRegistry, registry)?;
    let auditor = Side::new(options, Case::Auditor, auditor)?;
    let parts = parts::parts(options, signer.public())?;
    let fill = |text: &str| -> Result<Zeroizing<String>> {
        let mut filled = Zeroizing::new(text.to_owned());
        for (name, value) in &parts {
            filled = Zeroizing::new(filled.replace(name, value));
        }
        filled = Zeroizing::new(filled.replace("@log-server@", host));
        for (name, value) in [
            ("@seed@", seed()?),
            ("@password@", seed()?),
            ("@authority@", encoded(authority.certificate())),
            ("@client@", encoded(client.certificate())),
            ("@client-key@", encoded(&client.key_pem()?)),
            ("@signing-key@", encoded(signer.public())),
            ("@registry-authority@", encoded(registry.public())),
        ] {
            filled = Zeroizing::new(filled.replace(name, &value));
        }
        Ok(filled)
    };
    let private = [
        ("workload.yaml", Zeroizing::new(fill(WORKLOAD)?.as_bytes().to_vec())),
        ("env.yaml", Zeroizing::new(fill(ENV)?.as_bytes().to_vec())),
        ("signing.key", signer.key_pem()?),
        ("log-server/server.key", server.key_pem()?),
        ("log-server/ca.key", authority.key_pem()?),
    ];
    for (name, content) in private {
        files::create(&folder.join(name), 0o600, &content)?;
    }
    let (workload, text) =
        if options.play { ("play/pod.yaml", POD) } else { ("compose/compose.yaml", COMPOSE) };
    for (name, content) in [
        (workload, fill(text)?.as_bytes()),
        ("log-server/server.crt", server.certificate()),
        ("log-server/ca.crt", authority.certificate()),
    ] {
        files::create(&folder.join(name), 0o644, content)?;
    }
    registry.write(folder)?;
    auditor.write(folder)?;
    let shown = crate::answer::tame(&folder.display().to_string());
    writeln!(
        out,
        "{shown}: workload.yaml, env.yaml, {workload}\n\
         {shown}: signing.key, for countersign pack\n\
         {shown}: log-server/, certificates for a log server to try it with"
    )?;
    for said in [registry.said, auditor.said].into_iter().flatten() {
        writeln!(out, "{shown}: {said}")?;
    }
    writeln!(out, "next: edit them, then countersign check {shown}")?;
    Ok(Answer::Yes)
}

/// What a case of `--with` adds beside the sections; nothing where it is not asked for.
#[derive(Default)]
struct Side {
    /// Path below the folder, mode, content.
    files: Vec<(&'static str, u32, Zeroizing<Vec<u8>>)>,
    /// What the sections name of it, PEM.
    public: Vec<u8>,
    said: Option<&'static str>,
}

impl Side {
    fn new(options: &New, case: Case, make: impl FnOnce() -> Result<Side>) -> Result<Side> {
        if options.with.contains(&case) { make() } else { Ok(Side::default()) }
    }

    fn public(&self) -> &[u8] {
        &self.public
    }

    fn write(&self, folder: &Path) -> Result<()> {
        for (name, mode, content) in &self.files {
            let path = folder.join(name);
            if let Some(parent) = path.parent().filter(|parent| !parent.exists()) {
                make(parent)?;
            }
            files::create(&path, *mode, content)?;
        }
        Ok(())
    }
}

/// Keys and certificates of a registry.
fn registry() -> Result<Side> {
    let authority = Pair::authority("registry authority")?;
    let server = authority.issue(parts::REGISTRY, Some(parts::REGISTRY))?;
    Ok(Side {
        files: vec![
            ("registry/server.key", 0o600, server.key_pem()?),
            ("registry/ca.key", 0o600, authority.key_pem()?),
            ("registry/server.crt", 0o644, Zeroizing::new(server.certificate().to_vec())),
            ("registry/ca.crt", 0o644, Zeroizing::new(authority.certificate().to_vec())),
        ],
        public: authority.certificate().to_vec(),
        said: Some("registry/, certificates for a private registry to try it with"),
    })
}

/// The key that the attestation record is encrypted to.
fn auditor() -> Result<Side> {
    let auditor = Pair::signer()?;
    Ok(Side {
        files: vec![
            ("auditor.key", 0o600, auditor.key_pem()?),
            ("auditor.pub", 0o644, Zeroizing::new(auditor.public().to_vec())),
        ],
        public: Vec::new(),
        said: Some(
            "auditor.pub, for countersign pack --auditor; auditor.key opens what the guest says about itself",
        ),
    })
}

/// Makes a folder for its owner alone, or takes an empty one.
fn make(folder: &Path) -> Result<()> {
    use std::os::unix::fs::DirBuilderExt;
    match std::fs::DirBuilder::new().mode(0o700).create(folder) {
        Ok(()) => Ok(()),
        Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => {
            let mut entries = std::fs::read_dir(folder).with_context(|| folder.display().to_string())?;
            match entries.next() {
                None => Ok(()),
                Some(_) => bail!("{}: expected no such folder, or an empty one", folder.display()),
            }
        }
        Err(error) => Err(error).with_context(|| folder.display().to_string()),
    }
}

/// 24 random bytes as 32 letters, digits, `-` and `_`.
fn seed() -> Result<Zeroizing<String>> {
    let mut bytes = Zeroizing::new([0; 24]);
    openssl::rand::rand_bytes(bytes.as_mut())?;
    Ok(Zeroizing::new(URL_SAFE_NO_PAD.encode(bytes.as_ref())))
}

fn encoded(pem: &[u8]) -> Zeroizing<String> {
    Zeroizing::new(STANDARD.encode(pem))
}
