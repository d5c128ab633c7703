//! One conversation with the log server, and what its end tells.
//!
//! Syslog over TLS has no acknowledgement of records. That the server's program has read all of them follows from the
//! way in which the conversation ends:
//!
//! 1. We say goodbye (TLS `close_notify`), but keep our half of the connection open.
//! 2. The server reads up to our goodbye and closes. If its program had bytes unread when it closed, or bytes come
//!    after that, its kernel answers with a reset (RFC 9293 section 3.6.1, RFC 1122 section 4.2.2.13).
//! 3. Only when the server's end has come do we close our half. The acknowledgement of that is the last thing that
//!    can still be a reset: a kernel that threw bytes away has forgotten the connection.
//!
//! Closing our half earlier would leave a moment in which a reset goes unseen, since a connection that both sides have
//! closed reports none. For the same reason we wait a moment before step 3: some programs (syslog-ng) end both halves
//! and close the socket one system call later, and only then does the kernel reset what they had not read.
//!
//! What the server's program does with what it has read is its own affair.

use std::io::{self, Read};
use std::net::{Shutdown, TcpStream};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd};
use std::time::{Duration, Instant};

use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::epoll::{Epoll, EpollCreateFlags, EpollEvent, EpollFlags, EpollTimeout};
use openssl::ssl::{ErrorCode, SslStream};

use super::Result;
use crate::tls::{is_closed, is_over, refusal, rest, wait, wait_or_refuse};
use countersign_ports::guest_os::{ConnectionError, Ending};

/// How long a reset may follow the server's end.
const AFTERMATH: Duration = Duration::from_millis(100);

/// A conversation whose handshake is over.
#[derive(Debug)]
pub(crate) struct Conversation {
    stream: SslStream<TcpStream>,
}

impl Conversation {
    /// Goes on behind the handshake; the socket does not block.
    pub(super) fn new(stream: SslStream<TcpStream>) -> Conversation {
        Conversation { stream }
    }

    /// What becomes readable when the server says something or leaves.
    pub(crate) fn descriptor(&self) -> BorrowedFd<'_> {
        self.stream.get_ref().as_fd()
    }

    /// Takes in what the server has said, without waiting.
    ///
    /// # Errors
    /// It has said goodbye or is gone.
    pub(crate) fn listen(&mut self) -> Result<()> {
        let mut ignored = [0; 4096];
        loop {
            match self.stream.ssl_read(&mut ignored) {
                // A log server has nothing to say.
                Ok(_) => {}
                Err(error) if matches!(error.code(), ErrorCode::WANT_READ | ErrorCode::WANT_WRITE) => {
                    return Ok(());
                }
                Err(error) if is_over(&error) || is_closed(&error) => return Err(ConnectionError::HungUp),
                Err(error) => return Err(refusal(self.stream.ssl(), &error)),
            }
        }
    }

    /// Hands bytes over to the kernel.
    ///
    /// # Errors
    /// The server has hung up, or does not read in time.
    pub(crate) fn write(&mut self, mut bytes: &[u8], deadline: Instant) -> Result<()> {
        while !bytes.is_empty() {
            match self.stream.ssl_write(bytes) {
                Ok(written) => bytes = &bytes[written..],
                Err(error) if is_closed(&error) => return Err(self.hung_up(deadline)),
                Err(error) => wait_or_refuse(&self.stream, &error, deadline)?,
            }
        }
        Ok(())
    }

    /// Says goodbye and hears the server out; our half of the connection stays open until the server has closed its
    /// own, or `patience` is over.
    ///
    /// # Errors
    /// It complained, or hung up on us, or did not end in time.
    pub(crate) fn finish(mut self, deadline: Instant, patience: Option<Duration>) -> Result<Ending> {
        loop {
            match self.stream.shutdown() {
                Ok(_) => break,
                Err(error) if is_closed(&error) => return Err(self.hung_up(deadline)),
                Err(error) => wait_or_refuse(&self.stream, &error, deadline)?,
            }
        }
        let patient = patience.map_or(deadline, |patience| deadline.min(Instant::now() + patience));
        match self.read_to_end(patient) {
            Ok(()) => {
                self.await_reset(AFTERMATH)?;
                self.close_our_half()?;
                self.hear_the_last(deadline)?;
                Ok(Ending::Answered)
            }
            Err(ConnectionError::Silent) if patient < deadline => {
                self.close_our_half()?;
                self.read_to_end(deadline)?;
                // One is our own end, which may cross the server's.
                match self.unread_at_most(1) {
                    Err(ConnectionError::Silent) => Err(ConnectionError::HungUp),
                    heard => heard.map(|()| Ending::Closed),
                }
            }
            Err(error) => Err(error),
        }
    }

    fn close_our_half(&self) -> Result<()> {
        // Fails if the connection was reset.
        self.stream.get_ref().shutdown(Shutdown::Write).map_err(|_| ConnectionError::HungUp)
    }

    /// The server has hung up before we were done; its last words may still say why.
    fn hung_up(&mut self, deadline: Instant) -> ConnectionError {
        self.read_to_end(deadline).err().unwrap_or(ConnectionError::HungUp)
    }

    /// `Ok` if the server ended without complaint, with or without a TLS goodbye.
    fn read_to_end(&mut self, deadline: Instant) -> Result<()> {
        let mut ignored = [0; 4096];
        loop {
            match self.stream.ssl_read(&mut ignored) {
                Ok(_) => {}
                Err(error) if is_over(&error) => break,
                Err(error) if is_closed(&error) => return Err(ConnectionError::HungUp),
                Err(error) => wait_or_refuse(&self.stream, &error, deadline)?,
            }
        }
        // Behind the goodbye comes the end of the connection, or a reset.
        let mut socket = self.stream.get_ref();
        loop {
            match socket.read(&mut ignored) {
                Ok(0) => return Ok(()),
                Ok(_) => {}
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    wait(socket, ErrorCode::WANT_READ, deadline)?;
                }
                Err(_) => return Err(ConnectionError::HungUp),
            }
        }
    }

    /// The server has ended and we have not: waits for a reset that should not come.
    fn await_reset(&self, time: Duration) -> Result<()> {
        // Errors are reported unasked.
        let mut watched = [PollFd::new(self.descriptor(), PollFlags::empty())];
        let timeout = PollTimeout::try_from(time).unwrap_or(PollTimeout::MAX);
        match poll(&mut watched, timeout) {
            Ok(0) | Err(Errno::EINTR) => Ok(()),
            Ok(_) => Err(ConnectionError::HungUp),
            Err(_) => Err(ConnectionError::Protocol),
        }
    }

    /// Both halves are closed: waits until the server's kernel has acknowledged ours, or has reset the connection.
    fn hear_the_last(&self, deadline: Instant) -> Result<()> {
        let socket = self.stream.get_ref();
        let failed = |_: Errno| ConnectionError::Protocol;
        // A socket closed on both sides is ready all the time: only changes count.
        let changes = Epoll::new(EpollCreateFlags::EPOLL_CLOEXEC).map_err(failed)?;
        changes.add(socket, EpollEvent::new(EpollFlags::EPOLLIN | EpollFlags::EPOLLET, 0)).map_err(failed)?;
        loop {
            match self.unread_at_most(0) {
                Err(ConnectionError::Silent) => {}
                heard => return heard,
            }
            let rest = rest(deadline);
            if rest.is_zero() {
                return Err(ConnectionError::Silent);
            }
            let timeout = EpollTimeout::try_from(rest).unwrap_or(EpollTimeout::MAX);
            match changes.wait(&mut [EpollEvent::empty()], timeout) {
                Ok(_) | Err(Errno::EINTR) => {}
                Err(error) => return Err(failed(error)),
            }
        }
    }

    /// Whether the connection is whole and all but so many bytes have been acknowledged.
    fn unread_at_most(&self, bytes: libc::c_int) -> Result<()> {
        let socket = self.stream.get_ref();
        match (socket.take_error(), unacknowledged(socket)) {
            (Ok(None), Ok(left)) if left <= bytes => Ok(()),
            (Ok(None), Ok(_)) => Err(ConnectionError::Silent),
            (Ok(Some(_)), _) => Err(ConnectionError::HungUp),
            _ => Err(ConnectionError::Protocol),
        }
    }
}

/// Bytes sent that the other side has not acknowledged (tcp(7), SIOCOUTQ).
fn unacknowledged(socket: &TcpStream) -> io::Result<libc::c_int> {
    let mut bytes: libc::c_int = 0;
    // SAFETY: the kernel writes one int to the pointer, which is to a live int.
    Errno::result(unsafe { libc::ioctl(socket.as_raw_fd(), libc::TIOCOUTQ, &mut bytes) })?;
    Ok(bytes)
}

#[cfg(test)]
mod tests;
