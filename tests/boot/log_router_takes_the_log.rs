//! The log goes to IBM Cloud Logs: a guest that boots, lines of kernel, initramfs and container; and one that is refused
//! at `unlock`, whose cause arrives there by failure mode.

use std::time::Duration;

use countersign_vm::events::Stage;
use countersign_vm::lab::cloud_logs::Record;
use countersign_vm::lab::world::DATA_DISK;
use countersign_vm::profile::Profile;

use crate::inside::{self, End};
use crate::support::{BOOT, long, mistyped, refused, world};

const ANSWER: Duration = Duration::from_secs(120);

#[test]
fn log_router_takes_the_log() {
    if !long() {
        return;
    }
    let mut world = world();
    let (mut service, contract) = world.with_cloud_logs().unwrap();
    let delivery = world.delivery();
    let medium = world.deliver("log-router", &contract.texts(), &delivery).unwrap();
    let data = world.disk("data", DATA_DISK).unwrap();

    let run = world.run("log-router", &world.keys.image, &medium, Some(&data)).unwrap();
    let profile = Profile::named("single").unwrap();
    let (mut guest, look) = inside::boot("log-router", &profile, run);
    guest.wait_for("HPL10001I", BOOT, |event| event.is_message("HPL10001I")).unwrap();
    for line in ["HPL10001I", "HPL13001I", "hello: boot 1 of this volume"] {
        let wanted = |record: &Record| record.text.message.contains(line);
        service.wait_for(line, ANSWER, wanted).unwrap();
    }
    look.ask(&mut guest);
    guest.cut_power().unwrap();
    look.assert_silent(&world, End::Cut);

    let records = service.records().unwrap();
    assert_eq!(records[0].text.message, "authentication probe", "the first record");
    let one = |what: &str, wanted: &dyn Fn(&Record) -> bool| {
        records.iter().find(|record| wanted(record)).unwrap_or_else(|| panic!("no {what}")).clone()
    };
    one("line of the kernel", &|record| record.text.message.contains("Linux version"));
    one("line of the initramfs", &|record| {
        record.text.message.contains("countersign: stage=verify state=done")
    });
    let line = one("line of the container", &|record| record.text.message.contains("hello: boot 1"));
    assert_eq!((line.subsystem_name.as_str(), line.severity), ("compose-hello-1", 3));
    assert!(line.text.container_id.is_some_and(|id| id.len() >= 12), "the container's id");
    assert!(records.iter().all(|record| record.computer_name == "countersign-guest"));
    assert!(records.iter().all(|record| record.text.tags == ["story"]));
    let mut numbers: Vec<u64> = records.iter().filter_map(|record| record.text.sequence).collect();
    numbers.sort_unstable();
    numbers.dedup();
    let (first, last) = (numbers[0], numbers[numbers.len() - 1]);
    assert_eq!(numbers.len() as u64, last - first + 1, "numbers from {first} to {last} without a gap");

    // The same volume with a mistyped seed.
    let before = records.len();
    let other = mistyped(&mut world, &contract);
    let wrong = world.deliver("log-router-refused", &other.texts(), &delivery).unwrap();
    let boot = refused(&world, "log-router-refused", "single", &world.keys.image, &wrong, Some(&data));
    boot.assert_ended(Stage::Unlock, &[("code", "HPL02003E")]);
    boot.assert_nothing_after(Stage::Unlock);
    // The machine is off: what has not arrived by now will not.
    let told: Vec<Record> = service.records().unwrap().split_off(before);
    let lines: Vec<&str> = told.iter().map(|record| record.text.message.as_str()).collect();
    assert_eq!(lines.len(), 2, "{lines:?} for\n{}", boot.serial);
    assert!(lines[0].starts_with("HPL02003E: volume data: ") && boot.serial.contains(lines[0]), "{lines:?}");
    assert!(lines[1].starts_with("HPL10000E: "), "{lines:?}");
    assert!(told.iter().all(|record| record.severity == 5));
    boot.assert_closed_and_silent(&world);

    assert_eq!(service.violations(), "");
    assert!(world.syslog.lines().unwrap().is_empty(), "nobody else was told");
    assert_eq!(world.canaries.search([service.file().as_path()]).unwrap(), Vec::new());
}
