//! The registry refuses the contract's password: the boot ends at `images`, and its owner reads why at the log server.
//! The password, which holds the planted one, is in no file that lies in memory any more.

use countersign_vm::arguments::Drive;
use countersign_vm::events::{Event, Stage, State};
use countersign_vm::lab::world::DATA_DISK;

use crate::inside::{MEMORY_DISK, SEEN};
use crate::support::{refused_run, world};

#[test]
fn wrong_registry_password_reaches_the_log_server() {
    let mut world = world();
    let mut contract = world.contract();
    for credentials in contract.auths.values_mut() {
        credentials.password.push_str("-mistyped");
    }
    let delivery = world.delivery();
    let medium = world.deliver("password", &contract.texts(), &delivery).unwrap();
    let data = world.disk("data", DATA_DISK).unwrap();

    let mut run = world.run("wrong-registry-password", &world.keys.image, &medium, Some(&data)).unwrap();
    run.drives.push(Drive::writable(world.disk("memory", SEEN).unwrap(), MEMORY_DISK));
    let boot = refused_run("wrong-registry-password", "single", run);

    boot.assert_ended(Stage::Images, &[("code", "HPL06004E")]);
    let begun = |stage| boot.history.iter().any(|event: &Event| event.is_stage(stage, State::Start));
    assert!(begun(Stage::Images) && !begun(Stage::Start), "{}", boot.serial);
    boot.assert_says(
        "; check registry, credentials and authority in the contract, and that the digest exists",
    );
    boot.assert_told_beside_the_journal(
        &world,
        "HPL06004E: image 1 of 1: run program /usr/bin/podman: exit status",
    );
    boot.say_when_off();
    boot.look.assert_credentials_are_gone(&world);
    boot.assert_closed_and_silent(&world);
}
