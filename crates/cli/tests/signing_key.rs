//! Signing with a key that the openssl program protected by a passphrase, and with a certificate that ends.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod support;

use nix::sys::termios::LocalFlags;
use std::fs::File;
use std::io::{ErrorKind, Read, Write};
use std::process::{Command, Stdio};

use support::Desk;

const PASSPHRASE: &str = "canary, a passphrase";

/// `contract.yaml`, signed by `demo/signing.key`, and the same key in `protected.key` and, in OpenSSL's older form, in
/// `traditional.key`.
fn desk() -> Desk {
    let desk = Desk::new();
    desk.answer(0, "new demo", b"");
    desk.answer(0, "pack demo --plain --key demo/signing.key -o contract.yaml", b"");
    let passphrase = format!("{PASSPHRASE}\n");
    desk.openssl(
        "pkcs8 -topk8 -v2 aes-256-cbc -in demo/signing.key -out protected.key -passout stdin",
        passphrase.as_bytes(),
    );
    desk.openssl(
        "rsa -traditional -aes256 -in demo/signing.key -out traditional.key -passout stdin",
        passphrase.as_bytes(),
    );
    desk
}

#[test]
fn a_passphrase_from_a_descriptor_opens_the_key() {
    let desk = desk();
    let signed = desk.text("contract.yaml");
    for key in ["protected.key", "traditional.key"] {
        for input in [format!("{PASSPHRASE}\n"), PASSPHRASE.to_owned(), format!("{PASSPHRASE}\r\nmore\n")] {
            let verb = format!("sign --key {key} --passphrase-fd 0 contract.yaml");
            // Signatures of this kind are the same for the same key and text.
            assert_eq!(desk.answer(0, &verb, input.as_bytes()), signed, "{key}");
        }
    }
    let packed = desk.answer(
        0,
        "pack demo --plain --key protected.key --passphrase-fd 0",
        format!("{PASSPHRASE}\n").as_bytes(),
    );
    assert_eq!(packed, signed);
}

#[test]
fn without_the_passphrase_there_is_no_signature_and_nothing_of_it_is_told() {
    let desk = desk();
    for (arguments, input, expected) in [
        ("--passphrase-fd 0 contract.yaml", "canary\n", "expected the passphrase of this key"),
        ("--passphrase-fd 0 contract.yaml", "", "--passphrase-fd 0: expected a line of 1 to 1024 bytes"),
        ("--passphrase-fd 0 contract.yaml", "\ncanary", "expected a line of 1 to 1024 bytes"),
        (
            "--passphrase-fd 77 contract.yaml",
            "",
            "--passphrase-fd 77: expected a descriptor that can be read",
        ),
        ("--passphrase-fd 0 -", "canary", "expected the contract or the passphrase on standard input"),
    ] {
        let output = desk.countersign(&format!("sign --key protected.key {arguments}"), input.as_bytes());
        let said = String::from_utf8(output.stderr).unwrap();
        assert_eq!((output.status.code(), output.stdout.len()), (Some(2), 0), "{said}");
        assert!(said.contains(expected) && !said.contains("canary"), "{said}");
    }
    // No descriptor, and no terminal to ask on: the contract on standard input is not taken for a passphrase.
    let output = Command::new("setsid")
        .args([
            "--wait",
            env!("CARGO_BIN_EXE_countersign"),
            "sign",
            "--key",
            "protected.key",
            "contract.yaml",
        ])
        .current_dir(desk.path(""))
        .stdin(Stdio::null())
        .output()
        .unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!((output.status.code(), output.stdout.len()), (Some(2), 0), "{said}");
    assert!(said.contains("expected a terminal to ask on, or --passphrase-fd"), "{said}");
}

#[test]
fn a_terminal_is_asked_and_does_not_show_the_answer() {
    let desk = desk();
    let terminal = nix::pty::openpty(None, None).unwrap();
    let child = Command::new("setsid")
        .args(["--ctty", "--wait", env!("CARGO_BIN_EXE_countersign")])
        .args(["sign", "--key", "protected.key", "contract.yaml"])
        .current_dir(desk.path(""))
        .stdin(terminal.slave)
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut master = File::from(terminal.master);
    let mut shown = String::new();
    while !shown.contains("pass phrase:") {
        let mut bytes = [0; 256];
        let length = master.read(&mut bytes).unwrap();
        shown.push_str(&String::from_utf8_lossy(&bytes[..length]));
    }
    // OpenSSL asks first and turns echo off then, within microseconds: sooner than a person types, and not than a test.
    while nix::sys::termios::tcgetattr(&master).unwrap().local_flags.contains(LocalFlags::ECHO) {
        std::thread::yield_now();
    }
    master.write_all(format!("{PASSPHRASE}\n").as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    assert_eq!(String::from_utf8(output.stdout).unwrap(), desk.text("contract.yaml"));
    // A terminal whose last user is gone ends with an error; what was shown comes first.
    let mut rest = Vec::new();
    if let Err(error) = master.read_to_end(&mut rest) {
        assert_ne!(error.kind(), ErrorKind::InvalidData);
    }
    shown.push_str(&String::from_utf8_lossy(&rest));
    assert!(!shown.contains("canary"), "{shown}");
}

/// `demo/env.yaml` without its signingKey.
fn unnamed(desk: &Desk) {
    let env = desk.text("demo/env.yaml");
    let lines: Vec<&str> = env.lines().filter(|line| !line.starts_with("signingKey:")).collect();
    assert_eq!(lines.len() + 1, env.lines().count());
    desk.write("demo/env.yaml", lines.join("\n"));
}

#[test]
fn a_certificate_becomes_the_signing_key_and_its_end_the_contracts() {
    let desk = desk();
    desk.rsa("signer", 90);
    unnamed(&desk);
    let output = desk
        .countersign("pack demo --plain --key signer.key --signing-cert signer.crt -o contract.yaml", b"");
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(0), "{said}");
    assert!(
        said.contains("the contract ends on 20") && said.contains("with the certificate of its signingKey")
    );
    let named = format!("  signingKey: \"{}\"\n", desk.base64(desk.text("signer.crt").as_bytes()));
    assert!(desk.text("contract.yaml").contains(&named));
    assert_eq!(desk.report("contract.yaml")["verdict"], "boots");
    // In its last 30 days that is a warning, behind them the contract is refused, and so the guest says.
    let found = |at: i64| {
        let report = desk.report(&format!("contract.yaml --at {at}"));
        let findings = report["findings"].as_array().unwrap().clone();
        let signing = findings.into_iter().filter(|finding| finding["pointer"] == "/env/signingKey");
        signing.map(|finding| finding["code"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_secs();
    let day = |number: i64| i64::try_from(now).unwrap() + number * 86_400;
    assert_eq!(found(day(10)), Vec::<String>::new());
    assert_eq!(found(day(70)), ["HPL05206W"]);
    assert_eq!(found(day(91)), ["HPL12103E"]);
}

#[test]
fn a_certificate_of_another_key_or_beside_a_named_one_is_refused() {
    let desk = desk();
    desk.rsa("signer", 90);
    let refused = |expected: &str| {
        let verb = "pack demo --plain --key demo/signing.key --signing-cert signer.crt";
        let output = desk.countersign(verb, b"");
        let said = String::from_utf8(output.stderr).unwrap();
        assert_eq!((output.status.code(), output.stdout.len()), (Some(1), 0), "{said}");
        assert!(said.contains(expected), "{said}");
    };
    let line =
        1 + desk.text("demo/env.yaml").lines().position(|line| line.starts_with("signingKey")).unwrap();
    refused(&format!(
        "error HPL05105E at unseal: /env/signingKey (env line {line}, column 1)\n  \
         expected signingKey in env.yaml or --signing-cert, which becomes it, and not both\n  \
         hint: remove signingKey from env.yaml, or leave --signing-cert out\n"
    ));
    unnamed(&desk);
    refused("expected the public key of the key that signs");
}
