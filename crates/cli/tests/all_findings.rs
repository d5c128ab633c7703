//! One run of `check` says everything that is wrong, wherever it is: no mistake hides another.
#![allow(clippy::unwrap_used, clippy::expect_used)]

#[path = "../../contract/tests/support/mod.rs"]
#[allow(dead_code)]
mod material;
mod support;

use material::Material;
use serde_json::Value;
use support::{Desk, archive_of};

/// The errors of a report, as `code pointer`, sorted.
fn errors(report: &Value) -> Vec<String> {
    let findings = report["findings"].as_array().unwrap().iter();
    let mut errors: Vec<String> = findings
        .filter(|finding| finding["severity"] == "error")
        .map(|finding| {
            format!("{} {}", finding["code"].as_str().unwrap(), finding["pointer"].as_str().unwrap())
        })
        .collect();
    errors.sort();
    errors
}

const COMPOSE: &str = "\
services:
  web:
    image: nginx:latest
    ports: [\"80:80\"]
    enviroment:
      A: b
";

/// Mistakes in every part of a contract: a field and a key pair of the log server, a password, a certificate, seeds, mount
/// points, a field that is not acted on, the names of volumes, and two lines of the compose file.
const CONTRACT: &str = "\
workload:
  type: workload
  compose:
    archive: ARCHIVE
  auths:
    registry.example.org:
      username: reader
      password: x
  volumes:
    one:
      mount: /mnt/data
      seed: kept-by-the-provider-1
    two:
      mount: /mnt/data
      seed: kept-by-the-provider-2
    three:
      mount: /etc
      seed: kept-by-the-provider-3
      filesystem: zfs
env:
  type: env
  logging:
    syslog:
      hostname: logs.example.org
      port: 70000
      server: @ca@
      cert: @cert@
      key: @other-key@
  cacerts:
    - mine: \"bm90IGEgY2VydGlmaWNhdGU=\"
  volumes:
    one:
      seed: kept-by-the-deployer-1
      kmsTimeout: 5
    two:
      seed: kept-by-the-deployer-2
    tree:
      seed: kept-by-the-deployer-3
";

fn contract(desk: &Desk, text: &str) {
    let archive = archive_of(&[("compose.yaml", COMPOSE)]);
    desk.write("contract.yaml", Material::new().fill(&text.replace("ARCHIVE", &archive)));
}

#[test]
fn mistakes_in_every_part_are_told_in_one_run() {
    let desk = Desk::new();
    contract(&desk, CONTRACT);
    let report = desk.report("contract.yaml");
    let found = errors(&report);
    for expected in [
        // The schema, in both sections.
        "HPL05001E /env/logging/syslog/port",
        "HPL05001E /workload/auths/registry.example.org/password",
        "HPL05001E /workload/volumes/three/filesystem",
        // Beyond it.
        "HPL01005E /env/cacerts/0/mine",
        "HPL01100E /env/logging/syslog/cert",
        "HPL05131E /workload/volumes/two/mount",
        "HPL05132E /workload/volumes/three/mount",
        "HPL07015E /env/volumes/tree",
        "HPL07015E /workload/volumes/three",
        "HPL05130E /env/volumes/one/kmsTimeout",
        // The archive.
        "HPL06009E /workload/compose/archive",
        "HPL06010E /workload/compose/archive",
    ] {
        assert!(found.contains(&expected.to_owned()), "{expected}: {found:#?}");
    }
    // A password that is too short is told that, and nothing about quotes.
    let short = report["findings"].as_array().unwrap().iter();
    let short =
        short.clone().find(|finding| finding["pointer"] == "/workload/auths/registry.example.org/password");
    let hint = short.unwrap()["hint"].as_str().unwrap();
    assert!(!hint.contains("quotes"), "{hint}");
}

#[test]
fn what_was_replaced_for_the_sake_of_the_rest_is_never_told() {
    let desk = Desk::new();
    contract(&desk, CONTRACT);
    let output = desk.countersign("check contract.yaml --source always", b"");
    let said = String::from_utf8(output.stdout).unwrap();
    assert!(!said.contains("stand-in"), "{said}");
}

#[test]
fn every_single_mistake_is_told_as_it_is_alone() {
    let desk = Desk::new();
    // Each mistake put right by itself: all the others are still told, and it is not.
    contract(&desk, CONTRACT);
    let all = errors(&desk.report("contract.yaml"));
    for (wrong, right, gone) in [
        ("port: 70000", "port: 6514", "HPL05001E /env/logging/syslog/port"),
        ("password: x", "password: enough", "HPL05001E /workload/auths/registry.example.org/password"),
        ("@other-key@", "@key@", "HPL01100E /env/logging/syslog/cert"),
        ("filesystem: zfs", "filesystem: xfs", "HPL05001E /workload/volumes/three/filesystem"),
        ("mount: /etc", "mount: /mnt/three", "HPL05132E /workload/volumes/three/mount"),
    ] {
        assert!(CONTRACT.contains(wrong));
        contract(&desk, &CONTRACT.replace(wrong, right));
        let expected: Vec<String> = all.iter().filter(|found| *found != gone).cloned().collect();
        assert_eq!(errors(&desk.report("contract.yaml")), expected, "{gone}");
    }
}

#[test]
fn one_section_that_cannot_be_read_does_not_hide_the_other() {
    let desk = Desk::new();
    desk.rsa("image", 100);
    let archive = archive_of(&[(
        "compose.yaml",
        "services:\n  web:\n    image: ${REGISTRY}/web:latest\n    ports: [\"${PORT}:80\"]\n    privileg: true\n",
    )]);
    let workload = format!(
        "type: workload\ncompose:\n  archive: {archive}\nvolumes:\n  v:\n    mount: /usr\n    seed: a-seed-of-the-provider\n"
    );
    desk.write("workload.yaml", &workload);
    let env = desk.token("hyper-protect-basic", "image", b"type: env\n", b"0123456789abcdef");
    let indented: String = workload.lines().map(|line| format!("  {line}\n")).collect();
    desk.write("contract.yaml", format!("workload: |\n{indented}env: {env}\n"));
    let found = errors(&desk.report("contract.yaml --unsigned accept"));
    // What hangs on a variable of the env is not told; what is wrong whatever it says is.
    assert_eq!(found, ["HPL05132E /workload/volumes/v/mount", "HPL06009E /workload/compose/archive"]);
    // Something else than a token, and something else than yaml.
    for env in ["hyper-protect-basic.AAAA", "\"type: env\\nenv: [\""] {
        desk.write("contract.yaml", format!("workload: |\n{indented}env: {env}\n"));
        let found = errors(&desk.report("contract.yaml"));
        assert!(found.contains(&"HPL05132E /workload/volumes/v/mount".to_owned()), "{found:?}");
    }
}

#[test]
fn a_section_alone_is_checked_by_whoever_has_it() {
    let desk = Desk::new();
    desk.rsa("image", 100);
    desk.answer(0, "new demo", b"");
    let alone =
        |section: &str, more: &str| desk.report(&format!("demo/{section}.yaml --section {section}{more}"));
    let report = alone("env", "");
    assert_eq!((errors(&report), &report["verdict"]), (vec![], &"undecided".into()));
    assert_eq!(report["unchecked"][0]["pointer"], "/workload");
    let env = desk.text("demo/env.yaml");
    let wrong = env.replace("port: 6514", "port: 0").replace("serial: 1", "serial: one") + "crypto-pt: 7\n";
    desk.write("demo/env.yaml", &wrong);
    let expected = [
        "HPL05001E /env/countersign/serial",
        "HPL05001E /env/crypto-pt",
        "HPL05001E /env/logging/syslog/port",
    ];
    assert_eq!(errors(&alone("env", "")), expected);
    // Its lines are those of the file.
    let line = 1 + wrong.lines().position(|line| line.contains("port: 0")).unwrap();
    let report = alone("env", "");
    let port = report["findings"]
        .as_array()
        .unwrap()
        .iter()
        .find(|found| found["pointer"] == "/env/logging/syslog/port");
    assert_eq!((&port.unwrap()["line"], &port.unwrap()["section"]), (&line.into(), &"env".into()));
    // Sealed, whoever has the key sees the same, and nobody else anything.
    let token = desk.token("hyper-protect-basic", "image", wrong.as_bytes(), b"0123456789abcdef");
    desk.write("demo/env.yaml", token);
    assert_eq!(errors(&alone("env", " --key image.key")), expected);
    let report = alone("env", "");
    assert_eq!((errors(&report), &report["verdict"]), (vec![], &"undecided".into()));
    // The other section, without its archive.
    assert_eq!(errors(&alone("workload", "")), ["HPL05001E /workload"]);
}

#[test]
fn the_other_files_of_the_contract_disk_are_checked_as_well() {
    let desk = Desk::new();
    desk.answer(0, "new demo", b"");
    std::fs::create_dir(desk.path("disk")).unwrap();
    desk.answer(0, "pack demo --plain --key demo/signing.key -o disk/user-data", b"");
    assert_eq!(desk.report("disk")["verdict"], "boots");
    desk.write("disk/meta-data", "instance-id: i-1\nlocal-hostname: a_b\n");
    desk.write(
        "disk/network-config",
        "network:\n  version: 2\n  ethernets:\n    enc1:\n      dhcp4: maybe\n",
    );
    let expected = ["HPL11102E /local-hostname", "HPL13100E /network/ethernets/enc1/dhcp4"];
    let report = desk.report("disk");
    assert_eq!((errors(&report), &report["stage"]), (expected.map(str::to_owned).to_vec(), &"locate".into()));
    let lines: Vec<_> =
        report["findings"].as_array().unwrap().iter().filter(|found| found["severity"] == "error").collect();
    assert_eq!((&lines[0]["section"], &lines[0]["line"]), (&"meta-data".into(), &2.into()));
    assert_eq!((&lines[1]["section"], &lines[1]["line"]), (&"network-config".into(), &5.into()));
    // The same files by name, beside a mistake in the contract.
    let text = desk.text("disk/user-data").replace("port: 6514", "port: 0");
    desk.write("contract.yaml", text);
    let found =
        errors(&desk.report("contract.yaml --meta-data disk/meta-data --network-config disk/network-config"));
    for expected in [
        "HPL05001E /env/logging/syslog/port",
        "HPL11102E /local-hostname",
        "HPL13100E /network/ethernets/enc1/dhcp4",
    ] {
        assert!(found.contains(&expected.to_owned()), "{expected}: {found:?}");
    }
}
