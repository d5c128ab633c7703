//! Every example of `new` is one that `check` accepts without a warning that it could have avoided, and that `pack` packs.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod support;

use serde_json::Value;
use support::Desk;

/// The folder of `new demo` with these options; the codes of everything that is said of it, and the plan.
fn example(desk: &Desk, options: &str) -> (Vec<String>, Value) {
    desk.answer(0, &format!("new demo {options}"), b"");
    let report = desk.report("demo");
    assert_eq!(report["verdict"], "boots", "{options}: {report:#}");
    let findings = report["findings"].as_array().unwrap().iter();
    let codes = findings.map(|finding| finding["code"].as_str().unwrap().to_owned()).collect();
    (codes, report["plan"].clone())
}

#[test]
fn every_example_boots_and_is_packed() {
    for play in ["", "--play"] {
        for case in ["", "--with private-registry", "--with two-parties", "--with auditor"] {
            let desk = Desk::new();
            let (codes, plan) = example(&desk, &format!("{play} {case}"));
            // A published port is a way out of the container, and meant.
            assert!(codes.iter().all(|code| code == "HPL06123W"), "{play} {case}: {codes:?}");
            assert_eq!(plan["containers"].as_array().unwrap().len(), usize::from(!play.is_empty()));
            assert_eq!(plan["volumes"][0]["mount"], "/mnt/data");
            desk.rsa("image", 100);
            let auditor = if case.ends_with("auditor") { "--auditor demo/auditor.pub" } else { "" };
            let verb =
                format!("pack demo --cert image.crt --key demo/signing.key {auditor} -o contract.yaml");
            desk.answer(0, &verb, b"");
            assert_eq!(desk.report("contract.yaml --key image.key")["verdict"], "boots");
        }
    }
}

#[test]
fn a_private_registry_has_credentials_an_authority_and_a_server_to_try_it_with() {
    let desk = Desk::new();
    let (_, plan) = example(&desk, "--with private-registry");
    assert_eq!(plan["registries"], serde_json::json!(["registry.example.org"]));
    assert!(plan["images"][0].as_str().unwrap().starts_with("registry.example.org/web@sha256:"));
    let verify =
        "verify -verify_hostname registry.example.org -CAfile demo/registry/ca.crt demo/registry/server.crt";
    desk.openssl(verify, b"");
    let authority = desk.base64(desk.text("demo/registry/ca.crt").as_bytes());
    assert!(desk.text("demo/env.yaml").contains(&authority));
}

#[test]
fn a_deployer_who_is_somebody_else_may_do_what_the_provider_lists() {
    let desk = Desk::new();
    example(&desk, "--with two-parties --log-server syslog.example.org");
    let env = desk.text("demo/env.yaml");
    let found = |env: String| {
        desk.write("demo/env.yaml", env);
        let report = desk.report("demo");
        assert_eq!(report["verdict"], "refused");
        report["findings"].as_array().unwrap().iter().find(|finding| finding["severity"] == "error").unwrap()
            ["code"]
            .clone()
    };
    assert_eq!(found(env.replace("  PLACE: \"somewhere\"\n", "  MORE: \"x\"\n")), "HPL12105E");
    assert_eq!(
        found(env.replace("hostname: syslog.example.org", "hostname: other.example.org")),
        "HPL12106E"
    );
    desk.rsa("other", 100);
    let other = desk.base64(desk.text("other.pub").as_bytes());
    let named = env.lines().find(|line| line.starts_with("signingKey: ")).unwrap().to_owned();
    assert_eq!(found(env.replace(&named, &format!("signingKey: \"{other}\""))), "HPL12104E");
}

#[test]
fn the_auditors_key_stands_in_the_contract_sealed_or_not() {
    let desk = Desk::new();
    example(&desk, "--with auditor");
    desk.rsa("image", 100);
    let pack = "pack demo --key demo/signing.key --auditor demo/auditor.pub";
    let named = |contract: String| -> String {
        let line = contract.lines().find_map(|line| line.strip_prefix("attestationPublicKey: "));
        line.unwrap().to_owned()
    };
    let plain = named(desk.answer(0, &format!("{pack} --plain"), b""));
    assert_eq!(desk.decode(&plain), desk.text("demo/auditor.pub").into_bytes());
    let sealed = named(desk.answer(0, &format!("{pack} --cert image.crt"), b""));
    let opened = desk.answer(0, "open --key image.key --section attestationPublicKey", sealed.as_bytes());
    assert_eq!(opened, desk.text("demo/auditor.pub"));
    let output = desk.countersign("pack demo --plain --key demo/signing.key --auditor demo/env.yaml", b"");
    assert_eq!((output.status.code(), output.stdout.len()), (Some(2), 0));
}
