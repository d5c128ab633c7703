//! The table signature × signing key of `CONTRACT.md`, each row for each form in which a key may stand.

use countersign_boot::stage::Stage;
use countersign_contract::code::Code;
use countersign_rehearsal::Facts;

use crate::support::keys::{DAY, key_fingerprint, keys};
use crate::support::machine::{Boot, DATA, GIB, facts, machine_without_volume};
use crate::support::{Contract, Sealed, boot};

const WITHIN: i64 = DAY;
const OVER: i64 = 11 * DAY;
const NOT_BEGUN: i64 = -DAY;

/// What becomes of the signature.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Signature {
    Absent,
    Fits,
    OfAnotherKey,
    NotBase64,
    Empty,
}

/// A row: the signature, the time after the certificates were made, the outcome for a key and for a certificate.
type Row = (Signature, i64, Outcome, Outcome);
/// Accepted, or the stage and code of the refusal.
type Outcome = Result<(), (Stage, Code)>;

const INVALID: Outcome = Err((Stage::Verify, Code::SignatureInvalid));
const INCOMPLETE: Outcome = Err((Stage::Verify, Code::SignatureIncomplete));
const UNSIGNED: Outcome = Err((Stage::Verify, Code::SealedUnsigned));
const EXPIRED: Outcome = Err((Stage::Verify, Code::ContractExpired));
const MALFORMED: Outcome = Err((Stage::Parse, Code::ContractInvalid));

const ROWS: &[Row] = &[
    (Signature::Fits, WITHIN, Ok(()), Ok(())),
    (Signature::OfAnotherKey, WITHIN, INVALID, INVALID),
    (Signature::Absent, WITHIN, UNSIGNED, UNSIGNED),
    (Signature::NotBase64, WITHIN, MALFORMED, MALFORMED),
    (Signature::Empty, WITHIN, MALFORMED, MALFORMED),
    // A bare key has no dates. Those of a certificate count once the signature fits.
    (Signature::Fits, OVER, Ok(()), EXPIRED),
    (Signature::Fits, NOT_BEGUN, Ok(()), EXPIRED),
    (Signature::OfAnotherKey, OVER, INVALID, INVALID),
    (Signature::Absent, OVER, UNSIGNED, UNSIGNED),
];

/// The forms of a key or certificate, as lines of the env section.
fn forms(name: &str) -> Vec<String> {
    let pem = keys().pem(name);
    let block: String = pem.lines().map(|line| format!("  {line}\n")).collect();
    vec![
        format!("signingKey: @{name}@\n"),
        format!("signingKey: |\n{block}"),
        format!("signingKey: {:?}\n", pem.replace('\n', "\r\n")),
        format!("signingKey: '{}'\n", pem.replace('\n', "\\n")),
    ]
}

fn contract(signature: Signature, key: &str) -> Contract {
    let mut contract = Contract::good().authenticated().with("signingKey: @signer.pub@\n", key);
    let altered = |new: &str| vec![("envWorkloadSignature: ".to_owned(), new.to_owned())];
    match signature {
        Signature::Fits => {}
        Signature::Absent => contract.signer = None,
        Signature::OfAnotherKey => contract.signer = Some("other-signer.key"),
        Signature::NotBase64 => contract.altered = altered("envWorkloadSignature: '*'\nnote: "),
        Signature::Empty => contract.altered = altered("envWorkloadSignature: ''\nnote: "),
    }
    contract
}

fn at(contract: &Contract, time: i64) -> Boot {
    let machine = machine_without_volume(contract, Facts { unix_time: keys().made + time, ..facts() });
    machine.attach(DATA, "data", GIB);
    boot(&machine)
}

fn assert_row(signature: Signature, time: i64, key: &str, expected: Outcome) {
    let boot = at(&contract(signature, key), time);
    let row = format!("{signature:?} at {time} with {key}: {}", boot.said());
    match expected {
        Ok(()) => {
            assert_eq!(boot.result, Ok(()), "{row}");
            let line = format!("stage=verify state=done signed=yes signer={}", key_fingerprint("signer.pub"));
            assert!(boot.stage_lines().contains(&line), "{row}");
        }
        Err((stage, code)) => {
            let failure = boot.result.as_ref().expect_err(&row);
            assert_eq!((failure.stage, failure.code()), (stage, code), "{row}");
            assert!(boot.sentence().ends_with(code.remedy()), "{row}");
            boot.assert_nothing_written();
        }
    }
}

#[test]
fn every_row_holds_for_a_key_in_every_form() {
    for key in forms("signer.pub") {
        for (signature, time, expected, _) in ROWS {
            assert_row(*signature, *time, &key, *expected);
        }
    }
}

#[test]
fn every_row_holds_for_a_certificate_in_every_form() {
    for certificate in forms("signer.crt") {
        for (signature, time, _, expected) in ROWS {
            assert_row(*signature, *time, &certificate, *expected);
        }
    }
}

#[test]
fn a_key_that_is_none_is_said_before_the_signature() {
    for key in ["signingKey: no-key\n", "signingKey: @elliptic.pub@\n", "signingKey: ''\n"] {
        for signature in [Signature::Fits, Signature::OfAnotherKey] {
            assert_row(signature, WITHIN, key, Err((Stage::Verify, Code::SigningKeyForm)));
        }
        assert_row(Signature::Absent, WITHIN, key, UNSIGNED);
    }
}

#[test]
fn without_a_key_a_contract_is_unsigned_or_incomplete() {
    for signature in [Signature::Fits, Signature::OfAnotherKey] {
        assert_row(signature, WITHIN, "", INCOMPLETE);
    }
    assert_row(Signature::Absent, WITHIN, "", UNSIGNED);
    // In readable text both are what they are.
    let readable = |key: &str| Contract { sealed: Sealed::No, ..contract(Signature::Absent, key) };
    for key in forms("signer.pub").iter().chain(&forms("signer.crt")) {
        let boot = at(&readable(key), WITHIN);
        boot.assert_refused(Stage::Verify, Code::SignatureIncomplete);
    }
    let boot = at(&readable(""), WITHIN);
    assert_eq!(boot.result, Ok(()), "{}", boot.said());
    boot.assert_warned("HPL12100W");
    assert!(boot.stage_lines().contains(&"stage=verify state=done signed=no".to_owned()));
    let transcript: serde_json::Value =
        serde_json::from_str(&boot.file("/run/countersign/transcript.json")).unwrap();
    assert!(transcript["record"].as_str().unwrap().contains("\nContract is not signed\n"));
    assert!(transcript["warnings"].to_string().contains("HPL12100W"));
}
