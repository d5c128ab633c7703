//! A request on the engine's socket. HTTP/1.0, so that the answer ends with the connection and has no chunks.

use std::io::{self, Read, Write};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::{Duration, Instant};

use countersign_crypto::secret::SecretBytes;
use countersign_ports::guest_os::EngineAnswer;
use nix::sys::inotify::{AddWatchFlags, InitFlags, Inotify};
use zeroize::Zeroizing;

use super::super::announcements::wait_readable;

/// Bytes of an answer; a container takes less than 2 KiB of it.
const ANSWER_BOUND: usize = 1 << 20;

/// Between two attempts at a socket that is there and that nobody listens to yet; nothing tells when somebody does.
const PAUSE: Duration = Duration::from_millis(20);

/// Asks; `target` is what follows the version in the address.
pub(super) fn ask(
    socket: &Path,
    method: &str,
    target: &str,
    credentials: Option<&SecretBytes>,
    timeout: Duration,
) -> io::Result<EngineAnswer> {
    let deadline = Instant::now() + timeout;
    let mut stream = connect(socket, deadline)?;
    stream.set_write_timeout(Some(left(deadline)?))?;
    stream.write_all(&head(method, target, credentials))?;
    let mut answer = Vec::new();
    let mut buffer = vec![0; 16 << 10];
    loop {
        stream.set_read_timeout(Some(left(deadline)?))?;
        match stream.read(&mut buffer) {
            Ok(0) => break,
            Ok(count) if answer.len() + count > ANSWER_BOUND => return Err(malformed()),
            Ok(count) => answer.extend_from_slice(&buffer[..count]),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                return Err(io::ErrorKind::TimedOut.into());
            }
            Err(error) => return Err(error),
        }
    }
    parse(&answer).ok_or_else(malformed)
}

/// The head of a request, of one allocation, so that credentials in it are wiped with it.
fn head(method: &str, target: &str, credentials: Option<&SecretBytes>) -> Zeroizing<Vec<u8>> {
    let name: &[u8] = if credentials.is_some() { b"X-Registry-Auth: " } else { b"" };
    let end: &[u8] = if credentials.is_some() { b"\r\n\r\n" } else { b"\r\n" };
    let parts: [&[u8]; 8] = [
        method.as_bytes(),
        b" /v4.0.0/libpod/",
        target.as_bytes(),
        b" HTTP/1.0\r\nHost: engine\r\n",
        if method == "POST" { b"Content-Length: 0\r\n" } else { b"" },
        name,
        credentials.map_or(b"", SecretBytes::expose),
        end,
    ];
    let mut head = Zeroizing::new(Vec::with_capacity(parts.iter().map(|part| part.len()).sum()));
    parts.iter().for_each(|part| head.extend_from_slice(part));
    head
}

/// Connects as soon as the engine listens: it has just been started.
fn connect(socket: &Path, deadline: Instant) -> io::Result<UnixStream> {
    let folder = socket.parent().ok_or(io::ErrorKind::InvalidInput)?;
    let mut watch = None;
    loop {
        match UnixStream::connect(socket) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => match &watch {
                None => {
                    // Watched before the next look, so that what happens in between is not missed.
                    let created = Inotify::init(InitFlags::IN_CLOEXEC | InitFlags::IN_NONBLOCK)?;
                    created.add_watch(folder, AddWatchFlags::IN_CREATE | AddWatchFlags::IN_MOVED_TO)?;
                    watch = Some(created);
                }
                Some(created) => {
                    wait_readable(created, left(deadline)?)?;
                    let _ = created.read_events();
                }
            },
            Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => {
                std::thread::sleep(PAUSE.min(left(deadline)?));
            }
            connected => return connected,
        }
    }
}

/// The time that is left.
fn left(deadline: Instant) -> io::Result<Duration> {
    let left = deadline.saturating_duration_since(Instant::now());
    if left.is_zero() { Err(io::ErrorKind::TimedOut.into()) } else { Ok(left) }
}

fn parse(answer: &[u8]) -> Option<EngineAnswer> {
    let end = answer.windows(4).position(|four| four == b"\r\n\r\n")?;
    let status = answer.split(|byte| *byte == b' ').nth(1)?;
    let status = std::str::from_utf8(status).ok()?.parse().ok()?;
    Some(EngineAnswer { status, body: answer[end + 4..].to_vec() })
}

fn malformed() -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, "expected an answer of at most 1 MiB")
}
