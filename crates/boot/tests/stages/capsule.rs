//! The failure capsule: which boots leave one on the console, and what the auditor's openssl reads in it.

use countersign_boot::guest_os::Verb;
use countersign_boot::stage::Stage;
use countersign_contract::code::Code;
use countersign_plan::report::capsule::MARKER;
use serde_json::Value;

use crate::support::auditor::{opened_by_openssl, with_auditor};
use crate::support::canaries::{assert_silent, canaries};
use crate::support::guest_os::verb;
use crate::support::keys::keys;
use crate::support::machine::{Boot, machine_with_volume};
use crate::support::{Contract, boot, machine};

/// The lines of the capsule, without the marker.
fn lines(boot: &Boot) -> Vec<&str> {
    boot.lines.iter().filter_map(|(_, line)| line.strip_prefix(MARKER)).collect()
}

/// What openssl makes of the lines.
fn opened(boot: &Boot) -> String {
    let lines = lines(boot);
    let token: String = (1..)
        .zip(&lines)
        .map(|(number, line)| line.strip_prefix(&format!("{number}/{} ", lines.len())).unwrap())
        .collect();
    opened_by_openssl(&token)
}

#[test]
fn a_failed_boot_tells_the_auditor_everything_but_secrets() {
    let contract = with_auditor(&keys().base64("auditor.pub"));
    let wrong_seed = machine_with_volume(&contract, "not the deployer's", "not the provider's");
    let schema = contract.with("mount: /mnt/data", "mount: data");
    for (machine, stage, code) in [
        (machine(&schema), Stage::Validate, Code::ContractInvalid),
        (wrong_seed, Stage::Unlock, Code::LuksOpenFailed),
    ] {
        let boot = boot(&machine);
        boot.assert_refused(stage, code);
        assert_silent(&boot);
        let text = opened(&boot);
        for canary in canaries() {
            assert!(!canary.is_in(&text), "{text}");
        }
        let told: Value = serde_json::from_str(&text).unwrap();
        let failure = &told["failure"];
        assert_eq!((&failure["stage"], &failure["code"]), (&stage.name().into(), &code.as_str().into()));
        // Place and hint as on the console.
        assert_eq!(failure["lines"][0], boot.sentence());
        let done = told["stages"].as_array().unwrap();
        let before = Stage::ALL.iter().position(|other| *other == stage).unwrap();
        assert_eq!(done.len(), before, "{text}");
        assert_eq!(done[before - 1]["stage"], Stage::ALL[before - 1].name());
        // Few lines, each a whole record of the kernel's log; the cause stands behind them.
        assert!(lines(&boot).len() <= 8, "{}", boot.said());
        assert!(lines(&boot).iter().all(|line| line.len() + MARKER.len() <= 900));
        let cause = boot.lines.iter().position(|(_, line)| *line == boot.sentence()).unwrap();
        assert!(!boot.lines[cause..].iter().any(|(_, line)| line.starts_with(MARKER)), "{}", boot.said());
    }
}

#[test]
fn no_capsule_without_an_auditor_or_before_the_key_was_read() {
    let contract = with_auditor(&keys().base64("auditor.pub"));
    let unauditable = Contract::good().with("mount: /mnt/data", "mount: data");
    let forged = Contract { signer: Some("other-signer.key"), ..contract.clone() };
    for contract in [unauditable, forged] {
        let boot = boot(&machine(&contract));
        assert!(boot.result.is_err());
        assert_eq!(lines(&boot), Vec::<&str>::new(), "{}", boot.said());
    }
    let boot = boot(&machine(&contract));
    assert_eq!((boot.result.is_ok(), lines(&boot).len()), (true, 0), "{}", boot.said());
}

#[test]
fn a_stage_of_the_guest_os_tells_the_whole_transcript() {
    let machine = machine(&with_auditor(&keys().base64("auditor.crt")));
    let first = boot(&machine);
    assert_eq!(first.result, Ok(()), "{}", first.said());
    assert_eq!(first.file("/run/countersign/auditor.pem"), keys().pem("auditor.pub"));
    assert_eq!(verb(&machine, Verb::Network).result, Ok(()));
    machine.fails("pull ", std::io::ErrorKind::ConnectionRefused);
    let run = verb(&machine, Verb::Images);
    assert!(run.result.is_err(), "{}", run.said());
    let text = opened(&run);
    for canary in canaries() {
        assert!(!canary.is_in(&text), "{text}");
    }
    let told: Value = serde_json::from_str(&text).unwrap();
    assert_eq!(told["failure"]["stage"], "images");
    assert_eq!(told["failure"]["lines"][0], run.sentence());
    let stages: Vec<&str> =
        told["stages"].as_array().unwrap().iter().map(|stage| stage["stage"].as_str().unwrap()).collect();
    assert_eq!((stages.len(), stages[0], stages[10]), (11, "preflight", "network"));
    // The record of the inputs goes along, sealed to the same key.
    let record = opened_by_openssl(told["record"].as_str().unwrap());
    assert!(record.starts_with("0.1.0\n") && record.contains("\nContract is signed\n"), "{record}");
    // The unit that reports has nothing to add.
    assert_eq!(lines(&verb(&machine, Verb::Failure)), Vec::<&str>::new());
}
