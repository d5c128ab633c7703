//! Stage `watch`: the daemon's schedule, notices and reports, by wake-ups of an alarm that the test winds. What its
//! checks find is in `deviations`.

use std::io;
use std::process::Command;
use std::time::Duration;

use countersign_boot::guest_os::Verb;
use countersign_boot::stage::Stage;
use countersign_contract::code::Code;
use countersign_ports::Clock;
use countersign_ports::guest_os::{GuestFiles, Wake};
use countersign_rehearsal::{Facts, Rehearsal};
use serde_json::Value;

use crate::support::canaries::assert_silent;
use crate::support::guest_os::verb;
use crate::support::keys::{DAY, keys, run};
use crate::support::machine::{DATA, GIB, facts, manifest};
use crate::support::watch::{
    HOUR, Step, coded, coded_log, count, demand, pass, started, started_with, watch, watch_with,
};
use crate::support::{Contract, boot};

#[test]
fn the_records_say_what_the_initramfs_left() {
    let contract =
        Contract::good().with("mount: /mnt/data", "mount: /srv/data").with("@signer.pub@", "@signer.crt@");
    let machine = started_with(&contract, facts());
    let text = machine.read_file("/run/countersign/watch.json".as_ref()).unwrap();
    let records: Value = serde_json::from_slice(&text).unwrap();
    assert_eq!(records["verified"]["unix"], keys().made + 60);
    assert_eq!(records["image"]["name"], "os");
    assert_eq!(records["scratch"][0]["name"], "scratch");
    assert_eq!(records["scratch"][1]["name"], "scratch_dif");
    let volume = &records["volumes"][0];
    assert_eq!(volume["name"], "data");
    assert_eq!(volume["mount"], "/srv/data");
    assert_eq!(volume["device"], "/dev/mapper/vdd2");
    let partition = serde_json::json!({"name": "vdd2", "table": "0 1888256 linear 253:3 206848"});
    assert_eq!(volume["partition"], partition);
    assert_eq!(volume["key_slots"], 1);
    assert_eq!(volume["mapping"]["name"], "volume-data");
    let flags = serde_json::json!({"read_only": false, "nosuid": true, "nodev": true, "noexec": false});
    assert_eq!(volume["flags"], flags);
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("record"), machine.attribute_on("/dev/vdd2").unwrap()).unwrap();
    let digest = run(Command::new("sha256sum").arg("record").current_dir(folder.path()));
    assert_eq!(volume["record"], digest.split(' ').next().unwrap());
    let uuid = volume["uuid"].as_str().unwrap();
    let table = volume["mapping"]["table"].as_str().unwrap();
    assert!(uuid.len() == 36 && table.contains(&format!(":64:logon:cryptsetup:{uuid}-d0")), "{volume}");
    let expiries = records["expiries"].as_array().unwrap();
    let subjects: Vec<&Value> = expiries.iter().map(|expiry| &expiry["subject"]).collect();
    assert_eq!(subjects, ["contract", "log-client", "log-authority"]);
    for (expiry, days) in expiries.iter().zip([10, 30, 30]) {
        let end = expiry["not_after"].as_i64().unwrap();
        // The certificates are made one after the other, within the minute.
        assert!((0..60).contains(&(end - keys().made - days * DAY)), "{expiry}");
        assert_eq!(expiry["fingerprint"].as_str().unwrap().len(), 64);
    }
}

#[test]
fn the_first_check_is_part_of_the_stage_and_says_every_mount_point() {
    let machine = started();
    let (run, alarm) = watch(&machine, Vec::new());
    assert_eq!(run.result, Ok(()), "{}", run.said());
    assert_eq!(
        run.stage_lines(),
        ["stage=watch state=start", "stage=watch state=done volumes=1 expiries=2 deviations=0"]
    );
    assert_eq!(
        coded(&run)[..4],
        [
            "HPL13000I: check 1: checking the encryption of all volumes",
            "HPL13003I: mount point /: encrypted with a throw-away key and integrity",
            "HPL13003I: volume data: luks encryption with 1 key slot",
            "HPL13001I: check 1: boot volume and all mounted data volumes are encrypted",
        ]
    );
    let told = "HPL13003I: mount point /mnt/data, volume data: luks encryption with 1 key slot";
    assert_eq!(coded_log(&run)[2], told, "the owner is told where");
    assert_eq!(alarm.ready, 1);
    assert_eq!(alarm.status, "1 of 1 containers run; check 1: 0 deviations");
    assert_eq!(
        run.asked,
        [
            "erase /run/countersign/boot-key.pem",
            "publish final-record.txt",
            "publish final-signature.bin",
            "publish record.json",
            "replace /run/countersign/record.json",
            "replace /run/countersign/watch-state.json",
        ],
        "it changes nothing of the machine but its own notes"
    );
    assert_silent(&run);
}

#[test]
fn scratch_in_memory_is_no_mount_point_to_check() {
    let machine = Rehearsal::new(facts());
    crate::support::machine::insert(&machine, "/dev/vda", &Contract::good().medium().image);
    machine.attach("/dev/vdb", "os", GIB);
    machine.attach(DATA, "data", GIB);
    assert_eq!(boot(&machine).result, Ok(()));
    assert_eq!(verb(&machine, Verb::Start).result, Ok(()));
    let (run, _) = watch(&machine, Vec::new());
    assert!(run.stage_lines()[1].ends_with("deviations=0"), "{}", run.said());
    assert_eq!(count(&run, Code::CheckedMount), 1, "{}", run.said());
}

#[test]
fn every_hour_of_uptime_has_one_check_however_often_the_daemon_looks() {
    let machine = started();
    let steps = (0..24 * 60).map(|_| pass(Duration::from_secs(60))).collect();
    let (run, alarm) = watch(&machine, steps);
    assert_eq!(run.result, Ok(()), "{}", run.said());
    assert_eq!((count(&run, Code::CheckStarted), count(&run, Code::CheckPassed)), (25, 25));
    assert!(alarm.waits.iter().all(|wait| *wait <= Duration::from_secs(60)));
    // Both certificates of the log connection are in their last 30 days: at the start, and at the next midnight.
    let ending = coded(&run).into_iter().filter(|line| line.starts_with("HPL01120W")).collect::<Vec<_>>();
    assert_eq!(ending.len(), 4, "{ending:#?}");
    assert!(
        ending[0].contains("the client certificate for the log server, ")
            && ending[0].contains(", ends at 2")
    );
    assert!(ending[1].contains("the authority of the log server, "));
}

#[test]
fn what_ends_is_told_by_its_code_before_and_after() {
    let manifest =
        manifest().replacen('{', &format!("{{\"certificate_not_after\":{},", keys().made + 2 * DAY), 1);
    let contract = Contract::good().with("@signer.pub@", "@signer.crt@");
    let machine = started_with(&contract, Facts { manifest: manifest.into_bytes(), ..facts() });
    // A second look at the same time repeats nothing, whatever the hour of the day.
    let (run, _) = watch(&machine, vec![pass(Duration::ZERO), pass(HOUR * 24 * 9), pass(HOUR * 24 * 31)]);
    for (code, least) in [
        (Code::ContractEnding, 2),
        (Code::ContractEnded, 1),
        (Code::LogCertificateEnding, 4),
        (Code::LogCertificateEnded, 2),
        (Code::ImageCertificateEnding, 1),
        (Code::ImageCertificateEnded, 2),
    ] {
        assert_eq!(count(&run, code), least, "{code} in {}", run.said());
    }
    let contract = coded(&run).into_iter().find(|line| line.starts_with("HPL12110W")).unwrap();
    assert!(contract.contains("the contract, signed by ") && contract.contains(", ends at 2"), "{contract}");
    assert_silent(&run);
}

#[test]
fn a_clock_that_is_set_back_is_told_once_and_extends_nothing() {
    let contract = Contract::good().with("@signer.pub@", "@signer.crt@");
    let machine = started_with(&contract, facts());
    let back: Step<'_> = Box::new(|machine| {
        machine.passes(-365 * DAY, HOUR);
        Wake::Due
    });
    // 10 days of uptime later the contract has expired, whatever the clock says.
    let (run, _) = watch(&machine, vec![back, pass(HOUR), pass(HOUR * 24 * 10)]);
    let lines: Vec<String> = coded(&run).into_iter().filter(|line| line.starts_with("HPL11105W")).collect();
    assert_eq!(lines, [format!("HPL11105W: the clock went back by {} s", 365 * DAY + 3_600)]);
    assert_eq!(count(&run, Code::ContractEnded), 1, "{}", run.said());
}

#[test]
fn a_check_on_demand_is_made_three_times_in_five_minutes() {
    let machine = started();
    let steps =
        vec![demand(), demand(), demand(), demand(), demand(), pass(Duration::from_secs(300)), demand()];
    let (run, alarm) = watch(&machine, steps);
    assert_eq!(count(&run, Code::CheckStarted), 1 + 3 + 1, "{}", run.said());
    assert_eq!(count(&run, Code::CheckThrottled), 1, "{}", run.said());
    // Each demand is answered to the service manager, met or not.
    assert_eq!(alarm.ready, 1 + 6);
}

#[test]
fn a_journal_that_is_not_heard_is_told_once_and_ends_nothing() {
    let machine = started();
    let (run, _) = watch_with(&machine, vec![pass(HOUR), demand(), pass(HOUR)], false);
    assert_eq!(run.result, Ok(()), "{}", run.said());
    assert_eq!((count(&run, Code::JournalUnheard), count(&run, Code::CheckPassed)), (1, 4), "{}", run.said());
    let (run, _) = watch(&machine, vec![pass(HOUR)]);
    assert_eq!(count(&run, Code::JournalUnheard), 0, "{}", run.said());
}

#[test]
fn containers_and_their_engine_are_told_once_per_change() {
    let list = |state: &str, code: i32, start: i64| {
        format!(
            r#"[{{"Names":["compose-web-1"],"State":"{state}","ExitCode":{code},"Restarts":1,"StartedAt":{start}}}]"#
        )
    };
    let machine = started();
    let show = |text: String| -> Step<'_> {
        Box::new(move |machine| {
            machine.lists_containers(&text);
            Wake::Due
        })
    };
    let ended = || show(list("exited", 3, 1));
    let steps = vec![
        show(list("running", 0, 1)),
        ended(),
        ended(),
        show(list("running", 0, 9)),
        show("no list".to_owned()),
        show("no list".to_owned()),
        show(list("running", 0, 9)),
    ];
    let (run, _) = watch(&machine, steps);
    let only = |lines: Vec<String>| -> Vec<String> {
        lines.into_iter().filter(|line| line.starts_with("HPL08")).collect()
    };
    assert_eq!(
        only(coded(&run)),
        [
            "HPL08110W: a container of the workload has ended",
            "HPL08110W: a container of the workload has ended",
            "HPL08111W: a container of the workload was started again",
            "HPL08112W: expected the engine's list of containers",
        ],
        "what containers are called is not for the console"
    );
    assert_eq!(
        only(coded_log(&run)),
        [
            "HPL08110W: container compose-1: is gone",
            "HPL08110W: container compose-web-1: ended with exit status 3",
            "HPL08111W: container compose-web-1: runs again, 1 restarts by its policy",
            "HPL08112W: expected the engine's list of containers",
        ]
    );
    let machine = started();
    machine.fails("containers of compose", io::ErrorKind::TimedOut);
    let (run, _) = watch(&machine, vec![pass(HOUR), pass(HOUR)]);
    assert_eq!(count(&run, Code::EngineSilent), 1, "{}", run.said());
}

#[test]
fn what_health_checks_say_is_told_when_it_changes() {
    let machine = started();
    let show = |health: &'static str| -> Step<'_> {
        Box::new(move |machine| {
            machine.lists_containers(&format!(
                r#"[{{"Names":["compose-web-1"],"State":"running","ExitCode":0,"Restarts":0,"StartedAt":1,"Status":"{health}"}}]"#
            ));
            Wake::Due
        })
    };
    let steps = ["starting", "healthy", "unhealthy", "unhealthy", "healthy", "healthy"].map(show);
    let (run, _) = watch(&machine, steps.into());
    let only = |lines: Vec<String>| -> Vec<String> {
        lines.into_iter().filter(|line| line.starts_with("HPL08113")).collect()
    };
    assert_eq!(
        only(coded(&run)),
        [
            "HPL08113W: the health check of a container fails",
            "HPL08113I: the health check of a container succeeds again",
        ]
    );
    assert_eq!(
        only(coded_log(&run)),
        [
            "HPL08113W: container compose-web-1: its health check fails",
            "HPL08113I: container compose-web-1: its health check succeeds again",
        ]
    );
}

#[test]
fn records_that_wait_for_the_log_server_are_told_once() {
    let machine = started();
    let began = machine.uptime().as_secs();
    let kept = |since: &str, reason: &str| -> Step<'_> {
        let text = format!(
            r#"{{"confirmed":{{"cursor":"c","number":7,"record":7}},"waiting_since":{since},"reason":{reason}}}"#
        );
        Box::new(move |machine| {
            machine.replace_file("/run/countersign/forward.json".as_ref(), text.as_bytes()).unwrap();
            machine.passes(100, Duration::from_secs(100));
            Wake::Due
        })
    };
    let since = began.to_string();
    let away = r#""expected the log server to accept a connection""#;
    let (run, _) = watch(
        &machine,
        vec![
            kept(&since, "null"),
            kept(&since, away),
            kept(&since, away),
            kept(&since, away),
            kept(&since, away),
            kept("null", "null"),
            kept("null", "null"),
            kept(&since, "null"),
            kept("null", "null"),
        ],
    );
    let lines: Vec<String> = coded(&run).into_iter().filter(|line| line.starts_with("HPL01122")).collect();
    assert_eq!(
        lines,
        [
            "HPL01122W: log records wait for the log server: 400 s; expected the log server to accept a connection",
            "HPL01122I: no log record waits for the log server any more",
            "HPL01122W: log records wait for the log server: 800 s",
            "HPL01122I: no log record waits for the log server any more",
        ]
    );
}

#[test]
fn a_daemon_that_is_started_again_checks_but_repeats_no_notice() {
    let machine = started();
    let (first, _) = watch(&machine, vec![pass(Duration::from_secs(60))]);
    let (second, _) = watch(&machine, vec![pass(Duration::from_secs(60))]);
    assert_eq!((count(&first, Code::LogCertificateEnding), count(&first, Code::CheckPassed)), (2, 1));
    assert_eq!((count(&second, Code::LogCertificateEnding), count(&second, Code::CheckPassed)), (0, 1));
}

#[test]
fn without_records_or_state_nobody_watches_and_that_ends_the_guest() {
    let machine = started();
    machine.fails("read /run/countersign/watch.json", io::ErrorKind::NotFound);
    let (run, alarm) = watch(&machine, Vec::new());
    run.assert_verb_failed(Stage::Watch, Code::HandoverFailed, "watch.json");
    assert_eq!((alarm.ready, alarm.waits.len()), (1, 0));
    let machine = started();
    machine.replace_file("/run/countersign/watch.json".as_ref(), b"{}").unwrap();
    let (run, _) = watch(&machine, Vec::new());
    run.assert_verb_failed(Stage::Watch, Code::HandoverFailed, "expected the records of this version");
    let machine = started();
    machine.fails("replace /run/countersign/watch-state.json", io::ErrorKind::StorageFull);
    let (run, _) = watch(&machine, Vec::new());
    run.assert_verb_failed(Stage::Watch, Code::HandoverFailed, "watch-state.json");
}

#[test]
fn a_month_leaves_no_more_behind_than_an_hour() {
    let machine = started();
    // What the daemon keeps is in its state, which is written at every look, and in the files beside it.
    let kept = || -> Vec<(std::path::PathBuf, usize)> {
        let mut files = machine.files();
        // Gets one record a start of the daemon, up to its bound.
        files.remove(std::path::Path::new("/run/countersign/transcript.json"));
        files.into_iter().map(|(path, (_, content))| (path, content.len())).collect()
    };
    let lengths = || -> Vec<usize> {
        let state: Value =
            serde_json::from_slice(&machine.read_file("/run/countersign/watch-state.json".as_ref()).unwrap())
                .unwrap();
        ["demands", "notices"]
            .map(|name| match &state[name] {
                Value::Array(items) => items.len(),
                Value::Object(entries) => entries.len(),
                other => panic!("{name}: {other}"),
            })
            .to_vec()
    };
    let hour = || vec![demand(), demand(), demand(), demand(), pass(HOUR)];
    let (_, _) = watch(&machine, hour());
    let (before, first) = (kept(), lengths());
    let (run, alarm) = watch(&machine, (0..31 * 24).flat_map(|_| hour()).collect());
    assert_eq!(run.result, Ok(()));
    // Each hour's own check, and the three of it that were asked for and allowed.
    assert_eq!(count(&run, Code::CheckPassed), 1 + 31 * 24 * 4);
    assert_eq!(lengths(), first);
    assert!(alarm.status.starts_with("1 of 1 containers run; "), "{}", alarm.status);
    let after = kept();
    for ((path, before), (same, after)) in before.iter().zip(&after) {
        // Numbers may have grown by some digits.
        assert!(path == same && *after <= before + 40, "{}: {before} to {after}", path.display());
    }
    assert_eq!(before.len(), after.len(), "no file more");
}
