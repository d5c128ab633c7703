//! The look from inside, at every guest but the one that is exactly what ships (`boots_and_reopens_the_volume`).
//!
//! No image that ships lets anybody look, so two things are added. `probe/processes.c` starts before `/init` and stays
//! until the machine goes off: command line and environment of every program that was started, in the initramfs and in
//! the guest OS. A unit of the probed guest OS, `probe/look`, reads journal, transcript and core files when the machine
//! goes off, or when a story asks. What they write onto disks is searched with all other disks.
//!
//! A story cannot forget it: [`boot`] is how it gets its guest, and a [`Look`] that was not judged fails.

use std::cell::Cell;
use std::net::TcpStream;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use countersign_vm::arguments::{Drive, Run};
use countersign_vm::events::{Event, Stage, State};
use countersign_vm::guest::{Guest, Logs, Next};
use countersign_vm::lab::canary::Canaries;
use countersign_vm::lab::disk;
use countersign_vm::lab::material;
use countersign_vm::lab::world::World;
use countersign_vm::profile::Profile;

use crate::support::{BOOT, work};

/// Serial number of a disk onto which the unit writes what holds the contract's secret rightly.
pub(crate) const CONTROL_DISK: &str = "control";

/// Serial number of a disk onto which the unit writes all files that lie in memory.
pub(crate) const MEMORY_DISK: &str = "memory";

/// The port on which the unit waits to be asked.
const PROBE: u16 = 8090;

/// The port on which it then waits to let the kernel listen to its console again.
const SYSRQ: u16 = 8091;

/// The port on which the unit that starts workloads waits to take one down.
pub(crate) const SHAPES: u16 = 8092;

/// On the console, the key that makes the kernel panic where it listens: CTRL-O begins a sysrq of the SCLP VT220.
pub(crate) const PANIC: &[u8] = b"\x0fc";

/// Room on a disk of what was seen, in bytes.
pub(crate) const SEEN: u64 = 64 << 20;

/// In the environment of process 1, where the kernel puts words of its command line that it does not know.
const CONTROL: &str = "in-the-environment-of-process-1";

/// How a story ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum End {
    /// The machine powers itself off.
    Off,
    /// It is cut off, or its kernel ends.
    Cut,
}

/// What is seen of a guest from inside.
#[derive(Debug)]
pub(crate) struct Look {
    /// What its console and its emulator said.
    pub logs: Logs,
    /// All its disks.
    pub drives: Vec<Drive>,
    processes: PathBuf,
    files: PathBuf,
    judged: Cell<bool>,
}

/// Boots a guest and looks at it from inside. Its logs are called `name`, and kept.
pub(crate) fn boot(name: &str, profile: &Profile, mut run: Run) -> (Guest, Look) {
    let archive = PathBuf::from(std::env::var_os("COUNTERSIGN_LOOK").unwrap_or_default());
    material::add(&mut run, &archive, "/look/init").unwrap();
    run.command_line.push(format!("control={CONTROL}"));
    let logs = Logs::new(work().join("logs"), name);
    std::fs::create_dir_all(work().join("logs")).unwrap();
    // Beside the serial log, for whoever wants to know afterwards.
    let [processes, files] = ["processes", "evidence"].map(|serial| {
        let path = logs.serial().with_file_name(format!("{name}.{serial}"));
        if path.exists() {
            std::fs::remove_file(&path).unwrap();
        }
        run.drives.push(Drive::writable(disk::create(&path, SEEN).unwrap(), serial));
        path
    });
    let mut profile = profile.clone();
    if let Some(network) = &mut profile.network {
        network.forward.extend([PROBE, SYSRQ, SHAPES]);
    }
    let guest = Guest::boot(&profile, &run, &logs).unwrap();
    (guest, Look { logs, drives: run.drives, processes, files, judged: Cell::new(false) })
}

/// Connects to a port of the guest until `wanted` has happened: the emulator takes connections before the guest listens.
pub(crate) fn knock(guest: &mut Guest, port: u16, what: &str, wanted: impl Fn(&Next) -> bool) -> Next {
    let port = guest.forwarded(port).unwrap();
    let deadline = Instant::now() + BOOT;
    loop {
        let connection = TcpStream::connect(("127.0.0.1", port));
        match guest.next(Instant::now() + Duration::from_secs(1)).unwrap() {
            next if wanted(&next) => return next,
            Next::Ended(status) => panic!("{status}, before {what}"),
            _ => assert!(Instant::now() < deadline, "no {what}"),
        }
        drop(connection);
    }
}

/// Makes the kernel panic by its console, once the unit, which is root, has let the kernel listen again. A panic ends the
/// machine: it does not boot again.
pub(crate) fn panic(guest: &mut Guest, look: &Look) {
    let listens = |next: &Next| matches!(next, Next::Event(seen) if matches!(&seen.event, Event::Console(line) if line.contains("probe: sysrq is on")));
    knock(guest, SYSRQ, "sysrq", listens);
    guest.press(PANIC).unwrap();
    let status = guest.wait_end(BOOT).unwrap();
    // A reboot would have been a success.
    assert!(!status.success(), "{status}");
    let serial = std::fs::read_to_string(look.logs.serial()).unwrap();
    assert!(serial.contains("Kernel panic - not syncing"), "{serial}");
    let boots = guest.history().iter().filter(|seen| seen.event.is_stage(Stage::Preflight, State::Start));
    assert_eq!(boots.count(), 1);
}

impl Look {
    /// Has the unit look now; for guests that do not power themselves off.
    pub(crate) fn ask(&self, guest: &mut Guest) {
        let done = |next: &Next| matches!(next, Next::Event(seen) if matches!(&seen.event, Event::Console(line) if line.contains("probe: done")));
        knock(guest, PROBE, "look from inside", done);
    }

    /// Command lines and environments; each record begins with `process=`.
    pub(crate) fn processes(&self) -> String {
        read(&self.processes)
    }

    /// Journal, transcript, and what else there was.
    pub(crate) fn files(&self) -> String {
        read(&self.files)
    }

    /// What was looked at was seen, and no planted secret is in it, on the console, at the log server or on any disk.
    pub(crate) fn assert_silent(&self, world: &World, end: End) {
        self.judged.set(true);
        let name = self.logs.name();
        let serial = std::fs::read_to_string(self.logs.serial()).unwrap();
        let processes = format!("\n{}", self.processes());
        let mut records = processes.split("\nprocess=").skip(1);
        let is_first = |record: &str| record.starts_with("init pid=1 ") && record.contains("\n/init\0");
        let first = records.find(|record| is_first(record));
        assert!(first.is_some_and(|record| record.contains(CONTROL)), "{name}: process 1 was not seen");
        let mut control = Canaries::default();
        control.plant("control", CONTROL);
        assert_ne!(
            control.search([self.processes.as_path()]).unwrap(),
            [],
            "{name}: the search finds nothing"
        );
        let missed: Vec<&str> = processes.lines().filter(|line| line.starts_with("missed=")).collect();
        assert!(missed.is_empty(), "{name}: {missed:?}");

        let reached = format!("countersign: stage={} state={}", Stage::Network, State::Start);
        if serial.contains(&reached) {
            let files = self.files();
            assert!(files.ends_with("\nevidence=complete\n"), "{name}: the guest OS was not looked at");
            assert!(!files.contains("\ncore-file="), "{name}: a core file");
            assert!(files.contains("\npackets=policy drop\n"), "{name}: no packet filter");
            assert!(end == End::Cut || processes.ends_with("\nprocesses=complete\n"), "{name}: {processes}");
        } else {
            assert_eq!(
                std::fs::metadata(&self.files).unwrap().blocks(),
                0,
                "{name}: a guest OS was looked at"
            );
        }

        let mut searched = vec![self.logs.serial(), self.logs.emulator(), world.syslog.file()];
        let apart = [CONTROL_DISK, MEMORY_DISK];
        let disks = self.drives.iter().filter(|drive| !apart.contains(&drive.serial.as_str()));
        searched.extend(disks.map(|drive| drive.path.clone()));
        let present = searched.iter().filter(|file| file.exists()).map(PathBuf::as_path);
        assert_eq!(world.canaries.search(present).unwrap(), [], "{name}");

        // A value of the contract that is for its owner's log server, and not for who reads the console.
        let mut mounts = Canaries::default();
        for volume in world.contract().volumes.values() {
            mounts.plant("mount point", &volume.mount);
        }
        let console = [self.logs.serial(), self.logs.emulator()].into_iter().filter(|file| file.exists());
        let console: Vec<PathBuf> = console.collect();
        let found = mounts.search(console.iter().map(PathBuf::as_path)).unwrap();
        assert_eq!(found, [], "{name}");
    }

    /// Of what the contract gave for its registry nothing is left in a file that lies in memory; of the log client's key,
    /// which the forwarder reads, there is, so the search finds what is there.
    pub(crate) fn assert_credentials_are_gone(&self, world: &World) {
        let name = self.logs.name();
        let disk = self.drives.iter().find(|drive| drive.serial == MEMORY_DISK).unwrap();
        assert!(read(&disk.path).ends_with("\nmemory=complete\n"), "{name}: memory was not looked at");
        let found =
            |beginning: &str| world.canaries.named(&[beginning]).search([disk.path.as_path()]).unwrap();
        assert_ne!(found("client key"), [], "{name}: the search finds nothing");
        assert_eq!(found("password of the registry"), [], "{name}");
    }
}

impl Drop for Look {
    fn drop(&mut self) {
        assert!(
            self.judged.get() || std::thread::panicking(),
            "{}: the story ended without assert_silent",
            self.logs.name()
        );
    }
}

/// What was written onto a disk: up to the zeros.
fn read(disk: &Path) -> String {
    let bytes = std::fs::read(disk).unwrap();
    assert_eq!(bytes.last(), Some(&0), "{} is full", disk.display());
    let text = bytes.iter().rposition(|byte| *byte != 0).map_or(&[][..], |last| &bytes[..=last]);
    String::from_utf8_lossy(text).into_owned()
}
