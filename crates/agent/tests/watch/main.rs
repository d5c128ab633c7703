//! The real `countersignd watch` over a month: memory, tasks and descriptors stay what they are.
//!
//! Time is made to run fast by libfaketime, which stands between the program and the C library's clocks; nothing of it
//! is in the program. There is no device mapper here, so most of what each check looks at is missing, and says so;
//! headers are read, the engine answers, signals and lines of the journal ask for checks. Design section 10, tier 1.
#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used)]

#[path = "../forward/world.rs"]
#[allow(dead_code)]
mod world;

use std::fs;
use std::io::{Read, Write};
use std::os::unix::net::UnixListener;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use countersign_plan::guest_os::handover::Workload;
use countersign_plan::workload::reach::ReachRule;
use nix::sys::signal::Signal;
use world::{CONSOLE, Process, World, Writer, until};

/// As Debian and Ubuntu install it.
const FAKETIME: &str = "/usr/lib/x86_64-linux-gnu/faketime/libfaketimeMT.so.1";

/// A month passes in 36 s.
const SPEED: &str = "+0 x72000";

/// A file in the place of an encrypted device.
const DEVICE: &str = "/run/device";

/// What a process takes from the machine.
#[derive(Debug, PartialEq, Eq)]
struct Uses {
    resident_kib: usize,
    tasks: usize,
    descriptors: usize,
}

/// The least of many moments: a look may be under way in any of them.
fn uses(process: &Process) -> Uses {
    let spread = |_| {
        std::thread::sleep(Duration::from_millis(5));
        moment(process)
    };
    let moments = (0..100).map(spread).reduce(|least, next| Uses {
        resident_kib: least.resident_kib.min(next.resident_kib),
        tasks: least.tasks.min(next.tasks),
        descriptors: least.descriptors.min(next.descriptors),
    });
    moments.unwrap()
}

fn moment(process: &Process) -> Uses {
    let folder = format!("/proc/{}", process.0.id());
    let status = fs::read_to_string(format!("{folder}/status")).unwrap();
    // Of its own: pages of the program and its libraries come and go with what else the machine does.
    let resident = status.lines().find_map(|line| line.strip_prefix("RssAnon:")).unwrap();
    let count = |name| fs::read_dir(format!("{folder}/{name}")).unwrap().count();
    Uses {
        resident_kib: resident.trim_end_matches("kB").trim().parse().unwrap(),
        tasks: count("task"),
        descriptors: count("fd"),
    }
}

/// Number of the last check that the daemon began.
fn checks(console: &str) -> usize {
    let line = console.lines().rev().find_map(|line| line.strip_prefix("HPL13000I: check "));
    line.and_then(|line| line.split(':').next()?.parse().ok()).unwrap_or(0)
}

/// A container engine with one container, which is started again now and then.
fn engine() {
    fs::create_dir("/run/podman").unwrap();
    let listener = UnixListener::bind("/run/podman/podman.sock").unwrap();
    // It ends with the tests.
    std::thread::spawn(move || {
        for (asked, stream) in listener.incoming().enumerate() {
            let mut stream = stream.unwrap();
            let mut request = Vec::new();
            let mut buffer = [0; 1024];
            while !request.ends_with(b"\r\n\r\n") {
                let count = stream.read(&mut buffer).unwrap();
                request.extend_from_slice(&buffer[..count]);
            }
            let list = format!(
                r#"[{{"Names":["compose-web-1"],"State":"running","Restarts":0,"StartedAt":{}}}]"#,
                asked / 1_000
            );
            let _ = write!(stream, "HTTP/1.0 200 OK\r\nContent-Length: {}\r\n\r\n{list}", list.len());
        }
    });
}

/// What the initramfs would have left, and the stage `start`.
fn records() {
    assert!(Command::new("truncate").args(["--size=32M", DEVICE]).status().unwrap().success());
    fs::write("/run/key", "a passphrase for a header that nobody opens").unwrap();
    let mut format = Command::new("cryptsetup");
    format.args([
        "luksFormat",
        "--batch-mode",
        "--type=luks2",
        "--pbkdf=pbkdf2",
        "--pbkdf-force-iterations=1000",
    ]);
    assert!(format.args(["--key-file=/run/key", DEVICE]).status().unwrap().success());
    let uuid = Command::new("cryptsetup").args(["luksUUID", DEVICE]).output().unwrap().stdout;
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
    let mapping = |name| serde_json::json!({ "name": name, "table": "0 1 zero" });
    let records = serde_json::json!({
        // libfaketime counts the uptime from where it counts the time.
        "verified": {"unix": now, "uptime": now}, "image": mapping("os"), "scratch": [mapping("scratch")],
        "volumes": [{
            "name": "data", "mount": "/mnt/data", "number": "253:2", "mapping": mapping("volume-data"), "below": null,
            "partition": null,
            "flags": {"read_only": false, "nosuid": true, "nodev": true, "noexec": false}, "device": DEVICE,
            "uuid": String::from_utf8(uuid).unwrap().trim(), "key_slots": 1, "record": null,
        }],
        "expiries": [{"subject": "contract", "fingerprint": "ab", "not_after": now + 25 * 86_400}],
        "power_off": false,
    });
    fs::write("/run/countersign/watch.json", records.to_string()).unwrap();
    let plan = fs::read_to_string("/run/countersign/plan.json").unwrap();
    let mut plan: serde_json::Value = serde_json::from_str(&plan).unwrap();
    let none = || "/none".to_owned();
    let workload = Workload::Compose {
        project: "compose".to_owned(),
        folder: none(),
        file: none(),
        environment: Vec::new(),
        reach: ReachRule::default(),
        other_files: false,
    };
    plan["workload"] = serde_json::to_value(workload).unwrap();
    fs::write("/run/countersign/plan.json", plan.to_string()).unwrap();
    // The workload has started; before that the daemon only waits.
    fs::write("/run/countersign/started", "").unwrap();
}

#[test]
fn a_month_takes_no_more_than_a_day() {
    if !Path::new(FAKETIME).exists() {
        return eprintln!("skipped: needs libfaketime, which tests/run installs");
    }
    let Some(_world) = World::new() else { return };
    engine();
    records();
    let mut command = Command::new(env!("CARGO_BIN_EXE_countersignd"));
    command.arg("watch").env_clear().env("LD_PRELOAD", FAKETIME).env("FAKETIME", SPEED);
    let mut daemon = Process::start(command);
    let writer = Writer::new();
    let said = || fs::read_to_string(CONSOLE).unwrap();
    // From its first line on it knows what the signal means.
    until("the first check", || (checks(&said()) > 0).then_some(()));
    let mut looks = 0_u32;
    let mut after = |what: &str, code: &str, count: usize| {
        until(what, || {
            looks += 1;
            if looks.is_multiple_of(25) {
                daemon.signal(Signal::SIGUSR1);
                writer.write("container", b"HPL13000I");
            }
            (said().lines().filter(|line| line.starts_with(code)).count() >= count).then_some(())
        });
        uses(&daemon)
    };
    // The end is told daily at first, hourly once it has come.
    let day = after("the second day", "HPL12110W", 2);
    let month = after("the fifth day after the end", "HPL12111W", 5 * 24);
    println!("watch: {day:?} on the second day, {month:?} after {} checks", checks(&said()));
    assert_eq!((month.tasks, month.descriptors), (day.tasks, day.descriptors));
    // Three bytes for each of 43 000 looks.
    assert!(month.resident_kib < day.resident_kib + 128, "{day:?} {month:?}");
    assert!(daemon.end().success());
    // The daemon did what it is there for. An hour passes in 50 ms, so on a busy machine not each has a check; what is
    // told each hour was waited for above.
    let said = said();
    assert!(checks(&said) > 5 * 24, "{} checks", checks(&said));
    for line in
        ["HPL12110W: ", "HPL12111W: ", "HPL08111W: ", "HPL13111E: volume data: expected it to be mounted"]
    {
        assert!(said.contains(line), "no {line} in {said:.200}");
    }
    // The header was read and was as expected.
    assert!(!said.contains("HPL13114E") && !said.contains("header-magic"), "{said:.200}");
    // The journal has fields beside the text.
    let query = ["--quiet", "--merge", "--output=json", "--lines=1", "COUNTERSIGN_CODE=HPL13000I"];
    let entry = Command::new("journalctl").args(query).output().unwrap().stdout;
    let entry: serde_json::Value = serde_json::from_slice(&entry).unwrap();
    let field = |name: &str| entry[name].as_str().unwrap_or_default().to_owned();
    assert_eq!((field("SYSLOG_IDENTIFIER"), field("PRIORITY")), ("countersignd".to_owned(), "6".to_owned()));
    let check = format!("HPL13000I: check {}: ", field("COUNTERSIGN_CHECK"));
    assert!(field("MESSAGE").starts_with(&check), "{entry}");
    // Nothing of ours is in the kernel's log, where anybody who is root may write.
    let kernel = fs::read_to_string("/run/kmsg").unwrap();
    assert!(!kernel.contains("countersignd: "), "{kernel:.200}");
}
