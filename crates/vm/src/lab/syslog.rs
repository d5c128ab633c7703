//! The log server of the contract: a real rsyslogd on 127.0.0.1, mutual TLS, everything it takes in one file.
//!
//! It runs in the foreground from its own configuration and touches nothing outside its folder. The port is chosen by
//! the system. Waiting for messages is waiting for the file to change (inotify).

use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::os::fd::AsFd;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::{Duration, Instant};

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::inotify::{AddWatchFlags, InitFlags, Inotify};
use serde::Deserialize;

use super::keys::{Authority, Pair};
use super::{make_folder, write};
use crate::error::{Error, Result};
use crate::process::{Service, tied};

/// How long the server may take to listen.
const START: Duration = Duration::from_secs(30);

/// How often an unchanged file is weighed against a server that has died.
const LIVENESS: Duration = Duration::from_millis(500);

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
    /// Process id, `-` if there is none.
    pub procid: String,
    /// Structured data, `-` if there is none.
    pub data: String,
    /// The text.
    pub msg: String,
}

/// A running log server; it ends when dropped.
#[derive(Debug)]
pub struct Syslog {
    service: Service,
    folder: PathBuf,
    port: u16,
}

impl Message {
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
    /// [`Error::Io`], [`Error::Program`], [`Error::Ended`] when rsyslogd refuses its configuration,
    /// [`Error::Deadline`] when it does not listen.
    pub fn start(folder: &Path, identity: &Pair, clients: &Authority) -> Result<Self> {
        let folder = make_folder(folder.to_owned())?;
        make_folder(folder.join("work"))?;
        write(&folder.join("messages"), "")?;
        let mut watch = Watch::new(&folder)?;
        let conf =
            write(&folder.join("rsyslog.conf"), configuration(&folder, identity, &clients.root.certificate))?;
        let diagnostic = folder.join("rsyslogd.log");
        let stderr = File::create(&diagnostic).map_err(Error::at(&diagnostic))?;
        let mut command = tied("rsyslogd");
        command.arg("-n").arg("-f").arg(conf).arg("-i").arg(folder.join("pid"));
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(stderr);
        let mut server = Self { service: Service::start(command)?, folder, port: 0 };
        let deadline = Instant::now() + START;
        let port = server.folder.join("port");
        loop {
            if let Some(number) =
                std::fs::read_to_string(&port).ok().and_then(|text| text.trim().parse().ok())
            {
                server.port = number;
                return Ok(server);
            }
            watch.changed(deadline)?;
            server.alive("port of the log server", deadline, START)?;
        }
    }

    /// Its port on 127.0.0.1.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.port
    }

    /// The file that takes every message, one JSON object a line.
    #[must_use]
    pub fn file(&self) -> PathBuf {
        self.folder.join("messages")
    }

    /// All messages so far.
    ///
    /// # Errors
    /// [`Error::Io`], or [`Error::Format`] for a line that is not a message.
    pub fn lines(&self) -> Result<Vec<Message>> {
        Reader::new(&self.file())?.next()
    }

    /// Waits until a message, from the first one on, is the wanted one. `what` is named when it does not come.
    ///
    /// # Errors
    /// [`Error::Deadline`] when `limit` is over, [`Error::Ended`] when the server has died.
    pub fn wait_for(
        &mut self,
        what: &str,
        limit: Duration,
        mut wanted: impl FnMut(&Message) -> bool,
    ) -> Result<Message> {
        let deadline = Instant::now() + limit;
        // Watching begins before reading, so that nothing is written unseen between the two.
        let mut watch = Watch::new(&self.folder)?;
        let mut reader = Reader::new(&self.file())?;
        loop {
            if let Some(found) = reader.next()?.into_iter().find(|message| wanted(message)) {
                return Ok(found);
            }
            self.alive(what, deadline, limit)?;
            watch.changed(deadline)?;
        }
    }

    fn alive(&mut self, what: &str, deadline: Instant, limit: Duration) -> Result<()> {
        let last = || {
            let diagnostic = std::fs::read_to_string(self.folder.join("rsyslogd.log")).unwrap_or_default();
            diagnostic.lines().rev().take(5).map(str::to_owned).collect()
        };
        if let Some(status) = self.service.ended() {
            return Err(Error::Ended { what: what.into(), status: status.to_string(), last: last() });
        }
        if Instant::now() >= deadline {
            return Err(Error::Deadline { what: what.into(), limit, last: last() });
        }
        Ok(())
    }
}

/// Follows the file: whole lines only, each once.
struct Reader {
    file: File,
    offset: u64,
    path: PathBuf,
}

impl Reader {
    fn new(path: &Path) -> Result<Self> {
        Ok(Self { file: File::open(path).map_err(Error::at(path))?, offset: 0, path: path.to_owned() })
    }

    fn next(&mut self) -> Result<Vec<Message>> {
        let mut bytes = Vec::new();
        self.file.seek(SeekFrom::Start(self.offset)).map_err(Error::at(&self.path))?;
        self.file.read_to_end(&mut bytes).map_err(Error::at(&self.path))?;
        let whole = bytes.iter().rposition(|&b| b == b'\n').map_or(0, |end| end + 1);
        self.offset += whole as u64;
        bytes[..whole]
            .split(|&b| b == b'\n')
            .filter(|line| !line.is_empty())
            .map(|line| {
                serde_json::from_slice(line).map_err(|_| {
                    Error::format(self.path.display().to_string(), "a message in JSON on every line")
                })
            })
            .collect()
    }
}

/// Changes in a folder.
struct Watch {
    inotify: Inotify,
}

impl Watch {
    fn new(folder: &Path) -> Result<Self> {
        let failed =
            |error: nix::Error| Error::Io { place: folder.display().to_string(), source: error.into() };
        let inotify = Inotify::init(InitFlags::IN_NONBLOCK | InitFlags::IN_CLOEXEC).map_err(failed)?;
        inotify
            .add_watch(folder, AddWatchFlags::IN_MODIFY | AddWatchFlags::IN_CLOSE_WRITE)
            .map_err(failed)?;
        Ok(Self { inotify })
    }

    /// Returns when something in the folder has changed, at the deadline, or now and then to look for a dead server.
    fn changed(&mut self, deadline: Instant) -> Result<()> {
        let patience = deadline.saturating_duration_since(Instant::now()).min(LIVENESS);
        let patience = PollTimeout::try_from(patience).unwrap_or(PollTimeout::ZERO);
        match poll(&mut [PollFd::new(self.inotify.as_fd(), PollFlags::POLLIN)], patience) {
            Ok(_) | Err(nix::Error::EINTR) => {}
            Err(error) => return Err(Error::Io { place: "inotify".into(), source: error.into() }),
        }
        // The events only say "look again".
        let _ = self.inotify.read_events();
        Ok(())
    }
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
  action(type="omfile" file="{folder}/messages" template="json" asyncWriting="off" flushOnTXEnd="on")
}}
input(type="imtcp" address="127.0.0.1" port="0" listenPortFileName="{folder}/port" ruleset="all")
"#
    )
}

#[cfg(test)]
mod tests {
    use super::*;
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
        server.service.kill().unwrap();
        let error = server.wait_for("word", LIMIT, |_| true).unwrap_err();
        assert!(matches!(error, Error::Ended { .. }), "{error}");
    }
}
