//! Who gets colour and "did you mean": a terminal, and nothing else. The terminal is a real one, of the kernel.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod support;

use std::fs::File;
use std::io::Read;
use std::process::{Command, Stdio};

use support::Desk;

/// What a run shows on a terminal that is its standard output and standard error, with these variables set.
fn shown(desk: &Desk, arguments: &str, variables: &[(&str, &str)]) -> String {
    let terminal = nix::pty::openpty(None, None).unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_countersign"));
    command
        .args(arguments.split_whitespace())
        .current_dir(desk.path(""))
        .env_remove("NO_COLOR")
        .env("TERM", "xterm")
        .envs(variables.iter().copied())
        .stdin(Stdio::null())
        .stdout(terminal.slave.try_clone().unwrap())
        .stderr(terminal.slave);
    let mut child = command.spawn().unwrap();
    // Its own copies of the terminal go with it; then reading ends, on Linux with an error.
    drop(command);
    let mut master = File::from(terminal.master);
    let mut bytes = Vec::new();
    let _ = master.read_to_end(&mut bytes);
    child.wait().unwrap();
    String::from_utf8(bytes).unwrap().replace("\r\n", "\n")
}

/// What the same run writes into pipes.
fn piped(desk: &Desk, arguments: &str) -> String {
    let output = desk.countersign(arguments, b"");
    String::from_utf8([output.stdout, output.stderr].concat()).unwrap()
}

const ESCAPE: char = '\u{1b}';

fn without_colour(text: &str) -> String {
    let mut parts = text.split(ESCAPE);
    let first = parts.next().unwrap_or_default().to_owned();
    parts.fold(first, |text, part| text + part.split_once('m').unwrap().1)
}

#[test]
fn a_report_has_colours_on_a_terminal_alone() {
    let desk = Desk::new();
    desk.write("contract.yaml", "workload: |\n  type: workload\nenv: |\n  type: env\n");
    let verb = "check --source never contract.yaml";
    let in_colour = shown(&desk, verb, &[]);
    assert!(in_colour.contains("\u{1b}[1;31mrefused at validate\u{1b}[0m"), "{in_colour:?}");
    let plain = piped(&desk, verb);
    assert!(plain.contains("refused at validate") && !plain.contains(ESCAPE), "{plain:?}");
    // Beside the colours it is the same.
    assert_eq!(without_colour(&in_colour), plain);
    assert_eq!(shown(&desk, verb, &[("NO_COLOR", "1")]), plain);
    assert_eq!(shown(&desk, verb, &[("TERM", "dumb")]), plain);
    // no-color.org: an empty value counts as unset.
    assert_eq!(shown(&desk, verb, &[("NO_COLOR", "")]), in_colour);
    // A report for programs has none anywhere.
    assert!(!shown(&desk, "check --format json contract.yaml", &[]).contains(ESCAPE));
}

#[test]
fn a_terminal_is_asked_what_was_meant() {
    let desk = Desk::new();
    for (arguments, meant) in [
        ("chekc contract.yaml", "check"),
        ("attest verfy", "verify"),
        ("check --fromat json contract.yaml", "--format"),
        ("attest verify --expcet x", "--expect"),
        ("schema contrct", "contract"),
        ("check --format jsno contract.yaml", "json"),
    ] {
        let plain = piped(&desk, arguments);
        assert!(plain.starts_with("error: ") && !plain.contains("did you mean"), "{arguments}: {plain}");
        assert!(!plain.contains(ESCAPE), "{plain:?}");
        let told = shown(&desk, arguments, &[]);
        let expected = format!("  \u{1b}[1;32mdid you mean\u{1b}[0m {meant}?\n");
        assert!(told.starts_with("\u{1b}[1;31merror:\u{1b}[0m ") && told.contains(&expected), "{told:?}");
        // The words stay where colours are not wanted.
        let told = shown(&desk, arguments, &[("NO_COLOR", "1")]);
        assert!(told.contains(&format!("\n  did you mean {meant}?\n")) && !told.contains(ESCAPE), "{told:?}");
    }
    // Where nothing is near, nothing is asked.
    let told = shown(&desk, "zebra", &[]);
    assert!(told.contains("error:") && !told.contains("did you mean"), "{told:?}");
    // Help is no error.
    assert_eq!(without_colour(&shown(&desk, "--help", &[])), piped(&desk, "--help"));
}
