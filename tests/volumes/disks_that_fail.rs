//! Disks that fail by device mapper's own targets `error` and `flakey`, behind a SCSI disk: reads that fail or come back
//! altered, writes that fail, writes that are dropped without a word. Each boot ends with its code or with the volume
//! open; the next one on a sound disk finds every byte that was synced, and finishes what was begun.

use std::fs::File;
use std::path::Path;

use countersign_tests::lab::{Act, Answer, Case, Fault, Stretch};
use countersign_vm::arguments::Drive;
use countersign_vm::lab::contract::{Section, Volume};
use countersign_vm::lab::disk;

use crate::support::{
    BY_HAND, CHEAP, CONTRACT, DATA_AT, DISK, Lab, MOUNTED, VOLUME, assert_open, assert_refused, by_hand,
    container, key_slots, long, opens, parted_container, passphrase, run, said, shown, volume,
};

/// Serial number of the SCSI disk that every boot sees.
const SCSI: &str = "scsi-disk";
/// Bytes of a header with its key slots, as cryptsetup makes it, and of one copy of its metadata.
const HEADER: u64 = 16 << 20;
const COPY: u64 = 16 << 10;
/// Where the data of the volume begins, and where a disk of [`DISK`] bytes has its second partition table.
const SEGMENT_AT: u64 = DATA_AT + HEADER;
const TAIL_AT: u64 = DISK - 33 * 512;
/// Bytes by which a disk grows.
const MORE: u64 = 256 << 20;
/// Bytes of the file that a boot's workload would have written.
const FILE: usize = 100_000;

/// After how many seconds reads fail; where the boot is then depends on the machine.
const UPS: [u32; 3] = [1, 2, 3];

/// A place of the disk: where it begins, its bytes.
type Place = (u64, u64);

const ALL: Place = (0, DISK);
const TABLE: Place = (0, 1 << 20);
const TAIL: Place = (TAIL_AT, DISK - TAIL_AT);
const PRIMARY: Place = (DATA_AT, COPY);
const SECONDARY: Place = (DATA_AT + COPY, COPY);
const BOTH: Place = (DATA_AT, 2 * COPY);
const KEY_SLOTS: Place = (DATA_AT + 2 * COPY, HEADER - 2 * COPY);
const SUPERBLOCK: Place = (SEGMENT_AT, 4096);
/// More than the boot itself reads of a file system.
const PROBED: u64 = 128 << 10;
const SEGMENT: Place = (SEGMENT_AT, TAIL_AT - SEGMENT_AT);

fn error((at, length): Place) -> Stretch {
    Stretch { at, length, fault: Fault::Error }
}

/// Down from the start; without features nothing goes through.
fn down((at, length): Place, features: &[&str]) -> Stretch {
    let features = features.iter().map(|&feature| feature.to_owned()).collect();
    Stretch { at, length, fault: Fault::Flakey { up: 0, down: 1, features } }
}

fn no_writes(place: Place) -> Stretch {
    down(place, &["error_writes"])
}

fn lies(place: Place) -> Stretch {
    down(place, &["drop_writes"])
}

/// The first byte of each read there is another one.
fn altered(place: Place) -> Stretch {
    down(place, &["corrupt_bio_byte", "1", "r", "0", "0"])
}

fn attach(disk: &str, faults: impl IntoIterator<Item = Stretch>) -> Act {
    Act::Attach { serial: SCSI.into(), disk: disk.into(), faults: faults.into_iter().collect() }
}

fn look() -> Vec<Act> {
    vec![Act::Look { folder: format!("{MOUNTED}/files") }]
}

fn write() -> Vec<Act> {
    vec![Act::Write { path: format!("{MOUNTED}/files/first"), length: FILE }]
}

/// A boot of a contract that sees a disk with faults.
fn case(
    name: &str,
    contract: &str,
    disk: &str,
    faults: impl IntoIterator<Item = Stretch>,
    after: Vec<Act>,
) -> Case {
    let boot = shown(contract, &[(SCSI, VOLUME)]);
    Case { name: name.into(), before: vec![attach(disk, faults)], boot, after }
}

/// A volume made by hand, attached.
fn made(lab: &mut Lab, name: &str) -> std::path::PathBuf {
    let image = disk::create(&lab.folder().join(name), DISK).unwrap();
    parted_container(&image, &CHEAP, &passphrase(&volume(VOLUME)));
    lab.attach(Drive::writable(&image, name));
    image
}

/// Puts a file system with a file into a volume made by hand.
fn fill(lab: &mut Lab, name: &str) {
    let before = by_hand(name, "2", &passphrase(&volume(VOLUME)));
    lab.case(Case { name: name.into(), before, ..Case::default() });
}

fn of<'a>(answers: &'a [Answer], name: &str) -> &'a Answer {
    answers.iter().find(|answer| answer.name == name).unwrap_or_else(|| panic!("no {name}"))
}

/// The boot ended at `unlock` with a code and a sentence.
fn assert_failed(answer: &Answer, code: &str, sentence: &str) {
    let ended = (answer.stage.as_deref(), answer.code.as_deref());
    assert_eq!(ended, (Some("unlock"), Some(code)), "{answer:#?}");
    assert!(said(answer, sentence), "no \"{sentence}\" in {answer:#?}");
}

/// The volume is open and the file of this name whole.
fn assert_whole(answer: &Answer, file: &str, length: usize) {
    assert_open(answer);
    assert_eq!((answer.files.get(file), &answer.broken[..]), (Some(&length), &[][..]), "{answer:#?}");
}

#[test]
fn reads_that_fail_change_nothing() {
    let mut lab = Lab::new("failing-reads");
    lab.contract(&volume(VOLUME));
    let refused = made(&mut lab, "refused");
    let blank = lab.disk("blank", DISK);
    made(&mut lab, "made");
    fill(&mut lab, "made");
    let rows = [
        ("first header", "refused", error(PRIMARY), "HPL07108E", "read disk /dev/sd"),
        ("second header", "refused", error(SECONDARY), "HPL07108E", "volume data: read disk /dev/mapper/sd"),
        ("both headers", "refused", error(BOTH), "HPL07108E", "read disk /dev/sd"),
        ("key slots", "refused", error(KEY_SLOTS), "HPL07108E", "volume data: read disk /dev/mapper/sd"),
        ("partition table", "refused", error(TABLE), "HPL07108E", "read disk /dev/sd"),
        ("header of a disk that is down", "refused", down(BOTH, &[]), "HPL07108E", "read disk /dev/sd"),
        ("disk that is down", "refused", down(ALL, &["error_reads"]), "HPL07108E", "read disk /dev/sd"),
        (
            "altered key slots",
            "refused",
            altered(KEY_SLOTS),
            "HPL02003E",
            "volume data: expected the seeds that it was made with",
        ),
        ("blank disk that is down", "blank", down(ALL, &[]), "HPL07108E", "read disk /dev/sd"),
        ("end of a blank disk", "blank", error(TAIL), "HPL07108E", "read disk /dev/sd"),
        ("middle of a blank disk", "blank", error(PRIMARY), "HPL07108E", "read disk /dev/sd"),
    ];
    for (name, disk, fault, ..) in &rows {
        lab.case(case(name, CONTRACT, disk, [fault.clone()], Vec::new()));
    }
    for (name, faults, after) in [
        ("no fault", vec![], look()),
        ("end of the table", vec![error(TAIL)], look()),
        ("superblock", vec![error(SUPERBLOCK)], vec![]),
        ("file system", vec![error((SEGMENT.0 + PROBED, SEGMENT.1 - PROBED))], vec![]),
        ("altered header", vec![altered(PRIMARY)], vec![]),
        ("sound again", vec![], look()),
    ] {
        lab.case(case(name, CONTRACT, "made", faults, after));
    }
    for up in UPS {
        let (at, length) = ALL;
        let fault = Fault::Flakey { up, down: 600, features: vec!["error_reads".into()] };
        let stretch = Stretch { at, length, fault };
        lab.case(case(&format!("down after {up} s"), CONTRACT, "made", [stretch], vec![]));
    }
    lab.case(case("up again", CONTRACT, "made", [], look()));
    let before = [&refused, &blank].map(|image| disk::fingerprint(image).unwrap());

    let answers = lab.boot();

    for (name, _, _, code, sentence) in rows {
        let answer = of(&answers, name);
        assert_refused(answer, code, sentence);
        let derived = if code == "HPL02003E" { 2 } else { 0 };
        assert_eq!((answer.derivations, answer.formats), (derived, 0), "{answer:#?}");
    }
    for (image, before) in [&refused, &blank].into_iter().zip(before) {
        assert_eq!(disk::fingerprint(image).unwrap(), before, "{} was written", image.display());
    }
    for name in ["no fault", "end of the table", "sound again", "up again"] {
        let answer = of(&answers, name);
        assert_whole(answer, "by-hand", BY_HAND);
        assert_eq!((answer.derivations, answer.formats), (1, 0), "{answer:#?}");
    }
    // Behind the opening: what is mapped then is taken down by failure mode, which is not the stage's.
    for (name, code, sentence) in [
        ("superblock", "HPL07108E", "volume data: read disk /dev/mapper/volume-data"),
        ("file system", "HPL02007E", "volume data: mount"),
    ] {
        let answer = of(&answers, name);
        assert_failed(answer, code, sentence);
        assert_eq!((answer.derivations, answer.formats), (1, 0), "{answer:#?}");
        assert_eq!(answer.mapped, [format!("volume-{VOLUME}")], "{answer:#?}");
        assert_eq!(answer.written[SCSI], 0, "{answer:#?}");
    }
    // The second copy opens the volume; the first is written anew and does not read as it was written.
    let answer = of(&answers, "altered header");
    assert_failed(answer, "HPL07113E", "volume data: write disk /dev/mapper/sd");
    assert!(said(answer, "expected the disk to keep what it took"), "{answer:#?}");
    assert!(said(answer, "HPL07110W"), "{answer:#?}");
    for up in UPS {
        let answer = of(&answers, &format!("down after {up} s"));
        assert_eq!(answer.formats, 0, "{answer:#?}");
        match answer.code.as_deref() {
            None => assert_open(answer),
            Some("HPL07108E" | "HPL02007E" | "HPL07125E") => {}
            Some(_) => panic!("{answer:#?}"),
        }
        // Before the opening nothing is written.
        assert!(!answer.mapped.is_empty() || answer.written[SCSI] == 0, "{answer:#?}");
    }
}

#[test]
fn a_volume_is_made_once_the_disk_takes_writes() {
    let mut lab = Lab::new("failing-format");
    lab.contract(&volume(VOLUME));
    let header = (DATA_AT + 4096, HEADER - 4096);
    let keep = "expected the disk to keep what it took";
    // Disk, fault, code, sentence, how many headers were made.
    let rows = [
        ("writes", "first sector", no_writes((0, 4096)), "HPL07003E", "write disk /dev/sd", 0),
        ("writes", "second table", no_writes(TAIL), "HPL07003E", "partition disk /dev/sd", 0),
        ("writes", "metadata", no_writes((1 << 20, 1 << 20)), "HPL07003E", "mke2fs", 0),
        ("writes", "file system", no_writes(SEGMENT), "HPL02005E", "mke2fs", 1),
        ("writes", "header", no_writes(header), "HPL02002E", "write disk /dev/mapper/sd", 1),
        ("lies", "all is dropped", lies(ALL), "HPL07003E", keep, 0),
        ("lies", "the file system is dropped", lies(SEGMENT), "HPL02007E", "volume data: mount", 1),
        ("lies", "the header is dropped", lies(header), "HPL02002E", keep, 1),
    ];
    for disk in ["writes", "lies"] {
        lab.disk(disk, DISK);
        for (_, name, fault, ..) in rows.iter().filter(|row| row.0 == disk) {
            lab.case(case(name, CONTRACT, disk, [fault.clone()], Vec::new()));
        }
        lab.case(case(&format!("{disk}: made"), CONTRACT, disk, [], write()));
        lab.case(case(&format!("{disk}: again"), CONTRACT, disk, [], look()));
    }

    let answers = lab.boot();

    for (_, name, _, code, sentence, formats) in rows {
        let answer = of(&answers, name);
        assert_failed(answer, code, sentence);
        assert_eq!((answer.derivations, answer.formats), (0, formats), "{answer:#?}");
        // Behind the opening of the container, as above.
        assert_eq!(answer.mapped.len(), formats as usize, "{answer:#?}");
    }
    for disk in ["writes", "lies"] {
        let (made, again) = (of(&answers, &format!("{disk}: made")), of(&answers, &format!("{disk}: again")));
        assert_open(made);
        assert_eq!((made.derivations, made.formats), (0, 1), "{made:#?}");
        assert_whole(again, "first", FILE);
        assert_eq!((again.derivations, again.formats), (1, 0), "{again:#?}");
    }
}

/// The seeds that both parties change to.
fn new_seeds() -> Volume {
    Volume {
        workload_seed: "another-seed-of-the-workload".into(),
        env_seed: "another-seed-of-the-deployer".into(),
        ..volume(VOLUME)
    }
}

#[test]
fn changes_wait_for_a_disk_that_takes_writes() {
    if !long() {
        return;
    }
    let mut lab = Lab::new("failing-changes");
    let (old, new) = (volume(VOLUME), new_seeds());
    lab.contract(&old);
    let previous = |seed: &str| format!("    previousSeed: \"{seed}\"\n    seed: ");
    let edits = [
        (Section::Workload, "    seed: ", &*previous(&old.workload_seed)),
        (Section::Env, "    seed: ", &previous(&old.env_seed)),
    ];
    lab.deliver("change", &[(VOLUME, &new)], &edits);
    let images = ["writes", "lies", "lost"].map(|name| made(&mut lab, name));
    for name in ["grows", "marked"] {
        let image = made(&mut lab, name);
        File::options().write(true).open(&image).unwrap().set_len(DISK + MORE).unwrap();
    }
    for name in ["writes", "lies", "lost", "grows", "marked"] {
        fill(&mut lab, name);
    }

    let writing = "volume data: write disk /dev/mapper/sd";
    let parting = "volume data: write disk /dev/sd";
    let rows = [
        ("writes", "change", "key slots", no_writes(KEY_SLOTS), "HPL07112E", writing),
        ("writes", "change", "first header", no_writes(PRIMARY), "HPL07112E", writing),
        ("lies", "change", "all is dropped", lies(ALL), "HPL07112E", writing),
        ("lies", "change", "key slots are dropped", lies(KEY_SLOTS), "HPL07112E", writing),
        ("lies", "change", "headers are dropped", lies(BOTH), "HPL07112E", writing),
        ("grows", CONTRACT, "table", no_writes(TABLE), "HPL07004E", parting),
        ("grows", CONTRACT, "table is dropped", lies(TABLE), "HPL07004E", parting),
        (
            "marked",
            CONTRACT,
            "file system",
            no_writes((DISK, MORE - (1 << 20))),
            "HPL02006E",
            "volume data: grow file system",
        ),
    ];
    lab.case(case("gets a record", CONTRACT, "lies", [], look()));
    for (disk, contract, name, fault, ..) in &rows {
        lab.case(case(name, contract, disk, [fault.clone()], Vec::new()));
    }
    for disk in ["writes", "lies"] {
        lab.case(case(&format!("{disk}: changed"), "change", disk, [], look()));
        lab.case(case(&format!("{disk}: changed, again"), "change", disk, [], look()));
    }
    lab.case(case("grown", CONTRACT, "grows", [], look()));
    lab.case(case("grown, again", CONTRACT, "grows", [], look()));
    lab.case(case("marked, next", CONTRACT, "marked", [], look()));
    // What the file system writes is dropped, the header is not: the disk has the new one, and a record that does not
    // know it.
    lab.case(case("lost: gets a record", CONTRACT, "lost", [], look()));
    lab.case(case("lost: changed", "change", "lost", [lies(SEGMENT)], look()));
    lab.case(case("lost: next", "change", "lost", [], Vec::new()));
    let rescue = vec![
        run(&["/lab/cryptsetup", "open", "--key-file", "-", "{disk:lost}2", "hand"], &passphrase(&new)),
        run(&["/lab/busybox", "mount", "-t", "ext4", "/dev/mapper/hand", "/mnt/hand"], ""),
        Act::Look { folder: "/mnt/hand/files".into() },
    ];
    lab.case(Case { name: "lost: by hand".into(), before: rescue, ..Case::default() });

    let answers = lab.boot();

    for (_, contract, name, _, code, sentence) in rows {
        let answer = of(&answers, name);
        assert_failed(answer, code, sentence);
        // Before the seeds that open it come both orders of the new ones.
        let derived = if contract == CONTRACT { 1 } else { 3 };
        assert_eq!((answer.derivations, answer.formats), (derived, 0), "{answer:#?}");
        // A volume is taken down before its table is written.
        assert_eq!(answer.mapped.is_empty(), code == "HPL07004E", "{answer:#?}");
        let lied = name.contains("dropped");
        assert_eq!(said(answer, "expected the disk to keep what it took"), lied, "{answer:#?}");
    }
    for (name, code) in
        [("writes: changed", "HPL07111I"), ("lies: changed", "HPL07111I"), ("grown", "HPL07130I")]
    {
        let (done, again) = (of(&answers, name), of(&answers, &format!("{name}, again")));
        for answer in [done, again] {
            assert_whole(answer, "by-hand", BY_HAND);
        }
        assert_eq!((again.derivations, said(again, code)), (1, false), "{again:#?}");
        // Of a change whose first header was not written the second one is there, and was found by the next boot.
        assert!(said(done, code) != (name == "writes: changed"), "{done:#?}");
    }
    // ext4 remembers that its journal could not be written, and does not grow until somebody has looked at it.
    let marked = of(&answers, "marked, next");
    assert_whole(marked, "by-hand", BY_HAND);
    assert!(said(marked, "HPL07131W") && !said(marked, "HPL07130I"), "{marked:#?}");
    assert!(said(of(&answers, "lost: changed"), "HPL07111I"));
    assert_failed(of(&answers, "lost: next"), "HPL07123E", "the volume's record names");
    assert_eq!(of(&answers, "lost: by hand").files.get("by-hand"), Some(&BY_HAND));
    for image in &images {
        assert_changed(image);
    }
}

/// cryptsetup on its own: one key slot, for the new passphrase and not for the old one.
fn assert_changed(image: &Path) {
    let container = container(image);
    assert!(opens(&container, &passphrase(&new_seeds())), "{}", image.display());
    assert!(!opens(&container, &passphrase(&volume(VOLUME))), "{}", image.display());
    assert_eq!(key_slots(&container).len(), 1, "{}", image.display());
}
