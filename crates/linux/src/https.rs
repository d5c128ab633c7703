//! Requests over HTTPS: HTTP/1.1 (RFC 9112), one request a connection.
//!
//! The answer counts when all of it has come: by its length, its last chunk, or, where it names neither, the server's
//! goodbye in TLS; an end without one may be anybody's. Nothing of it is interpreted here but its frame.

use std::net::TcpStream;
use std::time::{Duration, Instant};

use countersign_crypto::secret::SecretBytes;
use openssl::ssl::{ErrorCode, SslStream};
use zeroize::Zeroizing;

use super::Linux;
use super::tls::{self, is_closed, is_over, wait_or_refuse};
use countersign_ports::guest_os::{Answer, ConnectionError, Https, Post};

type Result<T> = std::result::Result<T, ConnectionError>;

/// The longest answer, head included.
const ANSWER_BYTES: usize = 64 << 10;
/// More fields than any server sends.
const FIELDS: usize = 64;

impl Https for Linux {
    fn post(&self, post: &Post<'_>, timeout: Duration) -> Result<Answer> {
        let deadline = Instant::now().checked_add(timeout).ok_or(ConnectionError::Protocol)?;
        let context = tls::context(post.ca)?.build();
        let exchange = || {
            let mut stream = tls::connect(&context, post.hostname, post.port, deadline)?;
            write(&mut stream, &head(post), deadline)?;
            write(&mut stream, post.body, deadline)?;
            read(&mut stream, deadline)
        };
        exchange().map_err(|error| match error {
            // We have no certificate that it could refuse: it wants something else.
            ConnectionError::ClientUnnamed => ConnectionError::Protocol,
            error => error,
        })
    }
}

/// The head of a request, of one allocation, so that a token in it is wiped with it.
fn head(post: &Post<'_>) -> Zeroizing<Vec<u8>> {
    let port = if post.port == 443 { String::new() } else { format!(":{}", post.port) };
    let length = post.body.len().to_string();
    let token = post.bearer.map_or("", |bearer| bearer.expose());
    let authorization = if post.bearer.is_some() { "\r\nauthorization: Bearer " } else { "" };
    let parts = [
        "POST ",
        post.path,
        " HTTP/1.1\r\nhost: ",
        post.hostname,
        &port,
        "\r\naccept: application/json\r\nconnection: close\r\ncontent-type: ",
        post.content_type,
        "\r\ncontent-length: ",
        &length,
        authorization,
        token,
        "\r\n\r\n",
    ];
    let mut head = Zeroizing::new(Vec::with_capacity(parts.iter().map(|part| part.len()).sum()));
    parts.iter().for_each(|part| head.extend_from_slice(part.as_bytes()));
    head
}

/// Writes all, unless the server ends the conversation: it may have answered before it has heard all.
fn write(stream: &mut SslStream<TcpStream>, mut bytes: &[u8], deadline: Instant) -> Result<()> {
    while !bytes.is_empty() {
        match stream.ssl_write(bytes) {
            Ok(written) => bytes = &bytes[written..],
            Err(error) if is_closed(&error) => return Ok(()),
            Err(error) => wait_or_refuse(stream, &error, deadline)?,
        }
    }
    Ok(())
}

fn read(stream: &mut SslStream<TcpStream>, deadline: Instant) -> Result<Answer> {
    let mut answer = Zeroizing::new(Vec::with_capacity(ANSWER_BYTES));
    let mut buffer = Zeroizing::new([0; 8192]);
    loop {
        if let Some(answer) = parse(&answer, false)? {
            return Ok(answer);
        }
        match stream.ssl_read(buffer.as_mut()) {
            Ok(count) if answer.len() + count > ANSWER_BYTES => return Err(ConnectionError::Protocol),
            Ok(count) => answer.extend_from_slice(&buffer[..count]),
            Err(error) if error.code() == ErrorCode::ZERO_RETURN => {
                return parse(&answer, true)?.ok_or(ConnectionError::HungUp);
            }
            Err(error) if is_over(&error) || is_closed(&error) => return Err(ConnectionError::HungUp),
            Err(error) => wait_or_refuse(stream, &error, deadline)?,
        }
    }
}

/// The answer, if it is whole; `ended` if the server has said goodbye. Interim answers before it are passed over.
fn parse(mut bytes: &[u8], ended: bool) -> Result<Option<Answer>> {
    loop {
        let mut fields = [httparse::EMPTY_HEADER; FIELDS];
        let mut head = httparse::Response::new(&mut fields);
        let begin = match head.parse(bytes) {
            Ok(httparse::Status::Complete(begin)) => begin,
            Ok(httparse::Status::Partial) => return Ok(None),
            Err(_) => return Err(ConnectionError::Protocol),
        };
        let status = head.code.ok_or(ConnectionError::Protocol)?;
        bytes = &bytes[begin..];
        if !(100..200).contains(&status) {
            return framed(status, head.headers, bytes, ended);
        }
    }
}

/// The answer with this head, if all of its body has come.
fn framed(status: u16, fields: &[httparse::Header<'_>], body: &[u8], ended: bool) -> Result<Option<Answer>> {
    let values = |name: &str| -> Vec<&[u8]> {
        let named = fields.iter().filter(|field| field.name.eq_ignore_ascii_case(name));
        named.map(|field| field.value).collect()
    };
    let number = |value: &[u8]| {
        let digits = std::str::from_utf8(value).ok()?.trim();
        // The standard library takes a sign, HTTP does not.
        digits.bytes().all(|byte| byte.is_ascii_digit()).then(|| digits.parse::<u64>().ok())?
    };
    let retry_after = values("retry-after").first().and_then(|value| number(value));
    let answer = |body: &[u8]| Answer {
        status,
        retry_after: retry_after.map(Duration::from_secs),
        body: SecretBytes::copy_from(body),
    };
    if matches!(status, 204 | 304) {
        return Ok(Some(answer(b"")));
    }
    match (values("transfer-encoding").as_slice(), values("content-length").as_slice()) {
        ([], [length]) => {
            let length = number(length).and_then(|length| usize::try_from(length).ok());
            let length = length.filter(|length| *length <= ANSWER_BYTES).ok_or(ConnectionError::Protocol)?;
            Ok(body.get(..length).map(answer))
        }
        ([], []) => Ok(ended.then(|| answer(body))),
        ([coding], []) if coding.eq_ignore_ascii_case(b"chunked") => {
            Ok(unchunked(body)?.map(|body| answer(&body)))
        }
        // Two frames at once are somebody's trick (RFC 9112 section 6.3).
        _ => Err(ConnectionError::Protocol),
    }
}

/// The body out of its chunks, if the last one has come. What may follow that, nobody waits for.
fn unchunked(mut bytes: &[u8]) -> Result<Option<Zeroizing<Vec<u8>>>> {
    let mut body = Zeroizing::new(Vec::with_capacity(bytes.len()));
    loop {
        let (begin, length) = match httparse::parse_chunk_size(bytes) {
            Ok(httparse::Status::Complete(found)) => found,
            Ok(httparse::Status::Partial) => return Ok(None),
            Err(_) => return Err(ConnectionError::Protocol),
        };
        if length == 0 {
            return Ok(Some(body));
        }
        let length = usize::try_from(length)
            .ok()
            .filter(|length| *length <= ANSWER_BYTES)
            .ok_or(ConnectionError::Protocol)?;
        let end = begin + length;
        match bytes.get(end..end + 2) {
            Some(b"\r\n") => {}
            Some(_) => return Err(ConnectionError::Protocol),
            None => return Ok(None),
        }
        body.extend_from_slice(&bytes[begin..end]);
        bytes = &bytes[end + 2..];
    }
}

#[cfg(test)]
mod tests;
