//! Each file system: made as the contract says, opened again on a disk that became larger, grown once. What the
//! kernel mounts and maps is read from its own tables in the guest, the label from the documented place of each
//! superblock, the partition table by sfdisk and sgdisk on this machine.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::Command;

use countersign_tests::lab::{Act, Answer, Boot, Case};
use countersign_vm::arguments::{Drive, Layer, Request};
use countersign_vm::lab::contract::{Section, Volume};
use countersign_vm::lab::disk;

use crate::support::{
    BY_HAND, CHEAP, CONTRACT, DISK, Lab, MOUNTED, VOLUME, assert_open, assert_refused, by_hand, cryptsetup,
    parted_container, passphrase, run, said, shown, volume,
};

/// Bytes of a disk that takes any file system.
const LARGE: u64 = 448 << 20;
/// By so many bytes each disk grows.
const MORE: u64 = 128 << 20;
/// Bytes of the file that lives through it.
const FILE: usize = 300_000;

/// A file system and what is said of its volume.
struct Row {
    name: &'static str,
    /// Lines for the volume under the key `countersign`.
    options: &'static str,
    /// Words that the kernel's list of mounts has for it.
    mounted: &'static [&'static str],
    discard: bool,
    label: &'static str,
    /// Where the superblock has the label, and how much room.
    label_at: (u64, usize),
}

const ROWS: [Row; 3] = [
    Row {
        name: "ext4",
        options: "",
        mounted: &["rw", "nosuid", "nodev", "relatime"],
        discard: false,
        label: VOLUME,
        label_at: (1024 + 0x78, 16),
    },
    Row {
        name: "xfs",
        options: "      mkfs: {label: rows}\n      mount-options: [noexec, noatime]\n      discard: true\n",
        mounted: &["rw", "nosuid", "nodev", "noexec", "noatime", "discard"],
        discard: true,
        label: "rows",
        label_at: (108, 12),
    },
    Row {
        name: "btrfs",
        options: "      mkfs: {label: columns}\n      mount-options: [sync]\n      discard: true\n",
        mounted: &["rw", "sync", "nosuid", "nodev", "discard=async"],
        discard: true,
        label: "columns",
        label_at: ((64 << 10) + 0x12b, 256),
    },
];

fn boot(contract: &str, serial: &str) -> Option<Boot> {
    shown(contract, &[(serial, VOLUME)])
}

/// What is looked at once a volume is mounted.
fn looks(row: &Row) -> Vec<Act> {
    let (at, room) = row.label_at;
    let label = format!("if=/dev/mapper/volume-{VOLUME} bs=1 skip={at} count={room}");
    let mut dd = vec!["/lab/busybox", "dd"];
    dd.extend(label.split(' '));
    vec![
        Act::Look { folder: format!("{MOUNTED}/files") },
        run(&["/lab/busybox", "cat", "/proc/mounts"], ""),
        run(&["/lab/cryptsetup", "status", &format!("volume-{VOLUME}")], ""),
        run(&dd, ""),
        size(),
    ]
}

/// Bytes of the mounted file system.
fn size() -> Act {
    run(&["/lab/busybox", "df", "-kP", &format!("/volumes/{VOLUME}")], "")
}

/// The size that the last program printed, in bytes.
fn sized(answer: &Answer) -> u64 {
    let line = answer.output.last().unwrap().lines().last().unwrap();
    line.split_whitespace().nth(1).unwrap().parse::<u64>().unwrap() << 10
}

/// Mounted, mapped and labelled as its row says, its file whole.
fn assert_row(answer: &Answer, row: &Row) {
    assert_open(answer);
    assert_eq!(answer.files.get("kept"), Some(&FILE), "{answer:#?}");
    let [mounts, status, label, _] = &answer.output[..] else { panic!("{answer:#?}") };
    let device = format!("/dev/mapper/volume-{VOLUME} /volumes/{VOLUME} {} ", row.name);
    let options =
        mounts.lines().find_map(|line| line.strip_prefix(&device)).unwrap_or_else(|| panic!("{mounts}"));
    let options: Vec<&str> = options.split([' ', ',']).collect();
    for word in row.mounted {
        assert!(options.contains(word), "no {word} in {options:?}");
    }
    // What nobody asked for is not there either.
    for word in ["noexec", "noatime", "sync", "discard", "discard=async"] {
        assert!(row.mounted.contains(&word) || !options.contains(&word), "{word} in {options:?}");
    }
    let discards = status.lines().any(|line| line.trim().starts_with("flags:") && line.contains("discards"));
    assert_eq!(discards, row.discard, "{status}");
    let label = label.split('\0').next().unwrap();
    // dd's own words come behind the label, which ends with a NUL unless it fills its room.
    assert_eq!(label, row.label);
}

#[test]
fn file_systems_are_made_as_told_and_grow_with_their_disks() {
    let mut lab = Lab::new("file-systems");
    let of = |name: &str| Volume { filesystem: name.into(), ..volume(VOLUME) };
    let mut images = Vec::new();
    for row in &ROWS {
        let edit = format!("countersign:\n  volumes:\n    {VOLUME}:\n{}volumes:\n", row.options);
        let edits = [(Section::Workload, "volumes:\n", edit.as_str())];
        let edits = if row.options.is_empty() { &[][..] } else { &edits[..] };
        lab.deliver(row.name, &[(VOLUME, &of(row.name))], edits);
        images.push(lab.disk(&format!("disk-{}", row.name), LARGE));
        let mut after = vec![Act::Write { path: format!("{MOUNTED}/files/kept"), length: FILE }];
        after.extend(looks(row));
        lab.case(Case {
            name: row.name.into(),
            boot: boot(row.name, &format!("disk-{}", row.name)),
            after,
            ..Case::default()
        });
    }
    lab.contract(&of("ext4"));
    // A volume of old, without partitions.
    let whole = lab.disk("whole", 64 << 20);
    cryptsetup(&[&["luksFormat", "--type", "luks2"], &CHEAP[..]].concat(), &whole, &passphrase(&of("ext4")));
    let before = by_hand("whole", "", &passphrase(&of("ext4")));
    lab.case(Case { name: "whole".into(), before, ..Case::default() });
    let made = lab.boot();
    for (answer, row) in made.iter().zip(&ROWS) {
        assert_row(answer, row);
        assert_eq!((answer.formats, said(answer, "HPL0713")), (1, false), "{answer:#?}");
    }

    for image in images.iter().chain([&whole]) {
        let file = File::options().write(true).open(image).unwrap();
        file.set_len(file.metadata().unwrap().len() + MORE).unwrap();
    }
    // A volume made by hand on a disk that became larger, whose first write to the partition table's block fails.
    let broken = disk::create(&lab.folder().join("broken"), DISK).unwrap();
    parted_container(&broken, &CHEAP, &passphrase(&of("ext4")));
    File::options().write(true).open(&broken).unwrap().set_len(DISK + MORE).unwrap();
    let fault = Layer::Faulty { kind: Request::Write, sector: Some(1), once: true };
    lab.attach(Drive::writable(&broken, "broken").behind(fault));
    lab.disk("small", LARGE - 4096);

    // A third boot of those that are ext4 comes below, where a passphrase costs less.
    let again = ROWS[1..].iter().map(|row| (row, format!("{} again", row.name)));
    for (row, name) in ROWS.iter().map(|row| (row, row.name.to_owned())).chain(again) {
        let boot = boot(row.name, &format!("disk-{}", row.name));
        lab.case(Case { name, boot, after: looks(row), ..Case::default() });
    }
    let look = || vec![Act::Look { folder: format!("{MOUNTED}/files") }, size()];
    let broken_before = by_hand("broken", "2", &passphrase(&of("ext4")));
    for (name, before, contract, serial) in [
        ("whole", vec![], CONTRACT, "whole"),
        ("whole again", vec![], CONTRACT, "whole"),
        ("broken", broken_before, CONTRACT, "broken"),
        ("mended", vec![], CONTRACT, "broken"),
        ("mended again", vec![], CONTRACT, "broken"),
    ] {
        lab.case(Case { name: name.into(), before, boot: boot(contract, serial), after: look() });
    }
    lab.case(Case { name: "other".into(), boot: boot("btrfs", "whole"), ..Case::default() });
    lab.case(Case { name: "small".into(), boot: boot("xfs", "small"), ..Case::default() });

    let grown = lab.boot();

    assert_all(&made, &grown);
    for image in images.iter().chain([&broken]) {
        assert_table(image);
    }
}

/// What all cases answered, of the guest that made the volumes and of the one that found larger disks.
fn assert_all(made: &[Answer], grown: &[Answer]) {
    let of = |name: &str| grown.iter().find(|answer| answer.name == name).unwrap();
    for (row, made) in ROWS.iter().zip(made) {
        let first = of(row.name);
        assert_row(first, row);
        assert_eq!((first.formats, first.derivations), (0, 1), "{first:#?}");
        assert!(said(first, "HPL07130I"), "{first:#?}");
        let more = sized(first) - sized(made);
        assert!((MORE * 9 / 10..=MORE).contains(&more), "grown by {more}: {first:#?}");
    }
    for row in &ROWS[1..] {
        let again = of(&format!("{} again", row.name));
        assert_row(again, row);
        assert!(!said(again, "HPL0713"), "{again:#?}");
        assert_eq!(sized(again), sized(of(row.name)));
    }
    for (first, again) in [("whole", "whole again"), ("mended", "mended again")] {
        let (first, again) = (of(first), of(again));
        for answer in [first, again] {
            assert_open(answer);
            assert_eq!(answer.files.get("by-hand"), Some(&BY_HAND), "{answer:#?}");
        }
        assert!(said(first, "HPL07130I") && !said(again, "HPL0713"), "{first:#?}");
        assert!(sized(first) > MORE, "{first:#?}");
    }
    let (broken, other) = (of("broken"), of("other"));
    assert_eq!(
        (broken.stage.as_deref(), broken.code.as_deref()),
        (Some("unlock"), Some("HPL07004E")),
        "{broken:#?}"
    );
    assert_eq!(other.code.as_deref(), Some("HPL02100E"), "{other:#?}");
    assert!(said(other, "expected the file system that the contract names, found ext4"), "{other:#?}");
    assert_eq!(other.written["whole"], 0, "{other:#?}");
    assert_refused(of("small"), "HPL07105E", "for a new volume with xfs");
}

/// Both copies of the partition table are sound, the second at the end of the disk, and `data` reaches it.
fn assert_table(image: &Path) {
    let told = |program: &str, words: &[&str]| -> (bool, String) {
        let output =
            Command::new(PathBuf::from("/usr/sbin").join(program)).args(words).arg(image).output().unwrap();
        let text = [output.stdout, output.stderr].concat();
        (output.status.success(), String::from_utf8_lossy(&text).into_owned())
    };
    let (good, text) = told("sgdisk", &["--verify"]);
    assert!(good && text.contains("No problems found"), "{text}");
    let (good, text) = told("sfdisk", &["--json"]);
    assert!(good, "{text}");
    let table: serde_json::Value = serde_json::from_str(&text).unwrap();
    let data = &table["partitiontable"]["partitions"][1];
    let end = (data["start"].as_u64().unwrap() + data["size"].as_u64().unwrap()) * 512;
    let size = image.metadata().unwrap().len();
    assert!(data["name"] == "data" && (size - (2 << 20)..size).contains(&end), "{text}");
}
