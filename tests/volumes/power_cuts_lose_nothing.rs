//! The power goes at every write that reaches the disk: during the first format, while both seeds are changed, while a
//! volume grows on a larger disk, and while a workload writes.
//!
//! After each cut the volume opens or, as long as nothing was ever handed to a workload, is made afresh; what had been
//! synced is there byte for byte. Writes are torn, too, and lost where no flush had made them safe.

use std::fs::File;
use std::path::Path;

use countersign_tests::lab::{Act, Mark};
use countersign_vm::lab::contract::{Section, Volume};
use countersign_vm::lab::disk;

use crate::cuts::{Outcome, Series, cut, did};
use crate::support::{
    CHEAP, DISK, MOUNTED, VOLUME, file_system_by_hand, parted_container, passphrase, volume,
};

/// By how much a disk grows: more than a group of ext4 (128 MiB) and of xfs here (82 MiB).
const GROWTH: u64 = 256 << 20;

fn workload(name: &str, files: u32) -> Vec<Act> {
    vec![Act::Workload { folder: format!("{MOUNTED}/files"), disk: name.into(), files, length: 30_000 }]
}

/// A series on a volume made by hand, on a disk that is `growth` bytes larger than what it was made for.
fn by_hand(folder: &Path, name: &'static str, volume: Volume, growth: u64) -> Series {
    let image = disk::create(&folder.join(name), least_disk(&volume)).unwrap();
    parted_container(&image, &CHEAP, &passphrase(&volume));
    let file = File::options().write(true).open(&image).unwrap();
    file.set_len(file.metadata().unwrap().len() + growth).unwrap();
    Series {
        name,
        image,
        before: file_system_by_hand(name, "2", &passphrase(&volume), &volume.filesystem),
        volume,
        edits: Vec::new(),
        after: Vec::new(),
        again_of: 8,
        cuts: [4, 24],
    }
}

fn least_disk(volume: &Volume) -> u64 {
    if volume.filesystem == "xfs" { 448 << 20 } else { DISK }
}

fn said(outcome: &Outcome, code: &str) -> bool {
    did(&outcome.answers[0]).contains(&code)
}

/// Among the outcomes are those that say so and those that do not: the cuts come from both sides of that step.
fn both(outcomes: &[Outcome], what: &str, says: impl Fn(&Outcome) -> bool) {
    let count = outcomes.iter().filter(|outcome| says(outcome)).count();
    assert!(0 < count && count < outcomes.len(), "{what}: {count} of {} cuts", outcomes.len());
}

#[test]
fn first_format_and_workload() {
    let folder = tempfile::tempdir().unwrap();
    let first_format = Series {
        name: "first-format",
        image: disk::create(&folder.path().join("blank"), DISK).unwrap(),
        before: Vec::new(),
        volume: volume(VOLUME),
        edits: Vec::new(),
        after: workload("first-format", 1),
        again_of: 8,
        cuts: [6, 36],
    };
    let running = by_hand(folder.path(), "workload", volume(VOLUME), 0);
    let running = Series { after: workload("workload", 6), cuts: [6, 48], ..running };
    let outcomes = cut("cuts-new", &[first_format, running]);
    both(&outcomes[0], "made afresh", |outcome| outcome.answers[0].formats == 1);
    both(&outcomes[1], "past the third file", |outcome| outcome.mark >= Some(Mark::File(3)));
}

/// Both parties change their seeds: the volume opens with the contract that asks for it, and behind that with the new
/// seeds alone.
#[test]
fn change_of_seeds() {
    let folder = tempfile::tempdir().unwrap();
    let old = volume(VOLUME);
    let previous = |seed: &str| format!("    previousSeed: \"{seed}\"\n    seed: ");
    let edits = vec![
        (Section::Workload, "    seed: ", previous(&old.workload_seed)),
        (Section::Env, "    seed: ", previous(&old.env_seed)),
    ];
    let seeds = by_hand(folder.path(), "seeds", old, 0);
    let volume = Volume {
        workload_seed: "workload-seed-of-next-year".into(),
        env_seed: "deployer-seed-of-next-year".into(),
        ..seeds.volume
    };
    let outcomes = cut("cuts-seeds", &[Series { volume, edits, again_of: 2, ..seeds }]);
    both(&outcomes[0], "seeds changed", |outcome| said(outcome, "HPL07111I"));
}

#[test]
fn growth() {
    let folder = tempfile::tempdir().unwrap();
    let names = [("grow-ext4", "ext4"), ("grow-xfs", "xfs"), ("grow-btrfs", "btrfs")];
    let series = names.map(|(name, filesystem)| {
        let volume = Volume { filesystem: filesystem.into(), ..volume(VOLUME) };
        let full = if name == "grow-ext4" { 48 } else { 24 };
        Series { cuts: [4, full], ..by_hand(folder.path(), name, volume, GROWTH) }
    });
    for outcomes in cut("cuts-growth", &series) {
        both(&outcomes, "grown", |outcome| said(outcome, "HPL07130I"));
    }
}
