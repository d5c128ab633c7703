//! One bit of the signature is changed: the boot ends at `verify`, before the workload section was opened.

use countersign_vm::events::Stage;
use countersign_vm::lab::contract::Signature;
use countersign_vm::lab::disk;
use countersign_vm::lab::world::DATA_DISK;

use crate::support::{NONE, refused, world};

#[test]
fn altered_signature_stops_at_verify() {
    let mut world = world();
    let mut delivery = world.delivery();
    delivery.signature = Signature::Altered;
    let medium = world.deliver("altered", &world.contract().texts(), &delivery).unwrap();
    let data = world.disk("data", DATA_DISK).unwrap();
    let before = disk::fingerprint(&data).unwrap();

    let boot = refused(&world, "altered-signature", "single", &world.keys.image, &medium, Some(&data));

    boot.assert_ended(Stage::Verify, 14, &[("code", "HPL12001E"), ("pointer", "/env/signingKey")]);
    boot.assert_nothing_after(Stage::Verify);
    boot.assert_says("sign workload and env again, exactly as they stand in the contract");
    boot.assert_told(&world, "HPL12001E /env/signingKey");
    boot.assert_off_in_time(NONE);
    boot.assert_closed_and_silent(&world);
    assert_eq!(disk::fingerprint(&data).unwrap(), before, "the data disk was written");
}
