//! Stage `start` of the guest OS.

use std::io;

use countersign_boot::host::Verb;
use countersign_boot::stage::Stage;
use countersign_contract::code::Code;
use countersign_system::ports_host::Engine;

use crate::support::canaries::assert_silent;
use crate::support::host::{booted, verb};

#[test]
fn the_compose_project_starts_and_success_is_said_last() {
    let machine = booted(|_| ());
    let run = verb(&machine, Verb::Start);
    assert_eq!(run.result, Ok(()), "{}", run.said());
    assert_eq!(run.asked, ["start project compose in /data1/compose from /data1/compose/compose.yaml"]);
    assert!(run.said().ends_with("HPL10001I: the workload is started\n"), "{}", run.said());
    assert_eq!(run.stage_lines(), ["stage=start state=start", "stage=start state=done project=compose"]);
    let listed = String::from_utf8(machine.containers("compose").unwrap()).unwrap();
    assert!(listed.contains(r#""State":"running""#));
    assert_silent(&run);
}

#[test]
fn a_project_that_does_not_start_ends_the_boot_without_success() {
    let machine = booted(|_| ());
    machine.fails("start project", io::ErrorKind::Other);
    let run = verb(&machine, Verb::Start);
    run.assert_verb_failed(Stage::Start, Code::ComposeFailed, "start project");
    assert!(!run.said().contains("HPL10001I"), "{}", run.said());
    assert_silent(&run);
}

#[test]
fn every_verb_needs_the_plan_of_its_version() {
    for (which, stage) in [
        (Verb::Network, Stage::Network),
        (Verb::Logging, Stage::Logging),
        (Verb::Images, Stage::Images),
        (Verb::Start, Stage::Start),
        (Verb::Failure, Stage::Logging),
    ] {
        let machine = booted(|_| ());
        machine.fails("read /run/countersign/plan.json", io::ErrorKind::NotFound);
        verb(&machine, which).assert_verb_failed(stage, Code::HandoverFailed, "plan.json");
        for text in ["", "{}", "{\"version\":\"0.1.0\",\"extra\":1}"] {
            let machine = booted(|_| ());
            use countersign_system::ports_host::Handover;
            machine.replace_file("/run/countersign/plan.json".as_ref(), text.as_bytes()).unwrap();
            let run = verb(&machine, which);
            run.assert_verb_failed(stage, Code::HandoverFailed, "expected the plan of this version");
        }
    }
}

#[test]
fn verbs_have_the_names_of_the_units() {
    for (name, verb) in [
        ("network", Verb::Network),
        ("logging", Verb::Logging),
        ("images", Verb::Images),
        ("start", Verb::Start),
        ("failure", Verb::Failure),
    ] {
        assert_eq!(Verb::find(name), Some(verb));
    }
    for name in ["", "Network", "watch", "network "] {
        assert_eq!(Verb::find(name), None);
    }
}
