//! The transcript: every stage of both halves in one file, its digest in the log, the first cause at its end.

use std::io;
use std::path::Path;
use std::process::Command;

use countersign_boot::guest_os::Verb;
use countersign_boot::stage::Stage;
use countersign_contract::code::Code;
use countersign_ports::guest_os::GuestFiles;
use countersign_rehearsal::Rehearsal;
use serde_json::Value;

use crate::support::guest_os::{booted, verb};
use crate::support::watch::watch;

const FILE: &str = "/run/countersign/transcript.json";

fn transcript(machine: &Rehearsal) -> Value {
    serde_json::from_slice(&machine.files()[Path::new(FILE)].1).unwrap()
}

fn stages(transcript: &Value) -> Vec<String> {
    let stages = transcript["stages"].as_array().unwrap();
    stages.iter().map(|stage| stage["stage"].as_str().unwrap().to_owned()).collect()
}

#[test]
fn every_stage_adds_its_record_and_the_digest_is_said() {
    let machine = booted(|_| ());
    for which in [Verb::Network, Verb::Logging, Verb::Images, Verb::Start] {
        assert_eq!(verb(&machine, which).result, Ok(()));
    }
    assert_eq!(watch(&machine, Vec::new()).0.result, Ok(()));
    let written = transcript(&machine);
    assert_eq!(stages(&written), Stage::ALL.map(|stage| stage.name().to_owned()));
    assert_eq!(written["stages"][11]["summary"][0], serde_json::json!(["port", "6514"]));
    assert!(written.get("failure").is_none());

    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), &machine.files()[Path::new(FILE)].1).unwrap();
    let output = Command::new("sha256sum").arg(file.path()).output().unwrap().stdout;
    let digest = String::from_utf8(output).unwrap()[..64].to_owned();
    let line = format!("HPL11106I: the transcript of the boot is complete: sha256 {digest}");
    assert_eq!(machine.lines().iter().filter(|(_, text)| *text == line).count(), 1);
}

#[test]
fn the_first_cause_ends_the_transcript() {
    let machine = booted(|_| ());
    assert_eq!(verb(&machine, Verb::Network).result, Ok(()));
    machine.fails("pull", io::ErrorKind::Other);
    let run = verb(&machine, Verb::Images);
    run.assert_verb_failed(Stage::Images, Code::ImagePullFailed, "pull");
    let written = transcript(&machine);
    assert_eq!(written["failure"]["stage"], "images");
    assert_eq!(written["failure"]["code"], Code::ImagePullFailed.as_str());
    assert_eq!(written["failure"]["lines"][0], run.sentence());
    assert_eq!(verb(&machine, Verb::Failure).result, Ok(()));
    assert_eq!(verb(&machine, Verb::Start).result, Ok(()));
    assert_eq!(transcript(&machine), written, "nothing is added behind the cause");
}

#[test]
fn a_transcript_that_cannot_be_kept_is_told_and_stops_nothing() {
    let machine = booted(|_| ());
    machine.replace_file(FILE.as_ref(), b"{}").unwrap();
    let run = verb(&machine, Verb::Network);
    assert_eq!(run.result, Ok(()));
    assert!(run.said().contains("the transcript lacks a stage: expected the transcript of this version"));
    machine.fails(&format!("read {FILE}"), io::ErrorKind::NotFound);
    let run = verb(&machine, Verb::Network);
    assert!(run.result.is_ok() && !run.said().contains("transcript"), "{}", run.said());
}
