//! Stage `unseal`: what opens `env` and what does not. Of old tokens it says nothing (`old_tokens`).

use countersign_boot::stage::Stage;
use countersign_contract::code::Code;
use countersign_rehearsal::Facts;

use crate::support::contract::signed;
use crate::support::keys::keys;
use crate::support::machine::{Boot, DATA, GIB, facts, machine_without_volume};
use crate::support::{Contract, Sealed, boot, refused};

/// Another base64 character at a place.
fn flip(text: &mut String, at: usize) {
    let other = if &text[at..=at] == "A" { "B" } else { "A" };
    text.replace_range(at..=at, other);
}

fn with_key(image_key: Vec<u8>) -> Boot {
    let machine = machine_without_volume(&Contract::good().authenticated(), Facts { image_key, ..facts() });
    machine.attach(DATA, "data", GIB);
    let boot = boot(&machine);
    boot.assert_nothing_written();
    boot
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
    boot.assert_place(
        Stage::Unseal,
        Code::BootInvalidContract,
        "/env contract 2:6",
        "the token does not open with the key of this image; seal the section again with the encryption certificate",
    );
}

#[test]
fn what_the_token_held_is_refused_with_its_own_lines() {
    let mut contract = Contract::good().authenticated();
    contract.env = "type: env\nlogging: [\n".to_owned();
    refused(&contract).assert_place(
        Stage::Unseal,
        Code::ContractUnparsable,
        "/env/logging/0 env 2:10",
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
    let mut contract = Contract { authenticated: &["env"], ..Contract::good() };
    let text = String::from_utf8(contract.medium().files[0].1.clone()).unwrap();
    let token = text.lines().find_map(|line| line.strip_prefix("workload: ")).unwrap().to_owned();
    let mut altered = token.clone();
    flip(&mut altered, 100);
    contract.altered = vec![(token, altered)];
    refused(&contract).assert_refused(Stage::Verify, Code::SignatureInvalid);
    // Where the signature fits, it is the token.
    let text = String::from_utf8(Contract::good().medium().files[0].1.clone()).unwrap();
    let env = text.lines().find_map(|line| line.strip_prefix("env: ")).unwrap();
    let elsewhere = Contract { image: "other-image.crt", ..Contract::good() }.medium();
    let elsewhere = String::from_utf8(elsewhere.files[0].1.clone()).unwrap();
    let workload = elsewhere.lines().find_map(|line| line.strip_prefix("workload: ")).unwrap();
    refused(&signed(workload, env)).assert_place(
        Stage::Verify,
        Code::BootInvalidContract,
        "/workload contract 1:11",
        "the token does not open with the key of this image; seal the section",
    );
}
