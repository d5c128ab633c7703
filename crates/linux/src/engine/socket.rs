//! Requests on the engine's socket. HTTP/1.0, so that an answer ends with the connection and has no chunks.
//!
//! Follows the reference of podman's libpod interface, version 4.

use std::io::{self, Read, Write};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::{Duration, Instant};

use countersign_crypto::secret::SecretBytes;
use countersign_ports::guest_os::{EngineAnswer, Whose};
use nix::sys::inotify::{AddWatchFlags, InitFlags, Inotify};
use serde_json::{Value, json};

use super::super::announcements::wait_readable;

/// How long the engine may take to say what it has.
pub(super) const ANSWER_DEADLINE: Duration = Duration::from_secs(30);

/// Bytes of its answer; a container takes less than 2 KiB of it.
const ANSWER_BOUND: u64 = 1 << 20;

/// Bytes of a line of the engine that is passed on.
const LINE_BOUND: usize = 4096;

/// Where the interface begins.
const LIBPOD: &str = "/v4.0.0/libpod/";

/// Between two attempts at a socket that is there and that nobody listens to yet; nothing tells when somebody does.
const PAUSE: Duration = Duration::from_millis(20);

/// The list of containers.
pub(super) fn containers(socket: &Path, whose: Whose<'_>) -> io::Result<Vec<u8>> {
    let filter = match whose {
        Whose::Everyone => String::new(),
        Whose::Project(project) => {
            let filter = json!({"label": [format!("com.docker.compose.project={project}")]});
            format!("&filters={}", encoded(&filter.to_string()))
        }
    };
    let address = format!("containers/json?all=true{filter}");
    let answer = ask(socket, &Request::get(&address), ANSWER_DEADLINE)?;
    if answer.status == 200 { Ok(answer.body) } else { Err(malformed()) }
}

/// Starts pods; what the engine says against it goes to `say`.
pub(super) fn play(
    socket: &Path,
    documents: &SecretBytes,
    timeout: Duration,
    say: &mut dyn FnMut(&str),
) -> io::Result<()> {
    // Nothing is built, whatever lies in a folder, and every line goes to the journal.
    let address = "play/kube?build=false&logDriver=journald&start=true";
    let request = Request { method: "POST", address, body: Some(documents.expose()) };
    let answer = ask(socket, &request, timeout)?;
    let said: Value = match (answer.status, serde_json::from_slice(&answer.body)) {
        (_, Ok(said)) => said,
        (200, Err(_)) => return Err(malformed()),
        (_, Err(_)) => Value::Null,
    };
    let text = |value: &Value| value.as_str().map(str::to_owned);
    let list = |value: &Value| value.as_array().cloned().unwrap_or_default();
    let failures: Vec<String> = match answer.status {
        200 => list(&said["Pods"])
            .iter()
            .flat_map(|pod| list(&pod["ContainerErrors"]))
            .filter_map(|error| text(&error))
            .collect(),
        _ => text(&said["message"]).into_iter().collect(),
    };
    for line in failures.iter().flat_map(|failure| failure.lines()) {
        let end = (0..=LINE_BOUND.min(line.len())).rev().find(|end| line.is_char_boundary(*end));
        say(&line[..end.unwrap_or(0)]);
    }
    match (answer.status, failures.is_empty()) {
        (200, true) => Ok(()),
        (200, false) => Err(io::Error::other("expected every container to start")),
        (status, _) => {
            Err(io::Error::other(format!("expected the engine to start the pods, its answer is {status}")))
        }
    }
}

/// A text as part of an address, be it whatever: an octet that does not stand for itself there has a percent sign and two
/// digits (RFC 3986 section 2.1).
pub(super) fn encoded(text: &str) -> String {
    let octet = |byte: u8| match byte {
        b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' => char::from(byte).to_string(),
        b'-' | b'.' | b'_' | b'~' | b'/' | b':' | b'@' => char::from(byte).to_string(),
        _ => format!("%{byte:02X}"),
    };
    text.bytes().map(octet).collect()
}

/// A request; `address` is what follows the version in it.
pub(super) struct Request<'r> {
    pub(super) method: &'r str,
    pub(super) address: &'r str,
    /// JSON.
    pub(super) body: Option<&'r [u8]>,
}

impl<'r> Request<'r> {
    pub(super) fn get(address: &'r str) -> Request<'r> {
        Request { method: "GET", address, body: None }
    }

    fn head(&self) -> Vec<u8> {
        let length = self.body.unwrap_or_default().len().to_string();
        let some = |wanted: bool, text: &'static str| if wanted { text.as_bytes() } else { b"" };
        let post = self.method == "POST";
        let parts: [&[u8]; 10] = [
            self.method.as_bytes(),
            b" ",
            LIBPOD.as_bytes(),
            self.address.as_bytes(),
            b" HTTP/1.0\r\nHost: engine\r\n",
            some(self.body.is_some(), "Content-Type: application/json\r\n"),
            some(post, "Content-Length: "),
            if post { length.as_bytes() } else { b"" },
            some(post, "\r\n"),
            b"\r\n",
        ];
        parts.concat()
    }
}

/// Asks, as soon as the engine listens.
pub(super) fn ask(socket: &Path, request: &Request<'_>, timeout: Duration) -> io::Result<EngineAnswer> {
    if timeout.is_zero() {
        // A socket's time-out of zero would be none.
        return Err(io::ErrorKind::TimedOut.into());
    }
    let mut stream = connect(socket, Instant::now() + timeout)?;
    // The engine says nothing until it is done, and then all of it: the longest silence is the whole time. The kernel
    // counts it, whose clock nobody sets.
    stream.set_read_timeout(Some(timeout))?;
    stream.set_write_timeout(Some(timeout))?;
    stream.write_all(&request.head()).map_err(late)?;
    stream.write_all(request.body.unwrap_or_default()).map_err(late)?;
    let mut answer = Vec::new();
    stream.take(ANSWER_BOUND + 1).read_to_end(&mut answer).map_err(late)?;
    if answer.len() as u64 > ANSWER_BOUND {
        return Err(malformed());
    }
    let end = answer.windows(4).position(|four| four == b"\r\n\r\n").ok_or_else(malformed)?;
    let status = answer.split(|byte| *byte == b' ').nth(1);
    let status = status.and_then(|status| std::str::from_utf8(status).ok()?.parse().ok());
    Ok(EngineAnswer { status: status.ok_or_else(malformed)?, body: answer.split_off(end + 4) })
}

/// Connects as soon as the engine listens: it has just been started.
fn connect(socket: &Path, deadline: Instant) -> io::Result<UnixStream> {
    let folder = socket.parent().ok_or(io::ErrorKind::InvalidInput)?;
    let mut watch: Option<Inotify> = None;
    loop {
        match UnixStream::connect(socket) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => match &watch {
                // Watched before the next look, so that what happens in between is not missed.
                None => {
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

/// What is left of the time; a time-out of zero would be none.
fn left(deadline: Instant) -> io::Result<Duration> {
    let left = deadline.saturating_duration_since(Instant::now());
    if left.is_zero() { Err(io::ErrorKind::TimedOut.into()) } else { Ok(left) }
}

/// A socket's time-out has the name of another error.
fn late(error: io::Error) -> io::Error {
    if error.kind() == io::ErrorKind::WouldBlock { io::ErrorKind::TimedOut.into() } else { error }
}

fn malformed() -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, "expected an answer of at most 1 MiB")
}

#[cfg(test)]
mod tests {
    use std::os::unix::net::UnixListener;

    use super::*;

    /// Asks an engine that gives one answer; the outcome, and what it was asked.
    fn served<T: Send>(answer: &[u8], ask: impl FnOnce(&Path) -> T + Send) -> (T, String) {
        let run = tempfile::tempdir().unwrap();
        let socket = run.path().join("podman.sock");
        let listener = UnixListener::bind(&socket).unwrap();
        std::thread::scope(|scope| {
            let engine = scope.spawn(|| {
                let (mut stream, _) = listener.accept().unwrap();
                let mut request = Vec::new();
                let mut wanted = None;
                while wanted.is_none_or(|wanted| request.len() < wanted) {
                    let mut byte = [0];
                    stream.read_exact(&mut byte).unwrap();
                    request.push(byte[0]);
                    if wanted.is_none() && request.ends_with(b"\r\n\r\n") {
                        let head = std::str::from_utf8(&request).unwrap();
                        let length = head.lines().find_map(|line| line.strip_prefix("Content-Length: "));
                        let length: usize = length.map_or(0, |length| length.parse().unwrap());
                        wanted = Some(request.len() + length);
                    }
                }
                // Whoever has read enough hangs up.
                let _ = stream.write_all(answer);
                String::from_utf8(request).unwrap()
            });
            (ask(&socket), engine.join().unwrap())
        })
    }

    #[test]
    fn the_list_is_what_the_engine_answers_after_its_head() {
        let list = |answer: &[u8], whose| served(answer, |socket| containers(socket, whose));
        let (got, request) = list(b"HTTP/1.0 200 OK\r\nServer: x\r\n\r\n[]", Whose::Project("compose"));
        assert_eq!(got.unwrap(), b"[]");
        let address = "/v4.0.0/libpod/containers/json?all=true";
        let label = "%7B%22label%22:%5B%22com.docker.compose.project%3Dcompose%22%5D%7D";
        assert!(request.starts_with(&format!("GET {address}&filters={label} HTTP/1.0\r\n")), "{request}");
        let (_, request) = list(b"HTTP/1.0 200 OK\r\n\r\n[]", Whose::Everyone);
        assert!(request.starts_with(&format!("GET {address} HTTP/1.0\r\n")), "{request}");
        let mut long = b"HTTP/1.0 200 OK\r\n\r\n".to_vec();
        long.resize(2 << 20, b' ');
        for answer in
            [&b"HTTP/1.0 500 Error\r\n\r\n[]"[..], b"HTTP/1.0 200 OK\r\n", b"", b"x y z\r\n\r\n", &long]
        {
            let kind = list(answer, Whose::Everyone).0.unwrap_err().kind();
            assert_eq!(kind, io::ErrorKind::InvalidData);
        }
    }

    #[test]
    fn nothing_of_a_name_is_taken_for_the_rest_of_the_request() {
        // As Python's urllib.parse.quote writes them with safe="-._~/:@".
        for (text, expected) in [
            ("[fd00::1]:5000/a-b_c.d/e@sha256:0a", "%5Bfd00::1%5D:5000/a-b_c.d/e@sha256:0a"),
            ("a?b#c&d=e f%20", "a%3Fb%23c%26d%3De%20f%2520"),
            ("a HTTP/1.0\r\nX: y\r\n\r\n", "a%20HTTP/1.0%0D%0AX:%20y%0D%0A%0D%0A"),
            ("\"\\{é}~", "%22%5C%7B%C3%A9%7D~"),
        ] {
            assert_eq!(encoded(text), expected);
        }
    }

    /// What comes of pods, what was said, and what the engine was asked.
    fn played(answer: &[u8]) -> (io::Result<()>, Vec<String>, String) {
        let documents = SecretBytes::copy_from(b"{\"kind\":\"Pod\"}");
        let ask = |socket: &Path| {
            let mut said = Vec::new();
            let played =
                play(socket, &documents, Duration::from_secs(30), &mut |line| said.push(line.to_owned()));
            (played, said)
        };
        let ((played, said), request) = served(answer, ask);
        (played, said, request)
    }

    #[test]
    fn pods_are_started_by_one_request_that_pulls_and_builds_nothing() {
        let good =
            b"HTTP/1.0 200 OK\r\n\r\n{\"Pods\":[{\"ID\":\"x\",\"ContainerErrors\":null}],\"Volumes\":null}";
        let (played, said, request) = played(good);
        played.unwrap();
        assert_eq!(said, Vec::<String>::new());
        assert_eq!(
            request,
            "POST /v4.0.0/libpod/play/kube?build=false&logDriver=journald&start=true HTTP/1.0\r\nHost: engine\r\n\
             Content-Type: application/json\r\nContent-Length: 14\r\n\r\n{\"kind\":\"Pod\"}"
        );
    }

    #[test]
    fn what_the_engine_says_against_pods_is_in_no_error() {
        let (failed, said, _) =
            played(b"HTTP/1.0 500 Error\r\n\r\n{\"cause\":\"x\",\"message\":\"canary one\\ncanary two\",\"response\":500}");
        assert_eq!(
            failed.unwrap_err().to_string(),
            "expected the engine to start the pods, its answer is 500"
        );
        assert_eq!(said, ["canary one", "canary two"]);
        let (failed, said, _) = played(
            b"HTTP/1.0 200 OK\r\n\r\n{\"Pods\":[{\"ContainerErrors\":[\"starting container canary\"]}]}",
        );
        assert_eq!(failed.unwrap_err().to_string(), "expected every container to start");
        assert_eq!(said, ["starting container canary"]);
        let (failed, ..) = played(b"HTTP/1.0 200 OK\r\n\r\ncanary");
        assert_eq!(failed.unwrap_err().kind(), io::ErrorKind::InvalidData);
    }

    #[test]
    fn an_engine_that_does_not_answer_in_time_is_late() {
        let run = tempfile::tempdir().unwrap();
        let socket = run.path().join("podman.sock");
        let _listener = UnixListener::bind(&socket).unwrap();
        let documents = SecretBytes::copy_from(&[b' '; 8 << 20]);
        for timeout in [Duration::ZERO, Duration::from_millis(50)] {
            let late = play(&socket, &documents, timeout, &mut |_| ()).unwrap_err();
            assert_eq!(late.kind(), io::ErrorKind::TimedOut);
        }
    }

    #[test]
    fn an_engine_that_comes_later_is_waited_for() {
        let run = tempfile::tempdir().unwrap();
        let socket = run.path().join("podman.sock");
        let none = ask(&socket, &Request::get("x"), Duration::from_millis(50)).unwrap_err();
        assert_eq!(none.kind(), io::ErrorKind::TimedOut);
        std::thread::scope(|scope| {
            let asking =
                scope.spawn(|| ask(&socket, &Request::get("x"), Duration::from_secs(60)).unwrap().status);
            let (mut stream, _) = UnixListener::bind(&socket).unwrap().accept().unwrap();
            let mut request = [0; 64];
            assert!(stream.read(&mut request).unwrap() > 0);
            stream.write_all(b"HTTP/1.0 200 OK\r\n\r\n").unwrap();
            drop(stream);
            assert_eq!(asking.join().unwrap(), 200);
        });
    }
}
