//! The listener: who may connect, how many at once, what becomes of each conversation.
//!
//! A thread a conversation; RFC 5425 over TLS with client certificates ([`tls`]). Whoever has not shown a certificate
//! gets [`Limits::handshake`] and one of [`PENDING`] places; where those are taken the oldest of the address that has
//! most gives way, so that one host with many silent connections does not keep guests out. Whoever has shown one gets
//! one of [`CONVERSATIONS`] places, [`PER_CLIENT`] of them at most under the same certificate.

pub mod conversation;
mod places;
pub mod stop;
pub mod tls;

use std::io;
use std::net::{IpAddr, SocketAddr, TcpListener, TcpStream};
use std::os::fd::AsFd;
use std::sync::Arc;
use std::time::Duration;

use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::socket::{setsockopt, sockopt};

use crate::desk::Desk;
use conversation::{Ended, Sink, converse, reset_on_close};
use places::Places;
use stop::Stop;
use tls::{Refused, Server};

/// How long a client may keep the listener waiting.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// For the whole of a handshake.
    pub handshake: Duration,
    /// Inside a record. Between two records a client may be silent as long as it likes: a guest is.
    pub stalled: Duration,
}

impl Default for Limits {
    fn default() -> Limits {
        Limits { handshake: Duration::from_secs(10), stalled: Duration::from_secs(60) }
    }
}

/// Connections that have shown no certificate yet.
pub const PENDING: usize = 64;
/// Conversations at once.
pub const CONVERSATIONS: usize = 256;
/// Conversations at once under one certificate.
pub const PER_CLIENT: usize = 128;
/// The stack of a thread: a conversation holds 16 KiB on it.
const STACK: usize = 256 << 10;

/// Why a conversation did not take place, or ended other than in order.
#[derive(Debug)]
pub enum Trouble {
    /// The client was refused.
    Refused(Refused),
    /// Too many at once, in all or under its certificate.
    Crowd,
    /// How it ended.
    Ended(Ended),
    /// The server's own files changed and cannot be used; the old ones go on.
    Files(String),
}

/// A listener on some addresses.
#[derive(Debug)]
pub struct Listener {
    sockets: Vec<TcpListener>,
    server: Server,
    desk: Arc<Desk>,
    stop: Arc<Stop>,
    places: Arc<Places>,
    limits: Limits,
}

/// Sockets at some addresses: who connects waits there until a [`Listener`] takes them.
///
/// # Errors
/// An address cannot be had.
pub fn bind(addresses: &[SocketAddr]) -> io::Result<Vec<TcpListener>> {
    let mut sockets = Vec::new();
    for address in addresses {
        let socket = TcpListener::bind(address)
            .map_err(|error| io::Error::new(error.kind(), format!("{address}: {error}")))?;
        socket.set_nonblocking(true)?;
        sockets.push(socket);
    }
    Ok(sockets)
}

impl Listener {
    /// Takes who connects to these sockets.
    pub fn new(
        sockets: Vec<TcpListener>,
        server: Server,
        desk: Arc<Desk>,
        stop: Arc<Stop>,
        limits: Limits,
    ) -> Arc<Listener> {
        Arc::new(Listener { sockets, server, desk, stop, places: Arc::new(Places::default()), limits })
    }

    /// Where it listens.
    ///
    /// # Errors
    /// The system does not say.
    pub fn addresses(&self) -> io::Result<Vec<SocketAddr>> {
        self.sockets.iter().map(TcpListener::local_addr).collect()
    }

    /// Takes conversations until it is stopped; then all of them are reset, so that nothing counts that is not on disk.
    pub fn run(self: &Arc<Self>) {
        while !self.stop.is_now() {
            let flags = PollFlags::POLLIN;
            let mut watched: Vec<_> =
                self.sockets.iter().map(|one| PollFd::new(one.as_fd(), flags)).collect();
            watched.push(PollFd::new(self.stop.descriptor(), flags));
            match poll(&mut watched, PollTimeout::NONE) {
                Ok(_) | Err(Errno::EINTR) => {}
                Err(_) => break,
            }
            for socket in &self.sockets {
                self.accept_all(socket);
            }
        }
        self.places.wait_until_empty();
    }

    fn accept_all(self: &Arc<Self>, socket: &TcpListener) {
        loop {
            match socket.accept() {
                Ok((connection, address)) => self.begin(connection, address.ip().to_canonical()),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(_) => {
                    // No descriptors are left, or the connection is gone: a moment, or until we are stopped.
                    let mut stopped = [PollFd::new(self.stop.descriptor(), PollFlags::POLLIN)];
                    let _ = poll(&mut stopped, 100_u8);
                    return;
                }
            }
        }
    }

    /// A thread for a connection.
    fn begin(self: &Arc<Self>, connection: TcpStream, from: IpAddr) {
        let prepared = reset_on_close(&connection, true)
            .and_then(|()| setsockopt(&connection.as_fd(), sockopt::KeepAlive, &true));
        if prepared.is_err() || connection.set_nonblocking(true).is_err() {
            return;
        }
        let Ok(place) = connection.try_clone().map(|copy| Places::pending(&self.places, from, copy)) else {
            return;
        };
        let listener = Arc::clone(self);
        let thread = std::thread::Builder::new().name("conversation".into()).stack_size(STACK);
        // Without a thread the connection is reset, and the place is free.
        let _ = thread.spawn(move || {
            let mut place = place;
            if let Err(trouble) = listener.attend(connection, from, &mut place) {
                listener.desk.trouble(from, place.client(), &trouble);
            }
        });
    }

    fn attend(&self, connection: TcpStream, from: IpAddr, place: &mut places::Place) -> Result<(), Trouble> {
        let within = self.limits.handshake;
        let told = |error: &anyhow::Error| self.desk.trouble(from, "", &Trouble::Files(format!("{error:#}")));
        let session = match self.server.accept(connection, within, &self.stop, told) {
            Ok(session) => session,
            Err(_) if self.stop.is_now() => return Ok(()),
            Err(_) if place.gave_way() => return Err(Trouble::Crowd),
            Err(refused) => return Err(Trouble::Refused(refused)),
        };
        if !place.take_seat(&session.client) {
            return Err(Trouble::Crowd);
        }
        let client = session.client.clone();
        let mut sink = self.desk.sink(&client);
        match converse(session, &mut sink as &mut dyn Sink, &self.stop, self.limits.stalled) {
            Ended::Whole | Ended::Stopped => Ok(()),
            ended => Err(Trouble::Ended(ended)),
        }
    }
}
