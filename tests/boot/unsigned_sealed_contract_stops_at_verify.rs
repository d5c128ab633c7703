//! Sealed sections without signature: the boot ends at `verify`, whatever they hold. The token of `env` stays closed.

use countersign_vm::events::Stage;
use countersign_vm::lab::contract::{Delivery, Signature};

use crate::support::{long, refused, world};

#[test]
fn unsigned_sealed_contract_stops_at_verify() {
    if !long() {
        return;
    }
    let mut world = world();
    let mut contract = world.contract();
    contract.signing_key = None;
    let delivery = Delivery { signature: Signature::Absent, ..world.delivery() };
    let medium = world.deliver("unsigned", &contract.texts(), &delivery).unwrap();

    let boot = refused(&world, "unsigned", "bare", &world.keys.image, &medium, None);

    boot.assert_ended(Stage::Verify, &[("code", "HPL12109E"), ("pointer", "/envWorkloadSignature")]);
    boot.assert_nothing_after(Stage::Verify);
    boot.assert_says(
        "expected a signature, because a section is sealed; name the key as env.signingKey and sign",
    );
    boot.assert_closed_and_silent(&world);
}
