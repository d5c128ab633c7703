//! The one place where external programs run.
//!
//! A program is named by its absolute path and gets an empty environment (plus what the caller names), no
//! inherited file, secrets by its standard input only, and a deadline. What it prints is kept up to a bound; where it is a
//! secret it goes to a file in guest memory, and more than the bound ends the program. It dies with the thread that started it, which waits for it. Whether a
//! failure matters is for the caller.
//!
//! One kind of program goes on: it is read while it runs ([`Program::start`]), has no deadline, and is killed when
//! its reader lets go of it.

mod reader;

use std::collections::VecDeque;
use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::io::{self, Read, Write};
use std::os::fd::{AsFd, BorrowedFd, FromRawFd, OwnedFd};
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use nix::errno::Errno;
use nix::fcntl::{FcntlArg, OFlag, fcntl};
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::signal::{Signal, killpg};
use nix::unistd::Pid;

use countersign_ports::error::{Result, SystemError};
use zeroize::Zeroizing;

pub use reader::Reader;

/// Bytes kept of each output stream: the first of standard output, the last of standard error.
pub const OUTPUT_BOUND: usize = 64 * 1024;

/// Characters of a program's last line of standard error that an error carries.
const REASON_BOUND: usize = 200;

/// Characters of a line passed on while the program runs.
const LINE_BOUND: usize = 4096;

/// Bytes read of a stream before anything else is looked at: no less than a pipe holds, so that one round reads what an
/// ended program left (pipe(7), `pipe-max-size`), and bounded, so that one that never ends is seen to be late.
const ROUND: usize = 1 << 20;

/// How long a program may take when nothing else is said.
const DEFAULT_DEADLINE: Duration = Duration::from_secs(600);

/// What a program printed before it ended well.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Output {
    /// Standard output, up to [`OUTPUT_BOUND`] bytes from its beginning.
    pub stdout: Vec<u8>,
    /// Standard error, up to [`OUTPUT_BOUND`] bytes from its end.
    pub stderr: Vec<u8>,
}

/// How a program ended, and what it printed until then.
#[derive(Debug)]
pub struct Ended {
    /// Its exit status; none if a signal ended it.
    pub status: Option<i32>,
    /// What it printed.
    pub output: Output,
    reason: String,
}

impl Ended {
    /// How it ended in words, with the last line of its standard error unless it was [`Program::silent`].
    pub fn reason(&self) -> &str {
        &self.reason
    }
}

/// A program about to be run.
pub struct Program<'a> {
    path: PathBuf,
    arguments: Vec<OsString>,
    environment: Vec<(OsString, OsString)>,
    input: VecDeque<&'a [u8]>,
    stdout: Option<(&'a File, usize)>,
    deadline: Duration,
    silent: bool,
    on_line: Option<&'a mut dyn FnMut(&str)>,
}

impl std::fmt::Debug for Program<'_> {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.debug_struct("Program").field("path", &self.path).finish_non_exhaustive()
    }
}

impl<'a> Program<'a> {
    /// A program by its absolute path.
    pub fn new(path: impl Into<PathBuf>) -> Program<'a> {
        Program {
            path: path.into(),
            arguments: Vec::new(),
            environment: Vec::new(),
            input: VecDeque::new(),
            stdout: None,
            deadline: DEFAULT_DEADLINE,
            silent: false,
            on_line: None,
        }
    }

    /// Adds arguments. Never a secret: every process of the guest can read them.
    pub fn arguments(mut self, arguments: impl IntoIterator<Item = impl AsRef<OsStr>>) -> Program<'a> {
        self.arguments.extend(arguments.into_iter().map(|a| a.as_ref().to_owned()));
        self
    }

    /// Adds a variable to the otherwise empty environment. Never a secret.
    pub fn variable(mut self, name: impl AsRef<OsStr>, value: impl AsRef<OsStr>) -> Program<'a> {
        self.environment.push((name.as_ref().to_owned(), value.as_ref().to_owned()));
        self
    }

    /// Adds to what the program reads from its standard input; the way for secrets. Not copied on this side.
    pub fn input(mut self, input: &'a [u8]) -> Program<'a> {
        self.input.push_back(input);
        self
    }

    /// Standard output goes to this file instead of being kept, and no line of it is passed on: for secrets, with a file in
    /// guest memory. A program that prints more than this many bytes is killed, and the error is of the kind [`io::ErrorKind::FileTooLarge`].
    pub fn output_to(mut self, file: &'a File, bound: usize) -> Program<'a> {
        self.stdout = Some((file, bound));
        self
    }

    /// After this time the program and its children are killed.
    pub fn deadline(mut self, deadline: Duration) -> Program<'a> {
        self.deadline = deadline;
        self
    }

    /// Keeps what the program says out of the error, for programs that are told values of the contract.
    pub fn silent(mut self) -> Program<'a> {
        self.silent = true;
        self
    }

    /// Passes each line of either stream on while the program runs, cut to 4096 characters.
    pub fn on_line(mut self, on_line: &'a mut dyn FnMut(&str)) -> Program<'a> {
        self.on_line = Some(on_line);
        self
    }

    /// Runs the program and waits for its end.
    ///
    /// # Errors
    /// It is absent, passed its deadline, printed too much or ended with anything but 0; then the error has its name, its exit
    /// status and the last line of its standard error, unless [`Program::silent`].
    pub fn run(self) -> Result<Output> {
        let name = self.path.display().to_string();
        let ended = self.run_to_end()?;
        match ended.status {
            Some(0) => Ok(ended.output),
            _ => Err(SystemError::new("run program", name, ended.reason)),
        }
    }

    /// Runs the program and waits for its end, whatever that is.
    ///
    /// # Errors
    /// It is absent, passed its deadline or printed too much.
    pub fn run_to_end(mut self) -> Result<Ended> {
        let name = self.path.display().to_string();
        let (status, output) = self.attend().map_err(|e| SystemError::io("run program", name, e))?;
        let stderr = if self.silent { &[] } else { output.stderr.as_slice() };
        Ok(Ended { status: status.code(), reason: reason(status, stderr), output })
    }

    /// Starts a program that is read while it runs; it reads nothing itself and has no deadline.
    ///
    /// # Errors
    /// It is absent.
    pub fn start(self) -> Result<Reader> {
        let name = self.path.display().to_string();
        let start = || Reader::new(Running { child: self.spawn()? });
        start().map_err(|e| SystemError::io("run program", name, e))
    }

    /// Feeds the program and hears it until it has ended.
    fn attend(&mut self) -> io::Result<(ExitStatus, Output)> {
        let deadline = Instant::now() + self.deadline;
        let mut running = Running { child: self.spawn()? };
        let ended = process_descriptor(running.child.id())?;
        let mut stdin = running.child.stdin.take();
        let keep = self.stdout.map_or(Keep::First, |(file, bound)| Keep::Within { file, bound, left: bound });
        let mut stdout = Stream::new(running.child.stdout.take(), keep)?;
        let mut stderr = Stream::new(running.child.stderr.take(), Keep::Last)?;
        if let Some(pipe) = &stdin {
            set_nonblocking(pipe.as_fd())?;
        }
        loop {
            while self.input.front().is_some_and(|input| input.is_empty()) {
                self.input.pop_front();
            }
            if self.input.is_empty() {
                // Closing the pipe tells the program that there is no more.
                stdin = None;
            }
            let has_ended = self.wait(&ended, stdin.as_ref(), [&stdout, &stderr], deadline)?;
            if let (Some(pipe), Some(input)) = (&mut stdin, self.input.front_mut()) {
                match pipe.write(input) {
                    Ok(written) => *input = &input[written..],
                    Err(error) if is_retry(&error) => {}
                    // It does not want the rest; its exit status tells whether that matters.
                    Err(error) if error.kind() == io::ErrorKind::BrokenPipe => self.input.clear(),
                    Err(error) => return Err(error),
                }
            }
            for stream in [&mut stdout, &mut stderr] {
                stream.drain(&mut self.on_line)?;
            }
            if has_ended {
                // What was in the pipes is read; a child left behind does not keep us.
                for stream in [&mut stdout, &mut stderr] {
                    stream.last_line(&mut self.on_line);
                }
                let status = running.child.wait()?;
                return Ok((status, Output { stdout: stdout.kept, stderr: stderr.kept }));
            }
        }
    }

    fn spawn(&self) -> io::Result<Child> {
        if !self.path.is_absolute() {
            return Err(io::Error::new(io::ErrorKind::InvalidInput, "expected an absolute path"));
        }
        let mut command = Command::new(&self.path);
        command
            .args(&self.arguments)
            .env_clear()
            .envs(self.environment.iter().map(|(name, value)| (name, value)))
            .current_dir("/")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .process_group(0);
        let parent = nix::unistd::getpid();
        // SAFETY: the closure runs between fork and exec; it makes two system calls, allocates nothing and
        // takes no lock.
        unsafe {
            command.pre_exec(move || {
                nix::sys::prctl::set_pdeathsig(Signal::SIGKILL)?;
                // The parent may have ended before the line above.
                if nix::unistd::getppid() != parent { Err(Errno::ESRCH.into()) } else { Ok(()) }
            })
        };
        command.spawn()
    }

    /// Waits for something to do; whether the program has ended.
    fn wait(
        &self,
        ended: &OwnedFd,
        stdin: Option<&std::process::ChildStdin>,
        outputs: [&Stream<'_>; 2],
        deadline: Instant,
    ) -> io::Result<bool> {
        let mut watched = vec![PollFd::new(ended.as_fd(), PollFlags::POLLIN)];
        watched.extend(stdin.map(|pipe| PollFd::new(pipe.as_fd(), PollFlags::POLLOUT)));
        watched.extend(
            outputs
                .iter()
                .filter_map(|stream| stream.pipe.as_ref())
                .map(|pipe| PollFd::new(pipe.as_fd(), PollFlags::POLLIN)),
        );
        let rest = deadline.saturating_duration_since(Instant::now());
        if rest.is_zero() {
            return Err(io::Error::new(
                io::ErrorKind::TimedOut,
                format!("not ended after {} s", self.deadline.as_secs()),
            ));
        }
        let milliseconds = i32::try_from(rest.as_micros().div_ceil(1000)).unwrap_or(i32::MAX);
        match poll(&mut watched, PollTimeout::try_from(milliseconds).unwrap_or(PollTimeout::MAX)) {
            Ok(_) => Ok(watched[0].any().unwrap_or(false)),
            Err(Errno::EINTR) => Ok(false),
            Err(error) => Err(error.into()),
        }
    }
}

/// A child that does not outlive this value.
struct Running {
    child: Child,
}

impl Drop for Running {
    fn drop(&mut self) {
        // Not yet waited for, so the number still is its own.
        if let Ok(None) = self.child.try_wait() {
            if let Ok(pid) = i32::try_from(self.child.id()) {
                let _ = killpg(Pid::from_raw(pid), Signal::SIGKILL);
            }
            let _ = self.child.kill();
            let _ = self.child.wait();
        }
    }
}

/// What becomes of a stream.
enum Keep<'f> {
    First,
    Last,
    /// All goes to the file, which has room for so many bytes more.
    Within {
        file: &'f File,
        bound: usize,
        left: usize,
    },
}

/// One output pipe and what is kept of it.
struct Stream<'f> {
    pipe: Option<File>,
    keep: Keep<'f>,
    kept: Vec<u8>,
    /// The line that has not ended yet.
    line: Vec<u8>,
}

impl<'f> Stream<'f> {
    fn new(pipe: Option<impl Into<OwnedFd>>, keep: Keep<'f>) -> io::Result<Stream<'f>> {
        let pipe = pipe.map(|pipe| File::from(pipe.into()));
        if let Some(pipe) = &pipe {
            set_nonblocking(pipe.as_fd())?;
        }
        Ok(Stream { pipe, keep, kept: Vec::new(), line: Vec::new() })
    }

    /// Reads what is there, [`ROUND`] bytes and a little more at most; closes the pipe at its end.
    fn drain(&mut self, on_line: &mut Option<&mut dyn FnMut(&str)>) -> io::Result<()> {
        // It may be a secret.
        let mut buffer = Zeroizing::new([0; 16 * 1024]);
        let mut read = 0;
        while let Some(pipe) = self.pipe.as_mut().filter(|_| read < ROUND) {
            match pipe.read(&mut *buffer) {
                Ok(0) => self.pipe = None,
                Ok(got) => {
                    read += got;
                    self.keep(&buffer[..got])?;
                    // What goes to a file is nobody else's: it is there because it may be a secret.
                    if on_line.is_some() && !matches!(self.keep, Keep::Within { .. }) {
                        self.split_lines(&buffer[..got], on_line);
                    }
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    fn keep(&mut self, bytes: &[u8]) -> io::Result<()> {
        match &mut self.keep {
            Keep::First => {
                let room = OUTPUT_BOUND - self.kept.len();
                self.kept.extend_from_slice(&bytes[..bytes.len().min(room)]);
            }
            Keep::Last => {
                self.kept.extend_from_slice(bytes);
                let surplus = self.kept.len().saturating_sub(OUTPUT_BOUND);
                self.kept.drain(..surplus);
            }
            Keep::Within { file, bound, left } => {
                *left = left.checked_sub(bytes.len()).ok_or_else(|| {
                    let message = format!("expected to print at most {bound} bytes");
                    io::Error::new(io::ErrorKind::FileTooLarge, message)
                })?;
                file.write_all(bytes)?;
            }
        }
        Ok(())
    }

    fn split_lines(&mut self, bytes: &[u8], on_line: &mut Option<&mut dyn FnMut(&str)>) {
        for byte in bytes {
            // A carriage return ends a line of a progress display.
            if matches!(byte, b'\n' | b'\r') {
                self.last_line(on_line);
            } else if self.line.len() < LINE_BOUND {
                self.line.push(*byte);
            }
        }
    }

    fn last_line(&mut self, on_line: &mut Option<&mut dyn FnMut(&str)>) {
        if let (Some(on_line), false) = (on_line, self.line.is_empty()) {
            on_line(&String::from_utf8_lossy(&self.line));
        }
        self.line.clear();
    }
}

fn is_retry(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted)
}

fn set_nonblocking(fd: BorrowedFd) -> io::Result<()> {
    let flags = OFlag::from_bits_retain(fcntl(fd, FcntlArg::F_GETFL)?);
    fcntl(fd, FcntlArg::F_SETFL(flags | OFlag::O_NONBLOCK))?;
    Ok(())
}

/// A descriptor that becomes readable when the process ends (pidfd_open(2)).
fn process_descriptor(pid: u32) -> io::Result<OwnedFd> {
    // SAFETY: two integers go in, a new descriptor (close-on-exec) or -1 comes out.
    let fd = unsafe { libc::syscall(libc::SYS_pidfd_open, libc::c_long::from(pid), 0 as libc::c_long) };
    match i32::try_from(fd) {
        // SAFETY: the descriptor was made by the call above and nobody else knows it.
        Ok(fd) if fd >= 0 => Ok(unsafe { OwnedFd::from_raw_fd(fd) }),
        _ => Err(io::Error::last_os_error()),
    }
}

/// How a program ended, with its last words.
fn reason(status: ExitStatus, stderr: &[u8]) -> String {
    let ended = match (status.code(), status.signal()) {
        (Some(code), _) => format!("exit status {code}"),
        (None, Some(signal)) => format!("ended by signal {signal}"),
        (None, None) => String::from("ended without status"),
    };
    match last_line(stderr).as_str() {
        "" => ended,
        line => format!("{ended}: {line}"),
    }
}

/// The last line that says something, without control characters, cut to [`REASON_BOUND`] characters.
fn last_line(bytes: &[u8]) -> String {
    let text = String::from_utf8_lossy(bytes);
    let line = text.lines().rev().map(str::trim).find(|line| !line.is_empty()).unwrap_or_default();
    line.chars().map(|c| if c.is_control() { ' ' } else { c }).take(REASON_BOUND).collect()
}

/// The absolute path of a program that an image carries in one of the usual folders.
///
/// # Errors
/// None of them has it; the error names the program.
pub fn find(name: &str) -> Result<PathBuf> {
    ["/usr/sbin", "/usr/bin", "/sbin", "/bin"]
        .iter()
        .map(|folder| Path::new(folder).join(name))
        .find(|path| path.is_file())
        .ok_or_else(|| {
            SystemError::io(
                "find program",
                name,
                io::Error::new(io::ErrorKind::NotFound, "expected in the image's program folders"),
            )
        })
}

#[cfg(test)]
mod tests;
