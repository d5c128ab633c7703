//! `countersign receive` as a process, certificates made by the openssl program, and senders that are not ours: OpenSSL's
//! `s_client`, rsyslogd, and sockets of this test that say what they like.

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use openssl::ssl::{SslConnector, SslFiletype, SslMethod, SslStream};

/// A bound for everything that is waited for, not a claim.
const LIMIT: Duration = Duration::from_secs(300);

/// Waits until something is so, looking again after a moment: what is looked at belongs to other programs.
pub(crate) fn until<T>(what: &str, mut found: impl FnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + LIMIT;
    loop {
        if let Some(found) = found() {
            return found;
        }
        assert!(Instant::now() < deadline, "waited in vain: {what}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// Keys of an authority and of another, made by the openssl program.
pub(crate) struct Keys {
    pub folder: tempfile::TempDir,
}

impl Keys {
    pub(crate) fn new() -> Keys {
        let keys = Keys { folder: tempfile::tempdir().unwrap() };
        for (file, name) in [("ca", "authority"), ("other", "another")] {
            keys.openssl(&format!(
                "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj /CN={name} -addext \
                 keyUsage=critical,keyCertSign,cRLSign -keyout {file}.key -out {file}.crt"
            ));
        }
        keys.issue("server", "ca", "subjectAltName=DNS:localhost,IP:127.0.0.1");
        keys.issue("client", "ca", "extendedKeyUsage=clientAuth");
        keys
    }

    /// A certificate of an authority.
    pub(crate) fn issue(&self, name: &str, authority: &str, extension: &str) {
        self.openssl(&format!(
            "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -CA {authority}.crt -CAkey \
             {authority}.key -subj /CN={name} -addext basicConstraints=CA:FALSE -addext {extension} -keyout {name}.key \
             -out {name}.crt"
        ));
    }

    pub(crate) fn openssl(&self, arguments: &str) {
        let mut command = Command::new("openssl");
        let output =
            command.current_dir(self.folder.path()).args(arguments.split_whitespace()).output().unwrap();
        assert!(output.status.success(), "{arguments}: {}", String::from_utf8_lossy(&output.stderr));
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }
}

/// A running receiver; killed when dropped.
pub(crate) struct Receiver {
    child: Child,
    pub address: SocketAddr,
    /// What it printed.
    printed: Arc<Mutex<String>>,
    pub folder: PathBuf,
}

impl Receiver {
    /// With keys, on any port, and further options.
    pub(crate) fn start(keys: &Keys, folder: &Path, options: &[&str]) -> Receiver {
        Receiver::start_as(Command::new(env!("CARGO_BIN_EXE_countersign")), keys, folder, options)
    }

    /// The same by a command that ends in the program.
    pub(crate) fn start_as(mut command: Command, keys: &Keys, folder: &Path, options: &[&str]) -> Receiver {
        command.arg("receive").arg(folder).args(["--listen", "127.0.0.1:0"]).args(options);
        for (option, file) in [("--cert", "server.crt"), ("--key", "server.key"), ("--clients", "ca.crt")] {
            command.arg(option).arg(keys.path(file));
        }
        Receiver::run(command, folder)
    }

    /// Any command that receives, once it says where it listens.
    pub(crate) fn run(mut command: Command, folder: &Path) -> Receiver {
        // SAFETY: one system call between fork and exec.
        unsafe {
            command.pre_exec(|| Ok(nix::sys::prctl::set_pdeathsig(Signal::SIGKILL)?));
        }
        let mut child = command.stdin(Stdio::null()).stdout(Stdio::piped()).spawn().unwrap();
        let printed = Arc::new(Mutex::new(String::new()));
        let (copy, out) = (Arc::clone(&printed), BufReader::new(child.stdout.take().unwrap()));
        std::thread::spawn(move || {
            for line in out.lines().map_while(Result::ok) {
                let mut printed = copy.lock().unwrap();
                printed.push_str(&line);
                printed.push('\n');
            }
        });
        let address = until("the address", || {
            let printed = printed.lock().unwrap();
            let line = printed.lines().find_map(|line| line.strip_prefix("listening on "))?;
            line.split(',').next()?.parse().ok()
        });
        Receiver { child, address, printed, folder: folder.to_owned() }
    }

    pub(crate) fn printed(&self) -> String {
        self.printed.lock().unwrap().clone()
    }

    /// Waits until it has printed a text.
    pub(crate) fn wait_for(&self, text: &str) {
        until(text, || self.printed().contains(text).then_some(()));
    }

    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    pub(crate) fn signal(&mut self, signal: Signal) -> ExitStatus {
        kill(Pid::from_raw(self.child.id() as i32), signal).unwrap();
        self.child.wait().unwrap()
    }

    /// All records, in order.
    pub(crate) fn records(&self) -> Vec<serde_json::Value> {
        records(&self.folder.join("records"))
    }

    /// The page's address.
    pub(crate) fn url(&self) -> String {
        until("the page's address", || {
            Some(self.printed().split_once("page: ")?.1.lines().next()?.to_owned())
        })
    }
}

impl Drop for Receiver {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// All records of a folder, in order.
pub(crate) fn records(folder: &Path) -> Vec<serde_json::Value> {
    let mut files: Vec<_> = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.retain(|path| path.extension().is_some_and(|extension| extension == "jsonl"));
    files.sort();
    let text: String = files.iter().map(|path| fs::read_to_string(path).unwrap()).collect();
    let whole = text.rfind('\n').map_or("", |end| &text[..end]);
    whole.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// A record of a guest with a number.
pub(crate) fn record(host: &str, number: u64, text: &str) -> String {
    format!(
        "<30>1 2026-11-22T02:54:56.000042Z {host} load - - [meta sequenceId=\"{number}\"][countersign@32473 \
         origin=\"container\" id=\"ab\" name=\"web\"] {text}"
    )
}

pub(crate) fn frame(record: &str) -> Vec<u8> {
    format!("{} {record}", record.len()).into_bytes()
}

/// A conversation of this test.
pub(crate) struct Sender {
    pub stream: SslStream<TcpStream>,
}

impl Sender {
    pub(crate) fn connect(receiver: &Receiver, keys: &Keys, name: &str) -> Sender {
        Sender::try_connect(receiver, keys, name).unwrap()
    }

    pub(crate) fn try_connect(receiver: &Receiver, keys: &Keys, name: &str) -> Result<Sender, String> {
        Sender::connect_to(receiver.address, keys, name)
    }

    pub(crate) fn connect_to(address: SocketAddr, keys: &Keys, name: &str) -> Result<Sender, String> {
        let mut builder = SslConnector::builder(SslMethod::tls_client()).unwrap();
        builder.set_ca_file(keys.path("ca.crt")).unwrap();
        builder.set_certificate_file(keys.path(&format!("{name}.crt")), SslFiletype::PEM).unwrap();
        builder.set_private_key_file(keys.path(&format!("{name}.key")), SslFiletype::PEM).unwrap();
        let socket = TcpStream::connect(address).unwrap();
        socket.set_read_timeout(Some(LIMIT)).unwrap();
        let stream = builder.build().connect("localhost", socket).map_err(|error| error.to_string())?;
        Ok(Sender { stream })
    }

    pub(crate) fn send(&mut self, bytes: &[u8]) {
        self.stream.write_all(bytes).unwrap();
    }

    /// Says goodbye and hears the server out: `Ok` where it ended in order, so that all counts as sent.
    pub(crate) fn end(mut self) -> std::io::Result<()> {
        self.stream.shutdown().map_err(std::io::Error::other)?;
        // rsyslogd takes a goodbye for nothing and waits for the connection's end.
        self.stream.get_ref().shutdown(std::net::Shutdown::Write)?;
        let mut rest = Vec::new();
        self.stream.read_to_end(&mut rest)?;
        // Behind the goodbye: the connection's end, or a reset.
        self.stream.get_mut().read_to_end(&mut rest).map(drop)
    }

    /// Waits for the server to end the conversation, and how: an orderly end is `Ok`.
    pub(crate) fn ended(mut self) -> std::io::Result<()> {
        let mut rest = Vec::new();
        self.stream.get_mut().read_to_end(&mut rest).map(drop)
    }
}

/// Sends records in one conversation; whether they count as sent.
pub(crate) fn send(receiver: &Receiver, keys: &Keys, records: &[String]) -> std::io::Result<()> {
    let mut sender = Sender::try_connect(receiver, keys, "client").map_err(std::io::Error::other)?;
    let frames: Vec<u8> = records.iter().flat_map(|record| frame(record)).collect();
    sender.stream.write_all(&frames)?;
    sender.end()
}
