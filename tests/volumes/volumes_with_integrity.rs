//! Volumes with integrity: made here and by cryptsetup, read to the last sector, altered by the host, forged, and
//! held to what the contract says.

use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::process::Command;

use countersign_forgeries::luks2_integrity::integrity_mutants;
use countersign_forgeries::luks2_mutants::Outcome;
use countersign_tests::lab::{Act, Boot, Case};
use countersign_vm::arguments::Drive;
use countersign_vm::lab::disk;

use crate::support::{
    ARGON2ID, BY_HAND, CHEAP, DATA_AT, DISK, INTEGRITY, Lab, MOUNTED, VOLUME, assert_refused, boot, by_hand,
    cryptsetup, long, parted_container, passphrase, run, sample, volume,
};

/// The contract that asks for it; the lab's usual one does not.
const CONTRACT: &str = "integrity";
/// Bytes of the file whose sectors are altered.
const OURS: usize = 1 << 20;
/// Sectors in a row that only the file can have changed.
const RUN: usize = 256;
/// Bytes of a whole-disk volume.
const WHOLE: u64 = 64 << 20;
const SECTOR: usize = 512;
/// Bytes by which the disk grows.
const GROWTH: u64 = 64 << 20;

fn lab(name: &str) -> Lab {
    let mut lab = Lab::new(name);
    let data = volume(VOLUME);
    lab.contract(&data);
    lab.deliver(CONTRACT, &[(VOLUME, &data)], &[INTEGRITY]);
    lab
}

fn asked(serial: &str) -> Option<Boot> {
    boot(serial).map(|boot| Boot { contract: CONTRACT.into(), ..boot })
}

fn write(name: &str, length: usize) -> Act {
    Act::Write { path: format!("{MOUNTED}/files/{name}"), length }
}

fn look() -> Act {
    Act::Look { folder: format!("{MOUNTED}/files") }
}

/// Both devices, the upper one first.
fn assert_mapped(answer: &countersign_tests::lab::Answer) {
    assert_eq!(answer.code, None, "{answer:#?}");
    assert_eq!(answer.mapped, ["volume-data", "volume-data_dif"], "{answer:#?}");
}

#[test]
fn an_altered_sector_is_an_error_and_never_other_data() {
    if !long() {
        return;
    }
    let mut lab = lab("integrity");
    let image = lab.disk("new", DISK);
    let whole = ["/lab/busybox", "dd", "if=/dev/mapper/volume-data", "of=/dev/null", "bs=1M"];
    // Every sector can be read at once, those that nobody wrote to as well.
    let after = vec![run(&whole, ""), write("other", OURS)];
    lab.case(Case { name: "made".into(), boot: asked("new"), after, ..Case::default() });
    let answers = lab.boot();
    assert_mapped(&answers[0]);
    assert!(answers[0].lines.iter().any(|line| line.ends_with("once, for its integrity")), "{answers:#?}");
    println!("made in {} ms", answers[0].unlock_ms);

    // And with cryptsetup alone, on this machine and in the guest, by the documented passphrase.
    let documented = passphrase(&volume(VOLUME));
    let inside = image.with_extension("inside");
    copy_partition(&image, &inside);
    cryptsetup(&["open", "--test-passphrase"], &inside, &documented);
    let dump = Command::new("cryptsetup").arg("luksDump").arg(&inside).output().unwrap();
    let dump = String::from_utf8(dump.stdout).unwrap();
    assert!(dump.contains("integrity: hmac(sha256)"), "{dump}");

    let before = std::fs::read(&inside).unwrap();
    lab.case(Case {
        name: "again".into(),
        boot: asked("new"),
        after: vec![look(), write("ours", OURS)],
        ..Case::default()
    });
    let by_cryptsetup = vec![
        run(&["/lab/cryptsetup", "open", "--key-file", "-", "{disk:new}2", "hand"], &documented),
        run(&["/lab/busybox", "mkdir", "-p", "/mnt/hand"], ""),
        run(&["/lab/busybox", "mount", "-t", "ext4", "-o", "ro", "/dev/mapper/hand", "/mnt/hand"], ""),
        Act::Look { folder: "/mnt/hand/files".into() },
    ];
    lab.case(Case { name: "by cryptsetup".into(), before: by_cryptsetup, ..Case::default() });
    let answers = lab.boot();
    assert_mapped(&answers[0]);
    assert_eq!((answers[0].formats, answers[0].files.get("other")), (0, Some(&OURS)), "{answers:#?}");
    assert_eq!(answers[1].files.keys().collect::<Vec<_>>(), ["other", "ours"], "{answers:#?}");

    // The host alters one sector in the middle of each stretch that the file's writing has changed.
    copy_partition(&image, &inside);
    let altered = alter(&image, &before, &std::fs::read(&inside).unwrap());
    // And gives the disk more room, which a volume with integrity cannot take.
    File::options().write(true).open(&image).unwrap().set_len(DISK + GROWTH).unwrap();
    lab.case(Case { name: "altered".into(), boot: asked("new"), after: vec![look()], ..Case::default() });
    let answers = lab.boot();
    assert_mapped(&answers[0]);
    let left = answers[0].lines.iter().filter(|line| line.starts_with("HPL07131W: volume data: ")).count();
    assert_eq!(left, 1, "{answers:#?}");
    assert_eq!(answers[0].unreadable, ["ours"], "{answers:#?}");
    assert_eq!(answers[0].broken, ["ours"], "{answers:#?}");
    assert_eq!(answers[0].files.keys().collect::<Vec<_>>(), ["other"], "{answers:#?}");
    println!("{altered} sectors altered");
}

/// Copies the partition `data` to a file of its own.
fn copy_partition(image: &Path, inside: &Path) {
    let copied = Command::new("dd")
        .arg(format!("if={}", image.display()))
        .arg(format!("of={}", inside.display()))
        .args(["bs=1M", "conv=sparse", "status=none"])
        .arg(format!("skip={}", DATA_AT >> 20))
        .status()
        .unwrap();
    assert!(copied.success());
}

/// Flips a bit in the middle of every long run of sectors that differ; how many.
fn alter(image: &Path, before: &[u8], after: &[u8]) -> usize {
    let file = File::options().write(true).open(image).unwrap();
    let differs = |sector: &usize| {
        let at = sector * SECTOR;
        before[at..at + SECTOR] != after[at..at + SECTOR]
    };
    let (mut count, mut start) = (0, 0);
    let sectors = before.len().min(after.len()) / SECTOR;
    for sector in 0..=sectors {
        if sector < sectors && differs(&sector) {
            continue;
        }
        if sector - start >= RUN {
            let at = (start + sector) / 2 * SECTOR + 100;
            file.write_all_at(&[after[at] ^ 1], DATA_AT + at as u64).unwrap();
            count += 1;
        }
        start = sector + 1;
    }
    assert!(count > 0, "no stretch of the file was found");
    count
}

#[test]
fn a_volume_of_cryptsetup_opens_and_its_forged_headers_are_refused() {
    let mut lab = lab("forged-integrity");
    let data = volume(VOLUME);
    let image = lab.disk("hand", WHOLE);
    // The boot of a contract with integrity brings the kernel modules along.
    lab.disk("small", WHOLE);
    lab.case(Case { name: "modules".into(), boot: asked("small"), ..Case::default() });
    let format = ["/lab/cryptsetup", "luksFormat", "--batch-mode", "--type", "luks2", "--key-file", "-"];
    let format = [&format[..], &["--integrity", "hmac-sha256"], &ARGON2ID, &["{disk:hand}"]].concat();
    let mut before = vec![run(&format, &passphrase(&data))];
    before.extend(by_hand("hand", "", &passphrase(&data)));
    let after = vec![look()];
    lab.case(Case { name: "by hand".into(), before, boot: asked("hand"), after });
    // The contract that does not ask for it.
    lab.case(Case { name: "not asked for".into(), boot: boot("hand"), ..Case::default() });
    // And one that does, before a volume without.
    let plain = disk::create(&lab.folder().join("plain"), DISK).unwrap();
    parted_container(&plain, &CHEAP, &passphrase(&data));
    lab.attach(Drive::writable(&plain, "plain"));
    lab.case(Case { name: "not there".into(), boot: asked("plain"), ..Case::default() });
    let answers = lab.boot();
    assert_eq!(answers[0].code.as_deref(), Some("HPL07105E"), "{answers:#?}");
    assert_mapped(&answers[1]);
    assert_eq!(answers[1].files.get("by-hand"), Some(&BY_HAND), "{answers:#?}");
    for answer in &answers[2..] {
        assert_refused(answer, "HPL07126E", "segment-integrity: json /segments/0/integrity");
        assert_eq!((answer.derivations, answer.formats), (0, 0), "{answer:#?}");
    }

    let mut head = vec![0; 0x8000];
    File::open(&image).unwrap().read_exact_at(&mut head, 0).unwrap();
    let mutants = sample(integrity_mutants(&head));
    let material = disk::create(&lab.folder().join("material"), ((mutants.len() + 1) * head.len()) as u64);
    let material = material.unwrap();
    let file = File::options().write(true).open(&material).unwrap();
    lab.attach(Drive::read_only(&material, "material"));
    let forged = mutants.iter().map(|mutant| (mutant.name.as_str(), &mutant.head[..]));
    for (index, (name, bytes)) in forged.chain([("good", &head[..])]).enumerate() {
        let at = (index * head.len()) as u64;
        file.write_all_at(bytes, at).unwrap();
        let length = head.len() as u64;
        let put = Act::Copy { from: ("material".to_owned(), at), to: ("hand".into(), 0), length };
        lab.case(Case { name: name.into(), before: vec![put], boot: asked("hand"), after: Vec::new() });
    }
    let answers = lab.boot();
    let (good, answers) = answers.split_last().unwrap();
    assert_mapped(good);
    for (mutant, answer) in mutants.iter().zip(answers) {
        let Outcome::Refused(faults) = &mutant.outcome else { panic!("{mutant:?}") };
        let differs = faults.iter().any(|(id, _)| *id == "segment-integrity");
        assert_refused(answer, if differs { "HPL07126E" } else { "HPL07107E" }, "volume data: ");
        assert_eq!((answer.derivations, answer.formats), (0, 0), "{answer:#?}");
    }
    // What the good header's boot wrote, a record, lies inside; the header is as it was.
    let mut last = vec![0; head.len()];
    File::open(&image).unwrap().read_exact_at(&mut last, 0).unwrap();
    assert_eq!(last, head);
    println!("{} forged headers of a volume with integrity refused", mutants.len());
}
