//! A journald of its own, the forwarder, and what lies between: keys, plan, writers.
//!
//! The calling thread gets mounts of its own with empty `/run` and `/var/log`, so that journald, journalctl and the
//! forwarder run with their usual paths and meet nobody else. All processes die with the thread.

use std::fs::{self, File};
use std::io::{Read, Seek, SeekFrom};
use std::os::unix::net::UnixDatagram;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use nix::mount::{MsFlags, mount};
use nix::sched::{CloneFlags, unshare};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

/// A bound for everything that is waited for, not a claim.
pub(crate) const LIMIT: Duration = Duration::from_secs(300);

const JOURNALD: &str = "/usr/lib/systemd/systemd-journald";
const SOCKET: &str = "/run/systemd/journal/socket";
const STATE: &str = "/run/countersign/forward.json";
/// What was said on the console.
pub(crate) const CONSOLE: &str = "/run/console";
/// The bound of the guest's journal.
const BOUND: &str = "256M";
/// Programs of systemd, where an unpacked package and the machine have them; the unpacked ones find their own libraries.
const JOURNAL: [&str; 2] = ["usr/lib/systemd/systemd-journald", "usr/bin/journalctl"];

/// A child that is killed when dropped, and with the thread that started it.
pub(crate) struct Process(pub Child);

impl Process {
    pub(crate) fn start(mut command: Command) -> Process {
        // SAFETY: one system call between fork and exec.
        unsafe {
            command.pre_exec(|| Ok(nix::sys::prctl::set_pdeathsig(Signal::SIGKILL)?));
        }
        Process(command.stdin(Stdio::null()).spawn().unwrap())
    }

    pub(crate) fn signal(&self, signal: Signal) {
        kill(Pid::from_raw(self.0.id() as i32), signal).unwrap();
    }

    /// Asks the process to end and waits for it.
    pub(crate) fn end(&mut self) -> ExitStatus {
        self.signal(Signal::SIGTERM);
        self.0.wait().unwrap()
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

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

/// The file into which a server writes a line for each record that it takes.
pub(crate) struct Records {
    path: PathBuf,
    offset: u64,
}

impl Records {
    /// Makes the file.
    pub(crate) fn create(path: PathBuf) -> Records {
        File::create(&path).unwrap();
        Records { path, offset: 0 }
    }

    /// The whole lines that were written since the last time.
    pub(crate) fn next(&mut self) -> Vec<Vec<u8>> {
        let mut file = File::open(&self.path).unwrap();
        file.seek(SeekFrom::Start(self.offset)).unwrap();
        let mut bytes = Vec::new();
        file.read_to_end(&mut bytes).unwrap();
        let whole = bytes.iter().rposition(|byte| *byte == b'\n').map_or(0, |end| end + 1);
        self.offset += whole as u64;
        let lines = bytes[..whole].split(|byte| *byte == b'\n').filter(|line| !line.is_empty());
        lines.map(<[u8]>::to_vec).collect()
    }
}

/// Keys of one authority, made by the openssl program.
pub(crate) struct Keys {
    pub folder: tempfile::TempDir,
}

impl Keys {
    fn new() -> Keys {
        let keys = Keys { folder: tempfile::tempdir().unwrap() };
        let ec = "-newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2";
        for (file, name) in [("ca", "authority"), ("other", "another")] {
            keys.openssl(&format!("req -x509 {ec} -subj /CN={name} -keyout {file}.key -out {file}.pem"));
        }
        for (name, extension) in [
            ("server", "subjectAltName=DNS:localhost,IP:127.0.0.1"),
            ("client", "extendedKeyUsage=clientAuth"),
        ] {
            keys.openssl(&format!(
                "req -x509 {ec} -CA ca.pem -CAkey ca.key -subj /CN={name} -addext basicConstraints=CA:FALSE \
                 -addext {extension} -keyout {name}.key -out {name}.pem"
            ));
        }
        keys
    }

    fn openssl(&self, arguments: &str) {
        let mut command = Command::new("openssl");
        command.current_dir(self.folder.path()).args(arguments.split_whitespace());
        let output = command.output().unwrap();
        assert!(output.status.success(), "{arguments}: {}", String::from_utf8_lossy(&output.stderr));
    }

    /// A server's certificate of this authority.
    #[allow(dead_code)]
    pub(crate) fn server(&self, name: &str, authority: &str, extension: &str) {
        self.openssl(&format!(
            "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -CA {authority}.pem \
             -CAkey {authority}.key -subj /CN={name} -addext basicConstraints=CA:FALSE -addext {extension} \
             -keyout {name}.key -out {name}.pem"
        ));
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }
}

/// Whether a TCP port of this machine listens, without a connection that a server would have to account for.
pub(crate) fn listens(port: u16) -> bool {
    let address = format!(":{port:04X} 00000000:0000 0A ");
    fs::read_to_string("/proc/net/tcp").unwrap().contains(&address)
}

pub(crate) struct World {
    pub keys: Keys,
    pub port: u16,
    _journald: Process,
}

impl World {
    /// Nothing where the tests have no right to mounts of their own, as a plain user.
    pub(crate) fn new() -> Option<World> {
        World::with_journal(None, BOUND)
    }

    /// With a journald that numbers its entries, as the guest's does (systemd 254), and a small journal. Nothing where
    /// `COUNTERSIGN_JOURNALD` names no folder with such a package unpacked.
    #[allow(dead_code)]
    pub(crate) fn numbered(bound: &str) -> Option<World> {
        let Some(folder) = std::env::var_os("COUNTERSIGN_JOURNALD").filter(|folder| !folder.is_empty())
        else {
            eprintln!("skipped: needs a journald of systemd 254, which COUNTERSIGN_JOURNALD does not name");
            return None;
        };
        World::with_journal(Some(Path::new(&folder)), bound)
    }

    fn with_journal(package: Option<&Path>, bound: &str) -> Option<World> {
        if !nix::unistd::geteuid().is_root() || !Path::new(JOURNALD).exists() {
            eprintln!("skipped: needs root and systemd-journald");
            return None;
        }
        unshare(CloneFlags::CLONE_NEWNS).unwrap();
        let private = MsFlags::MS_REC | MsFlags::MS_PRIVATE;
        mount(None::<&str>, "/", None::<&str>, private, None::<&str>).unwrap();
        for folder in ["/run", "/var/log"] {
            mount(Some("tmpfs"), folder, Some("tmpfs"), MsFlags::empty(), None::<&str>).unwrap();
        }
        let bind = |from: &Path, to: &Path| {
            mount(Some(from), to, None::<&str>, MsFlags::MS_BIND, None::<&str>).unwrap();
        };
        for (package, path) in package.iter().flat_map(|package| JOURNAL.map(|path| (package, path))) {
            bind(&package.join(path), &Path::new("/").join(path));
        }
        for folder in ["/run/systemd/journald.conf.d", "/run/countersign"] {
            fs::create_dir_all(folder).unwrap();
        }
        let configuration = format!(
            "[Journal]\nStorage=persistent\nSystemMaxUse={bound}\nRateLimitIntervalSec=0\nSplitMode=none\n\
             ReadKMsg=no\nAudit=no\n"
        );
        fs::write("/run/systemd/journald.conf.d/test.conf", configuration).unwrap();
        // What is said on the console and to the kernel stays here.
        for (device, file) in [("/dev/console", CONSOLE), ("/dev/kmsg", "/run/kmsg")] {
            fs::write(file, "").unwrap();
            bind(Path::new(file), Path::new(device));
        }
        let journald = Process::start(Command::new(JOURNALD));
        until("journald's socket", || UnixDatagram::unbound().ok()?.connect(SOCKET).ok());
        assert!(Command::new("journalctl").arg("--flush").status().unwrap().success());
        let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let world = World { keys: Keys::new(), port, _journald: journald };
        world.plan(port);
        Some(world)
    }

    /// What the initramfs would have handed over, for a syslog server at this port.
    pub(crate) fn plan(&self, port: u16) {
        let file = |name| self.keys.path(name).display().to_string();
        self.plan_log(serde_json::json!({
            "hostname": "localhost", "port": port, "ca": file("ca.pem"),
            "service": {"syslog": {"client": {"certificate": file("client.pem"), "key": file("client.key")}}},
        }));
    }

    /// The same for any log server.
    pub(crate) fn plan_log(&self, log: serde_json::Value) {
        let plan = serde_json::json!({
            "version": "1", "hostname": "guest",
            "identity": {"enterprise": 32473, "contract": "c0ffee", "signer": null},
            "network_config": false, "images": [], "registries": null,
            "workload": "nothing", "log": log,
        });
        fs::write("/run/countersign/plan.json", plan.to_string()).unwrap();
    }

    /// The real program, which goes on until it is ended.
    pub(crate) fn forwarder(&self) -> Process {
        self.program("forward")
    }

    /// The real program with a verb.
    pub(crate) fn program(&self, verb: &str) -> Process {
        let mut command = Command::new(env!("CARGO_BIN_EXE_countersignd"));
        command.arg(verb).env_clear();
        Process::start(command)
    }

    /// What the forwarder has kept.
    pub(crate) fn state(&self) -> Option<serde_json::Value> {
        serde_json::from_slice(&fs::read(STATE).ok()?).ok()
    }
}

/// A program that writes to the journal.
pub(crate) struct Writer {
    socket: UnixDatagram,
}

impl Writer {
    pub(crate) fn new() -> Writer {
        let socket = UnixDatagram::unbound().unwrap();
        socket.connect(SOCKET).unwrap();
        Writer { socket }
    }

    /// Writes an entry in journald's own protocol; waits while journald is busy.
    pub(crate) fn write(&self, identifier: &str, message: &[u8]) {
        self.write_with(&format!("PRIORITY=6\nSYSLOG_IDENTIFIER={identifier}\n"), message);
    }

    /// The same with these fields, each on its line.
    pub(crate) fn write_with(&self, fields: &str, message: &[u8]) {
        let mut entry = format!("{fields}MESSAGE\n").into_bytes();
        entry.extend_from_slice(&(message.len() as u64).to_le_bytes());
        entry.extend_from_slice(message);
        entry.push(b'\n');
        self.socket.send(&entry).unwrap();
    }

    /// Writes numbered lines, so many a second, or as fast as journald takes them.
    pub(crate) fn lines(&self, numbers: std::ops::RangeInclusive<usize>, rate: Option<u32>) {
        let begin = Instant::now();
        for (written, number) in (1_u32..).zip(numbers) {
            self.write(
                "load",
                format!("line {number} of a workload that has a lot to say about itself").as_bytes(),
            );
            if let Some(rate) = rate {
                let due = Duration::from_secs(1) * written / rate;
                std::thread::sleep(due.saturating_sub(begin.elapsed()));
            }
        }
    }
}
