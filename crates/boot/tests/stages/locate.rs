//! Stage `locate`.

use std::io;
use std::process::Command;
use std::time::Duration;

use countersign_boot::stage::Stage;
use countersign_contract::code::Code;
use countersign_ports::{Clock, Disk};
use countersign_rehearsal::{Rehearsal, disk};

use crate::support::contract::Medium;
use crate::support::keys::run;
use crate::support::machine::{DATA, GIB, facts, insert};
use crate::support::{Contract, boot, machine, refused};

/// A machine without contract disk.
fn bare() -> Rehearsal {
    let machine = Rehearsal::new(facts());
    machine.attach("/dev/vdb", "os", 64 << 20);
    machine.attach("/dev/vdc", "scratch", 4 * GIB);
    machine.attach(DATA, "data", GIB);
    machine
}

fn ends(machine: &Rehearsal, code: Code, words: &str) {
    let boot = boot(machine);
    boot.assert_machine(Stage::Locate, code, words);
    boot.assert_nothing_written();
    assert!(!boot.asked("read image key"), "{:?}", boot.asked);
}

/// A disk by genisoimage with this label and these files.
fn iso(label: &str, files: &[(&str, &str)]) -> Vec<u8> {
    let folder = tempfile::tempdir().unwrap();
    let mut command = Command::new("genisoimage");
    command
        .args(["-quiet", "-output", "image", "-volid", label, "-joliet", "-rock"])
        .current_dir(folder.path());
    for (name, content) in files {
        std::fs::write(folder.path().join(name), content).unwrap();
        command.arg(name);
    }
    run(&mut command);
    std::fs::read(folder.path().join("image")).unwrap()
}

#[test]
fn without_a_contract_disk_the_wait_ends_after_30_seconds() {
    let machine = bare();
    let before = machine.uptime();
    ends(&machine, Code::CidataMissing, "expected a disk labelled cidata within 30 s");
    assert_eq!(machine.uptime() - before, Duration::from_secs(30));
}

#[test]
fn disks_of_other_labels_and_contents_are_not_contract_disks() {
    let files = [("user-data", "x")];
    for bytes in [iso("config-2", &files), vec![0xa5; 100 << 10], vec![0; 100 << 10], b"cidata".to_vec()] {
        let machine = bare();
        insert(&machine, "/dev/vda", &bytes);
        ends(&machine, Code::CidataMissing, "expected a disk labelled cidata within 30 s");
    }
}

#[test]
fn a_contract_disk_may_come_late_and_be_labelled_in_capitals() {
    let machine = bare();
    let image = Contract::good().medium().image;
    machine.put("/dev/vde", 0, &image);
    let late = Disk { read_only: true, ..disk("/dev/vde", "", image.len() as u64) };
    machine.attach_later(machine.uptime() + Duration::from_secs(29), late);
    let late = boot(&machine);
    assert_eq!(late.result, Ok(()), "{}", late.said());
    assert!(late.said().contains("state=done disk=/dev/vde bytes="), "{}", late.said());

    let machine = bare();
    insert(&machine, "/dev/vda", &iso("CIDATA", &[("user-data", "x")]));
    boot(&machine).assert_refused(Stage::Parse, Code::ContractInvalid);
}

#[test]
fn two_contract_disks_are_one_too_many() {
    let machine = machine(&Contract::good());
    insert(&machine, "/dev/vde", &Contract::good().medium().image);
    ends(&machine, Code::CidataInvalid, "expected one disk labelled cidata, found several");
}

#[test]
fn a_contract_disk_has_at_most_16_mib() {
    let image = Contract::good().medium().image;
    for (size, fits) in [(16 << 20, true), ((16 << 20) + 1, false)] {
        let machine = bare();
        machine.attach("/dev/vda", "", size);
        machine.put("/dev/vda", 0, &image);
        if fits {
            assert_eq!(boot(&machine).result, Ok(()));
        } else {
            ends(&machine, Code::CidataInvalid, "expected a contract disk of at most 16777216 bytes");
        }
    }
}

#[test]
fn a_damaged_contract_disk_is_refused() {
    let good = Contract::good().medium().image;
    let cut = good[..17 * 2048].to_vec();

    // The root directory lies behind the end then.
    let mut extent = good.clone();
    extent[16 * 2048 + 156 + 2..][..8].copy_from_slice(&[0xff, 0xff, 0xff, 0, 0, 0xff, 0xff, 0xff]);
    for (bytes, words) in
        [(cut, "expected a terminator"), (extent, "expected the root directory to lie inside the disk")]
    {
        let machine = bare();
        insert(&machine, "/dev/vda", &bytes);
        ends(&machine, Code::CidataInvalid, words);
    }
}

#[test]
fn a_contract_disk_without_user_data_holds_no_contract() {
    let machine = bare();
    insert(&machine, "/dev/vda", &iso("cidata", &[("meta-data", "local-hostname: a\n")]));
    ends(&machine, Code::ContractMissing, "expected a file user-data on the contract disk");
}

#[test]
fn a_disk_that_cannot_be_read_is_named() {
    let machine = machine(&Contract::good());
    machine.fails("read /dev/vda", io::ErrorKind::TimedOut);
    ends(&machine, Code::DiskUnreadable, "/dev/vda");
}

#[test]
fn meta_data_names_the_host_or_is_refused() {
    for (text, name) in [("local-hostname: node-1.example.org\n", "node-1.example.org"), ("", "countersign")]
    {
        let boot = boot(&machine(&Contract { meta_data: text.into(), ..Contract::good() }));
        assert_eq!(boot.result, Ok(()), "{}", boot.said());
        assert!(boot.asked(&format!("set host name {name}")), "{:?}", boot.asked);
        assert!(boot.file("/run/countersign/plan.json").contains(&format!("\"hostname\": \"{name}\"")));
    }
    for (text, code, words) in [
        (
            "local-hostname: \"a b\"\n",
            Code::HostNameInvalid,
            "in meta-data: /local-hostname (meta-data line 1, column 17): expected a host name",
        ),
        ("local-hostname: [a]\n", Code::HostNameInvalid, "/local-hostname"),
        ("instance-id: \"a\\tb\"\n", Code::HostNameInvalid, "/instance-id"),
        (
            "a: [\n",
            Code::ContractUnparsable,
            "in meta-data: /a/0 (meta-data line 1, column 4): expected valid yaml",
        ),
        ("- a\n", Code::ContractInvalid, "expected a map"),
    ] {
        let boot = refused(&Contract { meta_data: text.into(), ..Contract::good() });
        boot.assert_machine(Stage::Locate, code, words);
    }
}

#[test]
fn the_contract_disk_is_let_go_once_it_was_read() {
    let boot = boot(&machine(&Contract::good()));
    assert_eq!(boot.result, Ok(()), "{}", boot.said());
    let place = |request: &str| boot.asked.iter().position(|asked| asked == request).unwrap();
    assert!(place("release disk /dev/vda") < place("read image key"));
    // Whatever lies on it: nothing else of it is needed, and nobody else shall have it.
    let boot = refused(&Contract { meta_data: "- a\n".into(), ..Contract::good() });
    assert!(boot.asked("release disk /dev/vda"), "{:?}", boot.asked);
}

#[test]
fn the_contract_disk_is_never_a_volume() {
    // Its serial is the volume's name, and the volume's own disk is not there.
    let contract = Contract::good();
    let Medium { image, .. } = contract.medium();
    let machine = Rehearsal::new(facts());
    machine.attach_disk(disk("/dev/vda", "data", image.len() as u64));
    machine.put("/dev/vda", 0, &image);
    machine.attach("/dev/vdb", "os", 64 << 20);
    let boot = boot(&machine);
    boot.assert_machine(Stage::Unlock, Code::VolumeMissing, "expected a disk for data within 900 s");
    boot.assert_nothing_written();
}

#[test]
fn a_network_config_that_cannot_be_used_is_refused_with_its_place() {
    let text = "network:\n  ethernets:\n    enc1:\n      dhcpv4: true\n";
    let contract = Contract { network_config: Some(text.into()), ..Contract::good() };
    let boot = refused(&contract);
    boot.assert_place(
        Stage::Locate,
        Code::NetworkConfigInvalid,
        "/network/ethernets/enc1/dhcpv4 network-config 4:7",
        "expected a key that the guest acts on; is dhcp4 meant?",
    );
    assert!(!boot.asked("read image key"), "{:?}", boot.asked);
}
