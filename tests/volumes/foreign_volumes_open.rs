//! Interop: what the cryptsetup program made opens here, and what is made here opens with cryptsetup alone, by the
//! documented passphrase.

use countersign_tests::lab::{Act, Case};
use countersign_vm::arguments::Drive;
use countersign_vm::lab::contract::Volume;
use countersign_vm::lab::disk;

use crate::support::{
    ARGON2ID, BY_HAND, CHEAP, CONTRACT, DISK, Lab, MOUNTED, VOLUME, assert_open, boot, by_hand, container,
    cryptsetup, opens, parted_container, passphrase, run, shown, volume,
};

fn look() -> Vec<Act> {
    vec![Act::Look { folder: format!("{MOUNTED}/files") }]
}

#[test]
fn volumes_made_by_cryptsetup_open() {
    let mut lab = Lab::new("made-by-cryptsetup");
    let data = volume(VOLUME);
    lab.contract(&data);
    let documented = passphrase(&data);
    let swapped =
        Volume { workload_seed: data.env_seed.clone(), env_seed: data.workload_seed.clone(), ..data.clone() };
    // (disk, where the container is, passphrase, cryptsetup's arguments; none for LUKS1)
    let rows: [(&str, &str, String, Option<&[&str]>); 5] = [
        ("parted-argon2id", "2", documented.clone(), Some(&ARGON2ID)),
        ("parted-pbkdf2", "2", documented.clone(), Some(&CHEAP)),
        ("parted-swapped", "2", passphrase(&swapped), Some(&CHEAP)),
        ("whole-luks2", "", documented.clone(), Some(&CHEAP)),
        ("whole-luks1", "", documented, None),
    ];
    for (serial, part, passphrase, words) in &rows {
        let image = lab.disk(serial, DISK);
        match (*part, words) {
            ("2", Some(words)) => parted_container(&image, words, passphrase),
            (_, Some(words)) => {
                cryptsetup(&[&["luksFormat", "--type", "luks2"], *words].concat(), &image, passphrase);
            }
            _ => {
                let words = [
                    "luksFormat",
                    "--type",
                    "luks1",
                    "--key-size",
                    "512",
                    "--pbkdf-force-iterations",
                    "1000",
                ];
                cryptsetup(&words, &image, passphrase);
            }
        }
        let before = by_hand(serial, part, passphrase);
        lab.case(Case { name: (*serial).into(), before, boot: boot(serial), after: look() });
    }
    for answer in lab.boot() {
        assert_open(&answer);
        assert_eq!(answer.files.get("by-hand"), Some(&BY_HAND), "{answer:#?}");
        let swapped = answer.lines.iter().any(|line| line.contains("HPL07109W"));
        assert_eq!(swapped, answer.name == "parted-swapped", "{answer:#?}");
    }
}

#[test]
fn a_volume_made_here_opens_with_cryptsetup_alone() {
    let mut lab = Lab::new("made-here");
    let data = volume(VOLUME);
    lab.contract(&data);
    let image = lab.disk("new", DISK);
    let write = Act::Write { path: format!("{MOUNTED}/files/ours"), length: 200_000 };
    lab.case(Case { name: "made".into(), boot: boot("new"), after: vec![write], ..Case::default() });
    let before = vec![
        run(&["/lab/cryptsetup", "open", "--key-file", "-", "{disk:new}2", "hand"], &passphrase(&data)),
        run(&["/lab/busybox", "mkdir", "-p", "/mnt/hand"], ""),
        run(&["/lab/busybox", "mount", "-t", "ext4", "/dev/mapper/hand", "/mnt/hand"], ""),
        Act::Look { folder: "/mnt/hand/files".into() },
    ];
    lab.case(Case { name: "by cryptsetup".into(), before, ..Case::default() });
    lab.case(Case { name: "again".into(), boot: boot("new"), after: look(), ..Case::default() });
    let answers = lab.boot();
    let [made, by_hand, again] = &answers[..] else { panic!("{answers:#?}") };
    assert_open(made);
    assert_eq!((made.formats, made.derivations), (1, 0), "{made:#?}");
    assert_eq!(by_hand.files.get("ours"), Some(&200_000), "{by_hand:#?}");
    assert_open(again);
    assert_eq!((again.formats, again.files.get("ours")), (0, Some(&200_000)), "{again:#?}");

    // And on this machine, where nothing of ours is: the header alone, by the documented passphrase.
    assert!(opens(&container(&image), &passphrase(&data)));
}

/// Two volumes in one contract: each has its own disk and mount, and the boots after find them again.
#[test]
fn two_volumes_keep_apart() {
    let mut lab = Lab::new("two-volumes");
    let (one, two) = (volume("one"), volume("two"));
    lab.deliver(CONTRACT, &[("one", &one), ("two", &two)], &[]);
    for (serial, volume) in [("disk-one", &one), ("disk-two", &two)] {
        let image = disk::create(&lab.folder().join(serial), DISK).unwrap();
        parted_container(&image, &CHEAP, &passphrase(volume));
        lab.attach(Drive::writable(image, serial));
    }
    let mut before = by_hand("disk-one", "2", &passphrase(&one));
    before.extend(by_hand("disk-two", "2", &passphrase(&two)));
    let after = vec![
        Act::Write { path: "{volume}/one/files/first".into(), length: 10 },
        Act::Look { folder: "{volume}/two/files".into() },
    ];
    lab.case(Case {
        name: "both".into(),
        before,
        boot: shown(CONTRACT, &[("disk-one", "one"), ("disk-two", "two")]),
        after,
    });
    let answer = &lab.boot()[0];
    assert_eq!(answer.mapped, ["volume-one", "volume-two"], "{answer:#?}");
    assert_eq!(answer.files.keys().collect::<Vec<_>>(), ["by-hand"], "{answer:#?}");
}
