//! A program whose output is read while it runs.

use std::io::{self, Read};
use std::os::fd::{AsFd, BorrowedFd};

use super::{Keep, Running, Stream, reason, set_nonblocking};

/// A running program and the end of its output that we read. What is not read, it waits with. Dropping this kills it.
pub struct Reader {
    running: Running,
    stdout: std::process::ChildStdout,
    stderr: Stream<'static>,
}

impl std::fmt::Debug for Reader {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.debug_struct("Reader").field("process", &self.running.child.id()).finish_non_exhaustive()
    }
}

impl Reader {
    pub(super) fn new(mut running: Running) -> io::Result<Reader> {
        drop(running.child.stdin.take());
        let stdout = running.child.stdout.take().ok_or(io::ErrorKind::BrokenPipe)?;
        set_nonblocking(stdout.as_fd())?;
        let stderr = Stream::new(running.child.stderr.take(), Keep::Last)?;
        Ok(Reader { running, stdout, stderr })
    }

    /// Reads what is there: the number of bytes, 0 at the end; nothing where more is still to come.
    ///
    /// # Errors
    /// The pipe cannot be read.
    pub fn read(&mut self, buffer: &mut [u8]) -> io::Result<Option<usize>> {
        // A program that complains must not wait for somebody to hear it.
        self.stderr.drain(&mut None)?;
        match self.stdout.read(buffer) {
            Ok(count) => Ok(Some(count)),
            Err(error) if super::is_retry(&error) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// What to wait for before the next [`Reader::read`].
    pub fn descriptors(&self) -> impl Iterator<Item = BorrowedFd<'_>> {
        let stderr = self.stderr.pipe.as_ref().map(AsFd::as_fd);
        std::iter::once(self.stdout.as_fd()).chain(stderr)
    }

    /// Waits for the end of the program. To be asked behind the end of its output.
    ///
    /// # Errors
    /// How it failed, in words.
    pub fn ended(mut self) -> Result<(), String> {
        let status = self.running.child.wait().map_err(|error| error.to_string())?;
        // What it said last; an end of the pipe is no news.
        let _ = self.stderr.drain(&mut None);
        if status.success() { Ok(()) } else { Err(reason(status, &self.stderr.kept)) }
    }
}
