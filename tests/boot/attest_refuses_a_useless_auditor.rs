//! The auditor's key has the form of a key, but nothing can be encrypted to it: the boot ends at `attest`, because a
//! record in the open is not what was asked for, and no disk was written.

use countersign_vm::events::Stage;
use countersign_vm::lab::contract::Delivery;
use countersign_vm::lab::world::DATA_DISK;
use countersign_vm::lab::{disk, keys};

use crate::support::{long, refused, world};

#[test]
fn attest_refuses_a_useless_auditor() {
    if !long() {
        return;
    }
    let mut world = world();
    let auditor = keys::unusable(&world.folder().join("auditor")).unwrap();
    let delivery = Delivery { auditor: Some(auditor), ..world.delivery() };
    let medium = world.deliver("auditor", &world.contract().texts(), &delivery).unwrap();
    let data = world.disk("data", DATA_DISK).unwrap();
    let before = disk::fingerprint(&data).unwrap();

    let boot = refused(&world, "useless-auditor", "single", &world.keys.image, &medium, Some(&data));

    boot.assert_ended(Stage::Attest, &[("code", "HPL11002E")]);
    boot.assert_nothing_after(Stage::Attest);
    boot.assert_says("expected an attestationPublicKey that the record can be encrypted to: ");
    boot.assert_says("there is no failure capsule: ");
    boot.assert_told(&world, "HPL11002E: ");
    boot.say_when_off();
    boot.assert_closed_and_silent(&world);
    assert_eq!(disk::fingerprint(&data).unwrap(), before, "the data disk was written");
}
