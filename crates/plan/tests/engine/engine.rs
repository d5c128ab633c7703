//! The engine, started for the tests, and asked over its socket as the guest asks it.

use std::fs;
use std::io::{Read, Write};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

/// How long the engine may take to come up, on a machine that does other things as well.
const PATIENCE: Duration = Duration::from_secs(120);

/// An engine with one image. Its processes end with this value.
pub(crate) struct Engine {
    process: Child,
    shared: tempfile::TempDir,
    /// Holds the place where its root is mounted.
    _root: tempfile::TempDir,
    /// The image, by digest.
    pub(crate) image: String,
}

impl Engine {
    /// Starts one; where that is not possible, says what is skipped.
    pub(crate) fn start() -> Option<Engine> {
        static SAID: OnceLock<()> = OnceLock::new();
        let packages = std::env::var_os("COUNTERSIGN_PODMAN").map(PathBuf::from);
        let skipped = |why: &str| SAID.get_or_init(|| eprintln!("skipped: podman, {why}"));
        let Some(packages) = packages else {
            skipped("which COUNTERSIGN_PODMAN does not name");
            return None;
        };
        if !nix::unistd::geteuid().is_root() {
            skipped("which needs the rights of root");
            return None;
        }
        assert!(packages.join("usr/bin/podman").is_file(), "COUNTERSIGN_PODMAN names no folder with podman");
        let here = Path::new(env!("CARGO_MANIFEST_DIR"));
        let (shared, root) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let mut process = Command::new("unshare")
            .args(["--mount", "--propagation=private", "--net", "--ipc", "--uts", "--pid", "--fork"])
            .args(["--kill-child=KILL", "sh"])
            .arg(here.join("tests/engine/root.sh"))
            .arg(packages)
            .arg(here.join("../../qemu/guest/tree-podman/etc/containers"))
            .args([shared.path(), root.path()])
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .spawn()
            .expect("unshare is installed (Debian: util-linux)");
        // Nothing tells when the engine listens.
        let late = Instant::now() + PATIENCE;
        while UnixStream::connect(shared.path().join("socket")).is_err() {
            assert_eq!(process.try_wait().unwrap(), None, "the engine ended");
            assert!(Instant::now() < late, "the engine does not listen");
            std::thread::sleep(Duration::from_millis(20));
        }
        let image = fs::read_to_string(shared.path().join("image")).unwrap().trim_end().to_owned();
        Some(Engine { process, shared, _root: root, image })
    }

    /// One request of its own interface: status and JSON.
    fn ask(&self, method: &str, path: &str, body: &str) -> (u16, Value) {
        let mut stream = UnixStream::connect(self.shared.path().join("socket")).unwrap();
        // HTTP/1.0: the answer ends with the connection.
        write!(
            stream,
            "{method} /v4.0.0/libpod/{path} HTTP/1.0\r\nHost: engine\r\nContent-Type: application/json\r\n\
             Content-Length: {}\r\n\r\n{body}",
            body.len()
        )
        .unwrap();
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).unwrap();
        let end = answer.windows(4).position(|four| four == b"\r\n\r\n").unwrap();
        let status = std::str::from_utf8(&answer[..end]).unwrap().split(' ').nth(1).unwrap().parse().unwrap();
        (status, serde_json::from_slice(&answer[end + 4..]).unwrap_or(Value::Null))
    }

    /// Makes the pods of these documents: what the engine says of each container, by name, or why it makes none.
    pub(crate) fn made(&self, documents: &str) -> Result<Value, String> {
        let (status, answer) = self.ask("POST", "play/kube?build=false&start=false", documents);
        let made = match (status, &answer["message"]) {
            (200, _) => Ok(self.containers()),
            (_, message) => Err(message.as_str().unwrap_or("it says nothing").to_owned()),
        };
        self.clear();
        made
    }

    fn containers(&self) -> Value {
        let (_, list) = self.ask("GET", "containers/json?all=true", "");
        let described = list.as_array().unwrap().iter().map(|container| {
            let path = format!("containers/{}/json", container["Id"].as_str().unwrap());
            let whole = self.ask("GET", &path, "").1;
            let name = if container["IsInfra"] == true { json!("infra") } else { whole["Name"].clone() };
            (name.as_str().unwrap().to_owned(), description(&whole))
        });
        described.collect::<serde_json::Map<_, _>>().into()
    }

    /// Nothing is left for the next.
    fn clear(&self) {
        let (_, pods) = self.ask("GET", "pods/json", "");
        for pod in pods.as_array().into_iter().flatten() {
            let path = format!("pods/{}?force=true", pod["Id"].as_str().unwrap());
            assert_eq!(self.ask("DELETE", &path, "").0, 200);
        }
        assert_eq!(self.ask("POST", "volumes/prune", "").0, 200);
    }
}

impl Drop for Engine {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// What of the engine's description says how a container will run.
fn description(whole: &Value) -> Value {
    let mut kept = json!({});
    for key in ["Path", "Args", "ImageDigest", "Config", "HostConfig", "EffectiveCaps", "BoundingCaps"] {
        kept[key] = without_numbers(&whole[key]);
    }
    for key in ["Hostname", "CreateCommand", "Image"] {
        kept["Config"].as_object_mut().unwrap().remove(key);
    }
    // Those of the author's own, which no container sees.
    for section in ["Config", "HostConfig"] {
        if let Some(annotations) = kept[section]["Annotations"].as_object_mut() {
            annotations.remove("n");
        }
    }
    if let Some(variables) = kept["Config"]["Env"].as_array_mut() {
        // A container's host name may be its number.
        variables.retain(|variable| !variable.as_str().unwrap_or_default().starts_with("HOSTNAME="));
        variables.sort_by_key(ToString::to_string);
    }
    // Binds are said a second time under Mounts, volumes with names that are ours or the author's.
    kept["HostConfig"].as_object_mut().unwrap().remove("Binds");
    let mounts = whole["Mounts"].as_array().into_iter().flatten().map(|mount| {
        let mut mount = mount.clone();
        if mount["Type"] == "volume" {
            for key in ["Name", "Source"] {
                mount.as_object_mut().unwrap().remove(key);
            }
        }
        mount
    });
    let mut mounts: Vec<Value> = mounts.collect();
    mounts.sort_by_key(|mount| mount["Destination"].to_string());
    kept["Mounts"] = mounts.into();
    kept
}

/// The same with every number that the engine gave a container or pod (64 digits) called the same.
fn without_numbers(value: &Value) -> Value {
    match value {
        Value::String(text) => {
            let mut rest = text.as_str();
            let mut plain = String::new();
            while let Some(letter) = rest.chars().next() {
                let digits = rest.bytes().take_while(u8::is_ascii_hexdigit).count();
                let (taken, written) = if digits >= 64 {
                    (64, "NUMBER")
                } else {
                    (letter.len_utf8(), &rest[..letter.len_utf8()])
                };
                plain.push_str(written);
                rest = &rest[taken..];
            }
            plain.into()
        }
        Value::Array(items) => items.iter().map(without_numbers).collect(),
        Value::Object(entries) => {
            let all = entries.iter().map(|(key, value)| (key.clone(), without_numbers(value)));
            all.collect::<serde_json::Map<_, _>>().into()
        }
        other => other.clone(),
    }
}
