//! `new`: a folder to start from. Everything in it is accepted by `check`.
//!
//! The texts are templates beside this file, the keys and certificates are fresh ([`keys`]). Nothing that exists is
//! overwritten.

pub(crate) mod keys;

use std::io::Write;
use std::path::Path;

use anyhow::{Context, Result, bail};
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use zeroize::Zeroizing;

use crate::answer::Answer;
use crate::arguments::New;
use crate::files;
use keys::Pair;

const WORKLOAD: &str = include_str!("workload.yaml");
const ENV: &str = include_str!("env.yaml");
const COMPOSE: &str = include_str!("compose.yaml");

pub(crate) fn run(options: &New, out: &mut dyn Write) -> Result<Answer> {
    let folder = options.folder.as_path();
    let host = options.log_server.as_str();
    let plain = |letter: char| letter.is_ascii_alphanumeric() || letter == '.' || letter == '-';
    if host.is_empty() || host.len() > 253 || !host.chars().all(plain) {
        bail!("--log-server: expected a host name");
    }
    make(folder)?;
    make(&folder.join("compose"))?;
    make(&folder.join("log-server"))?;
    let authority = Pair::authority("log authority")?;
    let server = authority.issue(host, Some(host))?;
    let client = authority.issue("log client", None)?;
    let signer = Pair::signer()?;
    let fill = |text: &str| -> Result<Zeroizing<String>> {
        let mut filled = Zeroizing::new(text.replace("@log-server@", host));
        for (name, value) in [
            ("@seed@", seed()?),
            ("@authority@", encoded(authority.certificate())),
            ("@client@", encoded(client.certificate())),
            ("@client-key@", encoded(&client.key_pem()?)),
            ("@signing-key@", encoded(signer.public())),
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
    for (name, content) in [
        ("compose/compose.yaml", COMPOSE.as_bytes()),
        ("log-server/server.crt", server.certificate()),
        ("log-server/ca.crt", authority.certificate()),
    ] {
        files::create(&folder.join(name), 0o644, content)?;
    }
    writeln!(
        out,
        "{0}: workload.yaml, env.yaml, compose/compose.yaml\n\
         {0}: signing.key, for countersign pack\n\
         {0}: log-server/, certificates for a log server to try it with\n\
         next: edit them, then countersign check {0}",
        crate::answer::tame(&folder.display().to_string())
    )?;
    Ok(Answer::Yes)
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
