//! Stage `watch`: what the checks find, each with its code, and what the contract says to do about it.

use std::io;

use countersign_boot::guest_os::Verb;
use countersign_boot::stage::Stage;
use countersign_contract::code::Code;
use countersign_ports::Priority;
use countersign_ports::guest_os::Wake;
use countersign_rehearsal::Rehearsal;

use crate::support::canaries::assert_silent;
use crate::support::guest_os::verb;
use crate::support::machine::{facts, machine_with_good_volume};
use crate::support::watch::{HOUR, Step, coded, count, demand, pass, started, started_with, watch};
use crate::support::{Contract, boot};

/// A change of the machine, and what the next check says of it.
type Case = (&'static str, fn(&Rehearsal), Code, &'static str);

const DEVIATIONS: &[Case] = &[
    (
        "another table",
        |machine| machine.shows_table("volume-data", "0 8 linear 253:3 0"),
        Code::TableChanged,
        "volume data: expected the kernel's table as it was at the start",
    ),
    (
        "another image",
        |machine| machine.shows_table("os", "0 8 linear 253:1 0"),
        Code::TableChanged,
        "the guest os: expected the kernel's table",
    ),
    (
        "scratch in the clear",
        |machine| machine.shows_table("scratch", "0 8388608 linear 253:2 0"),
        Code::ScratchChanged,
        "mount point /: expected the kernel's table",
    ),
    (
        "scratch without its tags",
        |machine| machine.shows_table("scratch_dif", "0 8388608 linear 253:2 0"),
        Code::ScratchChanged,
        "mount point /: expected the kernel's table",
    ),
    (
        "no mount",
        |machine| machine.unmounts("/mnt/data"),
        Code::MountGone,
        "volume data: expected it to be mounted",
    ),
    (
        "another device",
        |machine| machine.mounts_at("/dev/vdb", "/mnt/data", "rw,nosuid,nodev"),
        Code::MountReplaced,
        "volume data: expected its own encrypted device",
    ),
    (
        "another device at the root",
        |machine| machine.mounts_at("/dev/vdb", "/", "rw,nodev"),
        Code::MountReplaced,
        "mount point /: expected its own encrypted device",
    ),
    (
        "other flags",
        |machine| machine.mounts_at("/dev/mapper/volume-data", "/mnt/data", "rw,nodev"),
        Code::MountFlags,
        "volume data: expected the mount flags nosuid nodev",
    ),
    (
        "a file system after an error",
        |machine| {
            machine.mounts_at("/dev/mapper/volume-data", "/mnt/data", "rw,nosuid,nodev ro,errors=remount-ro")
        },
        Code::MountFlags,
        "volume data: expected a file system that takes writes",
    ),
    (
        "another record",
        |machine| machine.set_attribute_on("/dev/vdd2", Some(b"countersign volume record 1\n".to_vec())),
        Code::RecordChanged,
        "volume data: expected its record as it was at the start",
    ),
    (
        "no record",
        |machine| machine.set_attribute_on("/dev/vdd2", None),
        Code::RecordChanged,
        "volume data: expected its record as it was at the start",
    ),
    (
        "an unreadable record",
        |machine| machine.fails("attribute of /mnt/data", io::ErrorKind::Other),
        Code::WatchUnreadable,
        "volume data: double its mount point",
    ),
    (
        "a header without a magic",
        |machine| {
            machine.put("/dev/vdd2", 0, &[0; 8]);
            machine.put("/dev/vdd2", 16_384, &[0; 8]);
        },
        Code::WatchUnreadable,
        "volume data: ",
    ),
    (
        "another header",
        |machine| {
            machine.put("/dev/vdd2", 0, &luks(&["--uuid", "11111111-2222-4333-8444-555555555555"], false))
        },
        Code::HeaderChanged,
        "volume data: expected the luks header that was opened at the start",
    ),
    (
        "a second key slot",
        |machine| {
            let bytes = machine.bytes("/dev/vdd2", 4096);
            let uuid = std::str::from_utf8(&bytes[168..204]).unwrap();
            machine.put("/dev/vdd2", 0, &luks(&["--uuid", uuid], true));
        },
        Code::HeaderChanged,
        "volume data: expected 1 key slots in the luks header, found 2",
    ),
    (
        "another part of the disk",
        |machine| machine.shows_table("vdd2", "0 1888256 linear 253:3 2048"),
        Code::TableChanged,
        "volume data: expected the kernel's table as it was at the start",
    ),
    (
        "no mapping",
        |machine| machine.unmaps("volume-data"),
        Code::WatchUnreadable,
        "volume data: read table of volume-data",
    ),
    (
        "an unreadable disk",
        |machine| machine.fails("read /dev/mapper/vdd2", io::ErrorKind::Other),
        Code::WatchUnreadable,
        "volume data: ",
    ),
    (
        "no list of mounts",
        |machine| machine.fails("list mounts", io::ErrorKind::Other),
        Code::WatchUnreadable,
        "mounts: ",
    ),
    (
        "a strange list",
        |machine| machine.mounts_at("/dev/a", "/a\\04", "rw"),
        Code::WatchUnreadable,
        "mounts: expected",
    ),
];

/// A header that cryptsetup makes, with a second key slot if wanted.
fn luks(options: &[&str], second: bool) -> Vec<u8> {
    let folder = tempfile::tempdir().unwrap();
    std::fs::File::create(folder.path().join("volume")).unwrap().set_len(32 << 20).unwrap();
    std::fs::write(folder.path().join("key"), "one").unwrap();
    std::fs::write(folder.path().join("other"), "two").unwrap();
    let cryptsetup = |arguments: &[&str]| {
        let mut command = std::process::Command::new("cryptsetup");
        let cheap =
            ["--batch-mode", "--pbkdf", "pbkdf2", "--pbkdf-force-iterations", "1000", "--key-file", "key"];
        crate::support::keys::run(command.args(cheap).args(arguments).current_dir(folder.path()));
    };
    let mut arguments = vec!["luksFormat", "--type", "luks2"];
    arguments.extend(options);
    arguments.push("volume");
    cryptsetup(&arguments);
    if second {
        cryptsetup(&["luksAddKey", "volume", "other"]);
    }
    let mut bytes = std::fs::read(folder.path().join("volume")).unwrap();
    bytes.truncate(16 << 20);
    bytes
}

#[test]
fn every_deviation_has_its_code_at_every_check_for_as_long_as_it_lasts() {
    for (what, change, code, words) in DEVIATIONS {
        let machine = started();
        let deviate: Step<'_> = Box::new(|machine| {
            change(machine);
            machine.passes(3_600, HOUR);
            Wake::Due
        });
        let (run, alarm) = watch(&machine, vec![deviate, pass(HOUR)]);
        assert_eq!(run.result, Ok(()), "{what}: {}", run.said());
        let errors: Vec<&(Priority, String)> =
            run.lines.iter().filter(|(priority, _)| *priority == Priority::Error).collect();
        let said: Vec<&&(Priority, String)> =
            errors.iter().filter(|(_, text)| text.starts_with(&format!("{code}: {words}"))).collect();
        assert_eq!(said.len(), 2, "{what}: {}", run.said());
        // Where the mapping is gone, its mount is another device's as well.
        assert!(errors.len() == 2 || *what == "no mapping", "{what}: {}", run.said());
        // The first check was good, the two others were not.
        assert_eq!((count(&run, Code::CheckStarted), count(&run, Code::CheckPassed)), (3, 1), "{what}");
        let deviations = errors.len() / 2;
        assert!(alarm.status.ends_with(&format!("check 3: {deviations} deviations")), "{}", alarm.status);
        assert_silent(&run);
    }
}

#[test]
fn a_deviation_that_ends_is_over() {
    let machine = started();
    let cover: Step<'_> = Box::new(|machine| {
        machine.mounts_at("/dev/vdb", "/mnt/data", "rw");
        machine.passes(3_600, HOUR);
        Wake::Due
    });
    let uncover: Step<'_> = Box::new(|machine| {
        machine.unmounts("/mnt/data");
        machine.mounts_at("/dev/mapper/volume-data", "/mnt/data", "rw,nosuid,nodev");
        machine.passes(3_600, HOUR);
        Wake::Due
    });
    let (run, _) = watch(&machine, vec![cover, uncover]);
    assert_eq!((count(&run, Code::MountReplaced), count(&run, Code::CheckPassed)), (1, 2), "{}", run.said());
}

/// A good contract whose section says what a deviation does.
fn contract(section: &str, word: &str) -> Contract {
    let type_line = format!("type: {section}\n");
    let said = format!("countersign: {{on-deviation: {word}}}\n");
    Contract::good().with(&type_line, &format!("{type_line}{said}"))
}

#[test]
fn a_deviation_powers_off_where_the_contract_says_so() {
    for section in ["workload", "env"] {
        let machine = started_with(&contract(section, "power-off"), facts());
        let deviate: Step<'_> = Box::new(|machine| {
            machine.shows_table("volume-data", "0 8 linear 253:3 0");
            machine.unmounts("/");
            machine.passes(3_600, HOUR);
            Wake::Due
        });
        let (run, alarm) = watch(&machine, vec![pass(HOUR), deviate, pass(HOUR)]);
        let failure = run.failure();
        assert_eq!((failure.stage, failure.code()), (Stage::Watch, Code::MountGone), "{}", run.said());
        // All that was found is said before the guest goes off, and nothing is looked at after.
        assert_eq!((count(&run, Code::CheckStarted), count(&run, Code::CheckPassed)), (3, 2));
        assert_eq!(count(&run, Code::TableChanged), 1, "{}", run.said());
        let cause = format!(
            "HPL13111E: mount point /: expected it to be mounted; the contract says power-off on a deviation; {}",
            Code::MountGone.remedy()
        );
        let end =
            "stage=watch state=failed code=HPL13111E\ncountersign: exit=100 stage=watch code=HPL13111E\n";
        assert!(run.said().ends_with(&format!("{cause}\ncountersign: {end}")), "{}", run.said());
        // The unit that tells the log server finds it.
        assert_eq!(run.file("/run/countersign/failure.txt"), cause);
        assert_eq!(alarm.waits.len(), 2);
        assert_silent(&run);
    }
}

#[test]
fn a_deviation_at_the_first_check_or_on_demand_powers_off_as_well() {
    let machine = started_with(&contract("env", "power-off"), facts());
    machine.unmounts("/mnt/data");
    let (run, alarm) = watch(&machine, vec![pass(HOUR)]);
    assert_eq!(run.failure().code(), Code::MountGone, "{}", run.said());
    assert_eq!((alarm.ready, alarm.waits.len()), (1, 0), "nothing is looked at after");
    let machine = started_with(&contract("env", "power-off"), facts());
    let asked: Step<'_> = Box::new(|machine| {
        machine.unmounts("/mnt/data");
        Wake::Demanded
    });
    let (run, _) = watch(&machine, vec![asked, demand()]);
    assert_eq!(run.failure().code(), Code::MountGone, "{}", run.said());
    let lines = coded(&run);
    assert_eq!(lines.iter().filter(|line| line.starts_with("HPL13000I")).count(), 2, "{lines:#?}");
}

#[test]
fn a_contract_that_says_report_goes_on() {
    let machine = started_with(&contract("env", "report"), facts());
    machine.unmounts("/mnt/data");
    let (run, _) = watch(&machine, vec![pass(HOUR)]);
    assert_eq!((run.result.clone(), count(&run, Code::MountGone)), (Ok(()), 2), "{}", run.said());
}

#[test]
fn a_file_system_with_a_number_of_its_own_is_known_by_it() {
    let contract =
        Contract::good().with("    mount: /mnt/data\n", "    mount: /mnt/data\n    filesystem: btrfs\n");
    let machine = started_with(&contract, facts());
    let (run, _) = watch(&machine, Vec::new());
    assert!(run.stage_lines()[1].ends_with("deviations=0"), "{}", run.said());
    machine.mounts_at("/dev/mapper/volume-data", "/mnt/data", "rw,nosuid,nodev");
    let (run, _) = watch(&machine, Vec::new());
    assert_eq!(count(&run, Code::MountReplaced), 1, "{}", run.said());
}

#[test]
fn a_volume_that_had_no_record_has_none_later() {
    let read_only = "countersign:\n  volumes:\n    data:\n      mount-options: [ro]\n";
    let machine = machine_with_good_volume(&Contract::good().with_workload(read_only));
    assert_eq!(boot(&machine).result, Ok(()));
    assert_eq!(verb(&machine, Verb::Start).result, Ok(()));
    let (run, _) = watch(&machine, Vec::new());
    assert!(run.stage_lines()[1].ends_with("deviations=0"), "{}", run.said());
    machine.set_attribute_on("/dev/vdd2", Some(b"x".to_vec()));
    let (run, _) = watch(&machine, Vec::new());
    let words = "HPL13117E: volume data: expected no record, as it was at the start";
    assert!(run.lines.iter().any(|(_, text)| text == words), "{}", run.said());
}
