//! What the units of the guest OS may ask of it: network, log server, engine, notes.

mod alarm;
mod engine;
mod files;
mod forwarder;
mod log_server;
mod network;

pub use alarm::{Alarm, Wake};
pub use countersign_crypto::tls::ConnectionError;
pub use engine::{ComposeProject, Containers, Engine, EngineAnswer, Whose};
pub use files::{GuestFiles, HANDOVER, Notes, PUBLISHED};
pub use forwarder::{Arrival, Ending, Forwarder, Reading};
pub use log_server::{Answer, ClientFiles, Https, LogServer, LogTarget, Post};
pub use network::{Network, PacketFilter};

use crate::{Clock, Disks, Mounts, Report, Tables};

/// Everything that the stages of the guest OS need of it. There is no way to load a module or to open a volume.
pub trait GuestOs:
    Report + Clock + Notes + GuestFiles + PacketFilter + Network + LogServer + Https + Engine + Containers + Sync
{
}

impl<T> GuestOs for T where
    T: Report
        + Clock
        + Notes
        + GuestFiles
        + PacketFilter
        + Network
        + LogServer
        + Https
        + Engine
        + Containers
        + Sync
{
}

/// Everything that the daemon needs. It can say lines and keep its notes; there is no way to change anything else.
///
/// It reads disks:
///
/// ```
/// fn look<S: countersign_ports::guest_os::Watched>(system: &S) {
///     let _ = system.read("/dev/vdb".as_ref(), 0, 512);
/// }
/// ```
///
/// and cannot write them, open a volume or start anything:
///
/// ```compile_fail
/// fn act<S: countersign_ports::guest_os::Watched>(system: &S) {
///     let _ = system.write_disk("/dev/vdb".as_ref(), 0, &[0]);
/// }
/// ```
pub trait Watched: Report + Clock + Notes + Containers + Disks + Tables + Mounts {}

impl<T> Watched for T where T: Report + Clock + Notes + Containers + Disks + Tables + Mounts {}
