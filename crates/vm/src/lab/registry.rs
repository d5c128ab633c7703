//! A real container registry on 127.0.0.1 with TLS and a password, as a private registry of a workload provider.
//!
//! The port is chosen by the system and learnt from the registry's own log; storage is a folder of the world.

use std::fs::File;
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::mpsc;
use std::time::Duration;

use super::contract::Credentials;
use super::keys::Authority;
use super::{make_folder, read_text, write};
use crate::error::{Error, Result};
use crate::process::{Service, run, text, tied};
use crate::profile::HOST_SEEN_FROM_GUEST;

/// How long the registry may take to listen.
const START: Duration = Duration::from_secs(30);

/// What it is started with, in its folder.
const CONFIGURATION: &str = "registry.yaml";

/// A running registry; it ends when dropped.
#[derive(Debug)]
pub struct Registry {
    // Held for its drop; none while the registry is away.
    service: Option<Service>,
    folder: PathBuf,
    port: u16,
    authority: PathBuf,
    credentials: Credentials,
}

impl Registry {
    /// Starts a registry that admits `credentials` only.
    ///
    /// # Errors
    /// [`Error::Io`], [`Error::Program`], or [`Error::Ended`] when it does not come to listen.
    pub fn start(folder: &Path, authority: &Authority, credentials: Credentials) -> Result<Self> {
        let folder = make_folder(folder.to_owned())?;
        let mut command = tied("htpasswd");
        command.args(["-i", "-n", "-B", "-C", "5", &credentials.username]);
        let entry = text(command, credentials.password.as_bytes())?;
        write(&folder.join("htpasswd"), format!("{entry}\n"))?;
        let conf = write(&folder.join(CONFIGURATION), configuration(&folder, authority))?;
        let (service, port) = serve(&folder, &conf)?;
        // Where it comes back.
        write(&conf, read_text(&conf)?.replace("127.0.0.1:0\n", &format!("127.0.0.1:{port}\n")))?;
        let authority = authority.root.certificate.clone();
        Ok(Self { service: Some(service), folder, port, authority, credentials })
    }

    /// Ends the registry: nobody listens at its address until it [comes back](Self::come_back).
    pub fn go_away(&mut self) {
        self.service = None;
    }

    /// Starts the registry again, at the same address and with what it had.
    ///
    /// # Errors
    /// As [`Registry::start`].
    pub fn come_back(&mut self) -> Result<()> {
        let (service, _) = serve(&self.folder, &self.folder.join(CONFIGURATION))?;
        self.service = Some(service);
        Ok(())
    }

    /// Its address for programs of this machine.
    #[must_use]
    pub fn local_address(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }

    /// Its address for the guest.
    #[must_use]
    pub fn guest_address(&self) -> String {
        format!("{HOST_SEEN_FROM_GUEST}:{}", self.port)
    }

    /// Path of its authority's certificate.
    #[must_use]
    pub fn authority(&self) -> &Path {
        &self.authority
    }

    /// Who may use it.
    #[must_use]
    pub fn credentials(&self) -> &Credentials {
        &self.credentials
    }

    /// Copies the image `latest` of an OCI layout to repository `name` and returns its digest, `sha256:…`.
    ///
    /// # Errors
    /// [`Error::Program`] or [`Error::Io`].
    pub fn push(&self, layout: &Path, name: &str) -> Result<String> {
        self.push_as(layout, "latest", &format!("{name}:latest"))
    }

    /// Copies what has this reference in an OCI layout, an index with all its images, to `name:tag`, and returns its digest.
    ///
    /// # Errors
    /// [`Error::Program`] or [`Error::Io`].
    pub fn push_as(&self, layout: &Path, reference: &str, name: &str) -> Result<String> {
        let trusted = make_folder(self.folder.join("trusted"))?;
        std::fs::copy(&self.authority, trusted.join("ca.crt")).map_err(Error::at(&self.authority))?;
        let digest = self.folder.join("digest");
        let mut command = tied("skopeo");
        // The policy of this machine is about its own images.
        command.args(["--insecure-policy", "copy", "--all", "--quiet", "--dest-creds"]);
        command.arg(format!("{}:{}", self.credentials.username, self.credentials.password));
        command.arg("--dest-cert-dir").arg(trusted).arg("--digestfile").arg(&digest);
        command.arg(format!("oci:{}:{reference}", layout.display()));
        command.arg(format!("docker://{}/{name}", self.local_address()));
        run(command, b"")?;
        Ok(read_text(&digest)?.trim().to_owned())
    }
}

/// Starts the program, and learns from its log where it listens.
fn serve(folder: &Path, conf: &Path) -> Result<(Service, u16)> {
    let mut command = tied("docker-registry");
    command.arg("serve").arg(conf).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped());
    let mut service = Service::start(command)?;
    let path = folder.join("registry.log");
    let mut log = File::options().append(true).create(true).open(&path).map_err(Error::at(&path))?;
    let (sender, port) = mpsc::channel();
    let stderr = service.child().stderr.take();
    std::thread::spawn(move || {
        for line in stderr.into_iter().flat_map(|stream| BufReader::new(stream).lines()).map_while(|l| l.ok())
        {
            // A log that cannot be written does not stop the registry.
            let _ = writeln!(log, "{line}");
            if let Some(port) = listening(&line) {
                let _ = sender.send(port);
            }
        }
    });
    let port = port.recv_timeout(START).map_err(|_| {
        let log = read_text(&path).unwrap_or_default();
        let status = service.ended().map_or_else(|| "still running".into(), |status| status.to_string());
        let last = log.lines().rev().take(5).map(str::to_owned).collect();
        Error::Ended { what: "port of the registry".into(), status, last }
    })?;
    Ok((service, port))
}

/// The port in the line that says that the registry listens.
fn listening(line: &str) -> Option<u16> {
    let (_, rest) = line.split_once("listening on 127.0.0.1:")?;
    rest.split_once(',')?.0.parse().ok()
}

fn configuration(folder: &Path, authority: &Authority) -> String {
    format!(
        "version: 0.1\n\
         log:\n  level: info\n  formatter: text\n  accesslog:\n    disabled: true\n\
         storage:\n  filesystem:\n    rootdirectory: {folder}/storage\n\
         auth:\n  htpasswd:\n    realm: countersign\n    path: {folder}/htpasswd\n\
         http:\n  addr: 127.0.0.1:0\n  secret: not-used-by-a-single-registry\n  \
         tls:\n    certificate: {}\n    key: {}\n",
        authority.server.certificate.display(),
        authority.server.key.display(),
        folder = folder.display()
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lab::image;
    use crate::lab::keys::tests::shared;

    fn start(folder: &Path) -> Registry {
        let credentials = Credentials { username: "reader".into(), password: "pass-0123456789".into() };
        Registry::start(folder, &shared().1.registry, credentials).unwrap()
    }

    fn inspect(registry: &Registry, reference: &str, credentials: &str) -> Result<serde_json::Value> {
        let mut command = tied("skopeo");
        command.args(["inspect", "--override-arch", "s390x", "--creds", credentials, "--cert-dir"]);
        command.arg(registry.folder.join("trusted"));
        command.arg(format!("docker://{}/{reference}", registry.local_address()));
        Ok(serde_json::from_str(&text(command, b"")?).unwrap())
    }

    #[test]
    fn an_image_is_served_by_digest_to_who_knows_the_password() {
        let made = shared();
        let folder = tempfile::tempdir().unwrap();
        let binary = write(&folder.path().join("busybox"), "not really").unwrap();
        let registry = start(&folder.path().join("registry"));
        let layout = image::layout(&binary, &folder.path().join("image")).unwrap();
        let digest = registry.push(&layout, "countersign/hello").unwrap();
        // The digest is the one of the layout's own manifest: nothing was converted on the way.
        let index: serde_json::Value =
            serde_json::from_str(&read_text(&layout.join("index.json")).unwrap()).unwrap();
        assert_eq!(index["manifests"][0]["digest"], digest.as_str());
        let by_digest = format!("countersign/hello@{digest}");
        let seen = inspect(&registry, &by_digest, "reader:pass-0123456789").unwrap();
        assert_eq!((seen["Architecture"].as_str(), seen["Os"].as_str()), (Some("s390x"), Some("linux")));
        let error = inspect(&registry, &by_digest, "reader:other").unwrap_err().to_string();
        assert!(error.contains("unauthorized") || error.contains("authentication required"), "{error}");
        drop(made);
    }

    #[test]
    fn the_same_inputs_give_the_same_image() {
        let folder = tempfile::tempdir().unwrap();
        let binary = write(&folder.path().join("busybox"), "not really").unwrap();
        let [first, second] =
            ["a", "b"].map(|name| image::layout(&binary, &folder.path().join(name)).unwrap());
        let index = |layout: &Path| read_text(&layout.join("index.json")).unwrap();
        assert_eq!(index(&first), index(&second));
    }

    #[test]
    fn one_that_was_away_comes_back_with_what_it_had() {
        let _made = shared();
        let folder = tempfile::tempdir().unwrap();
        let binary = write(&folder.path().join("busybox"), "not really").unwrap();
        let mut registry = start(&folder.path().join("registry"));
        let layout = image::layout(&binary, &folder.path().join("image")).unwrap();
        let digest = registry.push(&layout, "countersign/hello").unwrap();
        let by_digest = format!("countersign/hello@{digest}");
        let address = registry.local_address();
        registry.go_away();
        assert!(std::net::TcpStream::connect(&address).is_err());
        registry.come_back().unwrap();
        assert_eq!(registry.local_address(), address);
        inspect(&registry, &by_digest, "reader:pass-0123456789").unwrap();
    }

    #[test]
    fn two_registries_do_not_collide() {
        let folder = tempfile::tempdir().unwrap();
        let _pool = shared();
        let (first, second) = (start(&folder.path().join("a")), start(&folder.path().join("b")));
        assert_ne!(first.local_address(), second.local_address());
    }
}
