//! A guest that runs, looked at from inside: the kernel is closed, no program writes core files, the daemons are small; a
//! container that failed was started again, and the check of the volumes that it asks for is made; a panic ends the
//! machine.
//!
//! Beside what every story searches (`inside.rs`) the environments of the containers are written onto a disk of their own,
//! where the contract's secret belongs: that one proves that the search finds what is there. All files that lie in memory
//! are written onto another: the registry's password is in none of them any more.

use countersign_vm::arguments::Drive;
use countersign_vm::lab::syslog::Message;
use countersign_vm::lab::world::DATA_DISK;
use countersign_vm::profile::Profile;

use crate::inside::{self, CONTROL_DISK, End, MEMORY_DISK, SEEN};
use crate::support::{BOOT, compose_with, long, world};

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

#[test]
fn a_look_from_inside() {
    if !long() {
        return;
    }
    let mut world = world();
    let mut contract = world.contract();
    contract.archive = compose_with(&world, again);
    let delivery = world.delivery();
    let medium = world.deliver("contract", &contract.texts(), &delivery).unwrap();
    let data = world.disk("data", DATA_DISK).unwrap();
    let control = world.disk("control", SEEN).unwrap();
    let mut run = world.run("inside", &world.keys.image, &medium, Some(&data)).unwrap();
    run.drives.push(Drive::writable(&control, CONTROL_DISK));
    run.drives.push(Drive::writable(world.disk("memory", SEEN).unwrap(), MEMORY_DISK));
    let (mut guest, look) = inside::boot("inside", &Profile::named("single").unwrap(), run);
    guest.wait_for("HPL10001I", BOOT, |event| event.is_message("HPL10001I")).unwrap();
    let restarted = |message: &Message| {
        message.app == "compose-again-1" && message.msg.contains("second start of this container")
    };
    world.syslog.wait_for("the line of the restarted container", BOOT, restarted).unwrap();
    let checked = |message: &Message| message.msg.contains("HPL13001I: check 2: ");
    world.syslog.wait_for("the check that the container asked for", BOOT, checked).unwrap();

    look.ask(&mut guest);
    inside::panic(&mut guest, &look);

    let processes = look.processes();
    for name in PROCESSES {
        let seen = processes.lines().any(|line| {
            line.strip_prefix("process=")
                .and_then(|line| line.strip_prefix(name))
                .is_some_and(|rest| rest.starts_with(" pid=") && rest.ends_with(" core=0 0"))
        });
        assert!(seen, "no process {name} without core dumps was seen");
    }
    assert!(processes.contains("/usr/sbin/mke2fs\0"), "what process 1 of the initramfs starts was not seen");
    let files = look.files();
    let seen: Vec<&str> = files.lines().collect();
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
    assert_ne!(world.canaries.search([control.as_path()]).unwrap(), Vec::new(), "the search finds nothing");
    look.assert_credentials_are_gone(&world);
    look.assert_silent(&world, End::Cut);
}
