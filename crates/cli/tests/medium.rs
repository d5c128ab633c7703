//! `medium`: what bsdtar and xorriso find on its disk, and what is not put on one. The form itself is judged by more readers
//! in crate `contract`.
#![allow(clippy::unwrap_used)]

mod support;

use std::os::unix::fs::PermissionsExt;
use std::process::Command;

use support::Desk;

const NETWORK: &str = "network:\n  version: 2\n  ethernets:\n    enc1: {dhcp4: true}\n";

/// A contract in plain text that boots.
fn desk() -> Desk {
    let desk = Desk::new();
    desk.answer(0, "new demo", b"");
    desk.answer(0, "pack demo --plain --key demo/signing.key -o contract.yaml", b"");
    desk
}

/// A file of the disk, by bsdtar.
fn found(desk: &Desk, name: &str) -> Vec<u8> {
    let output =
        Command::new("/usr/bin/bsdtar").arg("-xOf").arg(desk.path("c.iso")).arg(name).output().unwrap();
    assert!(output.status.success(), "{name}: {}", String::from_utf8_lossy(&output.stderr));
    output.stdout
}

#[test]
fn a_contract_becomes_a_disk_for_its_owner_alone() {
    let desk = desk();
    desk.write("network", NETWORK);
    desk.answer(0, "medium contract.yaml --hostname guest-1 --network-config network -o c.iso", b"");
    assert_eq!(found(&desk, "user-data"), desk.text("contract.yaml").as_bytes());
    assert_eq!(found(&desk, "meta-data"), b"local-hostname: guest-1\n");
    assert_eq!(found(&desk, "vendor-data"), b"");
    assert_eq!(found(&desk, "network-config"), NETWORK.as_bytes());
    let mode = std::fs::metadata(desk.path("c.iso")).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    let listed = Command::new("/usr/bin/xorriso")
        .arg("-indev")
        .arg(desk.path("c.iso"))
        .arg("-pvd_info")
        .output()
        .unwrap();
    let said =
        String::from_utf8_lossy(&listed.stdout).into_owned() + &String::from_utf8_lossy(&listed.stderr);
    assert!(said.contains("cidata"), "{said}");
}

#[test]
fn a_folder_of_a_contract_disk_becomes_one() {
    let desk = desk();
    std::fs::create_dir(desk.path("files")).unwrap();
    std::fs::rename(desk.path("contract.yaml"), desk.path("files/user-data")).unwrap();
    desk.write("files/meta-data", "local-hostname: of-the-folder\n");
    desk.write("files/vendor-data", "#cloud-config\n");
    desk.answer(0, "medium files -o c.iso", b"");
    assert_eq!(found(&desk, "user-data"), desk.text("files/user-data").as_bytes());
    assert_eq!(found(&desk, "meta-data"), b"local-hostname: of-the-folder\n");
    assert_eq!(found(&desk, "vendor-data"), b"#cloud-config\n");
    desk.answer(0, "medium files --hostname other -o c.iso", b"");
    assert_eq!(found(&desk, "meta-data"), b"local-hostname: other\n");
}

#[test]
fn what_the_guest_would_refuse_is_put_on_no_disk() {
    let desk = desk();
    let refused = |status: i32, options: &str, expected: &str| {
        let output = desk.countersign(&format!("medium {options} -o c.iso"), b"");
        let said = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(status), "{options}: {said}");
        assert!(said.contains(expected), "{options}: {said}");
        assert!(output.stdout.is_empty() && !desk.path("c.iso").exists(), "{options}");
    };
    desk.write("broken.yaml", "workload: |\n  type: workload\n");
    refused(1, "broken.yaml", "no disk was made: the guest would refuse these files");
    desk.write("network", "network: {version: 2, ethernets: {enc1: {dhcp4: yes please}}}\n");
    refused(1, "contract.yaml --network-config network", "HPL13100E");
    desk.write("meta", "local-hostname: a b\n");
    refused(1, "contract.yaml --meta-data meta", "in meta-data");
    refused(2, "contract.yaml --hostname a_b", "--hostname: expected a host name");
    refused(2, "demo", "expected a file user-data in the folder");
    refused(2, "-", "expected the contract in a file or a folder");
    refused(2, "nothing.yaml", "nothing.yaml");
}
