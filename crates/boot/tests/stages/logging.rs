//! Stage `logging` of the guest OS: the server of the contract accepts a record, or nothing starts.

use std::io;
use std::time::Duration;

use countersign_boot::host::Verb;
use countersign_boot::stage::Stage;
use countersign_contract::code::Code;
use countersign_system::ports::Platform;
use countersign_system::ports_host::{LogPeer, ProbeError};

use crate::support::canaries::assert_silent;
use crate::support::host::{booted, verb};

const CONFIGURATION: &str = "/run/countersign/rsyslog.conf";

#[test]
fn the_first_record_goes_out_before_the_configuration_is_written() {
    let machine = booted(|_| ());
    let run = verb(&machine, Verb::Logging);
    assert_eq!(run.result, Ok(()), "{}", run.said());
    assert_eq!(
        run.asked,
        [
            "send 1 records to logs.example.org:6514 ca=/run/countersign/logging/ca.pem \
             certificate=/run/countersign/logging/client.pem key=/run/countersign/logging/client-key.pem",
            "replace /run/countersign/rsyslog.conf",
        ]
    );
    let record = &machine.records()[0];
    assert!(
        record.starts_with("<30>1 2") && record.ends_with("Z guest countersignd - - - authentication probe"),
        "{record}"
    );
    let configuration = run.file(CONFIGURATION);
    for line in [
        r#"target="logs.example.org" port="6514""#,
        r#"StreamDriverAuthMode="x509/name" StreamDriverPermittedPeers="logs.example.org""#,
        r#"defaultNetstreamDriverKeyFile="/run/countersign/logging/client-key.pem""#,
    ] {
        assert!(configuration.contains(line), "{line} in {configuration}");
    }
    assert!(run.said().contains("HPL01010I: "), "{}", run.said());
    assert_eq!(run.stage_lines(), ["stage=logging state=start", "stage=logging state=done port=6514"]);
    assert_silent(&run);
}

#[test]
fn each_answer_of_the_server_has_its_code_and_starts_nothing() {
    for (error, code) in [
        (ProbeError::NameResolution, Code::NetworkFailed),
        (ProbeError::Unreachable, Code::LogServerUnreachable),
        (ProbeError::Untrusted, Code::LogServerUntrusted),
        (ProbeError::NameMismatch, Code::LogServerName),
        (ProbeError::NotValidNow, Code::LogServerDates),
        (ProbeError::Weak, Code::LogServerWeak),
        (ProbeError::ClientRefused, Code::LogClientRefused),
        (ProbeError::ClientFiles, Code::LogClientUnusable),
        (ProbeError::Protocol, Code::LogServerProtocol),
    ] {
        let answer = error.clone();
        let machine = booted(|facts| facts.log_server = Err(answer));
        let run = verb(&machine, Verb::Logging);
        run.assert_verb_failed(Stage::Logging, code, &error.to_string());
        // The cause is remembered for the verb `failure`; no configuration was written.
        let written: Vec<String> = run.files.keys().map(|path| path.display().to_string()).collect();
        assert_eq!(written, ["/run/countersign/failure.txt"]);
        assert!(machine.records().is_empty());
        assert_silent(&run);
    }
}

#[test]
fn names_of_a_hostile_certificate_do_not_get_into_the_configuration() {
    let names = vec!["x\" port=\"1".to_owned()];
    let machine = booted(|facts| facts.log_server = Ok(LogPeer { names, fingerprint: "0a".repeat(32) }));
    let run = verb(&machine, Verb::Logging);
    assert_eq!(run.result, Ok(()), "{}", run.said());
    assert!(!run.file(CONFIGURATION).contains("port=\"1\""));
}

#[test]
fn a_configuration_that_cannot_be_written_ends_the_boot() {
    let machine = booted(|_| ());
    machine.fails("replace /run/countersign/rsyslog.conf", io::ErrorKind::StorageFull);
    verb(&machine, Verb::Logging).assert_verb_failed(Stage::Logging, Code::HandoverFailed, "rsyslog.conf");
}

#[test]
fn a_server_that_is_not_there_yet_is_waited_for() {
    let machine = booted(|facts| facts.log_server = Err(ProbeError::Unreachable));
    let before = machine.uptime();
    let peer = LogPeer { names: Vec::new(), fingerprint: "0a".repeat(32) };
    machine.log_server_from(before + Duration::from_secs(61), Ok(peer));
    let run = verb(&machine, Verb::Logging);
    assert_eq!(run.result, Ok(()), "{}", run.said());
    assert_eq!(machine.uptime() - before, Duration::from_secs(65));
    assert_eq!(run.said().matches("HPL14001I: ").count(), 1, "{}", run.said());
    assert_eq!(machine.records().len(), 1);
}

#[test]
fn a_server_that_never_comes_is_waited_for_two_minutes_and_one_that_refuses_not_at_all() {
    for (error, seconds) in [
        (ProbeError::Unreachable, 120),
        (ProbeError::NameResolution, 120),
        (ProbeError::Untrusted, 0),
        (ProbeError::ClientRefused, 0),
        (ProbeError::Protocol, 0),
    ] {
        let machine = booted(|facts| facts.log_server = Err(error));
        let before = machine.uptime();
        assert!(verb(&machine, Verb::Logging).result.is_err());
        assert_eq!(machine.uptime() - before, Duration::from_secs(seconds));
    }
}
