//! IBM Cloud Logs and its IAM on 127.0.0.1, played by `tests/cloud_logs.py`, which is strict about their public
//! descriptions and keeps every record in one file.

use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::Deserialize;

use super::keys::Pair;
use super::recorder::Recorder;
use super::{make_folder, write};
use crate::error::Result;
use crate::process::tied;
use crate::profile::{HOST_SEEN_FROM_GUEST, checkout};

/// A record as the service took it.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Record {
    /// Container or program.
    pub subsystem_name: String,
    /// The guest.
    pub computer_name: String,
    /// 1 debug to 6 critical.
    pub severity: u8,
    /// Fields of the journal.
    pub text: Fields,
}

/// Fields of the journal.
#[derive(Debug, Clone, Deserialize)]
pub struct Fields {
    /// The message.
    #[serde(rename = "MESSAGE")]
    pub message: String,
    /// Id of the container.
    #[serde(rename = "CONTAINER_ID")]
    pub container_id: Option<String>,
    /// Number in the journal.
    #[serde(rename = "sequenceId")]
    pub sequence: Option<u64>,
    /// Marks of the contract.
    pub tags: Vec<String>,
}

/// A running service; it ends when dropped.
#[derive(Debug)]
pub struct CloudLogs {
    server: Recorder,
    folder: PathBuf,
}

impl CloudLogs {
    /// Starts a service that presents `identity` and whose IAM knows this key.
    ///
    /// # Errors
    /// `Error::Io`, `Error::Program`, `Error::Ended` when it ends, `Error::Deadline` when it does not listen.
    pub fn start(folder: &Path, identity: &Pair, api_key: &str) -> Result<Self> {
        let folder = make_folder(folder.to_owned())?;
        let settings = serde_json::json!({"api_key": api_key, "expires_in": 3600}).to_string();
        write(&folder.join("settings"), settings)?;
        let mut command = tied("python3");
        command.arg(checkout().join("tests/cloud_logs.py")).arg(&folder).arg("0");
        command.arg(&identity.certificate).arg(&identity.key).arg(HOST_SEEN_FROM_GUEST);
        Ok(Self { server: Recorder::start(command, &folder, "records")?, folder })
    }

    /// Its port on 127.0.0.1.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.server.port()
    }

    /// The file with every record, one JSON object a line.
    #[must_use]
    pub fn file(&self) -> PathBuf {
        self.server.file().to_owned()
    }

    /// All records so far.
    ///
    /// # Errors
    /// `Error::Io`, or `Error::Format` for a line that is not a record.
    pub fn records(&self) -> Result<Vec<Record>> {
        self.server.records()
    }

    /// What broke the descriptions of the service.
    #[must_use]
    pub fn violations(&self) -> String {
        std::fs::read_to_string(self.folder.join("violations")).unwrap_or_default()
    }

    /// Waits until a record, from the first one on, is the wanted one. `what` is named when it does not come.
    ///
    /// # Errors
    /// `Error::Deadline` when `limit` is over, `Error::Ended` when the server has died.
    pub fn wait_for(
        &mut self,
        what: &str,
        limit: Duration,
        wanted: impl FnMut(&Record) -> bool,
    ) -> Result<Record> {
        self.server.wait_for(what, limit, wanted)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lab::keys::tests::shared;
    use crate::process::text;

    /// The curl program as a client.
    fn curl(service: &CloudLogs, arguments: &[&str]) -> String {
        let made = shared();
        let mut command = tied("curl");
        let connect = format!("{HOST_SEEN_FROM_GUEST}:{0}:127.0.0.1:{0}", service.port());
        command
            .args(["--silent", "--connect-to", &connect, "--cacert"])
            .arg(&made.1.logging.root.certificate);
        command.args(arguments);
        text(command, b"").unwrap()
    }

    #[test]
    fn another_client_gets_a_token_and_leaves_a_record() {
        let made = shared();
        let folder = tempfile::tempdir().unwrap();
        let mut service = CloudLogs::start(folder.path(), &made.1.logging.server, "a key").unwrap();
        let url = |path: &str| format!("https://{HOST_SEEN_FROM_GUEST}:{}{path}", service.port());
        let grant = "grant_type=urn:ibm:params:oauth:grant-type:apikey";
        let (iam, singles) = (url("/identity/token"), url("/logs/v1/singles"));
        let refused = curl(&service, &[&iam, "--data", grant, "--data-urlencode", "apikey=another"]);
        assert!(refused.contains("BXNIM0415E"), "{refused}");
        let answer = curl(&service, &[&iam, "--data", grant, "--data-urlencode", "apikey=a key"]);
        let answer: serde_json::Value = serde_json::from_str(&answer).unwrap();
        let bearer = format!("Authorization: Bearer {}", answer["access_token"].as_str().unwrap());
        let json = "Content-Type: application/json";
        let record = r#"[{"applicationName":"a","subsystemName":"s","computerName":"c","severity":5,
                          "text":{"MESSAGE":"m","tags":[]}}]"#;
        curl(&service, &[&singles, "-H", &bearer, "-H", json, "--data", record]);
        let record = service.wait_for("record", Duration::from_secs(30), |_| true).unwrap();
        assert_eq!(
            (record.subsystem_name.as_str(), record.severity, record.text.message.as_str()),
            ("s", 5, "m")
        );
        assert_eq!(service.violations(), "");
        // No token, and no record.
        curl(&service, &[&singles, "-H", json, "--data", "[]"]);
        curl(&service, &[&singles, "-H", &bearer, "-H", json, "--data", r#"[{"text":"x"}]"#]);
        assert_eq!(service.records().unwrap().len(), 1);
        assert_eq!(service.violations(), "/logs/v1/singles: applicationName is needed\n");
    }
}
