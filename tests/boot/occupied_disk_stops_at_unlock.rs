//! The disk holds somebody's file system: it is named and refused, and not a byte of it has changed.

use std::process::Command;

use countersign_vm::events::Stage;
use countersign_vm::lab::disk;
use countersign_vm::lab::world::DATA_DISK;

use crate::support::{long, refused, world};

#[test]
fn occupied_disk_stops_at_unlock() {
    if !long() {
        return;
    }
    let mut world = world();
    let delivery = world.delivery();
    let medium = world.deliver("occupied", &world.contract().texts(), &delivery).unwrap();
    let data = world.disk("data", DATA_DISK).unwrap();
    assert!(Command::new("mke2fs").args(["-q", "-t", "ext4"]).arg(&data).status().unwrap().success());
    let before = disk::fingerprint(&data).unwrap();

    let boot = refused(&world, "occupied-disk", "single", &world.keys.image, &medium, Some(&data));

    boot.assert_ended(Stage::Unlock, &[("code", "HPL07102E")]);
    boot.assert_nothing_after(Stage::Unlock);
    boot.assert_says("found an ext2, ext3 or ext4 file system");
    boot.assert_told(&world, "HPL07102E: volume data: ");
    boot.say_when_off();
    boot.assert_closed_and_silent(&world);
    assert_eq!(disk::fingerprint(&data).unwrap(), before, "the data disk was written");
}
