//! Stage `logging` of the guest OS: the server of the contract accepts a record, or nothing starts.

use std::time::Duration;

use countersign_boot::guest_os::Verb;
use countersign_boot::stage::Stage;
use countersign_contract::code::Code;
use countersign_ports::Clock;
use countersign_ports::guest_os::ConnectionError;

use crate::support::Contract;
use crate::support::canaries::assert_silent;
use crate::support::guest_os::{booted, booted_with, own_text, verb};

#[test]
fn the_first_record_goes_out_with_the_client_files_of_the_contract() {
    let machine = booted(|_| ());
    let run = verb(&machine, Verb::Logging);
    assert_eq!(run.result, Ok(()), "{}", run.said());
    assert_eq!(
        run.asked,
        ["send 1 records to logs.example.org:6514 ca=/run/countersign/logging/ca.pem \
             certificate=/run/countersign/logging/client.pem key=/run/countersign/logging/client-key.pem",]
    );
    let record = &machine.records()[0];
    let (length, rest) = record.split_once(' ').unwrap();
    assert!(length.parse() == Ok(rest.len()) && rest.starts_with("<30>1 2"), "{record}");
    assert_eq!(own_text(record), "authentication probe");
    assert!(run.said().contains("HPL01010I: "), "{}", run.said());
    assert_eq!(run.stage_lines(), ["stage=logging state=start", "stage=logging state=done port=6514"]);
    assert_silent(&run);
}

#[test]
fn the_first_record_goes_out_without_a_client_certificate_where_the_contract_has_none() {
    let machine = booted_with(&Contract::good().without_client_certificate(), |_| ());
    let run = verb(&machine, Verb::Logging);
    assert_eq!(run.result, Ok(()), "{}", run.said());
    assert_eq!(
        run.asked,
        ["send 1 records to logs.example.org:6514 ca=/run/countersign/logging/ca.pem without certificate"]
    );
    assert_eq!(own_text(&machine.records()[0]), "authentication probe");
    assert!(run.said().contains("HPL01010I: "), "{}", run.said());
    assert_silent(&run);
}

#[test]
fn each_answer_of_the_server_has_its_code_and_starts_nothing() {
    for (error, code) in [
        (ConnectionError::NameResolution, Code::NetworkFailed),
        (ConnectionError::Unreachable, Code::LogServerUnreachable),
        (ConnectionError::Untrusted, Code::LogServerUntrusted),
        (ConnectionError::NameMismatch, Code::LogServerName),
        (ConnectionError::NotValidNow, Code::LogServerDates),
        (ConnectionError::Weak, Code::LogServerWeak),
        (ConnectionError::ClientRefused, Code::LogClientRefused),
        (ConnectionError::ClientUnnamed, Code::LogClientRefused),
        (ConnectionError::ClientFiles, Code::LogClientUnusable),
        (ConnectionError::HungUp, Code::LogClientRefused),
        (ConnectionError::Silent, Code::LogServerProtocol),
        (ConnectionError::Protocol, Code::LogServerProtocol),
    ] {
        let answer = error.clone();
        let machine = booted(|facts| facts.log_server = Err(answer));
        let run = verb(&machine, Verb::Logging);
        run.assert_verb_failed(Stage::Logging, code, &error.to_string());
        // The cause is remembered for the verb `failure`; nothing else was written.
        let written: Vec<String> = run.files.keys().map(|path| path.display().to_string()).collect();
        assert_eq!(written, ["/run/countersign/failure.txt"]);
        assert!(machine.records().is_empty());
        assert_silent(&run);
    }
}

#[test]
fn a_server_that_is_not_there_yet_is_waited_for() {
    let machine = booted(|facts| facts.log_server = Err(ConnectionError::Unreachable));
    let before = machine.uptime();
    machine.log_server_from(before + Duration::from_secs(61), Ok(()));
    let run = verb(&machine, Verb::Logging);
    assert_eq!(run.result, Ok(()), "{}", run.said());
    assert_eq!(machine.uptime() - before, Duration::from_secs(65));
    assert_eq!(run.said().matches("HPL14001I: ").count(), 1, "{}", run.said());
    assert_eq!(machine.records().len(), 1);
}

#[test]
fn a_server_that_never_comes_is_waited_for_two_minutes_and_one_that_refuses_not_at_all() {
    for (error, seconds) in [
        (ConnectionError::Unreachable, 120),
        (ConnectionError::NameResolution, 120),
        (ConnectionError::Untrusted, 0),
        (ConnectionError::ClientRefused, 0),
        (ConnectionError::Protocol, 0),
    ] {
        let machine = booted(|facts| facts.log_server = Err(error));
        let before = machine.uptime();
        assert!(verb(&machine, Verb::Logging).result.is_err());
        assert_eq!(machine.uptime() - before, Duration::from_secs(seconds));
    }
}
