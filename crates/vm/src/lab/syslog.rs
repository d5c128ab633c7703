//! The log server of the contract: a real rsyslogd on 127.0.0.1, mutual TLS, everything it takes in one file.
//!
//! It runs in the foreground from its own configuration and touches nothing outside its folder. The port is chosen by
//! the system.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use serde::Deserialize;

use super::keys::{Authority, Pair};
use super::recorder::Recorder;
use super::{make_folder, read_text, write};
use crate::error::Result;
use crate::process::tied;

/// How the server is configured.
const CONFIGURATION: &str = "rsyslog.conf";

/// The file that takes every message.
const MESSAGES: &str = "messages";

/// A message as the server received it.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Message {
    /// Facility by name, `user`, `daemon`, `kern`, …
    pub facility: String,
    /// Severity by name, `info`, `err`, …
    pub severity: String,
    /// Sender's time stamp, RFC 3339.
    pub time: String,
    /// Sender's host name.
    pub host: String,
    /// Program or container.
    pub app: String,
    /// Process id; `-` means that the sender gave none.
    pub procid: String,
    /// Structured data; `-` means that the sender gave none.
    pub data: String,
    /// The text.
    pub msg: String,
}

/// A running log server; it ends when dropped.
#[derive(Debug)]
pub struct Syslog {
    server: Recorder,
    folder: PathBuf,
}

impl Message {
    /// What its structured data says of its origin, `guest` for the guest's own; none where it says nothing.
    #[must_use]
    pub fn origin(&self) -> Option<&str> {
        self.data.split_once("[countersign@32473 origin=\"")?.1.split('"').next()
    }

    /// The number in `[meta sequenceId="…"]` (RFC 5424 section 7.3.1), of records that have one.
    #[must_use]
    pub fn sequence(&self) -> Option<u64> {
        let (_, rest) = self.data.split_once("sequenceId=\"")?;
        rest.split_once('"')?.0.parse().ok()
    }
}

impl Syslog {
    /// Starts a server that presents `identity` and takes messages only from clients certified by `clients`.
    ///
    /// # Errors
    /// `Error::Io`, `Error::Program`, `Error::Ended` when rsyslogd refuses its configuration,
    /// `Error::Deadline` when it does not listen.
    pub fn start(folder: &Path, identity: &Pair, clients: &Authority) -> Result<Self> {
        let folder = make_folder(folder.to_owned())?;
        make_folder(folder.join("work"))?;
        let conf = folder.join(CONFIGURATION);
        write(&conf, configuration(&folder, identity, &clients.root.certificate))?;
        Ok(Self { server: Recorder::start(program(&folder), &folder, MESSAGES)?, folder })
    }

    /// Stops the server; its port is nobody's until it goes on.
    ///
    /// # Errors
    /// `Error::Io`.
    pub fn stop(&mut self) -> Result<()> {
        self.server.stop()
    }

    /// Starts the server again, at the same port; what it takes goes behind the messages that it had.
    ///
    /// # Errors
    /// As [`Syslog::start`].
    pub fn go_on(&mut self) -> Result<()> {
        let conf = self.folder.join(CONFIGURATION);
        let text = read_text(&conf)?.replace("port=\"0\"", &format!("port=\"{}\"", self.port()));
        write(&conf, text)?;
        self.server.go_on(program(&self.folder))
    }

    /// Has the server pass on whatever it takes from now on, to another one at this port of 127.0.0.1, which takes `client`
    /// and shows a certificate of `authority`. Restarts the server, at the same port.
    ///
    /// # Errors
    /// As [`Syslog::start`].
    pub fn pass_on(&mut self, port: u16, client: &Pair, authority: &Pair) -> Result<()> {
        let conf = self.folder.join(CONFIGURATION);
        let text = read_text(&conf)?;
        let text = text.replace(LAST, &format!("{LAST}{}", passing_on(port, client, authority)));
        write(&conf, text)?;
        self.stop()?;
        self.go_on()
    }

    /// Waits until nobody converses with the server.
    ///
    /// # Errors
    /// `Error::Deadline` when `limit` is over, `Error::Ended` when the server has died, `Error::Io`.
    pub fn wait_alone(&mut self, limit: Duration) -> Result<()> {
        self.server.wait_alone(limit)
    }

    /// Its port on 127.0.0.1.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.server.port()
    }

    /// The file that takes every message, one JSON object a line.
    #[must_use]
    pub fn file(&self) -> PathBuf {
        self.server.file().to_owned()
    }

    /// All messages so far.
    ///
    /// # Errors
    /// `Error::Io`, or `Error::Format` for a line that is not a message.
    pub fn lines(&self) -> Result<Vec<Message>> {
        self.server.records()
    }

    /// Waits until a message, from the first one on, is the wanted one. `what` is named when it does not come.
    ///
    /// # Errors
    /// `Error::Deadline` when `limit` is over, `Error::Ended` when the server has died.
    pub fn wait_for(
        &mut self,
        what: &str,
        limit: Duration,
        wanted: impl FnMut(&Message) -> bool,
    ) -> Result<Message> {
        self.server.wait_for(what, limit, wanted)
    }
}

/// The program with the configuration in this folder.
fn program(folder: &Path) -> Command {
    let mut command = tied("rsyslogd");
    command.arg("-n").arg("-f").arg(folder.join(CONFIGURATION)).arg("-i").arg(folder.join("pid"));
    command
}

/// The end of the action that writes the file; another one may follow it.
const LAST: &str = "flushOnTXEnd=\"on\")\n";

/// The action that passes every message on as it came: RFC 5424, octet counting.
fn passing_on(port: u16, client: &Pair, authority: &Pair) -> String {
    format!(
        r#"  action(type="omfwd" target="127.0.0.1" port="{port}" protocol="tcp" TCP_Framing="octet-counted"
    template="RSYSLOG_SyslogProtocol23Format" StreamDriver="ossl" StreamDriverMode="1"
    StreamDriverAuthMode="x509/certvalid" StreamDriver.CAFile="{}" StreamDriver.CertFile="{}" StreamDriver.KeyFile="{}"
    action.resumeRetryCount="-1" action.resumeInterval="1" queue.type="LinkedList")
"#,
        authority.certificate.display(),
        client.certificate.display(),
        client.key.display()
    )
}

/// The server's configuration, in the form of rsyslog 8.2102 and newer.
fn configuration(folder: &Path, identity: &Pair, clients: &Path) -> String {
    let folder = folder.display();
    let (clients, certificate, key) =
        (clients.display(), identity.certificate.display(), identity.key.display());
    let fields = [
        ("facility", "syslogfacility-text"),
        ("severity", "syslogseverity-text"),
        ("time", "timereported\" dateFormat=\"rfc3339"),
        ("host", "hostname"),
        ("app", "app-name"),
        ("procid", "procid"),
        ("data", "structured-data"),
        ("msg", "msg"),
    ];
    let fields: String = fields
        .iter()
        .map(|(name, property)| {
            format!("  property(outname=\"{name}\" name=\"{property}\" format=\"jsonf\")\n")
        })
        .collect();
    format!(
        r#"global(
  workDirectory="{folder}/work"
  maxMessageSize="128k"
  defaultNetstreamDriver="ossl"
  defaultNetstreamDriverCAFile="{clients}"
  defaultNetstreamDriverCertFile="{certificate}"
  defaultNetstreamDriverKeyFile="{key}"
  # Control characters and what follows a line feed belong to the message.
  parser.escapeControlCharactersOnReceive="off"
  net.enableDNS="off"
)
module(load="imtcp" streamDriver.name="ossl" streamDriver.mode="1" streamDriver.authMode="x509/certvalid")
template(name="json" type="list" option.jsonf="on") {{
{fields}}}
ruleset(name="all") {{
  action(type="omfile" file="{folder}/{MESSAGES}" template="json" asyncWriting="off" flushOnTXEnd="on")
}}
input(type="imtcp" address="127.0.0.1" port="0" listenPortFileName="{folder}/port" ruleset="all")
"#
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::Error;
    use crate::lab::keys::tests::shared;
    use crate::process::run;

    const LIMIT: Duration = Duration::from_secs(20);

    fn frame(message: &str) -> String {
        format!("{} {message}", message.len())
    }

    /// The openssl program as an RFC 5425 client.
    fn send(port: u16, trusted: &Pair, client: Option<&Pair>, bytes: &str) -> Result<Vec<u8>> {
        let mut command = tied("openssl");
        command.args(["s_client", "-quiet", "-no_ign_eof", "-verify_return_error", "-verify_ip", "10.0.2.2"]);
        command.args(["-connect", &format!("127.0.0.1:{port}"), "-CAfile"]).arg(&trusted.certificate);
        if let Some(pair) = client {
            command.arg("-cert").arg(&pair.certificate).arg("-key").arg(&pair.key);
        }
        run(command, bytes.as_bytes())
    }

    #[test]
    fn framed_messages_arrive_whole() {
        let made = shared();
        let keys = &made.1;
        let folder = tempfile::tempdir().unwrap();
        let mut server = Syslog::start(folder.path(), &keys.logging.server, &keys.logging).unwrap();
        let long = "x".repeat(64 * 1024);
        let text = format!(
            "{}{}{}",
            frame(
                "<11>1 2026-01-02T03:04:05.678Z guest compose-hello-1 77 - [a b=\"c\"] two\nlines \"quoted\" é"
            ),
            frame(&format!("<30>1 2026-01-02T03:04:06Z guest dockerd 1 - - {long}")),
            frame("<6>1 - guest kernel - - - last")
        );
        send(server.port(), &keys.logging.root, Some(&keys.logging.client), &text).unwrap();
        let last = server.wait_for("last message", LIMIT, |m| m.msg == "last").unwrap();
        assert_eq!(
            (last.facility.as_str(), last.severity.as_str(), last.procid.as_str()),
            ("kern", "info", "-")
        );
        let lines = server.lines().unwrap();
        assert_eq!(lines.len(), 3);
        assert_eq!(
            lines[0],
            Message {
                facility: "user".into(),
                severity: "err".into(),
                time: "2026-01-02T03:04:05.678Z".into(),
                host: "guest".into(),
                app: "compose-hello-1".into(),
                procid: "77".into(),
                data: "[a b=\"c\"]".into(),
                msg: "two\nlines \"quoted\" é".into(),
            }
        );
        assert_eq!(lines[1].msg, long);
    }

    #[test]
    fn a_server_that_goes_on_has_its_port_and_its_messages() {
        let made = shared();
        let keys = &made.1;
        let folder = tempfile::tempdir().unwrap();
        let mut server = Syslog::start(folder.path(), &keys.logging.server, &keys.logging).unwrap();
        let port = server.port();
        for word in ["one", "two"] {
            let message = frame(&format!("<11>1 - - ours - - - {word}"));
            send(port, &keys.logging.root, Some(&keys.logging.client), &message).unwrap();
            server.wait_for("our message", LIMIT, |m| m.msg == word).unwrap();
            server.wait_alone(LIMIT).unwrap();
            let connection = std::net::TcpStream::connect(("127.0.0.1", port)).unwrap();
            let error = server.wait_alone(Duration::from_millis(100)).unwrap_err();
            assert!(matches!(error, Error::Deadline { .. }), "{error}");
            drop(connection);
            server.wait_alone(LIMIT).unwrap();
            server.stop().unwrap();
            assert!(std::net::TcpStream::connect(("127.0.0.1", port)).is_err());
            server.go_on().unwrap();
        }
        assert_eq!((server.port(), server.lines().unwrap().len()), (port, 2));
    }

    #[test]
    fn what_is_passed_on_is_what_came() {
        let made = shared();
        let keys = &made.1;
        let folders = [tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap()];
        let start = |number: usize| {
            let folder: &tempfile::TempDir = &folders[number];
            Syslog::start(folder.path(), &keys.logging.server, &keys.logging).unwrap()
        };
        let (mut first, mut second) = (start(0), start(1));
        first.pass_on(second.port(), &keys.logging.client, &keys.logging.root).unwrap();
        let long = "x".repeat(64 * 1024);
        let text = [
            "<30>1 2026-01-02T03:04:05.678901Z guest countersignd - - [meta sequenceId=\"1\"][countersign@32473 \
             origin=\"guest\" code=\"HPL10001I\"] two\nlines \"quoted\" é",
            &format!("<30>1 2026-01-02T03:04:06.000001Z guest web 7 - - {long}"),
            "<6>1 2026-01-02T03:04:07.000001Z guest kernel - - - last",
        ]
        .map(frame)
        .concat();
        send(first.port(), &keys.logging.root, Some(&keys.logging.client), &text).unwrap();
        second.wait_for("the last message", LIMIT, |m| m.msg == "last").unwrap();
        let (came, passed) = (first.lines().unwrap(), second.lines().unwrap());
        assert_eq!((came.len(), &passed), (3, &came));
        assert_eq!((passed[0].sequence(), passed[0].origin()), (Some(1), Some("guest")));
    }

    #[test]
    fn nobody_without_a_certificate_of_ours_is_heard() {
        let made = shared();
        let keys = &made.1;
        let folder = tempfile::tempdir().unwrap();
        let mut server = Syslog::start(folder.path(), &keys.logging.server, &keys.logging).unwrap();
        let forged = frame("<11>1 - - forged - - - forged");
        // With TLS 1.3 a client may learn of its refusal only after it has sent; what counts is the file.
        let _ = send(server.port(), &keys.logging.root, None, &forged);
        let _ = send(server.port(), &keys.logging.root, Some(&keys.foreign.client), &forged);
        let ours = frame("<11>1 - - ours - - - ours");
        send(server.port(), &keys.logging.root, Some(&keys.logging.client), &ours).unwrap();
        server.wait_for("our message", LIMIT, |m| m.msg == "ours").unwrap();
        assert_eq!(server.lines().unwrap().len(), 1);
    }

    #[test]
    fn a_foreign_server_is_not_trusted() {
        let made = shared();
        let keys = &made.1;
        let folder = tempfile::tempdir().unwrap();
        let server = Syslog::start(folder.path(), &keys.foreign.server, &keys.logging).unwrap();
        let error = send(server.port(), &keys.logging.root, Some(&keys.logging.client), "").unwrap_err();
        assert!(error.to_string().contains("verify"), "{error}");
    }

    #[test]
    fn waiting_ends_with_the_time_or_the_server() {
        let made = shared();
        let folder = tempfile::tempdir().unwrap();
        let mut server = Syslog::start(folder.path(), &made.1.logging.server, &made.1.logging).unwrap();
        let error = server.wait_for("word", Duration::from_millis(100), |_| true).unwrap_err();
        assert!(matches!(error, Error::Deadline { .. }), "{error}");
        server.server.service.kill().unwrap();
        let error = server.wait_for("word", LIMIT, |_| true).unwrap_err();
        assert!(matches!(error, Error::Ended { .. }), "{error}");
    }
}
