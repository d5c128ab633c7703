//! Stage `attest`: the record, held against sha256sum.

use std::io::Write;
use std::process::{Command, Stdio};

use countersign_boot::stage::Stage;
use countersign_contract::code::Code;

use crate::support::auditor::{opened_by_openssl, sealed_key, with_auditor};
use crate::support::contract::Medium;
use crate::support::keys::keys;
use crate::support::machine::Boot;
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

#[test]
fn the_record_names_every_input_of_a_signed_contract() {
    let contract = Contract::good();
    let medium = contract.medium();
    let boot = boot(&machine(&contract));
    let record = record(&boot);
    let signer = boot.said();
    let signer = signer.split(" signer=").nth(1).unwrap().split(' ').next().unwrap();
    let mut expected = format!(
        "0.1.0\nContract is signed\n{signer} signingKey\nSecure Execution is not required\n{} root.verity\n",
        "ab".repeat(32)
    );
    expected.push_str(&disk_lines(&medium));
    for key in ["workload", "env", "envWorkloadSignature"] {
        expected.push_str(&format!("{} contract:{key}\n", sha256sum(value(&medium, key).as_bytes())));
    }
    assert_eq!(record, expected);
    // Lines as HPCR's: a digest, one space, a name.
    let sentence = |line: &&str| *line != "Secure Execution is not required";
    for line in record.lines().skip(2).filter(sentence) {
        let (digest, name) = line.split_once(' ').unwrap();
        assert!(digest.len() == 64 && digest.bytes().all(|byte| byte.is_ascii_hexdigit()), "{line}");
        assert!(!name.contains(' '), "{line}");
    }
    let line = format!("stage=attest state=done inputs=8 record={}", sha256sum(record.as_bytes()));
    assert!(boot.stage_lines().contains(&line), "{line} in {}", boot.said());
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
        "0.1.0\nContract is not signed\nSecure Execution is not required\n{} root.verity\n{}{} contract:workload\n{} contract:env\n",
        "ab".repeat(32),
        disk_lines(&medium),
        sha256sum(block("workload: |\n", Some("env: |\n")).as_bytes()),
        sha256sum(block("\nenv: |\n", None).as_bytes()),
    );
    assert_eq!(record, expected);
}

#[test]
fn one_byte_of_the_contract_disk_changes_the_record() {
    let contract = Contract::good();
    let first = record(&boot(&machine(&contract)));
    let machine = machine(&contract);
    // In the system area, which no file system reads.
    machine.put("/dev/vda", 7, b"x");
    let second = record(&boot(&machine));
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
        assert!(record.starts_with("0.1.0\nContract is signed\n"), "{record}");
        // The string as it stands in the contract, or what a YAML reader makes of it.
        let string: String = serde_json::from_str(&key).unwrap_or(key);
        let line = format!("{} contract:attestationPublicKey\n", sha256sum(string.as_bytes()));
        assert!(record.contains(&line), "{line} in {record}");
        let line =
            format!("stage=attest state=done inputs=9 record={} encrypted=yes", sha256sum(record.as_bytes()));
        assert!(boot.stage_lines().contains(&line), "{line} in {}", boot.said());
        // No file of the handover holds the record in the open.
        let readable = |content: &[u8]| content.windows(18).any(|window| window == b"cidata/vendor-data");
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
