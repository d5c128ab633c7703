//! Secrets that must not turn up where they do not belong.

use super::contract::{DEPLOYER_SEED, ENV_VALUE, MOUNT, PASSWORD, WORKLOAD_SEED, WORKLOAD_VALUE};
use super::keys::{keys, run};
use super::machine::{Boot, passphrase};

/// A secret, and the files of the handover that may hold it.
pub(crate) struct Canary {
    name: &'static str,
    bytes: String,
    allowed: &'static [&'static str],
}

impl Canary {
    /// What it is.
    pub(crate) fn name(&self) -> &'static str {
        self.name
    }

    /// Whether a text holds the secret.
    pub(crate) fn is_in(&self, text: &str) -> bool {
        text.contains(&self.bytes)
    }
}

/// Of a compose project, and of pods.
const VARIABLES: &[&str] = &["/sysroot/data1/compose/.env", "/run/countersign/pods.json"];
const REGISTRY: &[&str] = &["/run/countersign/registry/config.json"];
const CLIENT_KEY: &[&str] = &["/run/countersign/logging/client-key.pem"];

/// Every secret of the good contract and of the image.
pub(crate) fn canaries() -> Vec<Canary> {
    let canary = |name, bytes: &str, allowed| Canary { name, bytes: bytes.to_owned(), allowed };
    // A line of a key that no other key has.
    let body = |name: &str| keys().pem(name).lines().nth(3).unwrap_or_default().to_owned();
    let short_body = |name: &str| keys().pem(name).lines().nth(1).unwrap_or_default()[40..].to_owned();
    let mut password = std::process::Command::new("sh");
    password.args(["-c", "printf '%s' \"reader:$1\" | base64 -w0", "sh", PASSWORD]);
    vec![
        canary("deployer's seed", DEPLOYER_SEED, &[]),
        canary("workload's seed", WORKLOAD_SEED, &[]),
        canary("passphrase", &passphrase(DEPLOYER_SEED, WORKLOAD_SEED), &[]),
        canary("passphrase of the other order", &passphrase(WORKLOAD_SEED, DEPLOYER_SEED), &[]),
        canary("image key", &body("image.key"), &[]),
        canary("env value", ENV_VALUE, VARIABLES),
        canary("workload's env value", WORKLOAD_VALUE, VARIABLES),
        canary("registry password", PASSWORD, &[]),
        canary("registry credentials", &run(&mut password), REGISTRY),
        canary("log client's key", &short_body("client.key"), CLIENT_KEY),
        canary("log client's key in base64", &keys().base64("client.key")[60..160], &[]),
    ]
}

/// No secret in what was said or asked, and none in a file that should not hold it.
pub(crate) fn assert_silent(boot: &Boot) {
    let said = boot.said();
    let asked = boot.asked.join("\n");
    // Where the good contract mounts its volume: for the owner, and for one line only. Hints have it for an example.
    let names_mount = |text: &str| text.replace(&format!("such as {MOUNT}"), "").contains(MOUNT);
    assert!(!names_mount(&said), "the mount point in {said}");
    for (_, line) in &boot.logged {
        assert!(!names_mount(line) || line.starts_with("HPL13003I: "), "the mount point in {line}");
    }
    for Canary { name, bytes, allowed } in canaries() {
        assert!(!said.contains(&bytes), "{name} in {said}");
        assert!(!asked.contains(&bytes), "{name} in {asked}");
        assert!(!boot.logged.iter().any(|(_, line)| line.contains(&bytes)), "{name} in {:?}", boot.logged);
        for (path, (mode, content)) in &boot.files {
            let path = path.display().to_string();
            if content.windows(bytes.len()).any(|window| window == bytes.as_bytes()) {
                assert!(allowed.contains(&path.as_str()), "{name} in {path}");
                assert_eq!(*mode, 0o600, "{path} holds {name}");
            }
        }
        let present = |path: &&str| boot.files.contains_key(std::path::Path::new(*path));
        // Where a boot wrote the handover, the search found what belongs there: the canaries are alive.
        if boot.files.contains_key(std::path::Path::new("/run/countersign/transcript.json")) {
            assert!(allowed.is_empty() || allowed.iter().any(present), "{name}");
        }
    }
}
