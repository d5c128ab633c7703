//! Disks that are attached while `unlock` waits: each counts as soon as it is there, whatever partitions it has, and
//! nothing is written to one before the other has come.

use std::cell::Cell;

use countersign_tests::lab::{Act, Boot, Case, WAITS};
use countersign_vm::arguments::Drive;
use countersign_vm::lab::disk;

use crate::support::{CONTRACT, DISK, Lab, part, volume};

#[test]
fn disks_that_come_late_count() {
    let mut lab = Lab::new("late");
    lab.deliver(CONTRACT, &[("one", &volume("one")), ("two", &volume("two"))], &[]);
    let one = disk::create(&lab.folder().join("one"), DISK).unwrap();
    part(&one);
    let two = disk::create(&lab.folder().join("two"), DISK).unwrap();
    let boot = Boot {
        contract: CONTRACT.into(),
        disks: ["one", "two"].map(|name| (name.to_owned(), name.to_owned())).to_vec(),
        wait_ms: 1500,
        ..Boot::default()
    };
    let write = ["one", "two"].map(|name| Act::Write { path: format!("{{volume}}/{name}/file"), length: 9 });
    lab.case(Case { name: "late".into(), boot: Some(boot), after: write.to_vec(), ..Case::default() });

    // So often the boot said that it waits for both, and for the first alone.
    let said = Cell::new((0, 0));
    let answer = &lab.boot_with(|guest, line| {
        let Some(line) = line.strip_prefix(WAITS) else { return };
        let (both, first) = said.get();
        if line.starts_with("waiting for the disk of one, two, ") {
            said.set((both + 1, first));
            if both == 1 {
                guest.attach(&Drive::writable(&two, "two")).unwrap();
            }
        } else if line.starts_with("waiting for the disk of one, ") {
            said.set((both, first + 1));
            if first == 1 {
                guest.attach(&Drive::writable(&one, "one")).unwrap();
            }
        }
    })[0];

    assert_eq!((answer.code.as_deref(), answer.formats), (None, 2), "{answer:#?}");
    assert_eq!(answer.mapped, ["volume-one", "volume-two"], "{answer:#?}");
    let place = |text: &str| {
        let found = answer.lines.iter().position(|line| line.starts_with(text));
        found.unwrap_or_else(|| panic!("no \"{text}\" in {answer:#?}"))
    };
    let waits: Vec<usize> = (0..answer.lines.len())
        .filter(|line| answer.lines[*line].starts_with("waiting for the disk"))
        .collect();
    assert!(waits.len() >= 4, "{answer:#?}");
    assert!(waits.iter().all(|wait| *wait < place("making volume")), "{answer:#?}");
    // The volume on a disk that is parted already is made in its partition.
    assert!(answer.lines[place("making volume one on")].ends_with('2'), "{answer:#?}");
    assert!(answer.lines[place("making volume two on")].contains("/dev/vd"), "{answer:#?}");
}
