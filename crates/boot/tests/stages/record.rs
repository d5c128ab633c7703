//! The final record and the way on which both records leave the guest, against the openssl program.

use std::io;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use countersign_boot::guest_os::Verb;
use countersign_contract::code::Code;
use countersign_plan::record::bundle::{Bundle, MARKER};
use countersign_ports::guest_os::Wake;
use countersign_rehearsal::Rehearsal;

use crate::support::auditor::{opened_by_openssl, with_auditor};
use crate::support::contract::Contract;
use crate::support::guest_os::{booted, booted_with, verb};
use crate::support::keys::{keys, run};
use crate::support::machine::Boot;
use crate::support::watch::{Step, demand, pass, watch};

const KEY: &str = "/run/countersign/boot-key.pem";
const PUBLISHED: &str = "/run/countersign/hyperprotect/countersign";

/// A guest whose workload runs, up to the daemon's first look.
fn watched(machine: &Rehearsal) -> Boot {
    for which in [Verb::Network, Verb::Logging, Verb::Images, Verb::Start] {
        assert_eq!(verb(machine, which).result, Ok(()));
    }
    let (boot, _) = watch(machine, Vec::new());
    assert_eq!(boot.result, Ok(()), "{}", boot.said());
    boot
}

/// What a tool finds in the log.
fn delivered(boot: &Boot) -> Bundle {
    let log: String = boot.logged.iter().map(|(_, text)| format!("<30>1 - guest {text}\n")).collect();
    Bundle::find(&log).unwrap()
}

fn published(machine: &Rehearsal, name: &str) -> Vec<u8> {
    let (mode, content) = machine.files()[&Path::new(PUBLISHED).join(name)].clone();
    assert_eq!(mode, 0o400, "{name}");
    content
}

fn sha256sum(bytes: &[u8]) -> String {
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), bytes).unwrap();
    run(Command::new("sha256sum").arg(file.path()))[..64].to_owned()
}

/// Whether openssl takes the final record's signature under the key that the first record names.
fn openssl_takes(first: &str, last: &[u8], signature: &[u8]) -> bool {
    let folder = tempfile::tempdir().unwrap();
    let public = first.split("Key of the final record: ").nth(1).unwrap().lines().next().unwrap();
    let pem = format!(
        "-----BEGIN PUBLIC KEY-----\n{}\n{}\n-----END PUBLIC KEY-----\n",
        &public[..64],
        &public[64..]
    );
    for (name, content) in [("key", pem.as_bytes()), ("record", last), ("signature", signature)] {
        std::fs::write(folder.path().join(name), content).unwrap();
    }
    let mut command = Command::new("openssl");
    command.args(["dgst", "-sha256", "-verify", "key", "-signature", "signature", "record"]);
    command.current_dir(folder.path()).output().unwrap().status.success()
}

#[test]
fn the_final_record_is_signed_by_the_key_that_the_first_one_names() {
    let machine = booted(|_| ());
    assert!(machine.files().contains_key(Path::new(KEY)));
    let boot = watched(&machine);
    // The key is gone from the handover before anything is done with it.
    assert!(!machine.files().contains_key(Path::new(KEY)));
    assert!(boot.asked("erase /run/countersign/boot-key.pem"), "{:?}", boot.asked);
    let bundle = delivered(&boot);
    let last = bundle.final_record.clone().unwrap();
    assert!(openssl_takes(&bundle.record, last.as_bytes(), &bundle.final_signature().unwrap()));
    assert!(!openssl_takes(&bundle.record, &last.as_bytes()[1..], &bundle.final_signature().unwrap()));
    let transcript = machine.files()[Path::new("/run/countersign/transcript.json")].1.clone();
    let head = format!(
        "0.1.0\nCountersign final record: 1\n{} countersign:record\n{} countersign:transcript\nVolume: data uuid=",
        sha256sum(bundle.record.as_bytes()),
        sha256sum(&transcript)
    );
    assert!(last.starts_with(&head), "{last}");
    assert!(
        last.lines().any(|line| line.starts_with("Volume: data ") && line.ends_with(" generation=1")),
        "{last}"
    );
    assert!(last.contains("\nContainer image: registry.example.org"), "{last}");
    // What the first record had warned about is not told again.
    assert!(bundle.record.contains("Warning: HPL11104W") && !last.contains("HPL11104W"), "{last}");
    assert_eq!(published(&machine, "final-record.txt"), last.as_bytes());
    assert_eq!(published(&machine, "final-signature.bin"), bundle.final_signature().unwrap());
    assert_eq!(Bundle::parse(&published(&machine, "record.json")).unwrap(), bundle);
    assert_eq!(bundle.certificate.as_deref(), Some(&*keys().pem("attestation.crt")));
    // A daemon that is started again makes no other one.
    let (again, _) = watch(&machine, Vec::new());
    assert!(!again.logged.iter().any(|(_, text)| text.starts_with(MARKER)));
}

#[test]
fn the_key_is_taken_before_an_image_is_pulled() {
    let machine = booted(|_| ());
    for which in [Verb::Network, Verb::Logging] {
        assert_eq!(verb(&machine, which).result, Ok(()));
    }
    let gone = |machine: &Rehearsal| !machine.files().contains_key(Path::new(KEY));
    assert!(!gone(&machine));
    let asked = machine.asked().len();
    let units: Step<'_> = Box::new(|machine| {
        // The daemon's first act, before which it asks for nothing; no container can be there.
        assert_eq!(machine.asked()[asked..], ["erase /run/countersign/boot-key.pem"]);
        assert!(gone(machine));
        for which in [Verb::Images, Verb::Start] {
            assert_eq!(verb(machine, which).result, Ok(()));
        }
        Wake::Due
    });
    let (boot, alarm) = watch(&machine, vec![demand(), units]);
    assert_eq!(boot.result, Ok(()), "{}", boot.said());
    // Ready before the workload starts, and once for who asked meanwhile; nothing is checked before.
    assert_eq!(alarm.ready, 2);
    assert_eq!(alarm.waits[..2], [Duration::from_secs(1); 2]);
    assert!(boot.said().find("stage=start state=done") < boot.said().find("stage=watch state=start"));
    let bundle = delivered(&boot);
    let last = bundle.final_record.clone().unwrap();
    assert!(openssl_takes(&bundle.record, last.as_bytes(), &bundle.final_signature().unwrap()));
}

#[test]
fn a_daemon_whose_workload_never_starts_ends_when_it_is_told_to_and_says_nothing() {
    let machine = booted(|_| ());
    let (boot, alarm) = watch(&machine, vec![pass(Duration::from_secs(1)), pass(Duration::from_secs(1))]);
    assert_eq!((boot.result.clone(), boot.lines.len(), alarm.waits.len()), (Ok(()), 0, 3), "{}", boot.said());
    assert_eq!(alarm.status, "waits for the workload to start");
}

/// What systemd makes of it: the daemon is ready before images are pulled, and the engine is up by then and no earlier unit.
#[test]
fn the_units_take_the_key_before_an_image_is_pulled() {
    let unit = |name: &str| {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../systemd").join(name);
        std::fs::read_to_string(path).unwrap()
    };
    let says = |text: &str, line: &str| text.lines().any(|found| found == line);
    let (daemon, images, target) =
        (unit("countersign-watch.service"), unit("countersign-images.service"), unit("countersign.target"));
    assert!(says(&daemon, "Before=countersign-images.service") && says(&daemon, "Type=notify-reload"));
    assert!(says(&daemon, "Requires=countersign-engine.service"));
    assert!(says(&images, "After=countersign-watch.service"));
    assert!(says(&target, "Requires=countersign-start.service countersign-watch.service"));
    assert!(says(&unit("countersign-engine.service"), "InaccessiblePaths=/run/countersign"));
}

#[test]
fn the_console_shows_the_records_where_the_contract_asks() {
    let shown = |contract: &Contract| {
        let boot = watched(&booted_with(contract, |_| ()));
        let of = |lines: &[(countersign_ports::Priority, String)]| {
            lines.iter().filter(|(_, text)| text.starts_with(MARKER)).count()
        };
        (of(&boot.lines), of(&boot.logged))
    };
    let (console, log) = shown(&Contract::good());
    assert!(console == 0 && log > 1, "{console} {log}");
    let asks = Contract::good().with_env("countersign: {attestation: {console: true}}\n");
    let (console, log) = shown(&asks);
    assert!(console == log && log > 1, "{console} {log}");
}

#[test]
fn both_records_of_a_contract_with_an_auditor_are_for_the_auditor_alone() {
    let machine = booted_with(&with_auditor(&keys().base64("auditor.pub")), |_| ());
    let bundle = delivered(&watched(&machine));
    let (first, last) =
        (opened_by_openssl(&bundle.record), opened_by_openssl(&bundle.final_record.clone().unwrap()));
    assert!(last.contains(&format!("\n{} countersign:record\n", sha256sum(first.as_bytes()))), "{last}");
    assert!(openssl_takes(&first, last.as_bytes(), &bundle.final_signature().unwrap()));
    let open = b"countersign:transcript";
    assert!(
        !machine
            .files()
            .values()
            .any(|(_, content)| content.windows(open.len()).any(|window| window == open))
    );
}

#[test]
fn what_keeps_a_final_record_from_being_made_is_told_and_the_first_one_goes_out() {
    let machine = booted(|_| ());
    machine.fails("read /run/countersign/boot-key.pem", io::ErrorKind::NotFound);
    let boot = watched(&machine);
    boot.assert_warned(Code::FinalRecordMissing.as_str());
    assert!(boot.said().contains("HPL11131W: there is no final record of this boot"), "{}", boot.said());
    let bundle = delivered(&boot);
    assert_eq!(bundle.final_record, None);
    assert!(bundle.record.starts_with("0.1.0\n"));
}
