//! A boot that fails once `env` is open still tells the log server why, and does nothing else.

use std::io;

use countersign_boot::guest_os::Verb;
use countersign_boot::stage::Stage;
use countersign_contract::code::Code;
use countersign_rehearsal::Rehearsal;
use serde_json::Value;

use crate::support::canaries::assert_silent;
use crate::support::guest_os::{own_text, verb};
use crate::support::keys::keys;
use crate::support::machine::Boot;
use crate::support::machine::{machine_with_volume, machine_without_volume};
use crate::support::{Contract, boot, machine};

/// Boots to a refusal with this code; what the guest OS then tells the log server.
fn told(machine: &Rehearsal, stage: Stage, code: Code) -> (Boot, Vec<String>) {
    let boot = boot(machine);
    boot.assert_refused(stage, code);
    assert!(boot.reports(), "{}", boot.said());
    assert_silent(&boot);
    for unit in [Verb::Network, Verb::Failure] {
        let run = verb(machine, unit);
        assert_eq!(run.result, Ok(()), "{}", run.said());
        assert_silent(&run);
    }
    let text = |record: &String| own_text(record).to_owned();
    let records = machine.records().iter().map(text).collect();
    (boot, records)
}

#[test]
fn each_stage_after_unseal_tells_its_cause_with_place_and_hint() {
    let wrong_seed = machine_with_volume(&Contract::good(), "not the deployer's", "not the provider's");
    let schema = Contract::good().with("mount: /mnt/data", "mount: data");
    for (machine, stage, code, words) in [
        (
            machine(&Contract { signer: Some("other-signer.key"), ..Contract::good().authenticated() }),
            Stage::Verify,
            Code::SignatureInvalid,
            "HPL12001E /env/signingKey",
        ),
        (
            machine(&schema),
            Stage::Validate,
            Code::ContractInvalid,
            "HPL05001E /workload/volumes/data/mount (workload line ",
        ),
        (wrong_seed, Stage::Unlock, Code::LuksOpenFailed, "HPL02003E: volume data: "),
    ] {
        let (boot, records) = told(&machine, stage, code);
        // Exactly what the console says, then how it ended; a hint is in it.
        assert_eq!(records[0], boot.sentence());
        assert!(records[0].starts_with(words) && records[0].contains("; "), "{records:?}");
        assert!(records.last().unwrap().starts_with("HPL10000E: "), "{records:?}");
    }
}

#[test]
fn the_guest_os_gets_the_cause_the_log_server_and_the_interfaces_alone() {
    let text = "network:\n  ethernets:\n    enc1: {addresses: [192.0.2.7/24]}\n";
    let network_config = Some(text.into());
    let contract =
        Contract { signer: Some("other-signer.key"), network_config, ..Contract::good().authenticated() };
    let machine = machine(&contract);
    let boot = boot(&machine);
    let written: Vec<String> = boot.files.keys().map(|path| path.display().to_string()).collect();
    assert_eq!(
        written,
        [
            "/run/countersign/failure.txt",
            "/run/countersign/logging/ca.pem",
            "/run/countersign/logging/client-key.pem",
            "/run/countersign/logging/client.pem",
            "/run/countersign/plan.json",
            "/run/systemd/network/10-enc1.network",
        ]
    );
    assert_eq!(boot.file("/run/countersign/logging/client-key.pem"), keys().pem("client.key"));
    let plan: Value = serde_json::from_str(&boot.file("/run/countersign/plan.json")).unwrap();
    assert_eq!(plan["workload"], "nothing");
    assert_eq!((plan["images"].clone(), plan["registries"].clone()), (serde_json::json!([]), Value::Null));
    assert_eq!(plan["log"]["hostname"], "logs.example.org");
    // In memory: no disk is written, the scratch disk is not touched.
    boot.assert_nothing_written();
    assert!(boot.asked("mount tmpfs scratch at /sysroot") && !boot.asked("open scratch"), "{:?}", boot.asked);
    // Whoever asks for a workload all the same is refused.
    for (request, stage) in [(Verb::Images, Stage::Images), (Verb::Start, Stage::Start)] {
        let run = verb(&machine, request);
        run.assert_verb_failed(stage, Code::HandoverFailed, "this guest only reports a failed boot");
        assert!(
            !machine
                .asked()
                .iter()
                .any(|asked| asked.starts_with("pull") || asked.starts_with("start project"))
        );
    }
}

#[test]
fn volumes_are_closed_before_the_guest_os_starts_and_if_not_it_does_not() {
    let prepared = || {
        let machine = machine(&Contract::good());
        machine.fails("move", io::ErrorKind::Other);
        machine
    };
    let first = prepared();
    let asked = boot(&first).asked;
    let place = |words: &str| asked.iter().position(|asked| asked.starts_with(words)).unwrap();
    assert!(
        place("mount ext4 /dev/mapper/volume-data") < place("take down /volumes /sysroot /image and all")
    );
    assert!(place("take down") < place("mount tmpfs scratch"));

    let second = prepared();
    second.fails("take down", io::ErrorKind::ResourceBusy);
    let boot = boot(&second);
    boot.assert_refused(Stage::Root, Code::MountFailed);
    boot.assert_warned("the log server cannot be told: double take down");
    assert!(!boot.reports() && boot.files.is_empty(), "{:?}", boot.asked);
}

#[test]
fn a_key_that_cannot_be_forgotten_goes_nowhere() {
    let machine = machine(&Contract::good());
    machine.fails("forget image key", io::ErrorKind::Other);
    let boot = boot(&machine);
    assert!(!boot.reports() && !boot.asked("take down"), "{:?}", boot.asked);
}

#[test]
fn without_a_readable_log_server_the_console_is_all() {
    // Neither is a syslog server with a client certificate.
    for (old, new) in [("port: 6514", "port: six"), ("hostname: logs.example.org", "hostname: 'a b'")] {
        let boot = boot(&machine(&Contract::good().with(old, new)));
        assert_eq!(boot.failure().stage, Stage::Validate, "{}", boot.said());
        boot.assert_warned("the log server is not told: it is what was refused");
        assert!(!boot.reports() && !boot.asked("take down"), "{:?}", boot.asked);
    }
    // A server that the workload's policy does not list is not told either.
    let policy = "countersign:\n  policy:\n    log-servers: [other.example.org]\n";
    let boot = boot(&machine(&Contract::good().with_workload(policy)));
    assert_eq!(boot.failure().code(), Code::LogServerNotListed, "{}", boot.said());
    assert!(!boot.reports() && !boot.asked("take down"), "{:?}", boot.asked);
    // A signature that does not fit, and a part that nobody has looked at yet.
    let unread = Contract::good().authenticated().with("port: 6514", "port: six");
    let unread = Contract { signer: Some("other-signer.key"), ..unread };
    let boot = crate::support::boot(&machine(&unread));
    assert_eq!(boot.failure().stage, Stage::Verify, "{}", boot.said());
    boot.assert_warned("the log server cannot be told: its part of env is not usable");
    // And before env is open there is no part to read.
    let boot = crate::support::boot(&machine(&Contract { image: "other-image.crt", ..Contract::good() }));
    assert!(!boot.reports() && !boot.said().contains("the log server"), "{}", boot.said());
}

#[test]
fn a_guest_os_that_does_not_open_leaves_the_console() {
    let machine = machine_without_volume(&Contract::good(), crate::support::machine::facts());
    machine.fails("open image", io::ErrorKind::Other);
    let boot = boot(&machine);
    assert!(!boot.reports(), "{:?}", boot.asked);
}
