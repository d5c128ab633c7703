//! Conversations with the openssl program and with rsyslogd as servers.

use super::*;
use std::fs;
use std::io::{self, Read};
use std::net::TcpListener;
use std::os::fd::AsFd;
use std::path::Path;
use std::process::{Child, Command, Stdio};

use nix::sys::inotify::{AddWatchFlags, InitFlags, Inotify};
use openssl::ssl::{Ssl, SslContextBuilder, SslMethod};

use crate::pki::{Pki, Server};
use crate::tls::rest;

const RECORD: &str = "<14>1 2026-01-02T03:04:05Z guest countersignd - - - authentication probe";

/// A record behind its length in bytes (RFC 5425 section 4.3).
fn frame(record: &str) -> Vec<u8> {
    format!("{} {record}", record.len()).into_bytes()
}

/// A server that asks for a certificate of `ca`.
fn asking(pki: &Pki, options: &str) -> Server {
    pki.server(&format!("-Verify 2 -verify_return_error {options}"))
}

fn send(target: &LogTarget) -> Result<()> {
    Linux::new().send(target, &[frame(RECORD)], Duration::from_secs(20))
}

#[test]
fn a_record_arrives_framed_over_either_version_by_name_and_by_address() {
    let pki = Pki::new();
    for (options, hostname) in [("-tls1_2", "localhost"), ("-tls1_3", "127.0.0.1")] {
        let server = asking(&pki, options);
        assert_eq!(send(&pki.target(hostname, server.port)), Ok(()));
        let heard = server.heard();
        assert!(heard.contains(&format!("{} {RECORD}", RECORD.len())), "{heard}");
    }
}

#[test]
fn several_records_arrive_in_order() {
    let pki = Pki::new();
    let server = asking(&pki, "");
    // More than socket and pipe hold, so that both sides have to wait for each other.
    let frames: Vec<Vec<u8>> = (0..20_000).map(|n| frame(&format!("{RECORD} {n:05}"))).collect();
    let target = pki.target("localhost", server.port);
    let hearing = std::thread::spawn(move || server.heard());
    Linux::new().send(&target, &frames, Duration::from_secs(60)).unwrap();
    assert!(hearing.join().unwrap().contains(std::str::from_utf8(&frames.concat()).unwrap()));
}

#[test]
fn a_client_certificate_of_another_authority_is_a_refusal_in_either_version() {
    let pki = Pki::new();
    pki.issue("client", "other", "extendedKeyUsage=clientAuth", "-days 2");
    for options in ["-tls1_2", "-tls1_3"] {
        let server = asking(&pki, options);
        assert_eq!(
            send(&pki.target("localhost", server.port)),
            Err(ConnectionError::ClientRefused),
            "{options}"
        );
    }
}

#[test]
fn an_expired_client_certificate_is_a_refusal() {
    let pki = Pki::new();
    pki.issue("client", "ca", "extendedKeyUsage=clientAuth", "-days -1");
    let server = asking(&pki, "");
    assert_eq!(send(&pki.target("localhost", server.port)), Err(ConnectionError::ClientRefused));
}

/// What is wrong with the server's certificate, and nothing is sent to it.
fn refused(pki: &Pki, hostname: &str) -> ConnectionError {
    let server = asking(pki, "");
    let error = send(&pki.target(hostname, server.port)).unwrap_err();
    let heard = server.heard();
    assert!(!heard.contains("authentication probe"), "{heard}");
    error
}

#[test]
fn each_fault_of_a_server_certificate_has_its_own_error() {
    let pki = Pki::new();
    let name = "subjectAltName=DNS:localhost";
    let mut found = Vec::new();
    for (authority, extension, options) in [
        ("other", name, "-days 2"),
        ("ca", "subjectAltName=DNS:elsewhere.example,IP:127.0.0.1", "-days 2"),
        // No alternative name at all: the common name does not count.
        ("ca", "basicConstraints=CA:FALSE", "-days 2"),
        ("ca", name, "-days -1"),
        ("ca", name, "-days 2 -sha1"),
        // A certificate for clients is none for servers.
        ("ca", "subjectAltName=DNS:localhost\nextendedKeyUsage=clientAuth", "-days 2"),
    ] {
        pki.issue("server", authority, extension, options);
        // The weak one would not even be loaded by a server of the usual level.
        let server = asking(&pki, "-cipher DEFAULT:@SECLEVEL=0");
        found.push(send(&pki.target("localhost", server.port)).unwrap_err());
        assert!(!server.heard().contains("authentication probe"));
    }
    use ConnectionError::{NameMismatch, NotValidNow, Untrusted, Weak};
    assert_eq!(found, [Untrusted, NameMismatch, NameMismatch, NotValidNow, Weak, Untrusted]);

    pki.issue("server", "ca", "subjectAltName=DNS:127.0.0.1", "-days 2");
    assert_eq!(refused(&pki, "127.0.0.1"), NameMismatch);
}

#[test]
fn old_protocol_versions_are_refused() {
    let pki = Pki::new();
    let server = asking(&pki, "-tls1_1 -cipher DEFAULT:@SECLEVEL=0");
    assert_eq!(send(&pki.target("localhost", server.port)), Err(ConnectionError::Protocol));
}

#[test]
fn client_files_that_do_not_fit_together_are_found_before_any_connection() {
    let pki = Pki::new();
    let mut target = pki.target("localhost", 1);
    for key in ["server.key", "absent"] {
        let key = pki.path(key).to_str().unwrap().to_owned();
        target.client = target.client.map(|client| ClientFiles { key, ..client });
        assert_eq!(send(&target), Err(ConnectionError::ClientFiles));
    }
    target.ca = pki.path("absent").to_str().unwrap().into();
    assert_eq!(send(&target), Err(ConnectionError::Untrusted));
}

/// A target for which the contract has no client certificate.
fn without_certificate(pki: &Pki, hostname: &str, port: u16) -> LogTarget {
    LogTarget { client: None, ..pki.target(hostname, port) }
}

#[test]
fn a_server_that_asks_for_no_certificate_takes_a_record_without_one_in_either_version() {
    let pki = Pki::new();
    for (options, hostname) in [("-tls1_2", "localhost"), ("-tls1_3", "127.0.0.1")] {
        let server = pki.server(options);
        assert_eq!(send(&without_certificate(&pki, hostname, server.port)), Ok(()), "{options}");
        let heard = server.heard();
        assert!(heard.contains(&format!("{} {RECORD}", RECORD.len())), "{heard}");
    }
}

#[test]
fn a_server_that_demands_a_certificate_is_told_from_one_that_refuses_it() {
    let pki = Pki::new();
    for options in ["-tls1_2", "-tls1_3"] {
        let server = asking(&pki, options);
        let answer = send(&without_certificate(&pki, "localhost", server.port));
        assert_eq!(answer, Err(ConnectionError::ClientUnnamed), "{options}");
    }
}

#[test]
fn without_a_client_certificate_the_server_still_has_to_show_its_own() {
    let pki = Pki::new();
    pki.issue("server", "other", "subjectAltName=DNS:localhost", "-days 2");
    let server = pki.server("");
    let answer = send(&without_certificate(&pki, "localhost", server.port));
    assert_eq!(answer, Err(ConnectionError::Untrusted));
    assert!(!server.heard().contains("authentication probe"));
}

#[test]
fn names_that_do_not_resolve_and_closed_ports_are_told_apart() {
    let pki = Pki::new();
    assert_eq!(send(&pki.target("canary.invalid", 6514)), Err(ConnectionError::NameResolution));
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    assert_eq!(send(&pki.target("127.0.0.1", port)), Err(ConnectionError::Unreachable));
}

#[test]
fn a_server_that_says_nothing_or_something_else_is_a_protocol_error_in_time() {
    let pki = Pki::new();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let target = pki.target("127.0.0.1", listener.local_addr().unwrap().port());
    let silent = Linux::new().send(&target, &[frame(RECORD)], Duration::from_millis(300));
    assert_eq!(silent, Err(ConnectionError::Silent));

    let chatter = std::thread::spawn(move || {
        // The connection of the first half is still in the queue.
        drop(listener.accept().unwrap());
        let (mut socket, _) = listener.accept().unwrap();
        let _ = io::Write::write_all(&mut socket, b"220 mail.example ESMTP\r\n");
        let _ = socket.read(&mut [0; 1000]);
    });
    assert_eq!(send(&target), Err(ConnectionError::Protocol));
    chatter.join().unwrap();
}

/// rsyslogd as it is documented for HPCR, with a file as its store.
struct Rsyslog {
    child: Child,
    port: u16,
    folder: tempfile::TempDir,
}

impl Rsyslog {
    fn start(pki: &Pki, listener_options: &str) -> Option<Rsyslog> {
        let program = ["/usr/sbin/rsyslogd"].into_iter().find(|path| Path::new(path).exists());
        let driver = ["x86_64", "s390x"]
            .iter()
            .any(|arch| Path::new(&format!("/usr/lib/{arch}-linux-gnu/rsyslog/lmnsd_ossl.so")).exists());
        let (Some(program), true) = (program, driver) else {
            eprintln!("skipped: needs rsyslogd with its openssl driver");
            return None;
        };
        let folder = tempfile::tempdir().unwrap();
        let file = |name: &str| pki.path(name).display().to_string();
        let store = folder.path().display();
        let configuration = format!(
            r#"global(workDirectory="{store}" DefaultNetstreamDriver="ossl"
                DefaultNetstreamDriverCAFile="{}" DefaultNetstreamDriverCertFile="{}"
                DefaultNetstreamDriverKeyFile="{}")
            module(load="imtcp" StreamDriver.Name="ossl" StreamDriver.Mode="1" {listener_options})
            input(type="imtcp" port="0" address="127.0.0.1" listenPortFileName="{store}/port")
            template(name="raw" type="string" string="%rawmsg%\n")
            action(type="omfile" file="{store}/received" template="raw")
            "#,
            file("ca.pem"),
            file("server.pem"),
            file("server.key"),
        );
        fs::write(folder.path().join("conf"), configuration).unwrap();
        let watch = Watch::new(folder.path());
        let child = Command::new(program)
            .arg("-n")
            .arg("-iNONE")
            .arg("-f")
            .arg(folder.path().join("conf"))
            .stdout(Stdio::null())
            .spawn()
            .unwrap();
        let port = watch.until(|| fs::read_to_string(folder.path().join("port")).ok()?.trim().parse().ok());
        // The file is written before the port listens.
        let deadline = Instant::now() + Duration::from_secs(30);
        while !listens(port) {
            assert!(Instant::now() < deadline, "nobody listens");
            std::thread::yield_now();
        }
        Some(Rsyslog { child, port, folder })
    }

    fn received(&self) -> String {
        let watch = Watch::new(self.folder.path());
        watch.until(|| {
            let text = fs::read_to_string(self.folder.path().join("received")).ok()?;
            text.contains("authentication probe").then_some(text)
        })
    }
}

/// Whether a TCP port of this machine listens, without a connection that the server would have to account for.
fn listens(port: u16) -> bool {
    let address = format!(":{port:04X} 00000000:0000 0A ");
    fs::read_to_string("/proc/net/tcp").unwrap().contains(&address)
}

impl Drop for Rsyslog {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Changes in a folder.
struct Watch(Inotify);

impl Watch {
    fn new(folder: &Path) -> Watch {
        let inotify = Inotify::init(InitFlags::IN_NONBLOCK).unwrap();
        inotify.add_watch(folder, AddWatchFlags::IN_MODIFY | AddWatchFlags::IN_CLOSE_WRITE).unwrap();
        Watch(inotify)
    }

    fn until<T>(&self, found: impl Fn() -> Option<T>) -> T {
        let deadline = Instant::now() + Duration::from_secs(30);
        loop {
            if let Some(found) = found() {
                return found;
            }
            assert!(Instant::now() < deadline, "nothing came");
            super::super::announcements::wait_readable(self.0.as_fd(), rest(deadline)).unwrap();
            let _ = self.0.read_events();
        }
    }
}

#[test]
fn rsyslogd_takes_a_record() {
    let pki = Pki::new();
    let Some(server) = Rsyslog::start(&pki, r#"StreamDriver.AuthMode="x509/certvalid""#) else { return };
    assert_eq!(send(&pki.target("localhost", server.port)), Ok(()));
    assert_eq!(server.received().trim_end(), RECORD);
}

#[test]
fn rsyslogd_that_takes_records_from_anybody_takes_one_without_certificate() {
    let pki = Pki::new();
    let Some(server) = Rsyslog::start(&pki, r#"StreamDriver.AuthMode="anon""#) else { return };
    assert_eq!(send(&without_certificate(&pki, "localhost", server.port)), Ok(()));
    assert_eq!(server.received().trim_end(), RECORD);
}

#[test]
fn rsyslogd_that_demands_a_certificate_takes_no_record_without_one() {
    let pki = Pki::new();
    let Some(server) = Rsyslog::start(&pki, r#"StreamDriver.AuthMode="x509/certvalid""#) else { return };
    let answer = send(&without_certificate(&pki, "localhost", server.port));
    assert_eq!(answer, Err(ConnectionError::ClientUnnamed));
}

#[test]
fn rsyslogd_refusing_the_authority_of_a_certificate_is_a_refusal() {
    let pki = Pki::new();
    pki.issue("client", "other", "extendedKeyUsage=clientAuth", "-days 2");
    let Some(server) = Rsyslog::start(&pki, r#"StreamDriver.AuthMode="x509/certvalid""#) else { return };
    assert_eq!(send(&pki.target("localhost", server.port)), Err(ConnectionError::ClientRefused));
}

/// rsyslogd hangs up without an alert on a name that it does not permit, unless the record came so quickly that it
/// took it all the same. Our answer has to be true in both cases.
#[test]
fn rsyslogd_not_permitting_a_name_is_a_refusal_or_the_record_is_there() {
    let pki = Pki::new();
    let options = r#"StreamDriver.AuthMode="x509/name" PermittedPeer=["somebody.example"]"#;
    let Some(server) = Rsyslog::start(&pki, options) else { return };
    match send(&pki.target("localhost", server.port)) {
        Ok(()) => assert_eq!(server.received().trim_end(), RECORD),
        refused => assert_eq!(refused, Err(ConnectionError::ClientRefused)),
    }
}

#[test]
fn a_server_that_hangs_up_without_a_word_is_a_refusal() {
    let pki = Pki::new();
    let mut server = SslContextBuilder::new(SslMethod::tls_server()).unwrap();
    server.set_certificate_file(pki.path("server.pem"), SslFiletype::PEM).unwrap();
    server.set_private_key_file(pki.path("server.key"), SslFiletype::PEM).unwrap();
    let server = server.build();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let target = pki.target("127.0.0.1", listener.local_addr().unwrap().port());
    // With and without a TLS goodbye, before and after the record has come.
    for (goodbye, waits) in [(true, true), (true, false), (false, true), (false, false)].repeat(5) {
        let answer = std::thread::scope(|scope| {
            scope.spawn(|| {
                let socket = listener.accept().unwrap().0;
                let mut stream = Ssl::new(&server).unwrap().accept(socket).unwrap();
                if waits {
                    stream.get_ref().peek(&mut [0]).unwrap();
                }
                if goodbye {
                    stream.shutdown().unwrap();
                }
            });
            send(&target)
        });
        assert_eq!(answer, Err(ConnectionError::ClientRefused), "goodbye {goodbye}, waits {waits}");
    }
}
