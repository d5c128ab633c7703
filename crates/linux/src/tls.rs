//! TLS connections to a server that a contract names: version 1.2 or newer, the authorities that are given, the name,
//! everything within a time.
//!
//! Names are compared as RFC 6125 says: the subject alternative names, DNS or IP address, never the common name, no
//! partial wildcards. What is said over a connection is for others to know.

use std::io;
use std::net::{IpAddr, SocketAddr, TcpStream, ToSocketAddrs};
use std::os::fd::AsFd;
use std::sync::mpsc;
use std::time::{Duration, Instant};

use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use openssl::error::ErrorStack;
use openssl::ssl::{
    ErrorCode, HandshakeError, Ssl, SslContext, SslContextBuilder, SslMethod, SslMode, SslRef, SslStream,
    SslVerifyMode, SslVersion,
};
use openssl::x509::verify::X509CheckFlags;

use countersign_ports::guest_os::ConnectionError;

type Result<T> = std::result::Result<T, ConnectionError>;

/// OpenSSL's level of 112 bits: no SHA-1 in a chain, no RSA key under 2048 bits.
const SECURITY_LEVEL: u32 = 2;

/// The rules of a connection, with the PEM file of the accepted authorities.
pub(super) fn context(authorities: &str) -> Result<SslContextBuilder> {
    let mut builder =
        SslContextBuilder::new(SslMethod::tls_client()).map_err(|_| ConnectionError::Protocol)?;
    builder.set_security_level(SECURITY_LEVEL);
    builder.set_min_proto_version(Some(SslVersion::TLS1_2)).map_err(|_| ConnectionError::Protocol)?;
    builder.set_verify(SslVerifyMode::PEER);
    // The rest of a partly written buffer is at another address each time.
    builder.set_mode(SslMode::ENABLE_PARTIAL_WRITE | SslMode::ACCEPT_MOVING_WRITE_BUFFER);
    builder.set_ca_file(authorities).map_err(|_| ConnectionError::Untrusted)?;
    Ok(builder)
}

/// Connects to the server of this name, and to no other; the socket does not block.
pub(super) fn connect(
    context: &SslContext,
    hostname: &str,
    port: u16,
    deadline: Instant,
) -> Result<SslStream<TcpStream>> {
    let socket = reach(resolve(hostname, port, deadline)?, deadline)?;
    handshake(session(context, hostname)?, socket, deadline)
}

/// A session that demands the name in the server's certificate.
fn session(context: &SslContext, hostname: &str) -> Result<Ssl> {
    let set_up = || -> std::result::Result<Ssl, ErrorStack> {
        let mut ssl = Ssl::new(context)?;
        let address: std::result::Result<IpAddr, _> = hostname.parse();
        let checks = ssl.param_mut();
        checks.set_hostflags(X509CheckFlags::NO_PARTIAL_WILDCARDS | X509CheckFlags::NEVER_CHECK_SUBJECT);
        match address {
            Ok(address) => checks.set_ip(address)?,
            Err(_) => {
                checks.set_host(hostname)?;
                ssl.set_hostname(hostname)?;
            }
        }
        Ok(ssl)
    };
    set_up().map_err(|_| ConnectionError::Protocol)
}

/// The resolver of the C library knows no time-out; a thread that it holds up ends with the process.
fn resolve(hostname: &str, port: u16, deadline: Instant) -> Result<Vec<SocketAddr>> {
    let (answer, answered) = mpsc::channel();
    let host = (hostname.to_owned(), port);
    std::thread::Builder::new()
        .spawn(move || {
            let addresses = (host.0.as_str(), host.1).to_socket_addrs().map(Iterator::collect::<Vec<_>>);
            // Nobody may be waiting any more.
            let _ = answer.send(addresses);
        })
        .map_err(|_| ConnectionError::NameResolution)?;
    match answered.recv_timeout(rest(deadline)) {
        Ok(Ok(addresses)) if !addresses.is_empty() => Ok(addresses),
        _ => Err(ConnectionError::NameResolution),
    }
}

/// The first address that accepts a connection; each may take an equal part of the time left.
fn reach(addresses: Vec<SocketAddr>, deadline: Instant) -> Result<TcpStream> {
    let count = addresses.len();
    for (index, address) in addresses.into_iter().enumerate() {
        let share = rest(deadline) / u32::try_from(count - index).unwrap_or(1);
        if share.is_zero() {
            break;
        }
        if let Ok(socket) = TcpStream::connect_timeout(&address, share) {
            socket.set_nonblocking(true).map_err(|_| ConnectionError::Unreachable)?;
            return Ok(socket);
        }
    }
    Err(ConnectionError::Unreachable)
}

fn handshake(ssl: Ssl, socket: TcpStream, deadline: Instant) -> Result<SslStream<TcpStream>> {
    let mut attempt = ssl.connect(socket);
    loop {
        attempt = match attempt {
            Ok(stream) => return Ok(stream),
            Err(HandshakeError::WouldBlock(waiting)) => {
                wait(waiting.get_ref(), waiting.error().code(), deadline)?;
                waiting.handshake()
            }
            Err(HandshakeError::Failure(failed)) => {
                return Err(refusal(failed.ssl(), failed.error()));
            }
            Err(HandshakeError::SetupFailure(_)) => return Err(ConnectionError::Protocol),
        };
    }
}

pub(super) fn rest(deadline: Instant) -> Duration {
    deadline.saturating_duration_since(Instant::now())
}

/// Waits until the socket can do what the library wants.
pub(super) fn wait(socket: &TcpStream, wanted: ErrorCode, deadline: Instant) -> Result<()> {
    let events = if wanted == ErrorCode::WANT_WRITE { PollFlags::POLLOUT } else { PollFlags::POLLIN };
    let milliseconds = i32::try_from(rest(deadline).as_micros().div_ceil(1000)).unwrap_or(i32::MAX);
    if milliseconds == 0 {
        return Err(ConnectionError::Silent);
    }
    let timeout = PollTimeout::try_from(milliseconds).unwrap_or(PollTimeout::MAX);
    match poll(&mut [PollFd::new(socket.as_fd(), events)], timeout) {
        Ok(_) | Err(Errno::EINTR) => Ok(()),
        Err(_) => Err(ConnectionError::Protocol),
    }
}

/// The TCP connection is gone.
pub(super) fn is_closed(error: &openssl::ssl::Error) -> bool {
    error.io_error().is_some_and(|error| {
        matches!(error.kind(), io::ErrorKind::BrokenPipe | io::ErrorKind::ConnectionReset)
    })
}

/// The server closed without a TLS goodbye, which many do (SSL_R_UNEXPECTED_EOF_WHILE_READING).
pub(super) fn is_end_of_stream(error: &openssl::ssl::Error) -> bool {
    reasons(error).any(|reason| reason == 294)
        || (error.code() == ErrorCode::SYSCALL && error.io_error().is_none())
}

fn reasons(error: &openssl::ssl::Error) -> impl Iterator<Item = i32> + '_ {
    error.ssl_error().into_iter().flat_map(|stack| stack.errors().iter().map(|error| error.reason_code()))
}

/// Why a conversation failed: our verdict on the server, else the server's on us.
pub(super) fn refusal(ssl: &SslRef, error: &openssl::ssl::Error) -> ConnectionError {
    // `<openssl/x509_vfy.h>`
    match ssl.verify_result().as_raw() {
        0 => {}
        // Not yet valid, expired, malformed dates.
        9 | 10 | 13 | 14 => return ConnectionError::NotValidNow,
        // Host name or address mismatch.
        62 | 64 => return ConnectionError::NameMismatch,
        // Keys of the server or an authority too small, digest too weak.
        66..=68 => return ConnectionError::Weak,
        _ => return ConnectionError::Untrusted,
    }
    // An alert of the peer is 1000 plus its number in RFC 8446 section 6.
    let knows_us = ssl.peer_certificate().is_some();
    let unwanted = match ssl.certificate() {
        Some(_) => ConnectionError::ClientRefused,
        None => ConnectionError::ClientUnnamed,
    };
    for reason in reasons(error) {
        match reason - 1000 {
            // About our certificate: bad, unsupported, revoked, expired, unknown, of an unknown authority, without
            // access, not matching its signature, required.
            41..=46 | 48 | 49 | 51 | 116 => return unwanted,
            // Handshake failure: about our certificate only once the server has shown its own.
            40 if knows_us => return unwanted,
            _ => {}
        }
    }
    ConnectionError::Protocol
}

/// Waits as the library wants, or says why it cannot go on.
pub(super) fn wait_or_refuse(
    stream: &SslStream<TcpStream>,
    error: &openssl::ssl::Error,
    deadline: Instant,
) -> Result<()> {
    match error.code() {
        code @ (ErrorCode::WANT_READ | ErrorCode::WANT_WRITE) => wait(stream.get_ref(), code, deadline),
        _ => Err(refusal(stream.ssl(), error)),
    }
}

/// The server has ended the conversation, with or without a goodbye.
pub(super) fn is_over(error: &openssl::ssl::Error) -> bool {
    error.code() == ErrorCode::ZERO_RETURN || is_end_of_stream(error)
}
