//! Stage `unlock`: which keys are derived when, side by side and after which check.

use std::io;

use countersign_boot::stage::Stage;
use countersign_contract::code::Code;
use countersign_rehearsal::{Facts, Rehearsal};

use crate::support::boot;
use crate::support::contract::{DEPLOYER_SEED, WORKLOAD_SEED};
use crate::support::machine::{
    Boot, DATA, GIB, facts, header, header_of_memory, machine_without_volume, parted, passphrase, put_volume,
    two_volumes,
};

const MORE: (&str, &str) = ("another-deployer-Seed", "another-workload-Seed");

/// Two volumes on disks of their own, whose headers are these.
fn machine(facts: Facts, headers: [&[u8]; 2]) -> Rehearsal {
    let machine = machine_without_volume(&two_volumes(), facts);
    for (disk, name) in [(DATA, "data"), ("/dev/vde", "more")] {
        machine.attach_disk(parted(disk, name, &["metadata", "data"]));
    }
    put_volume(&machine, "/dev/vdd2", DEPLOYER_SEED, WORKLOAD_SEED);
    put_volume(&machine, "/dev/vde2", MORE.0, MORE.1);
    for (device, header) in ["/dev/vdd2", "/dev/vde2"].into_iter().zip(headers) {
        machine.put(device, 0, header);
        machine.knows(header, &passphrase(DEPLOYER_SEED, WORKLOAD_SEED));
        machine.knows(header, &passphrase(MORE.0, MORE.1));
    }
    machine
}

/// Each key slot has two lanes.
fn good() -> Rehearsal {
    machine(Facts { processors: 4, ..facts() }, [header(), header()])
}

/// What was asked about volumes.
fn asked(boot: &Boot) -> Vec<&str> {
    let about = |asked: &&str| {
        ["derive", "open /dev", "mount ext4 /dev/mapper/volume"].iter().any(|start| asked.starts_with(start))
    };
    boot.asked.iter().map(String::as_str).filter(about).collect()
}

fn derived(boot: &Boot, device: &str) -> usize {
    asked(boot).iter().filter(|asked| **asked == format!("derive key of {device}")).count()
}

#[test]
fn keys_are_derived_side_by_side_and_volumes_mapped_one_after_the_other() {
    let boot = boot(&good());
    assert_eq!(boot.result, Ok(()), "{}", boot.said());
    assert_eq!(
        asked(&boot),
        [
            "derive 2 keys side by side",
            "derive key of /dev/mapper/vdd2",
            "derive key of /dev/mapper/vde2",
            "open /dev/mapper/vdd2 as volume-data",
            "mount ext4 /dev/mapper/volume-data at /volumes/data nosuid nodev",
            "open /dev/mapper/vde2 as volume-more",
            "mount ext4 /dev/mapper/volume-more at /volumes/more nosuid nodev",
        ]
    );
    let said = boot.said();
    let place = |line: &str| said.find(line).unwrap_or_else(|| panic!("{line} in {said}"));
    assert!(place("opening volume data on vdd2") < place("opening volume more on vde2"));
    assert!(place("opening volume more on vde2") < place("HPL02002I: volume data"));
}

#[test]
fn processors_that_one_derivation_fills_are_left_to_it() {
    for (processors, together) in [(1, false), (2, false), (3, true)] {
        let boot = boot(&machine(Facts { processors, ..facts() }, [header(), header()]));
        assert_eq!(boot.result, Ok(()), "{}", boot.said());
        assert_eq!(boot.asked("derive 2 keys side by side"), together, "{processors}");
        assert_eq!((derived(&boot, "/dev/mapper/vdd2"), derived(&boot, "/dev/mapper/vde2")), (1, 1));
    }
}

#[test]
fn memory_for_one_is_given_to_one_at_a_time() {
    // Three quarters of 1 GiB are 768 MiB, and 16 MiB more than its argon2id are counted for each.
    for (mib, together) in [(368, true), (369, false)] {
        let header = header_of_memory(mib << 10);
        let boot = boot(&machine(Facts { memory_bytes: GIB, processors: 4, ..facts() }, [&header, &header]));
        assert_eq!(boot.result, Ok(()), "{}", boot.said());
        assert_eq!(boot.asked("derive 2 keys side by side"), together, "{mib}");
    }
}

#[test]
fn no_key_is_derived_before_every_header_was_accepted() {
    let machine = good();
    machine.put("/dev/vde2", 4096, &vec![0; 0x4000]);
    let boot = boot(&machine);
    boot.assert_machine(Stage::Unlock, Code::HeaderRefused, "volume more: ");
    boot.assert_nothing_written();
    assert_eq!(asked(&boot), [""; 0]);
}

#[test]
fn nothing_is_mapped_before_every_key_is_there() {
    let machine = good();
    machine.fails("derive key of /dev/mapper/vde2", io::ErrorKind::Other);
    let boot = boot(&machine);
    boot.assert_machine(
        Stage::Unlock,
        Code::LuksOpenFailed,
        "volume more: double derive key of /dev/mapper/vde2",
    );
    boot.assert_nothing_written();
    assert!(!boot.asked("open /dev"), "{:?}", boot.asked);
}

#[test]
fn the_first_volume_of_the_contract_that_does_not_open_is_told() {
    // `data` has other seeds, which is known after its second passphrase; `more` fails with the first.
    let machine = good();
    machine.put("/dev/vdd2", 0, &header_of_memory(128 << 10));
    machine.knows(&header_of_memory(128 << 10), "of nobody");
    machine.fails("derive key of /dev/mapper/vde2", io::ErrorKind::Other);
    let boot = boot(&machine);
    boot.assert_machine(Stage::Unlock, Code::LuksOpenFailed, "volume data: expected the seeds");
    assert_eq!((derived(&boot, "/dev/mapper/vdd2"), derived(&boot, "/dev/mapper/vde2")), (2, 1));
}

#[test]
fn behind_a_volume_that_does_not_open_nothing_more_is_tried() {
    let machine = good();
    machine.fails("derive key of /dev/mapper/vdd2", io::ErrorKind::Other);
    machine.put("/dev/vde2", 0, &header_of_memory(128 << 10));
    machine.knows(&header_of_memory(128 << 10), "of nobody");
    let boot = boot(&machine);
    boot.assert_machine(
        Stage::Unlock,
        Code::LuksOpenFailed,
        "volume data: double derive key of /dev/mapper/vdd2",
    );
    assert_eq!((derived(&boot, "/dev/mapper/vdd2"), derived(&boot, "/dev/mapper/vde2")), (1, 1));
}

#[test]
fn each_volume_tries_its_own_passphrases_in_their_order() {
    let machine = good();
    let other = header_of_memory(128 << 10);
    machine.put("/dev/vde2", 0, &other);
    machine.knows(&other, &passphrase(MORE.1, MORE.0));
    let boot = boot(&machine);
    assert_eq!(boot.result, Ok(()), "{}", boot.said());
    assert_eq!((derived(&boot, "/dev/mapper/vdd2"), derived(&boot, "/dev/mapper/vde2")), (1, 2));
    boot.assert_warned("HPL07109W: volume more: ");
    assert!(!boot.said().contains("HPL07109W: volume data"), "{}", boot.said());
}
