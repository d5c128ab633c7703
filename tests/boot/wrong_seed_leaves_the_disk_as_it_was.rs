//! A volume that exists and a seed that is wrong: the boot ends at `unlock` and not a byte of the disk has changed.
//!
//! The volume is made by the cryptsetup program, so the story also shows that a foreign volume is judged. The guest OS
//! looks at its processes, journal and handover while it reports: no secret of the contract is left there.

use std::process::{Command, Stdio};

use countersign_vm::events::Stage;
use countersign_vm::lab::contract::volume_passphrase;
use countersign_vm::lab::disk;
use countersign_vm::lab::world::{DATA_DISK, VOLUME};

use crate::support::{mistyped, refused, world};

#[test]
fn wrong_seed_leaves_the_disk_as_it_was() {
    let mut world = world();
    let contract = world.contract();
    let data = world.disk("data", DATA_DISK).unwrap();
    luks_format(&data, &volume_passphrase(&contract.volumes[VOLUME]).unwrap());
    let before = disk::fingerprint(&data).unwrap();
    let other = mistyped(&mut world, &contract);
    let delivery = world.delivery();
    let medium = world.deliver("wrong-seed", &other.texts(), &delivery).unwrap();

    let boot = refused(&world, "wrong-seed", "single", &world.keys.image, &medium, Some(&data));

    boot.assert_ended(Stage::Unlock, &[("code", "HPL02003E")]);
    boot.assert_nothing_after(Stage::Unlock);
    boot.assert_says("volume data: expected the seeds that it was made with");
    boot.assert_told(&world, "HPL02003E: volume data: ");
    boot.say_when_off();
    boot.assert_closed_and_silent(&world);
    let processes = boot.look.processes();
    assert!(processes.contains("\0keyslot\0"), "the process that had the passphrase was not seen");
    assert!(processes.contains("/usr/lib/countersign/countersignd\0failure\0"), "the report was not seen");
    let seen = boot.look.files();
    assert!(seen.contains("HPL02003E: volume data: "), "neither journal nor handover were seen");
    // Nothing of the workload is handed over to a guest that only reports.
    let mut handover: Vec<&str> =
        seen.lines().filter_map(|line| line.strip_prefix("handover=/run/countersign/")).collect();
    handover.sort_unstable();
    assert_eq!(
        handover,
        [
            "failure.txt",
            "logging/ca.pem",
            "logging/client-key.pem",
            "logging/client.pem",
            "plan.json",
            "record.json"
        ]
    );
    assert_eq!(disk::fingerprint(&data).unwrap(), before, "the data disk was written");
}

/// An old-style volume, LUKS2 on the whole disk, by the program itself; a plain file needs no device mapper.
fn luks_format(image: &std::path::Path, passphrase: &str) {
    let mut child = Command::new("cryptsetup")
        .args(["luksFormat", "--batch-mode", "--type", "luks2", "--key-file", "-", "--pbkdf", "argon2id"])
        .args(["--pbkdf-memory", "65536", "--pbkdf-force-iterations", "4", "--pbkdf-parallel", "1"])
        .arg(image)
        .stdin(Stdio::piped())
        .spawn()
        .unwrap();
    std::io::Write::write_all(&mut child.stdin.take().unwrap(), passphrase.as_bytes()).unwrap();
    assert!(child.wait().unwrap().success());
}
