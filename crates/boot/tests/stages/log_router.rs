//! IBM Cloud Logs as the log server: the first record, the cause of a failed boot, and every way in which the service or
//! its IAM may say no.

use std::time::Duration;

use countersign_boot::guest_os::Verb;
use countersign_boot::stage::Stage;
use countersign_contract::code::Code;
use countersign_plan::record::bundle::MARKER;
use countersign_ports::Clock;
use countersign_ports::guest_os::{ConnectionError, Notes};
use countersign_rehearsal::{PlayedAnswer, Posted, Rehearsal};
use serde_json::{Value, json};

use crate::support::contract::API_KEY;
use crate::support::guest_os::{booted_with, verb};
use crate::support::keys::{certificate_fingerprint, keys};
use crate::support::machine::Boot;
use crate::support::{Contract, boot, machine};

const IAM: &str = "/identity/token";
const SINGLES: &str = "/logs/v1/singles";
const PUBLIC: &str = "/etc/ssl/certs/ca-certificates.crt";

pub(crate) fn booted() -> Rehearsal {
    booted_with(&Contract::good().with_log_router(), |_| ())
}

pub(crate) fn status(status: u16) -> PlayedAnswer {
    Ok((status, None, String::new()))
}

/// The records of a request.
pub(crate) fn records((path, bearer, body): &Posted) -> Vec<Value> {
    assert_eq!(path, SINGLES);
    assert!(bearer.is_some());
    serde_json::from_slice(body).unwrap()
}

/// The API key is nowhere, in no form.
fn assert_silent(run: &Boot) {
    let said = run.said() + &run.asked.join("\n");
    for form in [API_KEY, "canary%2Bapi%2Fkey"] {
        assert!(!said.contains(form), "{said}");
    }
    assert!(!said.contains("token-"), "{said}");
    for (path, (_, content)) in &run.files {
        assert!(!String::from_utf8_lossy(content).contains("canary"), "{}", path.display());
    }
}

fn own(contract: Contract, lines: &str) -> Contract {
    contract.with_env(&format!("countersign:\n  log-router:\n{lines}"))
}

#[test]
fn the_handover_has_the_key_in_one_file_and_says_who_is_asked() {
    let machine = booted();
    let files = machine.files();
    let holders: Vec<String> = files
        .iter()
        .filter(|(_, (_, content))| String::from_utf8_lossy(content).contains(API_KEY))
        .map(|(path, (mode, content))| {
            assert_eq!((*mode, content.as_slice()), (0o600, API_KEY.as_bytes()));
            path.display().to_string()
        })
        .collect();
    assert_eq!(holders, ["/run/countersign/logging/api-key"]);
    let lines: Vec<String> = machine.lines().into_iter().map(|(_, line)| line).collect();
    assert!(!(lines.join("\n") + &machine.asked().join("\n")).contains(API_KEY));
    let log = |machine: &Rehearsal| -> Value {
        let files = machine.files();
        let (_, plan) = &files[std::path::Path::new("/run/countersign/plan.json")];
        serde_json::from_slice::<Value>(plan).unwrap()["log"].clone()
    };
    let expected = json!({
        "hostname": "logs.example.org", "port": 443, "ca": PUBLIC,
        "service": {"log-router": {
            "api_key": "/run/countersign/logging/api-key", "tags": ["blue"],
            "iam": {"hostname": "iam.cloud.ibm.com", "port": 443, "ca": PUBLIC},
        }}
    });
    assert_eq!(log(&machine), expected);

    let text = "    iam-url: https://private.iam.example:8443\n    iam-authorities: @registry.crt@\n    authorities: @ca.crt@\n";
    let machine = booted_with(&own(Contract::good().with_log_router(), text), |_| ());
    let iam = json!({
        "hostname": "private.iam.example", "port": 8443, "ca": "/run/countersign/logging/iam-ca.pem"
    });
    assert_eq!(log(&machine)["service"]["log-router"]["iam"], iam);
    assert_eq!(log(&machine)["ca"], "/run/countersign/logging/ca.pem");
    let file = |name: &str| machine.files()[std::path::Path::new(name)].1.clone();
    assert_eq!(file("/run/countersign/logging/ca.pem"), keys().pem("ca.crt").into_bytes());
    assert_eq!(file("/run/countersign/logging/iam-ca.pem"), keys().pem("registry.crt").into_bytes());
}

#[test]
fn the_first_record_goes_out_with_a_token_for_the_key() {
    let machine = booted();
    let run = verb(&machine, Verb::Logging);
    assert_eq!(run.result, Ok(()), "{}", run.said());
    assert_eq!(
        run.asked,
        [
            format!("post {IAM} to iam.cloud.ibm.com:443 ca={PUBLIC} type=application/x-www-form-urlencoded"),
            format!("post {SINGLES} to logs.example.org:443 ca={PUBLIC} type=application/json"),
        ]
    );
    let posts = machine.posts();
    let form = "grant_type=urn%3Aibm%3Aparams%3Aoauth%3Agrant-type%3Aapikey&apikey=canary%2Bapi%2Fkey";
    assert_eq!(posts[0], (IAM.to_owned(), None, form.as_bytes().to_vec()));
    assert_eq!(posts[1].1.as_deref(), Some("token-1"));
    let records = records(&posts[1]);
    let now = u64::try_from(machine.unix_time()).unwrap();
    let plan: Value = serde_json::from_slice(&machine.note("plan.json").unwrap()).unwrap();
    let [contract, signer] = ["contract", "signer"].map(|name| plan["identity"][name].clone());
    let text = json!({
        "MESSAGE": "authentication probe", "PRIORITY": "6", "SYSLOG_FACILITY": "3",
        "SYSLOG_IDENTIFIER": "countersignd", "_HOSTNAME": "guest", "tags": ["blue"],
        "countersign": {"origin": "guest", "contract": contract, "signer": signer}
    });
    let expected = json!([{
        "applicationName": "guest", "subsystemName": "countersignd", "computerName": "guest", "severity": 3,
        "timestamp": now * 1000, "hiResTimestamp": format!("{now}000000000"), "text": text
    }]);
    assert_eq!(Value::from(records), expected);
    assert!(run.said().contains("HPL01010I: "), "{}", run.said());
    assert_eq!(run.stage_lines(), ["stage=logging state=start", "stage=logging state=done port=443"]);
    assert_silent(&run);
}

#[test]
fn each_no_has_its_code_and_starts_nothing() {
    let body = |text: &str| Ok((200, None, text.to_owned()));
    let cases: Vec<(&str, PlayedAnswer, Code, &str)> = vec![
        (IAM, status(400), Code::LogTokenRefused, "expected iam to give a token for the api key"),
        (IAM, status(401), Code::LogTokenRefused, "expected iam to give a token for the api key"),
        (IAM, status(403), Code::LogTokenRefused, "expected iam to give a token for the api key"),
        (IAM, status(404), Code::LogTokenUntrusted, "expected a token in iam's answer"),
        (IAM, status(302), Code::LogTokenUntrusted, "expected a token in iam's answer"),
        (IAM, body("{}"), Code::LogTokenUntrusted, "expected a token in iam's answer"),
        (
            IAM,
            Err(ConnectionError::Untrusted),
            Code::LogTokenUntrusted,
            "of iam issued by an accepted authority",
        ),
        (IAM, Err(ConnectionError::NameMismatch), Code::LogTokenUntrusted, "of iam with its host name"),
        (IAM, Err(ConnectionError::NotValidNow), Code::LogTokenUntrusted, "of iam that is valid now"),
        (IAM, Err(ConnectionError::Weak), Code::LogTokenUntrusted, "of iam signed with sha-256"),
        (IAM, Err(ConnectionError::Protocol), Code::LogTokenUntrusted, "conversation with iam"),
        (SINGLES, status(403), Code::LogIngestionDenied, "to let the api key in the contract write records"),
        (SINGLES, status(401), Code::LogIngestionDenied, "to let the api key in the contract write records"),
        (SINGLES, status(404), Code::LogIngestionRefused, "expected the log service to take the records"),
        (SINGLES, status(301), Code::LogIngestionRefused, "expected the log service to take the records"),
        (
            SINGLES,
            Err(ConnectionError::Untrusted),
            Code::LogServerUntrusted,
            "issued by an accepted authority",
        ),
        (SINGLES, Err(ConnectionError::NameMismatch), Code::LogServerName, "with the log server's name"),
        (SINGLES, Err(ConnectionError::Protocol), Code::LogServerProtocol, "expected a tls 1.2"),
    ];
    for (path, answer, code, words) in cases {
        let machine = booted();
        let before = machine.uptime();
        // Whoever is refused may ask once more, the second answer is the same.
        machine.answers(path, answer.clone());
        machine.answers(path, answer.clone());
        let run = verb(&machine, Verb::Logging);
        run.assert_verb_failed(Stage::Logging, code, words);
        assert_eq!(machine.uptime(), before, "{answer:?} is not waited for");
        assert_silent(&run);
    }
    let machine = booted();
    machine.fails("read /run/countersign/logging/api-key", std::io::ErrorKind::NotFound);
    let run = verb(&machine, Verb::Logging);
    run.assert_verb_failed(Stage::Logging, Code::LogClientUnusable, "expected a client certificate");
}

#[test]
fn who_is_away_or_has_no_time_is_asked_for_two_minutes() {
    let later = |pause| Ok((429, pause, String::new()));
    let cases: Vec<(&str, PlayedAnswer, Code)> = vec![
        (IAM, Err(ConnectionError::NameResolution), Code::LogTokenUnavailable),
        (IAM, Err(ConnectionError::Unreachable), Code::LogTokenUnavailable),
        (IAM, Err(ConnectionError::Silent), Code::LogTokenUnavailable),
        (IAM, status(503), Code::LogTokenUnavailable),
        (IAM, later(Some(1)), Code::LogTokenUnavailable),
        (SINGLES, Err(ConnectionError::Unreachable), Code::LogServerUnreachable),
        (SINGLES, Err(ConnectionError::HungUp), Code::LogIngestionBusy),
        (SINGLES, status(500), Code::LogIngestionBusy),
        (SINGLES, later(None), Code::LogIngestionBusy),
    ];
    for (path, answer, code) in cases {
        let machine = booted();
        let before = machine.uptime();
        (0..3).for_each(|_| machine.answers(path, answer.clone()));
        let run = verb(&machine, Verb::Logging);
        assert_eq!(run.result, Ok(()), "{answer:?}: {}", run.said());
        assert_eq!(machine.uptime() - before, Duration::from_secs(15), "{answer:?}");
        assert_eq!(run.said().matches("HPL14001I: ").count(), 1, "{}", run.said());

        let machine = booted();
        let before = machine.uptime();
        (0..99).for_each(|_| machine.answers(path, answer.clone()));
        verb(&machine, Verb::Logging).assert_verb_failed(Stage::Logging, code, "expected ");
        assert_eq!(machine.uptime() - before, Duration::from_secs(120), "{answer:?}");
    }
    // Whoever says for how long is left alone so long.
    let machine = booted();
    let before = machine.uptime();
    machine.answers(SINGLES, later(Some(40)));
    assert_eq!(verb(&machine, Verb::Logging).result, Ok(()));
    assert_eq!(machine.uptime() - before, Duration::from_secs(40));
}

#[test]
fn the_log_service_is_told_why_a_boot_failed() {
    // A failure of the guest OS.
    let machine = booted();
    machine.fails("pull", std::io::ErrorKind::Other);
    let failed = verb(&machine, Verb::Images);
    let report = verb(&machine, Verb::Failure);
    assert_eq!(report.result, Ok(()), "{}", report.said());
    let told = |machine: &Rehearsal| -> Vec<(u64, String)> {
        let posts = machine.posts();
        let records = records(posts.last().unwrap());
        let line = |record: &Value| {
            (record["severity"].as_u64().unwrap(), record["text"]["MESSAGE"].as_str().unwrap().to_owned())
        };
        records.iter().map(line).collect()
    };
    let ended = "HPL10000E: the boot failed and the guest powers off".to_owned();
    // The lines of the attestation record stand between cause and end.
    let (first, second) = (told(&machine), told(&machine));
    let (attested, others): (Vec<_>, Vec<_>) =
        first.into_iter().partition(|(_, text)| text.starts_with(MARKER));
    assert_eq!(others, [(5, failed.sentence().to_owned()), (5, ended.clone())]);
    assert!(!attested.is_empty() && attested.iter().all(|(severity, _)| *severity == 3), "{attested:?}");
    assert_eq!((&second[0], second.last().unwrap()), (&others[0], &others[1]));
    assert_silent(&report);

    // And one of the initramfs: the guest OS comes up for that alone, with what the contract says of the service.
    let contract = Contract::good().authenticated().with_log_router();
    let contract = Contract { signer: Some("other-signer.key"), ..contract };
    let contract =
        own(contract, "    iam-url: https://private.iam.example\n    iam-authorities: @registry.crt@\n");
    let machine = crate::support::machine(&contract);
    let boot = boot(&machine);
    boot.assert_refused(Stage::Verify, Code::SignatureInvalid);
    assert!(boot.reports(), "{}", boot.said());
    let report = verb(&machine, Verb::Failure);
    assert_eq!(report.result, Ok(()), "{}", report.said());
    assert!(report.asked[0].starts_with("post /identity/token to private.iam.example:443 ca=/run/"));
    assert_eq!(told(&machine), [(5, boot.sentence().to_owned()), (5, ended)]);

    // Where it is the service that was refused, nobody is told; where it refuses, the console has it.
    let refused = own(Contract::good().with_log_router(), "    iam-url: http://iam.example\n");
    let boot = crate::support::boot(&crate::support::machine(&refused));
    boot.assert_warned("the log server is not told: it is what was refused");
    // Settings of a router beside a syslog server are no reason against that server.
    let beside = own(Contract::good(), "    iam-url: https://iam.example\n");
    let boot = crate::support::boot(&crate::support::machine(&beside));
    boot.assert_refused(Stage::Validate, Code::UnsupportedField);
    assert!(boot.reports(), "{}", boot.said());
    let machine = booted();
    machine.answers(IAM, status(400));
    let report = verb(&machine, Verb::Failure);
    report.assert_warned("the log server was not told: expected iam to give a token for the api key");
}

#[test]
fn a_policy_of_authorities_wants_them_in_the_contract() {
    let fingerprint = certificate_fingerprint("ca.crt");
    let policy = format!("countersign:\n  policy:\n    log-authorities: [\"{fingerprint}\"]\n");
    let router = || Contract { authenticated: &["workload"], ..Contract::good().with_log_router() };
    for (contract, place) in [
        (router(), "/env/logging/logRouter"),
        (own(router(), "    iam-authorities: @ca.crt@\n"), "/env/logging/logRouter"),
        (own(router(), "    authorities: @registry.crt@\n"), "/env/countersign/log-router/authorities"),
    ] {
        let boot = boot(&machine(&contract.with_workload(&policy)));
        boot.assert_refused(Stage::Validate, Code::LogAuthorityNotListed);
        assert!(boot.said().contains(&format!("HPL12107E {place} (")), "{}", boot.said());
        assert!(!boot.reports(), "{}", boot.said());
    }
    let listed = own(router(), "    authorities: @ca.crt@\n").with_workload(&policy);
    assert_eq!(boot(&machine(&listed)).result, Ok(()));
}
