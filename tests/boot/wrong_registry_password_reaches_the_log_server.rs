//! The registry refuses the contract's password: the boot ends at `images`, and its owner reads why at the log server.

use countersign_vm::events::{Event, Stage, State};
use countersign_vm::lab::world::DATA_DISK;

use crate::support::{NONE, refused, world};

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

    let boot = refused(&world, "wrong-registry-password", "single", &world.keys.image, &medium, Some(&data));

    boot.assert_ended(Stage::Images, 22, &[("code", "HPL06004E")]);
    let begun = |stage| boot.history.iter().any(|event: &Event| event.is_stage(stage, State::Start));
    assert!(begun(Stage::Images) && !begun(Stage::Start), "{}", boot.serial);
    boot.assert_says(
        "; check registry, credentials and authority in the contract, and that the digest exists",
    );
    boot.assert_told_beside_the_journal(&world, "HPL06004E: run program /usr/bin/podman: exit status");
    boot.assert_off_in_time(NONE);
    boot.assert_closed_and_silent(&world);
}
