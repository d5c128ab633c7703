//! Wrong seeds, wrong disks, broken disks: each with its code, and not a byte of any disk has changed.

use countersign_tests::lab::{Boot, Case};
use countersign_vm::arguments::{Drive, Layer, Request};
use countersign_vm::lab::contract::{Section, Volume};
use countersign_vm::lab::disk;

use crate::support::{
    CHEAP, CONTRACT, DATA_AT, DISK, Lab, VOLUME, assert_refused, boot, part, part_as, parted_container,
    passphrase, shown, volume,
};

#[test]
fn refused_disks_stay_as_they_were() {
    let mut lab = Lab::new("refused");
    let data = volume(VOLUME);
    lab.contract(&data);
    lab.deliver(
        "wrong-seed",
        &[(VOLUME, &Volume { env_seed: "another-seed-altogether".into(), ..data.clone() })],
        &[],
    );
    let never = [(
        Section::Workload,
        "volumes:\n",
        "countersign:\n  volumes:\n    data:\n      initialize: never\nvolumes:\n",
    )];
    lab.deliver("never", &[(VOLUME, &data)], &never);

    let mut images = Vec::new();
    let mut image = |lab: &Lab, name: &str, bytes: u64| {
        let path = disk::create(&lab.folder().join(name), bytes).unwrap();
        images.push(path.clone());
        path
    };
    let good = image(&lab, "good", DISK);
    parted_container(&good, &CHEAP, &passphrase(&data));
    lab.attach(Drive::writable(&good, "good"));
    let locked = image(&lab, "locked", DISK);
    lab.attach(Drive::read_only(&locked, "locked"));
    let small = image(&lab, "small", DISK - 4096);
    lab.attach(Drive::writable(&small, "small"));
    let blank = image(&lab, "blank", DISK);
    lab.attach(Drive::writable(&blank, "blank"));
    let ext4 = image(&lab, "ext4", DISK);
    assert!(
        std::process::Command::new("mke2fs")
            .args(["-q", "-t", "ext4"])
            .arg(&ext4)
            .status()
            .unwrap()
            .success()
    );
    lab.attach(Drive::writable(&ext4, "ext4"));
    let parted = image(&lab, "parted-ext4", DISK);
    part(&parted);
    let offset = format!("offset={DATA_AT}");
    let made = std::process::Command::new("mke2fs")
        .args(["-q", "-t", "ext4", "-E", &offset])
        .arg(&parted)
        .arg("100M")
        .status();
    assert!(made.unwrap().success());
    lab.attach(Drive::writable(&parted, "parted-ext4"));
    for (serial, names) in [("one-partition", &["data"][..]), ("other-names", &["boot", "root"])] {
        let parted = image(&lab, serial, DISK);
        part_as(&parted, names);
        lab.attach(Drive::writable(&parted, serial));
    }
    // The first sector of the container, one in the middle of its key slots, one near the end of a blank disk.
    let header = Layer::Faulty { kind: Request::Read, sector: Some(DATA_AT / 512), once: false };
    let bad_header = image(&lab, "bad-header", DISK);
    parted_container(&bad_header, &CHEAP, &passphrase(&data));
    lab.attach(Drive::writable(&bad_header, "bad-header").behind(header));
    let slots = Layer::Faulty { kind: Request::Read, sector: Some(DATA_AT / 512 + 128), once: false };
    let bad_slots = image(&lab, "bad-slots", DISK);
    parted_container(&bad_slots, &CHEAP, &passphrase(&data));
    lab.attach(Drive::writable(&bad_slots, "bad-slots").behind(slots));
    let tail = Layer::Faulty { kind: Request::Read, sector: Some((DISK - 65_536) / 512), once: false };
    let bad_tail = image(&lab, "bad-tail", DISK);
    lab.attach(Drive::writable(&bad_tail, "bad-tail").behind(tail));

    let false_key = boot("good").map(|boot| Boot { false_keys: true, ..boot });
    let rows: [(&str, Option<Boot>, &str, &str); 14] = [
        (
            "wrong seed",
            shown("wrong-seed", &[("good", VOLUME)]),
            "HPL02003E",
            "expected the seeds that it was made with",
        ),
        // The header's digest is what the key is held against before anything is mapped.
        ("false key", false_key, "HPL02003E", "Volume key does not match the volume"),
        ("missing", shown(CONTRACT, &[]), "HPL07100E", "within 900 s"),
        (
            "two candidates",
            shown(CONTRACT, &[("good", VOLUME), ("blank", VOLUME)]),
            "HPL07101E",
            "expected one disk with its name",
        ),
        ("read-only", boot("locked"), "HPL07106E", "expected a writable disk"),
        ("too small", boot("small"), "HPL07105E", "expected at least"),
        ("blank, never", shown("never", &[("blank", VOLUME)]), "HPL07103E", "initialize: never"),
        ("ext4", boot("ext4"), "HPL07102E", "an ext2, ext3 or ext4 file system"),
        ("ext4 on data", boot("parted-ext4"), "HPL07102E", "an ext2, ext3 or ext4 file system"),
        ("one partition", boot("one-partition"), "HPL07006E", "found 1 partitions"),
        ("other names", boot("other-names"), "HPL07104E", "to be called metadata and data"),
        ("unreadable header", boot("bad-header"), "HPL07108E", "read disk"),
        ("unreadable key slots", boot("bad-slots"), "HPL07108E", "read disk"),
        ("unreadable end of a blank disk", boot("bad-tail"), "HPL07108E", "read disk"),
    ];
    for (name, boot, ..) in &rows {
        lab.case(Case { name: (*name).into(), boot: boot.clone(), ..Case::default() });
    }
    let before: Vec<String> = images.iter().map(|image| disk::fingerprint(image).unwrap()).collect();
    let answers = lab.boot();
    for ((name, _, code, sentence), answer) in rows.iter().zip(&answers) {
        assert_refused(answer, code, sentence);
        let derived = match *name {
            "wrong seed" => 2,
            "false key" => 1,
            _ => 0,
        };
        assert_eq!((answer.derivations, answer.formats), (derived, 0), "{answer:#?}");
    }
    for (image, before) in images.iter().zip(before) {
        assert_eq!(disk::fingerprint(image).unwrap(), before, "{} was written", image.display());
    }
}

/// The disk takes no write, or does not keep what it was told to: no volume, and the boot ends with the reason.
#[test]
fn a_disk_that_cannot_be_written_ends_the_boot() {
    let mut lab = Lab::new("unwritable");
    let data = volume(VOLUME);
    lab.contract(&data);
    for (serial, kind) in [("no-writes", Request::Write), ("no-flushes", Request::Flush)] {
        let image = disk::create(&lab.folder().join(serial), DISK).unwrap();
        lab.attach(Drive::writable(image, serial).behind(Layer::Faulty { kind, sector: None, once: false }));
        lab.case(Case { name: serial.into(), boot: boot(serial), ..Case::default() });
    }
    for answer in lab.boot() {
        assert_eq!(
            (answer.stage.as_deref(), answer.code.as_deref()),
            (Some("unlock"), Some("HPL07003E")),
            "{answer:#?}"
        );
        assert!(answer.mapped.is_empty(), "{answer:#?}");
    }
}

/// A host that lets reads trickle: the boot takes its time and opens the volume; nothing is taken for blank meanwhile.
#[test]
fn slow_reads_are_waited_for() {
    let mut lab = Lab::new("slow");
    let data = volume(VOLUME);
    lab.deliver(
        "never",
        &[(VOLUME, &Volume { env_seed: "another-seed-altogether".into(), ..data.clone() })],
        &[],
    );
    let image = disk::create(&lab.folder().join("slow"), DISK).unwrap();
    parted_container(&image, &CHEAP, &passphrase(&data));
    lab.attach(Drive::writable(&image, "slow").behind(Layer::SlowReads(2_000_000)));
    lab.case(Case { name: "slow".into(), boot: shown("never", &[("slow", VOLUME)]), ..Case::default() });
    let answer = &lab.boot()[0];
    assert_refused(answer, "HPL02003E", "expected the seeds that it was made with");
}
