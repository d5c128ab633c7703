//! A second machine on a guest's link, played by `tests/neighbour.py`: a tap device in a network namespace of its own,
//! from which it connects to the guest and sends it crafted packets.

use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{ChildStdin, ChildStdout, Stdio};

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::error::{Error, Result};
use crate::process::{Service, tied};
use crate::profile::checkout;

/// A running neighbour; it ends when dropped.
#[derive(Debug)]
pub struct Neighbour {
    _service: Service,
    requests: ChildStdin,
    answers: BufReader<ChildStdout>,
    folder: TempDir,
}

impl Neighbour {
    /// Starts one with these addresses, each with the length of its network.
    ///
    /// # Errors
    /// [`Error::Io`], [`Error::Program`]; [`Error::Format`] when it ends before it is ready, and says why on standard
    /// error.
    pub fn start(addresses: &[&str]) -> Result<Self> {
        // The path of a socket is short (108 bytes), so it does not go into the world's folder.
        let folder = tempfile::tempdir().map_err(Error::at(std::env::temp_dir()))?;
        let mut command = tied("unshare");
        // Without root, root of a namespace of users.
        if !nix::unistd::geteuid().is_root() {
            command.args(["--user", "--map-root-user"]);
        }
        command.args(["--net", "python3"]).arg(checkout().join("tests/neighbour.py")).arg(folder.path());
        command.args(addresses).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut service = Service::start(command)?;
        let (Some(requests), Some(answers)) = (service.child().stdin.take(), service.child().stdout.take())
        else {
            return Err(Error::format("neighbour", "pipes to it"));
        };
        let answers = BufReader::new(answers);
        let mut neighbour = Self { _service: service, requests, answers, folder };
        neighbour.answer()?;
        Ok(neighbour)
    }

    /// The folder with the sockets of the link, for [`crate::arguments::Run::link`].
    #[must_use]
    pub fn link(&self) -> &Path {
        self.folder.path()
    }

    /// What the neighbour does (the head of `tests/neighbour.py` lists it), and its answer.
    ///
    /// # Errors
    /// [`Error::Format`] when it does not answer.
    pub fn ask(&mut self, request: &Value) -> Result<Value> {
        writeln!(self.requests, "{request}").map_err(Error::at("neighbour"))?;
        self.answer()
    }

    /// The first line that a service says to the neighbour; `bound` in seconds.
    ///
    /// # Errors
    /// [`Error::Format`] when nobody takes the connection, with the reason.
    pub fn hello(&mut self, address: &str, port: u16, bound: u64) -> Result<String> {
        let answer = self.ask(&json!({"hello": [address, port], "bound": bound}))?;
        let said = answer["said"].as_str().map(str::to_owned);
        said.ok_or_else(|| Error::format(format!("{address} port {port}"), answer["error"].to_string()))
    }

    fn answer(&mut self) -> Result<Value> {
        let mut line = String::new();
        self.answers.read_line(&mut line).map_err(Error::at("neighbour"))?;
        serde_json::from_str(&line).map_err(|_| Error::format("neighbour", "an answer in JSON"))
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::net::UnixDatagram;
    use std::time::Duration;

    use super::*;

    /// The other end of the link is a socket here: a frame comes for each packet, with the crafted source.
    #[test]
    fn what_the_neighbour_sends_arrives_as_frames() {
        let mut neighbour = Neighbour::start(&["192.0.2.1/24"]).unwrap();
        let guest = UnixDatagram::bind(neighbour.link().join("guest")).unwrap();
        guest.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
        neighbour.ask(&json!({"tell": ["192.0.2.2", 9], "text": "x"})).unwrap();
        let mut frame = [0; 2048];
        // The guest is asked for its address, and does not answer.
        let size = loop {
            let size = guest.recv(&mut frame).unwrap();
            if frame[12..14] == [0x08, 0x06] {
                break size;
            }
        };
        assert_eq!((&frame[28..32], &frame[38..42]), (&[192, 0, 2, 1][..], &[192, 0, 2, 2][..]), "{size}");
        let answer = neighbour.ask(&json!({"sources": true})).unwrap();
        assert_eq!(answer, json!({"sources": []}));
    }
}
