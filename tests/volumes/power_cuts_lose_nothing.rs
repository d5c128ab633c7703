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
    CHEAP, DISK, INTEGRITY, MOUNTED, VOLUME, file_system_by_hand, long, part, parted_container, passphrase,
    run, volume,
};

/// By how much a disk grows: more than a group of ext4 (128 MiB) and of xfs here (82 MiB).
const GROWTH: u64 = 256 << 20;
/// A disk whose volume of some 40 MiB is soon written once.
const SMALL: u64 = 160 << 20;

fn workload(name: &str, files: u32) -> Vec<Act> {
    vec![Act::Workload { folder: format!("{MOUNTED}/files"), disk: name.into(), files, length: 30_000 }]
}

/// A volume made by hand, on a disk that is `growth` bytes larger than what it was made for.
fn by_hand(folder: &Path, name: &'static str, volume: Volume, growth: u64, cuts: [usize; 2]) -> Series {
    let least = if volume.filesystem == "xfs" { 448 << 20 } else { DISK };
    let image = disk::create(&folder.join(name), least).unwrap();
    parted_container(&image, &CHEAP, &passphrase(&volume));
    File::options().write(true).open(&image).unwrap().set_len(least + growth).unwrap();
    Series {
        name,
        image,
        before: file_system_by_hand(name, "2", &passphrase(&volume), &volume.filesystem),
        volume,
        edits: [Vec::new(), Vec::new()],
        after: Vec::new(),
        again_of: 8,
        cuts,
    }
}

fn first_format(folder: &Path, name: &'static str, cuts: [usize; 2]) -> Series {
    Series {
        name,
        image: disk::create(&folder.join(name), DISK).unwrap(),
        before: Vec::new(),
        volume: volume(VOLUME),
        edits: [Vec::new(), Vec::new()],
        after: workload(name, 1),
        again_of: 8,
        cuts,
    }
}

/// Both parties change their seeds: the volume opens with the contract that asks for it, and behind that with the new
/// seeds alone.
fn change_of_seeds(folder: &Path) -> Series {
    let old = volume(VOLUME);
    let previous = |seed: &str| format!("    previousSeed: \"{seed}\"\n    seed: ");
    let edits = vec![
        (Section::Workload, "    seed: ", previous(&old.workload_seed)),
        (Section::Env, "    seed: ", previous(&old.env_seed)),
    ];
    let made = by_hand(folder, "seeds", old, 0, [4, 40]);
    let volume = Volume {
        workload_seed: "workload-seed-of-next-year".into(),
        env_seed: "deployer-seed-of-next-year".into(),
        ..made.volume
    };
    Series { volume, edits: [edits, Vec::new()], again_of: 2, ..made }
}

fn growth(folder: &Path, name: &'static str, filesystem: &str) -> Series {
    let volume = Volume { filesystem: filesystem.into(), ..volume(VOLUME) };
    by_hand(folder, name, volume, GROWTH, [3, 40])
}

fn running_workload(folder: &Path) -> Series {
    let made = by_hand(folder, "workload", volume(VOLUME), 0, [3, 60]);
    Series { after: workload("workload", 6), ..made }
}

/// Both contracts ask for integrity.
fn asked() -> [Vec<(Section, &'static str, String)>; 2] {
    let (section, from, to) = INTEGRITY;
    [(); 2].map(|()| vec![(section, from, to.to_owned())])
}

/// As [`first_format`]; every sector is written once, which takes most of a minute after most of the cuts: of a long run.
fn first_format_with_integrity(folder: &Path) -> Series {
    Series { edits: asked(), ..first_format(folder, "new-integrity", [12, 12]) }
}

/// As [`running_workload`], on a volume that cryptsetup makes in the guest: integrity takes a device mapper.
fn running_workload_with_integrity(folder: &Path) -> Series {
    let (name, volume) = ("integrity", volume(VOLUME));
    let image = disk::create(&folder.join(name), SMALL).unwrap();
    part(&image);
    let format = ["/lab/cryptsetup", "luksFormat", "--batch-mode", "--type", "luks2", "--key-file", "-"];
    let format = [&format[..], &["--integrity", "hmac-sha256"], &CHEAP, &["{disk:integrity}2"]].concat();
    let mut before = vec![Act::Load { modules: "integrity".into() }, run(&format, &passphrase(&volume))];
    before.extend(file_system_by_hand(name, "2", &passphrase(&volume), &volume.filesystem));
    let (edits, after) = (asked(), workload(name, 6));
    Series { name, image, before, volume, edits, after, again_of: 8, cuts: [3, 40] }
}

fn said(outcome: &Outcome, code: &str) -> bool {
    did(&outcome.answers[0]).contains(&code)
}

/// Among the outcomes are those that say so and those that do not: the cuts come from both sides of that step.
fn both(outcomes: &[Outcome], what: &str, says: impl Fn(&Outcome) -> bool) {
    let count = outcomes.iter().filter(|outcome| says(outcome)).count();
    assert!(0 < count && count < outcomes.len(), "{what}: {count} of {} cuts", outcomes.len());
}

/// A step of a series, which some of the cuts come before and some behind.
type Step = (&'static str, fn(&Outcome) -> bool);

const MADE: Step = ("made afresh", |outcome| outcome.answers[0].formats == 1);
const CHANGED: Step = ("seeds changed", |outcome| said(outcome, "HPL07111I"));
const GROWN: Step = ("grown", |outcome| said(outcome, "HPL07130I"));
const RUNNING: Step = ("past the third file", |outcome| outcome.mark >= Some(Mark::File(3)));

#[test]
fn every_cut_leaves_a_volume_that_opens() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let mut series = vec![
        (first_format(folder, "first-format", [6, 60]), MADE),
        (change_of_seeds(folder), CHANGED),
        (growth(folder, "grow-ext4", "ext4"), GROWN),
        (running_workload(folder), RUNNING),
        (running_workload_with_integrity(folder), RUNNING),
    ];
    if long() {
        series.push((growth(folder, "grow-xfs", "xfs"), GROWN));
        series.push((growth(folder, "grow-btrfs", "btrfs"), GROWN));
        series.push((first_format_with_integrity(folder), MADE));
    }
    let (series, steps): (Vec<Series>, Vec<Step>) = series.into_iter().unzip();
    for (outcomes, (step, says)) in cut(&series).iter().zip(steps) {
        both(outcomes, step, says);
    }
}
