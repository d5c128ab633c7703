//! Changing seeds (`previousSeed`), by either party and by both: the volume opens with the new passphrase alone, which
//! cryptsetup says of the image, and booting the contract again changes nothing. An older header that is put back is
//! noticed. A write that fails in between is made good at the next boot.

use std::path::Path;

use countersign_tests::lab::{Act, Answer, Boot, Case};
use countersign_vm::arguments::{Drive, Layer, Request};
use countersign_vm::lab::contract::{Section, Volume};
use countersign_vm::lab::disk;

use crate::support::{
    BY_HAND, CHEAP, DATA_AT, DISK, Lab, MOUNTED, VOLUME, assert_open, by_hand, container, key_slots, opens,
    parted_container, passphrase, said, shown, volume,
};

/// Bytes of a header with its key slots, as cryptsetup makes it.
const HEADER: u64 = 16 << 20;

/// The seeds that the volumes are made with.
fn old() -> Volume {
    volume(VOLUME)
}

/// The seeds that the parties change to.
fn new(deployer: bool, workload: bool) -> Volume {
    let mut volume = old();
    if deployer {
        volume.env_seed = "another-seed-of-the-deployer".into();
    }
    if workload {
        volume.workload_seed = "another-seed-of-the-workload".into();
    }
    volume
}

/// A contract with new seeds that names the previous ones where a party changes its own.
fn deliver(lab: &mut Lab, name: &str, new: &Volume) {
    let seed = |key: &str, seed: &str| format!("    {key}: \"{seed}\"\n");
    let parties = [
        (Section::Env, old().env_seed, &new.env_seed),
        (Section::Workload, old().workload_seed, &new.workload_seed),
    ];
    let edits: Vec<(Section, String, String)> = parties
        .into_iter()
        .filter(|(_, old, new)| old != *new)
        .map(|(section, old, new)| {
            let line = seed("seed", new);
            (section, line.clone(), line + &seed("previousSeed", &old))
        })
        .collect();
    let edits: Vec<(Section, &str, &str)> =
        edits.iter().map(|(section, from, to)| (*section, from.as_str(), to.as_str())).collect();
    lab.deliver(name, &[(VOLUME, new)], &edits);
}

fn boot(contract: &str, serial: &str) -> Option<Boot> {
    shown(contract, &[(serial, VOLUME)])
}

fn look() -> Vec<Act> {
    vec![Act::Look { folder: format!("{MOUNTED}/files") }]
}

/// The volume is open, its file whole; whether its seeds were changed, and how many passphrases were tried.
fn assert_opened(answer: &Answer, changed: bool, tried: u32) {
    assert_open(answer);
    assert_eq!(answer.files.get("by-hand"), Some(&BY_HAND), "{answer:#?}");
    assert_eq!(said(answer, "HPL07111I"), changed, "{answer:#?}");
    assert_eq!((answer.derivations, answer.formats), (tried, 0), "{answer:#?}");
}

#[test]
fn seeds_change_and_the_old_ones_open_no_more() {
    let mut lab = Lab::new("seeds");
    // Name of disk and contract, and the seeds that it changes to. A passphrase of such a volume costs an Argon2id, so
    // what is asked of one of them is not asked of all.
    let rows =
        [("by-deployer", new(true, false)), ("by-workload", new(false, true)), ("by-both", new(true, true))];
    let mut images = Vec::new();
    for (name, volume) in &rows {
        deliver(&mut lab, &format!("to-{name}"), volume);
        let image = disk::create(&lab.folder().join(name), DISK).unwrap();
        parted_container(&image, &CHEAP, &passphrase(&old()));
        lab.attach(Drive::writable(&image, *name));
        images.push((image, volume));
    }
    // Of this disk the first write to the first copy of the header fails: the second copy and the new key slot are
    // there by then.
    let broken = disk::create(&lab.folder().join("broken"), DISK).unwrap();
    parted_container(&broken, &CHEAP, &passphrase(&old()));
    let fault = Layer::Faulty { kind: Request::Write, sector: Some(DATA_AT / 512), once: true };
    lab.attach(Drive::writable(&broken, "broken").behind(fault));
    lab.deliver("before", &[(VOLUME, &old())], &[]);
    let kept = disk::create(&lab.folder().join("kept"), 2 * HEADER).unwrap();
    lab.attach(Drive::writable(kept, "kept"));
    let copy = |from: (&str, u64), to: (&str, u64)| Act::Copy {
        from: (from.0.to_owned(), from.1),
        to: (to.0.to_owned(), to.1),
        length: HEADER,
    };

    for (name, _) in &rows {
        let mut before = by_hand(name, "2", &passphrase(&old()));
        before.push(copy((name, DATA_AT), ("kept", 0)));
        let boot = boot(&format!("to-{name}"), name);
        lab.case(Case { name: (*name).into(), before, boot, after: look() });
    }
    let broken_before = by_hand("broken", "2", &passphrase(&old()));
    let cases = [
        ("again", vec![], boot("to-by-both", "by-both")),
        (
            "old header",
            vec![copy(("by-both", DATA_AT), ("kept", HEADER)), copy(("kept", 0), ("by-both", DATA_AT))],
            boot("before", "by-both"),
        ),
        ("new header", vec![copy(("kept", HEADER), ("by-both", DATA_AT))], None),
        ("broken", broken_before, boot("to-by-both", "broken")),
        ("mended", vec![], boot("to-by-both", "broken")),
    ];
    for (name, before, boot) in cases {
        let after = if boot.is_some() { look() } else { Vec::new() };
        lab.case(Case { name: name.into(), before, boot, after });
    }

    let answers = lab.boot();

    let (changed, rest) = answers.split_at(rows.len());
    for answer in changed {
        // Before the one that opens come both orders of the new seeds.
        assert_opened(answer, true, 3);
        assert!(said(answer, "HPL07120W"), "{answer:#?}");
    }
    let [again, old_header, _, broken_answer, mended] = rest else { panic!("{rest:#?}") };
    assert_opened(again, false, 1);
    assert!(!said(again, "HPL0712"), "{again:#?}");
    let refused = |answer: &Answer, code: &str, words: &str| {
        assert_eq!(answer.code.as_deref(), Some(code), "{answer:#?}");
        assert!(said(answer, words), "no \"{words}\" in {answer:#?}");
    };
    // The old passphrase opens the old header; that it is not the volume's any more only the record knows.
    refused(old_header, "HPL07123E", "volume data: expected the header that the volume's record names");
    assert_eq!(old_header.derivations, 1, "{old_header:#?}");
    refused(broken_answer, "HPL07112E", "volume data: write disk");
    assert_opened(mended, false, 1);
    assert!(said(mended, "HPL07110W"), "{mended:#?}");

    for (image, volume) in images {
        assert_changed(&image, &passphrase(volume));
    }
    assert_changed(&broken, &passphrase(&new(true, true)));
}

/// cryptsetup on its own: one key slot, for the new passphrase and not for the old one, and nothing left of the old
/// slot's material.
fn assert_changed(image: &Path, passphrase_now: &str) {
    let container = container(image);
    let name = image.display();
    assert!(opens(&container, passphrase_now), "{name}");
    assert!(!opens(&container, &passphrase(&old())), "{name}");
    let slots = key_slots(&container);
    let [(_, (at, length))] = &slots[..] else { panic!("{name}: {slots:?}") };
    let bytes = std::fs::read(&container).unwrap();
    // Both copies of the metadata have 16 KiB each.
    for (place, byte) in bytes[..HEADER as usize].iter().enumerate().skip(32 << 10) {
        let own = (*at..*at + *length).contains(&place);
        assert!(own || *byte == 0, "{name}: byte {place} outside of the key slot is not zero");
    }
}
