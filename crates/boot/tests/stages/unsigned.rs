//! Contracts without signature: nothing sealed may stand in one, unless the image says so; readable ones are accepted.

use countersign_boot::stage::Stage;
use countersign_contract::code::Code;

use crate::support::auditor::sealed_key;
use crate::support::keys::keys;
use crate::support::machine::boot_on;
use crate::support::{Contract, Sealed, refused};

const OLD: &[&str] = &[];
const NEW: &[&str] = &["workload", "env"];

const ACCEPTS: &str = r#""unsigned":"accept""#;

fn readable() -> Contract {
    Contract { sealed: Sealed::No, ..Contract::good().unsigned() }
}

fn with_auditor(key: &str) -> Contract {
    Contract {
        altered: vec![("workload: ".into(), format!("attestationPublicKey: {key}\nworkload: "))],
        ..readable()
    }
}

/// One for each place in which something is sealed, and each kind of token; with and without a signing key.
fn sealed_contracts() -> Vec<Contract> {
    let mut contracts = vec![
        with_auditor(&sealed_key(&["seal"], "auditor.pub")),
        with_auditor(&sealed_key(&["seal-v1", "attestationPublicKey"], "auditor.pub")),
    ];
    for authenticated in [OLD, NEW] {
        for sealed in [Sealed::Both, Sealed::EnvOnly, Sealed::WorkloadOnly] {
            let signed = Contract { sealed, authenticated, ..Contract::good() };
            contracts.extend([signed.clone().unsigned(), Contract { signer: None, ..signed }]);
        }
    }
    contracts
}

#[test]
fn nothing_sealed_is_taken_without_a_signature() {
    for contract in sealed_contracts() {
        let boot = refused(&contract);
        boot.assert_place(
            Stage::Verify,
            Code::SealedUnsigned,
            "/envWorkloadSignature",
            "expected a signature, because a section is sealed; name the key as env.signingKey and sign",
        );
        assert!(boot.sentence().ends_with(Code::SealedUnsigned.remedy()), "{}", boot.sentence());
    }
}

#[test]
fn what_is_readable_as_a_whole_is_accepted_with_the_warning() {
    for contract in [readable(), with_auditor(&keys().base64("auditor.pub"))] {
        let boot = boot_on(r#""unsigned":"plain""#, &contract);
        assert_eq!(boot.result, Ok(()), "{}", boot.said());
        boot.assert_warned("HPL12100W: the contract is not signed");
        assert!(!boot.said().contains("HPL12116W"), "{}", boot.said());
    }
}

#[test]
fn a_strangers_workload_beside_a_sealed_env_gets_nothing_of_it() {
    // The host has the deployer's token and the certificate of the image, as everybody has, and writes the rest.
    let theirs = crate::support::contract::IMAGE.replace("registry.example.org", "other.example");
    let env = Contract { sealed: Sealed::EnvOnly, authenticated: &["env"], ..Contract::good().unsigned() };
    let stranger = env.with_compose(&format!("services:\n  other:\n    image: {theirs}\n"));
    let boot = refused(&stranger);
    boot.assert_place(Stage::Verify, Code::SealedUnsigned, "/envWorkloadSignature", "expected a signature");
    // The deployer's log server is told; the workload stays unread.
    assert!(boot.reports(), "{:?}", boot.asked);
    assert!(!boot.files.keys().any(|path| path.starts_with("/sysroot/data1")), "{:?}", boot.files.keys());
    assert!(!boot.stage_lines().iter().any(|line| line.contains("validate")), "{}", boot.said());
}

#[test]
fn an_image_may_accept_them_and_says_so_in_warning_transcript_and_record() {
    for contract in sealed_contracts() {
        // A key without signature, which is refused all the same.
        if contract.signer.is_none() && contract.env.contains("signingKey") {
            continue;
        }
        let boot = boot_on(ACCEPTS, &contract);
        assert_eq!(boot.result, Ok(()), "{}", boot.said());
        boot.assert_warned("HPL12100W: the contract is not signed");
    }
    // Whether or not the contract is signed: the image is what is told about.
    for (contract, said) in [
        (Contract::good(), "Contract is signed\n"),
        (Contract::good().unsigned(), "Contract is not signed\n"),
    ] {
        let boot = boot_on(ACCEPTS, &contract);
        assert_eq!(boot.result, Ok(()), "{}", boot.said());
        boot.assert_warned("HPL12116W: this image accepts sealed contracts without a signature");
        assert!(boot.stage_lines()[1].ends_with(" secure_execution=no unsigned=accept"), "{}", boot.said());
        let transcript: serde_json::Value =
            serde_json::from_str(&boot.file("/run/countersign/transcript.json")).unwrap();
        assert!(transcript["warnings"].to_string().contains("HPL12116W"), "{transcript}");
        assert!(transcript["stages"][0].to_string().contains(r#"["unsigned","accept"]"#), "{transcript}");
        let record = transcript["record"].as_str().unwrap();
        assert!(record.contains(&format!("\n{said}")), "{record}");
        assert!(record.contains("\nImage accepts: unsigned: accept\n"), "{record}");
    }
}

#[test]
fn an_image_may_refuse_readable_ones_too() {
    for image in [
        r#""refuse_unsigned":true"#,
        r#""unsigned":"refuse""#,
        r#""unsigned":"plain","refuse_unsigned":true"#,
    ] {
        let boot = boot_on(image, &readable());
        boot.assert_refused(Stage::Verify, Code::UnsignedRefused);
        assert!(boot.sentence().contains("HPL12102E /env/signingKey (contract line "), "{}", boot.sentence());
        boot.assert_nothing_written();
        assert_eq!(boot_on(image, &Contract::good()).result, Ok(()));
    }
    for image in [r#""refuse_unsigned":false"#, r#""unsigned":"plain""#] {
        assert_eq!(boot_on(image, &readable()).result, Ok(()));
        boot_on(image, &Contract::good().unsigned()).assert_refused(Stage::Verify, Code::SealedUnsigned);
    }
}

#[test]
fn an_image_that_says_two_things_is_incomplete() {
    let words = "expected a manifest image.json of this version: ";
    for image in
        [r#""unsigned":"accept","refuse_unsigned":true"#, r#""unsigned":"yes""#, r#""unsigned":true"#]
    {
        boot_on(image, &readable()).assert_machine(Stage::Preflight, Code::ImageIncomplete, words);
    }
}
