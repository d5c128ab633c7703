//! Interop: what the cryptsetup program made, with the documented passphrase on a disk parted by hand, opens here.

use countersign_tests::lab::{Act, Boot, Case};
use countersign_vm::arguments::Drive;
use countersign_vm::lab::disk;

use crate::support::{CHEAP, DISK, Lab, parted_container, passphrase, run, volume};

/// A file system with a file, put by hand into the container on a device; the file is made by `Act::Write`.
fn filled(serial: &str, part: &str, passphrase: &str) -> Vec<Act> {
    vec![
        run(
            &["/lab/cryptsetup", "open", "--key-file", "-", &format!("{{disk:{serial}}}{part}"), "hand"],
            passphrase,
        ),
        run(&["/usr/sbin/mke2fs", "-q", "-t", "ext4", "/dev/mapper/hand"], ""),
        run(&["/lab/busybox", "mkdir", "-p", "/mnt/hand"], ""),
        run(&["/lab/busybox", "mount", "-t", "ext4", "/dev/mapper/hand", "/mnt/hand"], ""),
        Act::Write { path: "/mnt/hand/files/by-hand".into(), length: 200_000 },
        run(&["/lab/busybox", "umount", "/mnt/hand"], ""),
        run(&["/lab/cryptsetup", "close", "hand"], ""),
    ]
}

/// Two volumes in one contract: each has its own disk and mount, and the boots after find them again.
#[test]
fn two_volumes_keep_apart() {
    let mut lab = Lab::new("two-volumes");
    let (one, two) = (volume("one"), volume("two"));
    lab.deliver("contract", &[("one", &one), ("two", &two)], &[]);
    let shown = || {
        let disks = [("disk-one", "one"), ("disk-two", "two")];
        let disks = disks.map(|(serial, called)| (serial.to_owned(), called.to_owned())).to_vec();
        Some(Boot { contract: "contract".into(), disks })
    };
    for (serial, volume) in [("disk-one", &one), ("disk-two", &two)] {
        let image = disk::create(&lab.folder().join(serial), DISK).unwrap();
        parted_container(&image, &CHEAP, &passphrase(volume));
        lab.attach(Drive::writable(image, serial));
    }
    let mut before = filled("disk-one", "2", &passphrase(&one));
    before.extend(filled("disk-two", "2", &passphrase(&two)));
    let after = vec![
        Act::Write { path: "{volume}/one/files/first".into(), length: 10 },
        Act::Look { folder: "{volume}/two/files".into() },
    ];
    lab.case(Case { name: "both".into(), before, boot: shown(), after });
    let answer = &lab.boot()[0];
    assert_eq!(answer.mapped, ["volume-one", "volume-two"], "{answer:#?}");
    assert_eq!(answer.files.keys().collect::<Vec<_>>(), ["by-hand"], "{answer:#?}");
}
