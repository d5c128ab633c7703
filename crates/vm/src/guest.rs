//! One run of a machine: spawn, read the console as events, wait for what is expected, learn how it ended.
//!
//! The serial log of every run is kept beside a file with the host's time of each line. Nothing here sleeps or polls
//! for events: lines arrive on a channel, and the end of the machine is an event as well.

use std::fs::File;
use std::io::{Read, Write};
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};
use std::process::{ChildStdin, Command, ExitStatus, Stdio};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError};
use std::time::{Duration, Instant};

use crate::arguments::{self, Drive, Run};
use crate::error::{Error, Result, require};
use crate::events::{Event, Lines, Seen};
use crate::process::{Service, tied};
use crate::profile::Profile;
use crate::programs;

mod memory;
mod monitor;

pub use monitor::Monitor;

/// So many of the last console lines go into an error message.
const TAIL: usize = 12;

/// Where a run leaves its traces.
#[derive(Debug, Clone)]
pub struct Logs {
    folder: PathBuf,
    name: String,
}

impl Logs {
    /// Logs `<folder>/<name>.…`; those of an earlier run of that name are replaced.
    pub fn new(folder: impl Into<PathBuf>, name: impl Into<String>) -> Self {
        Self { folder: folder.into(), name: name.into() }
    }

    /// Name of the run.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The console, byte for byte.
    #[must_use]
    pub fn serial(&self) -> PathBuf {
        self.file("serial.log")
    }

    /// One line for each line of the console: seconds since the start, by the host's clock.
    #[must_use]
    pub fn times(&self) -> PathBuf {
        self.file("serial.times")
    }

    /// What the emulator itself wrote on standard error.
    #[must_use]
    pub fn emulator(&self) -> PathBuf {
        self.file("emulator.log")
    }

    fn file(&self, kind: &str) -> PathBuf {
        self.folder.join(format!("{}.{kind}", self.name))
    }
}

/// What [`Guest::next`] found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Next {
    /// A line of the console.
    Event(Seen),
    /// The machine has ended and every line has been returned.
    Ended(ExitStatus),
    /// The time is up.
    Deadline,
}

/// A running machine. Dropping it cuts its power.
#[derive(Debug)]
pub struct Guest {
    service: Service,
    keyboard: Option<ChildStdin>,
    monitor: Option<Monitor>,
    lines: Receiver<Seen>,
    history: Vec<Seen>,
    started: Instant,
    status: Option<ExitStatus>,
}

impl Guest {
    /// Boots `run` on the machine of `profile`. All missing files are reported together before anything starts.
    ///
    /// # Errors
    /// [`Error::Missing`]; [`Error::Program`] when there is no emulator; [`Error::Ended`] when it refuses its
    /// arguments.
    pub fn boot(profile: &Profile, run: &Run, logs: &Logs) -> Result<Self> {
        let kernel = run.kernel.iter().map(|path| ("kernel", path.as_path()));
        let fixed = kernel.chain(run.initramfs.iter().map(|path| ("initramfs", path.as_path())));
        require(fixed.chain(run.drives.iter().map(|d| (d.serial.as_str(), d.path.as_path()))))?;
        // The path of a socket is short (108 bytes), so it does not go beside the logs.
        let folder = tempfile::tempdir().map_err(Error::at(std::env::temp_dir()))?;
        let socket = folder.path().join("qmp");
        let listener = UnixListener::bind(&socket).map_err(Error::at(&socket))?;
        let mut command = tied(programs::emulator()?);
        command.args(arguments::arguments(profile, run, &socket)?);
        let mut guest = Self::spawn(command, logs)?;
        match Monitor::accept(&listener, &mut guest.service)? {
            Some(monitor) => guest.monitor = Some(monitor),
            None => {
                let reason = std::fs::read_to_string(logs.emulator()).unwrap_or_default();
                guest.history.extend(reason.lines().map(|line| seen(line.to_owned())));
                return Err(guest.ended("start of the emulator"));
            }
        }
        Ok(guest)
    }

    /// Reads any [`tied`] program's standard output as a console; the tests of the stream itself use it.
    ///
    /// # Errors
    /// [`Error::Io`] when the logs cannot be written, [`Error::Program`] when the program cannot be started.
    pub fn spawn(mut command: Command, logs: &Logs) -> Result<Self> {
        std::fs::create_dir_all(&logs.folder).map_err(Error::at(&logs.folder))?;
        let serial = create(&logs.serial())?;
        let times = create(&logs.times())?;
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(create(&logs.emulator())?);
        let started = Instant::now();
        let mut service = Service::start(command)?;
        let (sender, lines) = mpsc::channel();
        let console = service.child().stdout.take();
        std::thread::spawn(move || {
            if let Some(console) = console {
                read_console(console, serial, times, started, &sender);
            }
        });
        let keyboard = service.child().stdin.take();
        Ok(Self { service, keyboard, monitor: None, lines, history: Vec::new(), started, status: None })
    }

    /// Presses keys on the machine's console, as who has the host can.
    ///
    /// # Errors
    /// [`Error::Io`] when the machine has ended.
    pub fn press(&mut self, keys: &[u8]) -> Result<()> {
        let keyboard = self.keyboard.as_mut().ok_or_else(|| Error::format("guest", "a console"))?;
        keyboard.write_all(keys).and_then(|()| keyboard.flush()).map_err(Error::at("console"))
    }

    /// When the machine was started.
    #[must_use]
    pub fn started(&self) -> Instant {
        self.started
    }

    /// Every event that was returned so far.
    #[must_use]
    pub fn history(&self) -> &[Seen] {
        &self.history
    }

    /// The next line, the end of the machine, or the end of patience, whichever is first.
    ///
    /// # Errors
    /// [`Error::Io`] when the machine's end cannot be learnt.
    pub fn next(&mut self, deadline: Instant) -> Result<Next> {
        match self.lines.recv_timeout(deadline.saturating_duration_since(Instant::now())) {
            Ok(seen) => {
                self.history.push(seen.clone());
                Ok(Next::Event(seen))
            }
            Err(RecvTimeoutError::Timeout) => Ok(Next::Deadline),
            // The console is closed: the process has ended, or is about to.
            Err(RecvTimeoutError::Disconnected) => {
                let status = match self.status {
                    Some(status) => status,
                    None => self.service.child().wait().map_err(Error::at("emulator"))?,
                };
                self.status = Some(status);
                Ok(Next::Ended(status))
            }
        }
    }

    /// Waits for an event from here on; earlier ones are in [`Guest::history`]. `what` is named when it fails.
    ///
    /// # Errors
    /// [`Error::Ended`] as soon as the machine has ended without it, [`Error::Deadline`] when `limit` is over.
    pub fn wait_for(
        &mut self,
        what: &str,
        limit: Duration,
        mut wanted: impl FnMut(&Event) -> bool,
    ) -> Result<Seen> {
        let deadline = Instant::now() + limit;
        loop {
            match self.next(deadline)? {
                Next::Event(seen) if wanted(&seen.event) => return Ok(seen),
                Next::Event(_) => {}
                Next::Ended(_) => return Err(self.ended(what)),
                Next::Deadline => {
                    return Err(Error::Deadline { what: what.to_owned(), limit, last: self.tail() });
                }
            }
        }
    }

    /// Waits until the machine has ended by itself.
    ///
    /// # Errors
    /// [`Error::Deadline`] when it has not within `limit`.
    pub fn wait_end(&mut self, limit: Duration) -> Result<ExitStatus> {
        match self.wait_for("end of the machine", limit, |_| false) {
            Err(Error::Ended { .. }) => match self.next(Instant::now())? {
                Next::Ended(status) => Ok(status),
                _ => Err(self.ended("end of the machine")),
            },
            Err(error) => Err(error),
            // The predicate holds for no event.
            Ok(_) => Err(self.ended("end of the machine")),
        }
    }

    /// Cuts the power: no flush, no farewell.
    ///
    /// # Errors
    /// [`Error::Io`] when the emulator cannot be waited for.
    pub fn cut_power(&mut self) -> Result<()> {
        self.status = Some(self.service.kill()?);
        Ok(())
    }

    /// The port of 127.0.0.1 that leads to `port` of the guest.
    ///
    /// # Errors
    /// [`Error::Format`] when the profile forwards no such port.
    pub fn forwarded(&mut self, port: u16) -> Result<u16> {
        match &mut self.monitor {
            Some(monitor) => monitor.forwarded(port),
            None => Err(Error::format("guest", "an emulator")),
        }
    }

    /// Attaches a disk to the running machine.
    ///
    /// # Errors
    /// Those of [`arguments::hot_disk`]; [`Error::Format`] when the emulator refuses it.
    pub fn attach(&mut self, drive: &Drive) -> Result<()> {
        let [image, device] = arguments::hot_disk(drive)?;
        let monitor = self.monitor.as_mut().ok_or_else(|| Error::format("guest", "an emulator"))?;
        monitor.execute("blockdev-add", image)?;
        monitor.execute("device_add", device).map(drop)
    }

    /// The emulator's control socket.
    pub fn monitor(&mut self) -> Option<&mut Monitor> {
        self.monitor.as_mut()
    }

    fn ended(&mut self, what: &str) -> Error {
        let status = self.status.or_else(|| self.service.ended());
        let status = status.map_or_else(|| "unknown".to_owned(), |status| status.to_string());
        Error::Ended { what: what.to_owned(), status, last: self.tail() }
    }

    fn tail(&self) -> Vec<String> {
        let start = self.history.len().saturating_sub(TAIL);
        self.history[start..].iter().map(|seen| crate::report::line(&seen.event)).collect()
    }
}

fn seen(line: String) -> Seen {
    Seen { at: Instant::now(), event: Event::Console(line) }
}

fn create(path: &Path) -> Result<File> {
    File::create(path).map_err(Error::at(path))
}

/// Until the console closes: bytes to the log, lines to the channel. A log that cannot be written ends the run, since
/// its proof would be missing.
fn read_console(
    mut console: impl Read,
    mut serial: File,
    mut times: File,
    started: Instant,
    lines: &mpsc::Sender<Seen>,
) {
    let mut splitter = Lines::default();
    let mut buffer = [0; 8192];
    loop {
        let length = match console.read(&mut buffer) {
            Ok(0) => break,
            Ok(length) => length,
            Err(error) if error.kind() == std::io::ErrorKind::Interrupted => continue,
            Err(_) => break,
        };
        let at = Instant::now();
        let complete = splitter.feed(&buffer[..length]);
        let stamp = format!("{:.3}\n", at.duration_since(started).as_secs_f64()).repeat(complete.len());
        if serial.write_all(&buffer[..length]).and_then(|()| times.write_all(stamp.as_bytes())).is_err() {
            return;
        }
        for line in complete {
            // Nobody listens any more, but the log is still written.
            let _ = lines.send(Seen { at, event: Event::parse(&line) });
        }
    }
    if let Some(line) = splitter.finish() {
        // The machine ended in the middle of a line: half an interface line is no defect.
        let event = match Event::parse(&line) {
            Event::Malformed(line) => Event::Console(line),
            event => event,
        };
        let _ = lines.send(Seen { at: Instant::now(), event });
    }
}

#[cfg(test)]
mod tests;
