//! IBM Cloud Logs and its IAM, played by `tests/cloud_logs.py` from their public descriptions.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde::Deserialize;
use serde_json::{Value, json};

use super::world::{Keys, Process, Records, listens, until};

/// The key of the contract. Nothing but its file and the requests to IAM may hold it.
pub(crate) const API_KEY: &str = "canary+Api/Key=4711";

/// A record as the service took it.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Record {
    pub application_name: String,
    pub subsystem_name: String,
    pub computer_name: String,
    pub severity: u8,
    pub timestamp: u64,
    pub text: Value,
}

impl Record {
    pub(crate) fn message(&self) -> &str {
        self.text["MESSAGE"].as_str().unwrap()
    }

    pub(crate) fn sequence(&self) -> Option<u64> {
        self.text["sequenceId"].as_u64()
    }
}

/// A server, or one that does not run at the moment.
pub(crate) struct Cloud {
    folder: tempfile::TempDir,
    certificate: PathBuf,
    key: PathBuf,
    pub port: u16,
    process: Option<Process>,
    file: Records,
    /// All records so far.
    pub records: Vec<Record>,
}

impl Cloud {
    /// Starts a server with this certificate.
    pub(crate) fn start(keys: &Keys, certificate: &str) -> Cloud {
        let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let folder = tempfile::tempdir().unwrap();
        let file = Records::create(folder.path().join("records"));
        let mut cloud = Cloud {
            folder,
            certificate: keys.path(&format!("{certificate}.pem")),
            key: keys.path(&format!("{certificate}.key")),
            port,
            process: None,
            file,
            records: Vec::new(),
        };
        cloud.settings(API_KEY, 3600);
        cloud.run();
        cloud
    }

    pub(crate) fn settings(&self, api_key: &str, expires_in: u64) {
        let settings = json!({"api_key": api_key, "expires_in": expires_in});
        fs::write(self.path("settings"), settings.to_string()).unwrap();
    }

    /// What the coming requests to the log service, or to IAM, come to.
    pub(crate) fn faults(&self, file: &str, faults: &[&str]) {
        fs::write(self.path(file), faults.iter().map(|fault| format!("{fault}\n")).collect::<String>())
            .unwrap();
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Lines of one of its files.
    pub(crate) fn lines(&self, name: &str) -> Vec<String> {
        let text = fs::read_to_string(self.path(name)).unwrap_or_default();
        text.lines().map(str::to_owned).collect()
    }

    pub(crate) fn run(&mut self) {
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/cloud_logs.py");
        let mut command = Command::new("python3");
        command.arg(script).arg(self.folder.path()).arg(self.port.to_string());
        command.arg(&self.certificate).arg(&self.key).arg("localhost").stdout(Stdio::null());
        command.stderr(File::options().append(true).create(true).open(self.path("diagnostic")).unwrap());
        self.process = Some(Process::start(command));
        until("the service's port", || listens(self.port).then_some(()));
    }

    /// Ends in the middle of whatever it does.
    pub(crate) fn stop(&mut self) {
        self.process.take().unwrap().end();
        self.read();
    }

    /// Reads what it has taken since.
    pub(crate) fn read(&mut self) {
        // One that was being written when the server was stopped is left out.
        self.records.extend(self.file.next().iter().filter_map(|line| serde_json::from_slice(line).ok()));
    }

    /// Waits until the records so far are as wanted.
    pub(crate) fn wait_for(&mut self, what: &str, wanted: impl Fn(&[Record]) -> bool) {
        until(what, || {
            self.read();
            wanted(&self.records).then_some(())
        });
    }

    /// Nothing that came broke the descriptions.
    pub(crate) fn assert_kept(&self) {
        assert_eq!(self.lines("violations"), Vec::<String>::new());
    }
}
