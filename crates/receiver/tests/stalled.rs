//! A client that falls silent inside a record, held against a listener whose limit is short: the limit that ships is a
//! minute, and nothing else differs.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::io::{Error, ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::time::{Duration, Instant};

use countersign_receiver::desk::{Desk, Show};
use countersign_receiver::listen::stop::Stop;
use countersign_receiver::listen::tls::{Files, Server};
use countersign_receiver::listen::{Limits, Listener, bind};
use countersign_receiver::printer::Printer;
use countersign_receiver::store::Store;
use openssl::ssl::{SslConnector, SslFiletype, SslMethod, SslStream};

/// A bound for everything that is waited for, not a claim.
const LIMIT: Duration = Duration::from_secs(300);

/// A listener with its folder, which ends when dropped.
struct Running {
    folder: tempfile::TempDir,
    address: SocketAddr,
    desk: Arc<Desk>,
    stop: Arc<Stop>,
    thread: Option<std::thread::JoinHandle<()>>,
}

impl Running {
    fn with(limits: Limits) -> Running {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name);
        let ec = "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2";
        openssl(folder.path(), &format!("{ec} -subj /CN=authority -keyout ca.key -out ca.crt"));
        for (name, extension) in
            [("server", "subjectAltName=DNS:localhost"), ("client", "extendedKeyUsage=clientAuth")]
        {
            openssl(
                folder.path(),
                &format!(
                    "{ec} -CA ca.crt -CAkey ca.key -subj /CN={name} -addext basicConstraints=CA:FALSE -addext {extension} \
                     -keyout {name}.key -out {name}.crt"
                ),
            );
        }
        let server = Server::new(Files {
            certificate: path("server.crt"),
            key: path("server.key"),
            clients: path("ca.crt"),
            revoked: Vec::new(),
        })
        .unwrap();
        let store = Store::open(&path("records"), 1 << 20, None).unwrap();
        let printer = Printer::to(std::io::sink()).unwrap();
        let desk = Arc::new(Desk::new(store, printer, Show::Notices, || 0).unwrap());
        let stop = Arc::new(Stop::new().unwrap());
        let sockets = bind(&["127.0.0.1:0".parse().unwrap()]).unwrap();
        let listener = Listener::new(sockets, server, Arc::clone(&desk), Arc::clone(&stop), limits);
        let address = listener.addresses().unwrap()[0];
        let thread = Some(std::thread::spawn(move || listener.run()));
        Running { folder, address, desk, stop, thread }
    }

    fn connect(&self) -> SslStream<TcpStream> {
        let path = |name: &str| self.folder.path().join(name);
        let mut builder = SslConnector::builder(SslMethod::tls_client()).unwrap();
        builder.set_ca_file(path("ca.crt")).unwrap();
        builder.set_certificate_file(path("client.crt"), SslFiletype::PEM).unwrap();
        builder.set_private_key_file(path("client.key"), SslFiletype::PEM).unwrap();
        let socket = TcpStream::connect(self.address).unwrap();
        socket.set_read_timeout(Some(LIMIT)).unwrap();
        builder.build().connect("localhost", socket).unwrap()
    }

    /// The messages that are stored.
    fn stored(&self) -> usize {
        let files = std::fs::read_dir(self.folder.path().join("records")).unwrap();
        let texts = files.map(|file| std::fs::read_to_string(file.unwrap().path()).unwrap());
        texts.map(|text| text.lines().filter(|line| line.contains("\"msg\"")).count()).sum()
    }

    fn troubles(&self) -> Vec<String> {
        self.desk.notices().into_iter().map(|noticed| noticed.text).collect()
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.stop.now();
        let _ = self.thread.take().map(std::thread::JoinHandle::join);
    }
}

fn openssl(folder: &Path, arguments: &str) {
    let mut command = Command::new("openssl");
    let output = command.current_dir(folder).args(arguments.split_whitespace()).output().unwrap();
    assert!(output.status.success(), "{arguments}: {}", String::from_utf8_lossy(&output.stderr));
}

/// How the other side ends the conversation.
fn end(mut stream: SslStream<TcpStream>) -> Result<usize, Error> {
    stream.get_mut().read_to_end(&mut Vec::new())
}

const WHOLE: &[u8] = b"17 <14>1 - g - - - -";

#[test]
fn a_client_that_falls_silent_inside_a_record_is_reset_and_what_came_whole_is_kept() {
    let running = Running::with(Limits { stalled: Duration::from_millis(50), ..Limits::default() });
    let mut stream = running.connect();
    stream.write_all(&[WHOLE, b"100 <14>1 half"].concat()).unwrap();
    // The end of the conversation is what is waited for; a reset says that nothing counts as sent.
    assert_eq!(end(stream).unwrap_err().kind(), ErrorKind::ConnectionReset);
    assert_eq!(running.stored(), 1);
    // It is told once the conversation is over.
    let deadline = Instant::now() + LIMIT;
    while !running.troubles().iter().any(|text| text.contains("closed: a record stopped in its middle")) {
        assert!(Instant::now() < deadline, "{:?}", running.troubles());
        std::thread::yield_now();
    }
}

#[test]
fn a_client_that_is_silent_between_records_stays() {
    let running = Running::with(Limits { stalled: Duration::from_millis(1), ..Limits::default() });
    let mut quiet = running.connect();
    quiet.write_all(WHOLE).unwrap();
    // By the time that one which stalls is gone, the quiet one has been silent for longer.
    let mut stalled = running.connect();
    stalled.write_all(b"100 <14>1 half").unwrap();
    assert!(end(stalled).is_err());
    quiet.write_all(WHOLE).unwrap();
    quiet.shutdown().unwrap();
    quiet.get_ref().shutdown(std::net::Shutdown::Write).unwrap();
    end(quiet).expect("an orderly end");
    assert_eq!(running.stored(), 2);
}

#[test]
fn the_limits_that_ship() {
    let limits = Limits::default();
    assert_eq!((limits.handshake.as_secs(), limits.stalled.as_secs()), (10, 60));
}
