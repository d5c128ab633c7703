//! `countersign.policy` at `validate`: each condition kept, each broken, and the pairing that it is there against.

use countersign_boot::stage::Stage;
use countersign_contract::code::Code;

use crate::support::contract::IMAGE;
use crate::support::keys::{certificate_fingerprint, key_fingerprint};
use crate::support::machine::{Boot, boot_on};
use crate::support::{Contract, Sealed, boot, machine, refused};

const WARNING: &str = "HPL12108W";

/// The good contract with these lines under `policy` of the workload, in an authenticated token.
fn with_policy(lines: &str) -> Contract {
    let lines: String = lines.lines().map(|line| format!("    {line}\n")).collect();
    let contract = Contract::good().with_workload(&format!("countersign:\n  policy:\n{lines}"));
    contract.authenticated()
}

fn boots(contract: &Contract) -> Boot {
    let boot = boot(&machine(contract));
    assert_eq!(boot.result, Ok(()), "{}", boot.said());
    boot
}

/// Refused at a field of the env section, which begins with `line`.
fn ends(contract: &Contract, code: Code, pointer: &str, line: &str, words: &str) {
    let place = contract.env.lines().position(|found| found.trim_start().starts_with(line)).map(|number| {
        let text = contract.env.lines().nth(number).unwrap();
        format!("{pointer} env {}:{}", number + 1, text.find(": ").unwrap() + 3)
    });
    let boot = refused(contract);
    boot.assert_place(Stage::Validate, code, &place.unwrap(), words);
    assert!(boot.sentence().ends_with(code.remedy()), "{}", boot.sentence());
}

#[test]
fn a_contract_that_keeps_every_condition_boots() {
    let boot = boots(&with_policy(&format!(
        "unsigned: refuse\nsigning-keys: [\"{}\", \"{}\"]\nenv: [FROM_ENV, OTHER]\n\
         log-servers: [\"logs.example.org:6514\"]\nlog-authorities: [\"{}\"]",
        "0".repeat(64),
        key_fingerprint("signer.pub"),
        certificate_fingerprint("ca.crt"),
    )));
    assert!(!boot.said().contains(WARNING), "{}", boot.said());
}

#[test]
fn another_signer_is_refused() {
    let policy = format!("signing-keys: [\"{}\"]", key_fingerprint("other-signer.pub"));
    let words = "expected a key that the workload's policy.signing-keys lists";
    ends(&with_policy(&policy), Code::SignerRefused, "/env/signingKey", "signingKey", words);
    let certificate = with_policy(&policy).with("signingKey: @signer.pub@", "signingKey: @signer.crt@");
    ends(&certificate, Code::SignerRefused, "/env/signingKey", "signingKey", words);
    // A certificate stands for its key.
    let policy = format!("signing-keys: [\"{}\"]", key_fingerprint("signer.pub"));
    boots(&with_policy(&policy).with("signingKey: @signer.pub@", "signingKey: @signer.crt@"));
}

#[test]
fn an_unsigned_contract_is_refused_by_either_section_and_by_whoever_names_signers() {
    let refuse = "countersign:\n  policy:\n    unsigned: refuse\n";
    let signers = format!("signing-keys: [\"{}\"]", key_fingerprint("signer.pub"));
    for contract in [
        Contract::good().with_workload(refuse),
        Contract::good().with_env(refuse),
        with_policy(&signers),
        with_policy(&format!("unsigned: accept\n{signers}")),
    ] {
        boots(&contract);
        // Readable: what is sealed is refused for that, whatever it says.
        let readable = Contract { sealed: Sealed::No, ..contract.clone().unsigned() };
        let boot = refused(&readable);
        boot.assert_refused(Stage::Validate, Code::UnsignedRefused);
        let words = "expected a signature, because countersign.policy demands one; sign the contract";
        assert!(boot.sentence().contains("HPL12102E /env/signingKey (contract line "), "{}", boot.sentence());
        assert!(boot.sentence().contains(words), "{}", boot.sentence());
        refused(&contract.unsigned()).assert_refused(Stage::Verify, Code::SealedUnsigned);
    }
    let accepting = Contract { sealed: Sealed::No, ..with_policy("unsigned: accept").unsigned() };
    boots(&accepting).assert_warned("HPL12100W");
    // It is a demand, and no permission.
    refused(&with_policy("unsigned: accept").unsigned()).assert_refused(Stage::Verify, Code::SealedUnsigned);
}

#[test]
fn the_deployer_sets_listed_variables_only() {
    let words = "expected only variables that the workload's policy.env lists";
    for list in ["[]", "[OTHER]", "[from_env]"] {
        let contract = with_policy(&format!("env: {list}"));
        ends(&contract, Code::EnvironmentRefused, "/env/env/FROM_ENV", "FROM_ENV", words);
    }
    boots(&with_policy("env: []").with("env:\n  FROM_ENV", "unrelated:\n  FROM_ENV"));
}

#[test]
fn the_log_goes_to_a_listed_server_only() {
    let words = "expected a log server that the workload's policy.log-servers lists";
    let refused_at = |list: &str, field: &str| {
        let contract = with_policy(&format!("log-servers: {list}"));
        let pointer = format!("/env/logging/syslog/{field}");
        ends(&contract, Code::LogServerNotListed, &pointer, field, words);
    };
    refused_at("[example.org, logs.example.or, \"logs.example.org.evil:6514\"]", "hostname");
    refused_at("[\"logs.example.org:514\", \"other.example:6514\"]", "port");
    for list in ["[logs.example.org]", "[LOGS.example.org]", "[a, \"logs.example.org:6514\"]"] {
        boots(&with_policy(&format!("log-servers: {list}")));
    }
}

#[test]
fn the_log_server_has_a_listed_authority_only() {
    let list = |name: &str| format!("log-authorities: [\"{}\"]", certificate_fingerprint(name));
    ends(
        &with_policy(&list("registry.crt")),
        Code::LogAuthorityNotListed,
        "/env/logging/syslog/server",
        "server",
        "expected only certificates that the workload's policy.log-authorities lists",
    );
    boots(&with_policy(&list("ca.crt")));
}

#[test]
fn a_sealed_workload_beside_a_strangers_env_is_refused() {
    // The host has the provider's token and makes everything else itself: an env with its own log server and its own
    // signing key, and a signature over both that fits.
    let policy = format!("signing-keys: [\"{}\"]", key_fingerprint("signer.pub"));
    let stranger = Contract { signer: Some("other-signer.key"), ..with_policy(&policy) }
        .with("signingKey: @signer.pub@", "signingKey: @other-signer.pub@")
        .with("logs.example.org", "logs.evil.example");
    refused(&stranger).assert_refused(Stage::Validate, Code::SignerRefused);
    // Without the condition it boots: this is what the condition is for.
    boots(&Contract { workload: Contract::good().workload, ..stranger });
}

#[test]
fn every_broken_condition_is_said() {
    let policy = "env: []\nlog-servers: [a.example]\nsigning-keys: [\"".to_owned() + &"0".repeat(64) + "\"]";
    let said = refused(&with_policy(&policy)).said();
    for code in [Code::SignerRefused, Code::EnvironmentRefused, Code::LogServerNotListed] {
        assert!(said.contains(&format!("{code} /env/")), "{said}");
    }
}

#[test]
fn a_condition_that_can_be_taken_out_is_warned_about() {
    let warned = |contract: &Contract| -> Vec<String> {
        let boot = boots(contract);
        let lines = boot.lines.iter().filter_map(|(_, line)| line.strip_prefix("HPL12108W "));
        lines.map(|line| line.split(')').next().unwrap().to_owned()).collect()
    };
    let place = |text: &str, name: &str| {
        let (line, found) =
            text.lines().enumerate().find(|(_, line)| line.trim_start().starts_with(name)).unwrap();
        // A map begins with its first key, on the next line; a scalar behind its name.
        match found.find(": ") {
            Some(at) => format!("line {}, column {}", line + 1, at + 3),
            None => format!("line {}, column {}", line + 2, found.find(name).unwrap() + 3),
        }
    };
    let conditions = with_policy("env: [FROM_ENV]");
    let demand = with_policy("unsigned: refuse");
    let policy = format!("/workload/countersign/policy (workload {}", place(&conditions.workload, "policy:"));
    let key = format!("/env/signingKey (env {}", place(&conditions.env, "signingKey"));
    for contract in [&conditions, &demand] {
        assert_eq!(warned(contract), Vec::<String>::new());
        let old = Contract { authenticated: &[], ..contract.clone() };
        assert_eq!(warned(&old), [policy.clone(), key.clone()]);
        let old = Contract { authenticated: &["env"], ..contract.clone() };
        assert_eq!(warned(&old), std::slice::from_ref(&policy));
        let old = Contract { authenticated: &["workload"], ..contract.clone() };
        assert_eq!(warned(&old), std::slice::from_ref(&key));
    }
    // In readable text, which promises nothing, only what is set for others.
    for (contract, count) in [(&conditions, 1), (&demand, 0)] {
        let readable = Contract { sealed: Sealed::No, ..contract.clone() };
        assert_eq!(warned(&readable).len(), count);
    }
    let refuse = "countersign:\n  policy:\n    unsigned: refuse\n";
    let env = Contract { authenticated: &["workload"], ..Contract::good().with_env(refuse) };
    let policy = format!("/env/countersign/policy (env {}", place(&env.env, "policy:"));
    assert_eq!(warned(&env), [policy, key]);
    let accept = Contract { authenticated: &["env"], ..with_policy("unsigned: accept") };
    assert_eq!(warned(&accept), Vec::<String>::new());
    boots(&Contract { authenticated: &["env"], ..conditions }).assert_warned(
        "): a condition stands in a section that can be altered; seal the section as countersign-v1",
    );
}

#[test]
fn a_container_that_reaches_into_the_guest_is_refused_by_either_section_and_by_the_image() {
    let compose = |keys: &str| format!("services:\n  web:\n    image: {IMAGE}\n{keys}");
    let words = "compose.yaml: service web: expected not to reach all devices and privileges, which a policy refuses \
                 (line 4)";
    let refuses = |boot: &Boot| {
        boot.assert_refused(Stage::Validate, Code::ReachRefused);
        assert!(boot.sentence().contains(words), "{}", boot.sentence());
    };
    let privileged = |contract: Contract| contract.with_compose(&compose("    privileged: true\n"));
    let of_env =
        Contract::good().with("logging:\n", "countersign:\n  policy:\n    reach: refuse\nlogging:\n");
    for contract in [with_policy("reach: refuse"), of_env.clone()] {
        refuses(&refused(&privileged(contract)));
    }
    // What is told otherwise is told where nobody refuses it, and what any container may have is not refused.
    boots(&privileged(with_policy("reach: tell"))).assert_warned("HPL06123W");
    boots(&of_env.with_compose(&compose("    ports: [\"80:80\"]\n    volumes: [\"/mnt/data:/x\"]\n")));
    refuses(&boot_on(r#""reach":"refuse""#, &privileged(Contract::good())));
}
