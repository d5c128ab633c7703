//! The scratch disk is too small for a file system: the boot ends at `root`, behind a volume that was just made. The
//! volume is taken down before the guest OS comes up to report, and it opens on the rescue machine afterwards.
//!
//! The contract names an auditor, so the console holds a failure capsule as well.

use countersign_vm::events::Stage;
use countersign_vm::lab::contract::Delivery;
use countersign_vm::lab::keys;
use countersign_vm::lab::world::DATA_DISK;

use crate::support::{capsule, long, refused_run, world};

/// Less than the least that holds an ext4, in bytes.
const TOO_SMALL: u64 = 16 << 10;

#[test]
fn small_scratch_disk_stops_at_root() {
    if !long() {
        return;
    }
    let mut world = world();
    let auditor = keys::pair(&world.folder().join("auditor"), "auditor").unwrap();
    world.canaries.plant_key("auditor's key", &auditor.key).unwrap();
    let delivery = Delivery { auditor: Some(auditor.certificate.clone()), ..world.delivery() };
    let medium = world.deliver("scratch", &world.contract().texts(), &delivery).unwrap();
    let data = world.disk("data", DATA_DISK).unwrap();
    let mut run = world.run("small-scratch", &world.keys.image, &medium, Some(&data)).unwrap();
    let scratch = run.drives.iter_mut().find(|drive| drive.serial.ends_with("scratch")).unwrap();
    scratch.path = world.disk("small", TOO_SMALL).unwrap();

    let boot = refused_run("small-scratch", "single", run);

    boot.assert_ended(Stage::Root, &[("code", "HPL11111E")]);
    boot.assert_nothing_after(Stage::Root);
    boot.assert_says("attach a scratch disk of at least 1 GiB, or none, to keep scratch in memory");
    boot.assert_told(&world, "HPL11111E: ");
    boot.say_when_off();
    boot.assert_closed_and_silent(&world);
    let transcript = capsule(&boot, &auditor.key);
    assert_eq!(
        (&transcript["failure"]["stage"], &transcript["failure"]["code"]),
        (&"root".into(), &"HPL11111E".into())
    );
}
