//! Stage `verify`: the table signature × key × certificate, row by row.

use countersign_boot::stage::Stage;
use countersign_contract::code::Code;
use countersign_rehearsal::Facts;

use crate::support::keys::{DAY, key_fingerprint, keys};
use crate::support::machine::{Boot, DATA, GIB, facts, machine_without_volume, manifest};
use crate::support::{Contract, Sealed, boot, machine, refused};

const KEY: &str = "signingKey: @signer.pub@\n";

/// Both sections in tokens about which everything is told.
fn good() -> Contract {
    Contract::good().authenticated()
}

fn with_key(key: &str) -> Contract {
    good().with(KEY, key)
}

fn at(contract: &Contract, unix_time: i64) -> Boot {
    let machine = machine_without_volume(contract, Facts { unix_time, ..facts() });
    machine.attach(DATA, "data", GIB);
    boot(&machine)
}

/// The place of the signing key in the readable text of the sealed section.
fn ends(contract: &Contract, code: Code, words: &str) {
    let line = contract.env.lines().position(|line| line.starts_with("signingKey")).map(|line| line + 1);
    let place = match line {
        Some(line) => format!("/env/signingKey env {line}:13"),
        None => "/env/signingKey env 1:1".to_owned(),
    };
    let boot = refused(contract);
    boot.assert_place(Stage::Verify, code, &place, words);
    assert!(boot.sentence().ends_with(code.remedy()), "{}", boot.sentence());
}

#[test]
fn signature_and_key_come_together() {
    let without_key = with_key("");
    ends(&without_key, Code::SignatureIncomplete, "do not come together");
    // Readable; what is sealed is refused without signature for that (`unsigned`).
    let without_signature = Contract { signer: None, sealed: Sealed::No, ..Contract::good() };
    let boot = refused(&without_signature);
    boot.assert_refused(Stage::Verify, Code::SignatureIncomplete);
    assert!(boot.sentence().contains("HPL12004E /env/signingKey (contract line "), "{}", boot.sentence());
}

#[test]
fn a_signature_by_public_key_or_certificate_is_verified_and_named() {
    let pem = |name: &str| {
        let indented: String = keys().pem(name).lines().map(|line| format!("  {line}\n")).collect();
        format!("signingKey: |\n{indented}")
    };
    let signer = key_fingerprint("signer.pub");
    for key in [KEY.to_owned(), "signingKey: @signer.crt@\n".to_owned(), pem("signer.pub"), pem("signer.crt")]
    {
        let boot = boot(&machine(&with_key(&key)));
        assert_eq!(boot.result, Ok(()), "{key}{}", boot.said());
        let line = format!("stage=verify state=done signed=yes signer={signer}");
        assert!(boot.stage_lines().contains(&line), "{line} in {}", boot.said());
        assert!(!boot.said().contains("HPL12100W"));
    }
}

#[test]
fn a_signature_that_does_not_fit_is_refused() {
    let other_signer = Contract { signer: Some("other-signer.key"), ..good() };
    ends(&other_signer, Code::SignatureInvalid, "sign workload and env again");
    let certificate = Contract { signer: Some("other-signer.key"), ..with_key("signingKey: @signer.crt@\n") };
    ends(&certificate, Code::SignatureInvalid, "sign workload and env again");
    // A section changed after signing, and a cut signature.
    let mut changed = Contract::good();
    changed.sealed = Sealed::No;
    changed.altered = vec![("/mnt/data".into(), "/mnt/dat2".into())];
    refused(&changed).assert_refused(Stage::Verify, Code::SignatureInvalid);
    let mut cut = good();
    cut.altered = vec![("envWorkloadSignature: ".into(), "envWorkloadSignature: AAAA".into())];
    ends(&cut, Code::SignatureInvalid, "sign workload and env again");
}

#[test]
fn the_sections_of_two_signed_contracts_do_not_mix() {
    let other = Contract::good().with("FROM_ENV: ", "OTHER: ");
    let line = |contract: &Contract, name: &str| {
        let text = String::from_utf8(contract.medium().files[0].1.clone()).unwrap();
        text.lines().find(|line| line.starts_with(name)).unwrap().to_owned()
    };
    let mut mixed = Contract::good();
    mixed.altered = vec![(line(&mixed, "env: "), line(&other, "env: "))];
    refused(&mixed).assert_refused(Stage::Verify, Code::SignatureInvalid);
}

#[test]
fn a_key_that_is_none_is_refused() {
    for key in [
        "signingKey: no-key\n",
        "signingKey: @elliptic.pub@\n",
        "signingKey: \"\"\n",
        "signingKey: @client.key@\n",
    ] {
        ends(&with_key(key), Code::SigningKeyForm, "");
    }
    let list = refused(&with_key("signingKey: [a]\n"));
    list.assert_refused(Stage::Verify, Code::ContractInvalid);
    assert!(list.sentence().contains("/env/signingKey (env line "), "{}", list.sentence());
}

#[test]
fn a_key_that_is_too_small_is_refused_although_its_signature_fits() {
    for key in ["signingKey: @small.pub@\n", "signingKey: @small.crt@\n"] {
        let contract = Contract { signer: Some("small.key"), ..with_key(key) };
        ends(&contract, Code::SigningKeyForm, "expected an RSA key of at least 2048 bits, found 1024; ");
    }
}

#[test]
fn a_certificate_holds_from_its_first_to_its_last_day() {
    let contract = with_key("signingKey: @signer.crt@\n");
    let made = keys().made;
    for (time, good) in
        [(made + 60, true), (made + 10 * DAY - 60, true), (made - 60, false), (made + 10 * DAY + 60, false)]
    {
        let boot = at(&contract, time);
        if good {
            assert_eq!(boot.result, Ok(()), "{}", boot.said());
        } else {
            boot.assert_refused(Stage::Verify, Code::ContractExpired);
            assert!(boot.sentence().contains("expected a signing certificate that is valid now"));
            boot.assert_nothing_written();
        }
    }
    // A clock that is behind the build date of the image is not believed.
    let built = |built: i64, clock: i64| {
        let manifest = manifest().replacen('{', &format!("{{\"built\":{built},"), 1).into_bytes();
        let machine = machine_without_volume(&contract, Facts { unix_time: clock, manifest, ..facts() });
        machine.attach(DATA, "data", GIB);
        let boot = boot(&machine);
        assert!(
            boot.said().contains("HPL11107W: the clock is behind the build date of the image"),
            "{}",
            boot.said()
        );
        boot
    };
    let ended = built(made + 10 * DAY + 60, made + 60);
    ended.assert_refused(Stage::Verify, Code::ContractExpired);
    ended.assert_nothing_written();
    let boots = built(made + DAY, 0);
    assert_eq!(boots.result, Ok(()), "{}", boots.said());
    let records: serde_json::Value =
        serde_json::from_str(&boots.file("/run/countersign/watch.json")).unwrap();
    assert_eq!(records["verified"]["unix"], made + DAY, "the daemon goes on from there");
    // A bare key has no dates.
    assert_eq!(at(&Contract::good(), made + 1000 * DAY).result, Ok(()));
}
