//! The compose program, asked for its canonical model of a folder.

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;
use std::process::Command;

use countersign_crypto::secret::EnvironmentValue;
use countersign_plan::images::signatures::SignatureRules;
use countersign_plan::workload::compose::{ComposeRefusal, Environment, Found, Judged, Surroundings, judge};
use countersign_plan::workload::dotenv::DotenvRefusal;
use countersign_plan::workload::reach::ReachRule;
use serde_json::Value;

/// Variables of a contract.
pub(crate) type Contract<'c> = &'c [(&'c str, &'c str)];

/// The compose program that the harness names.
pub(crate) struct Program(PathBuf);

impl Program {
    /// Without one it says what is skipped.
    pub(crate) fn find() -> Option<Program> {
        let path = std::env::var_os("COUNTERSIGN_DOCKER_COMPOSE").map(PathBuf::from);
        if path.is_none() {
            eprintln!("skipped: docker-compose, which COUNTERSIGN_DOCKER_COMPOSE does not name");
        }
        let path = path?;
        assert!(path.is_absolute() && path.is_file(), "COUNTERSIGN_DOCKER_COMPOSE names no program");
        Some(Program(path))
    }

    /// The model of a folder, or what the program says against it.
    pub(crate) fn model(&self, files: &[(&str, &[u8])], set: Contract<'_>) -> Result<Value, String> {
        self.started(files, set, &environment(b"", set).unwrap().process())
    }

    /// The same, started with `process` beside what is `set`.
    fn started(
        &self,
        files: &[(&str, &[u8])],
        set: Contract<'_>,
        process: &[(String, String)],
    ) -> Result<Value, String> {
        let folder = tempfile::tempdir().unwrap();
        for (name, content) in files {
            fs::write(folder.path().join(name), content).unwrap();
        }
        // Any call of the guest's start, but for the verb and the profiles: there every service has to be pinned.
        let output = Command::new(&self.0)
            .env_clear()
            .envs(set.iter().copied())
            .envs(process.iter().map(|(name, value)| (name, value)))
            .args(["--project-name", "compose", "--project-directory"])
            .arg(folder.path())
            .arg("--file")
            .arg(folder.path().join("compose.yaml"))
            .args(["--profile", "*", "config", "--format", "json"])
            .current_dir("/")
            .output()
            .unwrap();
        if !output.status.success() {
            return Err(String::from_utf8_lossy(&output.stderr).into_owned());
        }
        Ok(serde_json::from_slice(&output.stdout).unwrap())
    }

    /// The models of a compose file: as the author has it, and as the guest has it.
    pub(crate) fn models(
        &self,
        compose: &str,
        dotenv: &[u8],
        contract: Contract<'_>,
    ) -> [(&'static str, Result<Value, String>); 2] {
        let author = self.model(&[("compose.yaml", compose.as_bytes()), (".env", dotenv)], contract);
        let (written, process) = match environment(dotenv, contract) {
            Ok(environment) => (environment.file().expose().to_vec(), environment.process()),
            Err(_) => (dotenv.to_vec(), Vec::new()),
        };
        let guest = self.started(&[("compose.yaml", compose.as_bytes()), (".env", &written)], &[], &process);
        [("author", author), ("guest", guest)]
    }
}

/// The project's variables, as the guest reads them.
pub(crate) fn environment(dotenv: &[u8], contract: Contract<'_>) -> Result<Environment, DotenvRefusal> {
    let values: Vec<(&str, EnvironmentValue)> =
        contract.iter().map(|(name, value)| (*name, EnvironmentValue::copy_from(value))).collect();
    Environment::read(Some(dotenv), values.iter().map(|(name, value)| (*name, value)))
}

/// What Countersign makes of a file: its images, or every refusal. Every profile is active.
pub(crate) fn ours(
    compose: &str,
    environment: Option<&Environment>,
) -> Result<Vec<String>, Vec<ComposeRefusal>> {
    judged(compose, environment, &[]).map(|judged| judged.images)
}

/// As [`ours`], with files beside the compose file.
pub(crate) fn judged(
    compose: &str,
    environment: Option<&Environment>,
    files: &[(&str, &[u8])],
) -> Result<Judged, Vec<ComposeRefusal>> {
    let lookup = |name: &str| environment.and_then(|environment| environment.get(name));
    let found = |path: &str| match path {
        "compose.yaml" => Some(Found::File(compose.as_bytes())),
        path => files.iter().find(|(name, _)| *name == path).map(|(_, content)| Found::File(content)),
    };
    let (profiles, reach) = (["*".to_owned()], ReachRule::default());
    let signed = SignatureRules::default();
    let around =
        Surroundings { lookup: &lookup, files: &found, profiles: &profiles, reach: &reach, signed: &signed };

    judge(compose, &around)
}

/// The image of each service in a model.
pub(crate) fn images(model: &Value) -> BTreeMap<String, String> {
    let services = model["services"].as_object().unwrap();
    services.iter().map(|(name, service)| (name.clone(), plain(&service["image"]))).collect()
}

/// A text of a model, where each dollar sign stands twice.
pub(crate) fn plain(value: &Value) -> String {
    value.as_str().unwrap_or_default().replace("$$", "$")
}
