//! The sections are sealed to another image's key: the boot ends at `unseal`, with the one uniform message. Tokens
//! `countersign-v1`; that an old token does not open is said no earlier and no clearer than anything else about it.

use countersign_vm::events::Stage;
use countersign_vm::lab::contract::{Delivery, Sealing};

use crate::support::{refused, world};

#[test]
fn wrong_image_key_stops_at_unseal() {
    let mut world = world();
    let delivery =
        Delivery { workload: Sealing::CountersignV1, env: Sealing::CountersignV1, ..world.delivery() };
    let medium = world.deliver("sealed", &world.contract().texts(), &delivery).unwrap();

    let boot = refused(&world, "wrong-image-key", "bare", &world.keys.other_image, &medium, None);

    boot.assert_ended(Stage::Unseal, &[("code", "HPL11001E"), ("pointer", "/env")]);
    boot.assert_nothing_after(Stage::Unseal);
    boot.assert_says("the token does not open with the key of this image");
    boot.assert_says("seal the section again with the encryption certificate of this very image");
    boot.assert_closed_and_silent(&world);
}
