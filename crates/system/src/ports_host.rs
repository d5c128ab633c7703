//! What the host stage may ask of the guest OS: network, log server, engine, units.
//!
//! As with [`crate::ports`], nothing here decides.

use std::net::IpAddr;
use std::path::Path;
use std::time::Duration;

use countersign_crypto::secret::{AccessToken, SecretBytes};

use crate::error::Result;

/// The files of the handover.
pub trait Handover {
    /// Reads a file of the handover.
    fn read_file(&self, path: &Path) -> Result<Vec<u8>>;
    /// Writes a file that other programs of the guest OS read (mode 0644), replacing what was there.
    fn replace_file(&self, path: &Path, content: &[u8]) -> Result<()>;
    /// Overwrites a file that lies in memory with zeros, where it lies, and removes it. One that is not there is no
    /// error.
    fn erase_file(&self, path: &Path) -> Result<()>;
}

/// The network, configured by systemd-networkd.
pub trait Network {
    /// Waits until an interface other than loopback has an address with a route, or `timeout` has passed; the
    /// addresses found.
    fn wait_for_address(&self, timeout: Duration) -> Result<Vec<IpAddr>>;
    /// Name servers that networkd learned.
    fn name_servers(&self) -> Result<Vec<IpAddr>>;
    /// Domains that are tried for short names.
    fn search_domains(&self) -> Result<Vec<String>>;
    /// Waits until the kernel announces a change of links, addresses or routes, or `timeout` has passed.
    fn wait_for_change(&self, timeout: Duration) -> Result<()>;
    /// Resolves a host name by the system's resolver, or parses an address.
    fn resolve(&self, hostname: &str) -> Result<Vec<IpAddr>>;
}

/// A log server and what is needed to talk to it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogTarget {
    /// Host name or IP address; the server's certificate must carry it.
    pub hostname: String,
    /// TCP port.
    pub port: u16,
    /// PEM file with the accepted authorities.
    pub ca: String,
    /// PEM file with the client's certificate.
    pub certificate: String,
    /// PEM file with the client's private key.
    pub key: String,
}

/// Why a log server did not accept a record. No variant holds anything the server sent.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ProbeError {
    /// The host name does not resolve.
    #[error("expected the log server's host name to resolve")]
    NameResolution,
    /// No TCP connection.
    #[error("expected the log server to accept a connection")]
    Unreachable,
    /// The chain does not end in an accepted authority.
    #[error("expected a server certificate issued by an accepted authority")]
    Untrusted,
    /// The certificate carries another name.
    #[error("expected a server certificate with the log server's name or address")]
    NameMismatch,
    /// The certificate is not valid now.
    #[error("expected a server certificate that is valid now")]
    NotValidNow,
    /// A signature digest or key that is too weak.
    #[error("expected a server certificate signed with sha-256 or stronger")]
    Weak,
    /// The server does not take our certificate.
    #[error("expected the log server to accept the client certificate in the contract")]
    ClientRefused,
    /// The client's own files do not fit together.
    #[error("expected a client certificate and its private key")]
    ClientFiles,
    /// The server ended the conversation before it had read all of it.
    #[error("expected the log server to read what was sent")]
    HungUp,
    /// The server did not take or answer anything for too long.
    #[error("expected the log server to answer in time")]
    Silent,
    /// Anything else in the TLS conversation.
    #[error("expected a tls 1.2 or newer conversation")]
    Protocol,
}

/// The log server.
pub trait LogServer {
    /// Sends records (RFC 5424 messages without their frames) over mutually authenticated TLS, then closes and
    /// waits for the server's end of the conversation, so that a refused client certificate is seen.
    fn send(
        &self,
        target: &LogTarget,
        records: &[String],
        timeout: Duration,
    ) -> std::result::Result<(), ProbeError>;
}

/// A request over HTTPS.
#[derive(Debug, Clone, Copy)]
pub struct Post<'p> {
    /// Host name or IP address; the server's certificate must carry it.
    pub hostname: &'p str,
    /// TCP port.
    pub port: u16,
    /// PEM file with the accepted authorities.
    pub ca: &'p str,
    /// Absolute path on the server.
    pub path: &'p str,
    /// Type of the body.
    pub content_type: &'p str,
    /// Who asks; printable ASCII without spaces.
    pub bearer: Option<&'p AccessToken>,
    /// The body.
    pub body: &'p [u8],
}

/// An answer over HTTPS, all of which has arrived.
#[derive(Debug)]
pub struct Answer {
    /// Status.
    pub status: u16,
    /// After how long asking again makes sense, where the server says that in seconds.
    pub retry_after: Option<Duration>,
    /// Body, 64 KiB at most.
    pub body: SecretBytes,
}

/// Requests over HTTPS.
pub trait Https {
    /// Makes a request over a connection of its own, without following redirections. Errors say what was wrong with the
    /// connection; every whole answer is one.
    fn post(&self, post: &Post<'_>, timeout: Duration) -> std::result::Result<Answer, ProbeError>;
}

/// The container engine and its compose program.
pub trait Engine {
    /// Pulls one image; an error of the kind [`std::io::ErrorKind::TimedOut`] where it is not there after `timeout`.
    fn pull(
        &self,
        image: &str,
        credentials: &Path,
        authorities: Option<&Path>,
        timeout: Duration,
    ) -> Result<()>;
    /// Starts a compose project whose images are present; nothing is pulled or built. The compose program is started with
    /// this environment and nothing else; an error of the kind [`std::io::ErrorKind::TimedOut`] where it has not ended
    /// after `timeout`.
    fn compose_up(
        &self,
        project: &str,
        folder: &Path,
        file: &Path,
        environment: &[(&str, &str)],
        timeout: Duration,
    ) -> Result<()>;
    /// The project's containers, running or not, as the engine's interface lists them: JSON, at most 1 MiB.
    fn containers(&self, project: &str) -> Result<Vec<u8>>;
}

/// Why the daemon goes on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wake {
    /// The time is over.
    Due,
    /// Somebody asks for a check.
    Demanded,
    /// The daemon has to end.
    Ended,
}

/// The daemon's clockwork: waits, and tells the service manager that it lives.
pub trait Alarm {
    /// The first check is over.
    fn ready(&mut self);
    /// One line for people who look at the unit.
    fn status(&mut self, text: &str);
    /// Whether a line of the journal would be noticed that asks for a check.
    fn hears(&self) -> bool;
    /// Waits for the time or for somebody.
    fn wait(&mut self, time: Duration) -> Wake;
}

/// How the journal is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reading {
    /// Entries that will be written are waited for.
    Following,
    /// It ends with the last entry that is there.
    ToTheEnd,
}

/// What the forwarder has waited for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Arrival {
    /// So many bytes of the journal.
    Journal(usize),
    /// The journal has been read to its end, or, for this reason, can be read no further.
    EndOfJournal(Option<String>),
    /// The log server has ended the conversation, for this reason if it gave one.
    HungUp(ProbeError),
    /// The time is over.
    Due,
    /// The forwarder has to end.
    Ended,
}

/// How a conversation with the log server ended in order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ending {
    /// The server answered our goodbye: its program has read everything.
    Answered,
    /// It did not, and closed when our half of the connection was closed: so does a server without close_notify, and a
    /// connection whose peer has vanished.
    Closed,
}

/// The forwarder's two ends, and its words to the service manager. At most one journal is open and one conversation
/// going on.
pub trait Forwarder {
    /// Opens the journal behind the entry with this cursor, or at its beginning; its bytes are those of
    /// `journalctl --output=export`, with these fields.
    fn open_journal(&mut self, after: Option<&str>, reading: Reading, fields: &str) -> Result<()>;
    /// Closes the journal, if it is open.
    fn close_journal(&mut self);
    /// Begins a conversation with the log server, which may take this long.
    fn connect(&mut self, target: &LogTarget, timeout: Duration) -> std::result::Result<(), ProbeError>;
    /// Hands bytes over; returns when the kernel has taken them, which may take this long.
    fn send(&mut self, bytes: &[u8], timeout: Duration) -> std::result::Result<(), ProbeError>;
    /// Ends the conversation, which may take this long. Our half of the connection stays open until the server has
    /// closed its own, or `patience` is over.
    fn finish(
        &mut self,
        timeout: Duration,
        patience: Option<Duration>,
    ) -> std::result::Result<Ending, ProbeError>;
    /// Breaks the conversation off, if there is one.
    fn disconnect(&mut self);
    /// Waits for whatever comes first; bytes of the journal go to `buffer`.
    fn wait(&mut self, buffer: &mut [u8], time: Duration) -> Arrival;
    /// Forwarding has begun.
    fn ready(&mut self);
    /// One line for people who look at the unit.
    fn status(&mut self, text: &str);
}

/// Everything that the daemon needs of the machine.
pub trait Watched: Host + crate::ports::Luks + crate::ports::Disks + crate::ports::Mounts {}

impl<T> Watched for T where T: Host + crate::ports::Luks + crate::ports::Disks + crate::ports::Mounts {}

/// Everything the host stage needs.
pub trait Host:
    crate::ports::Report + crate::ports::Platform + Handover + Network + LogServer + Https + Engine
{
}

impl<T> Host for T where
    T: crate::ports::Report + crate::ports::Platform + Handover + Network + LogServer + Https + Engine
{
}
