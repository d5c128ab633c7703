//! The report of a failed boot: the first cause, told once.

use std::io;

use countersign_boot::guest_os::Verb;
use countersign_contract::code::Code;
use countersign_plan::record::bundle::MARKER;
use countersign_ports::Priority;
use countersign_ports::guest_os::ConnectionError;
use countersign_rehearsal::Rehearsal;

use crate::support::canaries::assert_silent;
use crate::support::guest_os::{booted, own_text, verb};

const ENDED: &str = "HPL10000E: the boot failed and the guest powers off";

/// The texts of the log records that the log server has, without the lines of the attestation record.
fn told(machine: &Rehearsal) -> Vec<String> {
    let records = machine.records();
    let (attested, told): (Vec<_>, Vec<_>) =
        records.iter().partition(|record| own_text(record).starts_with(MARKER));
    assert!(attested.iter().all(|record| record.contains(" <30>1 ")), "{attested:?}");
    assert!(told.iter().all(|record| record.contains(" <27>1 ")), "{told:?}");
    told.into_iter().map(|record| own_text(record).to_owned()).collect()
}

#[test]
fn the_log_server_is_told_the_first_cause_once() {
    let machine = booted(|_| ());
    machine.fails("pull", io::ErrorKind::Other);
    let first = verb(&machine, Verb::Images);
    // What fails because the first thing failed is not the cause.
    machine.fails("start project", io::ErrorKind::Other);
    let second = verb(&machine, Verb::Start);
    assert!(second.result.is_err());
    assert!(second.files.is_empty(), "the first cause was replaced");
    let report = verb(&machine, Verb::Failure);
    assert_eq!(report.result, Ok(()), "{}", report.said());
    assert_eq!(told(&machine), [first.sentence().to_owned(), ENDED.to_owned()]);
    assert!(first.sentence().starts_with(Code::ImagePullFailed.as_str()));
    assert_eq!(report.asked.iter().filter(|asked| asked.starts_with("send ")).count(), 1);
    assert_silent(&report);
}

#[test]
fn the_end_is_an_error_on_the_console() {
    let machine = booted(|_| ());
    let report = verb(&machine, Verb::Failure);
    assert_eq!(report.lines, [(Priority::Error, ENDED.to_owned())]);
    // Without a cause that somebody remembered, the end is told all the same.
    assert_eq!(told(&machine), [ENDED]);
}

#[test]
fn a_log_server_that_is_the_cause_is_not_waited_for_and_said_so() {
    let machine = booted(|facts| facts.log_server = Err(ConnectionError::Untrusted));
    assert!(verb(&machine, Verb::Logging).result.is_err());
    let report = verb(&machine, Verb::Failure);
    // The unit powers the machine off next: the report itself does not fail.
    assert_eq!(report.result, Ok(()), "{}", report.said());
    report.assert_warned("the log server was not told: expected a server certificate issued by");
    assert!(told(&machine).is_empty());
}

#[test]
fn a_cause_that_cannot_be_kept_is_still_on_the_console() {
    let machine = booted(|_| ());
    machine.fails("pull", io::ErrorKind::Other);
    machine.fails("replace /run/countersign/failure.txt", io::ErrorKind::StorageFull);
    let run = verb(&machine, Verb::Images);
    assert!(run.result.is_err());
    assert!(run.said().contains("HPL06004E: ") && run.said().contains("failure.txt"), "{}", run.said());
}
