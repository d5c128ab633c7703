//! One bit of the signature is changed: the boot ends at `verify`, before the workload section was opened. Where `env`
//! is an old token, the place stays unsaid and the log server unasked.

use countersign_vm::events::Stage;
use countersign_vm::lab::contract::{Delivery, Sealing, Signature};
use countersign_vm::lab::disk;
use countersign_vm::lab::world::DATA_DISK;

use crate::support::{refused, world};

#[test]
fn altered_signature_stops_at_verify() {
    let mut world = world();
    let old = Delivery { signature: Signature::Altered, ..world.delivery() };
    let delivery = Delivery { workload: Sealing::CountersignV1, env: Sealing::CountersignV1, ..old.clone() };
    let texts = world.contract().texts();
    let old = world.deliver("altered-old", &texts, &old).unwrap();
    let medium = world.deliver("altered", &texts, &delivery).unwrap();
    let data = world.disk("data", DATA_DISK).unwrap();
    let before = disk::fingerprint(&data).unwrap();

    let boot = refused(&world, "altered-signature-old", "single", &world.keys.image, &old, Some(&data));

    boot.assert_ended(Stage::Verify, &[("code", "HPL12001E")]);
    boot.assert_nothing_after(Stage::Verify);
    boot.assert_says(
        "before that nothing is said about what an old token holds (countersign check --key says it)",
    );
    assert!(!boot.serial.contains("pointer="), "a place in\n{}", boot.serial);
    assert_eq!(world.syslog.lines().unwrap().len(), 0, "the log server was told");
    boot.assert_closed_and_silent(&world);
    assert_eq!(disk::fingerprint(&data).unwrap(), before, "the data disk was written");

    let boot = refused(&world, "altered-signature", "single", &world.keys.image, &medium, Some(&data));

    boot.assert_ended(Stage::Verify, &[("code", "HPL12001E"), ("pointer", "/env/signingKey")]);
    boot.assert_nothing_after(Stage::Verify);
    boot.assert_says("sign workload and env again, exactly as they stand in the contract");
    boot.assert_told(&world, "HPL12001E /env/signingKey");
    boot.say_when_off();
    boot.assert_closed_and_silent(&world);
    assert_eq!(disk::fingerprint(&data).unwrap(), before, "the data disk was written");
}
