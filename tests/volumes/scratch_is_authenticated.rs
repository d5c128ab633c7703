//! Scratch space on a disk whose host alters it while the guest runs: what was altered, or put back, is an error to whoever
//! reads it, and never other data. Until then the kernel has no error to tell: nothing is read that was not written.

use std::cell::Cell;
use std::collections::BTreeSet;
use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::Path;

use countersign_tests::lab::{Act, Answer, Case, WAITS};
use countersign_vm::arguments::Drive;
use countersign_vm::lab::disk;

use crate::support::{Lab, long, run};

/// Where it is mounted.
const AT: &str = "/mnt/scratch";
/// Bytes of each file.
const FILE: usize = 1 << 20;
/// Bytes of the disk: more than one group of the file system.
const DISK: u64 = 256 << 20;
/// Bytes of the disk that is measured, as large as that of the boots.
const LARGE: u64 = 2 << 30;
/// The unit in which tags are kept.
const SECTOR: usize = 4096;
/// Sectors in a row that only a file can have changed.
const RUN: usize = FILE / SECTOR / 2;

fn write(name: &str) -> Act {
    Act::Write { path: format!("{AT}/files/{name}"), length: FILE }
}

fn look() -> Act {
    Act::Look { folder: format!("{AT}/files") }
}

fn scratch(plain: bool) -> Act {
    Act::Scratch { disk: "scratch".into(), at: AT.into(), plain }
}

/// What is read next comes from the disk.
fn forget_what_was_read() -> Act {
    run(&["/lab/busybox", "sh", "-c", "sync; echo 3 >/proc/sys/vm/drop_caches"], "")
}

/// What the kernel's log holds about integrity.
fn complaints() -> Act {
    run(&["/lab/busybox", "sh", "-c", "dmesg | grep -iE 'integrity|i/o error|ext4-fs error' | cat"], "")
}

fn wait_for(serial: &str) -> Act {
    Act::Await { disk: serial.into() }
}

#[test]
fn what_the_host_altered_or_put_back_is_an_error() {
    let mut lab = Lab::new("scratch");
    let image = lab.disk("scratch", DISK);
    let signal = |name: &str| disk::create(&lab.folder().join(name), 1 << 20).unwrap();
    let signals = [signal("kept"), signal("altered")];
    let rewrite =
        format!("/lab/busybox dd if=/dev/zero of={AT}/files/rewritten bs={FILE} count=1 conv=notrunc,fsync");
    let after = vec![
        scratch(false),
        write("rewritten"),
        write("left"),
        forget_what_was_read(),
        look(),
        wait_for("kept"),
        write("scrambled"),
        run(&["/lab/busybox", "sh", "-c", &rewrite], ""),
        forget_what_was_read(),
        complaints(),
        wait_for("altered"),
        look(),
        complaints(),
    ];
    lab.case(Case { name: "altered".into(), before: after, ..Case::default() });

    let before = Cell::new(Vec::new());
    let answers = lab.boot_with(|guest, line| match line.strip_prefix(WAITS) {
        Some("kept") => {
            before.set(std::fs::read(&image).unwrap());
            guest.attach(&Drive::writable(&signals[0], "kept")).unwrap();
        }
        Some("altered") => {
            alter(&image, &before.take());
            guest.attach(&Drive::writable(&signals[1], "altered")).unwrap();
        }
        _ => {}
    });

    let Answer { files, unreadable, output, .. } = &answers[0];
    assert_eq!(
        files.keys().collect::<Vec<_>>(),
        ["left", "rewritten"],
        "both were well at first: {answers:#?}"
    );
    let unreadable: BTreeSet<&str> = unreadable.iter().map(String::as_str).collect();
    assert_eq!(unreadable, ["rewritten", "scrambled"].into(), "{answers:#?}");
    let [.., before, behind] = &output[..] else { panic!("{answers:#?}") };
    // The kernel names the devices when it makes them; it has no failed sector to tell.
    assert!(!before.contains("failed") && !before.contains("error"), "{before}");
    assert!(behind.contains("Checksum failed at sector"), "{behind}");
}

/// Seconds to make it, and for a file of 48 MiB, three rounds that take turns; for the table in `qemu/README.md`.
#[test]
fn what_it_costs() {
    if !long() {
        return;
    }
    let mut lab = Lab::new("scratch-costs");
    lab.disk("scratch", LARGE);
    let shell = |script: &str| run(&["/lab/busybox", "sh", "-c", script], "");
    let uptime = || shell("cut -d' ' -f1 /proc/uptime");
    let kinds = [
        ("plain", scratch(true)),
        ("authenticated", scratch(false)),
        ("memory", shell(&format!("mkdir -p {AT}; mount -t tmpfs scratch {AT}"))),
    ];
    for round in 1..=3 {
        for (name, opened) in &kinds {
            let write = shell(&format!("dd if=/dev/zero of={AT}/big bs=1M count=48 conv=fsync"));
            let read = shell(&format!("dd if={AT}/big of=/dev/null bs=1M"));
            let before = vec![
                uptime(),
                opened.clone(),
                uptime(),
                write,
                uptime(),
                forget_what_was_read(),
                uptime(),
                read,
                uptime(),
            ];
            lab.case(Case { name: format!("{name}, round {round}"), before, ..Case::default() });
        }
    }
    for answer in lab.boot() {
        let times: Vec<f64> = answer.output.iter().filter_map(|text| text.trim().parse().ok()).collect();
        let [start, made, written, forgotten, end] = times[..] else { panic!("{answer:#?}") };
        let (made, written, read) = (made - start, written - made, end - forgotten);
        println!("{}: made in {made:.2} s, write {written:.2} s, read {read:.2} s", answer.name);
    }
}

/// As the host: of the file that is new a bit is flipped, of the one that was written again a sector is as it was before.
fn alter(image: &Path, before: &[u8]) {
    let now = std::fs::read(image).unwrap();
    let file = File::options().write(true).open(image).unwrap();
    let sector = |bytes: &[u8], number: usize| bytes[number * SECTOR..(number + 1) * SECTOR].to_vec();
    let differs = |number: &usize| sector(before, *number) != sector(&now, *number);
    let (mut start, mut new, mut again) = (0, 0, 0);
    for number in 0..=now.len() / SECTOR {
        if number < now.len() / SECTOR && differs(&number) {
            continue;
        }
        if number - start >= RUN {
            let middle = (start + number) / 2;
            let old = sector(before, middle);
            let bytes = if old.iter().all(|byte| *byte == 0) {
                new += 1;
                let mut altered = sector(&now, middle);
                altered[100] ^= 1;
                altered
            } else {
                again += 1;
                old
            };
            file.write_all_at(&bytes, (middle * SECTOR) as u64).unwrap();
        }
        start = number + 1;
    }
    assert!(new > 0 && again > 0, "{new} stretches of a new file, {again} of a rewritten one");
}
