//! Log servers: rsyslogd, and syslog-ng where `COUNTERSIGN_SYSLOG_NG` names a folder with its package unpacked (it cannot
//! be installed beside rsyslog); and `countersign receive`, where it was built beside the forwarder. All demand a client
//! certificate and write a JSON object a record.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde::Deserialize;

use super::world::{Process, Records, World, listens, until};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Rsyslog,
    SyslogNg,
    Countersign,
}

impl Kind {
    /// Those that this machine has.
    pub(crate) fn all() -> Vec<Kind> {
        let kinds = [Kind::Rsyslog, Kind::SyslogNg, Kind::Countersign]
            .into_iter()
            .filter(|kind| kind.program().exists());
        let kinds: Vec<Kind> = kinds.collect();
        if !kinds.contains(&Kind::SyslogNg) {
            eprintln!("skipped: syslog-ng, which COUNTERSIGN_SYSLOG_NG does not name");
        }
        if !kinds.contains(&Kind::Countersign) {
            eprintln!("skipped: countersign receive, which cargo build --package countersign-cli builds");
        }
        assert!(kinds.contains(&Kind::Rsyslog), "expected rsyslogd; tests/run installs it");
        kinds
    }

    fn program(self) -> PathBuf {
        match self {
            Kind::Rsyslog => "/usr/sbin/rsyslogd".into(),
            Kind::SyslogNg => syslog_ng("usr/sbin/syslog-ng"),
            // Of another package, so cargo names it to no test; a run of all tests builds it first.
            Kind::Countersign => Path::new(env!("CARGO_BIN_EXE_countersignd")).with_file_name("countersign"),
        }
    }
}

fn syslog_ng(path: &str) -> PathBuf {
    Path::new(&std::env::var_os("COUNTERSIGN_SYSLOG_NG").unwrap_or_else(|| "/nowhere".into())).join(path)
}

/// The folder of syslog-ng's modules; its name is the version.
fn modules() -> PathBuf {
    let folders = fs::read_dir(syslog_ng("usr/lib/syslog-ng")).unwrap().map(|entry| entry.unwrap().path());
    folders.filter(|path| path.is_dir()).find(|path| path.join("libsyslogformat.so").exists()).unwrap()
}

/// A record as the server wrote it down.
#[derive(Debug, Deserialize)]
pub(crate) struct Record {
    /// The sequence number: alone, or in its structured data.
    #[serde(alias = "data")]
    sequence: String,
    pub app: String,
    pub msg: String,
}

impl Record {
    pub(crate) fn sequence(&self) -> u64 {
        let value = self.sequence.split_once("sequenceId=\"").map_or(&*self.sequence, |(_, rest)| rest);
        value.split('"').next().unwrap().parse().unwrap()
    }
}

pub(crate) struct Receiver<'w> {
    world: &'w World,
    kind: Kind,
    folder: tempfile::TempDir,
    process: Option<Process>,
    file: Records,
    /// All records so far.
    pub records: Vec<Record>,
}

impl<'w> Receiver<'w> {
    /// Describes a server; it does not run yet.
    pub(crate) fn new(world: &'w World, kind: Kind) -> Receiver<'w> {
        let folder = tempfile::tempdir().unwrap();
        let path = match kind {
            Kind::Countersign => "records/records-00000001.jsonl",
            _ => "records",
        };
        if kind == Kind::Countersign {
            fs::create_dir(folder.path().join("records")).unwrap();
        }
        let file = Records::create(folder.path().join(path));
        let receiver = Receiver { world, kind, folder, process: None, file, records: Vec::new() };
        let text = match kind {
            Kind::Rsyslog => receiver.rsyslog(),
            Kind::SyslogNg => receiver.syslog_ng(),
            Kind::Countersign => String::new(),
        };
        fs::write(receiver.path("conf"), text).unwrap();
        receiver
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn rsyslog(&self) -> String {
        let key = |name: &str| self.world.keys.path(name).display().to_string();
        let (folder, port) = (self.folder.path().display(), self.world.port);
        format!(
            r#"global(workDirectory="{folder}" maxMessageSize="128k" DefaultNetstreamDriver="ossl"
  DefaultNetstreamDriverCAFile="{}" DefaultNetstreamDriverCertFile="{}" DefaultNetstreamDriverKeyFile="{}"
  parser.escapeControlCharactersOnReceive="off" net.enableDNS="off")
module(load="imtcp" StreamDriver.Name="ossl" StreamDriver.Mode="1" StreamDriver.AuthMode="x509/certvalid")
input(type="imtcp" address="127.0.0.1" port="{port}")
template(name="json" type="list" option.jsonf="on") {{
  property(outname="sequence" name="structured-data" format="jsonf")
  property(outname="app" name="app-name" format="jsonf")
  property(outname="msg" name="msg" format="jsonf")
}}
action(type="omfile" file="{folder}/records" template="json")
"#,
            key("ca.pem"),
            key("server.pem"),
            key("server.key")
        )
    }

    fn syslog_ng(&self) -> String {
        let key = |name: &str| self.world.keys.path(name).display().to_string();
        let (folder, port) = (self.folder.path().display(), self.world.port);
        format!(
            r#"@version: 3.35
options {{ keep-hostname(yes); log-msg-size(131072); stats-freq(0); use-dns(no); }};
source guests {{
  syslog(ip("127.0.0.1") port({port}) transport("tls")
    tls(ca-file("{}") cert-file("{}") key-file("{}") peer-verify(required-trusted)));
}};
destination records {{
  file("{folder}/records"
    template("$(format-json sequence=\"${{.SDATA.meta.sequenceId}}\" app=\"${{PROGRAM}}\" msg=\"${{MESSAGE}}\")\n"));
}};
log {{ source(guests); destination(records); flags(flow-control); }};
"#,
            key("ca.pem"),
            key("server.pem"),
            key("server.key")
        )
    }

    pub(crate) fn start(&mut self) {
        let mut command = Command::new(self.kind.program());
        match self.kind {
            Kind::Rsyslog => {
                command.args(["-n", "-iNONE", "-f"]).arg(self.path("conf"));
            }
            Kind::SyslogNg => {
                command.args(["--foreground", "--no-caps", "--cfgfile"]);
                command.arg(self.path("conf"));
                for (option, name) in
                    [("--persist-file", "persist"), ("--pidfile", "pid"), ("--control", "control")]
                {
                    command.arg(option).arg(self.path(name));
                }
                command.arg("--module-path").arg(modules());
            }
            Kind::Countersign => {
                command
                    .arg("receive")
                    .arg(self.folder.path())
                    .args(["--show", "notices", "--rotate", "4096"]);
                command.arg("--listen").arg(format!("127.0.0.1:{}", self.world.port));
                for (option, name) in
                    [("--cert", "server.pem"), ("--key", "server.key"), ("--clients", "ca.pem")]
                {
                    command.arg(option).arg(self.world.keys.path(name));
                }
            }
        }
        command.stdout(Stdio::null()).stderr(File::create(self.path("diagnostic")).unwrap());
        self.process = Some(Process::start(command));
        until("the log server's port", || listens(self.world.port).then_some(()));
    }

    /// Asks the server to end, waits for it, and starts it again.
    pub(crate) fn restart(&mut self) {
        self.stop();
        self.start();
    }

    pub(crate) fn stop(&mut self) {
        self.process.take().unwrap().end();
        self.read();
    }

    pub(crate) fn process(&self) -> &Process {
        self.process.as_ref().unwrap()
    }

    /// Reads what has been written since.
    pub(crate) fn read(&mut self) {
        let lines = self.file.next();
        self.records.extend(lines.iter().map(|line| serde_json::from_slice::<Record>(line).unwrap()));
    }

    /// Waits until the records so far are as wanted.
    pub(crate) fn wait_for(&mut self, what: &str, wanted: impl Fn(&[Record]) -> bool) {
        until(what, || {
            self.read();
            wanted(&self.records).then_some(())
        });
    }
}
