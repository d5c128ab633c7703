//! A server that keeps every record as a line of JSON in one file, whatever it speaks.
//!
//! Its folder holds that file, the file `port` that the server writes once it listens, and what it says about itself.
//! Waiting for records is waiting for the folder to change (inotify).

use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::os::fd::AsFd;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::inotify::{AddWatchFlags, InitFlags, Inotify};
use serde::de::DeserializeOwned;

use super::{read_text, write};
use crate::error::{Error, Result};
use crate::process::Service;

/// How long the server may take to listen.
const START: Duration = Duration::from_secs(30);

/// How often an unchanged file is weighed against a server that has died.
const LIVENESS: Duration = Duration::from_millis(500);

/// Between two looks at the kernel's table of connections.
const GLANCE: Duration = Duration::from_millis(50);

/// States of a socket in that table (`include/net/tcp_states.h`).
const TIME_WAIT: &str = "06";
const LISTEN: &str = "0A";

/// What the server says about itself.
const DIAGNOSTIC: &str = "diagnostic";

/// A running server; it ends when dropped.
#[derive(Debug)]
pub(super) struct Recorder {
    pub(super) service: Service,
    folder: PathBuf,
    file: PathBuf,
    port: u16,
}

impl Recorder {
    /// Starts a server that records into the file `name` of `folder`, and waits until it listens.
    ///
    /// # Errors
    /// [`Error::Io`], [`Error::Program`], [`Error::Ended`] when it ends, [`Error::Deadline`] when it does not listen.
    pub(super) fn start(command: Command, folder: &Path, name: &str) -> Result<Self> {
        let file = write(&folder.join(name), "")?;
        let mut watch = Watch::new(folder)?;
        let service = launch(command, folder)?;
        let mut server = Self { service, folder: folder.to_owned(), file, port: 0 };
        let deadline = Instant::now() + START;
        let port = folder.join("port");
        loop {
            let text = std::fs::read_to_string(&port).unwrap_or_default();
            if let Ok(number) = text.trim().parse() {
                server.port = number;
                return Ok(server);
            }
            server.alive("port of the server", deadline, START)?;
            watch.changed(deadline)?;
        }
    }

    /// Asks the server to end, and waits for that.
    ///
    /// # Errors
    /// [`Error::Io`].
    pub(super) fn stop(&mut self) -> Result<()> {
        self.service.end().map(drop)
    }

    /// Starts a server that was stopped, with a command for its old port, and waits until it listens.
    ///
    /// # Errors
    /// As [`Recorder::start`].
    pub(super) fn go_on(&mut self, command: Command) -> Result<()> {
        self.service = launch(command, &self.folder)?;
        self.wait_sockets("port of the server", START, |states| states.iter().any(|state| state == LISTEN))
    }

    /// Waits until nobody is connected, nor was and has not heard the end of it.
    ///
    /// # Errors
    /// [`Error::Deadline`] when `limit` is over, [`Error::Ended`] when the server has died, [`Error::Io`].
    pub(super) fn wait_alone(&mut self, limit: Duration) -> Result<()> {
        let over = |state: &String| state == LISTEN || state == TIME_WAIT;
        self.wait_sockets("end of a conversation", limit, |states| states.iter().all(over))
    }

    /// Waits until the sockets of the port are in the wanted states.
    fn wait_sockets(
        &mut self,
        what: &str,
        limit: Duration,
        wanted: impl Fn(&[String]) -> bool,
    ) -> Result<()> {
        let deadline = Instant::now() + limit;
        // The kernel tells nobody when a connection of others changes.
        while !wanted(&self.sockets()?) {
            self.alive(what, deadline, limit)?;
            std::thread::sleep(GLANCE);
        }
        Ok(())
    }

    /// The states of all sockets of the port, as the kernel lists them.
    fn sockets(&self) -> Result<Vec<String>> {
        let table = read_text(Path::new("/proc/net/tcp"))?;
        let local = format!(":{:04X}", self.port);
        let ours = table.lines().skip(1).filter_map(|line| {
            let mut fields = line.split_whitespace().skip(1);
            fields.next().filter(|address| address.ends_with(&local))?;
            fields.nth(1).map(str::to_owned)
        });
        Ok(ours.collect())
    }

    /// Its port on 127.0.0.1.
    pub(super) fn port(&self) -> u16 {
        self.port
    }

    /// The file with the records.
    pub(super) fn file(&self) -> &Path {
        &self.file
    }

    /// All records so far.
    ///
    /// # Errors
    /// [`Error::Io`], or [`Error::Format`] for a line that is not a record.
    pub(super) fn records<T: DeserializeOwned>(&self) -> Result<Vec<T>> {
        Reader::new(&self.file)?.next()
    }

    /// Waits until a record, from the first one on, is the wanted one. `what` is named when it does not come.
    ///
    /// # Errors
    /// [`Error::Deadline`] when `limit` is over, [`Error::Ended`] when the server has died.
    pub(super) fn wait_for<T: DeserializeOwned>(
        &mut self,
        what: &str,
        limit: Duration,
        mut wanted: impl FnMut(&T) -> bool,
    ) -> Result<T> {
        let deadline = Instant::now() + limit;
        // Watching begins before reading, so that nothing is written unseen between the two.
        let mut watch = Watch::new(&self.folder)?;
        let mut reader = Reader::new(&self.file)?;
        loop {
            if let Some(found) = reader.next()?.into_iter().find(|record| wanted(record)) {
                return Ok(found);
            }
            self.alive(what, deadline, limit)?;
            watch.changed(deadline)?;
        }
    }

    fn alive(&mut self, what: &str, deadline: Instant, limit: Duration) -> Result<()> {
        let last = || {
            let diagnostic = std::fs::read_to_string(self.folder.join(DIAGNOSTIC)).unwrap_or_default();
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

/// Starts a server whose words about itself go to a file of the folder.
fn launch(mut command: Command, folder: &Path) -> Result<Service> {
    let diagnostic = folder.join(DIAGNOSTIC);
    let stderr = File::create(&diagnostic).map_err(Error::at(&diagnostic))?;
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(stderr);
    Service::start(command)
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

    fn next<T: DeserializeOwned>(&mut self) -> Result<Vec<T>> {
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
                    Error::format(self.path.display().to_string(), "a record in JSON on every line")
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
