//! One bit of the os disk was changed: the kernel itself ends the machine at the first block that does not fit the
//! sealed root hash, before the first byte was written anywhere.

use std::os::unix::fs::{FileExt, MetadataExt};

use countersign_vm::events::{Stage, State};
use countersign_vm::lab::world::DATA_DISK;
use countersign_vm::profile::Profile;

use crate::inside::{self, End};
use crate::support::{BOOT, world};

/// Inside the superblock of the file system, which is read in any case.
const BYTE: u64 = 1024 + 40;

#[test]
fn altered_guest_os_ends_in_a_panic() {
    let mut world = world();
    let delivery = world.delivery();
    let medium = world.deliver("os", &world.contract().texts(), &delivery).unwrap();
    let data = world.disk("data", DATA_DISK).unwrap();
    let mut run = world.run("altered-os", &world.keys.image, &medium, Some(&data)).unwrap();
    let os = world.folder().join("disks/os");
    let drive = run.drives.iter_mut().find(|drive| drive.serial.ends_with("os")).unwrap();
    std::fs::copy(&drive.path, &os).unwrap();
    let file = std::fs::File::options().read(true).write(true).open(&os).unwrap();
    let mut byte = [0];
    file.read_exact_at(&mut byte, BYTE).unwrap();
    file.write_all_at(&[byte[0] ^ 1], BYTE).unwrap();
    drive.path = os;
    let profile = Profile::named("bare").unwrap();

    let (mut guest, look) = inside::boot("altered-os", &profile, run.clone());
    let status = guest.wait_end(BOOT).unwrap();

    // A reboot would have been a success.
    assert!(!status.success(), "{status}");
    let serial = std::fs::read_to_string(look.logs.serial()).unwrap();
    assert!(serial.contains("Kernel panic - not syncing: dm-verity device corrupted"), "{serial}");
    let seen = |stage, state| guest.history().iter().any(|seen| seen.event.is_stage(stage, state));
    assert!(seen(Stage::Unlock, State::Start) && !seen(Stage::Unlock, State::Done), "{serial}");
    assert!(!seen(Stage::Root, State::Start), "{serial}");
    for drive in run.drives.iter().filter(|drive| !drive.read_only) {
        // A disk that was never written has no blocks.
        assert_eq!(std::fs::metadata(&drive.path).unwrap().blocks(), 0, "{} was written", drive.serial);
    }
    look.assert_silent(&world, End::Cut);
}
