//! Stage `start` of the guest OS.

use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use countersign_boot::guest_os::Verb;
use countersign_boot::stage::Stage;
use countersign_contract::code::Code;
use countersign_ports::guest_os::{Containers, Whose};

use crate::support::canaries::assert_silent;
use crate::support::guest_os::{booted, verb};

#[test]
fn the_compose_project_starts_and_success_is_said_last() {
    let machine = booted(|_| ());
    let run = verb(&machine, Verb::Start);
    assert_eq!(run.result, Ok(()), "{}", run.said());
    assert_eq!(
        run.asked,
        [
            "start project compose in /data1/compose from /run/countersign/compose.json",
            // The daemon waits for that.
            "replace /run/countersign/started",
        ]
    );
    // The words beside the code are HPCR's: there are log watchers that look for them.
    let success = "VSI has started successfully.\nHPL10001I: the workload is started\n";
    assert!(run.said().ends_with(success), "{}", run.said());
    assert_eq!(run.stage_lines(), ["stage=start state=start", "stage=start state=done project=compose"]);
    let listed = String::from_utf8(machine.containers(Whose::Project("compose")).unwrap()).unwrap();
    assert!(listed.contains(r#""State":"running""#));
    assert_silent(&run);
}

#[test]
fn a_daemon_that_cannot_be_told_would_watch_nothing_so_the_boot_ends() {
    let machine = booted(|_| ());
    machine.fails("replace /run/countersign/started", io::ErrorKind::StorageFull);
    let run = verb(&machine, Verb::Start);
    run.assert_verb_failed(Stage::Start, Code::HandoverFailed, "started");
    let transcript =
        String::from_utf8(machine.files()[Path::new("/run/countersign/transcript.json")].1.clone());
    let transcript: serde_json::Value = serde_json::from_str(&transcript.unwrap()).unwrap();
    let stages = transcript["stages"].as_array().unwrap();
    assert_eq!(stages.iter().filter(|stage| stage["stage"] == "start").count(), 1);
    assert_eq!(transcript["failure"]["code"], Code::HandoverFailed.as_str());
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
fn a_project_that_does_not_start_in_time_ends_the_boot_with_the_cause() {
    let machine = booted(|_| ());
    machine.takes("start project", Duration::from_secs(841));
    let run = verb(&machine, Verb::Start);
    let words = "expected the project to start within 840 s";
    run.assert_verb_failed(Stage::Start, Code::ComposeLate, words);
    assert!(run.file("/run/countersign/failure.txt").contains(words), "{:?}", run.files);
    assert!(!run.said().contains("HPL10001I"), "{}", run.said());
    assert_silent(&run);
    let machine = booted(|_| ());
    machine.takes("start project", Duration::from_secs(840));
    assert_eq!(verb(&machine, Verb::Start).result, Ok(()));
}

/// Where the units of the guest OS are.
fn units() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../systemd")
}

/// The unit of a verb, as the guest OS has it.
fn unit(name: &str) -> String {
    std::fs::read_to_string(units().join(format!("countersign-{name}.service"))).unwrap()
}

#[test]
fn every_stage_gives_up_before_its_unit_does() {
    for name in ["filter", "network", "logging", "images", "start", "failure"] {
        let unit = unit(name);
        assert!(unit.contains(&format!("ExecStart=/usr/lib/countersign/countersignd {name}\n")), "{name}");
        let settings: Vec<&str> =
            unit.lines().filter_map(|line| line.strip_prefix("TimeoutStartSec=")).collect();
        let [seconds] = settings[..] else { panic!("{name}: {settings:?}") };
        let ends = Duration::from_secs(seconds.parse().unwrap());
        // For what is killed, said and kept after the deadline.
        let rest = Duration::from_secs(20);
        let patience = Verb::find(name).unwrap().patience();
        assert!(patience + rest <= ends, "{name}: {patience:?}, and its unit {ends:?}");
    }
}

/// By the guest's own clock, which an emulator may let go slower.
#[test]
fn whatever_fails_the_machine_goes_off_at_most_a_minute_after_the_report_began() {
    let failure = unit("failure");
    for setting in [
        "JobRunningTimeoutSec=60",
        "JobTimeoutAction=poweroff-force",
        "SuccessAction=poweroff",
        "FailureAction=poweroff-force",
    ] {
        assert!(failure.lines().any(|line| line == setting), "{setting} in {failure}");
    }
    let mut others = 0;
    for entry in std::fs::read_dir(units()).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_str().unwrap();
        if path.extension().is_some_and(|kind| kind == "service") && name != "countersign-failure.service" {
            let text = std::fs::read_to_string(&path).unwrap();
            assert!(text.lines().any(|line| line == "OnFailure=countersign-failure.service"), "{name}");
            others += 1;
        }
    }
    assert!(others >= 6, "{others}");
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
            use countersign_ports::guest_os::GuestFiles;
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
