//! `countersign receive` beside the log server: what rsyslogd takes it passes on, so that who runs the demo reads the first
//! boot as an owner does, in the terminal or in a browser.

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::mpsc::{Receiver as Lines, RecvTimeoutError, channel};
use std::time::{Duration, Instant};

use crate::error::{Error, Result};
use crate::lab::keys::Keys;
use crate::process::{Service, tied};

/// How long it may take to listen.
const START: Duration = Duration::from_secs(30);
const NAME: &str = "countersign receive";

/// A running receiver; it ends when dropped.
#[derive(Debug)]
pub(super) struct Receiver {
    _service: Service,
    lines: Lines<String>,
    /// Its port on 127.0.0.1.
    pub(super) port: u16,
    /// The address of its page, with the token.
    pub(super) page: String,
    /// Where its records are.
    pub(super) records: PathBuf,
}

impl Receiver {
    /// Starts the program, with the certificate and the clients of the world's log server.
    ///
    /// # Errors
    /// [`Error::Program`] when it does not start, [`Error::Ended`] when it ends, [`Error::Deadline`].
    pub(super) fn start(program: &Path, keys: &Keys, folder: &Path) -> Result<Receiver> {
        let mut command = tied(program);
        command.arg("receive").arg(folder).args(["--listen", "127.0.0.1:0", "--web"]);
        command
            .arg("--cert")
            .arg(&keys.logging.server.certificate)
            .arg("--key")
            .arg(&keys.logging.server.key);
        command.arg("--clients").arg(&keys.logging.root.certificate);
        // A pipe: no colours, whatever the demo's own output is.
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::inherit());
        let mut service = Service::start(command)?;
        let out = service.child().stdout.take();
        let (sender, lines) = channel();
        std::thread::spawn(move || {
            for line in
                out.into_iter().flat_map(|out| BufReader::new(out).lines().map_while(|line| line.ok()))
            {
                if sender.send(line).is_err() {
                    return;
                }
            }
        });
        let (mut port, mut page) = (None, None);
        let deadline = Instant::now() + START;
        let (port, page) = loop {
            if let (Some(port), Some(page)) = (port, page.clone()) {
                break (port, page);
            }
            let line = match lines.recv_timeout(deadline.saturating_duration_since(Instant::now())) {
                Ok(line) => line,
                Err(RecvTimeoutError::Timeout) => {
                    return Err(Error::Deadline {
                        what: format!("start of {NAME}"),
                        limit: START,
                        last: Vec::new(),
                    });
                }
                Err(RecvTimeoutError::Disconnected) => {
                    let status = service.ended().map(|status| status.to_string()).unwrap_or_default();
                    return Err(Error::Ended { what: NAME.into(), status, last: Vec::new() });
                }
            };
            if let Some(address) = line.strip_prefix("listening on ") {
                port = address.split(',').next().and_then(|address| address.rsplit(':').next()?.parse().ok());
            } else if let Some(url) = line.strip_prefix("page: ") {
                page = Some(url.to_owned());
            }
        };
        Ok(Receiver { _service: service, lines, port, page, records: folder.join("records") })
    }

    /// What it has printed since the last call.
    pub(super) fn printed(&self) -> Vec<String> {
        self.lines.try_iter().collect()
    }

    /// Waits until it prints a line that has this text; what it printed up to there.
    ///
    /// # Errors
    /// [`Error::Deadline`].
    pub(super) fn wait_for(&self, text: &str, limit: Duration) -> Result<Vec<String>> {
        let deadline = Instant::now() + limit;
        let mut printed = Vec::new();
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            let Ok(line) = self.lines.recv_timeout(left) else {
                return Err(Error::Deadline { what: format!("{text} of {NAME}"), limit, last: printed });
            };
            let found = line.contains(text);
            printed.push(line);
            if found {
                return Ok(printed);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lab::keys::tests::shared;
    use crate::lab::syslog::Syslog;
    use crate::process::run;

    const LIMIT: Duration = Duration::from_secs(30);

    /// What `tests/run` names, or what was built beside this test.
    fn program() -> Option<PathBuf> {
        let named = std::env::var_os("COUNTERSIGN_PROGRAM").map(PathBuf::from);
        let beside = || {
            let program = std::env::current_exe().ok()?.parent()?.parent()?.join("countersign");
            program.is_file().then_some(program)
        };
        named.or_else(beside)
    }

    #[test]
    fn what_the_log_server_takes_is_told_by_the_receiver() {
        let Some(program) = program() else {
            eprintln!("skipped: countersign, which COUNTERSIGN_PROGRAM does not name");
            return;
        };
        let made = shared();
        let keys = &made.1;
        let folder = tempfile::tempdir().unwrap();
        let receiver = Receiver::start(&program, keys, &folder.path().join("receive")).unwrap();
        assert!(receiver.page.starts_with("http://127.0.0.1:"), "{}", receiver.page);
        let server = folder.path().join("syslog");
        let mut server = Syslog::start(&server, &keys.logging.server, &keys.logging).unwrap();
        server.pass_on(receiver.port, &keys.logging.client, &keys.logging.root).unwrap();
        let record = |number: u32, text: &str| {
            let record = format!(
                "<30>1 2026-01-02T03:04:0{number}.000001Z guest countersignd - - [meta sequenceId=\"{number}\"]\
                 [countersign@32473 origin=\"guest\"] {text}"
            );
            format!("{} {record}", record.len())
        };
        let records = record(1, "countersign: stage=preflight state=start")
            + &record(2, "HPL10001I: the workload is started");
        let mut command = tied("openssl");
        command.args([
            "s_client",
            "-quiet",
            "-no_ign_eof",
            "-connect",
            &format!("127.0.0.1:{}", server.port()),
        ]);
        command.arg("-CAfile").arg(&keys.logging.root.certificate);
        command.arg("-cert").arg(&keys.logging.client.certificate).arg("-key").arg(&keys.logging.client.key);
        run(command, records.as_bytes()).unwrap();
        let printed = receiver.wait_for("boot 1: the workload is started", LIMIT).unwrap();
        assert!(printed.iter().any(|line| line.contains("HPL10001I")), "{printed:?}");
        assert_eq!(std::fs::read_dir(&receiver.records).unwrap().count(), 2);
    }
}
