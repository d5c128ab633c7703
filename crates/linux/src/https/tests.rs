//! Answers by hand, after RFC 9112, and whole requests to the openssl program as a server.

use super::*;
use std::io::{BufRead, Read, Write};

use countersign_crypto::secret::AccessToken;

use crate::pki::{Pki, Server};

/// Status, seconds of `retry-after`, body.
type Parts = (u16, Option<u64>, Vec<u8>);

fn parsed(text: &str, ended: bool) -> Result<Option<Parts>> {
    let answer = parse(text.as_bytes(), ended)?;
    Ok(answer.map(|answer| {
        (answer.status, answer.retry_after.map(|pause| pause.as_secs()), answer.body.expose().to_vec())
    }))
}

#[test]
fn an_answer_counts_when_all_of_it_has_come() {
    // With the bytes at its end that nobody waits for.
    for (text, idle) in [
        ("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello", 0),
        ("HTTP/1.1 200 OK\r\nTransfer-Encoding: Chunked\r\n\r\n5\r\nhello\r\n0\r\n", 0),
        ("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2;x=y\r\nhe\r\n003\r\nllo\r\n0\r\n\r\n", 2),
        ("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nhello", 0),
    ] {
        assert_eq!(parsed(text, false), Ok(Some((200, None, b"hello".to_vec()))), "{text}");
        for end in 0..text.len() - idle {
            for ended in [false, true] {
                assert_eq!(parsed(&text[..end], ended), Ok(None), "{:?}", &text[..end]);
            }
        }
    }
    // However many interim answers somebody finds room for.
    let many = "HTTP/1.1 100\r\n\r\n".repeat(4_000);
    assert_eq!(parsed(&many, true), Ok(None));
    // Without a frame the end is the frame.
    let open = "HTTP/1.1 503 Sorry\r\nRetry-After: 120\r\n\r\nlater";
    assert_eq!(parsed(open, false), Ok(None));
    assert_eq!(parsed(open, true), Ok(Some((503, Some(120), b"later".to_vec()))));
    assert_eq!(parsed("HTTP/1.1 204 No Content\r\n\r\n", false), Ok(Some((204, None, Vec::new()))));
    // A date is no number of seconds.
    let date = "HTTP/1.1 429 x\r\nretry-after: Fri, 31 Dec 1999 23:59:59 GMT\r\ncontent-length: 0\r\n\r\n";
    assert_eq!(parsed(date, false), Ok(Some((429, None, Vec::new()))));
}

#[test]
fn what_is_no_answer_of_http_is_refused() {
    for text in [
        "220 mail.example ESMTP\r\n",
        "HTTP/2 200\r\n\r\n",
        "HTTP/1.1 200 OK\r\ncontent-length: 1\r\ncontent-length: 2\r\n\r\nxx",
        "HTTP/1.1 200 OK\r\ncontent-length: 1\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n",
        "HTTP/1.1 200 OK\r\ntransfer-encoding: gzip\r\n\r\n",
        "HTTP/1.1 200 OK\r\ncontent-length: -1\r\n\r\n",
        "HTTP/1.1 200 OK\r\ncontent-length: +1\r\n\r\nx",
        "HTTP/1.1 200 OK\r\ncontent-length: 65537\r\n\r\n",
        "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nxyz\r\n",
        "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n1\r\nabc\r\n0\r\n\r\n",
        "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nffffffffffffffff\r\n",
        &format!("HTTP/1.1 200 OK\r\n{}\r\n", "a: b\r\n".repeat(FIELDS + 1)),
    ] {
        assert_eq!(parsed(text, true), Err(ConnectionError::Protocol), "{text:.60}");
    }
}

/// A server that prints nothing but what it hears.
fn quiet(pki: &Pki, options: &str) -> Server {
    pki.server(&format!("-quiet {options}"))
}

/// Hears a request to its last byte, answers, and ends: in order, or by death.
fn serve(mut server: Server, last: &str, answer: &str, in_order: bool) -> String {
    let mut heard = String::new();
    while !heard.ends_with(last) {
        let mut byte = [0];
        server.output.read_exact(&mut byte).unwrap();
        heard.push(char::from(byte[0]));
    }
    server.child.stdin.as_mut().unwrap().write_all(answer.as_bytes()).unwrap();
    if in_order {
        drop(server.child.stdin.take());
        let _ = server.output.read_line(&mut String::new());
    }
    heard
}

fn post(pki: &Pki, hostname: &str, port: u16, bearer: Option<&AccessToken>) -> Result<Parts> {
    let ca = pki.path("ca.pem").display().to_string();
    let post = Post {
        hostname,
        port,
        ca: &ca,
        path: "/logs/v1/singles",
        content_type: "application/json",
        bearer,
        body: b"[{}]",
    };
    let answer = Linux::new().post(&post, Duration::from_secs(30))?;
    Ok((answer.status, answer.retry_after.map(|pause| pause.as_secs()), answer.body.expose().to_vec()))
}

#[test]
fn a_request_is_heard_as_it_was_meant_and_its_answer_returns() {
    let pki = Pki::new();
    let token = AccessToken::copy_from("ey.J-x");
    for (options, hostname, bearer) in
        [("-tls1_2", "localhost", Some(&token)), ("-tls1_3", "127.0.0.1", None)]
    {
        let server = quiet(&pki, options);
        let port = server.port;
        let answer = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}";
        let serving = std::thread::spawn(move || serve(server, "[{}]", answer, true));
        assert_eq!(post(&pki, hostname, port, bearer), Ok((200, None, b"{}".to_vec())));
        let who = if bearer.is_some() { "\r\nauthorization: Bearer ey.J-x" } else { "" };
        let expected = format!(
            "POST /logs/v1/singles HTTP/1.1\r\nhost: {hostname}:{port}\r\naccept: application/json\r\n\
             connection: close\r\ncontent-type: application/json\r\ncontent-length: 4{who}\r\n\r\n[{{}}]"
        );
        assert_eq!(serving.join().unwrap(), expected);
    }
}

#[test]
fn an_answer_that_is_cut_is_none() {
    let pki = Pki::new();
    for (answer, in_order, expected) in [
        ("HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\n{}", true, Err(ConnectionError::HungUp)),
        ("HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\n{}", false, Err(ConnectionError::HungUp)),
        ("HTTP/1.1 200 OK\r\n\r\n{}", true, Ok((200, None, b"{}".to_vec()))),
        ("", true, Err(ConnectionError::HungUp)),
    ] {
        let server = quiet(&pki, "");
        let port = server.port;
        let serving = std::thread::spawn(move || serve(server, "[{}]", answer, in_order));
        assert_eq!(post(&pki, "localhost", port, None), expected, "{answer} {in_order}");
        serving.join().unwrap();
    }
}

#[test]
fn another_server_is_refused_before_it_hears_anything() {
    let pki = Pki::new();
    let server = quiet(&pki, "");
    let other = Post {
        hostname: "localhost",
        port: server.port,
        ca: &pki.path("other.pem").display().to_string(),
        path: "/",
        content_type: "text/plain",
        bearer: None,
        body: b"canary",
    };
    let answer = Linux::new().post(&other, Duration::from_secs(30));
    assert_eq!(answer.map(|answer| answer.status), Err(ConnectionError::Untrusted));
    // One that wants a certificate of ours is another service.
    let server = quiet(&pki, "-tls1_2 -Verify 2 -verify_return_error");
    assert_eq!(post(&pki, "localhost", server.port, None), Err(ConnectionError::Protocol));
}
