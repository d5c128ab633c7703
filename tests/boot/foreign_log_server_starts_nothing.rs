//! The log server shows a certificate of a foreign authority: nothing of the workload starts, no record is sent.

use countersign_vm::events::{Event, Stage, State};
use countersign_vm::lab::syslog::Syslog;
use countersign_vm::lab::world::DATA_DISK;

use crate::support::{refused, world};

#[test]
fn foreign_log_server_starts_nothing() {
    let mut world = world();
    // The same port in the contract, but a server whose certificate comes from elsewhere.
    let foreign =
        Syslog::start(&world.folder().join("foreign"), &world.keys.foreign.server, &world.keys.logging)
            .unwrap();
    let mut contract = world.contract();
    contract.logging.port = foreign.port();
    let delivery = world.delivery();
    let medium = world.deliver("foreign", &contract.texts(), &delivery).unwrap();
    let data = world.disk("data", DATA_DISK).unwrap();

    let boot = refused(&world, "foreign-log-server", "single", &world.keys.image, &medium, Some(&data));

    boot.assert_ended(Stage::Logging, &[("code", "HPL01102E")]);
    boot.assert_says("expected a server certificate issued by an accepted authority");
    for event in &boot.history {
        if let Event::Stage { stage, state: State::Start | State::Done, .. } = event {
            assert!(*stage <= Stage::Logging, "{stage} began in\n{}", boot.serial);
        }
    }
    assert_eq!(foreign.lines().unwrap(), Vec::new(), "the foreign server received records");
    boot.say_when_off();
    boot.assert_closed_and_silent(&world);
}
