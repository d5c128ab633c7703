//! Every forged header of `luks2_mutants` on a real disk: refused, with its place, before a key is derived. Where only
//! one of the two copies is forged, which a power cut leaves as well, the sound one opens and the forged one goes.
//!
//! `--long` takes all of them, a run one in twelve; the native test judges all.
//!
//! Own volumes are judged by the profile for volumes made anywhere, so mutants that are legal elsewhere are left to the
//! native test. How long a refusal takes is printed, not judged: the machine may be busy.

use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::Path;

use countersign_forgeries::luks2_mutants::{Mutant, Outcome, mutants};
use countersign_tests::lab::{Act, Case};
use countersign_vm::arguments::Drive;
use countersign_vm::lab::disk;

use crate::support::{
    CHEAP, Lab, VOLUME, assert_open, assert_refused, boot, cryptsetup, passphrase, run, sample, volume,
};

/// Bytes of the disk.
const DEVICE: u64 = 64 << 20;
/// Bytes of a header copy that cryptsetup makes.
const HEAD: usize = 32 << 10;

/// A whole-disk volume made by cryptsetup, attached as `good`; the start of it.
fn good(lab: &mut Lab, costs: &[&str]) -> (std::path::PathBuf, Vec<u8>) {
    let data = volume(VOLUME);
    lab.contract(&data);
    let image = lab.disk("good", DEVICE);
    cryptsetup(
        &[&["luksFormat", "--type", "luks2", "--key-size", "512"], costs].concat(),
        &image,
        &passphrase(&data),
    );
    let mut head = vec![0; HEAD];
    File::open(&image).unwrap().read_exact_at(&mut head, 0).unwrap();
    (image, head)
}

/// A case for each mutant and for the good header behind them: written over the start of the disk, then booted.
fn cases(lab: &mut Lab, image: &Path, all: &[Mutant]) {
    let room = all.iter().map(|mutant| mutant.head.len()).max().unwrap().next_multiple_of(4096);
    let material = disk::create(&lab.folder().join("material"), (room * (all.len() + 1)) as u64).unwrap();
    let file = File::options().write(true).open(&material).unwrap();
    lab.attach(Drive::read_only(&material, "material"));
    let mut original = vec![0; room];
    File::open(image).unwrap().read_exact_at(&mut original, 0).unwrap();
    let forged = all.iter().map(|mutant| (mutant.name.as_str(), &mutant.head[..]));
    for (index, (name, head)) in forged.chain([("good", &[][..])]).enumerate() {
        let mut start = original.clone();
        start[..head.len()].copy_from_slice(head);
        file.write_all_at(&start, (index * room) as u64).unwrap();
        let from = ("material".to_owned(), (index * room) as u64);
        let put = Act::Copy { from, to: ("good".into(), 0), length: room as u64 };
        lab.case(Case { name: name.into(), before: vec![put], boot: boot("good"), after: Vec::new() });
    }
}

#[test]
fn forged_headers_are_refused() {
    let mut lab = Lab::new("forged-headers");
    let (image, head) = good(&mut lab, &countersign_forgeries::luks2_volumes::ARGON2ID);
    let mut all = mutants(&head, DEVICE);
    all.retain(|mutant| matches!(mutant.outcome, Outcome::Refused(_)) && !mutant.legal_elsewhere);
    let all = sample(all);
    cases(&mut lab, &image, &all);
    let before = disk::fingerprint(&image).unwrap();

    let answers = lab.boot();

    let (last, answers) = answers.split_last().unwrap();
    // The good header opens, so the mutants are refused for what was changed. It holds no file system, so its end is
    // the mount, behind the opening.
    assert_eq!((last.code.as_deref(), last.derivations), (Some("HPL02100E"), 1), "{last:#?}");
    let mut slowest = 0;
    for (mutant, answer) in all.iter().zip(answers) {
        // Without a magic number at its place it is no volume at all. Which rule is named is the native test's matter.
        let luks =
            mutant.head.starts_with(b"LUKS\xba\xbe") || mutant.head[HEAD / 2..].starts_with(b"SKUL\xba\xbe");
        let Outcome::Refused(rules) = &mutant.outcome else { unreachable!("only these are kept") };
        let code = match luks {
            false => "HPL07102E",
            true if rules.iter().any(|(rule, _)| *rule == "segment-integrity") => "HPL07126E",
            true => "HPL07107E",
        };
        assert_refused(answer, code, "volume data: ");
        assert_eq!((answer.derivations, answer.formats), (0, 0), "{answer:#?}");
        slowest = slowest.max(answer.unlock_ms);
    }
    assert_eq!(disk::fingerprint(&image).unwrap(), before, "the disk was written");
    let sum: u64 = answers.iter().map(|answer| answer.unlock_ms).sum();
    println!(
        "{} forged headers refused: slowest {slowest} ms, mean {} ms",
        answers.len(),
        sum / answers.len() as u64
    );
}

#[test]
fn a_forged_copy_is_replaced_by_the_sound_one() {
    let mut lab = Lab::new("forged-copies");
    let (image, head) = good(&mut lab, &CHEAP);
    let filled = vec![
        run(
            &["/lab/cryptsetup", "open", "--key-file", "-", "{disk:good}", "hand"],
            &passphrase(&volume(VOLUME)),
        ),
        run(&["/usr/sbin/mke2fs", "-q", "-t", "ext4", "/dev/mapper/hand"], ""),
    ];
    lab.case(Case { name: "filled".into(), before: filled, ..Case::default() });
    let mut all = mutants(&head, DEVICE);
    all.retain(|mutant| matches!(mutant.outcome, Outcome::Interrupted(..)));
    let all = sample(all);
    cases(&mut lab, &image, &all);

    let answers = lab.boot();

    let told = |text: &str, lines: &[String]| lines.iter().any(|line| line.contains(text));
    let sequence = u64::from_be_bytes(head[16..24].try_into().unwrap());
    let newer = format!("copy: sequence {} ", sequence + 1);
    for (mutant, answer) in all.iter().zip(&answers[1..]) {
        assert_eq!(mutant.name, answer.name);
        // The first mutant to open gave the volume its record, which names the good header. A copy that says it is
        // newer is sound by itself, and is not that one.
        if mutant.name.contains(&newer) {
            assert_eq!(answer.code.as_deref(), Some("HPL07123E"), "{answer:#?}");
            // The record lies inside, so the volume was opened; taking it down is failure mode's, not the stage's.
            assert_eq!((answer.derivations, answer.formats), (1, 0), "{answer:#?}");
            continue;
        }
        assert_open(answer);
        assert!(told("HPL07110W", &answer.lines), "{answer:#?}");
        assert_eq!((answer.derivations, answer.formats), (1, 0), "{answer:#?}");
    }
    let last = &answers[answers.len() - 1];
    assert_open(last);
    assert!(!told("HPL07110W", &last.lines), "{last:#?}");
    println!("{} headers with one forged copy", all.len());
}
