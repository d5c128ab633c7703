//! Who signs images: a party with GnuPG (simple signing) or cosign, as their documents say, and the place where simple
//! signatures lie.

use std::io::{BufRead, BufReader};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use super::keys::Pair;
use super::registry::Registry;
use super::{make_folder, read_text};
use crate::error::{Error, Result};
use crate::process::{Service, run, text, tied};
use crate::profile::checkout;

/// An OpenPGP key in a keyring of its own.
#[derive(Debug)]
pub struct OpenPgp {
    home: PathBuf,
    fingerprint: String,
}

impl OpenPgp {
    /// Makes a key that is valid until `expires` (`never`, `seconds=5`).
    ///
    /// # Errors
    /// [`Error::Program`] when gpg fails.
    pub fn make(folder: &Path, expires: &str) -> Result<Self> {
        let home = make_folder(folder.to_owned())?;
        std::fs::set_permissions(&home, PermissionsExt::from_mode(0o700)).map_err(Error::at(&home))?;
        let mut made = Self { home, fingerprint: String::new() };
        let name = "image signer <signer@example.org>";
        run(made.gpg(&["--quick-generate-key", name, "rsa2048", "sign", expires]), b"")?;
        let listed = text(made.gpg(&["--with-colons", "--list-keys"]), b"")?;
        let fields = listed.lines().find_map(|line| line.strip_prefix("fpr:::::::::"));
        made.fingerprint = fields.unwrap_or_default().trim_end_matches(':').to_owned();
        Ok(made)
    }

    fn gpg(&self, arguments: &[&str]) -> Command {
        let mut command = tied("gpg");
        command.arg("--homedir").arg(&self.home).args(["--batch", "--quiet", "--pinentry-mode", "loopback"]);
        command.args(["--passphrase", ""]).args(arguments);
        command
    }

    /// The fingerprint as gpg says it.
    #[must_use]
    pub fn fingerprint(&self) -> &str {
        &self.fingerprint
    }

    /// The public key as a contract takes it: base64 of the armoured text.
    ///
    /// # Errors
    /// [`Error::Program`].
    pub fn public_key(&self) -> Result<String> {
        let armoured = run(self.gpg(&["--armor", "--export", &self.fingerprint]), b"")?;
        let mut command = tied("base64");
        command.arg("--wrap=0");
        text(command, &armoured)
    }

    /// Declares the key invalid, by the certificate that gpg made for that.
    ///
    /// # Errors
    /// [`Error::Io`] or [`Error::Program`].
    pub fn revoke(&self) -> Result<()> {
        let prepared = self.home.join(format!("openpgp-revocs.d/{}.rev", self.fingerprint));
        // A colon keeps it from being imported by mistake.
        let certificate = read_text(&prepared)?.replace(":-----BEGIN", "-----BEGIN");
        run(self.gpg(&["--import"]), certificate.as_bytes()).map(drop)
    }

    /// Signs the manifest of an image, which is pulled as `reference` (`host/path:tag`), and puts the signature below the
    /// folder where `repository@digest` looks for it.
    ///
    /// # Errors
    /// [`Error::Program`] or [`Error::Io`].
    pub fn sign(&self, manifest: &Path, reference: &str, folder: &Path, image: &Signed<'_>) -> Result<()> {
        let Signed { repository, digest } = image;
        let place = make_folder(folder.join(format!("{repository}@{}", digest.replace(':', "="))))?;
        let mut command = tied("skopeo");
        command.env("GNUPGHOME", &self.home).arg("standalone-sign").arg(manifest);
        command.args([reference, &self.fingerprint, "--output"]).arg(place.join("signature-1"));
        run(command, b"").map(drop)
    }
}

impl Drop for OpenPgp {
    fn drop(&mut self) {
        // The agent that gpg started would stay. Nobody is left to be told of an error.
        let mut command = tied("gpgconf");
        command.arg("--homedir").arg(&self.home).args(["--kill", "all"]);
        let _ = run(command, b"");
    }
}

/// An image of a registry by its manifest's digest.
#[derive(Debug, Clone, Copy)]
pub struct Signed<'s> {
    /// Path within the registry.
    pub repository: &'s str,
    /// `sha256:…`.
    pub digest: &'s str,
}

/// A pair of keys of cosign.
#[derive(Debug)]
pub struct Cosign {
    folder: PathBuf,
}

impl Cosign {
    /// Makes a pair.
    ///
    /// # Errors
    /// [`Error::Program`] when cosign fails.
    pub fn make(folder: &Path) -> Result<Self> {
        let folder = make_folder(folder.to_owned())?;
        let mut command = tied("cosign");
        command.current_dir(&folder).env("COSIGN_PASSWORD", "").arg("generate-key-pair");
        run(command, b"")?;
        Ok(Self { folder })
    }

    /// Path of the public key.
    #[must_use]
    pub fn public_key(&self) -> PathBuf {
        self.folder.join("cosign.pub")
    }

    /// Signs an image in its registry, as it is reached from this machine; of an index all that it names, where asked.
    ///
    /// # Errors
    /// [`Error::Program`] when cosign fails.
    pub fn sign(&self, registry: &Registry, image: &Signed<'_>, recursive: bool) -> Result<()> {
        let Signed { repository, digest } = image;
        let mut command = tied("cosign");
        command.current_dir(&self.folder).env("COSIGN_PASSWORD", "").env("HOME", &self.folder);
        command.env("SSL_CERT_FILE", registry.authority());
        command.args(["sign", "--yes", "--tlog-upload=false", "--key", "cosign.key"]);
        command.arg(format!("--registry-username={}", registry.credentials().username));
        command.arg(format!("--registry-password={}", registry.credentials().password));
        if recursive {
            command.arg("--recursive");
        }
        command.arg(format!("{}/{repository}@{digest}", registry.local_address()));
        run(command, b"").map(drop)
    }
}

/// A web server with TLS for a folder of signatures.
#[derive(Debug)]
pub struct Lookaside {
    // Held for its drop.
    _service: Service,
    folder: PathBuf,
    port: u16,
}

impl Lookaside {
    /// Serves a new folder with the certificate of a server.
    ///
    /// # Errors
    /// [`Error::Io`], or [`Error::Ended`] when it does not come to listen.
    pub fn start(folder: &Path, identity: &Pair) -> Result<Self> {
        let folder = make_folder(folder.to_owned())?;
        let mut command = tied("python3");
        command.arg(checkout().join("tests/lookaside.py")).arg(&folder);
        command.arg(&identity.certificate).arg(&identity.key);
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null());
        let mut service = Service::start(command)?;
        let mut line = String::new();
        if let Some(stdout) = service.child().stdout.take() {
            BufReader::new(stdout).read_line(&mut line).map_err(Error::at(&folder))?;
        }
        let port = line.trim().parse().map_err(|_| {
            let status = service.ended().map_or_else(|| "still running".into(), |status| status.to_string());
            Error::Ended { what: "port of the place with signatures".into(), status, last: vec![line] }
        })?;
        Ok(Self { _service: service, folder, port })
    }

    /// The folder that is served.
    #[must_use]
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// Its port on 127.0.0.1.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.port
    }
}
