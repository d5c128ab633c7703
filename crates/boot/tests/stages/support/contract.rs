//! A contract and the disk it comes on, made by the steps that the parties do by hand (`qemu/party`).
//!
//! The sections are templates: a test changes the text of a good contract. What was made for the same inputs once is
//! not made again in the same run.

use std::collections::HashMap;
use std::fs;
use std::sync::Mutex;

use tempfile::TempDir;

use super::keys::{keys, party, run};

/// An image name with a digest; nothing is ever pulled here.
pub(crate) const IMAGE: &str =
    "registry.example.org:5000/web@sha256:9fcf739803e0dcce2e2351e797b875fa51049ffd66843242cfae973fd2376e4a";
/// The deployer's seed of the volume `data`.
pub(crate) const DEPLOYER_SEED: &str = "canary-deployer-Seed-1.";
/// The workload's seed of the volume `data`.
pub(crate) const WORKLOAD_SEED: &str = "canary-workload-Seed-1.";
/// Values that only the workload's containers may see.
pub(crate) const ENV_VALUE: &str = "canary-value-of-env";
/// The same from the workload section.
pub(crate) const WORKLOAD_VALUE: &str = "canary-value-of-workload";
/// Where the volume `data` is mounted.
pub(crate) const MOUNT: &str = "/mnt/data";
/// Password of the registry.
pub(crate) const PASSWORD: &str = "canary-password";
/// API key for IBM Cloud Logs.
pub(crate) const API_KEY: &str = "canary+api/key";

/// Which sections are sealed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Sealed {
    Both,
    EnvOnly,
    WorkloadOnly,
    No,
}

/// What goes onto the contract disk.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct Contract {
    /// YAML of the sections; `@name@` stands for base64 of a PEM file of [`keys`].
    pub workload: String,
    pub env: String,
    /// The archive's files.
    pub archive: Vec<(String, String)>,
    pub sealed: Sealed,
    /// Sections whose token is a `countersign-v1`, made by the second maker of those.
    pub authenticated: &'static [&'static str],
    /// The certificate that the sections are sealed to.
    pub image: &'static str,
    /// The key that signs, if any does.
    pub signer: Option<&'static str>,
    /// `user-data` instead of what all the above gives.
    pub user_data: Option<Vec<u8>>,
    /// Changes of `user-data` after it was signed.
    pub altered: Vec<(String, String)>,
    pub meta_data: String,
    pub network_config: Option<String>,
}

impl Contract {
    /// A good contract with one volume, sealed and signed, with everything that a guest acts on.
    pub(crate) fn good() -> Contract {
        let workload = format!(
            "type: workload
compose:
  archive: @archive@
auths:
  registry.example.org:5000:
    username: reader
    password: {PASSWORD}
env:
  FROM_WORKLOAD: {WORKLOAD_VALUE}
volumes:
  data:
    mount: {MOUNT}
    seed: {WORKLOAD_SEED}
"
        );
        let env = format!(
            "type: env
logging:
  syslog:
    hostname: logs.example.org
    port: 6514
    server: @ca.crt@
    cert: @client.crt@
    key: @client.key@
cacerts:
- certificate: @registry.crt@
env:
  FROM_ENV: {ENV_VALUE}
signingKey: @signer.pub@
volumes:
  data:
    seed: {DEPLOYER_SEED}
"
        );
        let compose = format!("services:\n  web:\n    image: {IMAGE}\n");
        Contract {
            workload,
            env,
            archive: vec![
                ("compose.yaml".into(), compose),
                (".env".into(), "OWN=1\n".into()),
                ("site/index.html".into(), "hello\n".into()),
            ],
            sealed: Sealed::Both,
            authenticated: &[],
            image: "image.crt",
            signer: Some("signer.key"),
            user_data: None,
            altered: Vec::new(),
            meta_data: "instance-id: guest-1\nlocal-hostname: guest\n".into(),
            network_config: None,
        }
    }

    /// The syslog server gets no certificate of the guest.
    pub(crate) fn without_client_certificate(self) -> Contract {
        self.with("    cert: @client.crt@\n", "").with("    key: @client.key@\n", "")
    }

    /// With IBM Cloud Logs instead of a syslog server.
    pub(crate) fn with_log_router(mut self) -> Contract {
        let begin = self.env.find("  syslog:").unwrap();
        let end = self.env.find("cacerts:").unwrap();
        let router = format!(
            "  logRouter:\n    hostname: logs.example.org\n    iamApiKey: {API_KEY}\n    tags: [blue]\n"
        );
        self.env.replace_range(begin..end, &router);
        self
    }

    /// With both sections in tokens that cannot be altered.
    pub(crate) fn authenticated(self) -> Contract {
        Contract { authenticated: &["workload", "env"], ..self }
    }

    /// Without signature and signing key.
    pub(crate) fn unsigned(mut self) -> Contract {
        self.signer = None;
        self.env = self.env.replace("signingKey: @signer.pub@\n", "");
        self
    }

    /// Replaces a text that stands once in one of the sections.
    pub(crate) fn with(mut self, old: &str, new: &str) -> Contract {
        let found = self.workload.matches(old).count() + self.env.matches(old).count();
        assert_eq!(found, 1, "{old:?} stands {found} times in the sections");
        self.workload = self.workload.replace(old, new);
        self.env = self.env.replace(old, new);
        self
    }

    /// Lines at the end of the workload section.
    pub(crate) fn with_workload(mut self, lines: &str) -> Contract {
        self.workload.push_str(lines);
        self
    }

    /// Lines at the end of the env section.
    pub(crate) fn with_env(mut self, lines: &str) -> Contract {
        self.env.push_str(lines);
        self
    }

    /// A file of the archive, put there or replaced.
    pub(crate) fn with_file(mut self, path: &str, content: &str) -> Contract {
        self.archive.retain(|(other, _)| other != path);
        self.archive.push((path.into(), content.into()));
        self
    }

    /// Another compose file.
    pub(crate) fn with_compose(self, content: &str) -> Contract {
        self.with_file("compose.yaml", content)
    }

    /// Pods instead of a compose file: one of this text at the top of the archive, and what stands beside the archive.
    pub(crate) fn with_pods(mut self, pods: &str, beside: &str) -> Contract {
        let play = format!("play:\n{beside}  archive: @archive@\n");
        self.workload = self.workload.replace("compose:\n  archive: @archive@\n", &play);
        self.archive.retain(|(path, _)| path != "compose.yaml" && path != ".env");
        self.with_file("pods.yaml", pods)
    }

    /// These bytes as `user-data`.
    pub(crate) fn raw(bytes: impl Into<Vec<u8>>) -> Contract {
        Contract { user_data: Some(bytes.into()), ..Contract::good() }
    }

    /// The files of the disk and the disk.
    pub(crate) fn medium(&self) -> Medium {
        static MADE: Mutex<Option<HashMap<Contract, Medium>>> = Mutex::new(None);
        let key = self.clone();
        // Made outside the lock: a test whose contract cannot be made fails alone.
        let known = MADE.lock().unwrap().get_or_insert_default().get(&key).cloned();
        known.unwrap_or_else(|| {
            let medium = self.make();
            // Two tests may have made the same contract side by side; the first one counts, for both.
            MADE.lock().unwrap().get_or_insert_default().entry(key).or_insert(medium).clone()
        })
    }

    fn make(&self) -> Medium {
        if !self.altered.is_empty() {
            return self.alter();
        }
        let folder = tempfile::tempdir().unwrap();
        let workload = self.section(
            &folder,
            "workload",
            &self.workload,
            matches!(self.sealed, Sealed::Both | Sealed::WorkloadOnly),
        );
        let env =
            self.section(&folder, "env", &self.env, matches!(self.sealed, Sealed::Both | Sealed::EnvOnly));
        let signature = self.signer.map(|key| {
            run(party("sign")
                .arg(keys().path(key))
                .args([folder.path().join("workload"), folder.path().join("env")]))
        });
        let user_data = self.user_data.clone().unwrap_or_else(|| {
            let mut text = entry("workload", &workload) + &entry("env", &env);
            if let Some(signature) = signature {
                text.push_str(&format!("envWorkloadSignature: {signature}\n"));
            }
            text.into_bytes()
        });
        let mut files = vec![
            ("user-data", user_data),
            ("meta-data", self.meta_data.clone().into_bytes()),
            ("vendor-data", b"#cloud-config\n".to_vec()),
        ];
        if let Some(text) = &self.network_config {
            files.push(("network-config", text.clone().into_bytes()));
        }
        Medium::make(files)
    }

    /// The disk of the contract as it was made, with other text in `user-data`.
    fn alter(&self) -> Medium {
        let Medium { mut files, .. } = Contract { altered: Vec::new(), ..self.clone() }.medium();
        let mut text = String::from_utf8(files[0].1.clone()).unwrap();
        for (old, new) in &self.altered {
            assert!(text.contains(old), "{old:?} is not in the contract");
            text = text.replacen(old, new, 1);
        }
        files[0].1 = text.into_bytes();
        Medium::make(files)
    }

    /// The string of a section as it stands in the contract, which is left in a file as well.
    fn section(&self, folder: &TempDir, name: &str, text: &str, sealed: bool) -> String {
        let path = folder.path().join(name);
        let mut text = text.to_owned();
        if text.contains("@archive@") {
            text = text.replace("@archive@", &self.pack());
        }
        for file in [
            "ca.crt",
            "client.crt",
            "client.key",
            "registry.crt",
            "signer.pub",
            "signer.crt",
            "other-signer.pub",
            "elliptic.pub",
            "small.pub",
            "small.crt",
        ] {
            text = text.replace(&format!("@{file}@"), &keys().base64(file));
        }
        if sealed {
            let plain = folder.path().join(format!("{name}.yaml"));
            fs::write(&plain, &text).unwrap();
            let certificate = keys().path(self.image);
            text = if self.authenticated.contains(&name) {
                run(party("seal-v1").arg(name).arg(plain).arg(certificate))
            } else {
                run(party("seal").arg(plain).arg(certificate))
            };
        }
        fs::write(path, &text).unwrap();
        text
    }

    /// The archive in base64.
    fn pack(&self) -> String {
        let folder = tempfile::tempdir().unwrap();
        for (path, content) in &self.archive {
            let path = folder.path().join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, content).unwrap();
        }
        run(party("archive").arg(folder.path()))
    }
}

/// A contract of these two strings with a signature over them.
pub(crate) fn signed(workload: &str, env: &str) -> Contract {
    let folder = tempfile::tempdir().unwrap();
    for (name, text) in [("workload", workload), ("env", env)] {
        fs::write(folder.path().join(name), text).unwrap();
    }
    let paths = ["workload", "env"].map(|name| folder.path().join(name));
    let signature = run(party("sign").arg(keys().path("signer.key")).args(paths));
    Contract::raw(format!("workload: {workload}\nenv: {env}\nenvWorkloadSignature: {signature}\n"))
}

/// The contract disk.
#[derive(Debug, Clone)]
pub(crate) struct Medium {
    /// Its files by name.
    pub files: Vec<(&'static str, Vec<u8>)>,
    /// All its bytes.
    pub image: Vec<u8>,
}

impl Medium {
    /// A disk with these files, made by genisoimage; those that have to be there are empty if they are not given.
    pub(crate) fn make(files: Vec<(&'static str, Vec<u8>)>) -> Medium {
        let folder = tempfile::tempdir().unwrap();
        for name in ["user-data", "meta-data", "vendor-data"] {
            fs::write(folder.path().join(name), b"").unwrap();
        }
        for (name, content) in &files {
            fs::write(folder.path().join(name), content).unwrap();
        }
        let image = folder.path().join("image");
        run(party("medium").arg(&image).arg(folder.path()));
        Medium { files, image: fs::read(image).unwrap() }
    }
}

/// A section in the contract: a token on one line, readable text as a block.
fn entry(name: &str, text: &str) -> String {
    if !text.contains('\n') {
        return format!("{name}: {text}\n");
    }
    let indented: String = text.lines().map(|line| format!("  {line}\n")).collect();
    format!("{name}: |\n{indented}")
}
