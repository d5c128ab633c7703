//! The emulator's control socket, QMP: one JSON object a line (QEMU's `docs/interop/qmp-spec`).
//!
//! QEMU connects to us, so there is no moment at which the socket is not there yet.

use std::io::{BufRead, BufReader, Write};
use std::os::fd::AsFd;
use std::os::unix::net::{UnixListener, UnixStream};
use std::time::Duration;

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use serde_json::{Value, json};

use crate::error::{Error, Result};
use crate::process::Service;

/// An answer later than this means that the emulator hangs.
const PATIENCE: Duration = Duration::from_secs(20);

/// How often a connection that does not come is weighed against an emulator that has died, in milliseconds.
const LIVENESS: u8 = 100;

/// A connection on which commands can be given.
#[derive(Debug)]
pub struct Monitor {
    stream: BufReader<UnixStream>,
}

impl Monitor {
    /// Waits until the emulator connects; nothing if it ends instead.
    pub(super) fn accept(listener: &UnixListener, emulator: &mut Service) -> Result<Option<Self>> {
        let place = "the emulator's control socket";
        let failed = |error: nix::Error| Error::Io { place: place.into(), source: error.into() };
        loop {
            let mut waiting = [PollFd::new(listener.as_fd(), PollFlags::POLLIN)];
            match poll(&mut waiting, PollTimeout::from(LIVENESS)) {
                Ok(0) if emulator.ended().is_some() => return Ok(None),
                Ok(0) | Err(nix::Error::EINTR) => {}
                Ok(_) => break,
                Err(error) => return Err(failed(error)),
            }
        }
        let (stream, _) = listener.accept().map_err(Error::at(place))?;
        stream.set_read_timeout(Some(PATIENCE)).map_err(Error::at(place))?;
        let mut monitor = Self { stream: BufReader::new(stream) };
        // An emulator that refuses its arguments may have connected first.
        if monitor.receive().is_err() || monitor.execute("qmp_capabilities", json!({})).is_err() {
            return if emulator.child().wait().is_ok() {
                Ok(None)
            } else {
                Err(Error::format(place, "a greeting"))
            };
        }
        Ok(Some(monitor))
    }

    /// Gives a command and returns its answer.
    ///
    /// # Errors
    /// [`Error::Format`] when the emulator refuses it, [`Error::Io`] when it has gone.
    pub fn execute(&mut self, command: &str, arguments: Value) -> Result<Value> {
        let mut line = json!({ "execute": command, "arguments": arguments }).to_string();
        line.push('\n');
        self.stream.get_mut().write_all(line.as_bytes()).map_err(Error::at(command))?;
        loop {
            let mut answer = self.receive()?;
            if let Some(error) = answer.get("error") {
                return Err(Error::format(command, format!("an answer, not {error}")));
            }
            if let Some(value) = answer.get_mut("return") {
                return Ok(value.take());
            }
            // Anything else is an event of the machine.
        }
    }

    /// The host's port that leads to `port` of the guest.
    pub(super) fn forwarded(&mut self, port: u16) -> Result<u16> {
        let answer = self.execute("human-monitor-command", json!({ "command-line": "info usernet" }))?;
        answer.as_str().and_then(|table| host_port(table, port)).ok_or_else(|| {
            Error::format("network", format!("port {port} of the guest among the forwarded ones"))
        })
    }

    fn receive(&mut self) -> Result<Value> {
        let place = "the emulator's control socket";
        let mut line = String::new();
        if self.stream.read_line(&mut line).map_err(Error::at(place))? == 0 {
            return Err(Error::format(place, "an answer before its end"));
        }
        serde_json::from_str(&line).map_err(|_| Error::format(place, "JSON"))
    }
}

/// Finds the host's side in the emulator's table of connections.
fn host_port(table: &str, guest_port: u16) -> Option<u16> {
    table.lines().find_map(|line| {
        let columns: Vec<_> = line.split_ascii_whitespace().collect();
        match columns[..] {
            ["TCP[HOST_FORWARD]", _, "127.0.0.1", host, _, guest, ..] if guest.parse() == Ok(guest_port) => {
                host.parse().ok()
            }
            _ => None,
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_of_connections_is_read() {
        let table = "Hub -1 (net0):\n  Protocol[State]    FD  Source Address  Port   Dest. Address  Port RecvQ SendQ\n\
             \x20 TCP[ESTABLISHED]  11       127.0.0.1 1        10.0.2.15  8080     0     0\n\
             \x20 TCP[HOST_FORWARD]   8       127.0.0.1 45509       10.0.2.15  8080     0     0\n";
        assert_eq!(host_port(table, 8080), Some(45509));
        assert_eq!(host_port(table, 80), None);
    }
}
