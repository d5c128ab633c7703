//! Stage `unlock`: the record of a volume. Good records are made by Python's own HMAC from the header's bytes.

use std::io::ErrorKind;
use std::time::Duration;

use countersign_boot::stage::Stage;
use countersign_contract::code::Code;
use countersign_rehearsal::Rehearsal;

use crate::support::canaries::assert_silent;
use crate::support::contract::{DEPLOYER_SEED, WORKLOAD_SEED};
use crate::support::keys::keys;
use crate::support::machine::{
    DATA, GIB, facts, header, machine_with_good_volume, machine_with_volume, machine_without_volume, parted,
    passphrase, put_luks1_volume, put_volume, rotated, two_volumes,
};
use crate::support::volume_record::{Kept, record as record_of};
use crate::support::{Contract, boot, machine};

/// The partition with the container.
const VOLUME: &str = "/dev/vdd2";

/// A record as it is written today, without a serial, whose times are those of the double's clock.
fn record(header: &[u8], volume: &str, generation: u32, origin: &str, next: &[u8]) -> Vec<u8> {
    record_of(header, volume, generation, origin, next, Kept::now("none"))
}

/// One with these times of the first writing and of the latest opening.
fn record_at(
    header: &[u8],
    volume: &str,
    generation: u32,
    origin: &str,
    next: &[u8],
    (since, time): (i64, i64),
) -> Vec<u8> {
    record_of(header, volume, generation, origin, next, Kept::Second { since, time, serial: "none" })
}

/// A machine with the good volume, which has this record.
fn recorded(contract: &Contract, record: Option<Vec<u8>>) -> Rehearsal {
    let machine = machine_with_good_volume(contract);
    machine.set_attribute_on(VOLUME, record);
    machine
}

/// The record on the disk.
fn written(machine: &Rehearsal) -> String {
    let text = String::from_utf8(machine.attribute_on(VOLUME).unwrap()).unwrap();
    assert_eq!(text.lines().filter(|line| line.starts_with("since ")).count(), 1, "{text}");
    text
}

fn refused(machine: &Rehearsal, code: Code, words: &str) {
    let before = machine.attribute_on(VOLUME);
    let boot = boot(machine);
    boot.assert_machine(Stage::Unlock, code, &format!("volume data: {words}"));
    boot.assert_nothing_written();
    assert_eq!(machine.attribute_on(VOLUME), before);
    assert!(boot.asked("take down /volumes"), "{:?}", boot.asked);
    assert_silent(&boot);
}

#[test]
fn a_volume_with_its_own_record_opens_and_nothing_is_written() {
    let machine = recorded(&Contract::good(), Some(record(header(), "data", 7, "made", &[])));
    let boot = boot(&machine);
    assert_eq!(boot.result, Ok(()), "{}", boot.said());
    assert!(!boot.asked("set attribute") && !boot.said().contains("HPL0712"), "{}", boot.said());
}

#[test]
fn a_volume_without_record_is_warned_of_once_and_has_one_from_then_on() {
    let machine = recorded(&Contract::good(), None);
    let first = boot(&machine);
    assert_eq!(first.result, Ok(()), "{}", first.said());
    first.assert_warned("HPL07120W: volume data: the volume has no record");
    let expected = String::from_utf8(record(header(), "data", 1, "found", &[])).unwrap();
    let until = |text: &str| text.split("since ").next().unwrap().to_owned();
    assert_eq!(until(&written(&machine)), until(&expected));
    machine.reboot();
    let again = boot(&machine);
    assert_eq!(again.result, Ok(()), "{}", again.said());
    assert!(!again.asked("set attribute") && !again.said().contains("HPL07120W"), "{}", again.said());
}

#[test]
fn a_new_volume_has_its_record_before_its_header_makes_it_one() {
    let machine = machine(&Contract::good());
    let boot = boot(&machine);
    assert_eq!(boot.result, Ok(()), "{}", boot.said());
    assert!(!boot.said().contains("HPL07120W"), "{}", boot.said());
    assert!(written(&machine).contains("\nvolume data\n") && written(&machine).contains("\norigin made\n"));
    let place = |request: &str| {
        let found = boot.asked.iter().rposition(|asked| asked.starts_with(request));
        found.unwrap_or_else(|| panic!("{request}: {:?}", boot.asked))
    };
    let written = place("set attribute trusted.countersign of /volumes/data");
    assert!(
        place("mount ext4 /dev/mapper/volume-data") < written
            && written < place("write disk /dev/mapper/vdd2 at 0")
    );
}

#[test]
fn volumes_that_were_exchanged_or_copied_under_another_name_are_refused() {
    let other = Some(record(header(), "other", 1, "made", &[]));
    let words = "expected the record of this volume, found that of another";
    refused(&recorded(&Contract::good(), other), Code::VolumeExchanged, words);
}

#[test]
fn an_older_header_put_back_is_refused_whatever_it_says_of_itself() {
    let newer = Some(record(rotated(), "data", 3, "made", &[]));
    let words = "expected the header that the volume's record names";
    refused(&recorded(&Contract::good(), newer), Code::HeaderReplaced, words);
    // The names agree, so what is left is the header: it belongs to the volume's past.
    assert_eq!(rotated()[168..208], header()[168..208]);
}

#[test]
fn a_record_that_was_not_written_under_the_volumes_key_is_refused() {
    let good = record(header(), "data", 1, "made", &[]);
    let mut changed = good.clone();
    changed[45] ^= 1;
    for bytes in [changed, good[..good.len() - 2].to_vec(), b"none".to_vec(), Vec::new()] {
        let words = "expected a record that was written under the volume's own key";
        refused(&recorded(&Contract::good(), Some(bytes)), Code::VolumeRecordInvalid, words);
    }
}

#[test]
fn while_a_header_is_replaced_both_are_good_and_the_next_boot_settles() {
    for (old, next) in [(header(), rotated()), (rotated(), header())] {
        let machine = recorded(&Contract::good(), Some(record(old, "data", 2, "made", next)));
        let boot = boot(&machine);
        assert_eq!(boot.result, Ok(()), "{}", boot.said());
        let expected = String::from_utf8(record(header(), "data", 3, "made", &[])).unwrap();
        assert_eq!(written(&machine), expected);
    }
}

#[test]
fn what_a_change_of_seeds_replaced_opens_no_more() {
    let seed = format!("    seed: {WORKLOAD_SEED}\n");
    let contract = Contract::good().with(&seed, &format!("{seed}    previousSeed: the-old-Seed\n"));
    let machine = machine_without_volume(&contract, facts());
    machine.attach_disk(crate::support::machine::parted(DATA, "data", &["metadata", "data"]));
    crate::support::machine::put_volume(&machine, VOLUME, DEPLOYER_SEED, "the-old-Seed");
    machine.set_rotated_header(rotated());
    machine.set_attribute_on(VOLUME, Some(record(header(), "data", 1, "made", &[])));
    let first = boot(&machine);
    assert_eq!(first.result, Ok(()), "{}", first.said());
    assert_eq!(written(&machine), String::from_utf8(record(rotated(), "data", 3, "made", &[])).unwrap());
    let place = |request: &str| first.asked.iter().position(|asked| asked.starts_with(request)).unwrap();
    assert!(place("set attribute") < place("write disk"), "{:?}", first.asked);
    // The host puts the old header back, and the parties' old contract with it.
    machine.reboot();
    machine.put(VOLUME, 0, header());
    refused(&machine, Code::HeaderReplaced, "expected the header that the volume's record names");
}

#[test]
fn the_header_of_a_luks1_volume_belongs_to_its_record_too() {
    let machine = machine_without_volume(&Contract::good(), facts());
    machine.attach(DATA, "data", GIB);
    put_luks1_volume(&machine, DEPLOYER_SEED, WORKLOAD_SEED);
    let first = boot(&machine);
    assert_eq!(first.result, Ok(()), "{}", first.said());
    // The salt of a key slot that is not in use: nothing that decides about opening.
    machine.reboot();
    machine.put(DATA, 208 + 48 + 8, b"x");
    machine.knows(&machine.bytes(DATA, 2 << 20), &passphrase(DEPLOYER_SEED, WORKLOAD_SEED));
    boot(&machine).assert_machine(Stage::Unlock, Code::HeaderReplaced, "expected the header");
}

#[test]
fn on_a_volume_that_is_mounted_read_only_nothing_is_written_and_that_is_said() {
    let seed = format!("    seed: {WORKLOAD_SEED}\n");
    let read_only = "countersign:\n  volumes:\n    data:\n      mount-options: [ro]\n";
    let contract = Contract::good().with_workload(read_only);
    let changing = contract.clone().with(&seed, &format!("{seed}    previousSeed: the-old-Seed\n"));
    let left = "HPL07124W: volume data: the volume is mounted read-only, so its record";
    let settled = || Some(record(header(), "data", 1, "made", &[]));
    for (contract, workload_seed, record, warned) in [
        (&contract, WORKLOAD_SEED, None, true),
        (&contract, WORKLOAD_SEED, Some(record(header(), "data", 2, "made", rotated())), true),
        (&changing, "the-old-Seed", settled(), true),
        (&changing, WORKLOAD_SEED, settled(), false),
        (&contract, WORKLOAD_SEED, settled(), false),
    ] {
        let machine = machine_with_volume(contract, DEPLOYER_SEED, workload_seed);
        machine.set_attribute_on(VOLUME, record.clone());
        let boot = boot(&machine);
        assert_eq!(boot.result, Ok(()), "{}", boot.said());
        assert_eq!(boot.said().contains(left), warned, "{}", boot.said());
        assert!(!boot.asked("write disk") && !boot.asked("set attribute"), "{:?}", boot.asked);
        assert_eq!(machine.attribute_on(VOLUME), record);
    }
}

#[test]
fn a_record_that_can_be_neither_read_nor_written_ends_the_boot() {
    let machine = recorded(&Contract::good(), None);
    machine.fails("attribute of /volumes/data", ErrorKind::Other);
    refused(&machine, Code::VolumeRecordFailed, "");
    machine.heals();
    machine.reboot();
    machine.fails("set attribute", ErrorKind::StorageFull);
    boot(&machine).assert_machine(Stage::Unlock, Code::VolumeRecordFailed, "volume data: ");
    assert_eq!(machine.attribute_on(VOLUME), None);
}

const DAY: i64 = 86_400;

/// A contract that ends ten days after the keys were made.
fn ending() -> Contract {
    Contract::good().with("@signer.pub@", "@signer.crt@")
}

#[test]
fn the_time_of_each_boot_is_kept_in_the_record() {
    let machine = recorded(&Contract::good(), Some(record(header(), "data", 7, "made", &[])));
    let began = facts().unix_time;
    for (days, generation, time) in [(0, 7, began), (2, 8, began + 2 * DAY), (0, 8, began + 2 * DAY)] {
        machine.passes(days * DAY, Duration::ZERO);
        let boot = boot(&machine);
        assert_eq!(boot.result, Ok(()), "{}", boot.said());
        assert!(!boot.said().contains("HPL11108W"), "{}", boot.said());
        let expected = record_at(header(), "data", generation, "made", &[], (began, time));
        assert_eq!(written(&machine), String::from_utf8(expected).unwrap());
        machine.reboot();
    }
}

#[test]
fn a_clock_behind_a_volumes_record_is_not_believed_and_told() {
    let began = facts().unix_time;
    for (since, time, told) in [
        (began - DAY, began + 60, false),
        (began - DAY, began + 61, true),
        // A record of format 1 has the time of its first writing.
        (began + 61, began + 61, true),
    ] {
        let kept = match since == time {
            true => record_of(header(), "data", 7, "made", &[], Kept::First { since }),
            false => record_at(header(), "data", 7, "made", &[], (since, time)),
        };
        let machine = recorded(&ending(), Some(kept.clone()));
        let boot = boot(&machine);
        assert_eq!(boot.result, Ok(()), "{}", boot.said());
        assert_eq!(boot.said().contains("HPL11108W"), told, "{}", boot.said());
        if told {
            let words = "was last opened by 61 s; dates are judged by ";
            boot.assert_warned("HPL11108W: volume data: the clock is behind the time at which the volume ");
            boot.assert_warned(words);
            assert!(boot.file("/run/countersign/transcript.json").contains("HPL11108W"));
        }
        assert_eq!(machine.attribute_on(VOLUME), Some(kept), "a time that is behind is not written");
        let records: serde_json::Value =
            serde_json::from_str(&boot.file("/run/countersign/watch.json")).unwrap();
        assert_eq!(records["verified"]["unix"], time, "the daemon goes on from there");
    }
}

#[test]
fn a_contract_that_had_ended_by_a_volumes_record_is_refused_before_anything_is_changed() {
    let made = keys().made;
    for (time, good) in [(made + 10 * DAY - 60, true), (made + 10 * DAY + 60, false)] {
        let kept = record_at(header(), "data", 7, "made", rotated(), (made, time));
        let machine = recorded(&ending(), Some(kept.clone()));
        let boot = boot(&machine);
        boot.assert_warned("HPL11108W: volume data: ");
        if good {
            assert_eq!(boot.result, Ok(()), "{}", boot.said());
            continue;
        }
        let words = "expected a signing certificate that is valid now";
        let line = ending().env.lines().position(|line| line.starts_with("signingKey")).unwrap() + 1;
        boot.assert_place(
            Stage::Unlock,
            Code::ContractExpired,
            &format!("/env/signingKey env {line}:13"),
            words,
        );
        boot.assert_nothing_written();
        assert_eq!(machine.attribute_on(VOLUME), Some(kept));
        assert!(boot.reports() && !boot.asked("open scratch"), "{:?}", boot.asked);
        assert_silent(&boot);
        // A contract without end is only warned of.
        machine.reboot();
    }
    let kept = record_at(header(), "data", 7, "made", &[], (made, made + 1000 * DAY));
    let boot = boot(&recorded(&Contract::good(), Some(kept)));
    assert_eq!(boot.result, Ok(()), "{}", boot.said());
    boot.assert_warned("HPL11108W: volume data: ");
}

#[test]
fn the_latest_of_all_volumes_counts_and_no_other_is_changed_where_it_ends_the_contract() {
    let made = keys().made;
    let contract = two_volumes().with("@signer.pub@", "@signer.crt@");
    let machine = machine_with_good_volume(&contract);
    machine.attach_disk(parted("/dev/vde", "more", &["metadata", "data"]));
    put_volume(&machine, "/dev/vde2", "another-deployer-Seed", "another-workload-Seed");
    let old = record_at(header(), "data", 1, "made", &[], (made, made));
    machine.set_attribute_on(VOLUME, Some(old.clone()));
    let late = record_at(header(), "more", 1, "made", &[], (made, made + 11 * DAY));
    machine.set_attribute_on("/dev/vde2", Some(late));
    let refused = boot(&machine);
    refused.assert_refused(Stage::Unlock, Code::ContractExpired);
    refused.assert_warned("HPL11108W: volume more: ");
    refused.assert_nothing_written();
    assert_eq!(machine.attribute_on(VOLUME), Some(old));
    // Within the contract's time, the time of the one is from then on that of the other.
    let late = record_at(header(), "more", 1, "made", &[], (made, made + 5 * DAY));
    machine.reboot();
    machine.set_attribute_on("/dev/vde2", Some(late));
    let boots = boot(&machine);
    assert_eq!(boots.result, Ok(()), "{}", boots.said());
    let expected = record_at(header(), "data", 2, "made", &[], (made, made + 5 * DAY));
    assert_eq!(written(&machine), String::from_utf8(expected).unwrap());
}
