//! Stage `parse`: every way in which the outer text is not a contract.

use countersign_boot::stage::Stage;
use countersign_contract::code::Code;

use crate::support::{Contract, refused};

const SECTIONS: &str = "workload: x\nenv: y\n";

fn ends(user_data: impl Into<Vec<u8>>, code: Code, place: &str, words: &str) {
    let boot = refused(&Contract::raw(user_data));
    boot.assert_place(Stage::Parse, code, place, words);
    // Nothing was unsealed.
    assert!(!boot.asked("read image key"), "{:?}", boot.asked);
}

#[test]
fn text_that_is_not_the_yaml_of_a_contract_is_refused_with_its_place() {
    for (text, code, place, words) in [
        ("", Code::ContractMissing, "/", "expected a yaml map, found nothing"),
        ("# nothing\n", Code::ContractMissing, "/", "expected a yaml map, found nothing"),
        ("workload: [\n", Code::ContractUnparsable, "/workload/0 contract 1:11", "expected valid yaml"),
        (
            "workload: x\n\tenv: y\n",
            Code::ContractUnparsable,
            "/workload contract 1:11",
            "expected valid yaml",
        ),
        ("- x\n", Code::ContractInvalid, "/ contract 1:1", "expected a map"),
        (
            "workload: \"a\u{1}\"\nenv: y\n",
            Code::TextControlCharacter,
            "/ contract 1:13",
            "expected no control",
        ),
        ("workload: x\nworkload: x\n", Code::DuplicateKey, "/workload contract 2:1", "each key once"),
        ("workload: &a x\nenv: y\n", Code::AnchorOrAlias, "/workload contract 1:11", "no anchor"),
        ("workload: *a\nenv: y\n", Code::AnchorOrAlias, "/workload contract 1:11", "no anchor"),
        ("<<: {env: y}\nworkload: x\n", Code::MergeKey, "/ contract 1:1", "no merge key"),
        ("workload: !!str x\nenv: y\n", Code::Tag, "/workload contract 1:11", "no tag"),
        ("workload: x\nenv: y\n---\na: b\n", Code::SeveralDocuments, "/ contract 3:1", "one yaml document"),
        ("1: x\n", Code::KeyNotText, "/ contract 1:1", "a string as key"),
        ("%YAML 1.2\n---\nworkload: x\n", Code::DirectiveRefused, "/ contract 1:1", "no yaml directive"),
        ("env: y\n", Code::SectionMissing, "/workload contract 1:1", "expected the section workload"),
        ("worklaod: x\nenv: y\n", Code::SectionMissing, "/workload contract 1:1", "is workload meant?"),
        ("workload: x\n", Code::SectionMissing, "/env contract 1:1", "expected the section env"),
        ("workload: [x]\nenv: y\n", Code::SectionForm, "/workload contract 1:11", "text, a token, or a map"),
        (
            "workload: hyper-protect-basic.AAAA\nenv: y\n",
            Code::TokenForm,
            "/workload contract 1:11",
            "copy the whole token",
        ),
    ] {
        ends(text, code, place, words);
    }
}

#[test]
fn a_signature_has_its_form_and_is_over_texts() {
    for (text, code, place, words) in [
        (
            "envWorkloadSignature: \"*\"\n",
            Code::ContractInvalid,
            "/envWorkloadSignature contract 3:23",
            "base64",
        ),
        (
            "envWorkloadSignature: 7\n",
            Code::SectionForm,
            "/envWorkloadSignature contract 3:23",
            "expected text",
        ),
        (
            "attestationPublicKey: []\n",
            Code::SectionForm,
            "/attestationPublicKey contract 3:23",
            "expected text",
        ),
    ] {
        ends(format!("{SECTIONS}{text}"), code, place, words);
    }
    let signed_map = "workload: {type: workload}\nenv: y\nenvWorkloadSignature: AAAA\n";
    ends(signed_map, Code::SectionForm, "/workload contract 1:11", "because the contract is signed");
}

#[test]
fn the_bounds_hold_just_outside_them() {
    let long = format!("{SECTIONS}#{}", "x".repeat(1 << 20));
    ends(long, Code::TextTooLarge, "/", "expected at most 1048576 bytes");
    let deep = format!("workload: {}x{}\nenv: y\n", "[".repeat(64), "]".repeat(64));
    let place = format!("/workload{} contract 1:74", "/0".repeat(63));
    ends(deep, Code::TextTooDeep, &place, "expected at most 64 levels");
    let many = format!("workload: [{}]\nenv: y\n", "x,".repeat(16_384));
    ends(
        many,
        Code::TextTooManyNodes,
        "/workload/16381 contract 1:32774",
        "expected at most 16384 keys and values",
    );
    ends(b"workload: \xff\n".to_vec(), Code::TextNotUtf8, "/ contract 1:11", "expected text in UTF-8");
}

#[test]
fn an_unknown_key_at_the_top_is_a_warning_with_the_nearest_name() {
    let boot = refused(&Contract::raw(format!("{SECTIONS}envWorkloadSignatur: AAAA\n")));
    boot.assert_warned("HPL05200W /envWorkloadSignatur (contract line 3, column 1): unknown key, ignored; is envWorkloadSignature meant?");
    boot.assert_refused(Stage::Validate, Code::ContractInvalid);
}
