//! Records to the log server, one conversation at a time.
//!
//! RFC 5425 (syslog over TLS, both sides authenticated) with the octet-counted frames of its section 4.3. Names
//! are compared as RFC 6125 says: the subject alternative names, DNS or IP address, never the common name, no
//! partial wildcards. The steady stream of the journal is the forwarder's, not ours.
//!
//! A server of TLS 1.3 looks at the client's certificate after the client believes the handshake done. So each
//! conversation is closed from this side and read to the server's end: a refusal arrives there as an alert.

use std::io::{self, Read};
use std::net::{IpAddr, Shutdown, SocketAddr, TcpStream, ToSocketAddrs};
use std::os::fd::{AsFd, AsRawFd};
use std::sync::mpsc;
use std::time::{Duration, Instant};

use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use openssl::error::ErrorStack;
use openssl::hash::MessageDigest;
use openssl::nid::Nid;
use openssl::ssl::{
    ErrorCode, HandshakeError, Ssl, SslContext, SslContextBuilder, SslFiletype, SslMethod, SslMode, SslRef,
    SslStream, SslVerifyMode, SslVersion,
};
use openssl::x509::verify::X509CheckFlags;

use super::Linux;
use crate::ports_host::{LogPeer, LogServer, LogTarget, ProbeError};

type Result<T> = std::result::Result<T, ProbeError>;

/// OpenSSL's level of 112 bits: no SHA-1 in a chain, no RSA key under 2048 bits.
const SECURITY_LEVEL: u32 = 2;

impl LogServer for Linux {
    fn send(&self, target: &LogTarget, records: &[String], timeout: Duration) -> Result<LogPeer> {
        let deadline = Instant::now().checked_add(timeout).ok_or(ProbeError::Protocol)?;
        // The files first: what is wrong on this side is said without troubling the server.
        let context = context(target)?;
        let socket = connect(resolve(&target.hostname, target.port, deadline)?, deadline)?;
        let mut conversation =
            Conversation { stream: handshake(session(&context, target)?, socket, deadline)?, deadline };
        let peer = peer(conversation.stream.ssl()).ok_or(ProbeError::Protocol)?;
        conversation.write(&frames(records))?;
        conversation.close()?;
        Ok(peer)
    }
}

/// The server's certificate, which the handshake has verified.
fn peer(ssl: &SslRef) -> Option<LogPeer> {
    let certificate = ssl.peer_certificate()?;
    let alternative = certificate.subject_alt_names();
    let mut names: Vec<String> =
        alternative.iter().flatten().filter_map(|name| name.dnsname().map(ToOwned::to_owned)).collect();
    if names.is_empty() {
        let common = certificate.subject_name().entries_by_nid(Nid::COMMONNAME);
        names.extend(common.filter_map(|entry| entry.data().to_string().ok()));
    }
    let digest = certificate.digest(MessageDigest::sha256()).ok()?;
    Some(LogPeer { names, fingerprint: countersign_crypto::digest::hex(&digest) })
}

/// The messages, each after its length in bytes.
fn frames(records: &[String]) -> Vec<u8> {
    records.iter().flat_map(|record| format!("{} {record}", record.len()).into_bytes()).collect()
}

fn context(target: &LogTarget) -> Result<SslContext> {
    let mut builder = SslContextBuilder::new(SslMethod::tls_client()).map_err(|_| ProbeError::Protocol)?;
    builder.set_security_level(SECURITY_LEVEL);
    builder.set_min_proto_version(Some(SslVersion::TLS1_2)).map_err(|_| ProbeError::Protocol)?;
    builder.set_verify(SslVerifyMode::PEER);
    // The rest of a partly written buffer is at another address each time.
    builder.set_mode(SslMode::ENABLE_PARTIAL_WRITE | SslMode::ACCEPT_MOVING_WRITE_BUFFER);
    builder.set_ca_file(&target.ca).map_err(|_| ProbeError::Untrusted)?;
    let client = || -> std::result::Result<SslContext, ErrorStack> {
        builder.set_certificate_chain_file(&target.certificate)?;
        builder.set_private_key_file(&target.key, SslFiletype::PEM)?;
        builder.check_private_key()?;
        Ok(builder.build())
    };
    client().map_err(|_| ProbeError::ClientFiles)
}

/// A session that demands the target's name in the server's certificate.
fn session(context: &SslContext, target: &LogTarget) -> Result<Ssl> {
    let set_up = || -> std::result::Result<Ssl, ErrorStack> {
        let mut ssl = Ssl::new(context)?;
        let address: std::result::Result<IpAddr, _> = target.hostname.parse();
        let checks = ssl.param_mut();
        checks.set_hostflags(X509CheckFlags::NO_PARTIAL_WILDCARDS | X509CheckFlags::NEVER_CHECK_SUBJECT);
        match address {
            Ok(address) => checks.set_ip(address)?,
            Err(_) => {
                checks.set_host(&target.hostname)?;
                ssl.set_hostname(&target.hostname)?;
            }
        }
        Ok(ssl)
    };
    set_up().map_err(|_| ProbeError::Protocol)
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
        .map_err(|_| ProbeError::NameResolution)?;
    match answered.recv_timeout(rest(deadline)) {
        Ok(Ok(addresses)) if !addresses.is_empty() => Ok(addresses),
        _ => Err(ProbeError::NameResolution),
    }
}

/// The first address that accepts a connection; each may take an equal part of the time left.
fn connect(addresses: Vec<SocketAddr>, deadline: Instant) -> Result<TcpStream> {
    let count = addresses.len();
    for (index, address) in addresses.into_iter().enumerate() {
        let share = rest(deadline) / u32::try_from(count - index).unwrap_or(1);
        if share.is_zero() {
            break;
        }
        if let Ok(socket) = TcpStream::connect_timeout(&address, share) {
            socket.set_nonblocking(true).map_err(|_| ProbeError::Unreachable)?;
            return Ok(socket);
        }
    }
    Err(ProbeError::Unreachable)
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
            Err(HandshakeError::SetupFailure(_)) => return Err(ProbeError::Protocol),
        };
    }
}

struct Conversation {
    stream: SslStream<TcpStream>,
    deadline: Instant,
}

impl Conversation {
    fn write(&mut self, mut bytes: &[u8]) -> Result<()> {
        while !bytes.is_empty() {
            match self.stream.ssl_write(bytes) {
                Ok(written) => bytes = &bytes[written..],
                Err(error) if is_closed(&error) => return self.hung_up(),
                Err(error) => self.wait_or_refuse(&error)?,
            }
        }
        Ok(())
    }

    /// Says goodbye and hears the server out.
    fn close(&mut self) -> Result<()> {
        loop {
            match self.stream.shutdown() {
                Ok(_) => break,
                Err(error) if is_closed(&error) => return self.hung_up(),
                Err(error) => self.wait_or_refuse(&error)?,
            }
        }
        // Fails if the connection was reset.
        if self.stream.get_ref().shutdown(Shutdown::Write).is_err() {
            return self.hung_up();
        }
        self.read_to_end()
    }

    /// The server has hung up before we were done; its last words may still say why.
    fn hung_up(&mut self) -> Result<()> {
        self.read_to_end().and(Err(ProbeError::ClientRefused))
    }

    /// `Ok` if the server ended the conversation without complaint, with or without a TLS goodbye, and after it
    /// had received all of ours.
    fn read_to_end(&mut self) -> Result<()> {
        let mut ignored = [0; 4096];
        loop {
            match self.stream.ssl_read(&mut ignored) {
                // A log server has nothing to say.
                Ok(_) => {}
                Err(error) if error.code() == ErrorCode::ZERO_RETURN || is_end_of_stream(&error) => break,
                Err(error) if is_closed(&error) => return Err(ProbeError::ClientRefused),
                Err(error) => self.wait_or_refuse(&error)?,
            }
        }
        self.hear_end_of_connection()
    }

    /// Some servers (rsyslogd, for a certificate whose name it does not permit) send no alert but say goodbye and
    /// hang up on a client that they refuse. They have not read what we sent, so TCP tells: by a reset, or by
    /// bytes that were not acknowledged when the server closed.
    fn hear_end_of_connection(&mut self) -> Result<()> {
        let mut socket = self.stream.get_ref();
        let mut ignored = [0; 4096];
        loop {
            match socket.read(&mut ignored) {
                Ok(0) => break,
                Ok(_) => {}
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    wait(socket, ErrorCode::WANT_READ, self.deadline)?;
                }
                Err(_) => return Err(ProbeError::ClientRefused),
            }
        }
        // A reset behind the server's FIN does not end the reading, but is kept.
        match (unacknowledged(socket), socket.take_error()) {
            // One is our FIN, which may cross the server's.
            (Ok(0 | 1), Ok(None)) => Ok(()),
            (Ok(_), Ok(_)) => Err(ProbeError::ClientRefused),
            _ => Err(ProbeError::Protocol),
        }
    }

    fn wait_or_refuse(&self, error: &openssl::ssl::Error) -> Result<()> {
        match error.code() {
            code @ (ErrorCode::WANT_READ | ErrorCode::WANT_WRITE) => {
                wait(self.stream.get_ref(), code, self.deadline)
            }
            _ => Err(refusal(self.stream.ssl(), error)),
        }
    }
}

/// Waits until the socket can do what the library wants.
fn wait(socket: &TcpStream, wanted: ErrorCode, deadline: Instant) -> Result<()> {
    let events = if wanted == ErrorCode::WANT_WRITE { PollFlags::POLLOUT } else { PollFlags::POLLIN };
    let milliseconds = i32::try_from(rest(deadline).as_micros().div_ceil(1000)).unwrap_or(i32::MAX);
    if milliseconds == 0 {
        return Err(ProbeError::Protocol);
    }
    let timeout = PollTimeout::try_from(milliseconds).unwrap_or(PollTimeout::MAX);
    match poll(&mut [PollFd::new(socket.as_fd(), events)], timeout) {
        Ok(_) | Err(Errno::EINTR) => Ok(()),
        Err(_) => Err(ProbeError::Protocol),
    }
}

/// Bytes sent that the other side has not acknowledged (tcp(7), SIOCOUTQ).
fn unacknowledged(socket: &TcpStream) -> io::Result<libc::c_int> {
    let mut bytes: libc::c_int = 0;
    // SAFETY: the kernel writes one int to the pointer, which is to a live int.
    Errno::result(unsafe { libc::ioctl(socket.as_raw_fd(), libc::TIOCOUTQ, &mut bytes) })?;
    Ok(bytes)
}

fn rest(deadline: Instant) -> Duration {
    deadline.saturating_duration_since(Instant::now())
}

/// The TCP connection is gone.
fn is_closed(error: &openssl::ssl::Error) -> bool {
    error.io_error().is_some_and(|error| {
        matches!(error.kind(), io::ErrorKind::BrokenPipe | io::ErrorKind::ConnectionReset)
    })
}

/// The server closed without a TLS goodbye, which many do (SSL_R_UNEXPECTED_EOF_WHILE_READING).
fn is_end_of_stream(error: &openssl::ssl::Error) -> bool {
    reasons(error).any(|reason| reason == 294)
        || (error.code() == ErrorCode::SYSCALL && error.io_error().is_none())
}

fn reasons(error: &openssl::ssl::Error) -> impl Iterator<Item = i32> + '_ {
    error.ssl_error().into_iter().flat_map(|stack| stack.errors().iter().map(|error| error.reason_code()))
}

/// Why a conversation failed: our verdict on the server, else the server's on us.
fn refusal(ssl: &SslRef, error: &openssl::ssl::Error) -> ProbeError {
    // `<openssl/x509_vfy.h>`
    match ssl.verify_result().as_raw() {
        0 => {}
        // Not yet valid, expired, malformed dates.
        9 | 10 | 13 | 14 => return ProbeError::NotValidNow,
        // Host name or address mismatch.
        62 | 64 => return ProbeError::NameMismatch,
        // Keys of the server or an authority too small, digest too weak.
        66..=68 => return ProbeError::Weak,
        _ => return ProbeError::Untrusted,
    }
    // An alert of the peer is 1000 plus its number in RFC 8446 section 6.
    let knows_us = ssl.peer_certificate().is_some();
    for reason in reasons(error) {
        match reason - 1000 {
            // About our certificate: bad, unsupported, revoked, expired, unknown, of an unknown authority, without
            // access, not matching its signature, required.
            41..=46 | 48 | 49 | 51 | 116 => return ProbeError::ClientRefused,
            // Handshake failure: about our certificate only once the server has shown its own.
            40 if knows_us => return ProbeError::ClientRefused,
            _ => {}
        }
    }
    ProbeError::Protocol
}

#[cfg(test)]
mod tests;
