//! Stage `unlock`: how the file system of a volume is made, recognised and mounted.

use std::io;

use countersign_boot::stage::Stage;
use countersign_contract::code::Code;
use countersign_rehearsal::disk;

use crate::support::canaries::assert_silent;
use crate::support::contract::{DEPLOYER_SEED, WORKLOAD_SEED};
use crate::support::machine::{
    BTRFS, Boot, DATA, EXT4, GIB, XFS, facts, machine, machine_with_good_volume, machine_without_volume,
    parted, put_file_system, put_luks1_volume, put_volume,
};
use crate::support::{Contract, boot};

/// The good contract with these options of its volume, on either side.
fn with_options(workload: &str, env: &str) -> Contract {
    let options = |lines: &str| match lines {
        "" => String::new(),
        lines => format!("countersign:\n  volumes:\n    data: {{{lines}}}\n"),
    };
    Contract::good().with_workload(&options(workload)).with_env(&options(env))
}

fn assert_asked(boot: &Boot, request: &str) {
    assert_eq!(boot.result, Ok(()), "{}", boot.said());
    assert!(boot.asked.iter().any(|asked| asked == request), "{request} in {:?}", boot.asked);
}

#[test]
fn mount_options_of_both_sections_are_added_to_nosuid_and_nodev() {
    for (workload, env, options) in [
        ("mount-options: [noexec]", "", "noexec"),
        ("", "mount-options: [ro, noatime]", "read-only noatime"),
        ("mount-options: [noexec, sync]", "mount-options: [noexec]", "noexec sync"),
        ("mount-options: [relatime]", "mount-options: [noatime]", "noatime"),
        ("mount-options: [relatime]", "", ""),
        ("mount-options: []", "", ""),
    ] {
        let boot = boot(&machine(&with_options(workload, env)));
        let words = match options.strip_prefix("read-only") {
            Some(rest) => format!("read-only nosuid nodev{rest}"),
            None => format!("nosuid nodev {options}").trim().to_owned(),
        };
        assert_asked(&boot, &format!("mount ext4 /dev/mapper/volume-data at /volumes/data {words}"));
    }
}

#[test]
fn the_daemon_expects_the_mount_flags_of_the_contract() {
    let boot = boot(&machine(&with_options("mount-options: [ro, noexec, noatime]", "")));
    let watch: serde_json::Value = serde_json::from_str(&boot.file("/run/countersign/watch.json")).unwrap();
    let expected = serde_json::json!({"read_only": true, "nosuid": true, "nodev": true, "noexec": true});
    assert_eq!(watch["volumes"][0]["flags"], expected);
}

#[test]
fn discard_reaches_mapping_and_file_system_only_where_no_section_says_no() {
    for (workload, env, told) in [
        ("discard: true", "", true),
        ("", "discard: true", true),
        ("discard: true", "discard: true", true),
        ("discard: true", "discard: false", false),
        ("discard: false", "discard: true", false),
        ("", "", false),
    ] {
        let contract = with_options(workload, env);
        for machine in [machine(&contract), machine_with_good_volume(&contract)] {
            let boot = boot(&machine);
            assert_eq!(boot.result, Ok(()), "{}", boot.said());
            let opened = boot.asked.iter().find(|asked| asked.starts_with("open /dev/mapper/vdd2")).unwrap();
            assert_eq!(opened.ends_with(" allow_discards"), told, "{opened}");
            let mounted = boot.asked.iter().find(|asked| asked.starts_with("mount ext4")).unwrap();
            assert_eq!(mounted.contains(" discard"), told, "{mounted}");
        }
    }
}

#[test]
fn the_label_is_the_workloads_and_stays_inside_the_container() {
    let contract = with_options("mkfs: {label: db-2}", "mkfs: {label: other}");
    let boot = boot(&machine(&contract));
    assert_asked(&boot, "make ext4 /dev/mapper/volume-data label=db-2 persistent");
    assert!(boot.asked("format /dev/mapper/vdd2 label=data"), "{:?}", boot.asked);
}

#[test]
fn an_existing_volume_keeps_its_file_system_or_the_boot_ends() {
    for (shown, found) in [(XFS, "xfs"), (BTRFS, "btrfs"), ((0x438, &[0, 0][..]), "none that is known")] {
        let machine = machine_with_good_volume(&Contract::good());
        put_file_system(&machine, "data", shown);
        let boot = boot(&machine);
        boot.assert_machine(
            Stage::Unlock,
            Code::FileSystemOther,
            &format!("volume data: expected the file system that the contract names, found {found}"),
        );
        boot.assert_nothing_written();
        assert!(!boot.asked("mount ext4"), "{:?}", boot.asked);
        assert_silent(&boot);
    }
    let machine = machine_with_good_volume(&Contract::good());
    put_file_system(&machine, "data", EXT4);
    assert_eq!(boot(&machine).result, Ok(()));
}

#[test]
fn a_volume_that_cannot_be_read_is_not_taken_for_one_without_file_system() {
    let machine = machine_with_good_volume(&Contract::good());
    machine.fails("read /dev/mapper/volume-data", io::ErrorKind::Other);
    boot(&machine).assert_machine(Stage::Unlock, Code::DiskUnreadable, "volume data: ");
}

#[test]
fn a_luks1_volume_of_old_opens_and_is_mounted() {
    let machine = machine_without_volume(&Contract::good(), facts());
    machine.attach_disk(disk(DATA, "data", GIB));
    put_luks1_volume(&machine, DEPLOYER_SEED, WORKLOAD_SEED);
    let boot = boot(&machine);
    assert_asked(&boot, "open /dev/vdd as volume-data");
    assert_asked(&boot, "mount ext4 /dev/mapper/volume-data at /volumes/data nosuid nodev");
    assert!(!boot.asked("format") && !boot.asked("make ext4 /dev/mapper/volume"), "{:?}", boot.asked);
}

#[test]
fn a_volume_that_does_not_mount_leaves_no_new_volume_beside_it() {
    // `data` is blank and comes first in the contract; `more` exists, opens, and its mount fails.
    let contract = Contract::good()
        .with_workload("  more:\n    mount: /mnt/more\n    seed: another-workload-Seed\n")
        .with_env("  more:\n    seed: another-deployer-Seed\n");
    let machine = machine(&contract);
    machine.attach_disk(parted("/dev/vde", "more", &["metadata", "data"]));
    put_volume(&machine, "/dev/vde2", "another-deployer-Seed", "another-workload-Seed");
    machine.fails("mount ext4 /dev/mapper/volume-more", io::ErrorKind::InvalidData);
    let refused = boot(&machine);
    refused.assert_machine(Stage::Unlock, Code::MountFailed, "volume more: ");
    refused.assert_nothing_written();
    assert_eq!(machine.bytes(DATA, 1 << 20), vec![0; 1 << 20]);
    // The same contract goes through once the volume can be mounted.
    machine.heals();
    machine.reboot();
    let boot = boot(&machine);
    assert_asked(&boot, "mount ext4 /dev/mapper/volume-more at /volumes/more nosuid nodev");
    assert_asked(&boot, "mount ext4 /dev/mapper/volume-data at /volumes/data nosuid nodev");
}

/// The good contract with another file system.
fn with_file_system(name: &str) -> Contract {
    Contract::good()
        .with("    mount: /mnt/data\n", &format!("    mount: /mnt/data\n    filesystem: {name}\n"))
}

#[test]
fn xfs_and_btrfs_get_their_modules_before_the_lock_and_are_made_and_opened_again() {
    for (name, other) in [("xfs", "btrfs"), ("btrfs", "xfs")] {
        let machine = machine(&with_file_system(name));
        let made = boot(&machine);
        assert_asked(&made, &format!("make {name} /dev/mapper/volume-data label=data persistent"));
        let mount = format!("mount {name} /dev/mapper/volume-data at /volumes/data nosuid nodev");
        assert_asked(&made, &mount);
        let at = |request: &str| made.asked.iter().position(|asked| asked.starts_with(request));
        let lock = at("set kernel parameter kernel.modules_disabled=1");
        let load = at(&format!("load modules of {name}"));
        assert!(load.is_some() && load < lock, "{:?}", made.asked);
        assert!(!made.asked(&format!("load modules of {other}")), "{:?}", made.asked);
        machine.reboot();
        let again = boot(&machine);
        assert_asked(&again, &mount);
        assert!(!again.asked(&format!("make {name}")), "{:?}", again.asked);
    }
    assert!(!boot(&machine(&Contract::good())).asked("load modules of"));
}

#[test]
fn an_image_without_the_modules_of_a_file_system_ends_the_boot() {
    let machine = machine(&with_file_system("xfs"));
    machine.fails("load modules of xfs", io::ErrorKind::NotFound);
    let boot = boot(&machine);
    boot.assert_refused(Stage::Validate, Code::ImageIncomplete);
    boot.assert_nothing_written();
}

#[test]
fn a_disk_too_small_for_xfs_is_refused_untouched() {
    let machine = machine_without_volume(&with_file_system("xfs"), facts());
    machine.attach_disk(disk(DATA, "data", (448 << 20) - 1));
    let boot = boot(&machine);
    let words = "expected at least 469762048 bytes on vdd for a new volume with xfs, found 469762047";
    boot.assert_machine(Stage::Unlock, Code::VolumeTooSmall, words);
    boot.assert_nothing_written();
}
