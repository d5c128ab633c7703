//! One word to all threads: stop. Everyone who waits for a socket waits for this too.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::{Mutex, PoisonError};

/// Becomes readable, for good, when [`Stop::now`] was called.
#[derive(Debug)]
pub struct Stop {
    reader: OwnedFd,
    writer: Mutex<Option<OwnedFd>>,
}

impl Stop {
    /// Not yet.
    ///
    /// # Errors
    /// The system has no descriptors left.
    pub fn new() -> nix::Result<Stop> {
        let (reader, writer) = nix::unistd::pipe2(nix::fcntl::OFlag::O_CLOEXEC)?;
        Ok(Stop { reader, writer: Mutex::new(Some(writer)) })
    }

    /// Now.
    pub fn now(&self) {
        // A pipe without a writer has ended, for all who wait.
        self.writer.lock().unwrap_or_else(PoisonError::into_inner).take();
    }

    /// Whether it was called.
    pub fn is_now(&self) -> bool {
        self.writer.lock().unwrap_or_else(PoisonError::into_inner).is_none()
    }

    /// What ends.
    pub fn descriptor(&self) -> BorrowedFd<'_> {
        self.reader.as_fd()
    }
}
