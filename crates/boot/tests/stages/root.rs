//! Stage `root`.

use std::io::Write;
use std::process::{Command, Stdio};

use countersign_boot::stage::Stage;
use countersign_contract::code::Code;
use countersign_rehearsal::{Facts, Rehearsal};

use crate::support::machine::{Boot, DATA, GIB, MIB, facts, insert, machine_with_good_volume, manifest};
use crate::support::{Contract, boot};

fn with_disks(facts: Facts, disks: &[(&str, &str)]) -> Rehearsal {
    let machine = Rehearsal::new(facts);
    insert(&machine, "/dev/vda", &Contract::good().medium().image);
    machine.attach(DATA, "data", GIB);
    for (path, serial) in disks {
        machine.attach(path, serial, GIB);
    }
    machine
}

#[test]
fn without_the_os_disk_there_is_no_guest() {
    let boot = boot(&with_disks(facts(), &[("/dev/vdc", "scratch")]));
    boot.assert_machine(Stage::Root, Code::RootImage, "expected");
    assert!(!boot.asked("open image") && !boot.asked("open scratch"), "{:?}", boot.asked);
}

/// A root hash whose bytes are all different, so that none can be taken for another.
const HASH: &str = "00112233445566778899aabbccddeeff102132435465768798a9bacbdcedfe0f";

/// An image's disk: a boot partition and the guest OS of this root hash, under a table of sfdisk's.
fn image_disk(hash: &str) -> Vec<u8> {
    let file = tempfile::NamedTempFile::new().unwrap();
    file.as_file().set_len(8 * MIB).unwrap();
    let mut guid = hash[..32].to_owned();
    for dash in [20, 16, 12, 8] {
        guid.insert(dash, '-');
    }
    let table = format!(
        "label: gpt\nstart=2048, size=4096, name=boot\nstart=6144, size=8192, name=os, uuid={guid}\n"
    );
    let mut sfdisk = Command::new("/usr/sbin/sfdisk");
    sfdisk.arg("--quiet").arg(file.path()).stdin(Stdio::piped());
    let mut child = sfdisk.spawn().unwrap();
    child.stdin.take().unwrap().write_all(table.as_bytes()).unwrap();
    assert!(child.wait().unwrap().success());
    std::fs::read(file.path()).unwrap()
}

/// A boot of the image with [`HASH`] from a machine with this disk and a blank one, both under these serial numbers.
fn from_one_disk(image: &[u8], serials: [&str; 2]) -> Boot {
    let manifest = manifest().replace(&"ab".repeat(32), HASH).into_bytes();
    let machine = Rehearsal::new(Facts { manifest, ..facts() });
    insert(&machine, "/dev/vdb", &Contract::good().medium().image);
    machine.attach("/dev/vda", serials[0], image.len() as u64);
    machine.put("/dev/vda", 0, image);
    machine.attach(DATA, serials[1], GIB);
    boot(&machine)
}

/// How HPCR's published domains attach them.
#[test]
fn the_guest_os_is_found_in_its_partition_though_no_disk_has_a_serial_number() {
    let boot = from_one_disk(&image_disk(HASH), ["", ""]);
    assert_eq!(boot.result, Ok(()), "{}", boot.said());
    assert!(boot.asked("map vda2 on /dev/vda start=3145728 length=4194304"), "{:?}", boot.asked);
    assert!(boot.asked("open image /dev/mapper/vda2 as os"), "{:?}", boot.asked);
    // The one volume is on the one other disk.
    assert!(boot.stage_lines().contains(&"stage=unlock state=done volumes=1".to_owned()), "{}", boot.said());
    assert!(!boot.asked.iter().any(|asked| asked.starts_with("write disk /dev/vda")), "{:?}", boot.asked);
}

#[test]
fn a_disk_of_the_images_serial_number_may_be_parted() {
    let boot = from_one_disk(&image_disk(HASH), ["os", "data"]);
    assert_eq!(boot.result, Ok(()), "{}", boot.said());
    assert!(boot.asked("open image /dev/mapper/vda2 as os"), "{:?}", boot.asked);
}

#[test]
fn the_partition_of_another_images_guest_os_is_not_taken() {
    let other = HASH.replacen("00", "01", 1);
    let boot = from_one_disk(&image_disk(&other), ["", "data"]);
    let expected =
        "expected a disk with the serial number os, or one with the partition of this image's guest OS";
    boot.assert_machine(Stage::Root, Code::RootImage, expected);
    assert!(!boot.asked.iter().any(|asked| asked.starts_with("map vda")), "{:?}", boot.asked);
}

#[test]
fn without_a_scratch_disk_scratch_is_memory() {
    let boot = boot(&with_disks(facts(), &[("/dev/vdb", "os")]));
    assert_eq!(boot.result, Ok(()), "{}", boot.said());
    assert!(boot.stage_lines().contains(&"stage=root state=done verity=yes scratch=memory".to_owned()));
    assert!(boot.asked("mount tmpfs scratch at /sysroot nodev"), "{:?}", boot.asked);
    assert!(!boot.asked("open scratch"), "{:?}", boot.asked);
}

/// A boot with a scratch disk, of an image whose builder chose this protection for it.
fn protected(protection: &str) -> Boot {
    let chosen = format!(r#""serial":"scratch","protection":"{protection}""#);
    let manifest = manifest().replace(r#""serial":"scratch""#, &chosen).into_bytes();
    boot(&with_disks(Facts { manifest, ..facts() }, &[("/dev/vdb", "os"), ("/dev/vdc", "scratch")]))
}

fn record(boot: &Boot) -> String {
    let transcript = boot.file("/run/countersign/transcript.json");
    let transcript: serde_json::Value = serde_json::from_str(&transcript).unwrap();
    transcript["record"].as_str().unwrap().to_owned()
}

#[test]
fn scratch_on_a_disk_is_authenticated_unless_the_image_builder_chose_otherwise() {
    let boot = protected("integrity");
    assert_eq!(boot.result, Ok(()), "{}", boot.said());
    assert!(boot.asked("open scratch /dev/vdc as scratch") && !boot.asked("open plain"), "{:?}", boot.asked);
    assert!(!boot.said().contains("HPL11115W") && !record(&boot).contains("Scratch"), "{}", boot.said());
    let watch = boot.file("/run/countersign/watch.json");
    assert!(watch.contains(r#""name": "scratch""#) && watch.contains(r#""name": "scratch_dif""#), "{watch}");
}

#[test]
fn scratch_without_integrity_is_told_at_every_boot_and_in_the_record() {
    let boot = protected("plain");
    assert_eq!(boot.result, Ok(()), "{}", boot.said());
    assert!(boot.asked("open plain scratch /dev/vdc as scratch"), "{:?}", boot.asked);
    assert!(boot.stage_lines().contains(&"stage=root state=done verity=yes scratch=encrypted".to_owned()));
    boot.assert_warned("HPL11115W: scratch space is encrypted without integrity");
    assert!(boot.file("/run/countersign/transcript.json").contains("HPL11115W"));
    assert!(record(&boot).contains("\nImage accepts: scratch.protection: plain\n"), "{}", record(&boot));
    assert!(!boot.file("/run/countersign/watch.json").contains("scratch_dif"));
}

#[test]
fn an_image_builder_may_choose_memory_though_there_is_a_disk() {
    let boot = protected("memory");
    assert_eq!(boot.result, Ok(()), "{}", boot.said());
    assert!(boot.asked("mount tmpfs scratch at /sysroot nodev"), "{:?}", boot.asked);
    assert!(!boot.asked("open scratch") && !boot.asked("open plain"), "{:?}", boot.asked);
}

#[test]
fn a_root_hash_that_is_none_is_the_images_fault() {
    let manifest = manifest().replace("abab", "xyxy").into_bytes();
    let boot = boot(&with_disks(Facts { manifest, ..facts() }, &[("/dev/vdb", "os")]));
    boot.assert_machine(Stage::Root, Code::ImageIncomplete, "expected salt and root hash");
}

#[test]
fn a_volume_that_cannot_move_in_is_named_and_not_its_path() {
    let contract = Contract::good().with("mount: /mnt/data", "mount: /srv/planted-path");
    let machine = machine_with_good_volume(&contract);
    machine.fails("move /volumes/data", std::io::ErrorKind::NotADirectory);
    let boot = boot(&machine);
    boot.assert_machine(Stage::Root, Code::MountFailed, "volume data: ");
    for (_, line) in boot.lines.iter().chain(&boot.logged) {
        assert!(!line.contains("planted-path"), "{line}");
    }
}

#[test]
fn volumes_move_in_after_the_image_so_that_they_may_lie_anywhere() {
    let contract = Contract::good().with("mount: /mnt/data", "mount: /srv/deep/down");
    let boot = boot(&machine_with_good_volume(&contract));
    assert_eq!(boot.result, Ok(()), "{}", boot.said());
    let place = |request: &str| boot.asked.iter().position(|asked| asked == request).unwrap();
    let moved = place("move /volumes/data to /sysroot/srv/deep/down");
    assert!(moved > place("bind /image/etc to /sysroot/etc read-only nodev"));
    assert!(moved < place("write /run/countersign/plan.json mode=0600"));
}
