//! `receive`: finds or makes the certificates, and lets [`countersign_receiver::receive`] work.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use countersign_receiver::desk;
use countersign_receiver::listen::tls::Files;
use countersign_receiver::receive;

use crate::answer::{Answer, note};
use crate::arguments::{Receive as Options, Show};
use crate::files;
use crate::new::keys::Pair;

/// What `new` calls the folder of the log server's certificates.
const LOG_SERVER: &str = "log-server";

pub(crate) fn run(options: &Options) -> Result<Answer> {
    let folder = options.folder.as_path();
    let (certificate, key, clients) = match (&options.cert, &options.key, &options.clients) {
        (Some(certificate), Some(key), Some(clients)) => (certificate.clone(), key.clone(), clients.clone()),
        (certificate, key, clients) => {
            let made = certificates(folder, &options.host)?;
            let or = |given: &Option<PathBuf>, name| given.clone().unwrap_or_else(|| made.join(name));
            (or(certificate, "server.crt"), or(key, "server.key"), or(clients, "ca.crt"))
        }
    };
    receive::run(&receive::Options {
        records: folder.join("records"),
        listen: options.listen.clone(),
        files: Files { certificate, key, clients, revoked: options.crl.clone() },
        segment: options.rotate << 20,
        keep: options.keep.and_then(|count| usize::try_from(count).ok()),
        show: match options.show {
            Show::Guest => desk::Show::Guest,
            Show::All => desk::Show::All,
            Show::Notices => desk::Show::Notices,
        },
        web: options.web,
    })?;
    Ok(Answer::Yes)
}

/// The folder with the certificates: as `new` made it, or with fresh ones.
fn certificates(folder: &Path, host: &str) -> Result<PathBuf> {
    use std::os::unix::fs::DirBuilderExt;
    let of_new = folder.join(LOG_SERVER);
    if of_new.join("server.crt").exists() {
        return Ok(of_new);
    }
    if folder.join("server.crt").exists() {
        return Ok(folder.to_owned());
    }
    let mut maker = std::fs::DirBuilder::new();
    maker.recursive(true).mode(0o700).create(folder).with_context(|| folder.display().to_string())?;
    let authority = Pair::authority("log authority")?;
    let server = authority.issue(host, Some(host))?;
    let client = authority.issue("log client", None)?;
    for (name, key) in [("ca.key", &authority), ("server.key", &server), ("client.key", &client)] {
        files::create(&folder.join(name), 0o600, &key.key_pem()?)?;
    }
    // The server's last: a start that was cut off is made whole by hand, not half.
    for (name, pair) in [("ca.crt", &authority), ("client.crt", &client), ("server.crt", &server)] {
        files::create(&folder.join(name), 0o644, pair.certificate())?;
    }
    note(&format!(
        "{}: made ca.crt, server.crt for {host}, client.crt and client.key; put ca.crt, client.crt and client.key into the \
         contract under env.logging.syslog as server, cert and key",
        folder.display()
    ));
    Ok(folder.to_owned())
}
