//! What the host stage may ask of the guest OS: network, log server, engine, units.
//!
//! As with [`crate::ports`], nothing here decides.

use std::net::IpAddr;
use std::path::Path;
use std::time::Duration;

use crate::error::Result;

/// The files of the handover.
pub trait Handover {
    /// Reads a file of the handover.
    fn read_file(&self, path: &Path) -> Result<Vec<u8>>;
    /// Writes a file that other programs of the guest OS read (mode 0644), replacing what was there.
    fn replace_file(&self, path: &Path, content: &[u8]) -> Result<()>;
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
    #[error("expected a server certificate issued by the authority in the contract")]
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
    /// Anything else in the TLS conversation.
    #[error("expected a tls 1.2 or newer conversation")]
    Protocol,
}

/// Who the server turned out to be, after its certificate was verified.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogPeer {
    /// DNS names of its certificate: the alternative names, or the common name where there are none.
    pub names: Vec<String>,
    /// SHA-256 of its certificate, lowercase hexadecimal.
    pub fingerprint: String,
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
    ) -> std::result::Result<LogPeer, ProbeError>;
}

/// The container engine and its compose program.
pub trait Engine {
    /// Pulls one image.
    fn pull(&self, image: &str, credentials: &Path, authorities: Option<&Path>) -> Result<()>;
    /// Starts a compose project whose images are present; nothing is pulled or built.
    fn compose_up(&self, project: &str, folder: &Path, file: &Path) -> Result<()>;
    /// The project's containers, running or not, as the engine's interface lists them: JSON, at most 1 MiB.
    fn containers(&self, project: &str) -> Result<Vec<u8>>;
}

/// What the daemon looks at beside tables, devices and mounts.
pub trait Inspection {
    /// Bytes in the files of a folder, folders in it left out; 0 where it does not exist.
    fn folder_bytes(&self, folder: &Path) -> Result<u64>;
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

/// Everything that the daemon needs of the machine.
pub trait Watched:
    Host + crate::ports::Luks + crate::ports::Disks + crate::ports::Mounts + Inspection
{
}

impl<T> Watched for T where
    T: Host + crate::ports::Luks + crate::ports::Disks + crate::ports::Mounts + Inspection
{
}

/// Everything the host stage needs.
pub trait Host:
    crate::ports::Report + crate::ports::Platform + Handover + Network + LogServer + Engine
{
}

impl<T> Host for T where
    T: crate::ports::Report + crate::ports::Platform + Handover + Network + LogServer + Engine
{
}
