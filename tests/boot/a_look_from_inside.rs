//! A look at the running guest from inside: no secret in a command line, an environment, the journal, the transcript or
//! a core file; the kernel is closed; a container that failed was started again, and the check of the volumes that it
//! asks for is made; a panic ends the machine.
//!
//! The guest has no shell, so the look is taken by a unit that only this story's image has (`probe/`). It writes what
//! it saw onto one disk, and onto another the environments of the containers, where the contract's secret belongs:
//! that one proves that the search finds what is there.

use std::net::TcpStream;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use countersign_vm::arguments::Drive;
use countersign_vm::events::{Event, Stage, State};
use countersign_vm::guest::{Guest, Next};
use countersign_vm::lab::contract::archive;
use countersign_vm::lab::syslog::Message;
use countersign_vm::lab::world::{DATA_DISK, World};
use countersign_vm::profile::Profile;

use crate::support::{BOOT, SEEN, logs, probed_world};

/// The port on which the probe waits before it makes the kernel panic.
const PANIC: u16 = 8081;

/// The most memory that a daemon of ours may ever have taken, in KiB.
const PEAK: u32 = 16 << 10;

/// Programs that handle secrets of the contract; that they were seen shows that the look was taken in time. Process 1
/// is not among them: systemd sets its own limit, and is told to write no core file (`DumpCore=no`).
const PROCESSES: [&str; 5] = ["systemd-journal", "countersignd", "podman", "docker-compose", "conmon"];

const PARAMETERS: [(&str, &str); 8] = [
    ("kernel/sysrq", "0"),
    ("kernel/panic", "0"),
    ("kernel/panic_on_oops", "1"),
    ("kernel/core_pattern", "|/bin/false"),
    ("kernel/modules_disabled", "1"),
    ("kernel/dmesg_restrict", "1"),
    ("kernel/kptr_restrict", "2"),
    ("fs/suid_dumpable", "0"),
];

/// A service that fails when it is first started, and then asks for checks of the volumes.
fn again(image: &str) -> String {
    format!(
        r#"  again:
    image: {image}
    entrypoint: ["/bin/busybox", "sh", "-c"]
    command:
      - if read -r word </data/again; then echo "$$word start of this container";
        while :; do echo HPL13000I; /bin/busybox sleep 30; done;
        else echo second >/data/again; exit 1; fi
    restart: on-failure
    volumes: ["again:/data"]
volumes:
  again: {{}}
"#
    )
}

/// The demo's compose folder with the service that fails.
fn compose(world: &World) -> String {
    let file = world.folder().join("compose/docker-compose.yaml");
    let text = std::fs::read_to_string(&file).unwrap();
    let image = text.lines().find_map(|line| line.trim().strip_prefix("image: ")).unwrap();
    let folder = world.folder().join("compose-again");
    std::fs::create_dir(&folder).unwrap();
    std::fs::write(folder.join("docker-compose.yaml"), text.clone() + &again(image)).unwrap();
    archive(&folder).unwrap()
}

#[test]
fn a_look_from_inside() {
    let mut world = probed_world();
    let mut contract = world.contract();
    contract.archive = compose(&world);
    let delivery = world.delivery();
    let medium = world.deliver("contract", &contract.texts(), &delivery).unwrap();
    let data = world.disk("data", DATA_DISK).unwrap();
    let evidence = world.disk("evidence", SEEN).unwrap();
    let control = world.disk("control", SEEN).unwrap();
    let mut run = world.run("inside", &world.keys.image, &medium, Some(&data)).unwrap();
    run.drives.push(Drive::writable(&evidence, "evidence"));
    run.drives.push(Drive::writable(&control, "control"));
    let mut profile = Profile::named("single").unwrap();
    profile.network.as_mut().unwrap().forward.push(PANIC);
    let logs = logs("inside");

    let mut guest = Guest::boot(&profile, &run, &logs).unwrap();
    guest.wait_for("HPL10001I", BOOT, |event| event.is_message("HPL10001I")).unwrap();
    let done = |event: &Event| matches!(event, Event::Console(line) if line.contains("probe: done"));
    guest.wait_for("the probe's end", BOOT, done).unwrap();
    let restarted = |message: &Message| {
        message.app == "compose-again-1" && message.msg.contains("second start of this container")
    };
    world.syslog.wait_for("the line of the restarted container", BOOT, restarted).unwrap();
    let checked = |message: &Message| message.msg.contains("HPL13001I: check 2: ");
    world.syslog.wait_for("the check that the container asked for", BOOT, checked).unwrap();

    let port = guest.forwarded(PANIC).unwrap();
    let deadline = Instant::now() + BOOT;
    // The emulator takes a connection before the probe listens: as often as it takes.
    let status = loop {
        let connection = TcpStream::connect(("127.0.0.1", port));
        match guest.next(Instant::now() + Duration::from_secs(1)).unwrap() {
            Next::Ended(status) => break status,
            _ => assert!(Instant::now() < deadline, "the kernel did not panic"),
        }
        drop(connection);
    };
    // A reboot would have been a success.
    assert!(!status.success(), "{status}");
    let serial = std::fs::read_to_string(logs.serial()).unwrap();
    assert!(serial.contains("Kernel panic - not syncing"), "{serial}");
    let boots = guest.history().iter().filter(|seen| seen.event.is_stage(Stage::Preflight, State::Start));
    assert_eq!(boots.count(), 1);

    let bytes = std::fs::read(&evidence).unwrap();
    let seen = String::from_utf8_lossy(&bytes);
    let seen: Vec<&str> = seen.lines().collect();
    assert!(seen.contains(&"evidence=complete"), "what was seen does not fit the disk, or was not written");
    for name in PROCESSES {
        let limit = format!("process={name} core=0 0");
        assert!(seen.iter().any(|line| *line == limit), "no process {name} without core dumps was seen");
    }
    for (name, value) in PARAMETERS {
        let line = format!("parameter={name} value={value}");
        assert!(seen.contains(&line.as_str()), "no \"{line}\"");
    }
    assert!(seen.contains(&"swaps=0"));
    for name in ["watch", "forward"] {
        let daemon =
            seen.iter().find_map(|line| line.strip_prefix(&format!("daemon={name} "))).unwrap_or_default();
        println!("{name}: {daemon}");
        let peak = daemon.split(' ').find_map(|word| word.strip_prefix("peak=")?.parse::<u32>().ok());
        assert!(peak.is_some_and(|peak| peak <= PEAK), "{name}: {daemon}");
    }
    let cores: Vec<&&str> = seen.iter().filter(|line| line.starts_with("core-file=")).collect();
    assert!(cores.is_empty(), "{cores:?}");

    assert_ne!(world.canaries.search([control.as_path()]).unwrap(), Vec::new(), "the search finds nothing");
    let mut searched =
        vec![evidence, medium.image, data, world.syslog.file(), logs.serial(), logs.emulator()];
    searched.extend(run.drives.iter().filter(|d| d.serial.ends_with("scratch")).map(|d| d.path.clone()));
    assert_eq!(world.canaries.search(searched.iter().map(PathBuf::as_path)).unwrap(), Vec::new());
}
