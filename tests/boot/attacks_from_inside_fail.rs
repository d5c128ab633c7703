//! What the kernel of a running guest lets nobody do, root of the guest OS and a privileged container included: load a
//! module or another kernel, read memory, set up an io_uring, open the kernel again, open a partition of a disk that a
//! volume lies on, have the engine copy an image. Nor does the kernel listen to the keys that the host presses on its console. The kernel command line is
//! the shipped one, and each of its words has its effect. The contract's disk is gone. A container that is called like the
//! guest's own program and prints one of its lines is known as a container by its record, and so is root's line in the
//! kernel's log. A container that comes from another file of the archive and says that its lines go nowhere has Docker's
//! defaults, and its lines are at the log server; another waits until it is healthy.

use std::collections::BTreeSet;
use std::path::Path;

use countersign_vm::lab::syslog::Message;
use countersign_vm::lab::world::DATA_DISK;
use countersign_vm::process::{run, tied};
use countersign_vm::profile::{Profile, command_line};

use crate::inside::{self, End, PANIC};
use crate::support::{BOOT, compose_with, world};

/// What root tries (`probe/attacks.c`), and what it is told.
const ATTACKS: [(&str, &[&str]); 10] = [
    ("module", &["EPERM"]),
    // Debian's kernel for s390x has neither call.
    ("kexec", &["EPERM", "ENOSYS"]),
    ("io_uring", &["EPERM"]),
    ("user-namespace", &["EPERM"]),
    ("memory", &["EPERM"]),
    ("kernel-core", &["EPERM"]),
    ("load-modules-again", &["EINVAL", "EPERM"]),
    ("open-the-kernel-again", &["EPERM"]),
    // No partition has this number, and the kernel does not look for any on a disk that is mapped.
    ("partition-node", &["ENXIO"]),
    ("partition-scan", &["EBUSY"]),
];

const PARAMETERS: [(&str, &str); 9] = [
    ("kernel/sysrq", "0"),
    ("kernel/io_uring_disabled", "2"),
    ("kernel/unprivileged_userns_clone", "0"),
    ("user/max_user_namespaces", "16"),
    ("kernel/modules_disabled", "1"),
    ("fs/protected_symlinks", "1"),
    ("fs/protected_hardlinks", "1"),
    ("fs/protected_fifos", "2"),
    ("fs/protected_regular", "2"),
];

/// A container with every privilege lists the disks that there are, and opens them and what should be their partitions by
/// nodes that it makes itself.
fn spy(image: &str) -> String {
    format!(
        r#"  spy:
    image: {image}
    privileged: true
    entrypoint: ["/bin/busybox", "sh", "-c"]
    command:
      - for disk in /sys/block/vd*; do /bin/busybox echo "disk=$$(/bin/busybox cat $$disk/serial)"; done;
        for disk in /sys/block/vd*; do set -- $$(/bin/busybox tr ":" " " <$$disk/dev);
        for part in 0 1 2; do
        /bin/busybox rm -f /dev/part; /bin/busybox mknod /dev/part b $$1 $$(($$2 + part));
        if /bin/busybox dd if=/dev/part of=/dev/null count=1; then /bin/busybox echo "opened=$$part"; fi;
        done; done;
        /bin/busybox echo "disks=listed"; /bin/busybox sleep 1000
    stop_signal: SIGKILL
  imitation:
    image: {image}
    container_name: countersignd
    privileged: true
    depends_on: {{usual: {{condition: service_healthy}}}}
    entrypoint: ["/bin/busybox", "sh", "-c"]
    command:
      - |
        /bin/busybox echo "{IMITATED}"
        /bin/busybox mknod /dev/log-of-the-kernel c 1 11
        /bin/busybox echo "<6>countersignd: {IMITATED}" >/dev/log-of-the-kernel
        /bin/busybox sleep 1000
    stop_signal: SIGKILL
  usual:
    extends: {{file: other.yaml, service: base}}
"#
    )
}

/// The other file: a container says what the engine gives to one that asks for nothing.
fn other(image: &str) -> String {
    format!(
        r#"services:
  base:
    image: {image}
    logging: {{driver: none}}
    healthcheck: {{test: [CMD, /bin/busybox, "true"], interval: 2s}}
    entrypoint: ["/bin/busybox", "sh", "-c"]
    command:
      - /bin/busybox echo "usual=$$(/bin/busybox grep CapEff /proc/self/status | /bin/busybox cut -f 2)
        $$(/bin/busybox cat /proc/sys/net/ipv4/ip_unprivileged_port_start)
        $$(/bin/busybox ip -4 addr show eth0 | /bin/busybox grep -o 'inet [0-9]*.[0-9]*')"; /bin/busybox sleep 1000
    stop_signal: SIGKILL
"#
    )
}

/// Capabilities of Docker, ports below 1024 for everybody, and Docker's addresses.
const USUAL: &str = "usual=00000000a80425fb 0 inet 172.18";

/// A line of the guest's own, byte for byte but for the number.
const IMITATED: &str = "HPL13000I: check 4711: mounts and volumes are being checked";

/// Writes a table with the partitions of a volume.
fn part(disk: &Path) {
    let mut sfdisk = tied("sfdisk");
    sfdisk.arg("--quiet").arg(disk);
    run(sfdisk, b"label: gpt\nsize=100MiB, name=metadata\nname=data\n").unwrap();
}

#[test]
fn attacks_from_inside_fail() {
    let mut world = world();
    let mut contract = world.contract();
    contract.archive = compose_with(&world, |image| {
        std::fs::write(world.folder().join("compose/other.yaml"), other(image)).unwrap();
        spy(image)
    });
    let delivery = world.delivery();
    let medium = world.deliver("contract", &contract.texts(), &delivery).unwrap();
    let data = world.disk("data", DATA_DISK).unwrap();
    // Parted by the host: the kernel finds both partitions before anything else runs.
    part(&data);
    let run = world.run("attacks", &world.keys.image, &medium, Some(&data)).unwrap();
    let (mut guest, look) = inside::boot("attacks", &Profile::named("single").unwrap(), run);
    guest.wait_for("HPL10001I", BOOT, |event| event.is_message("HPL10001I")).unwrap();
    let listed = |message: &Message| message.app == "compose-spy-1" && message.msg.contains("disks=listed");
    world.syslog.wait_for("the list of a privileged container", BOOT, listed).unwrap();
    let usual = |message: &Message| message.app == "compose-usual-1" && message.msg.contains(USUAL);
    world.syslog.wait_for("what any container has", BOOT, usual).unwrap();
    let imitated = |message: &Message| message.app == "countersignd" && message.msg.contains("check 4711");
    let from_container = |message: &Message| imitated(message) && message.facility == "local0";
    world.syslog.wait_for("the imitation", BOOT, from_container).unwrap();
    let from_kernel = |message: &Message| imitated(message) && message.facility != "local0";
    world.syslog.wait_for("the imitation in the kernel's log", BOOT, from_kernel).unwrap();
    // The host's keys: had the kernel listened, nobody could look any more.
    guest.press(PANIC).unwrap();
    look.ask(&mut guest);
    inside::panic(&mut guest, &look);

    let files = look.files();
    let seen: Vec<&str> = files.lines().collect();
    let after = |beginning: &str| seen.iter().find_map(|line| line.strip_prefix(beginning));
    for (name, refusals) in ATTACKS {
        let answer = after(&format!("attack={name} "));
        assert!(answer.is_some_and(|answer| refusals.contains(&answer)), "{name}: {answer:?}");
    }
    assert_eq!(after("copy="), Some("rejected by policy"));
    // The kernel did find the partitions that nobody can open.
    assert!(
        seen.iter().any(|line| line.starts_with("MESSAGE= vd") && line.ends_with('2')),
        "no partition was found"
    );
    for (name, value) in PARAMETERS {
        assert_eq!(after(&format!("parameter={name} value=")), Some(value), "{name}");
    }
    let line = after("command-line=").unwrap_or_default();
    for word in command_line().unwrap() {
        assert!(line.split(' ').any(|found| found == word), "{word} in {line}");
    }
    // init_on_free, slab_nomerge, loglevel.
    let overwritten = after("memory-is-overwritten=").unwrap_or_default();
    assert!(overwritten.ends_with("heap free:on"), "{overwritten}");
    let merged = after("merged-caches=").unwrap_or_default();
    assert!(merged.starts_with("0 caches=") && merged != "0 caches=0", "{merged}");
    assert!(after("parameter=kernel/printk value=").is_some_and(|levels| levels.starts_with('3')));
    // Scratch space: nothing was read that was not written.
    assert_eq!(after("complaint="), None);

    // Who wrote a line is told by its record, whatever it says.
    let lines = world.syslog.lines().unwrap();
    let origins: BTreeSet<_> = lines.iter().filter(|line| imitated(line)).map(Message::origin).collect();
    assert_eq!(origins, BTreeSet::from([Some("container"), Some("system")]));
    for (code, unit) in [
        ("HPL02001I", "initramfs"),
        ("HPL01010I", "countersign-logging.service"),
        ("HPL10001I", "countersign-start.service"),
        ("HPL13000I", "countersign-watch.service"),
    ] {
        let own = |line: &&Message| line.msg.starts_with(code) && line.origin() == Some("guest");
        let own = lines.iter().find(own).unwrap_or_else(|| panic!("no {code} of the guest in {lines:#?}"));
        assert_eq!(own.facility, "daemon");
        for fact in [
            format!(" unit=\"{unit}\""),
            format!(" code=\"{code}\""),
            " contract=\"".into(),
            " signer=\"".into(),
        ] {
            assert!(own.data.contains(&fact), "{fact} in {}", own.data);
        }
    }
    let said = |message: Message| (message.app == "compose-spy-1").then_some(message.msg);
    let log: Vec<String> = world.syslog.lines().unwrap().into_iter().filter_map(said).collect();
    let behind =
        |word: &str| -> Vec<&str> { log.iter().filter_map(|line| line.split(word).nth(1)).collect() };
    let disks = behind("disk=");
    // Each disk by its own number, no partition.
    assert_eq!(behind("opened="), vec!["0"; disks.len()], "{log:?}");
    assert!(disks.iter().any(|disk| disk.contains("data")), "{disks:?}");
    assert!(!disks.iter().any(|disk| disk.contains("cidata")), "{disks:?}");
    look.assert_silent(&world, End::Cut);
}
