//! Stage `preflight`.

use std::io;
use std::path::PathBuf;

use countersign_boot::stage::Stage;
use countersign_contract::code::Code;
use countersign_rehearsal::Facts;

use crate::support::machine::{Boot, DATA, GIB, facts, machine_without_volume, manifest};
use crate::support::{Contract, boot};

fn on(facts: Facts) -> Boot {
    let machine = machine_without_volume(&Contract::good(), facts);
    machine.attach(DATA, "data", GIB);
    boot(&machine)
}

fn refused(facts: Facts, code: Code, words: &str) {
    let boot = on(facts);
    boot.assert_machine(Stage::Preflight, code, words);
    boot.assert_nothing_written();
    assert!(!boot.asked("read image key"), "{:?}", boot.asked);
}

#[test]
fn memory_below_a_gibibyte_is_too_little() {
    let words = "expected at least 1024 MiB of memory, found 1023";
    refused(Facts { memory_bytes: GIB - 1, ..facts() }, Code::InsufficientMemory, words);
    assert_eq!(on(Facts { memory_bytes: GIB, ..facts() }).result, Ok(()));
}

#[test]
fn missing_programs_are_named() {
    let missing_programs = vec![PathBuf::from("/usr/sbin/mke2fs"), PathBuf::from("/usr/sbin/mkfs.xfs")];
    let words = "expected these programs in the initramfs: /usr/sbin/mke2fs, /usr/sbin/mkfs.xfs";
    refused(Facts { missing_programs, ..facts() }, Code::ImageIncomplete, words);
}

#[test]
fn a_manifest_of_another_version_is_refused() {
    for text in [
        String::new(),
        "{".to_owned(),
        manifest().replace("\"version\"", "\"release\""),
        manifest().replace("sha256", "crc32"),
        manifest().replace("\"version\":", "\"debug\":true,\"version\":"),
    ] {
        let words = "expected a manifest image.json of this version";
        refused(Facts { manifest: text.into_bytes(), ..facts() }, Code::ImageIncomplete, words);
    }
}

#[test]
fn a_clock_behind_the_build_date_is_told() {
    let now = facts().unix_time;
    for (built, told) in [(now, false), (now + 60, false), (now + 61, true), (now - 1, false)] {
        let manifest = manifest().replacen('{', &format!("{{\"built\":{built},"), 1).into_bytes();
        let boot = on(Facts { manifest, ..facts() });
        assert_eq!(boot.result, Ok(()), "{}", boot.said());
        assert_eq!(boot.said().contains("HPL11107W"), told, "{}", boot.said());
        if told {
            boot.assert_warned(
                "HPL11107W: the clock is behind the build date of the image by 61 s; dates are",
            );
            assert!(boot.file("/run/countersign/transcript.json").contains("HPL11107W"));
        }
        // Whatever asks for the time later, the guest OS included, is told a later one.
        assert_eq!(boot.asked(&format!("set clock to {built}")), built > now, "{:?}", boot.asked);
    }
}

#[test]
fn a_module_that_does_not_load_ends_the_boot() {
    let machine = machine_without_volume(&Contract::good(), facts());
    machine.fails("load modules", io::ErrorKind::NotFound);
    let boot = boot(&machine);
    boot.assert_machine(Stage::Preflight, Code::ImageIncomplete, "load modules");
    assert!(
        boot.asked
            .ends_with(&["load modules", "forget image key", "forget attestation key"].map(str::to_owned)),
        "{:?}",
        boot.asked
    );
}

#[test]
fn a_kernel_that_does_not_close_is_refused_before_anything_is_looked_at() {
    let machine = machine_without_volume(&Contract::good(), facts());
    machine.fails("set kernel parameter kernel.sysrq", io::ErrorKind::NotFound);
    let boot = boot(&machine);
    boot.assert_machine(Stage::Preflight, Code::ImageIncomplete, "kernel.sysrq");
    assert_eq!(
        boot.asked,
        [
            "mount kernel file systems",
            "set kernel parameter kernel.sysrq=0",
            "forget image key",
            "forget attestation key"
        ]
    );
}

#[test]
fn a_kernel_that_says_that_it_is_not_locked_down_is_refused() {
    for found in ["[none] integrity confidentiality", "none [integrity] confidentiality", ""] {
        let words = format!("lock down kernel: expected [confidentiality], found {found}");
        refused(Facts { lockdown: found.into(), ..facts() }, Code::ImageIncomplete, &words);
    }
}

#[test]
fn the_kernel_is_locked_down_once_the_modules_of_every_guest_are_there_and_before_any_disk() {
    let boot = on(facts());
    let at = |request: &str| boot.asked.iter().position(|asked| asked.starts_with(request)).unwrap();
    assert!(at("load modules") < at("lock down"));
    assert!(at("lock down") < at("release disk"));
}

#[test]
fn a_secure_guest_has_a_processor_that_makes_random_numbers() {
    let words = "expected the kernel's device trng, which the module s390-trng makes";
    refused(Facts { secure_execution: true, ..facts() }, Code::HardwareRandomMissing, words);
    let emulated = on(facts());
    emulated.assert_warned("HPL11113W: the processor has no random number generator that the kernel can use");
    let machine = on(Facts { hardware_random: true, ..facts() });
    assert!(!machine.said().contains("HPL11113W"), "{}", machine.said());
}

#[test]
fn no_key_is_made_before_the_kernel_is_seeded() {
    let boot = on(facts());
    let at = |request: &str| boot.asked.iter().position(|asked| asked.starts_with(request)).unwrap();
    assert!(at("load modules") < at("wait until seeded"), "a module may be what seeds it");
    assert!(at("wait until seeded") < at("read image key"));
}

#[test]
fn kernel_file_systems_that_cannot_be_mounted_end_the_boot_in_preflight() {
    let machine = machine_without_volume(&Contract::good(), facts());
    machine.fails("mount kernel file systems", io::ErrorKind::PermissionDenied);
    let boot = boot(&machine);
    boot.assert_machine(Stage::Preflight, Code::BootInternal, "mount kernel file systems");
    assert_eq!(boot.asked, ["mount kernel file systems", "forget image key", "forget attestation key"]);
}

#[test]
fn a_kernel_without_the_feature_has_nothing_to_close() {
    for (kind, refused) in [(io::ErrorKind::NotFound, false), (io::ErrorKind::PermissionDenied, true)] {
        let machine = machine_without_volume(&Contract::good(), facts());
        machine.attach(DATA, "data", GIB);
        machine.fails("set kernel parameter kernel.kexec_load_disabled", kind);
        assert_eq!(boot(&machine).result.is_err(), refused, "{kind}");
    }
}

#[test]
fn modules_are_locked_before_any_volume_and_any_other_program() {
    let boot = on(facts());
    let at = |request: &str| boot.asked.iter().position(|asked| asked.starts_with(request)).unwrap();
    let lock = at("set kernel parameter kernel.modules_disabled=1");
    assert!(at("load modules") < lock);
    assert!(lock < at("write disk") && lock < at("format") && lock < at("switch root"));
}

#[test]
fn an_image_that_requires_secure_execution_opens_no_contract_elsewhere() {
    for required in ["", "\"secure-execution\":\"required\","] {
        let manifest = manifest().replace("\"secure-execution\":\"test\",", required).into_bytes();
        let words = "expected a Secure Execution guest, found none";
        refused(Facts { manifest: manifest.clone(), ..facts() }, Code::SecureExecutionRequired, words);
        let protected = Facts { secure_execution: true, hardware_random: true, manifest, ..facts() };
        let boot = on(protected);
        assert_eq!(boot.result, Ok(()), "{}", boot.said());
        assert!(!boot.said().contains("HPL11104W") && !boot.said().contains("HPL11117W"), "{}", boot.said());
        assert!(
            !boot.file("/run/countersign/transcript.json").contains("is not required"),
            "{}",
            boot.said()
        );
    }
}

#[test]
fn an_image_for_tests_says_so_everywhere() {
    for secure_execution in [false, true] {
        let boot = on(Facts { secure_execution, hardware_random: true, ..facts() });
        assert_eq!(boot.result, Ok(()), "{}", boot.said());
        boot.assert_warned("HPL11117W: this image opens contracts without Secure Execution as well");
        let transcript: serde_json::Value =
            serde_json::from_str(&boot.file("/run/countersign/transcript.json")).unwrap();
        assert!(transcript["warnings"].to_string().contains("HPL11117W"), "{transcript}");
        let record = transcript["record"].as_str().unwrap();
        assert!(record.contains("\nImage accepts: secure-execution: test\n"), "{record}");
    }
}

#[test]
fn the_platform_is_said() {
    let plain = on(facts());
    plain.assert_warned("HPL11104W: this is not a Secure Execution guest");
    let sealed = on(Facts { secure_execution: true, hardware_random: true, ..facts() });
    assert!(!sealed.said().contains("HPL11104W"));
    assert!(sealed.said().contains(" secure_execution=yes "), "{}", sealed.said());
}
