//! The forwarder's two ends: `journalctl` as a child, and a conversation with the log server.
//!
//! One thread waits for both, and for SIGTERM and SIGINT, which are only remembered (signalfd(2)): nothing is cut short
//! by them.

use std::io;
use std::os::fd::AsFd;
use std::time::{Duration, Instant};

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::signal::{SigSet, Signal};
use nix::sys::signalfd::{SfdFlags, SignalFd};
use sd_notify::NotifyState;

use super::log_server::{self, Conversation};
use super::programs::{self, Program, Reader};
use countersign_ports::error::{Result, SystemError};
use countersign_ports::guest_os::{Arrival, ConnectionError, Ending, Forwarder, LogTarget, Reading};

/// The forwarder of a Linux process; there is one.
#[derive(Debug)]
pub struct LinuxForwarder {
    signals: SignalFd,
    journal: Option<Reader>,
    conversation: Option<Conversation>,
}

impl LinuxForwarder {
    /// Takes over the signals: from now on they are remembered until the next wait. To be called before the first
    /// other thread.
    ///
    /// # Errors
    /// The operating system has no descriptor left.
    pub fn new() -> Result<LinuxForwarder> {
        let mask: SigSet = [Signal::SIGTERM, Signal::SIGINT].into_iter().collect();
        let take = || {
            mask.thread_block()?;
            SignalFd::with_flags(&mask, SfdFlags::SFD_NONBLOCK | SfdFlags::SFD_CLOEXEC)
        };
        let signals = take().map_err(|error| SystemError::io("wait for", "signals", error))?;
        Ok(LinuxForwarder { signals, journal: None, conversation: None })
    }

    /// What is there, without waiting.
    fn arrived(&mut self, buffer: &mut [u8]) -> io::Result<Option<Arrival>> {
        if self.signals.read_signal()?.is_some() {
            return Ok(Some(Arrival::Ended));
        }
        // Before the journal: what would be read from it could not be sent.
        if let Some(Err(error)) = self.conversation.as_mut().map(Conversation::listen) {
            return Ok(Some(Arrival::HungUp(error)));
        }
        let Some(journal) = &mut self.journal else { return Ok(None) };
        Ok(match journal.read(buffer)? {
            Some(0) => {
                let ended = self.journal.take().map_or(Ok(()), Reader::ended);
                Some(Arrival::EndOfJournal(ended.err()))
            }
            count => count.map(Arrival::Journal),
        })
    }

    fn wait_until(&mut self, buffer: &mut [u8], deadline: Option<Instant>) -> io::Result<Arrival> {
        loop {
            if let Some(arrival) = self.arrived(buffer)? {
                return Ok(arrival);
            }
            let rest = deadline.map_or(Duration::MAX, |end| end.saturating_duration_since(Instant::now()));
            if rest.is_zero() {
                return Ok(Arrival::Due);
            }
            self.poll(rest)?;
        }
    }

    fn poll(&self, time: Duration) -> io::Result<()> {
        let journal = self.journal.iter().flat_map(Reader::descriptors);
        let server = self.conversation.iter().map(Conversation::descriptor);
        let mut watched: Vec<PollFd<'_>> = std::iter::once(self.signals.as_fd())
            .chain(journal)
            .chain(server)
            .map(|descriptor| PollFd::new(descriptor, PollFlags::POLLIN))
            .collect();
        let milliseconds = i32::try_from(time.as_micros().div_ceil(1000)).unwrap_or(i32::MAX);
        match poll(&mut watched, PollTimeout::try_from(milliseconds).unwrap_or(PollTimeout::MAX)) {
            Ok(_) | Err(nix::Error::EINTR) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }
}

impl Forwarder for LinuxForwarder {
    fn open_journal(&mut self, after: Option<&str>, reading: Reading, fields: &str) -> Result<()> {
        self.journal = None;
        let following: &[&str] = match reading {
            // Alone it would begin with the last ten entries.
            Reading::Following => &["--follow", "--no-tail"],
            Reading::ToTheEnd => &[],
        };
        let journal = Program::new(programs::find("journalctl")?)
            // Merged, because otherwise it wants to know this boot's id, which the unit does not let it see.
            .arguments(["--quiet", "--no-pager", "--merge", "--output=export"])
            .arguments([format!("--output-fields={fields}")])
            .arguments(following)
            .arguments(after.map(|cursor| format!("--after-cursor={cursor}")))
            .start()?;
        self.journal = Some(journal);
        Ok(())
    }

    fn close_journal(&mut self) {
        self.journal = None;
    }

    fn connect(&mut self, target: &LogTarget, timeout: Duration) -> std::result::Result<(), ConnectionError> {
        self.conversation = None;
        self.conversation = Some(log_server::connect(target, Instant::now() + timeout)?);
        Ok(())
    }

    fn send(&mut self, bytes: &[u8], timeout: Duration) -> std::result::Result<(), ConnectionError> {
        let conversation = self.conversation.as_mut().ok_or(ConnectionError::HungUp)?;
        conversation.write(bytes, Instant::now() + timeout)
    }

    fn finish(
        &mut self,
        timeout: Duration,
        patience: Option<Duration>,
    ) -> std::result::Result<Ending, ConnectionError> {
        let conversation = self.conversation.take().ok_or(ConnectionError::HungUp)?;
        conversation.finish(Instant::now() + timeout, patience)
    }

    fn disconnect(&mut self) {
        self.conversation = None;
    }

    fn wait(&mut self, buffer: &mut [u8], time: Duration) -> Arrival {
        let arrival = self.wait_until(buffer, Instant::now().checked_add(time));
        arrival.unwrap_or_else(|error| Arrival::EndOfJournal(Some(error.to_string())))
    }

    fn ready(&mut self) {
        tell(NotifyState::Ready);
    }

    fn status(&mut self, text: &str) {
        tell(NotifyState::Status(text));
    }
}

/// Without a service manager nobody listens, and nobody has to.
fn tell(state: NotifyState<'_>) {
    let _ = sd_notify::notify(&[state]);
}
