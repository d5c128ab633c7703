//! The whole pipeline: order, silence, and what is left behind.

use std::io;

use countersign_boot::stage::Stage;
use countersign_contract::code::Code;

use crate::support::canaries::assert_silent;
use crate::support::contract::DEPLOYER_SEED;
use crate::support::machine::{DATA, machine_with_good_volume, machine_with_volume};
use crate::support::{Contract, Sealed, boot, machine};

/// Everything that a first boot asks, in order.
const FIRST_BOOT: &str = "\
mount kernel file systems
set kernel parameter kernel.sysrq=0
set kernel parameter kernel.panic=0
set kernel parameter kernel.panic_on_oops=1
set kernel parameter kernel.core_pattern=|/bin/false
set kernel parameter fs.suid_dumpable=0
set kernel parameter kernel.dmesg_restrict=1
set kernel parameter kernel.kptr_restrict=2
set kernel parameter kernel.yama.ptrace_scope=1
set kernel parameter kernel.unprivileged_bpf_disabled=1
set kernel parameter kernel.perf_event_paranoid=3
set kernel parameter dev.tty.ldisc_autoload=0
set kernel parameter vm.unprivileged_userfaultfd=0
set kernel parameter fs.protected_symlinks=1
set kernel parameter fs.protected_hardlinks=1
set kernel parameter fs.protected_fifos=2
set kernel parameter fs.protected_regular=2
set kernel parameter user.max_user_namespaces=16
set kernel parameter kernel.kexec_load_disabled=1
set kernel parameter net.core.bpf_jit_harden=2
set kernel parameter kernel.io_uring_disabled=2
set kernel parameter kernel.unprivileged_userns_clone=0
load modules
lock down
wait until seeded
remove partition nodes
release disk /dev/vda
read image key
forget image key
set kernel parameter kernel.modules_disabled=1
read attestation key
forget attestation key
open image /dev/vdb as os
mount erofs /dev/mapper/os at /image read-only nodev
write disk /dev/vdd at 0 bytes=4096
write disk /dev/vdd at 105906176 bytes=4096
partition /dev/vdd metadata=104857600
map vdd1 on /dev/vdd start=1048576 length=104857600
make ext4 /dev/mapper/vdd1 label=metadata persistent
close vdd1
map vdd2 on /dev/vdd start=105906176 length=966787072
write disk /dev/mapper/vdd2 at 0 bytes=4096
format /dev/mapper/vdd2 label=data memory_kib=65536 passes=4 lanes=4 sector_size=4096
open /dev/mapper/vdd2 as volume-data
make ext4 /dev/mapper/volume-data label=data persistent
mount ext4 /dev/mapper/volume-data at /volumes/data nosuid nodev
set attribute trusted.countersign of /volumes/data
write disk /dev/mapper/vdd2 at 4096 bytes=16773120
write disk /dev/mapper/vdd2 at 0 bytes=4096
remove partition nodes
open scratch /dev/vdc as scratch
make ext4 /dev/mapper/scratch label=scratch scratch
mount ext4 /dev/mapper/scratch at /sysroot nodev
make directory /sysroot/usr mode=0755
make directory /sysroot/etc mode=0755
make directory /sysroot/proc mode=0755
make directory /sysroot/sys mode=0755
make directory /sysroot/dev mode=0755
make directory /sysroot/run mode=0755
make directory /sysroot/tmp mode=1777
make directory /sysroot/root mode=0700
make directory /sysroot/home mode=0755
make directory /sysroot/mnt mode=0755
make directory /sysroot/media mode=0755
make directory /sysroot/opt mode=0755
make directory /sysroot/srv mode=0755
make directory /sysroot/var mode=0755
make directory /sysroot/var/cache mode=0755
make directory /sysroot/var/lib mode=0755
make directory /sysroot/var/log mode=0755
make directory /sysroot/var/spool mode=0755
make directory /sysroot/var/tmp mode=1777
link /sysroot/bin to usr/bin
link /sysroot/sbin to usr/sbin
link /sysroot/lib to usr/lib
link /sysroot/lib64 to usr/lib64
link /sysroot/var/run to /run
link /sysroot/var/lock to /run/lock
bind /image/usr to /sysroot/usr read-only nodev
bind /image/etc to /sysroot/etc read-only nodev
make directory /run/countersign mode=0700
make directory /run/countersign/hyperprotect mode=0500
make directory /run/countersign/hyperprotect/cidata mode=0500
make directory /run/countersign/hyperprotect/countersign mode=0700
bind /run/countersign/hyperprotect to /sysroot/var/hyperprotect read-only nosuid nodev noexec
move /volumes/data to /sysroot/mnt/data
make directory /run/countersign mode=0700
make directory /run/countersign/logging mode=0755
write /run/countersign/logging/ca.pem mode=0644
make directory /run/countersign/logging mode=0755
write /run/countersign/logging/client.pem mode=0644
make directory /run/countersign/logging mode=0755
write /run/countersign/logging/client-key.pem mode=0600
make directory /run/countersign-engine mode=0755
write /run/countersign-engine/policy.json mode=0644
make directory /run/countersign/registry mode=0755
write /run/countersign/registry/config.json mode=0600
make directory /run/countersign/registry mode=0755
write /run/countersign/registry/ca.pem mode=0644
make directory /sysroot/data1/compose mode=0755
write /sysroot/data1/compose/compose.yaml mode=0644
make directory /sysroot/data1/compose/site mode=0755
write /sysroot/data1/compose/site/index.html mode=0644
make directory /sysroot/data1/compose mode=0755
write /sysroot/data1/compose/.env mode=0600
make directory /run/systemd/network mode=0755
write /run/systemd/network/10-ethernet.network mode=0644
make directory /run/countersign mode=0755
write /run/countersign/plan.json mode=0600
make directory /run/countersign/hyperprotect mode=0755
write /run/countersign/hyperprotect/se-version mode=0400
make directory /run/countersign/hyperprotect mode=0755
write /run/countersign/hyperprotect/se-checksums.txt mode=0400
make directory /run/countersign/hyperprotect mode=0755
write /run/countersign/hyperprotect/se-signature.bin mode=0400
make directory /run/countersign/hyperprotect/cidata mode=0755
write /run/countersign/hyperprotect/cidata/meta-data mode=0400
make directory /run/countersign/hyperprotect/cidata mode=0755
write /run/countersign/hyperprotect/cidata/vendor-data mode=0400
make directory /run/countersign/hyperprotect/countersign mode=0755
write /run/countersign/hyperprotect/countersign/attestation.crt mode=0400
make directory /run/countersign/hyperprotect/countersign mode=0755
write /run/countersign/hyperprotect/countersign/record.json mode=0400
make directory /run/countersign mode=0755
write /run/countersign/record.json mode=0600
make directory /run/countersign mode=0755
write /run/countersign/boot-key.pem mode=0600
set host name guest
write /run/countersign/transcript.json mode=0600
write /run/countersign/watch.json mode=0600
switch root to /sysroot and execute /usr/lib/systemd/systemd";

#[test]
fn a_good_contract_goes_from_preflight_to_handover() {
    let boot = boot(&machine(&Contract::good()));
    assert_eq!(boot.result, Ok(()), "{}", boot.said());
    assert_eq!(boot.asked.join("\n"), FIRST_BOOT);
    let lines = boot.stage_lines();
    let stages = Stage::ALL.iter().filter(|stage| **stage <= Stage::Handover);
    let expected: Vec<String> = stages
        .flat_map(|stage| [format!("stage={stage} state=start"), format!("stage={stage} state=done")])
        .collect();
    assert_eq!(lines.len(), expected.len(), "{lines:#?}");
    for (line, expected) in lines.iter().zip(&expected) {
        assert!(line.starts_with(expected), "{line} instead of {expected}");
    }
    for line in [
        "stage=preflight state=done version=0.1.0 kernel=6.12.0-test memory_mib=2048 modules=3 secure_execution=no",
        "stage=parse state=done sealed=2 signature=yes",
        "stage=unseal state=done tokens=1",
        "stage=validate state=done volumes=1 images=1",
        "stage=unlock state=done volumes=1",
        "stage=root state=done verity=yes scratch=authenticated",
        "stage=handover state=done files=20",
    ] {
        assert!(lines.iter().any(|found| found == line), "{line} in {lines:#?}");
    }
    assert!(boot.said().ends_with("HPL11099I: the initramfs is done and hands over to the guest system\n"));
    assert_silent(&boot);
}

#[test]
fn the_second_boot_opens_and_makes_nothing_of_the_volume() {
    let machine = machine(&Contract::good());
    let first = boot(&machine);
    assert_eq!(first.result, Ok(()), "{}", first.said());
    // A disk that was parted shows its partitions at the next boot.
    machine.reboot();
    let second = boot(&machine);
    assert_eq!(second.result, Ok(()), "{}", second.said());
    let asked: Vec<&str> = second
        .asked
        .iter()
        .map(String::as_str)
        .skip_while(|asked| *asked != "read image key")
        .take_while(|asked| !asked.contains("scratch"))
        .collect();
    assert_eq!(
        asked,
        [
            "read image key",
            "forget image key",
            "set kernel parameter kernel.modules_disabled=1",
            "read attestation key",
            "forget attestation key",
            "open image /dev/vdb as os",
            "mount erofs /dev/mapper/os at /image read-only nodev",
            "map vdd2 on /dev/vdd start=105906176 length=966787072",
            "derive key of /dev/mapper/vdd2",
            "open /dev/mapper/vdd2 as volume-data",
            "mount ext4 /dev/mapper/volume-data at /volumes/data nosuid nodev",
            "remove partition nodes",
        ]
    );
    assert_silent(&second);
}

#[test]
fn plain_sections_and_a_sealed_env_alone_boot_as_well() {
    for (sealed, count) in [(Sealed::No, 0), (Sealed::EnvOnly, 1)] {
        let mut contract = Contract::good();
        contract.sealed = sealed;
        let boot = boot(&machine(&contract));
        assert_eq!(boot.result, Ok(()), "{}", boot.said());
        let line = format!("stage=parse state=done sealed={count} signature=yes");
        assert!(boot.stage_lines().contains(&line), "{}", boot.said());
        assert_silent(&boot);
    }
}

/// A request that fails, and how the boot ends then.
const FAILURES: &[(&str, Stage, Code)] = &[
    ("read manifest", Stage::Preflight, Code::ImageIncomplete),
    ("memory", Stage::Preflight, Code::ImageIncomplete),
    ("set kernel parameter kernel.sysrq", Stage::Preflight, Code::ImageIncomplete),
    ("load modules", Stage::Preflight, Code::ImageIncomplete),
    ("lock down", Stage::Preflight, Code::ImageIncomplete),
    ("wait until seeded", Stage::Preflight, Code::BootInternal),
    ("release disk", Stage::Locate, Code::BootInternal),
    ("set kernel parameter kernel.modules_disabled", Stage::Validate, Code::ImageIncomplete),
    ("kernel release", Stage::Preflight, Code::ImageIncomplete),
    ("list disks", Stage::Locate, Code::DiskUnreadable),
    ("read image key", Stage::Unseal, Code::ImageIncomplete),
    ("forget image key", Stage::Verify, Code::BootInternal),
    ("read attestation key", Stage::Attest, Code::ImageIncomplete),
    ("forget attestation key", Stage::Attest, Code::BootInternal),
    ("partition", Stage::Unlock, Code::PartitioningFailed),
    ("map vdd1", Stage::Unlock, Code::PartitioningFailed),
    ("make ext4 /dev/mapper/vdd1", Stage::Unlock, Code::PartitioningFailed),
    ("close vdd1", Stage::Unlock, Code::PartitioningFailed),
    ("map vdd2", Stage::Unlock, Code::PartitioningFailed),
    ("format", Stage::Unlock, Code::LuksFormatFailed),
    ("make ext4 /dev/mapper/volume", Stage::Unlock, Code::CreateFileSystemFailed),
    ("write disk /dev/vdd at 0", Stage::Unlock, Code::PartitioningFailed),
    ("write disk /dev/mapper/vdd2 at 0", Stage::Unlock, Code::LuksFormatFailed),
    ("write disk /dev/mapper/vdd2 at 4096", Stage::Unlock, Code::LuksFormatFailed),
    ("mount ext4 /dev/mapper/volume-data", Stage::Unlock, Code::MountFailed),
    ("open image", Stage::Root, Code::RootImage),
    ("mount erofs", Stage::Root, Code::RootImage),
    ("open scratch", Stage::Root, Code::ScratchSpace),
    ("make ext4 /dev/mapper/scratch", Stage::Root, Code::ScratchSpace),
    ("mount ext4 /dev/mapper/scratch", Stage::Root, Code::ScratchSpace),
    ("make directory /sysroot/var/tmp", Stage::Root, Code::ScratchSpace),
    ("link", Stage::Root, Code::ScratchSpace),
    ("bind /image/etc", Stage::Root, Code::RootImage),
    ("move", Stage::Root, Code::MountFailed),
    ("make directory /run/countersign mode", Stage::Root, Code::HandoverFailed),
    ("bind /run/countersign/hyperprotect", Stage::Root, Code::HandoverFailed),
    ("make directory /run/countersign/registry mode", Stage::Handover, Code::HandoverFailed),
    ("write /run/countersign/logging/client-key.pem", Stage::Handover, Code::HandoverFailed),
    ("write /sysroot/data1/compose/.env", Stage::Handover, Code::HandoverFailed),
    ("write /run/countersign/plan.json", Stage::Handover, Code::HandoverFailed),
    ("set host name", Stage::Handover, Code::HandoverFailed),
    ("write /run/countersign/transcript.json", Stage::Handover, Code::HandoverFailed),
    ("write /run/countersign/watch.json", Stage::Handover, Code::HandoverFailed),
    ("table volume-data", Stage::Unlock, Code::HeaderRefused),
    ("table os", Stage::Root, Code::RootImage),
    ("table scratch", Stage::Root, Code::ScratchSpace),
    ("table scratch_dif", Stage::Root, Code::ScratchSpace),
];

#[test]
fn every_request_that_fails_ends_the_boot_with_its_code() {
    for (request, stage, code) in FAILURES {
        let machine = machine(&Contract::good());
        machine.fails(request, io::ErrorKind::Other);
        let boot = boot(&machine);
        // A path that the contract chose is not repeated.
        let words = match *request {
            "move" => "volume data: double its mount point",
            "write /sysroot/data1/compose/.env" => "double a file of the archive",
            _ => request.split(' ').next().unwrap(),
        };
        boot.assert_machine(*stage, *code, words);
        // What failed is the last thing that was done; what follows is taking a mapping down, forgetting, and then
        // failure mode.
        let at = boot.asked.iter().position(|asked| asked.starts_with(request)).unwrap();
        let then = boot.asked[at + 1..].iter().map(String::as_str);
        let mut then = then.skip_while(|asked| asked.starts_with("forget ") || *asked == "close volume-data");
        if let Some(next) = then.next() {
            assert_eq!(next, "take down /volumes /sysroot /image and all mapped devices");
        }
        // Where the guest OS or its root is what failed, nobody is told; where the handover is, nobody is tried.
        let needed = [
            "set kernel parameter kernel.modules_disabled",
            "open image",
            "mount erofs",
            "make directory /sysroot/var/tmp",
            "link",
            "bind /image/etc",
            "make directory /run/countersign mode",
        ];
        let told = (Stage::Verify..=Stage::Root).contains(stage)
            && !request.starts_with("forget ")
            && !needed.contains(request);
        assert_eq!(boot.reports(), told, "{request}: {:?}", boot.asked);
        if *stage < Stage::Unlock {
            boot.assert_nothing_written();
        }
        assert_silent_after_failure(&boot);
    }
}

#[test]
fn a_guest_os_without_init_is_said_after_the_handover() {
    let machine = machine(&Contract::good());
    machine.fails("switch root", io::ErrorKind::NotFound);
    let boot = boot(&machine);
    let failure = boot.failure();
    assert_eq!((failure.stage, failure.code()), (Stage::Handover, Code::HandoverFailed));
    assert!(boot.said().ends_with("countersign: exit=75 stage=handover code=HPL11112E\n"), "{}", boot.said());
}

#[test]
fn no_secret_is_said_where_the_volume_does_not_open() {
    let contract = Contract::good();
    let boot = boot(&machine_with_volume(&contract, DEPLOYER_SEED, "another seed"));
    boot.assert_refused(Stage::Unlock, Code::LuksOpenFailed);
    assert_silent(&boot);
}

#[test]
fn an_existing_volume_is_asked_for_without_any_write() {
    let boot = boot(&machine_with_good_volume(&Contract::good()));
    assert_eq!(boot.result, Ok(()), "{}", boot.said());
    assert!(
        !boot.asked.iter().any(|asked| asked.contains(DATA)
            && !asked.starts_with("map")
            && !asked.starts_with("open")
            && !asked.starts_with("derive key")),
        "{:?}",
        boot.asked
    );
}

/// Lines and requests only: a handover that was cut short holds what it holds, in memory that goes off.
fn assert_silent_after_failure(boot: &crate::support::machine::Boot) {
    let silent = crate::support::machine::Boot {
        result: Ok(()),
        lines: boot.lines.clone(),
        logged: boot.logged.clone(),
        asked: boot.asked.clone(),
        files: Default::default(),
    };
    assert_silent(&silent);
}
