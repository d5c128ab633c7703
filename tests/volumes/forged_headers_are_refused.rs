//! Every forged header of `luks2_mutants` on a real disk: refused, with its place, before a key is derived.
//!
//! Own volumes are judged by the profile for volumes made anywhere, so mutants that are legal elsewhere are left to the
//! native test. How long a refusal takes is printed, not judged: the machine may be busy.

use std::os::unix::fs::FileExt;

use countersign_tests::lab::{Act, Case};
use countersign_tests::luks2_mutants::mutants;
use countersign_vm::arguments::Drive;
use countersign_vm::lab::disk;

use crate::support::{Lab, VOLUME, assert_refused, boot, cryptsetup, passphrase, volume};

/// Bytes of the disk, and of the part of it that a mutant replaces.
const DEVICE: u64 = 64 << 20;

#[test]
fn forged_headers_are_refused() {
    let mut lab = Lab::new("forged-headers");
    let data = volume(VOLUME);
    lab.contract(&data);
    let good = lab.disk("good", DEVICE);
    let words = ["luksFormat", "--type", "luks2", "--key-size", "512"];
    let costs = countersign_tests::luks2_volumes::ARGON2ID;
    cryptsetup(&[&words[..], &costs[..]].concat(), &good, &passphrase(&data));
    let mut head = vec![0; 32 << 10];
    std::fs::File::open(&good).unwrap().read_exact_at(&mut head, 0).unwrap();

    let all: Vec<_> = mutants(&head, DEVICE).into_iter().filter(|mutant| !mutant.legal_elsewhere).collect();
    let room = all.iter().map(|mutant| mutant.head.len()).max().unwrap().next_multiple_of(4096);
    let material = disk::create(&lab.folder().join("material"), (room * (all.len() + 1)) as u64).unwrap();
    let file = std::fs::File::options().write(true).open(&material).unwrap();
    lab.attach(Drive::read_only(&material, "material"));
    let mut original = vec![0; room];
    std::fs::File::open(&good).unwrap().read_exact_at(&mut original, 0).unwrap();
    for (index, mutant) in all.iter().enumerate() {
        let mut start = original.clone();
        start[..mutant.head.len()].copy_from_slice(&mutant.head);
        file.write_all_at(&start, (index * room) as u64).unwrap();
        let from = ("material".to_owned(), (index * room) as u64);
        let put = Act::Copy { from, to: ("good".into(), 0), length: room as u64 };
        lab.case(Case {
            name: mutant.name.clone(),
            before: vec![put],
            boot: boot("good"),
            after: Vec::new(),
        });
    }
    // The good header last: it opens, so the mutants are refused for what was changed.
    file.write_all_at(&original, (all.len() * room) as u64).unwrap();
    let from = ("material".to_owned(), (all.len() * room) as u64);
    let put = Act::Copy { from, to: ("good".into(), 0), length: room as u64 };
    lab.case(Case { name: "good".into(), before: vec![put], boot: boot("good"), after: Vec::new() });
    let before = disk::fingerprint(&good).unwrap();

    let answers = lab.boot();

    let (last, answers) = answers.split_last().unwrap();
    // It holds no file system, so its end is the mount, behind the opening.
    assert_eq!((last.code.as_deref(), last.derivations), (Some("HPL02007E"), 1), "{last:#?}");
    let mut slowest = 0;
    for (mutant, answer) in all.iter().zip(answers) {
        // Without the magic number in front it is no volume at all. Which rule is named is the native test's matter.
        let luks = mutant.head.starts_with(b"LUKS\xba\xbe");
        assert_refused(answer, if luks { "HPL07107E" } else { "HPL07102E" }, "volume data: ");
        assert_eq!((answer.derivations, answer.formats), (0, 0), "{answer:#?}");
        slowest = slowest.max(answer.unlock_ms);
    }
    assert_eq!(disk::fingerprint(&good).unwrap(), before, "the disk was written");
    let sum: u64 = answers.iter().map(|answer| answer.unlock_ms).sum();
    println!(
        "{} forged headers refused: slowest {slowest} ms, mean {} ms",
        answers.len(),
        sum / answers.len() as u64
    );
}
