//! Stage `unseal`: whatever is wrong with a token, one answer.

use countersign_boot::stage::Stage;
use countersign_contract::code::Code;
use countersign_system::recorder::Facts;

use crate::support::keys::keys;
use crate::support::machine::{Boot, DATA, GIB, facts, machine_without_volume};
use crate::support::{Contract, Sealed, boot, refused};

/// The `env` token of a contract.
fn token(contract: &Contract) -> String {
    let text = String::from_utf8(contract.medium().files[0].1.clone()).unwrap();
    text.lines().find_map(|line| line.strip_prefix("env: ")).unwrap().to_owned()
}

/// The contract with its `env` token changed.
fn with_token(change: impl Fn(&mut Vec<String>)) -> Contract {
    let mut contract = Contract::good();
    let token = token(&contract);
    let mut parts: Vec<String> = token.split('.').map(str::to_owned).collect();
    change(&mut parts);
    contract.altered = vec![(token, parts.join("."))];
    contract
}

/// Another base64 character at a place.
fn flip(text: &mut String, at: usize) {
    let other = if &text[at..=at] == "A" { "B" } else { "A" };
    text.replace_range(at..=at, other);
}

fn with_key(image_key: Vec<u8>) -> Boot {
    let machine = machine_without_volume(&Contract::good(), Facts { image_key, ..facts() });
    machine.attach(DATA, "data", GIB);
    let boot = boot(&machine);
    boot.assert_nothing_written();
    boot
}

#[test]
fn every_unopened_token_gives_the_same_answer() {
    let wrong_key = Contract { image: "other-image.crt", ..Contract::good() };
    // Altered in the sealed passphrase, in the salt, at the end of the text, by a block less, and with parts of another.
    let foreign = token(&Contract::good().with_env("# another\n"));
    let foreign: Vec<&str> = foreign.split('.').collect();
    let cases = [
        wrong_key,
        with_token(|parts| flip(&mut parts[1], 100)),
        with_token(|parts| flip(&mut parts[2], 14)),
        with_token(|parts| {
            let last = parts[2].trim_end_matches('=').len() - 2;
            flip(&mut parts[2], last);
        }),
        with_token(|parts| parts[1] = foreign[1].to_owned()),
    ];
    let mut answers: Vec<Vec<String>> = Vec::new();
    for contract in &cases {
        let boot = refused(contract);
        boot.assert_refused(Stage::Unseal, Code::BootInvalidContract);
        let said: Vec<String> = boot.lines.iter().map(|(_, text)| text.clone()).collect();
        let end = said.iter().position(|line| line.contains("stage=unseal state=start")).unwrap();
        // The contract disks are of different sizes; what follows is equal but for the column of nothing.
        answers.push(said[end..].to_vec());
    }
    for answer in &answers {
        assert_eq!(answer, &answers[0]);
    }
    refused(&cases[0]).assert_place(
        Stage::Unseal,
        Code::BootInvalidContract,
        "/env contract 2:6",
        "seal the section again with the encryption certificate of this very image",
    );
}

#[test]
fn an_image_without_a_usable_key_is_incomplete() {
    let elliptic = keys().pem("elliptic.key").into_bytes();
    let public = keys().pem("image.pub").into_bytes();
    for key in [Vec::new(), b"no key".to_vec(), elliptic, public] {
        with_key(key).assert_machine(Stage::Unseal, Code::ImageIncomplete, "expected");
    }
}

#[test]
fn the_key_of_another_image_does_not_open() {
    let boot = with_key(keys().pem("other-image.key").into_bytes());
    boot.assert_refused(Stage::Unseal, Code::BootInvalidContract);
}

#[test]
fn what_the_token_held_is_refused_with_its_own_lines() {
    let mut contract = Contract::good();
    contract.env = "type: env\nlogging: [\n".to_owned();
    refused(&contract).assert_place(
        Stage::Unseal,
        Code::ContractUnparsable,
        "/env/logging/0 env 3:1",
        "expected valid yaml",
    );
    // The same text in the open counts in the contract.
    contract.sealed = Sealed::No;
    let boot = refused(&contract);
    boot.assert_refused(Stage::Unseal, Code::ContractUnparsable);
    assert!(boot.sentence().contains("/env/logging/0 (contract line "), "{}", boot.sentence());
}

#[test]
fn the_workload_stays_sealed_until_the_signature_was_verified() {
    // A workload that does not open, in a contract whose signature does not fit: the signature is the cause.
    let mut contract = Contract::good();
    let text = String::from_utf8(contract.medium().files[0].1.clone()).unwrap();
    let token = text.lines().find_map(|line| line.strip_prefix("workload: ")).unwrap().to_owned();
    let mut altered = token.clone();
    flip(&mut altered, 100);
    contract.altered = vec![(token, altered)];
    refused(&contract).assert_refused(Stage::Verify, Code::SignatureInvalid);
    // Unsigned, it is the token.
    let contract = contract_with_broken_workload();
    refused(&contract).assert_place(
        Stage::Verify,
        Code::BootInvalidContract,
        "/workload contract 1:11",
        "seal the section",
    );
}

fn contract_with_broken_workload() -> Contract {
    let mut contract = Contract::good().unsigned();
    let text = String::from_utf8(contract.medium().files[0].1.clone()).unwrap();
    let token = text.lines().find_map(|line| line.strip_prefix("workload: ")).unwrap().to_owned();
    let mut altered = token.clone();
    flip(&mut altered, 100);
    contract.altered = vec![(token, altered)];
    contract
}
