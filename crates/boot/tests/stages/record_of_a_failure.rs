//! A boot that fails behind `attest`: its first record was made and signed, and gets out with the cause.

use std::io;
use std::path::Path;
use std::process::Command;

use countersign_boot::guest_os::Verb;
use countersign_boot::stage::Stage;
use countersign_contract::code::Code;
use countersign_plan::record::bundle::{Bundle, MARKER};
use countersign_rehearsal::Rehearsal;

use crate::support::auditor::{opened_by_openssl, with_auditor};
use crate::support::canaries::assert_silent;
use crate::support::guest_os::{booted, booted_with, own_text, verb};
use crate::support::keys::keys;
use crate::support::machine::{Boot, machine_with_volume};
use crate::support::watch::watch;
use crate::support::{Contract, boot, machine};

const NOTE: &str = "/run/countersign/record.json";
const ENDED: &str = "HPL10000E: the boot failed and the guest powers off";

fn console_asked() -> Contract {
    Contract::good().with_env("countersign: {attestation: {console: true}}\n")
}

/// What the log server has: priorities and texts.
fn told(machine: &Rehearsal) -> Vec<(String, String)> {
    let read = |record: &String| {
        let priority = record.split(['<', '>']).nth(1).unwrap().to_owned();
        (priority, own_text(record).to_owned())
    };
    machine.records().iter().map(read).collect()
}

/// The lines of a record among those of a console.
fn shown(boot: &Boot) -> Vec<&str> {
    boot.lines.iter().map(|(_, text)| text.as_str()).filter(|text| text.starts_with(MARKER)).collect()
}

/// Whether openssl takes the signature over the record in the open under the image's attestation key.
fn openssl_takes(bundle: &Bundle, record: &str) -> bool {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("record"), record).unwrap();
    std::fs::write(folder.path().join("signature"), bundle.signature().unwrap()).unwrap();
    let mut command = Command::new("openssl");
    command.args(["dgst", "-sha256", "-signature", "signature", "-verify"]);
    command.arg(keys().path("attestation.pub")).arg("record").current_dir(folder.path());
    command.output().unwrap().status.success()
}

/// What the log server is told of a boot with this cause: the cause, every line of the record and the end, each once.
fn assert_told(machine: &Rehearsal, cause: &str) -> Bundle {
    let told = told(machine);
    let [first, lines @ .., last] = told.as_slice() else { panic!("{told:?}") };
    assert_eq!((first, last), (&("27".into(), cause.into()), &("27".into(), ENDED.into())));
    assert!(!lines.is_empty() && lines.iter().all(|(priority, _)| priority == "30"), "{lines:?}");
    let texts: Vec<&str> = lines.iter().map(|(_, text)| text.as_str()).collect();
    let bundle = Bundle::find(&texts.join("\n")).unwrap();
    assert_eq!(bundle.lines().unwrap(), texts, "nothing but that record");
    bundle
}

#[test]
fn a_boot_that_fails_in_the_initramfs_delivers_its_first_record_with_the_cause() {
    let wrong_seed = || machine_with_volume(&Contract::good(), "not the deployer's", "not the provider's");
    let no_root = || {
        let machine = machine(&Contract::good());
        machine.fails("move", io::ErrorKind::Other);
        machine
    };
    for (machine, stage, code) in
        [(wrong_seed(), Stage::Unlock, Code::LuksOpenFailed), (no_root(), Stage::Root, Code::MountFailed)]
    {
        let boot = boot(&machine);
        boot.assert_refused(stage, code);
        assert!(boot.reports(), "{}", boot.said());
        assert_silent(&boot);
        let (mode, note) = &boot.files[Path::new(NOTE)];
        assert_eq!(*mode, 0o600);
        // The key of a final record that nobody will make stays behind, and so does everything else.
        let names: Vec<&str> = boot.files.keys().filter_map(|path| path.file_name()?.to_str()).collect();
        let expected = [
            "failure.txt",
            "ca.pem",
            "client-key.pem",
            "client.pem",
            "plan.json",
            "record.json",
            "10-ethernet.network",
        ];
        assert_eq!(names, expected);
        assert_eq!(shown(&boot), Vec::<&str>::new(), "the host gets it where the contract asks");
        for unit in [Verb::Network, Verb::Failure] {
            let run = verb(&machine, unit);
            assert_eq!((&run.result, shown(&run).len()), (&Ok(()), 0), "{}", run.said());
        }
        let bundle = assert_told(&machine, boot.sentence());
        assert_eq!(Bundle::parse(note).unwrap(), bundle);
        assert!(openssl_takes(&bundle, &bundle.record) && !openssl_takes(&bundle, &bundle.record[1..]));
        assert_eq!((bundle.final_record, bundle.certificate), (None, Some(keys().pem("attestation.crt"))));
        assert!(bundle.record.starts_with("0.1.0\n") && bundle.record.contains("\nContract is signed\n"));
    }
}

#[test]
fn the_console_shows_the_record_of_a_failed_boot_where_the_contract_asks() {
    let machine = machine_with_volume(&console_asked(), "not the deployer's", "not the provider's");
    let failed = boot(&machine);
    failed.assert_refused(Stage::Unlock, Code::LuksOpenFailed);
    let lines: Vec<String> = shown(&failed).into_iter().map(str::to_owned).collect();
    let bundle = Bundle::find(&failed.said()).unwrap();
    assert_eq!(bundle.lines().unwrap(), lines);
    assert!(openssl_takes(&bundle, &bundle.record));
    // The cause is the last on the console, and the guest OS does not say it all again.
    let place = |wanted: &str| failed.lines.iter().rposition(|(_, text)| text.starts_with(wanted)).unwrap();
    assert!(place(MARKER) < place(failed.sentence()), "{}", failed.said());
    assert_eq!(verb(&machine, Verb::Network).result, Ok(()));
    assert_eq!(shown(&verb(&machine, Verb::Failure)), Vec::<&str>::new());
    assert_eq!(assert_told(&machine, failed.sentence()), bundle);

    // A stage of the guest OS fails: the unit that reports shows it.
    let machine = booted_with(&console_asked(), |_| ());
    machine.fails("pull ", io::ErrorKind::Other);
    let images = verb(&machine, Verb::Images);
    images.assert_verb_failed(Stage::Images, Code::ImagePullFailed, "");
    let report = verb(&machine, Verb::Failure);
    let bundle = assert_told(&machine, images.sentence());
    assert_eq!(bundle.lines().unwrap(), shown(&report));
    assert_eq!(report.lines.last().unwrap().1, ENDED);
}

#[test]
fn the_record_of_a_failed_boot_is_for_the_auditor_alone() {
    let contract = with_auditor(&keys().base64("auditor.pub"));
    let machine = machine_with_volume(&contract, "not the deployer's", "not the provider's");
    let boot = boot(&machine);
    boot.assert_refused(Stage::Unlock, Code::LuksOpenFailed);
    assert_eq!(verb(&machine, Verb::Failure).result, Ok(()));
    let bundle = assert_told(&machine, boot.sentence());
    let record = opened_by_openssl(&bundle.record);
    assert!(openssl_takes(&bundle, &record) && record.contains("\nContract is signed\n"), "{record}");
    let open = b"Contract is signed";
    let readable = |content: &[u8]| content.windows(open.len()).any(|window| window == open);
    assert!(!boot.files.values().any(|(_, content)| readable(content)));
}

#[test]
fn a_boot_that_fails_before_or_within_attest_has_no_record() {
    let schema = Contract::good().with("mount: /mnt/data", "mount: data");
    let broken = machine(&Contract::good());
    broken.fails("forget attestation key", io::ErrorKind::Other);
    for (machine, stage) in [(machine(&schema), Stage::Validate), (broken, Stage::Attest)] {
        let boot = boot(&machine);
        assert_eq!(boot.failure().stage, stage, "{}", boot.said());
        assert!(!boot.files.contains_key(Path::new(NOTE)));
        if !boot.reports() {
            continue;
        }
        assert_eq!(verb(&machine, Verb::Failure).result, Ok(()));
        let texts: Vec<String> = told(&machine).into_iter().map(|(_, text)| text).collect();
        assert_eq!(texts, [boot.sentence(), ENDED]);
    }
}

#[test]
fn what_a_daemon_has_sent_is_not_sent_again() {
    let machine = booted(|_| ());
    for which in [Verb::Network, Verb::Logging, Verb::Images, Verb::Start] {
        assert_eq!(verb(&machine, which).result, Ok(()));
    }
    let before = machine.records().len();
    let (boot, _) = watch(&machine, Vec::new());
    assert_eq!(boot.result, Ok(()), "{}", boot.said());
    assert_eq!(verb(&machine, Verb::Failure).result, Ok(()));
    let texts: Vec<String> = told(&machine).split_off(before).into_iter().map(|(_, text)| text).collect();
    assert_eq!(texts, [ENDED]);
}
