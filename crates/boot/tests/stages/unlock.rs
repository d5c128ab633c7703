//! Stage `unlock`: which disk, what is done with it, what is never done.

use std::io;
use std::time::Duration;

use countersign_boot::stage::Stage;
use countersign_contract::code::Code;
use countersign_ports::{Clock, Disk};
use countersign_rehearsal::{Attached, Facts, Rehearsal, disk};

use crate::support::canaries::assert_silent;
use crate::support::contract::{DEPLOYER_SEED, WORKLOAD_SEED};
use crate::support::machine::{
    Boot, DATA, GIB, MIB, facts, header, header_of_memory, machine_with_good_volume, machine_with_volume,
    machine_without_volume, parted, passphrase, put_volume, two_volumes,
};
use crate::support::{Contract, boot};

/// A machine with these disks for volumes.
fn with(contract: &Contract, disks: Vec<impl Into<Attached>>) -> Rehearsal {
    let machine = machine_without_volume(contract, facts());
    for disk in disks {
        machine.attach_disk(disk);
    }
    machine
}

/// Refused, nothing written, nothing opened.
fn ends(machine: &Rehearsal, code: Code, words: &str) -> Boot {
    let boot = boot(machine);
    boot.assert_machine(Stage::Unlock, code, words);
    boot.assert_nothing_written();
    assert!(!boot.asked("open /dev") && !boot.asked("derive key"), "{:?}", boot.asked);
    assert_silent(&boot);
    boot
}

#[test]
fn a_missing_disk_is_waited_for_until_the_deadline() {
    let machine = with(&Contract::good(), Vec::<Attached>::new());
    let before = machine.uptime();
    let boot = ends(&machine, Code::VolumeMissing, "expected a disk for data within 900 s");
    assert_eq!(machine.uptime() - before, Duration::from_secs(900));
    let waits: Vec<&str> =
        boot.lines.iter().map(|(_, line)| line.as_str()).filter(|line| line.starts_with("waiting")).collect();
    assert_eq!(waits.len(), 30);
    assert_eq!(waits[0], "waiting for the disk of data, 900 s left");
    assert_eq!(waits[29], "waiting for the disk of data, 30 s left");
}

#[test]
fn a_disk_that_comes_late_counts() {
    let machine = with(&Contract::good(), Vec::<Attached>::new());
    let at = machine.uptime() + Duration::from_secs(899);
    machine.attach_later(at, disk(DATA, "data", GIB));
    let boot = boot(&machine);
    assert_eq!(boot.result, Ok(()), "{}", boot.said());
    assert_eq!(machine.uptime(), at);
    assert!(boot.said().contains("stage=unlock state=done volumes=1 ms=899000"), "{}", boot.said());
}

#[test]
fn the_kernels_own_partitions_are_taken_away_before_a_disk_is_read_and_once_volumes_lie_there() {
    let machine = with(&Contract::good(), vec![parted(DATA, "data", &["metadata", "data"])]);
    let boot = boot(&machine);
    assert_eq!(boot.result, Ok(()), "{}", boot.said());
    let at = |words: &str| boot.asked.iter().position(|asked| asked.starts_with(words)).unwrap();
    let last = boot.asked.iter().rposition(|asked| asked == "remove partition nodes").unwrap();
    assert!(at("remove partition nodes") < at("release disk") && at("map vdd2") < last, "{:?}", boot.asked);
    machine.reboot();
    machine.fails("remove partition nodes", io::ErrorKind::ResourceBusy);
    crate::support::boot(&machine).assert_machine(
        Stage::Locate,
        Code::BootInternal,
        "remove partition nodes",
    );
}

#[test]
fn a_partition_that_cannot_be_mapped_ends_the_boot() {
    let machine = machine_with_good_volume(&Contract::good());
    machine.fails("map vdd2", io::ErrorKind::Other);
    ends(&machine, Code::DiskUnreadable, "volume data: double map vdd2");
    let machine = with(&Contract::good(), vec![parted(DATA, "data", &["metadata", "data"])]);
    machine.fails("map vdd2", io::ErrorKind::Other);
    ends(&machine, Code::LuksFormatFailed, "volume data: double map vdd2");
}

#[test]
fn nothing_is_done_with_one_volume_while_another_is_missing() {
    let machine = with(&two_volumes(), vec![disk(DATA, "data", GIB)]);
    ends(&machine, Code::VolumeMissing, "expected a disk for more within 900 s");
}

#[test]
fn two_disks_of_one_name_and_one_disk_for_two_volumes_are_refused() {
    let machine = with(&Contract::good(), vec![disk(DATA, "data", GIB), disk("/dev/vde", "data", GIB)]);
    ends(&machine, Code::VolumeAmbiguous, "volume data: expected one disk with its name, found vdd, vde");
    let contract = two_volumes()
        .with(
            &format!("    seed: {DEPLOYER_SEED}\n"),
            &format!("    seed: {DEPLOYER_SEED}\n    volumeID: the-one-disk\n"),
        )
        .with(
            "    seed: another-deployer-Seed\n",
            "    seed: another-deployer-Seed\n    volumeID: the-one-disk\n",
        );
    let machine = with(&contract, vec![disk(DATA, "the-one-disk", GIB)]);
    ends(&machine, Code::VolumeAmbiguous, "volume data: expected a disk of its own, more has the same");
}

#[test]
fn a_disk_with_anything_on_it_is_never_formatted() {
    for (offset, bytes, found) in [
        (0x438, &[0x53, 0xef][..], "an ext2, ext3 or ext4 file system"),
        (0, b"XFSB", "an XFS file system"),
        (512, b"LABELONE", "an LVM physical volume"),
        (512, b"EFI PART", "a GPT partition table that is damaged"),
        (510, &[0x55, 0xaa], "an MBR partition table or a boot sector"),
        ((16 << 20) - 1, b"x", "bytes that are not zero"),
        (GIB - 512, b"EFI PART", "the backup of a GPT partition table"),
        (GIB - 1, b"x", "bytes that are not zero"),
        (GIB - MIB, b"x", "bytes that are not zero"),
        // Where `data` would begin.
        (101 * MIB, b"x", "bytes that are not zero"),
        ((117 * MIB) - 1, b"x", "bytes that are not zero"),
    ] {
        let machine = with(&Contract::good(), vec![disk(DATA, "data", GIB)]);
        machine.put(DATA, offset, bytes);
        let words = format!("volume data: expected a blank disk or a LUKS volume on vdd, found {found}");
        ends(&machine, Code::VolumeOccupied, &words);
    }
    let machine = with(&Contract::good(), vec![parted(DATA, "data", &["metadata", "data"])]);
    machine.put("/dev/vdd2", 100, b"x");
    ends(&machine, Code::VolumeOccupied, "on vdd2, found bytes that are not zero");
}

#[test]
fn a_blank_partition_called_data_is_made_into_a_volume() {
    let machine = with(&Contract::good(), vec![parted(DATA, "data", &["metadata", "data"])]);
    // What is on the other partition does not matter, and nobody looks.
    machine.put("/dev/vdd1", 0x438, &[0x53, 0xef]);
    machine.fails("read /dev/vdd at 1048576", io::ErrorKind::Other);
    let boot = boot(&machine);
    assert_eq!(boot.result, Ok(()), "{}", boot.said());
    assert!(boot.asked("format /dev/mapper/vdd2 ") && !boot.asked("partition"), "{:?}", boot.asked);
    assert!(!boot.asked("make ext4 /dev/mapper/vdd1"), "{:?}", boot.asked);
}

#[test]
fn a_volume_that_is_made_is_told_loudly_and_one_that_exists_is_not() {
    let blank = || disk(DATA, "data", GIB);
    for machine in [
        with(&Contract::good(), vec![blank()]),
        with(&Contract::good(), vec![parted(DATA, "data", &["metadata", "data"])]),
    ] {
        let made = boot(&machine);
        assert_eq!(made.result, Ok(()), "{}", made.said());
        let warning = "HPL07128W: volume data: the disk is blank, and a new volume is made on it";
        made.assert_warned(warning);
        let lines: Vec<&str> = made.lines.iter().map(|(_, line)| line.as_str()).collect();
        let loud = lines.iter().find(|line| line.starts_with(warning)).unwrap();
        assert!(loud.ends_with("say initialize: never for a volume that exists"), "{loud}");
        assert!(made.logged.iter().any(|(_, line)| line == loud), "{loud}");
        assert!(made.file("/run/countersign/transcript.json").contains(warning));
        let place = |start: &str| lines.iter().position(|line| line.starts_with(start)).unwrap();
        assert!(
            place("HPL07128W") < place("HPL02001I: volume data: ") && place("HPL02001I") < place("HPL02002I")
        );
        machine.reboot();
        let opened = boot(&machine);
        assert_eq!(opened.result, Ok(()), "{}", opened.said());
        assert!(
            !opened.said().contains("HPL07128W") && !opened.said().contains("HPL02001I"),
            "{}",
            opened.said()
        );
    }
    // Whoever puts a blank disk in the place of a used volume is told of, and stopped where the contract says so.
    let machine = with(&Contract::good(), vec![blank()]);
    machine.fails("partition", io::ErrorKind::Other);
    boot(&machine).assert_warned("HPL07128W: volume data: ");
}

#[test]
fn initialize_never_makes_nothing() {
    let never = "countersign:\n  volumes:\n    data:\n      initialize: never\n";
    for contract in [Contract::good().with_workload(never), Contract::good().with_env(never)] {
        for (blank, name) in
            [(disk(DATA, "data", GIB).into(), "vdd"), (parted(DATA, "data", &["metadata", "data"]), "vdd2")]
        {
            let words = format!(
                "expected a volume on {name}, found a blank disk, and the contract says initialize: never"
            );
            ends(&with(&contract, vec![blank]), Code::VolumeBlank, &words);
        }
        assert_eq!(boot(&machine_with_good_volume(&contract)).result, Ok(()));
    }
}

#[test]
fn a_read_only_disk_and_a_small_one_are_refused() {
    let read_only = Disk { read_only: true, ..disk(DATA, "data", GIB) };
    ends(
        &with(&Contract::good(), vec![read_only]),
        Code::VolumeReadOnly,
        "expected a writable disk, vdd is read-only",
    );
    let small = disk(DATA, "data", 256 * MIB - 1);
    let words = "expected at least 268435456 bytes on vdd for a new volume with ext4, found 268435455";
    ends(&with(&Contract::good(), vec![small]), Code::VolumeTooSmall, words);
    assert_eq!(boot(&with(&Contract::good(), vec![disk(DATA, "data", 256 * MIB)])).result, Ok(()));
}

#[test]
fn partitions_of_other_number_or_name_are_refused() {
    for names in [&["data"][..], &["metadata", "data", "more"]] {
        let words = format!("on vdd, found {} partitions", names.len());
        ends(&with(&Contract::good(), vec![parted(DATA, "data", names)]), Code::PartitionCount, &words);
    }
    for names in [["boot", "root"], ["data", "metadata"], ["metadata", ""]] {
        let machine = with(&Contract::good(), vec![parted(DATA, "data", &names)]);
        ends(&machine, Code::PartitionNames, "expected the partitions of vdd to be called metadata and data");
    }
}

#[test]
fn a_disk_that_cannot_be_read_is_never_taken_for_blank() {
    for kind in [io::ErrorKind::TimedOut, io::ErrorKind::Other] {
        let machine = with(&Contract::good(), vec![disk(DATA, "data", GIB)]);
        machine.fails("read /dev/vdd", kind);
        // The stage `locate`, which reads the beginning of every disk for its label, leaves it to this one.
        ends(&machine, Code::DiskUnreadable, "/dev/vdd");
    }
    let machine = with(&Contract::good(), vec![parted(DATA, "data", &["metadata", "data"])]);
    machine.fails("read /dev/vdd at 105906176", io::ErrorKind::TimedOut);
    ends(&machine, Code::DiskUnreadable, "/dev/vdd at 105906176");
}

#[test]
fn a_whole_disk_volume_of_old_opens_in_place() {
    let machine = with(&Contract::good(), vec![disk(DATA, "data", GIB)]);
    put_volume(&machine, DATA, DEPLOYER_SEED, WORKLOAD_SEED);
    let boot = boot(&machine);
    assert_eq!(boot.result, Ok(()), "{}", boot.said());
    assert!(boot.asked("open /dev/vdd as volume-data"), "{:?}", boot.asked);
}

#[test]
fn a_volume_of_the_other_seed_order_opens_with_a_warning() {
    let boot = boot(&machine_with_volume(&Contract::good(), WORKLOAD_SEED, DEPLOYER_SEED));
    assert_eq!(boot.result, Ok(()), "{}", boot.said());
    boot.assert_warned(
        "HPL07109W: volume data: the volume opened with the workload's seed before the deployer's",
    );
    assert!(boot.file("/run/countersign/transcript.json").contains("HPL07109W"));
    let tried = boot.asked.iter().filter(|asked| asked.starts_with("derive key of /dev/mapper/vdd2")).count();
    assert_eq!(tried, 2);
    assert_silent(&boot);
}

#[test]
fn wrong_seeds_open_nothing_and_change_nothing() {
    for (first, second) in [(DEPLOYER_SEED, "another"), ("another", WORKLOAD_SEED)] {
        let machine = machine_with_volume(&Contract::good(), first, second);
        let before = machine.bytes("/dev/vdd2", 17 << 20);
        let boot = boot(&machine);
        boot.assert_machine(
            Stage::Unlock,
            Code::LuksOpenFailed,
            "volume data: expected the seeds that it was made with",
        );
        boot.assert_nothing_written();
        assert_eq!(machine.bytes("/dev/vdd2", 17 << 20), before);
        assert!(!boot.asked("mount ext4"), "{:?}", boot.asked);
        assert_silent(&boot);
    }
}

#[test]
fn a_header_of_another_form_is_refused_before_any_passphrase_is_tried() {
    let machine = machine_with_good_volume(&Contract::good());
    // A header that says less than it is: nothing behind the first block.
    machine.put("/dev/vdd2", 4096, &vec![0; 0x4000]);
    ends(&machine, Code::HeaderRefused, "volume data: ");
}

#[test]
fn a_key_derivation_may_take_three_quarters_of_the_memory() {
    // What a guest of 1 GiB has.
    let spared = (1 << 20) / 4 * 3;
    for (kib, refused) in [(spared, false), (spared + 1, true)] {
        let facts = Facts { memory_bytes: GIB, ..facts() };
        let machine = machine_without_volume(&Contract::good(), facts);
        machine.attach_disk(parted(DATA, "data", &["metadata", "data"]));
        put_volume(&machine, "/dev/vdd2", DEPLOYER_SEED, WORKLOAD_SEED);
        let header = header_of_memory(kib);
        machine.put("/dev/vdd2", 0, &header);
        machine.knows(&header, &passphrase(DEPLOYER_SEED, WORKLOAD_SEED));
        if refused {
            let words = format!(
                "keyslot-kdf-memory: json /keyslots/0/kdf/memory: expected argon2id memory in KiB from 32768 to {spared}"
            );
            ends(&machine, Code::HeaderRefused, &words);
        } else {
            let boot = boot(&machine);
            assert_eq!(boot.result, Ok(()), "{}", boot.said());
        }
    }
}

#[test]
fn a_mapping_that_is_not_what_was_judged_is_closed_again() {
    for table in [
        "0 1810432 crypt cipher_null-ecb :0: 0 253:6 32768",
        "0 1810432 linear 253:6 32768",
        "0 1 crypt aes-xts-plain64 :64:logon:cryptsetup:x-d0 0 253:6 32768 1 sector_size:4096",
        "",
    ] {
        let machine = machine_with_good_volume(&Contract::good());
        machine.shows_table("volume-data", table);
        let boot = boot(&machine);
        boot.assert_machine(Stage::Unlock, Code::HeaderRefused, "volume data: table");
        boot.assert_nothing_written();
        assert!(boot.asked("close volume-data") && !boot.asked("mount ext4"), "{:?}", boot.asked);
    }
}

#[test]
fn a_mapping_that_cannot_be_looked_at_is_closed_too() {
    for request in ["table volume-data", "number /dev/mapper/vdd2"] {
        let machine = machine_with_good_volume(&Contract::good());
        machine.fails(request, io::ErrorKind::Other);
        let boot = boot(&machine);
        boot.assert_refused(Stage::Unlock, Code::HeaderRefused);
        assert!(boot.asked("close volume-data") && !boot.asked("mount ext4"), "{:?}", boot.asked);
    }
}

#[test]
fn an_error_while_opening_is_not_taken_for_wrong_seeds() {
    let machine = machine_with_good_volume(&Contract::good());
    machine.fails("derive key of /dev/mapper/vdd2", io::ErrorKind::Other);
    let boot = boot(&machine);
    boot.assert_machine(
        Stage::Unlock,
        Code::LuksOpenFailed,
        "volume data: double derive key of /dev/mapper/vdd2",
    );
    assert_eq!(boot.asked.iter().filter(|asked| asked.starts_with("derive key")).count(), 1);
}

#[test]
fn volumes_that_exist_open_before_any_is_made() {
    // `data` is blank and comes first, `more` exists and has other seeds: nothing may be written.
    let machine = with(
        &two_volumes(),
        vec![disk(DATA, "data", GIB).into(), parted("/dev/vde", "more", &["metadata", "data"])],
    );
    put_volume(&machine, "/dev/vde2", "other", "seeds");
    let boot = boot(&machine);
    boot.assert_machine(Stage::Unlock, Code::LuksOpenFailed, "volume more: expected the seeds");
    boot.assert_nothing_written();
}

#[test]
fn the_mount_point_is_the_contracts() {
    let contract = Contract::good().with("    mount: /mnt/data\n", "    mount: /srv/db\n");
    let boot = boot(&with(&contract, vec![disk(DATA, "data", GIB)]));
    assert_eq!(boot.result, Ok(()), "{}", boot.said());
    for request in [
        "make ext4 /dev/mapper/volume-data label=data persistent",
        "mount ext4 /dev/mapper/volume-data at /volumes/data nosuid nodev",
        "move /volumes/data to /sysroot/srv/db",
    ] {
        assert!(boot.asked.iter().any(|asked| asked == request), "{request} in {:?}", boot.asked);
    }
    // The metadata partition is always ext4.
    assert!(boot.asked("make ext4 /dev/mapper/vdd1 label=metadata"));
}

#[test]
fn a_contract_without_volumes_waits_for_no_disk() {
    let mut contract = Contract::good();
    contract.workload = contract.workload.split("volumes:").next().unwrap().to_owned();
    contract.env = contract.env.split("volumes:").next().unwrap().to_owned();
    let boot = boot(&with(&contract, Vec::<Attached>::new()));
    assert_eq!(boot.result, Ok(()), "{}", boot.said());
    assert!(boot.stage_lines().contains(&"stage=unlock state=done volumes=0".to_owned()));
    assert!(!boot.said().contains("HPL07003I") && !boot.asked("wait for a disk"), "{}", boot.said());
}

#[test]
fn a_new_header_reaches_the_disk_whole_and_last() {
    let machine = with(&Contract::good(), vec![disk(DATA, "data", GIB)]);
    machine.fails("make ext4 /dev/mapper/volume", io::ErrorKind::Other);
    boot(&machine).assert_refused(Stage::Unlock, Code::CreateFileSystemFailed);
    // A first format that was cut short leaves its mark, and the next boot begins afresh.
    assert!(machine.bytes("/dev/vdd2", 100).starts_with(b"countersign: this volume is being made"));
    machine.heals();
    machine.reboot();
    assert_eq!(boot(&machine).result, Ok(()));
    assert_eq!(machine.bytes("/dev/vdd2", header().len()), header());
}

#[test]
fn a_volume_inside_another_is_not_covered_by_it() {
    let contract = two_volumes().with("    mount: /mnt/data\n", "    mount: /mnt/more/inside\n");
    let machine = with(&contract, vec![disk(DATA, "data", GIB), disk("/dev/vde", "more", GIB)]);
    let boot = boot(&machine);
    assert_eq!(boot.result, Ok(()), "{}", boot.said());
    let moves: Vec<&String> = boot.asked.iter().filter(|asked| asked.starts_with("move")).collect();
    assert_eq!(
        moves,
        ["move /volumes/more to /sysroot/mnt/more", "move /volumes/data to /sysroot/mnt/more/inside"]
    );
}

#[test]
fn mounted_volumes_are_said_by_code() {
    let boot = boot(&machine_with_good_volume(&Contract::good()));
    assert!(boot.said().contains("HPL02002I: volume data: "), "{}", boot.said());
    assert!(boot.said().contains("HPL07003I: all volumes are mounted"), "{}", boot.said());
}
