//! Stage `unlock`: `env.countersign.serial` and the volumes that have seen one.

use countersign_boot::stage::Stage;
use countersign_contract::code::Code;
use countersign_rehearsal::Rehearsal;

use crate::support::canaries::assert_silent;
use crate::support::contract::{DEPLOYER_SEED, WORKLOAD_SEED};
use crate::support::machine::{
    Boot, DATA, facts, header, machine_with_good_volume, machine_with_volume, machine_without_volume, parted,
    passphrase, put_volume, two_volumes,
};
use crate::support::volume_record::{Kept, record};
use crate::support::{Contract, boot, machine};

const VOLUME: &str = "/dev/vdd2";
const MORE: &str = "/dev/vde2";

fn with_serial(contract: Contract, serial: u64) -> Contract {
    contract.with_env(&format!("countersign:\n  serial: {serial}\n"))
}

/// Contracts by their serial, none for 0.
fn contract(serial: u64) -> Contract {
    match serial {
        0 => Contract::good(),
        serial => with_serial(Contract::good(), serial),
    }
}

/// A machine with the good volume, whose record keeps this serial.
fn recorded(contract: &Contract, serial: &str) -> Rehearsal {
    let machine = machine_with_good_volume(contract);
    machine.set_attribute_on(VOLUME, Some(record(header(), "data", 1, "made", &[], Kept::now(serial))));
    machine
}

/// The serial in the record on a disk.
fn kept(machine: &Rehearsal, device: &str) -> String {
    let text = String::from_utf8(machine.attribute_on(device).unwrap()).unwrap();
    text.lines().find_map(|line| line.strip_prefix("serial ")).unwrap().to_owned()
}

fn accepted(machine: &Rehearsal) -> Boot {
    let boot = boot(machine);
    assert_eq!(boot.result, Ok(()), "{}", boot.said());
    boot
}

#[test]
fn it_is_kept_once_the_volume_is_open_and_not_written_twice() {
    for made in [true, false] {
        let contract = contract(7);
        let machine = if made { machine(&contract) } else { recorded(&contract, "none") };
        let boot = accepted(&machine);
        assert_eq!(kept(&machine, VOLUME), "7");
        // The daemon holds the record against what it is from now on.
        let watched: serde_json::Value =
            serde_json::from_str(&boot.file("/run/countersign/watch.json")).unwrap();
        let now = countersign_crypto::digest::sha256_hex(&machine.attribute_on(VOLUME).unwrap());
        assert!(watched["volumes"][0].to_string().contains(&now), "{watched}");
        machine.reboot();
        assert!(!accepted(&machine).asked("set attribute"), "{made}");
        assert_eq!(kept(&machine, VOLUME), "7");
    }
}

#[test]
fn a_higher_one_replaces_it_and_an_equal_one_is_as_good() {
    for (before, serial, after, writes) in
        [("7", 8, "8", true), ("7", 7, "7", false), ("none", 0, "none", false)]
    {
        let machine = recorded(&contract(serial), before);
        let boot = accepted(&machine);
        assert_eq!(
            (kept(&machine, VOLUME).as_str(), boot.asked("set attribute")),
            (after, writes),
            "{before} {serial}"
        );
    }
}

#[test]
fn a_lower_one_or_none_is_refused_at_its_place_before_anything_is_written() {
    for (serial, place) in [(6, "/env/countersign/serial env 18:11"), (0, "/env/countersign/serial env 1:1")]
    {
        let machine = recorded(&contract(serial), "7");
        let before = machine.attribute_on(VOLUME);
        let boot = boot(&machine);
        boot.assert_place(
            Stage::Unlock,
            Code::ContractOlder,
            place,
            "volume data: expected a serial that is not lower than the one in the volume's record; use the newest",
        );
        assert!(boot.sentence().ends_with(Code::ContractOlder.remedy()), "{}", boot.sentence());
        boot.assert_nothing_written();
        assert_eq!(machine.attribute_on(VOLUME), before);
        assert!(boot.asked("take down /volumes"), "{:?}", boot.asked);
        assert!(boot.reports());
        assert_silent(&boot);
    }
}

#[test]
fn to_go_back_a_higher_one_is_signed() {
    let old = recorded(&contract(6), "7");
    boot(&old).assert_refused(Stage::Unlock, Code::ContractOlder);
    // What the older contract said, under a new number.
    let machine = recorded(&contract(8), "7");
    accepted(&machine);
    assert_eq!(kept(&machine, VOLUME), "8");
}

#[test]
fn a_record_of_the_first_format_has_none_and_gets_one() {
    for (serial, after) in [(0, None), (5, Some("5"))] {
        let machine = machine_with_good_volume(&contract(serial));
        machine.set_attribute_on(
            VOLUME,
            Some(record(header(), "data", 3, "made", &[], Kept::First { since: facts().unix_time })),
        );
        let boot = accepted(&machine);
        match after {
            None => assert!(!boot.asked("set attribute"), "{:?}", boot.asked),
            Some(after) => assert_eq!(kept(&machine, VOLUME), after),
        }
    }
}

/// Both volumes there, the second with these seeds.
fn two(contract: &Contract, seed: &str) -> Rehearsal {
    let machine = machine_without_volume(contract, facts());
    machine.attach_disk(parted(DATA, "data", &["metadata", "data"]));
    put_volume(&machine, VOLUME, DEPLOYER_SEED, WORKLOAD_SEED);
    machine.set_attribute_on(VOLUME, Some(record(header(), "data", 1, "made", &[], Kept::now("7"))));
    machine.attach_disk(parted("/dev/vde", "more", &["metadata", "data"]));
    machine.put(MORE, 0, header());
    machine.knows(header(), &passphrase("another-deployer-Seed", seed));
    machine.set_attribute_on(MORE, Some(record(header(), "more", 1, "made", &[], Kept::now("7"))));
    machine
}

#[test]
fn it_is_raised_on_every_volume_or_on_none() {
    let contract = with_serial(two_volumes(), 8);
    let machine = two(&contract, "another-workload-Seed");
    accepted(&machine);
    assert_eq!((kept(&machine, VOLUME), kept(&machine, MORE)), ("8".into(), "8".into()));
    // One volume is not what it should be, or a new one cannot be made: the other keeps its serial, and the contract
    // until now still opens it.
    let other = Some(record(header(), "other", 1, "made", &[], Kept::now("7")));
    let exchanged = two(&contract, "another-workload-Seed");
    exchanged.set_attribute_on(MORE, other);
    boot(&exchanged).assert_refused(Stage::Unlock, Code::VolumeExchanged);
    assert_eq!(kept(&exchanged, VOLUME), "7");
    let unmade = machine_with_volume(&contract, DEPLOYER_SEED, WORKLOAD_SEED);
    unmade.set_attribute_on(VOLUME, Some(record(header(), "data", 1, "made", &[], Kept::now("7"))));
    unmade.attach("/dev/vde", "more", 1 << 30);
    unmade.fails("make ext4 /dev/mapper/volume-more", std::io::ErrorKind::Other);
    boot(&unmade).assert_refused(Stage::Unlock, Code::CreateFileSystemFailed);
    assert_eq!(kept(&unmade, VOLUME), "7");
}

#[test]
fn a_power_cut_between_two_volumes_leaves_a_contract_that_boots() {
    let contract = with_serial(two_volumes(), 8);
    let machine = two(&contract, "another-workload-Seed");
    machine.fails("set attribute trusted.countersign of /volumes/more", std::io::ErrorKind::StorageFull);
    boot(&machine).assert_machine(Stage::Unlock, Code::VolumeRecordFailed, "volume more: ");
    assert_eq!((kept(&machine, VOLUME), kept(&machine, MORE)), ("8".into(), "7".into()));
    machine.heals();
    machine.reboot();
    accepted(&machine);
    assert_eq!((kept(&machine, VOLUME), kept(&machine, MORE)), ("8".into(), "8".into()));
}

#[test]
fn on_a_volume_that_is_mounted_read_only_it_is_judged_and_not_written() {
    let read_only = "countersign:\n  volumes:\n    data:\n      mount-options: [ro]\n";
    let machine = recorded(&contract(8).with_workload(read_only), "7");
    let boot = accepted(&machine);
    boot.assert_warned("HPL07124W: volume data: ");
    assert_eq!(kept(&machine, VOLUME), "7");
    let machine = recorded(&contract(6).with_workload(read_only), "7");
    crate::support::boot(&machine).assert_refused(Stage::Unlock, Code::ContractOlder);
}
