//! The workload names a program that its image does not have: the boot ends at `start`, its owner reads why at the log
//! server, and the auditor in a capsule that holds the stages of the guest OS as well.

use countersign_vm::events::Stage;
use countersign_vm::lab::contract::{Delivery, archive};
use countersign_vm::lab::keys;
use countersign_vm::lab::world::DATA_DISK;

use crate::support::{capsule, long, refused, world};

#[test]
fn broken_entrypoint_stops_at_start() {
    if !long() {
        return;
    }
    let mut world = world();
    let auditor = keys::pair(&world.folder().join("auditor"), "auditor").unwrap();
    world.canaries.plant_key("auditor's key", &auditor.key).unwrap();
    let compose = world.folder().join("compose/docker-compose.yaml");
    let text = std::fs::read_to_string(&compose).unwrap();
    std::fs::write(&compose, text + "    entrypoint: [\"/bin/absent\"]\n").unwrap();
    let mut contract = world.contract();
    contract.archive = archive(&world.folder().join("compose")).unwrap();
    let delivery = Delivery { auditor: Some(auditor.certificate.clone()), ..world.delivery() };
    let medium = world.deliver("entrypoint", &contract.texts(), &delivery).unwrap();
    let data = world.disk("data", DATA_DISK).unwrap();

    let boot = refused(&world, "broken-entrypoint", "single", &world.keys.image, &medium, Some(&data));

    boot.assert_ended(Stage::Start, &[("code", "HPL08004E")]);
    boot.assert_nothing_after(Stage::Start);
    boot.assert_says("; try the compose file with the same images elsewhere, and look at the log server");
    boot.assert_told_beside_the_journal(&world, "HPL08004E: ");
    boot.say_when_off();
    boot.assert_closed_and_silent(&world);
    let transcript = capsule(&boot, &auditor.key);
    assert_eq!(
        (&transcript["failure"]["stage"], &transcript["failure"]["code"]),
        (&"start".into(), &"HPL08004E".into())
    );
    let done =
        |stage: &str| transcript["stages"].as_array().unwrap().iter().any(|seen| seen["stage"] == stage);
    assert!(done("unlock") && done("images") && !done("watch"), "{transcript}");
}
