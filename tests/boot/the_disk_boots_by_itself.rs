//! The disk that `qemu/image` makes: the machine's firmware starts it, no kernel is handed over, and the end-to-end story
//! passes. Its disks are attached as by HPCR's published domains: by device numbers, without any serial number, without a
//! scratch disk; and its console has what log watchers of HPCR look for.

use std::path::{Path, PathBuf};
use std::time::Duration;

use countersign_vm::arguments::{Drive, Layer, Run};
use countersign_vm::events::{Event, Stage, State};
use countersign_vm::guest::Guest;
use countersign_vm::lab::world::{DATA_DISK, World};
use countersign_vm::lab::{disk, http};
use countersign_vm::process::{run, tied};
use countersign_vm::profile::{Profile, checkout};

use crate::support::{BOOT, logs, shipped_world};

const ANSWER: Duration = Duration::from_secs(120);

#[test]
fn the_disk_boots_by_itself() {
    let mut world = shipped_world();
    let contract = world.contract();
    let delivery = world.delivery();
    let medium = world.deliver("contract", &contract.texts(), &delivery).unwrap();
    let data = world.disk("data", DATA_DISK).unwrap();
    let profile = Profile::named("single").unwrap();
    let parts = world.run("disk", &world.keys.image, &medium, None).unwrap();
    let image = image(&world, &profile, parts.initramfs.as_deref().unwrap());
    let before = disk::fingerprint(&image).unwrap();

    // The network's device has number 1, so that its interface is enc1.
    let drives = vec![
        Drive::read_only(&image, "").behind(Layer::Qcow2).at(0),
        Drive::read_only(&medium.image, "").at(2),
        Drive::writable(&data, "").at(3),
    ];
    let whole = Run { kernel: None, initramfs: None, command_line: Vec::new(), drives, link: None };
    let logs_of_first = logs("disk");
    let mut guest = Guest::boot(&profile, &whole, &logs_of_first).unwrap();

    // The firmware, before any kernel.
    let firmware =
        |event: &Event| matches!(event, Event::Console(line) if line.contains("Using SCSI scheme"));
    guest.wait_for("firmware", BOOT, firmware).unwrap();

    // Another machine starts from the same disk meanwhile. It has no contract, and says so.
    let alone = Run { drives: whole.drives[..1].to_vec(), ..whole.clone() };
    let small = Profile { memory_mib: 1536, ..profile.clone() };
    let mut other = Guest::boot(&small, &alone, &logs("disk-other")).unwrap();

    guest.wait_for("HPL10001I", BOOT, |event| event.is_message("HPL10001I")).unwrap();
    let port = guest.forwarded(8080).unwrap();
    let answer = http::get(port, "/cgi-bin/hello", ANSWER).unwrap();
    let value = |key: &str| answer.lines().find_map(|line| line.strip_prefix(key)?.strip_prefix('='));
    assert_eq!(value("secret"), Some(contract.env["SECRET"].as_str()), "the container knows the contract");
    assert_eq!(value("boots"), Some("1"), "the container has the volume");
    let watched = |event: &Event| event.is_stage(Stage::Watch, State::Done);
    if !guest.history().iter().any(|seen| watched(&seen.event)) {
        guest.wait_for("end of the stage watch", ANSWER, watched).unwrap();
    }
    for stage in Stage::ALL {
        let done = guest.history().iter().any(|seen| seen.event.is_stage(stage, State::Done));
        assert!(done, "{stage} was not done");
    }
    let root = guest.history().iter().find(|seen| seen.event.is_stage(Stage::Root, State::Done)).unwrap();
    assert_eq!(root.event.field("scratch"), Some("memory"));
    guest.cut_power().unwrap();

    let refused = |event: &Event| {
        event.is_stage(Stage::Locate, State::Failed) && event.field("code") == Some("HPL11100E")
    };
    if !other.history().iter().any(|seen| refused(&seen.event)) {
        other.wait_for("refusal of a guest without a contract", BOOT, refused).unwrap();
    }
    assert!(other.wait_end(BOOT).unwrap().success());

    // What the public operator for Kubernetes searches a console for, and IBM's labs tell to look for.
    let serial = std::fs::read_to_string(logs_of_first.serial()).unwrap();
    assert!(serial.contains("VSI has started successfully"), "{serial}");
    assert!(serial.lines().any(|line| has_code(line, 'I')), "{serial}");
    assert!(!serial.lines().any(|line| has_code(line, 'E')), "{serial}");

    assert_eq!(disk::fingerprint(&image).unwrap(), before, "the image's disk was written");
    let searched = [logs_of_first.serial(), data, medium.image, world.syslog.file()];
    assert_eq!(world.canaries.search(searched.iter().map(PathBuf::as_path)).unwrap(), Vec::new());
}

/// The disk, by `qemu/image`, with the keys in its initramfs: a sealed image asks for a machine with an Ultravisor.
fn image(world: &World, profile: &Profile, initramfs: &Path) -> PathBuf {
    let image = world.folder().join("image.qcow2");
    let mut command = tied("bash");
    command.arg(checkout().join("qemu/image")).arg("--initramfs").arg(initramfs);
    command.arg("--command-line").arg(profile.command_line.join(" "));
    command.arg("--parts").arg(std::env::var_os("COUNTERSIGN_PARTS").unwrap()).arg(&image);
    run(command, b"").unwrap();
    image
}

/// Whether the line has a message code that ends with this letter: `HPL\d+I`, as the operator's patterns have it.
fn has_code(line: &str, kind: char) -> bool {
    line.match_indices("HPL").any(|(at, word)| {
        let rest = &line[at + word.len()..];
        let letter = rest.trim_start_matches(|letter: char| letter.is_ascii_digit());
        letter.len() < rest.len() && letter.starts_with(kind)
    })
}
