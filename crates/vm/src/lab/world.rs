//! A fresh world: keys, log server, registry with the demo's image, a contract for them, and disks.
//!
//! One world serves several boots. Every test starts from [`World::contract`], which boots, and changes what it is
//! about; that is the only difference to a boot that must succeed.

use std::path::{Path, PathBuf};

use clap::Args;
use serde::Deserialize;
use tempfile::TempDir;

use super::canary::Canaries;
use super::cloud_logs::CloudLogs;
use super::contract::{
    self, Contract, Credentials, Delivery, LogRouter, Logging, Medium, Passphrase, Sealing, Signature, Texts,
    Volume,
};
use super::keys::{Keys, Pair};
use super::registry::Registry;
use super::syslog::Syslog;
use super::{disk, image, make_folder, read_text, write};
use crate::arguments::{Drive, Run};
use crate::error::{Error, Result, require};
use crate::process::{run, text, tied};
use crate::profile::{HOST_SEEN_FROM_GUEST, checkout};

/// Key of the contract's volume, and serial number of its disk.
pub const VOLUME: &str = "data";

/// Host name of the guest in meta-data.
pub const HOST_NAME: &str = "countersign-guest";

/// Size of a data disk, in bytes; it takes space only where it is written.
pub const DATA_DISK: u64 = 2 << 30;

/// Size of the scratch disk, in bytes.
pub const SCRATCH_DISK: u64 = 2 << 30;

/// What has to be built before anything can boot.
#[derive(Debug, Clone, Args)]
pub struct Artifacts {
    /// Kernel image for s390x
    #[arg(long)]
    pub kernel: PathBuf,
    /// Initramfs without the image key
    #[arg(long)]
    pub initramfs: PathBuf,
    /// Guest OS image: file system and hash tree
    #[arg(long)]
    pub os: PathBuf,
    /// Manifest of the guest OS (image.json)
    #[arg(long)]
    pub manifest: PathBuf,
    /// Build manifest, to be sealed in; none for an image that was changed after it was written
    #[arg(long)]
    pub build_manifest: Option<PathBuf>,
    /// Static busybox for s390x, the workload's container
    #[arg(long)]
    pub busybox: PathBuf,
}

impl Artifacts {
    /// Reports everything that is absent, together.
    ///
    /// # Errors
    /// [`Error::Missing`].
    pub fn require(&self) -> Result<()> {
        require([
            ("kernel", self.kernel.as_path()),
            ("initramfs", &self.initramfs),
            ("guest OS", &self.os),
            ("image manifest", &self.manifest),
            ("busybox for s390x", &self.busybox),
        ])
    }
}

/// The part of `image.json` that says which disk is which.
#[derive(Deserialize)]
struct Manifest {
    root: Disk,
    scratch: Disk,
}

#[derive(Deserialize)]
struct Disk {
    serial: String,
}

/// Everything around a guest. Servers end and files go when it is dropped.
#[derive(Debug)]
pub struct World {
    /// Keys of all parties.
    pub keys: Keys,
    /// The log server of the contract.
    pub syslog: Syslog,
    /// The registry of the contract.
    pub registry: Registry,
    /// Secrets that must show up nowhere.
    pub canaries: Canaries,
    contract: Contract,
    artifacts: Artifacts,
    folder: TempDir,
}

impl World {
    /// Makes a world in a new folder inside `parent`. `pool` is a folder of keys to share with other worlds; without
    /// it the keys are this world's own.
    ///
    /// # Errors
    /// [`Error::Missing`] when something has not been built; otherwise as its parts.
    pub fn create(artifacts: Artifacts, parent: &Path, pool: Option<&Path>) -> Result<Self> {
        artifacts.require()?;
        make_folder(parent.to_owned())?;
        let folder =
            tempfile::Builder::new().prefix("world-").tempdir_in(parent).map_err(Error::at(parent))?;
        let keys = Keys::make(pool.unwrap_or(&folder.path().join("keys")))?;
        let syslog = Syslog::start(&folder.path().join("syslog"), &keys.logging.server, &keys.logging)?;
        let credentials = Credentials { username: "provider".into(), password: secret()? };
        let registry = Registry::start(&folder.path().join("registry"), &keys.registry, credentials)?;
        let layout = image::layout(&artifacts.busybox, &folder.path().join("image"))?;
        let digest = registry.push(&layout, "countersign/hello")?;
        let contract = describe(&keys, &syslog, &registry, compose(folder.path(), &digest)?)?;
        let mut world =
            Self { keys, syslog, registry, canaries: Canaries::default(), contract, artifacts, folder };
        world.plant()?;
        Ok(world)
    }

    /// Where its files are.
    #[must_use]
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// The program of the demo's container.
    #[must_use]
    pub fn busybox(&self) -> &Path {
        &self.artifacts.busybox
    }

    /// Leaves the folder where it is when the world is dropped.
    pub fn keep(&mut self) {
        self.folder.disable_cleanup(true);
    }

    /// A contract that boots.
    #[must_use]
    pub fn contract(&self) -> Contract {
        self.contract.clone()
    }

    /// Both sections sealed to the image, a signature: how parties deliver by the documents. Both known prefixes, and
    /// passphrases that OpenSSL cuts at a NUL and at a line feed.
    #[must_use]
    pub fn delivery(&self) -> Delivery {
        Delivery {
            workload: Sealing::HyperProtect(Passphrase::Nul),
            env: Sealing::ContractBasic(Passphrase::LineFeed),
            certificate: self.keys.image.certificate.clone(),
            signer: self.keys.signing.key.clone(),
            signature: Signature::Valid,
            auditor: None,
            hostname: HOST_NAME.into(),
            network_config: None,
        }
    }

    /// Writes a medium named `name`; the passphrases of its tokens are planted secrets from then on.
    ///
    /// # Errors
    /// As [`contract::deliver`].
    pub fn deliver(&mut self, name: &str, texts: &Texts, delivery: &Delivery) -> Result<Medium> {
        let medium = contract::deliver(texts, delivery, &self.folder.path().join("media").join(name))?;
        for passphrase in &medium.passphrases {
            self.canaries.plant("passphrase of a token", passphrase);
        }
        Ok(medium)
    }

    /// Starts IBM Cloud Logs with its IAM, and lets the contract send its log there; the API key is a planted secret from
    /// then on.
    ///
    /// # Errors
    /// As [`CloudLogs::start`].
    pub fn with_cloud_logs(&mut self) -> Result<(CloudLogs, Contract)> {
        let api_key = format!("key+{}", secret()?);
        self.canaries.plant("api key", &api_key);
        let folder = self.folder.path().join("cloud-logs");
        let service = CloudLogs::start(&folder, &self.keys.logging.server, &api_key)?;
        let mut contract = self.contract();
        contract.log_router = Some(LogRouter {
            host: HOST_SEEN_FROM_GUEST.into(),
            port: service.port(),
            authority: contract::pem(&self.keys.logging.root.certificate)?,
            api_key,
        });
        Ok((service, contract))
    }

    /// A new, empty disk.
    ///
    /// # Errors
    /// [`Error::Io`], also when there is one of that name.
    pub fn disk(&self, name: &str, bytes: u64) -> Result<PathBuf> {
        disk::create(&make_folder(self.folder.path().join("disks"))?.join(name), bytes)
    }

    /// A run named `name` with the image key of `image` in its initramfs: guest OS, a fresh scratch disk, the
    /// contract, and the data disk if there is one.
    ///
    /// # Errors
    /// [`Error::Io`], [`Error::Program`], or [`Error::Format`] when the manifest cannot be read.
    pub fn run(&self, name: &str, image: &Pair, medium: &Medium, data: Option<&Path>) -> Result<Run> {
        let manifest: Manifest =
            serde_json::from_str(&read_text(&self.artifacts.manifest)?).map_err(|_| {
                let place = self.artifacts.manifest.display().to_string();
                Error::format(place, "an image manifest with the serial numbers of root and scratch")
            })?;
        let initramfs = make_folder(self.folder.path().join("initramfs"))?.join(name);
        let mut command = tied("bash");
        command.arg(checkout().join("initramfs/add-key")).arg(&self.artifacts.initramfs).arg(&image.key);
        command.arg(&initramfs).arg(self.image_json()?);
        command.arg(&self.keys.attestation.key).arg(&self.keys.attestation.certificate);
        command.args(&self.artifacts.build_manifest);
        run(command, b"")?;
        let scratch = self.disk(&format!("{name}-scratch"), SCRATCH_DISK)?;
        let mut drives = vec![
            Drive::read_only(&self.artifacts.os, manifest.root.serial),
            Drive::writable(scratch, manifest.scratch.serial),
            Drive::read_only(&medium.image, "cidata"),
        ];
        drives.extend(data.map(|path| Drive::writable(path, VOLUME)));
        let kernel = Some(self.artifacts.kernel.clone());
        Ok(Run { kernel, initramfs: Some(initramfs), command_line: Vec::new(), drives, link: None })
    }

    /// The image's `image.json` as an emulator needs it: where there is no Ultravisor, no other image opens a contract.
    ///
    /// # Errors
    /// [`Error::Io`], or [`Error::Format`] when it cannot be read.
    pub fn image_json(&self) -> Result<PathBuf> {
        let source = &self.artifacts.manifest;
        let failed = || Error::format(source.display().to_string(), "an image manifest");
        let mut manifest: serde_json::Map<String, serde_json::Value> =
            serde_json::from_str(&read_text(source)?).map_err(|_| failed())?;
        manifest.insert("secure-execution".to_owned(), "test".into());
        let text = serde_json::to_string(&manifest).map_err(|_| failed())?;
        write(&self.folder.path().join("image.json"), text)
    }

    fn plant(&mut self) -> Result<()> {
        let (contract, canaries) = (&self.contract, &mut self.canaries);
        for volume in contract.volumes.values() {
            canaries.plant("seed of the workload", &volume.workload_seed);
            canaries.plant("seed of the deployer", &volume.env_seed);
            canaries.plant("passphrase of a volume", contract::volume_passphrase(volume)?);
        }
        for credentials in contract.auths.values() {
            canaries.plant("password of the registry", &credentials.password);
        }
        if let Some(value) = contract.env.get("SECRET") {
            canaries.plant("environment of the contract", value);
        }
        canaries.plant_key("image key", &self.keys.image.key)?;
        canaries.plant_key("attestation key", &self.keys.attestation.key)?;
        canaries.plant_key("client key", &self.keys.logging.client.key)
    }
}

/// The compose folder with the digest put in, as an archive.
fn compose(folder: &Path, digest: &str) -> Result<String> {
    let source = checkout().join("qemu/workload/compose/docker-compose.yaml");
    let hex = digest.trim_start_matches("sha256:");
    let target = make_folder(folder.join("compose"))?;
    write(&target.join("docker-compose.yaml"), read_text(&source)?.replace("@digest@", hex))?;
    contract::archive(&target)
}

fn describe(keys: &Keys, syslog: &Syslog, registry: &Registry, archive: String) -> Result<Contract> {
    let pairs = |pairs: &[(&str, String)]| pairs.iter().map(|(k, v)| ((*k).to_owned(), v.clone())).collect();
    let volume = Volume {
        mount: "/mnt/data".into(),
        filesystem: "ext4".into(),
        workload_seed: format!("workload-{}", secret()?),
        env_seed: format!("deployer-{}", secret()?),
    };
    Ok(Contract {
        logging: Logging {
            host: HOST_SEEN_FROM_GUEST.into(),
            port: syslog.port(),
            authority: contract::pem(&keys.logging.root.certificate)?,
            certificate: contract::pem(&keys.logging.client.certificate)?,
            key: contract::pem(&keys.logging.client.key)?,
        },
        log_router: None,
        signing_key: Some(contract::pem(&keys.signing_public)?),
        registry_authority: Some(contract::pem(&keys.registry.root.certificate)?),
        env: pairs(&[
            ("GREETING", "hello from the contract".into()),
            ("PLACE", "deployer".into()),
            ("SECRET", secret()?),
        ]),
        workload_env: pairs(&[("PLACE", "workload".into()), ("REGISTRY", registry.guest_address())]),
        auths: [(registry.guest_address(), registry.credentials().clone())].into(),
        volumes: [(VOLUME.to_owned(), volume)].into(),
        archive,
    })
}

/// 32 random characters that occur nowhere else.
fn secret() -> Result<String> {
    let mut command = tied("openssl");
    command.args(["rand", "-hex", "16"]);
    text(command, b"")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lab::canary::Hit;

    fn artifacts(folder: &Path) -> Artifacts {
        let file = |name: &str, bytes: &str| write(&folder.join(name), bytes).unwrap();
        Artifacts {
            kernel: file("kernel", "kernel"),
            initramfs: file("initramfs", "base"),
            os: file("os", "os"),
            build_manifest: None,
            manifest: file("image.json", r#"{"root":{"serial":"os","x":1},"scratch":{"serial":"scratch"}}"#),
            busybox: file("busybox", "busybox"),
        }
    }

    #[test]
    fn a_world_delivers_its_contract_and_hides_its_secrets() {
        let folder = tempfile::tempdir().unwrap();
        let made = crate::lab::keys::tests::shared();
        let mut world = World::create(artifacts(folder.path()), folder.path(), Some(made.0.path())).unwrap();
        let texts = world.contract().texts();
        let delivery = world.delivery();
        let sealed = world.deliver("sealed", &texts, &delivery).unwrap();
        assert_eq!(world.canaries.search([sealed.image.as_path()]).unwrap(), []);
        let plain = Delivery { workload: Sealing::Plain, env: Sealing::Plain, ..delivery };
        let plain = world.deliver("plain", &texts, &plain).unwrap();
        let mut found: Vec<_> = world
            .canaries
            .search([plain.image.as_path()])
            .unwrap()
            .into_iter()
            .map(|Hit { name, .. }| name)
            .collect();
        found.retain(|name| !name.starts_with("client key"));
        found.sort();
        assert_eq!(
            found,
            [
                "environment of the contract",
                "password of the registry",
                "seed of the deployer",
                "seed of the workload"
            ]
        );

        let data = world.disk("data", DATA_DISK).unwrap();
        let run = world.run("boot-1", &world.keys.image, &sealed, Some(&data)).unwrap();
        let serials: Vec<_> = run.drives.iter().map(|d| (d.serial.as_str(), d.read_only)).collect();
        assert_eq!(serials, [("os", true), ("scratch", false), ("cidata", true), ("data", false)]);
        let initramfs = std::fs::read(run.initramfs.unwrap()).unwrap();
        assert!(initramfs.starts_with(b"base"));
        let said = b"\"secure-execution\":\"test\"";
        assert!(initramfs.windows(said.len()).any(|place| place == said));

        let (path, port) = (world.folder().to_owned(), world.syslog.port());
        drop(world);
        assert!(!path.exists() && std::net::TcpStream::connect(("127.0.0.1", port)).is_err());
    }

    #[test]
    fn everything_that_was_not_built_is_named_together() {
        let folder = tempfile::tempdir().unwrap();
        let artifacts =
            Artifacts { kernel: "/none/k".into(), os: "/none/o".into(), ..artifacts(folder.path()) };
        let error = World::create(artifacts, folder.path(), None).unwrap_err();
        assert_eq!(error.to_string(), "2 missing: kernel (/none/k), guest OS (/none/o)");
    }
}
