//! Stage `attest`: the record, held against sha256sum.

use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};

use countersign_boot::failure::Cause;
use countersign_boot::stage::Stage;
use countersign_contract::code::Code;
use countersign_ports::Priority;
use countersign_rehearsal::Facts;

use crate::support::auditor::{opened_by_openssl, sealed_key, with_auditor};
use crate::support::contract::{MOUNT, Medium};
use crate::support::keys::{key_fingerprint, keys, run};
use crate::support::machine::{Boot, DATA, GIB, facts, machine_without_volume, manifest};
use crate::support::{Contract, Sealed, boot, machine, refused};

/// SHA-256 by the sha256sum program.
fn sha256sum(bytes: &[u8]) -> String {
    let mut child = Command::new("sha256sum").stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(bytes).unwrap();
    let output = child.wait_with_output().unwrap();
    String::from_utf8(output.stdout).unwrap()[..64].to_owned()
}

fn record(boot: &Boot) -> String {
    assert_eq!(boot.result, Ok(()), "{}", boot.said());
    let transcript: serde_json::Value =
        serde_json::from_str(&boot.file("/run/countersign/transcript.json")).unwrap();
    transcript["record"].as_str().unwrap().to_owned()
}

/// The lines about the contract disk.
fn disk_lines(medium: &Medium) -> String {
    let mut lines = format!("{} /dev/disk/by-label/cidata\n", sha256sum(&medium.image));
    for name in ["meta-data", "user-data", "vendor-data"] {
        let (_, content) = medium.files.iter().find(|(file, _)| *file == name).unwrap();
        lines.push_str(&format!("{} cidata/{name}\n", sha256sum(content)));
    }
    lines
}

/// The value of a key in `user-data` that stands on one line.
fn value(medium: &Medium, key: &str) -> String {
    let text = std::str::from_utf8(&medium.files[0].1).unwrap();
    text.lines().find_map(|line| line.strip_prefix(&format!("{key}: "))).unwrap().to_owned()
}

/// The record without the public half of the boot's key, which is another one each time, and that key.
fn without_boot_key(record: &str) -> (String, String) {
    let (before, rest) = record.split_once("Key of the final record: ").unwrap();
    let (key, after) = rest.split_once('\n').unwrap();
    (format!("{before}{after}"), key.to_owned())
}

/// The line about the attestation certificate, by the date program.
fn certificate_line() -> String {
    let script =
        "date -u -d \"$(openssl x509 -in \"$1\" -noout -enddate | cut -d= -f2)\" '+%b %d %H:%M:%S %Y UTC'";
    let end = run(Command::new("sh").args(["-c", script, "sh"]).arg(keys().path("attestation.crt")));
    format!("Attestation Certificate valid until: {}\n", end.trim())
}

/// Whether the documented command takes the signature in the folder of the record.
fn openssl_takes(boot: &Boot, record: &[u8]) -> bool {
    let folder = tempfile::tempdir().unwrap();
    let (_, signature) = &boot.files[Path::new("/run/countersign/hyperprotect/se-signature.bin")];
    assert_eq!(signature.len(), 512);
    std::fs::write(folder.path().join("se-signature.bin"), signature).unwrap();
    std::fs::write(folder.path().join("se-checksums.txt"), record).unwrap();
    let mut command = Command::new("openssl");
    command.args(["sha256", "-signature", "se-signature.bin", "-verify"]).arg(keys().path("attestation.pub"));
    command.arg("se-checksums.txt").current_dir(folder.path()).output().unwrap().status.success()
}

#[test]
fn the_record_names_every_input_of_a_signed_contract() {
    let contract = Contract::good();
    let medium = contract.medium();
    let boot = boot(&machine(&contract));
    let record = record(&boot);
    let signer = boot.said();
    let signer = signer.split(" signer=").nth(1).unwrap().split(' ').next().unwrap();
    let mut expected = format!("0.1.0\n{}{}", certificate_line(), disk_lines(&medium));
    for key in ["workload", "env", "envWorkloadSignature"] {
        expected.push_str(&format!("{} contract:{key}\n", sha256sum(value(&medium, key).as_bytes())));
    }
    expected.push_str(&format!(
        "Countersign record: 1\n{} countersign:root.verity\n{signer} countersign:signingKey\nContract is signed\nImage accepts: \
         secure-execution: test\n",
        "ab".repeat(32)
    ));
    let before = boot.lines.iter().take_while(|(_, line)| !line.starts_with("countersign: stage=attest"));
    for (_, line) in before.filter(|(priority, _)| *priority == Priority::Warning) {
        expected.push_str(&format!("Warning: {line}\n"));
    }
    assert!(expected.contains("\nWarning: HPL11104W: "), "{expected}");
    let (found, key) = without_boot_key(&record);
    assert_eq!(found, expected);
    assert_eq!(key.len(), 124, "the public half of a P-256 key");
    let line = format!("stage=attest state=done inputs=9 record={} signed=yes", sha256sum(record.as_bytes()));
    assert!(boot.stage_lines().contains(&line), "{line} in {}", boot.said());
    assert!(openssl_takes(&boot, record.as_bytes()));
    assert!(!openssl_takes(&boot, record.replace("is signed", "is not signed").as_bytes()));
    // The key signs once, and is gone before a disk is touched.
    let place = |wanted: &str| boot.asked.iter().position(|asked| asked.starts_with(wanted)).unwrap();
    assert!(place("read attestation key") < place("forget attestation key"));
    assert!(place("forget attestation key") < place("format "));
    let read = boot.asked.iter().filter(|asked| *asked == "read attestation key").count();
    assert_eq!(read, 1, "{:?}", boot.asked);
}

#[test]
fn the_record_says_what_the_image_is_made_of_and_where_it_runs() {
    let file = |letter: &str| format!(r#"{{"name":"x","size":1,"sha256":"{}"}}"#, letter.repeat(64));
    let build = |root_hash: &str| {
        let (kernel, initramfs, program, sbom) = (file("a"), file("b"), file("c"), file("d"));
        format!(
            r#"{{"format":1,"version":"0.1.0","root_hash":"{root_hash}","files":{{"kernel":{kernel},
            "initramfs":{initramfs},"countersignd":{program},"sbom":{sbom}}}}}"#
        )
    };
    let good = build(&"ab".repeat(32));
    let on = |build: &str| {
        let manifest =
            manifest().replacen('{', "{\"built\":1700000000,\"certificate_not_after\":1814856281,", 1);
        let system_information = "Type: 3932\nSequence Code: 00000000000860A8\nPlant: 02\n".to_owned();
        let facts = Facts {
            build_manifest: Some(build.as_bytes().to_vec()),
            manifest: manifest.into_bytes(),
            system_information,
            unix_time: 1_700_000_000 + 10 * 86_400 + 5,
            ..facts()
        };
        let machine = machine_without_volume(&Contract::good().with_env("countersign: {serial: 7}\n"), facts);
        machine.attach(DATA, "data", GIB);
        boot(&machine)
    };
    let boot = on(&good);
    let record = record(&boot);
    let digit = |letter: &str| letter.repeat(64);
    let head = format!(
        "0.1.0\nMachine Type/Plant/Serial: 3932/02/860A8\nImage age: 10 days since creation.\n\
         Encryption Certificate valid until: Jul 06 06:44:41 2027 UTC\n{}{} sbom\n",
        certificate_line(),
        digit("d")
    );
    assert!(record.starts_with(&head), "{record}");
    let made_of = format!(
        "Countersign record: 1\n{} countersign:build-manifest\n{} countersign:kernel\n{} countersign:initramfs\n\
         {} countersign:countersignd\n",
        sha256sum(good.as_bytes()),
        digit("a"),
        digit("b"),
        digit("c")
    );
    assert!(record.contains(&made_of), "{record}");
    assert!(record.contains("\nContract is signed\nContract serial: 7\n"), "{record}");

    let other = on(&build(&"cd".repeat(32)));
    let words = "expected the build manifest of this image, found another root hash";
    other.assert_machine(Stage::Attest, Code::ImageIncomplete, words);
    on("{}").assert_machine(
        Stage::Attest,
        Code::ImageIncomplete,
        "build manifest of the image: missing field",
    );
}

#[test]
fn an_image_without_a_usable_attestation_key_does_not_boot_unless_it_says_that_it_has_none() {
    let on = |key: &str, certificate: &str| {
        let facts = Facts {
            attestation_key: key.as_bytes().to_vec(),
            attestation_certificate: certificate.as_bytes().to_vec(),
            ..facts()
        };
        let machine = machine_without_volume(&Contract::good(), facts);
        let boot = boot(&machine);
        boot.assert_nothing_written();
        boot
    };
    let (key, certificate) = (keys().pem("attestation.key"), keys().pem("attestation.crt"));
    for (key, certificate, words) in [
        ("", &*certificate, "attestation key of the image: expected an unencrypted private key in PEM form"),
        (&*key, "", "attestation certificate of the image: expected one or more certificates"),
        (&keys().pem("image.key"), &keys().pem("image.crt"), "expected an RSA key of 4096 bits"),
        (&*key, &keys().pem("image.crt"), "expected the certificate of this key"),
    ] {
        on(key, certificate).assert_machine(Stage::Attest, Code::ImageIncomplete, words);
    }

    let facts = Facts { attestation_key: Vec::new(), attestation_certificate: Vec::new(), ..facts() };
    let manifest = manifest().replacen('{', "{\"attestation\":\"none\",", 1);
    let machine =
        machine_without_volume(&Contract::good(), Facts { manifest: manifest.into_bytes(), ..facts });
    machine.attach(DATA, "data", GIB);
    let boot = boot(&machine);
    let record = record(&boot);
    assert!(
        record.contains("\nRecord is not signed\n") && record.contains("\nWarning: HPL11130W"),
        "{record}"
    );
    boot.assert_warned(Code::RecordUnsigned.as_str());
    assert!(!boot.asked("read attestation key"));
    assert!(!boot.files.contains_key(Path::new("/run/countersign/hyperprotect/se-signature.bin")));
}

#[test]
fn the_folder_of_the_record_has_hpcrs_files_and_modes_and_is_shown_read_only() {
    let contract = with_auditor(&keys().base64("auditor.pub"));
    let boot = boot(&machine(&contract));
    assert_eq!(boot.result, Ok(()), "{}", boot.said());
    let medium = contract.medium();
    let on_disk = |name: &str| medium.files.iter().find(|(file, _)| *file == name).unwrap().1.clone();
    let home = "/run/countersign/hyperprotect/";
    let found: Vec<(&str, u32)> = boot
        .files
        .iter()
        .filter_map(|(path, (mode, _))| Some((path.to_str()?.strip_prefix(home)?, *mode)))
        .collect();
    let names = [
        "attestationPublicKey",
        "cidata/meta-data",
        "cidata/vendor-data",
        "countersign/attestation.crt",
        "countersign/record.json",
        "se-checksums.txt.enc",
        "se-signature.bin",
        "se-version",
    ];
    assert_eq!(found, names.map(|name| (name, 0o400)));
    let content = |name: &str| boot.files[Path::new(&format!("{home}{name}"))].1.clone();
    assert_eq!(content("se-version"), b"0.1.0\n");
    assert_eq!(content("cidata/meta-data"), on_disk("meta-data"));
    assert_eq!(content("cidata/vendor-data"), on_disk("vendor-data"));
    assert_eq!(content("attestationPublicKey"), keys().pem("auditor.pub").into_bytes());
    let token = String::from_utf8(content("se-checksums.txt.enc")).unwrap();
    assert!(token.starts_with("hyper-protect-basic.") && !token.ends_with('\n'));
    assert!(openssl_takes(&boot, opened_by_openssl(&token).as_bytes()));
    for (folder, mode) in [("", "500"), ("/cidata", "500"), ("/countersign", "700")] {
        let made = format!("make directory /run/countersign/hyperprotect{folder} mode=0{mode}");
        assert!(boot.asked.iter().any(|asked| asked.starts_with(&made)), "{made} in {:?}", boot.asked);
    }
    let bind =
        "bind /run/countersign/hyperprotect to /sysroot/var/hyperprotect read-only nosuid nodev noexec";
    assert!(boot.asked(bind), "{:?}", boot.asked);
}

#[test]
fn a_volume_may_lie_in_the_folder_of_the_record_or_in_its_place() {
    let at = |mount: &str| {
        let contract = Contract::good().with(MOUNT, mount);
        let boot = boot(&machine(&contract));
        assert_eq!(boot.result, Ok(()), "{}", boot.said());
        boot
    };
    let below = at("/var/hyperprotect/data");
    assert!(below.asked("make directory /run/countersign/hyperprotect/data mode=0755"), "{:?}", below.asked);
    let bound = below.asked.iter().position(|asked| asked.contains("to /sysroot/var/hyperprotect ")).unwrap();
    let moved =
        below.asked.iter().position(|asked| asked.contains("/sysroot/var/hyperprotect/data")).unwrap();
    assert!(bound < moved, "{:?}", below.asked);
    let place = at("/var/hyperprotect");
    assert!(!place.asked.iter().any(|asked| asked.starts_with("bind /run/countersign/hyperprotect")));
}

#[test]
fn the_record_says_that_nobody_signed_and_hashes_readable_sections_as_they_stand() {
    let mut contract = Contract::good().unsigned();
    contract.sealed = Sealed::No;
    let medium = contract.medium();
    let record = record(&boot(&machine(&contract)));
    let text = std::str::from_utf8(&medium.files[0].1).unwrap();
    // A block scalar is its lines without the indentation of two.
    let block = |from: &str, to: Option<&str>| {
        let rest = &text[text.find(from).unwrap() + from.len()..];
        let rest = to.map_or(rest, |to| &rest[..rest.find(to).unwrap()]);
        rest.lines().map(|line| format!("{}\n", &line[2..])).collect::<String>()
    };
    let expected = format!(
        "0.1.0\n{}{}{} contract:workload\n{} contract:env\nCountersign record: 1\n{} countersign:root.verity\n\
         Contract is not signed\nImage accepts: secure-execution: test\nKey of the final record: ",
        certificate_line(),
        disk_lines(&medium),
        sha256sum(block("workload: |\n", Some("env: |\n")).as_bytes()),
        sha256sum(block("\nenv: |\n", None).as_bytes()),
        "ab".repeat(32),
    );
    assert!(record.starts_with(&expected), "{record}");
    assert!(record.contains("\nWarning: HPL12100W"), "{record}");
}

#[test]
fn one_byte_of_the_contract_disk_changes_the_record() {
    let contract = Contract::good();
    let first = record(&boot(&machine(&contract)));
    let machine = machine(&contract);
    // In the system area, which no file system reads.
    machine.put("/dev/vda", 7, b"x");
    let second = record(&boot(&machine));
    let (first, second) = (without_boot_key(&first).0, without_boot_key(&second).0);
    let differing: Vec<(&str, &str)> = first.lines().zip(second.lines()).filter(|(a, b)| a != b).collect();
    assert_eq!(differing.len(), 1, "{differing:?}");
    assert!(differing[0].0.ends_with(" /dev/disk/by-label/cidata"));
}

#[test]
fn the_record_of_a_contract_with_an_auditor_is_for_the_auditor_alone() {
    let escaped = format!("{:?}", keys().pem("auditor.pub"));
    for key in [
        keys().base64("auditor.pub"),
        keys().base64("auditor.crt"),
        escaped,
        sealed_key(&["seal"], "auditor.pub"),
        sealed_key(&["seal-v1", "attestationPublicKey"], "auditor.pub"),
    ] {
        let contract = with_auditor(&key);
        let boot = boot(&machine(&contract));
        let token = record(&boot);
        assert!(token.starts_with("hyper-protect-basic.") && !token.contains('\n'), "{token}");
        let record = opened_by_openssl(&token);
        assert!(record.contains("\nContract is signed\n"), "{record}");
        // Nobody signed the key: whoever delivers the contract could have put another one there.
        let line = "\nAuditor's key: not covered by a signature, the host could have exchanged it\n";
        assert!(record.contains(line), "{record}");
        let line = format!("\n{} countersign:auditor\n", key_fingerprint("auditor.pub"));
        assert!(record.contains(&line), "{record}");
        // The string as it stands in the contract, or what a YAML reader makes of it.
        let string: String = serde_json::from_str(&key).unwrap_or(key);
        let line = format!("{} contract:attestationPublicKey\n", sha256sum(string.as_bytes()));
        assert!(record.contains(&line), "{line} in {record}");
        let line = format!(
            "stage=attest state=done inputs=11 record={} signed=yes encrypted=yes",
            sha256sum(record.as_bytes())
        );
        assert!(boot.stage_lines().contains(&line), "{line} in {}", boot.said());
        // No file of the handover holds the record in the open.
        let readable = |content: &[u8]| content.windows(19).any(|window| window == b" cidata/vendor-data");
        assert!(!boot.files.values().any(|(_, content)| readable(content)));
    }
}

#[test]
fn an_auditors_key_that_cannot_be_used_ends_the_boot() {
    let ends = |key: &str, code: Code, words: &str| {
        refused(&with_auditor(key)).assert_place(
            Stage::Verify,
            code,
            "/attestationPublicKey contract 3:23",
            words,
        );
    };
    let form = "expected a public key or a certificate, in PEM form or base64 of that; give the auditor's";
    ends("an-auditors-key", Code::AttestationKeyForm, form);
    ends("\"\"", Code::AttestationKeyForm, form);
    ends(&keys().base64("auditor.key"), Code::AttestationKeyForm, form);
    ends(&keys().base64("elliptic.pub"), Code::AttestationKeyForm, "expected an RSA key");
    ends(&keys().base64("small.pub"), Code::AttestationKeyForm, "at least 2048 bits, found 1024");
    ends(&sealed_key(&["seal"], "elliptic.pub"), Code::AttestationKeyForm, "expected an RSA key");
    // A token for another place does not open.
    let moved = sealed_key(&["seal-v1", "env"], "auditor.pub");
    ends(&moved, Code::BootInvalidContract, "the token does not open with the key of this image");
}

#[test]
fn a_key_that_nothing_can_be_encrypted_to_ends_the_boot() {
    let boot = refused(&with_auditor(&keys().base64("unusable.pub")));
    boot.assert_refused(Stage::Attest, Code::AttestationKeyForm);
    let expected = "expected an attestationPublicKey that the record can be encrypted to: ";
    assert!(boot.sentence().contains(expected), "{}", boot.said());
    assert!(boot.sentence().ends_with(
        "; give the auditor's public key, extracted with openssl pkey -pubout, or remove the field"
    ));
    // The capsule would be for the same key.
    assert!(boot.said().contains("there is no failure capsule: "), "{}", boot.said());
}

#[test]
fn an_auditor_whom_the_signature_covers_is_named_under_countersign() {
    let named =
        |name: &str| format!("countersign: {{attestation: {{auditor: \"{}\"}}}}\n", keys().base64(name));
    let boot = boot(&machine(&Contract::good().with_env(&named("auditor.crt"))));
    let record = opened_by_openssl(&record(&boot));
    let line = "\nAuditor's key: covered by the contract's signature\n";
    assert!(record.contains(line), "{record}");
    let line = format!("\n{} countersign:auditor\n", key_fingerprint("auditor.pub"));
    assert!(record.contains(&line), "{record}");
    // Without a signature nothing covers it.
    let mut unsigned = Contract::good().unsigned().with_env(&named("auditor.pub"));
    unsigned.sealed = Sealed::No;
    let boot = crate::support::boot(&machine(&unsigned));
    let record = opened_by_openssl(&self::record(&boot));
    assert!(record.contains("\nAuditor's key: not covered by a signature, "), "{record}");
    // Beside attestationPublicKey it has to be the same key, in whatever form.
    let both = |top: &str, signed: &str| with_auditor(&keys().base64(top)).with_env(&named(signed));
    let boot = crate::support::boot(&machine(&both("auditor.pub", "auditor.crt")));
    assert!(opened_by_openssl(&self::record(&boot)).contains(&line));
    let pointer = "/env/countersign/attestation/auditor";
    for (contract, words) in [
        (both("auditor.pub", "signer.pub"), "expected the same key as attestationPublicKey"),
        (Contract::good().with_env(&named("small.pub")), "at least 2048 bits, found 1024"),
        (Contract::good().with_env(&named("auditor.key")), "expected a public key or a certificate"),
        (Contract::good().with_env(&named("elliptic.pub")), "expected an RSA key"),
    ] {
        let boot = refused(&contract);
        boot.assert_refused(Stage::Validate, Code::AttestationKeyForm);
        let Cause::Contract(finding) = boot.failure().cause.as_ref() else { panic!("{}", boot.said()) };
        assert_eq!(finding.pointer.as_str(), pointer);
        assert!(boot.sentence().contains(words), "{words:?} in {}", boot.sentence());
    }
}
