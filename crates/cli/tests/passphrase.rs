//! `passphrase`, held against sha256sum and cryptsetup: what it derives, what it refuses, that nothing but the
//! passphrase is ever printed, and that the README's commands for a rescue machine work as they stand there.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod support;

use std::fs::File;
use std::io::{Read, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Command, Stdio};

use support::Desk;

const DEPLOYER: &str = "deployer's own \u{e4}, 15";
const WORKLOAD: &str = " workload's own, too ";

/// What `printf %s "$first$second" | sha256sum` prints.
fn sha256sum(first: &str, second: &str) -> String {
    let mut child = Command::new("sha256sum").stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    let mut input = child.stdin.take().unwrap();
    input.write_all(first.as_bytes()).unwrap();
    input.write_all(second.as_bytes()).unwrap();
    drop(input);
    let printed = String::from_utf8(child.wait_with_output().unwrap().stdout).unwrap();
    printed.split(' ').next().unwrap().to_owned()
}

/// `contract.yaml`, sealed to `image.key` and signed, whose volume `data` has these seeds; and its plain folder `demo`.
fn packed(desk: &Desk, deployer: &str, workload: &str) {
    desk.rsa("image", 100);
    desk.answer(0, "new demo", b"");
    for (section, seed) in [("env", deployer), ("workload", workload)] {
        let text = desk.text(&format!("demo/{section}.yaml"));
        let lines: Vec<String> = text
            .lines()
            .map(|line| match line.split_once("seed: ") {
                Some((indent, _)) if indent.trim().is_empty() => format!("{indent}{seed}"),
                _ => line.to_owned(),
            })
            .collect();
        assert_ne!(text, lines.join("\n") + "\n");
        desk.write(&format!("demo/{section}.yaml"), lines.join("\n") + "\n");
    }
    desk.answer(0, "pack demo --cert image.crt --key demo/signing.key -o contract.yaml", b"");
}

/// `seed: "…"`, as it stands in a section.
fn seed(text: &str) -> String {
    format!("seed: {}", serde_json::to_string(text).unwrap())
}

#[test]
fn seeds_from_standard_input_give_what_sha256sum_gives() {
    let desk = Desk::new();
    let both = format!("{DEPLOYER}\n{WORKLOAD}\n");
    let expected = sha256sum(DEPLOYER, WORKLOAD);
    assert_eq!(expected.len(), 64);
    for verb in
        ["passphrase --seeds", "passphrase --seeds=lines", "passphrase --seeds --order deployer-first"]
    {
        assert_eq!(desk.answer(0, verb, both.as_bytes()), expected, "no line feed into a pipe");
    }
    assert_eq!(
        desk.answer(0, "passphrase --seeds --order workload-first", both.as_bytes()),
        sha256sum(WORKLOAD, DEPLOYER)
    );
    let (deployer, workload) = ("a\nseed\n", "\nof lines");
    let framed = format!("{deployer}\0{workload}\0");
    assert_eq!(desk.answer(0, "passphrase --seeds=nul", framed.as_bytes()), sha256sum(deployer, workload));
    // Nothing is printed where the seeds cannot be told apart, and no seed in the complaint.
    for (verb, input) in [
        ("passphrase --seeds", "canary\n"),
        ("passphrase --seeds", "canary\ncanary\ncanary\n"),
        ("passphrase --seeds", "canary\r\ncanary\r\n"),
        ("passphrase --seeds=nul", "canary\0canary"),
    ] {
        let output = desk.countersign(verb, input.as_bytes());
        assert_eq!((output.status.code(), output.stdout.len()), (Some(2), 0), "{input:?}");
        let said = String::from_utf8(output.stderr).unwrap();
        assert!(
            said.starts_with("countersign: standard input: expected ") && !said.contains("canary"),
            "{said}"
        );
    }
}

#[test]
fn a_contract_gives_the_passphrase_of_its_volumes() {
    let desk = Desk::new();
    packed(&desk, &seed(DEPLOYER), &seed(WORKLOAD));
    let expected = sha256sum(DEPLOYER, WORKLOAD);
    let sealed = "passphrase contract.yaml --key image.key --volume data";
    assert_eq!(desk.answer(0, sealed, b""), expected);
    assert_eq!(desk.answer(0, "passphrase demo --volume data", b""), expected);
    let contract = desk.text("contract.yaml");
    let piped = "passphrase - --key image.key --volume data";
    assert_eq!(desk.answer(0, piped, contract.as_bytes()), expected);
    let other = format!("{sealed} --order workload-first");
    assert_eq!(desk.answer(0, &other, b""), sha256sum(WORKLOAD, DEPLOYER));
    assert_eq!(desk.answer(0, &format!("{sealed} -o secret"), b""), "");
    assert_eq!(desk.text("secret"), expected);
    assert_eq!(desk.path("secret").metadata().unwrap().permissions().mode() & 0o777, 0o600);
    let complaint = |arguments: &str| {
        let output = desk.countersign(arguments, b"");
        assert_eq!((output.status.code(), output.stdout.len()), (Some(2), 0), "{arguments}");
        String::from_utf8(output.stderr).unwrap()
    };
    assert_eq!(
        complaint("passphrase contract.yaml --key image.key --volume dat"),
        "countersign: --volume: expected a volume of the contract: data\n"
    );
    assert_eq!(
        complaint(&format!("{sealed} --previous deployer")),
        "countersign: --previous: expected env to have a previousSeed for the volume\n"
    );
    for verb in ["passphrase", "passphrase contract.yaml", "passphrase contract.yaml --seeds"] {
        complaint(verb);
    }
}

#[test]
fn a_seed_that_is_being_changed_is_asked_for_by_its_party() {
    let desk = Desk::new();
    let changed = |now: &str, before: &str| {
        let before = serde_json::to_string(before).unwrap();
        format!("{}\n    previousSeed: {before}", seed(now))
    };
    let (old_deployer, old_workload) = ("the deployer's before", "the workload's before");
    packed(&desk, &changed(DEPLOYER, old_deployer), &changed(WORKLOAD, old_workload));
    let answer = |more: &str| {
        desk.answer(0, &format!("passphrase contract.yaml --key image.key --volume data {more}"), b"")
    };
    assert_eq!(answer(""), sha256sum(DEPLOYER, WORKLOAD));
    assert_eq!(answer("--previous deployer"), sha256sum(old_deployer, WORKLOAD));
    assert_eq!(answer("--previous workload"), sha256sum(DEPLOYER, old_workload));
    assert_eq!(answer("--previous both"), sha256sum(old_deployer, old_workload));
    let other = answer("--previous both --order workload-first");
    assert_eq!(other, sha256sum(old_workload, old_deployer));
}

#[test]
fn a_contract_that_the_guest_would_refuse_gives_nothing() {
    let desk = Desk::new();
    packed(&desk, &seed("canary of the deployer"), &seed("canary of the workload"));
    desk.rsa("other", 100);
    let contract = desk.text("contract.yaml");
    let passphrase = sha256sum("canary of the deployer", "canary of the workload");
    // The env of another packing: it opens, and the signature does not fit.
    let again = desk.answer(0, "pack demo --cert image.crt --key demo/signing.key", b"");
    let env = |text: &str| text.lines().find(|line| line.starts_with("env: ")).unwrap().to_owned();
    desk.write("spliced.yaml", contract.replace(&env(&contract), &env(&again)));
    // A signing certificate makes the contract end.
    desk.rsa("signer", 100);
    let env = desk.text("demo/env.yaml");
    let (env, _) = env.split_once("\nsigningKey:").unwrap();
    let certificate = desk.base64(desk.text("signer.crt").as_bytes());
    desk.write("demo/env.yaml", format!("{env}\nsigningKey: {certificate}\n"));
    desk.answer(0, "pack demo --cert image.crt --key signer.key -o ending.yaml", b"");
    let workload = desk.text("demo/workload.yaml");
    desk.write("demo/workload.yaml", workload.replace("type: workload", "type: work"));
    for (arguments, said) in [
        ("contract.yaml --key other.key --volume data", "HPL11001E"),
        ("contract.yaml --volume data", "not checked: /env"),
        ("spliced.yaml --key image.key --volume data", "HPL12001E"),
        ("ending.yaml --key image.key --volume data --at 2999-01-01", "HPL12103E"),
        ("demo --volume data", "HPL05001E"),
    ] {
        let output = desk.countersign(&format!("passphrase {arguments}"), b"");
        assert_eq!((output.status.code(), output.stdout.len()), (Some(1), 0), "{arguments}");
        let report = String::from_utf8(output.stderr).unwrap();
        assert!(report.contains(said), "{arguments}: {report}");
        assert!(!report.contains("canary") && !report.contains(&passphrase), "{arguments}: {report}");
    }
    for contract in ["contract.yaml", "ending.yaml"] {
        let now = format!("passphrase {contract} --key image.key --volume data");
        assert_eq!(desk.answer(0, &now, b""), passphrase);
    }
}

#[test]
fn a_terminal_gets_a_line() {
    let terminal = nix::pty::openpty(None, None).unwrap();
    let mut child = Command::new(env!("CARGO_BIN_EXE_countersign"))
        .args(["passphrase", "--seeds"])
        .stdin(Stdio::piped())
        .stdout(terminal.slave)
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(b"a\nb\n").unwrap();
    assert!(child.wait().unwrap().success());
    let mut shown = [0; 256];
    let length = File::from(terminal.master).read(&mut shown).unwrap();
    // The terminal makes CR LF of a line feed.
    assert_eq!(String::from_utf8_lossy(&shown[..length]), sha256sum("a", "b") + "\r\n");
}

fn succeed(command: &mut Command) -> Vec<u8> {
    let output = command.output().unwrap();
    assert!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stderr));
    output.stdout
}

/// The indented lines of a section of the README.
fn commands(heading: &str) -> String {
    let readme =
        std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("../../README.md")).unwrap();
    let (_, section) = readme.split_once(&format!("\n## {heading}\n")).unwrap();
    let section = section.split("\n## ").next().unwrap();
    section.lines().filter_map(|line| line.strip_prefix("    ")).map(|line| format!("{line}\n")).collect()
}

/// A program of this name that is found before the machine's own. Another process writes it: as long as a descriptor for
/// writing is open, and be it in the child of a test beside this one, it cannot be started.
fn stand_in(desk: &Desk, name: &str, script: &str) {
    std::fs::create_dir_all(desk.path("bin")).unwrap();
    desk.write("text", format!("#!/bin/sh\necho \"{name} $*\" >> commands\n{script}\n"));
    let paths = [desk.path("text"), desk.path("bin").join(name)];
    succeed(Command::new("install").args(["-m", "755"]).args(paths));
}

/// All commands of the README on a volume that cryptsetup made. Only what needs root or a device mapper is stood in for:
/// the partition of the loop device is a file, and opening it ends once the key slot is open.
#[test]
fn the_commands_of_the_readme_open_a_volume() {
    let desk = Desk::new();
    packed(&desk, &seed(DEPLOYER), &seed(WORKLOAD));
    let readme = commands("Opening a volume on a rescue machine");
    File::create(desk.path("loopp2")).unwrap().set_len(32 << 20).unwrap();
    desk.write("passphrase", sha256sum(DEPLOYER, WORKLOAD));
    succeed(
        Command::new("cryptsetup")
            .args(["luksFormat", "--batch-mode", "--type", "luks2", "--key-file"])
            .arg(desk.path("passphrase"))
            .args(["--pbkdf", "pbkdf2", "--pbkdf-force-iterations", "1000"])
            .arg(desk.path("loopp2")),
    );
    stand_in(&desk, "losetup", "case $1 in --detach) ;; *) echo \"$PWD/loop\" ;; esac");
    let real = "PATH=${PATH#*:}; exec cryptsetup --test-passphrase";
    stand_in(&desk, "cryptsetup", &format!("case $1 in open) {real} \"$@\" ;; esac"));
    stand_in(&desk, "mount", "");
    stand_in(&desk, "umount", "");
    let bin = Path::new(env!("CARGO_BIN_EXE_countersign")).parent().unwrap();
    std::os::unix::fs::symlink(bin.join("countersign"), desk.path("bin/countersign")).unwrap();
    let path = format!("{}:{}", desk.path("bin").display(), std::env::var("PATH").unwrap());
    let run = |input: &str| {
        desk.write("commands", "");
        let mut shell = Command::new("bash")
            .args(["-euo", "pipefail", "-c", &readme])
            .current_dir(desk.path(""))
            .env("PATH", &path)
            .stdin(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let _ = shell.stdin.take().unwrap().write_all(input.as_bytes());
        let output = shell.wait_with_output().unwrap();
        (output.status.success(), String::from_utf8_lossy(&output.stderr).into_owned())
    };
    let (opened, said) = run(&format!("{DEPLOYER}\n{WORKLOAD}\n"));
    assert!(opened, "{readme}\n{said}");
    let folder = desk.path("").display().to_string();
    let device = format!("{}/loop", folder.trim_end_matches('/'));
    let ran: Vec<String> = desk.text("commands").lines().map(str::to_owned).collect();
    assert_eq!(
        ran,
        [
            "losetup --find --show --read-only --partscan data.img".to_owned(),
            format!("cryptsetup open --readonly --key-file - {device}p2 data"),
            "mount -o ro,noload /dev/mapper/data /mnt".to_owned(),
            "umount /mnt".to_owned(),
            "cryptsetup close data".to_owned(),
            format!("losetup --detach {device}"),
            format!("cryptsetup open --readonly --key-file - {device}p2 data"),
        ]
    );
    // The test can fail: with another seed the second way does not open it.
    let (opened, said) = run(&format!("{DEPLOYER}\nanother\n"));
    assert!(!opened && said.contains("No key available"), "{said}");
}
