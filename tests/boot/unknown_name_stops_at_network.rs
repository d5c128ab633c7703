//! The log server's name does not resolve: the boot ends at `network`. Nobody can be told, so the console is all there
//! is; the machine goes off all the same, and nothing of the workload started.

use countersign_vm::events::Stage;
use countersign_vm::lab::world::DATA_DISK;

use crate::support::{long, refused, world};

#[test]
fn unknown_name_stops_at_network() {
    if !long() {
        return;
    }
    let mut world = world();
    let mut contract = world.contract();
    // Reserved for names that do not exist (RFC 2606).
    contract.logging.host = "log.countersign.invalid".into();
    let delivery = world.delivery();
    let medium = world.deliver("name", &contract.texts(), &delivery).unwrap();
    let data = world.disk("data", DATA_DISK).unwrap();

    let boot = refused(&world, "unknown-name", "single", &world.keys.image, &medium, Some(&data));

    boot.assert_ended(Stage::Network, &[("code", "HPL14001E")]);
    boot.assert_nothing_after(Stage::Network);
    boot.assert_says("check logging.syslog.hostname and the name servers of the network");
    boot.assert_says("HPL10000E: ");
    boot.assert_says("the log server was not told: ");
    // The name is a value of the contract.
    assert!(!boot.serial.contains(&contract.logging.host), "{}", boot.serial);
    assert_eq!(world.syslog.lines().unwrap(), Vec::new());
    boot.say_when_off();
    boot.assert_closed_and_silent(&world);
}
