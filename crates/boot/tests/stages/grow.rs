//! Stage `unlock`: growing on a larger disk. The partition table is made by sfdisk; what the grown one is worth is
//! asked of sgdisk where it is decided (`plan::partition_table`).

use std::io::{ErrorKind, Write};
use std::os::unix::fs::FileExt;
use std::process::{Command, Stdio};

use countersign_boot::stage::Stage;
use countersign_contract::code::Code;
use countersign_rehearsal::Rehearsal;

use crate::support::contract::{DEPLOYER_SEED, WORKLOAD_SEED};
use crate::support::machine::{
    DATA, EXT4, GIB, MIB, facts, machine_without_volume, parted, put_file_system, put_volume,
};
use crate::support::{Contract, boot};

const VOLUME: &str = "/dev/vdd2";
const MAPPED: &str = "/dev/mapper/volume-data";

/// The first MiB of a disk of 1 GiB with `metadata` of 100 MiB and `data` of 922 MiB.
fn table() -> Vec<u8> {
    let image = tempfile::NamedTempFile::new().unwrap();
    image.as_file().set_len(GIB).unwrap();
    let mut sfdisk = Command::new("/usr/sbin/sfdisk");
    let mut child = sfdisk.arg("--quiet").arg(image.path()).stdin(Stdio::piped()).spawn().unwrap();
    let text = "label: gpt\nstart=1MiB, size=100MiB, name=metadata\nsize=922MiB, name=data\n";
    child.stdin.take().unwrap().write_all(text.as_bytes()).unwrap();
    assert!(child.wait().unwrap().success());
    let mut bytes = vec![0; 1 << 20];
    image.as_file().read_exact_at(&mut bytes, 0).unwrap();
    bytes
}

/// The good volume, with a file system of so many bytes, on a disk of `size`.
fn machine(contract: &Contract, size: u64, file_system: u64) -> Rehearsal {
    let machine = machine_without_volume(contract, facts());
    machine.attach_disk(parted(DATA, "data", &["metadata", "data"]).enlarged(size));
    machine.put(DATA, 0, &table());
    put_volume(&machine, VOLUME, DEPLOYER_SEED, WORKLOAD_SEED);
    put_file_system(&machine, "data", EXT4);
    // Number of blocks, their size as a power of two above 1024.
    machine.put(MAPPED, 1024 + 4, &u32::try_from(file_system / 4096).unwrap().to_le_bytes());
    machine.put(MAPPED, 1024 + 0x18, &[2]);
    machine
}

const OPEN: &str = "open /dev/mapper/vdd2 as volume-data";

/// The partition is mapped with so many bytes.
fn map(length: u64) -> String {
    format!("map vdd2 on /dev/vdd start={} length={length}", 101 * MIB)
}

/// What was asked for the sake of growing.
fn steps(asked: &[String]) -> Vec<&str> {
    let words = ["unmount", "close", "write disk /dev/vdd at", "map vdd2", "open /dev/mapper/vdd2", "grow"];
    let asked = asked.iter().map(String::as_str);
    asked.filter(|asked| words.iter().any(|word| asked.starts_with(word))).collect()
}

#[test]
fn partition_mapping_and_file_system_grow_in_this_order() {
    let machine = machine(&Contract::good(), 2 * GIB, 906 * MIB);
    let boot = boot(&machine);
    assert_eq!(boot.result, Ok(()), "{}", boot.said());
    assert!(boot.said().contains("HPL07130I: volume data: the volume has grown"), "{}", boot.said());
    let length = 2 * GIB - 102 * MIB;
    assert_eq!(
        steps(&boot.asked),
        [
            &map(922 * MIB),
            OPEN,
            "unmount /volumes/data",
            "close volume-data",
            "write disk /dev/vdd at 0 bytes=512",
            &format!("write disk /dev/vdd at {} bytes={}", 2 * GIB - 33 * 512, 33 * 512),
            "write disk /dev/vdd at 17408 bytes=16384",
            "write disk /dev/vdd at 512 bytes=512",
            "close vdd2",
            &map(length),
            OPEN,
            &format!("grow ext4 at /volumes/data bytes={}", length - 16 * MIB),
        ]
    );
    // Mounted again before it is handed over.
    let mounts = boot.asked.iter().filter(|asked| asked.starts_with("mount ext4 /dev/mapper/volume-data"));
    assert_eq!(mounts.count(), 2);
}

#[test]
fn a_volume_that_fills_its_disk_is_left_alone() {
    for size in [GIB, GIB + 14 * MIB] {
        let machine = machine(&Contract::good(), size, 906 * MIB);
        let boot = boot(&machine);
        assert_eq!(boot.result, Ok(()), "{}", boot.said());
        assert_eq!(steps(&boot.asked), [&map(922 * MIB), OPEN]);
        assert!(!boot.said().contains("HPL0713"), "{}", boot.said());
    }
}

#[test]
fn a_file_system_that_was_left_behind_grows_by_itself() {
    let machine = machine(&Contract::good(), GIB, 800 * MIB);
    let boot = boot(&machine);
    assert_eq!(boot.result, Ok(()), "{}", boot.said());
    let grow = format!("grow ext4 at /volumes/data bytes={}", 906 * MIB);
    assert_eq!(steps(&boot.asked), [&map(922 * MIB), OPEN, &grow]);
}

#[test]
fn a_power_cut_between_any_two_sectors_of_the_table_is_made_good_at_the_next_boot() {
    let total = 512 + 33 * 512 + 16384 + 512;
    for cut in (0..total).step_by(4096).chain([512, total - 512, total - 16384 - 512]) {
        let machine = machine(&Contract::good(), 2 * GIB, 906 * MIB);
        // The first byte lets the volume's first record through, which is not counted.
        machine.cut_power_after(cut.max(1));
        let cut_short = boot(&machine);
        cut_short.assert_refused(Stage::Unlock, Code::PartitionNotResized);
        machine.reboot();
        let next = boot(&machine);
        assert_eq!(next.result, Ok(()), "cut at {cut}: {}", next.said());
        assert!(next.said().contains("HPL07130I"), "cut at {cut}: {}", next.said());
    }
}

#[test]
fn a_table_that_is_not_plainly_a_volumes_is_left_as_it_is_with_a_warning() {
    let machine = machine(&Contract::good(), 2 * GIB, 906 * MIB);
    // A second entry beside that of the GPT.
    machine.put(DATA, 446 + 16 + 4, &[0x83]);
    let boot = boot(&machine);
    assert_eq!(boot.result, Ok(()), "{}", boot.said());
    boot.assert_warned(
        "HPL07131W: volume data: the disk became larger, and the volume stays as it is: expected a GPT",
    );
    assert_eq!(steps(&boot.asked), [&map(922 * MIB), OPEN]);
}

#[test]
fn what_fails_while_growing_ends_the_boot() {
    for (request, code) in [
        ("write disk /dev/vdd at 512", Code::PartitionNotResized),
        ("close vdd2", Code::PartitionNotResized),
        ("grow ext4", Code::FileSystemNotExtended),
    ] {
        let machine = machine(&Contract::good(), 2 * GIB, 906 * MIB);
        machine.fails(request, ErrorKind::Other);
        boot(&machine).assert_machine(Stage::Unlock, code, "volume data: ");
    }
}

#[test]
fn a_file_system_that_is_marked_with_errors_opens_and_stays_as_it_is() {
    let machine = machine(&Contract::good(), 2 * GIB, 906 * MIB);
    machine.fails("grow ext4", ErrorKind::PermissionDenied);
    let boot = boot(&machine);
    assert_eq!(boot.result, Ok(()), "{}", boot.said());
    boot.assert_warned(
        "HPL07131W: volume data: the disk became larger, and the volume stays as it is: double grow ext4",
    );
    assert!(!boot.said().contains("HPL07130I"), "{}", boot.said());
}

#[test]
fn a_volume_that_is_mounted_read_only_does_not_grow() {
    let read_only = "countersign:\n  volumes:\n    data:\n      mount-options: [ro]\n";
    let machine = machine(&Contract::good().with_workload(read_only), 2 * GIB, 906 * MIB);
    let boot = boot(&machine);
    assert_eq!(boot.result, Ok(()), "{}", boot.said());
    assert_eq!(steps(&boot.asked), [&map(922 * MIB), OPEN]);
}
