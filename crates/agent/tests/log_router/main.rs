//! `countersignd logging`, `forward` and `failure` between a real journald and IBM Cloud Logs as a server plays it that
//! others could have written: everything arrives, whatever the service does; each no has its code; the API key is
//! nowhere.
//!
//! `COUNTERSIGN_LONG` adds what takes minutes: 20 restarts at 2 000 lines a second, and an IAM that is away. What arrived
//! twice is printed (`--nocapture`). Design section 10, tier 1.
#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used)]

mod cloud;
#[path = "../forward/world.rs"]
#[allow(dead_code)]
mod world;

use std::collections::BTreeMap;
use std::fs;
use std::process::Command;
use std::time::Instant;

use cloud::{API_KEY, Cloud, Record};
use countersign_boot::stage::Stage;
use serde_json::json;
use world::{CONSOLE, Process, World, Writer, until};

const KEY_FILE: &str = "/run/countersign/logging/api-key";

fn long() -> bool {
    std::env::var_os("COUNTERSIGN_LONG").is_some()
}

/// Hands over a log router: the service at one port, IAM at another, each with its authority.
fn hand_over(world: &World, logs: (u16, &str), iam: (u16, &str)) {
    fs::create_dir_all("/run/countersign/logging").unwrap();
    fs::write(KEY_FILE, API_KEY).unwrap();
    let file = |name: &str| world.keys.path(&format!("{name}.pem")).display().to_string();
    world.plan_log(json!({
        "hostname": "localhost", "port": logs.0, "ca": file(logs.1),
        "service": {"log-router": {
            "api_key": KEY_FILE, "tags": ["blue", "a-1"],
            "iam": {"hostname": "localhost", "port": iam.0, "ca": file(iam.1)},
        }},
    }));
}

/// A world with a service that it trusts.
fn start() -> Option<(World, Cloud)> {
    let world = World::new()?;
    let cloud = Cloud::start(&world.keys, "server");
    hand_over(&world, (cloud.port, "ca"), (cloud.port, "ca"));
    Some((world, cloud))
}

/// The number of a line that a writer wrote.
fn number(record: &Record) -> Option<usize> {
    record.message().strip_prefix("line ")?.split(' ').next()?.parse().ok()
}

fn has_last(records: &[Record], number_of_last: usize) -> bool {
    records.iter().rev().take(2_000).any(|record| number(record) == Some(number_of_last))
}

/// Every number arrived, whole and under one sequence number however often it came. Returns how many came again.
fn assert_complete(records: &[Record], count: usize) -> usize {
    let mut times: BTreeMap<usize, (usize, u64)> = BTreeMap::new();
    for record in records {
        let Some(number) = number(record) else { continue };
        assert!(record.message().ends_with("a lot to say about itself") && record.subsystem_name == "load");
        let sequence = record.sequence().unwrap();
        let entry = times.entry(number).or_insert((0, sequence));
        assert_eq!(entry.1, sequence, "the number of {record:?}");
        entry.0 += 1;
    }
    let missing: Vec<usize> = (1..=count).filter(|number| !times.contains_key(number)).collect();
    assert!(missing.is_empty(), "{} of {count} lost, the first is {}", missing.len(), missing[0]);
    times.values().map(|(times, _)| times - 1).sum()
}

/// The key and the tokens are in no text that others may see.
fn assert_silent(cloud: &Cloud, texts: &[(&str, String)]) {
    let encoded = "canary%2BApi%2FKey%3D4711";
    let tokens = cloud.lines("tokens");
    let tokens: Vec<&str> = tokens.iter().map(|line| &line[..40]).collect();
    for (name, text) in texts {
        for secret in [API_KEY, encoded].into_iter().chain(tokens.iter().copied()) {
            assert!(!text.contains(secret), "a secret in {name}");
        }
    }
}

/// Arguments and environment of a process; empty if it has ended by now.
fn seen(process: &Process) -> [(&'static str, String); 2] {
    let read = |name: &str| {
        let bytes = fs::read(format!("/proc/{}/{name}", process.0.id())).unwrap_or_default();
        String::from_utf8_lossy(&bytes).into_owned()
    };
    [("arguments", read("cmdline")), ("environment", read("environ"))]
}

/// Everything in `/run/countersign` but the key's file, the journal, the console.
fn kept() -> Vec<(&'static str, String)> {
    let mut all = String::new();
    let mut open = vec![std::path::PathBuf::from("/run/countersign")];
    while let Some(folder) = open.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                open.push(path);
            } else if path != std::path::Path::new(KEY_FILE) {
                all.push_str(&String::from_utf8_lossy(&fs::read(path).unwrap()));
            }
        }
    }
    let journal = Command::new("journalctl").args(["--merge", "--output=export"]).output().unwrap();
    vec![
        ("the handover", all),
        ("the journal", String::from_utf8_lossy(&journal.stdout).into_owned()),
        ("the console", fs::read_to_string(CONSOLE).unwrap()),
    ]
}

#[test]
fn everything_arrives_with_names_severities_and_marks_whole() {
    let Some((world, mut cloud)) = start() else { return };
    assert!(world.program("logging").0.wait().unwrap().success());
    cloud.wait_for("the first record", |records| !records.is_empty());
    assert_eq!((cloud.records[0].message(), cloud.records[0].severity), ("authentication probe", 3));
    assert!(fs::read_to_string(CONSOLE).unwrap().contains("HPL01010I: "));

    let mut forwarder = world.forwarder();
    let writer = Writer::new();
    for priority in 0..=7 {
        writer.write_with(&format!("PRIORITY={priority}\nSYSLOG_IDENTIFIER=ranked\n"), b"as it is ranked");
    }
    writer.write_with(
        "PRIORITY=6\nSYSLOG_IDENTIFIER=0123456789ab\nCONTAINER_NAME=compose-web-1\nCONTAINER_ID=0123456789ab\n\
         IMAGE_NAME=registry.example/web\nSYSLOG_FACILITY=3\nSYSLOG_PID=77\n",
        b"of a container",
    );
    let longest = format!("{}x", ("w".repeat(127) + "\n").repeat(512).trim_end());
    assert_eq!(longest.len(), 64 << 10);
    let messages = ["two\n\tlines", "caf\u{e9} \u{2713} \u{1f600}", "\"quoted\" \\ {json}", &longest, ""];
    messages.iter().for_each(|message| writer.write("whole", message.as_bytes()));
    writer.write("whole", "z".repeat(70_000).as_bytes());
    writer.write("last", b"last");
    cloud
        .wait_for("the last message", |records| records.iter().any(|record| record.subsystem_name == "last"));
    let processes = seen(&forwarder);
    assert!(processes[0].1.ends_with("countersignd\0forward\0"), "{processes:?}");
    assert!(forwarder.end().success());
    cloud.stop();
    cloud.assert_kept();

    for record in &cloud.records {
        assert_eq!((record.application_name.as_str(), record.computer_name.as_str()), ("guest", "guest"));
        assert_eq!(
            (&record.text["_HOSTNAME"], &record.text["tags"]),
            (&json!("guest"), &json!(["blue", "a-1"]))
        );
        assert!(record.timestamp > 1_700_000_000_000);
    }
    let of =
        |name: &str| cloud.records.iter().filter(|record| record.subsystem_name == name).collect::<Vec<_>>();
    let severities: Vec<u8> = of("ranked").iter().map(|record| record.severity).collect();
    assert_eq!(severities, [6, 6, 6, 5, 4, 3, 3, 1]);
    let [container] = of("compose-web-1")[..] else { panic!("one record of the container") };
    for (field, value) in [
        ("CONTAINER_NAME", "compose-web-1"),
        ("CONTAINER_ID", "0123456789ab"),
        ("IMAGE_NAME", "registry.example/web"),
        ("SYSLOG_IDENTIFIER", "0123456789ab"),
        ("SYSLOG_FACILITY", "3"),
        ("SYSLOG_PID", "77"),
        ("PRIORITY", "6"),
    ] {
        assert_eq!(container.text[field], value, "{field}");
    }
    // Parts belong together by their sequence number and come in their order.
    let mut whole: BTreeMap<u64, String> = BTreeMap::new();
    for record in of("whole") {
        whole.entry(record.sequence().unwrap()).or_default().push_str(record.message());
    }
    let cut = format!("{} [cut, 70000 bytes in all]", "z".repeat(64 << 10));
    let expected: Vec<&str> = messages.into_iter().chain([cut.as_str()]).collect();
    assert_eq!(whole.len(), expected.len());
    for (received, expected) in whole.values().zip(expected) {
        assert!(received == expected, "{} bytes for {}: {received:.60}", received.len(), expected.len());
    }
    assert!(of("whole").iter().any(|record| record.text["part"] == "2/3"));
    assert_silent(&cloud, &[&kept()[..], &processes].concat());
}

#[test]
fn a_token_ends_in_the_middle_and_nothing_is_lost() {
    let Some((world, mut cloud)) = start() else { return };
    cloud.settings(API_KEY, 3);
    let count = 14_000;
    let mut forwarder = world.forwarder();
    Writer::new().lines(1..=count, Some(2_000));
    cloud.wait_for("the last line", |records| has_last(records, count));
    // Renewed before its end: the service never saw one that was over.
    assert!(cloud.lines("exchanges").len() >= 3, "{:?}", cloud.lines("exchanges"));
    assert_eq!(cloud.lines("unknown"), Vec::<String>::new());
    // One that the service forgets is replaced at once.
    let exchanges = cloud.lines("exchanges").len();
    cloud.settings(API_KEY, 3600);
    fs::write(cloud.path("tokens"), "").unwrap();
    Writer::new().write("last", b"last");
    cloud.wait_for("the last message", |records| records.iter().any(|record| record.message() == "last"));
    assert!(cloud.lines("exchanges").len() > exchanges);
    assert!(forwarder.end().success());
    cloud.stop();
    cloud.assert_kept();
    assert_eq!(assert_complete(&cloud.records, count), 0);
}

#[test]
fn a_service_that_is_overloaded_or_breaks_gets_everything_in_the_end() {
    let Some((world, mut cloud)) = start() else { return };
    cloud.faults(
        "faults",
        &[
            "chunked",
            "429 2",
            "ok",
            "503",
            "ok",
            "cut",
            "ok",
            "cut-after",
            "ok",
            "401",
            "ok",
            "502",
            "500",
            "chunked",
        ],
    );
    cloud.faults("iam-faults", &["ok", "503"]);
    let count = 10_000;
    let begin = Instant::now();
    let mut forwarder = world.forwarder();
    Writer::new().lines(1..=count, Some(4_000));
    cloud.wait_for("the last line", |records| has_last(records, count));
    until("all faults", || cloud.lines("faults").is_empty().then_some(()));
    assert!(forwarder.end().success());
    let state = world.state().unwrap();
    assert_eq!((&state["reason"], &state["waiting_since"]), (&json!(null), &json!(null)));
    cloud.stop();
    cloud.assert_kept();
    let again = assert_complete(&cloud.records, count);
    assert!(again > 0, "what was taken before the answer was cut comes again");
    println!("faults: {count} lines in {:.1?}: 0 lost, {again} twice", begin.elapsed());
}

/// The service is stopped, in the middle of whatever it does, and started again while lines are written.
#[test]
fn every_number_arrives_over_restarts_of_the_service() {
    let Some((world, mut cloud)) = start() else { return };
    let (restarts, rate, count) = if long() { (20, 2_000, 120_000) } else { (3, 4_000, 12_000) };
    let begin = Instant::now();
    let mut forwarder = world.forwarder();
    std::thread::scope(|scope| {
        let writer = scope.spawn(move || Writer::new().lines(1..=count, Some(rate)));
        for restart in 1..=restarts {
            let enough = count * restart / (restarts + 1);
            cloud.wait_for("lines before the restart", |records| {
                records.iter().rev().find_map(number).is_some_and(|number| number >= enough)
            });
            cloud.stop();
            cloud.run();
        }
        writer.join().unwrap();
    });
    cloud.wait_for("the last line", |records| has_last(records, count));
    let end = begin.elapsed();
    assert!(forwarder.end().success());
    cloud.stop();
    cloud.assert_kept();
    let again = assert_complete(&cloud.records, count);
    println!("{restarts} restarts, {count} lines in {end:.1?}: 0 lost, {again} twice");
}

#[test]
fn a_record_that_the_service_refuses_is_told_and_the_others_arrive() {
    let Some((world, mut cloud)) = start() else { return };
    cloud.faults("faults", &["poison offensive"]);
    let writer = Writer::new();
    writer.lines(1..=500, None);
    writer.write("bad", b"offensive");
    writer.write("bad", b"offensive as well");
    writer.lines(501..=1_000, None);
    let mut forwarder = world.forwarder();
    cloud.wait_for("the last line", |records| has_last(records, 1_000));
    until("the warning", || fs::read_to_string(CONSOLE).unwrap().contains("HPL01125W: ").then_some(()));
    assert!(forwarder.end().success());
    cloud.stop();
    cloud.assert_kept();
    assert_complete(&cloud.records, 1_000);
    assert!(cloud.records.iter().all(|record| record.subsystem_name != "bad"));
    let console = fs::read_to_string(CONSOLE).unwrap();
    let told: u64 = console
        .lines()
        .filter(|line| line.starts_with("HPL01125W: "))
        .map(|line| line.rsplit(' ').next().unwrap().parse::<u64>().unwrap())
        .sum();
    assert_eq!(told, 2, "{console}");
}

#[test]
fn each_no_has_its_code_and_the_key_stays_where_it_is() {
    let Some((world, cloud)) = start() else { return };
    world.keys.server("elsewhere", "ca", "subjectAltName=DNS:elsewhere.example,IP:127.0.0.1");
    let elsewhere = Cloud::start(&world.keys, "elsewhere");
    let good = (cloud.port, "ca");
    let code = |what: &str, code: &str| {
        fs::write(CONSOLE, "").unwrap();
        let mut program = world.program("logging");
        let processes = seen(&program);
        assert_eq!(program.0.wait().unwrap().code(), Some(Stage::Logging.exit_code().into()), "{what}");
        let console = fs::read_to_string(CONSOLE).unwrap();
        assert!(
            console.lines().any(|line| line.starts_with(&format!("{code}: expected "))),
            "{what}: {console}"
        );
        assert_silent(&cloud, &[&kept()[..], &processes].concat());
    };
    for (what, logs, iam, expected) in [
        ("a foreign authority", (cloud.port, "other"), good, "HPL01102E"),
        ("another name", (elsewhere.port, "ca"), good, "HPL01103E"),
        ("a foreign authority of iam", good, (cloud.port, "other"), "HPL01110E"),
        ("another name of iam", good, (elsewhere.port, "ca"), "HPL01110E"),
    ] {
        hand_over(&world, logs, iam);
        code(what, expected);
    }
    hand_over(&world, good, good);
    cloud.faults("faults", &["403"]);
    code("no role", "HPL01111E");
    cloud.faults("faults", &["404"]);
    code("no ingestion address", "HPL01112E");
    cloud.faults("faults", &[]);
    // The cause of a failed boot arrives at the service.
    let mut report = world.program("failure");
    assert!(report.0.wait().unwrap().success());
    let mut cloud = cloud;
    cloud.wait_for("the cause", |records| {
        records.iter().any(|record| record.message().starts_with("HPL10000E"))
    });
    let told: Vec<&str> = cloud.records.iter().map(Record::message).collect();
    assert!(told[0].starts_with("HPL01102E: expected "), "the first cause is kept: {told:?}");
    assert!(cloud.records.iter().all(|record| record.severity == 5));
    cloud.settings("another key", 3600);
    let key = |cloud: &Cloud| {
        fs::write(CONSOLE, "").unwrap();
        assert_eq!(
            world.program("logging").0.wait().unwrap().code(),
            Some(Stage::Logging.exit_code().into())
        );
        let console = fs::read_to_string(CONSOLE).unwrap();
        assert!(console.contains("HPL01108E: expected iam to give a token"), "{console}");
        assert_silent(cloud, &kept());
    };
    key(&cloud);
    cloud.assert_kept();
    if !long() {
        return eprintln!("skipped: an iam that is away takes two minutes; COUNTERSIGN_LONG=1 asks for it");
    }
    hand_over(&world, good, (1, "ca"));
    fs::write(CONSOLE, "").unwrap();
    assert_eq!(world.program("logging").0.wait().unwrap().code(), Some(Stage::Logging.exit_code().into()));
    assert!(fs::read_to_string(CONSOLE).unwrap().contains("HPL01109E: expected iam to accept a connection"));
}
