//! Stage `unlock`: volumes with integrity, made, opened again, refused, left at their size, watched.
//!
//! cryptsetup makes their headers only where there is a device mapper; here Python changes a plain header of its making
//! to what it writes there.

use std::io::ErrorKind;
use std::process::Command;
use std::time::Duration;

use countersign_boot::guest_os::Verb;
use countersign_boot::stage::Stage;
use countersign_contract::code::Code;
use countersign_rehearsal::{Facts, Rehearsal, disk};

use crate::support::canaries::assert_silent;
use crate::support::contract::{DEPLOYER_SEED, WORKLOAD_SEED};
use crate::support::guest_os::verb;
use crate::support::keys::run;
use crate::support::machine::{
    Boot, DATA, EXT4, GIB, MIB, facts, header, machine_with_good_volume, machine_without_volume, parted,
    passphrase, put_file_system, put_luks1_volume, rotated,
};
use crate::support::watch::watch;
use crate::support::{Contract, boot};

const VOLUME: &str = "/dev/vdd2";
const MAPPED: &str = "/dev/mapper/volume-data";
/// Bytes of the mapped volume on the partition of 922 MiB, by the double's reckoning.
const SIZE: u64 = 906 * MIB / 64 * 63;
const PIECE: u64 = 64 * MIB;

/// Gives a plain header HMAC-SHA-256: 96 bytes of key in 4000 stripes, in whole blocks.
const TAG: &str = r#"
import hashlib, json, sys
head = bytearray(open("header", "rb").read())
for at in (0, 0x4000):
    area = bytes(head[at + 4096:at + 0x4000])
    metadata = json.loads(area[:area.index(0)])
    for slot in metadata["keyslots"].values():
        slot["key_size"] = 96
        slot["area"]["size"] = "385024"
        if slot["area"]["offset"] != "32768": slot["area"]["offset"] = str(32768 + 385024)
    metadata["segments"]["0"]["integrity"] = {
        "type": "hmac(sha256)", "journal_encryption": "none", "journal_integrity": "none"}
    text = json.dumps(metadata, separators=(",", ":")).encode()
    head[at + 4096:at + 0x4000] = text.ljust(0x4000 - 4096, b"\0")
    head[at + 448:at + 512] = bytes(64)
    head[at + 448:at + 480] = hashlib.sha256(head[at:at + 0x4000]).digest()
open("header", "wb").write(head)
"#;

fn tagged(header: &[u8]) -> Vec<u8> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("header");
    std::fs::write(&path, header).unwrap();
    run(Command::new("python3").args(["-c", TAG]).current_dir(folder.path()));
    std::fs::read(path).unwrap()
}

fn contract() -> Contract {
    Contract::good().with_workload("countersign:\n  volumes:\n    data:\n      integrity: true\n")
}

/// A machine with a blank disk on which a volume with this header is going to be made.
fn blank(header: &[u8], zeros_take: Duration) -> Rehearsal {
    let facts = Facts { new_header: header.to_vec(), zeros_take, ..facts() };
    let machine = machine_without_volume(&contract(), facts);
    machine.attach(DATA, "data", GIB);
    machine
}

/// A machine with such a volume.
fn with_volume(contract: &Contract, header: &[u8]) -> Rehearsal {
    let machine = machine_without_volume(contract, facts());
    machine.attach_disk(parted(DATA, "data", &["metadata", "data"]));
    put(&machine, header);
    machine
}

fn put(machine: &Rehearsal, header: &[u8]) {
    machine.put(VOLUME, 0, header);
    machine.knows(header, &passphrase(DEPLOYER_SEED, WORKLOAD_SEED));
    put_file_system(machine, "data", EXT4);
    // Number of blocks, their size as a power of two above 1024.
    machine.put(MAPPED, 1024 + 4, &u32::try_from(SIZE / 4096).unwrap().to_le_bytes());
    machine.put(MAPPED, 1024 + 0x18, &[2]);
}

fn steps<'b>(boot: &'b Boot, words: &[&str]) -> Vec<&'b str> {
    let asked = boot.asked.iter().map(String::as_str);
    asked.filter(|asked| words.iter().any(|word| asked.starts_with(word))).collect()
}

#[test]
fn a_new_volume_is_written_whole_once_before_anything_lies_on_it() {
    let head = tagged(header());
    let machine = blank(&head, Duration::ZERO);
    let made = boot(&machine);
    assert_eq!(made.result, Ok(()), "{}", made.said());
    let zeros: Vec<String> = (0..SIZE)
        .step_by(PIECE as usize)
        .map(|at| format!("write zeros {MAPPED} at {at} length={}", PIECE.min(SIZE - at)))
        .collect();
    let mut expected = vec![
        "format /dev/mapper/vdd2 label=data memory_kib=65536 passes=4 lanes=4 sector_size=4096 integrity",
        "open /dev/mapper/vdd2 as volume-data without journal",
    ];
    expected.extend(zeros.iter().map(String::as_str));
    expected.extend([
        "close volume-data",
        "open /dev/mapper/vdd2 as volume-data",
        "make ext4 /dev/mapper/volume-data label=data persistent",
    ]);
    let words = ["format", "open /dev", "write zeros", "close volume", "make ext4 /dev/mapper/volume"];
    assert_eq!(steps(&made, &words), expected);
    let line = format!("writing all {} MiB of volume data once, for its integrity", SIZE / MIB);
    assert!(made.said().contains(&line), "{}", made.said());
    assert_eq!(machine.bytes(VOLUME, head.len()), head);
    assert_silent(&made);

    machine.reboot();
    let again = boot(&machine);
    assert_eq!(again.result, Ok(()), "{}", again.said());
    assert_eq!(steps(&again, &words), ["open /dev/mapper/vdd2 as volume-data"]);
}

#[test]
fn how_far_it_came_is_said_every_half_minute() {
    let machine = blank(&tagged(header()), Duration::from_secs(12));
    let made = boot(&machine);
    assert_eq!(made.result, Ok(()), "{}", made.said());
    let told: Vec<&str> = made.lines.iter().map(|(_, line)| line.as_str()).collect();
    let told: Vec<&&str> = told.iter().filter(|line| line.ends_with("MiB written")).collect();
    let whole = SIZE / MIB;
    let expected = [192, 384, 576, 768].map(|mib| format!("volume data: {mib} of {whole} MiB written"));
    assert_eq!(told, expected.iter().collect::<Vec<_>>());
}

#[test]
fn cut_short_it_begins_afresh_and_hands_nothing_out() {
    for request in [
        "open /dev/mapper/vdd2 as volume-data without journal",
        "write zeros /dev/mapper/volume-data at 67108864",
        "close volume-data",
    ] {
        let head = tagged(header());
        let machine = blank(&head, Duration::ZERO);
        machine.fails(request, ErrorKind::Other);
        let cut = boot(&machine);
        cut.assert_machine(Stage::Unlock, Code::LuksFormatFailed, "volume data: ");
        assert!(!cut.asked("mount ext4 /dev/mapper/volume"), "{:?}", cut.asked);
        assert!(machine.bytes(VOLUME, 100).starts_with(b"countersign: this volume is being made"));
        machine.heals();
        machine.reboot();
        let next = boot(&machine);
        assert_eq!(next.result, Ok(()), "{}", next.said());
        assert!(
            next.asked("format /dev/mapper/vdd2") && next.asked("write zeros /dev/mapper/volume-data at 0 ")
        );
        assert_eq!(machine.bytes(VOLUME, head.len()), head);
    }
}

/// Refused by the header alone, the disk left as it was.
fn assert_differs(boot: &Boot, words: &str) {
    boot.assert_machine(Stage::Unlock, Code::IntegrityDiffers, words);
    boot.assert_nothing_written();
    assert!(!boot.asked("open /dev") && !boot.asked("derive key"), "{:?}", boot.asked);
    assert_silent(boot);
}

#[test]
fn a_volume_without_integrity_is_refused_where_the_contract_asks_for_it() {
    let words = "volume data: keyslot-key-size: json /keyslots/0/key_size: expected a key size that the profile \
        allows; segment-integrity: json /segments/0/integrity: expected the integrity protection";
    assert_differs(&boot(&machine_with_good_volume(&contract())), words);
    let machine = machine_without_volume(&contract(), facts());
    machine.attach_disk(disk(DATA, "data", GIB));
    put_luks1_volume(&machine, DEPLOYER_SEED, WORKLOAD_SEED);
    assert_differs(&boot(&machine), "volume data: luks1-refused: luks1 header field version");
}

#[test]
fn a_volume_with_integrity_is_refused_where_the_contract_does_not_say_so() {
    let machine = with_volume(&Contract::good(), &tagged(header()));
    assert_differs(&boot(&machine), "segment-integrity: json /segments/0/integrity");
}

#[test]
fn either_device_that_is_not_what_was_judged_is_closed_again() {
    let sectors = SIZE / 512;
    for (name, table, words) in [
        ("volume-data_dif", format!("0 {sectors} linear 253:6 32768"), "table-line"),
        ("volume-data_dif", format!("0 {sectors} integrity 253:6 32768 32 D 0"), "table-journal"),
        ("volume-data_dif", format!("0 {sectors} integrity 253:1 32768 32 J 0"), "table-device"),
        ("volume-data_dif", String::from("0 8 integrity 253:6 32768 32 J 1 block_size:4096"), "table-length"),
        ("volume-data", format!("0 {sectors} crypt aes-xts-plain64 :64:logon:x 0 254:2 0"), "table-cipher"),
        (
            "volume-data",
            format!("0 {sectors} crypt aes-xts-plain64 :64:logon:x 0 254:2 0"),
            "table-integrity",
        ),
    ] {
        let machine = with_volume(&contract(), &tagged(header()));
        machine.shows_table(name, &table);
        let boot = boot(&machine);
        boot.assert_machine(Stage::Unlock, Code::HeaderRefused, words);
        boot.assert_nothing_written();
        assert!(boot.asked("close volume-data") && !boot.asked("mount ext4"), "{:?}", boot.asked);
    }
}

#[test]
fn its_modules_are_loaded_before_the_lock_or_the_boot_ends() {
    let machine = with_volume(&contract(), &tagged(header()));
    let opened = boot(&machine);
    assert_eq!(opened.result, Ok(()), "{}", opened.said());
    let at = |request: &str| opened.asked.iter().position(|asked| asked.starts_with(request));
    let load = at("load modules of integrity");
    assert!(
        load.is_some() && load < at("set kernel parameter kernel.modules_disabled=1"),
        "{:?}",
        opened.asked
    );
    let machine = with_volume(&contract(), &tagged(header()));
    machine.fails("load modules of integrity", ErrorKind::NotFound);
    let refused = boot(&machine);
    refused.assert_refused(Stage::Validate, Code::ImageIncomplete);
    refused.assert_nothing_written();
}

#[test]
fn it_keeps_its_size_on_a_larger_disk_with_a_warning() {
    let machine = machine_without_volume(&contract(), facts());
    machine.attach_disk(parted(DATA, "data", &["metadata", "data"]).enlarged(2 * GIB));
    put(&machine, &tagged(header()));
    let boot = boot(&machine);
    assert_eq!(boot.result, Ok(()), "{}", boot.said());
    boot.assert_warned(
        "HPL07131W: volume data: the disk became larger, and the volume stays as it is: expected a volume without \
         integrity",
    );
    assert!(!boot.asked("resize") && !boot.asked("grow"), "{:?}", boot.asked);
}

#[test]
fn its_seeds_change_like_those_of_any_volume() {
    let contract = contract().with(
        &format!("    seed: {DEPLOYER_SEED}\n"),
        &format!("    seed: a-new-deployer-Seed-1.\n    previousSeed: {DEPLOYER_SEED}\n"),
    );
    let machine = with_volume(&contract, &tagged(header()));
    machine.set_rotated_header(&tagged(rotated()));
    let boot = boot(&machine);
    assert_eq!(boot.result, Ok(()), "{}", boot.said());
    assert!(boot.said().contains("HPL07111I: volume data"), "{}", boot.said());
    assert_eq!(machine.bytes(VOLUME, 0x8000), tagged(rotated())[..0x8000]);
}

#[test]
fn discard_beside_integrity_is_refused_where_it_stands() {
    let options = "countersign:\n  volumes:\n    data:\n      discard: true\n";
    let refused = boot(&blank_with(&contract().with_env(options)));
    refused.assert_place(
        Stage::Validate,
        Code::ContractInvalid,
        "/env/countersign/volumes/data/discard env 20:16",
        "expected no discard for a volume with integrity",
    );
    refused.assert_nothing_written();
    // What one section forbids is not asked for.
    let forbidden = contract()
        .with("      integrity: true\n", "      integrity: true\n      discard: false\n")
        .with_env(options);
    let boot = boot(&with_volume(&forbidden, &tagged(header())));
    assert_eq!(boot.result, Ok(()), "{}", boot.said());
}

fn blank_with(contract: &Contract) -> Rehearsal {
    let machine = machine_without_volume(contract, facts());
    machine.attach(DATA, "data", GIB);
    machine
}

#[test]
fn a_volume_may_be_called_like_the_device_below_another() {
    let contract = contract()
        .with_workload("")
        .with(
            "volumes:\n  data:\n    mount",
            "volumes:\n  data_dif:\n    mount: /mnt/dif\n    seed: another-workload-Seed\n  data:\n    mount",
        )
        .with_env("  data_dif:\n    seed: another-deployer-Seed\n");
    let machine = with_volume(&contract, &tagged(header()));
    machine.attach_disk(parted("/dev/vde", "data_dif", &["metadata", "data"]));
    machine.put("/dev/vde2", 0, header());
    machine.knows(header(), &passphrase("another-deployer-Seed", "another-workload-Seed"));
    put_file_system(&machine, "data_dif.", EXT4);
    let both = boot(&machine);
    assert_eq!(both.result, Ok(()), "{}", both.said());
    let records: serde_json::Value = serde_json::from_str(&both.file("/run/countersign/watch.json")).unwrap();
    let names: Vec<_> = records["volumes"]
        .as_array()
        .unwrap()
        .iter()
        .flat_map(|volume| [&volume["mapping"]["name"], &volume["below"]["name"]])
        .filter_map(|name| name.as_str())
        .collect();
    assert_eq!(names, ["volume-data", "volume-data_dif", "volume-data_dif."]);
    assert!(both.stage_lines().contains(&"stage=unlock state=done volumes=2".to_owned()), "{}", both.said());
}

#[test]
fn the_daemon_watches_both_devices() {
    let machine = with_volume(&contract(), &tagged(header()));
    let started = boot(&machine);
    assert_eq!(started.result, Ok(()), "{}", started.said());
    assert_eq!(verb(&machine, Verb::Start).result, Ok(()));
    let records: serde_json::Value =
        serde_json::from_str(&started.file("/run/countersign/watch.json")).unwrap();
    let below = &records["volumes"][0]["below"];
    assert_eq!(below["name"], "volume-data_dif");
    assert!(below["table"].as_str().unwrap().contains(" integrity "), "{below}");
    let check = |machine: &Rehearsal| {
        let (run, _) = watch(machine, Vec::new());
        assert_eq!(run.result, Ok(()));
        run.logged.iter().map(|(_, text)| format!("{text}\n")).collect::<String>()
    };
    let good = "HPL13003I: mount point /mnt/data, volume data: luks encryption and integrity with 1 key slot";
    let said = check(&machine);
    assert!(said.contains(good) && said.contains("HPL13001I"), "{said}");
    machine.shows_table("volume-data_dif", "0 8 linear 253:6 0");
    let said = check(&machine);
    assert!(said.contains(Code::TableChanged.as_str()) && !said.contains(good), "{said}");
}
