//! One conversation: records in, everything on disk, and only then the end.
//!
//! A sender learns from the end whether its records were taken (systemd/README.md, "What counts as sent"): an orderly
//! end says yes, a reset says no. So the socket is one that resets when it is closed (SO_LINGER with no time), from the
//! first moment: however this process dies, what is not on disk is not confirmed. When the sender has said goodbye and
//! the disk has everything, that is switched off, and the conversation ends in order.

use std::net::TcpStream;
use std::os::fd::AsFd;
use std::time::{Duration, Instant};

use nix::sys::socket::{setsockopt, sockopt};
use openssl::ssl::ErrorCode;

use super::stop::Stop;
use super::tls::{Session, wait};
use crate::frame::{FrameError, Frames};
use crate::store::StoreError;

/// How long a sender may take for our goodbye.
const GOODBYE: Duration = Duration::from_secs(10);
/// SSL_R_UNEXPECTED_EOF_WHILE_READING.
const UNEXPECTED_END: i32 = 294;
/// Bytes of records that are written at once.
const BATCH: usize = 64 << 10;

/// Where records go.
pub(crate) trait Sink {
    /// Takes records; all or none.
    fn take(&mut self, records: &[Vec<u8>]) -> Result<(), StoreError>;
    /// Returns when all that was taken is on disk.
    fn settle(&mut self) -> Result<(), StoreError>;
}

/// How a conversation ended.
#[derive(Debug)]
pub enum Ended {
    /// In order, everything on disk.
    Whole,
    /// The sender left without a goodbye; what came whole is kept.
    Left,
    /// The sender said goodbye, or left, inside a record, of which nothing is kept.
    Inside,
    /// Not octet counting.
    Frame(FrameError),
    /// A record stopped in its middle for too long.
    Stalled,
    /// The TLS session broke.
    Broken,
    /// The folder does not take records.
    Store(StoreError),
    /// This side is to stop.
    Stopped,
}

/// Has the socket reset when it is closed, or end in order.
pub(super) fn reset_on_close(socket: &TcpStream, reset: bool) -> nix::Result<()> {
    let linger = nix::libc::linger { l_onoff: i32::from(reset), l_linger: 0 };
    setsockopt(&socket.as_fd(), sockopt::Linger, &linger)
}

/// Goes on until the sender leaves, or a record stops in its middle for longer than `stalled`.
pub(super) fn converse(mut session: Session, sink: &mut dyn Sink, stop: &Stop, stalled: Duration) -> Ended {
    let mut reader = Reader::new(stalled);
    let goodbye = match reader.read(&mut session, sink, stop) {
        Ok(goodbye) => goodbye,
        Err(ended) => return ended,
    };
    // What came whole is kept, whatever follows.
    if let Err(error) = sink.settle() {
        return Ended::Store(error);
    }
    if reader.frames.is_inside() {
        return Ended::Inside;
    }
    let ended = if goodbye { Ended::Whole } else { Ended::Left };
    if reset_on_close(session.stream.get_ref(), false).is_err() {
        return Ended::Broken;
    }
    farewell(&mut session, stop);
    ended
}

/// Our goodbye. A sender that does not wait for it has what it wants.
fn farewell(session: &mut Session, stop: &Stop) {
    let deadline = Instant::now() + GOODBYE;
    while let Err(error) = session.stream.shutdown() {
        let again = matches!(error.code(), ErrorCode::WANT_READ | ErrorCode::WANT_WRITE);
        if !again || !wait(session.stream.get_ref(), error.code(), Some(deadline), stop) {
            return;
        }
    }
}

struct Reader {
    /// How long a record may stop in its middle.
    stalled: Duration,
    frames: Frames,
    records: Vec<Vec<u8>>,
    bytes: usize,
    /// When a record stopped in its middle.
    inside_since: Option<Instant>,
}

impl Reader {
    fn new(stalled: Duration) -> Reader {
        Reader { stalled, frames: Frames::default(), records: Vec::new(), bytes: 0, inside_since: None }
    }

    /// Reads to the sender's goodbye (`true`) or to its end without one.
    fn read(&mut self, session: &mut Session, sink: &mut dyn Sink, stop: &Stop) -> Result<bool, Ended> {
        let mut buffer = [0; 16 << 10];
        loop {
            match session.stream.ssl_read(&mut buffer) {
                Ok(count) => {
                    self.frames.push(&buffer[..count]);
                    let read = self.records();
                    if self.bytes >= BATCH || read.is_err() {
                        self.hand_over(sink)?;
                    }
                    if let Err(error) = read {
                        // What came whole before is kept, and not confirmed.
                        sink.settle().map_err(Ended::Store)?;
                        return Err(Ended::Frame(error));
                    }
                }
                Err(error) if matches!(error.code(), ErrorCode::WANT_READ | ErrorCode::WANT_WRITE) => {
                    self.hand_over(sink)?;
                    let deadline = self
                        .frames
                        .is_inside()
                        .then(|| *self.inside_since.get_or_insert_with(Instant::now) + self.stalled);
                    if !wait(session.stream.get_ref(), error.code(), deadline, stop) {
                        return Err(if stop.is_now() { Ended::Stopped } else { Ended::Stalled });
                    }
                }
                Err(error) if error.code() == ErrorCode::ZERO_RETURN => {
                    self.hand_over(sink)?;
                    return Ok(true);
                }
                Err(error) => {
                    self.hand_over(sink)?;
                    let reasons = error.ssl_error().into_iter().flat_map(|stack| stack.errors());
                    let ended = reasons.into_iter().any(|one| one.reason_code() == UNEXPECTED_END)
                        || (error.code() == ErrorCode::SYSCALL && error.io_error().is_none());
                    if ended {
                        return Ok(false);
                    }
                    sink.settle().map_err(Ended::Store)?;
                    return Err(Ended::Broken);
                }
            }
        }
    }

    /// Takes the whole records out of what came.
    fn records(&mut self) -> Result<(), FrameError> {
        while let Some(record) = self.frames.next_record()? {
            self.bytes += record.len();
            self.records.push(record.to_vec());
            // A record that came to its end: the next one has its own time.
            self.inside_since = None;
        }
        Ok(())
    }

    fn hand_over(&mut self, sink: &mut dyn Sink) -> Result<(), Ended> {
        if !self.records.is_empty() {
            sink.take(&self.records).map_err(Ended::Store)?;
            self.records.clear();
            self.bytes = 0;
        }
        Ok(())
    }
}
