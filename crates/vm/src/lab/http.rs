//! One HTTP/1.0 GET, enough for the workload's answer.
//!
//! The emulator accepts connections on a forwarded port before anything listens in the guest and then closes them, so
//! a refusal to answer is retried until the deadline.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use crate::error::{Error, Result};

/// Longest single attempt.
const ATTEMPT: Duration = Duration::from_secs(20);

/// Pause between attempts; a port forwarded by the emulator gives no event when the guest begins to listen.
const PAUSE: Duration = Duration::from_millis(500);

/// Longest answer that is read, in bytes.
const ANSWER: u64 = 1 << 20;

/// The body of `http://127.0.0.1:<port><path>`, tried until it answers with status 200 or `limit` is over.
///
/// # Errors
/// [`Error::Deadline`] with the last reason.
pub fn get(port: u16, path: &str, limit: Duration) -> Result<String> {
    let deadline = Instant::now() + limit;
    loop {
        let reason = match attempt(port, path, deadline) {
            Ok(answer) => match body(&answer) {
                Ok(body) => return Ok(body.to_owned()),
                Err(status) => status,
            },
            Err(error) => error.to_string(),
        };
        if Instant::now() + PAUSE >= deadline {
            return Err(Error::Deadline { what: format!("answer to GET {path}"), limit, last: vec![reason] });
        }
        std::thread::sleep(PAUSE);
    }
}

fn attempt(port: u16, path: &str, deadline: Instant) -> std::io::Result<String> {
    let patience =
        deadline.saturating_duration_since(Instant::now()).clamp(Duration::from_millis(1), ATTEMPT);
    let mut stream = TcpStream::connect(("127.0.0.1", port))?;
    stream.set_read_timeout(Some(patience))?;
    // In one piece: a small server may read but once.
    stream.write_all(format!("GET {path} HTTP/1.0\r\nHost: localhost\r\n\r\n").as_bytes())?;
    let mut answer = Vec::new();
    stream.take(ANSWER).read_to_end(&mut answer)?;
    Ok(String::from_utf8_lossy(&answer).into_owned())
}

/// The body, or why it is missing.
fn body(answer: &str) -> std::result::Result<&str, String> {
    let status = answer.lines().next().unwrap_or("closed without an answer");
    match (status.split(' ').nth(1), answer.split_once("\r\n\r\n")) {
        (Some("200"), Some((_, body))) => Ok(body),
        _ => Err(status.to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::TcpListener;

    #[test]
    fn it_waits_for_a_server_that_answers() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let server = std::thread::spawn(move || {
            drop(listener.accept().unwrap());
            let mut requests = Vec::new();
            for answer in ["HTTP/1.0 503 Busy\r\n\r\n", "HTTP/1.1 200 OK\r\nA: b\r\n\r\nboots=1\r\n\r\nend"] {
                let (mut stream, _) = listener.accept().unwrap();
                let mut request = Vec::new();
                while !request.ends_with(b"\r\n\r\n") {
                    let mut byte = [0];
                    stream.read_exact(&mut byte).unwrap();
                    request.push(byte[0]);
                }
                requests.push(String::from_utf8(request).unwrap());
                stream.write_all(answer.as_bytes()).unwrap();
            }
            requests
        });
        assert_eq!(get(port, "/cgi-bin/hello", Duration::from_secs(20)).unwrap(), "boots=1\r\n\r\nend");
        assert!(server.join().unwrap()[1].starts_with("GET /cgi-bin/hello HTTP/1.0\r\n"));
    }

    #[test]
    fn the_last_reason_is_kept() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        std::thread::spawn(move || listener.incoming().for_each(drop));
        let error = get(port, "/x", Duration::from_millis(700)).unwrap_err();
        assert!(error.to_string().starts_with("answer to GET /x: not seen within 700ms"), "{error}");
    }
}
