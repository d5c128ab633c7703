//! Stage `unlock`: changing seeds, repairing a header, a first format; with the power cut in the middle of each.

use countersign_boot::stage::Stage;
use countersign_contract::code::Code;
use countersign_rehearsal::{Rehearsal, disk};

use crate::support::boot;
use crate::support::canaries::assert_silent;
use crate::support::contract::{Contract, DEPLOYER_SEED, WORKLOAD_SEED};
use crate::support::machine::{
    DATA, EXT4, FIRST_SLOT, GIB, facts, header, machine_with_volume, machine_without_volume, put_file_system,
    put_luks1_volume, rotated,
};

const OLD_WORKLOAD: &str = "the-workloads-old-Seed";
const OLD_DEPLOYER: &str = "the-deployers-old-Seed";
/// The partition with the container.
const VOLUME: &str = "/dev/vdd2";
/// Bytes of one header copy.
const COPY: usize = 0x4000;
/// All bytes that a rotation writes: key material, two header copies, zeros.
const ROTATION: usize = 2 * FIRST_SLOT.end - 2 * FIRST_SLOT.start + 2 * COPY;

fn changing_workload() -> Contract {
    let seed = format!("    seed: {WORKLOAD_SEED}\n");
    Contract::good().with(&seed, &format!("{seed}    previousSeed: {OLD_WORKLOAD}\n"))
}

fn changing_deployer(contract: Contract) -> Contract {
    let seed = format!("    seed: {DEPLOYER_SEED}\n");
    contract.with(&seed, &format!("{seed}    previousSeed: {OLD_DEPLOYER}\n"))
}

fn changing_both() -> Contract {
    changing_deployer(changing_workload())
}

/// A machine whose volume has these seeds.
fn machine(contract: &Contract, first: &str, second: &str) -> Rehearsal {
    let machine = machine_with_volume(contract, first, second);
    machine.set_rotated_header(rotated());
    machine
}

/// Header copies without salt and checksum, which a repair makes anew.
fn unsalted(copies: &[u8]) -> Vec<u8> {
    let mut bytes = copies.to_vec();
    for at in [0, COPY] {
        bytes[at + 104..at + 168].fill(0);
        bytes[at + 448..at + 512].fill(0);
    }
    bytes
}

/// The volume has the new header only.
fn assert_rotated(machine: &Rehearsal, at: &str) {
    let bytes = machine.bytes(VOLUME, rotated().len());
    assert!(unsalted(&bytes[..2 * COPY]) == unsalted(&rotated()[..2 * COPY]), "header, {at}");
    assert!(bytes[FIRST_SLOT].iter().all(|byte| *byte == 0), "old key material, {at}");
    assert!(bytes[FIRST_SLOT.end..] == rotated()[FIRST_SLOT.end..], "new key material, {at}");
}

#[test]
fn every_side_may_change_its_seed_and_the_seeds_may_be_joined_in_either_order() {
    for (contract, first, second) in [
        (changing_workload(), DEPLOYER_SEED, OLD_WORKLOAD),
        (changing_workload(), OLD_WORKLOAD, DEPLOYER_SEED),
        (changing_deployer(Contract::good()), OLD_DEPLOYER, WORKLOAD_SEED),
        (changing_both(), OLD_DEPLOYER, OLD_WORKLOAD),
        (changing_both(), OLD_WORKLOAD, OLD_DEPLOYER),
        // One side changed with an earlier contract.
        (changing_both(), DEPLOYER_SEED, OLD_WORKLOAD),
        (changing_both(), OLD_DEPLOYER, WORKLOAD_SEED),
    ] {
        let machine = machine(&contract, first, second);
        let first_boot = boot(&machine);
        assert_eq!(first_boot.result, Ok(()), "{}", first_boot.said());
        let changed = "HPL07111I: volume data: the volume opens with the new seeds only";
        assert!(first_boot.said().contains(changed), "{}", first_boot.said());
        assert_silent(&first_boot);
        assert_rotated(&machine, "after one boot");

        // The same contract again: nothing is written.
        machine.reboot();
        let again = boot(&machine);
        assert_eq!(again.result, Ok(()), "{}", again.said());
        assert!(!again.asked("write disk") && !again.asked("replace"), "{:?}", again.asked);
        assert!(!again.said().contains("HPL07111I"), "{}", again.said());
        assert_eq!(again.asked.iter().filter(|asked| asked.starts_with("derive key")).count(), 1);
    }
}

#[test]
fn seeds_of_neither_contract_change_nothing() {
    let machine = machine(&changing_both(), "other", "seeds");
    let before = machine.bytes(VOLUME, 17 << 20);
    let boot = boot(&machine);
    boot.assert_machine(Stage::Unlock, Code::LuksOpenFailed, "volume data: expected the seeds");
    boot.assert_nothing_written();
    assert_eq!(machine.bytes(VOLUME, 17 << 20), before);
    // Four pairs, two orders.
    assert_eq!(boot.asked.iter().filter(|asked| asked.starts_with("derive key")).count(), 8);
}

#[test]
fn a_previous_seed_that_the_contract_does_not_name_opens_nothing() {
    let machine = machine(&Contract::good(), DEPLOYER_SEED, OLD_WORKLOAD);
    boot(&machine).assert_machine(Stage::Unlock, Code::LuksOpenFailed, "expected the seeds");
}

/// Where the power is cut: around every border between two writes, and all over them.
fn cuts(total: usize, borders: &[usize], step: usize) -> Vec<usize> {
    let mut cuts: Vec<usize> = (0..total).step_by(step).collect();
    for border in borders {
        cuts.extend([
            border.saturating_sub(512),
            border.saturating_sub(1),
            *border,
            border + 1,
            border + 512,
        ]);
    }
    cuts.retain(|cut| *cut < total);
    cuts.sort_unstable();
    cuts.dedup();
    cuts
}

#[test]
fn a_power_cut_at_any_byte_of_a_change_of_seeds_leaves_a_volume_that_opens() {
    let material = FIRST_SLOT.len();
    let borders = [0, material, material + COPY, material + 2 * COPY, ROTATION];
    let contract = changing_both();
    let mut repaired = 0;
    let cuts = cuts(ROTATION, &borders, 20_011);
    for cut in &cuts {
        let machine = machine(&contract, OLD_DEPLOYER, OLD_WORKLOAD);
        machine.cut_power_after(*cut);
        // Without power before the first write and behind the last header copy, it is the record that fails.
        let between = [0, material + 2 * COPY].contains(cut);
        let code = if between { Code::VolumeRecordFailed } else { Code::SeedChangeFailed };
        boot(&machine).assert_refused(Stage::Unlock, code);
        machine.reboot();
        let next = boot(&machine);
        assert_eq!(next.result, Ok(()), "cut at {cut}: {}", next.said());
        repaired += usize::from(next.said().contains("HPL07110W"));
        assert_rotated(&machine, &format!("cut at {cut}"));
        let record = String::from_utf8(machine.attribute_on(VOLUME).unwrap()).unwrap();
        assert!(record.contains("\nnext none\n"), "cut at {cut}: {record}");
    }
    assert!(cuts.len() >= 40 && repaired >= 5, "{} cuts, {repaired} repairs", cuts.len());
}

#[test]
fn a_contract_of_the_new_seeds_alone_opens_after_the_change_and_repairs_the_header() {
    // Cut behind the secondary copy: the primary is the old one still, and says that it is older.
    let machine = machine(&changing_workload(), DEPLOYER_SEED, OLD_WORKLOAD);
    machine.cut_power_after(FIRST_SLOT.len() + COPY);
    boot(&machine).assert_refused(Stage::Unlock, Code::SeedChangeFailed);
    machine.reboot();
    // The same parties, without previousSeed.
    let later = machine_without_volume(&Contract::good(), facts());
    later.attach_disk(crate::support::machine::parted(DATA, "data", &["metadata", "data"]));
    later.put(VOLUME, 0, &machine.bytes(VOLUME, 16 << 20));
    later.knows(rotated(), &crate::support::machine::passphrase(DEPLOYER_SEED, WORKLOAD_SEED));
    put_file_system(&later, "data", EXT4);
    let boot = boot(&later);
    assert_eq!(boot.result, Ok(()), "{}", boot.said());
    boot.assert_warned("HPL07110W: volume data: one of the two copies");
    assert!(unsalted(&later.bytes(VOLUME, 2 * COPY)) == unsalted(&rotated()[..2 * COPY]));
}

#[test]
fn one_broken_header_copy_is_made_anew_from_the_other() {
    for (offset, bytes) in [
        // Version 3, a broken checksum, no magic at all; the second copy's magic and text.
        (6, &[0, 3][..]),
        (448, &[0; 4]),
        (0, &[0; 4096]),
        (COPY, b"XXXX"),
        (COPY + 5000, b"XXXX"),
    ] {
        let machine = machine_with_volume(&Contract::good(), DEPLOYER_SEED, WORKLOAD_SEED);
        machine.put(VOLUME, offset as u64, bytes);
        let boot = boot(&machine);
        assert_eq!(boot.result, Ok(()), "{}", boot.said());
        boot.assert_warned("HPL07110W: volume data: one of the two copies");
        assert!(unsalted(&machine.bytes(VOLUME, 2 * COPY)) == unsalted(&header()[..2 * COPY]));
        machine.reboot();
        let again = crate::support::boot(&machine);
        assert_eq!(again.result, Ok(()), "{}", again.said());
        assert!(!again.asked("write disk") && !again.said().contains("HPL07110W"), "{}", again.said());
    }
}

#[test]
fn a_disk_that_takes_no_repair_is_told() {
    let machine = machine_with_volume(&Contract::good(), DEPLOYER_SEED, WORKLOAD_SEED);
    machine.put(VOLUME, 0, &[0; 4096]);
    machine.fails("write disk /dev/mapper/vdd2", std::io::ErrorKind::InvalidData);
    let boot = boot(&machine);
    boot.assert_machine(
        Stage::Unlock,
        Code::HeaderNotRepaired,
        "volume data: double write disk /dev/mapper/vdd2",
    );
    boot.assert_warned("HPL07110W: volume data: one of the two copies");
}

#[test]
fn nothing_is_repaired_before_the_seeds_fit() {
    let machine = machine_with_volume(&Contract::good(), "other", "seeds");
    machine.put(VOLUME, 0, &[0; 4096]);
    let boot = boot(&machine);
    boot.assert_machine(Stage::Unlock, Code::LuksOpenFailed, "expected the seeds");
    boot.assert_nothing_written();
}

#[test]
fn two_broken_header_copies_are_refused() {
    let machine = machine_with_volume(&Contract::good(), DEPLOYER_SEED, WORKLOAD_SEED);
    machine.put(VOLUME, 448, &[0; 4]);
    machine.put(VOLUME, COPY as u64 + 448, &[0; 4]);
    let boot = boot(&machine);
    boot.assert_machine(Stage::Unlock, Code::HeaderRefused, "volume data: header-checksum: ");
    boot.assert_nothing_written();
}

#[test]
fn a_power_cut_at_any_byte_of_a_first_format_ends_in_a_new_volume() {
    let bytes = 4096 * 3 + header().len();
    let borders = [4096, 8192, 12288, bytes - 4096];
    for cut in cuts(bytes, &borders, 4 << 20) {
        let machine = machine_without_volume(&Contract::good(), facts());
        machine.attach(DATA, "data", GIB);
        machine.cut_power_after(cut);
        let cut_short = boot(&machine);
        assert!(cut_short.result.is_err(), "cut at {cut}: {}", cut_short.said());
        machine.reboot();
        let next = boot(&machine);
        assert_eq!(next.result, Ok(()), "cut at {cut}: {}", next.said());
        // Made afresh, unless all of the header but its mark was there.
        let bytes = machine.bytes(VOLUME, header().len());
        assert!(unsalted(&bytes) == unsalted(header()), "cut at {cut}");
        let metadata = next.asked("make ext4 /dev/mapper/vdd1");
        assert_eq!(metadata, cut < 8192 + 512, "metadata, cut at {cut}: {:?}", next.asked);
        machine.reboot();
        let again = boot(&machine);
        assert_eq!(again.result, Ok(()), "cut at {cut}: {}", again.said());
        assert!(!again.asked("write disk") && !again.asked("make ext4 /dev/mapper/vdd"), "{:?}", again.asked);
    }
}

#[test]
fn a_first_format_that_ends_between_two_steps_is_begun_afresh() {
    for step in [
        "partition ",
        "map vdd1",
        "make ext4 /dev/mapper/vdd1",
        "close vdd1",
        "map vdd2",
        "format ",
        "open /dev/mapper/vdd2",
        "make ext4 /dev/mapper/volume",
        "mount ext4",
        "set attribute",
    ] {
        let machine = machine_without_volume(&Contract::good(), facts());
        machine.attach(DATA, "data", GIB);
        machine.fails(step, std::io::ErrorKind::Other);
        assert!(boot(&machine).result.is_err(), "{step}");
        machine.heals();
        machine.reboot();
        let next = boot(&machine);
        assert_eq!(next.result, Ok(()), "{step}: {}", next.said());
        assert_eq!(next.asked("partition "), step == "partition ");
        // The partition is ours, so its file system is made again, until the container is begun.
        let metadata = step == "partition " || step.contains("vdd1") || step == "map vdd2";
        assert_eq!(next.asked("make ext4 /dev/mapper/vdd1"), metadata, "{step}");
    }
}

#[test]
fn initialize_never_does_not_go_on_with_a_first_format_either() {
    let never = "countersign:\n  volumes:\n    data:\n      initialize: never\n";
    let machine = machine_without_volume(&Contract::good().with_workload(never), facts());
    machine.attach_disk(disk(DATA, "data", GIB));
    machine.put(DATA, 0, b"countersign: this disk is being parted, nothing was stored on it yet\n");
    let boot = boot(&machine);
    boot.assert_machine(Stage::Unlock, Code::VolumeBlank, "the contract says initialize: never");
    boot.assert_nothing_written();
}

#[test]
fn the_seeds_of_a_luks1_volume_are_not_changed() {
    let machine = machine_without_volume(&changing_workload(), facts());
    machine.attach_disk(disk(DATA, "data", GIB));
    put_luks1_volume(&machine, DEPLOYER_SEED, OLD_WORKLOAD);
    let boot = boot(&machine);
    boot.assert_machine(Stage::Unlock, Code::SeedChangeFailed, "volume data: expected LUKS2, found LUKS1");
    boot.assert_nothing_written();
}
