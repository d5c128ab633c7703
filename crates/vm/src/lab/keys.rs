//! Keys and certificates of all parties, made afresh by the documented openssl commands.
//!
//! None is ever committed. A folder of keys can be a pool: [`Keys::make`] returns what is already there, under a file
//! lock, so that the tests of one run share the slow RSA-4096 keys also across processes.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::Command;

use nix::fcntl::{Flock, FlockArg};

use crate::error::{Error, Result};
use crate::process::{run, text, tied};
use crate::profile::HOST_SEEN_FROM_GUEST;

/// The name, beside the addresses, for which the servers' certificates are issued.
pub const SERVER_NAME: &str = "log.countersign.test";

/// A private key (PKCS#8 PEM) and its certificate (PEM).
#[derive(Debug, Clone)]
pub struct Pair {
    /// File of the private key.
    pub key: PathBuf,
    /// File of the certificate.
    pub certificate: PathBuf,
}

/// A certificate authority with a server and a client certificate that it issued.
#[derive(Debug, Clone)]
pub struct Authority {
    /// The authority itself.
    pub root: Pair,
    /// For 10.0.2.2, 127.0.0.1 and [`SERVER_NAME`].
    pub server: Pair,
    /// For the guest.
    pub client: Pair,
}

/// All keys of a world.
#[derive(Debug, Clone)]
pub struct Keys {
    /// RSA-4096, sealed in the image; its certificate is what parties encrypt to.
    pub image: Pair,
    /// The same of another image: contracts sealed to it cannot be read.
    pub other_image: Pair,
    /// RSA-4096, sealed in the image, signs its attestation records; with its certificate.
    pub attestation: Pair,
    /// RSA-4096, signs contracts. The certificate can be used as the signing key with an end date.
    pub signing: Pair,
    /// The signing key's public half, PEM.
    pub signing_public: PathBuf,
    /// Issuer for the log server and its clients.
    pub logging: Authority,
    /// An authority that nobody in the contract trusts, same names.
    pub foreign: Authority,
    /// Issuer for the registry.
    pub registry: Authority,
}

impl Keys {
    /// The keys in `folder`, made if they are not there yet; processes that ask at the same time share the work.
    ///
    /// # Errors
    /// [`Error::Io`] or [`Error::Program`].
    pub fn make(folder: &Path) -> Result<Self> {
        std::fs::create_dir_all(folder).map_err(Error::at(folder))?;
        let lock = folder.join("lock");
        let file = File::create(&lock).map_err(Error::at(&lock))?;
        // Released when dropped.
        let _held = Flock::lock(file, FlockArg::LockExclusive)
            .map_err(|(_, error)| Error::Io { place: lock.display().to_string(), source: error.into() })?;
        let keys = Self::within(folder);
        // Named after what it holds: a pool of an earlier version is made anew.
        let complete = folder.join("complete-with-attestation");
        if !complete.exists() {
            keys.generate()?;
            super::write(&complete, "")?;
        }
        Ok(keys)
    }

    fn within(folder: &Path) -> Self {
        let pair = |name: &str| Pair {
            key: folder.join(format!("{name}.key")),
            certificate: folder.join(format!("{name}.crt")),
        };
        let authority = |name: &str| Authority {
            root: pair(&format!("{name}-ca")),
            server: pair(&format!("{name}-server")),
            client: pair(&format!("{name}-client")),
        };
        Self {
            image: pair("image"),
            other_image: pair("other-image"),
            attestation: pair("attestation"),
            signing: pair("signing"),
            signing_public: folder.join("signing.pub"),
            logging: authority("logging"),
            foreign: authority("foreign"),
            registry: authority("registry"),
        }
    }

    fn generate(&self) -> Result<()> {
        let large = [&self.image, &self.other_image, &self.attestation, &self.signing];
        let authorities = [&self.logging, &self.foreign, &self.registry];
        std::thread::scope(|scope| {
            let mut work: Vec<_> = large
                .into_iter()
                .map(|pair| scope.spawn(|| self_signed(pair, 4096, "Contract Encryption", &[])))
                .collect();
            work.extend(authorities.into_iter().map(|authority| scope.spawn(|| issue_all(authority))));
            work.into_iter()
                .map(|thread| thread.join().unwrap_or_else(|_| Err(Error::format("keys", "no panic"))))
                .collect::<Result<Vec<()>>>()
        })?;
        openssl(|command| {
            command
                .args(["pkey", "-pubout", "-in"])
                .arg(&self.signing.key)
                .arg("-out")
                .arg(&self.signing_public);
        })
    }
}

/// A new pair (RSA-2048) of somebody whom few contracts know, as an auditor, in `folder`.
///
/// # Errors
/// [`Error::Io`] or [`Error::Program`].
pub fn pair(folder: &Path, name: &str) -> Result<Pair> {
    let folder = super::make_folder(folder.to_owned())?;
    let pair =
        Pair { key: folder.join(format!("{name}.key")), certificate: folder.join(format!("{name}.crt")) };
    self_signed(&pair, 2048, name, &[])?;
    Ok(pair)
}

/// A file in `folder` with the form of an RSA public key (PEM) to which nothing can be encrypted: its modulus is even.
///
/// # Errors
/// [`Error::Io`] or [`Error::Program`].
pub fn unusable(folder: &Path) -> Result<PathBuf> {
    let folder = super::make_folder(folder.to_owned())?;
    let mut command = tied("openssl");
    command.args(["rand", "-hex", "255"]);
    let modulus = text(command, b"")?;
    let form = format!(
        "asn1=SEQUENCE:key\n[key]\nalgorithm=SEQUENCE:algorithm\nnumbers=BITWRAP,SEQUENCE:numbers\n\
         [algorithm]\nname=OID:rsaEncryption\nnothing=NULL\n\
         [numbers]\nmodulus=INTEGER:0xC0{modulus}00\nexponent=INTEGER:65537\n"
    );
    let form = super::write(&folder.join("unusable.form"), form)?;
    let [encoded, key] = ["unusable.der", "unusable.pub"].map(|name| folder.join(name));
    openssl(|command| {
        command.args(["asn1parse", "-noout", "-genconf"]).arg(&form).arg("-out").arg(&encoded);
    })?;
    openssl(|command| {
        command.args(["pkey", "-pubin", "-inform", "DER", "-in"]).arg(&encoded).arg("-out").arg(&key);
    })?;
    Ok(key)
}

fn issue_all(authority: &Authority) -> Result<()> {
    let may_issue = ["basicConstraints=critical,CA:TRUE", "keyUsage=critical,keyCertSign,cRLSign"];
    self_signed(&authority.root, 2048, "Certificate Authority", &may_issue)?;
    let names =
        format!("subjectAltName=IP:{HOST_SEEN_FROM_GUEST},IP:127.0.0.1,DNS:{SERVER_NAME},DNS:localhost");
    issue(
        &authority.root,
        &authority.server,
        SERVER_NAME,
        &format!("{names}\nextendedKeyUsage=serverAuth\n"),
    )?;
    issue(&authority.root, &authority.client, "guest", "extendedKeyUsage=clientAuth\n")
}

/// A new RSA key; `genpkey` writes PKCS#8.
fn new_key(path: &Path, bits: u32) -> Result<()> {
    openssl(|command| {
        command.args(["genpkey", "-algorithm", "RSA", "-pkeyopt", &format!("rsa_keygen_bits:{bits}")]);
        command.arg("-out").arg(path);
    })
}

fn self_signed(pair: &Pair, bits: u32, name: &str, extensions: &[&str]) -> Result<()> {
    new_key(&pair.key, bits)?;
    openssl(|command| {
        command.args(["req", "-x509", "-new", "-sha256", "-days", "30", "-subj", &format!("/CN={name}")]);
        for extension in extensions {
            command.args(["-addext", extension]);
        }
        command.arg("-key").arg(&pair.key).arg("-out").arg(&pair.certificate);
    })
}

fn issue(issuer: &Pair, pair: &Pair, name: &str, extensions: &str) -> Result<()> {
    new_key(&pair.key, 2048)?;
    let request = pair.certificate.with_extension("csr");
    openssl(|command| {
        command.args(["req", "-new", "-sha256", "-subj", &format!("/CN={name}")]);
        command.arg("-key").arg(&pair.key).arg("-out").arg(&request);
    })?;
    let file = super::write(&pair.certificate.with_extension("ext"), extensions)?;
    openssl(|command| {
        command.args(["x509", "-req", "-sha256", "-days", "30", "-in"]).arg(&request);
        command.arg("-CA").arg(&issuer.certificate).arg("-CAkey").arg(&issuer.key).arg("-extfile").arg(&file);
        // A random serial number: a counter file would be shared between certificates made side by side.
        command.arg("-CAcreateserial").arg("-CAserial").arg(pair.certificate.with_extension("srl"));
        command.arg("-out").arg(&pair.certificate);
    })
}

fn openssl(arguments: impl FnOnce(&mut Command)) -> Result<()> {
    let mut command = tied("openssl");
    arguments(&mut command);
    run(command, b"").map(drop)
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use std::sync::{Arc, Mutex, Weak};

    /// The keys of this crate's tests, shared while any of them runs.
    pub(crate) fn shared() -> Arc<(tempfile::TempDir, Keys)> {
        static POOL: Mutex<Weak<(tempfile::TempDir, Keys)>> = Mutex::new(Weak::new());
        let mut pool = POOL.lock().unwrap();
        pool.upgrade().unwrap_or_else(|| {
            let folder = tempfile::tempdir().unwrap();
            let keys = Keys::make(folder.path()).unwrap();
            let made = Arc::new((folder, keys));
            *pool = Arc::downgrade(&made);
            made
        })
    }

    fn verify(root: &Pair, leaf: &Pair, purpose: &str) -> Result<String> {
        let mut command = tied("openssl");
        command.args(["verify", "-x509_strict", "-purpose", purpose, "-CAfile"]);
        command.arg(&root.certificate).arg(&leaf.certificate);
        text(command, b"")
    }

    #[test]
    fn certificates_are_issued_for_their_purpose_and_by_their_authority() {
        let made = shared();
        let keys = &made.1;
        verify(&keys.logging.root, &keys.logging.server, "sslserver").unwrap();
        verify(&keys.logging.root, &keys.logging.client, "sslclient").unwrap();
        verify(&keys.logging.root, &keys.logging.client, "sslserver").unwrap_err();
        verify(&keys.logging.root, &keys.foreign.server, "sslserver").unwrap_err();
        let mut command = tied("openssl");
        command.args(["x509", "-noout", "-checkip", HOST_SEEN_FROM_GUEST, "-in"]);
        command.arg(&keys.logging.server.certificate);
        assert!(text(command, b"").unwrap().ends_with("does match certificate"));
        let key = std::fs::read_to_string(&keys.logging.client.key).unwrap();
        assert!(key.starts_with("-----BEGIN PRIVATE KEY-----"), "not PKCS#8");
    }

    #[test]
    fn nothing_can_be_encrypted_to_the_unusable_key() {
        let folder = tempfile::tempdir().unwrap();
        let encrypt = |key: &Path| {
            let mut command = tied("openssl");
            command.args(["pkeyutl", "-encrypt", "-pubin", "-inkey"]).arg(key);
            run(command, b"words")
        };
        encrypt(&shared().1.signing_public).unwrap();
        encrypt(&unusable(folder.path()).unwrap()).unwrap_err();
    }

    #[test]
    fn a_pool_is_made_once() {
        let made = shared();
        let before = std::fs::read(&made.1.image.key).unwrap();
        let again = Keys::make(made.0.path()).unwrap();
        assert_eq!(std::fs::read(again.image.key).unwrap(), before);
    }
}
