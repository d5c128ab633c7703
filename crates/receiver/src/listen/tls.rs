//! The server's side of TLS: version 1.2 or newer, a client certificate of the given authority, not revoked.
//!
//! The files are read again when one of them changes, so a revocation list or a renewed certificate counts from the next
//! conversation on. No session is resumed: each conversation shows its certificate and is judged by the lists of its
//! time. The level of security is the guest's (112 bits: no SHA-1 in a chain, no RSA key under 2048 bits).

use std::fmt;
use std::io;
use std::net::TcpStream;
use std::os::fd::AsFd;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use openssl::hash::MessageDigest;
use openssl::ssl::{
    ErrorCode, HandshakeError, Ssl, SslContext, SslContextBuilder, SslFiletype, SslMethod, SslOptions,
    SslRef, SslSessionCacheMode, SslStream, SslVerifyMode, SslVersion,
};
use openssl::x509::X509;
use openssl::x509::store::X509Lookup;
use openssl::x509::verify::X509VerifyFlags;

use super::conversation::reset_on_close;
use super::stop::Stop;

const SECURITY_LEVEL: u32 = 2;
/// SSL_R_PEER_DID_NOT_RETURN_A_CERTIFICATE of OpenSSL's sslerr.h.
const NO_CERTIFICATE: i32 = 199;
/// SSL_R_HTTP_REQUEST, SSL_R_WRONG_VERSION_NUMBER, SSL_R_UNSUPPORTED_PROTOCOL.
const NOT_TLS: [i32; 3] = [156, 267, 258];

/// The files that the server's side needs, PEM.
#[derive(Debug, Clone)]
pub struct Files {
    /// The server's certificate, with what is between it and its authority.
    pub certificate: PathBuf,
    /// Its private key.
    pub key: PathBuf,
    /// The authorities of clients.
    pub clients: PathBuf,
    /// Revocation lists of those authorities; one of each authority of a chain where there are any.
    pub revoked: Vec<PathBuf>,
}

/// Why a client was refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Refused {
    /// It showed none.
    NoCertificate,
    /// It is of another authority.
    Foreign,
    /// It has expired.
    Expired,
    /// It is not valid yet.
    NotYet,
    /// It was revoked.
    Revoked,
    /// The revocation list is missing, has expired, or is not the authority's.
    List,
    /// It is not for clients.
    Purpose,
    /// Its key or the digest of its chain is too weak.
    Weak,
    /// Anything else that OpenSSL finds.
    Certificate,
    /// It speaks no TLS, or an older one.
    NotTls,
    /// It did not end the handshake in time.
    Silent,
    /// It left during the handshake, or ended it with an alert.
    Left,
}

impl fmt::Display for Refused {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(match self {
            Refused::NoCertificate => {
                "it shows no client certificate; give cert and key under env.logging.syslog of its contract"
            }
            Refused::Foreign => {
                "its client certificate is of another authority; issue it with the authority of --clients, or name its \
                 authority there"
            }
            Refused::Expired => "its client certificate has expired; issue a new one, and start the guest with it",
            Refused::NotYet => "its client certificate is not valid yet; check both clocks",
            Refused::Revoked => "its client certificate was revoked",
            Refused::List => {
                "it cannot be told whether its client certificate was revoked: a list is missing, has expired, or is not \
                 of its authority; renew the list of --crl"
            }
            Refused::Purpose => "its certificate is not for clients; issue one with extendedKeyUsage clientAuth",
            Refused::Weak => "its key or a digest in its chain is too weak; use SHA-256 and RSA of 2048 bits or P-256",
            Refused::Certificate => "its client certificate does not hold; try it with openssl verify",
            Refused::NotTls => "it does not speak TLS 1.2 or newer; this port takes syslog over TLS (RFC 5425)",
            Refused::Silent => "it did not end the TLS handshake in time",
            Refused::Left => {
                "it ended the TLS handshake; if it is a guest, look on its console for HPL01102E to HPL01107E: does it trust \
                 the authority of this server's certificate, and is its name in there?"
            }
        })
    }
}

/// What makes sessions, made anew when a file changes.
pub struct Server {
    files: Files,
    current: Mutex<(SslContext, Vec<Stamp>)>,
}

impl fmt::Debug for Server {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("Server").field("files", &self.files).finish_non_exhaustive()
    }
}

/// What changes with a file: inode, size, time.
type Stamp = (u64, u64, i64, i64);

impl Server {
    /// Reads the files.
    ///
    /// # Errors
    /// One of them cannot be read, or key and certificate do not belong together.
    pub fn new(files: Files) -> Result<Server> {
        let current = (context(&files)?, stamps(&files));
        Ok(Server { files, current: Mutex::new(current) })
    }

    /// Rules for one more session. Files that changed and cannot be used leave the rules as they were: `Some` says why.
    fn rules(&self) -> (SslContext, Option<anyhow::Error>) {
        let mut current = self.current.lock().unwrap_or_else(PoisonError::into_inner);
        let now = stamps(&self.files);
        let mut trouble = None;
        if now != current.1 {
            match context(&self.files) {
                Ok(context) => *current = (context, now),
                Err(error) => {
                    current.1 = now;
                    trouble = Some(error);
                }
            }
        }
        (current.0.clone(), trouble)
    }

    /// Ends the handshake with a client. The socket does not block.
    ///
    /// # Errors
    /// [`Refused`].
    pub(super) fn accept(
        &self,
        socket: TcpStream,
        within: Duration,
        stop: &Stop,
        tell: impl FnOnce(&anyhow::Error),
    ) -> std::result::Result<Session, Refused> {
        let deadline = Instant::now() + within;
        let (context, trouble) = self.rules();
        if let Some(error) = &trouble {
            tell(error);
        }
        let ssl = Ssl::new(&context).map_err(|_| Refused::Certificate)?;
        let mut attempt = ssl.accept(socket);
        loop {
            attempt = match attempt {
                Ok(stream) => return Session::new(stream).ok_or(Refused::NoCertificate),
                Err(HandshakeError::WouldBlock(waiting)) => {
                    if !wait(waiting.get_ref(), waiting.error().code(), Some(deadline), stop) {
                        return Err(Refused::Silent);
                    }
                    waiting.handshake()
                }
                Err(HandshakeError::Failure(failed)) => {
                    // The alert that says why is to arrive; what the client sent behind it resets the connection anyway.
                    let _ = reset_on_close(failed.get_ref(), false);
                    return Err(refusal(failed.ssl(), failed.error()));
                }
                Err(HandshakeError::SetupFailure(_)) => return Err(Refused::Certificate),
            };
        }
    }
}

/// A session with a client whose certificate holds.
#[derive(Debug)]
pub(super) struct Session {
    pub(super) stream: SslStream<TcpStream>,
    /// SHA-256 of the certificate.
    pub(super) client: String,
}

impl Session {
    fn new(stream: SslStream<TcpStream>) -> Option<Session> {
        let client = stream.ssl().peer_certificate()?.digest(MessageDigest::sha256()).ok()?;
        let client = client.iter().map(|byte| format!("{byte:02x}")).collect();
        Some(Session { stream, client })
    }
}

/// Waits until the socket can do what the library wants; `false` where time is over or the receiver is to stop.
pub(super) fn wait(socket: &TcpStream, wanted: ErrorCode, deadline: Option<Instant>, stop: &Stop) -> bool {
    let events = if wanted == ErrorCode::WANT_WRITE { PollFlags::POLLOUT } else { PollFlags::POLLIN };
    let timeout = match deadline {
        None => PollTimeout::NONE,
        Some(deadline) => {
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return false;
            }
            PollTimeout::try_from(left + Duration::from_millis(1)).unwrap_or(PollTimeout::MAX)
        }
    };
    let mut watched =
        [PollFd::new(socket.as_fd(), events), PollFd::new(stop.descriptor(), PollFlags::POLLIN)];
    match poll(&mut watched, timeout) {
        Ok(0) => false,
        Ok(_) => !watched[1].any().unwrap_or(true),
        Err(error) => error == nix::errno::Errno::EINTR,
    }
}

fn stamps(files: &Files) -> Vec<Stamp> {
    let all = [&files.certificate, &files.key, &files.clients].into_iter().chain(&files.revoked);
    all.map(|path| {
        let metadata = std::fs::metadata(path);
        metadata.map_or((0, 0, 0, 0), |file| (file.ino(), file.size(), file.mtime(), file.mtime_nsec()))
    })
    .collect()
}

fn context(files: &Files) -> Result<SslContext> {
    let named = |path: &Path, wanted: &str| format!("{}: expected {wanted}", path.display());
    let mut builder = SslContextBuilder::new(SslMethod::tls_server())?;
    builder.set_security_level(SECURITY_LEVEL);
    builder.set_min_proto_version(Some(SslVersion::TLS1_2))?;
    builder.set_session_cache_mode(SslSessionCacheMode::OFF);
    builder.set_options(SslOptions::NO_TICKET | SslOptions::NO_RENEGOTIATION);
    builder.set_num_tickets(0)?;
    builder
        .set_certificate_chain_file(&files.certificate)
        .with_context(|| named(&files.certificate, "the server's certificate in PEM form"))?;
    builder.set_private_key_file(&files.key, SslFiletype::PEM).with_context(|| {
        named(&files.key, "the private key of the server's certificate, PEM, not encrypted")
    })?;
    builder
        .check_private_key()
        .with_context(|| named(&files.key, "the private key that belongs to the server's certificate"))?;
    let authorities = std::fs::read(&files.clients).with_context(|| files.clients.display().to_string())?;
    let authorities = X509::stack_from_pem(&authorities).ok().filter(|all| !all.is_empty());
    let authorities =
        authorities.with_context(|| named(&files.clients, "the authorities of clients in PEM form"))?;
    for authority in authorities {
        builder.add_client_ca(&authority)?;
        builder.cert_store_mut().add_cert(authority)?;
    }
    for list in &files.revoked {
        builder
            .cert_store_mut()
            .add_lookup(X509Lookup::file())?
            .load_crl_file(list, SslFiletype::PEM)
            .with_context(|| named(list, "a revocation list in PEM form"))?;
    }
    if !files.revoked.is_empty() {
        // Lists are asked for the client's certificate and each above it.
        builder.cert_store_mut().set_flags(X509VerifyFlags::CRL_CHECK | X509VerifyFlags::CRL_CHECK_ALL)?;
    }
    builder.set_verify(SslVerifyMode::PEER | SslVerifyMode::FAIL_IF_NO_PEER_CERT);
    Ok(builder.build())
}

/// The numbers of OpenSSL's x509_vfy.h.
fn refusal(ssl: &SslRef, error: &openssl::ssl::Error) -> Refused {
    let reasons =
        || error.ssl_error().into_iter().flat_map(|stack| stack.errors()).map(|one| one.reason_code());
    match ssl.verify_result().as_raw() {
        0 if reasons().any(|reason| reason == NO_CERTIFICATE) => Refused::NoCertificate,
        0 if reasons().any(|reason| NOT_TLS.contains(&reason)) => Refused::NotTls,
        0 if error.io_error().is_some_and(|error| error.kind() != io::ErrorKind::WouldBlock) => Refused::Left,
        0 => Refused::Left,
        2 | 18..=21 | 24 | 7 => Refused::Foreign,
        9 | 13 => Refused::NotYet,
        10 | 14 => Refused::Expired,
        23 => Refused::Revoked,
        3 | 8 | 11 | 12 | 15 | 16 | 33 | 35 | 44 => Refused::List,
        26 => Refused::Purpose,
        66..=68 => Refused::Weak,
        _ => Refused::Certificate,
    }
}
