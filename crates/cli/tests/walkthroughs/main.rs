//! The documents in `walkthroughs/` are run as they stand: every command in its order, its output held against what the
//! page shows. The other parties' commands are those of openssl, genisoimage and sha256sum.
//!
//! A block `console` has lines that begin with `$ ` and what they print on standard output: `...` stands for any lines,
//! `[..]` for anything in a line, `[exit 1]` at the end for a status other than 0. A comment `<!-- test: … -->` says what is
//! done where the page tells of something that is no command: see [`Page::act`].
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod guest;

use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::Command;

/// One page and the folder in which its commands run.
struct Page {
    folder: tempfile::TempDir,
}

/// A part of a page that something is to be done for.
#[derive(Debug, PartialEq)]
enum Part {
    /// A command with what it prints, and its line on the page.
    Command { text: String, prints: Vec<String>, line: usize },
    /// The words of a comment.
    Act(String),
}

fn path(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("walkthroughs").join(name)
}

/// What is to be done for a page, in its order; only below a heading where one is named.
fn parts(name: &str, below: Option<&str>) -> Vec<Part> {
    let text = std::fs::read_to_string(path(name)).unwrap();
    let mut parts = Vec::new();
    let (mut within, mut counts) = (false, below.is_none());
    let mut continued = false;
    for (line, text) in (1..).zip(text.lines()) {
        if let Some(heading) = text.strip_prefix("## ") {
            counts = below.is_none_or(|below| below == heading);
        }
        if !counts {
            continue;
        }
        let act = text.strip_prefix("<!-- test: ").and_then(|rest| rest.strip_suffix(" -->"));
        match (within, text) {
            (false, "```console") => within = true,
            (true, "```") => within = false,
            (false, _) => parts.extend(act.map(|act| Part::Act(act.to_owned()))),
            (true, _) => match (text.strip_prefix("$ "), parts.last_mut()) {
                (Some(command), _) => {
                    parts.push(Part::Command { text: command.to_owned(), prints: Vec::new(), line });
                }
                (None, Some(Part::Command { text: command, .. })) if continued => {
                    command.push('\n');
                    command.push_str(text);
                }
                (None, Some(Part::Command { prints, .. })) => prints.push(text.to_owned()),
                _ => panic!("{name}:{line}: output before a command"),
            },
        }
        let goes_on = matches!(parts.last(), Some(Part::Command { prints, .. }) if prints.is_empty());
        continued = within && goes_on && text.ends_with('\\');
    }
    assert!(!within, "{name}: a block without an end");
    parts
}

impl Page {
    fn run(name: &str) {
        let page = Page { folder: tempfile::tempdir().unwrap() };
        let programs = page.folder.path().join("programs");
        std::fs::create_dir(&programs).unwrap();
        symlink(env!("CARGO_BIN_EXE_countersign"), programs.join("countersign")).unwrap();
        std::fs::create_dir(page.desk()).unwrap();
        let parts = parts(name, None);
        let commands = parts.iter().filter(|part| matches!(part, Part::Command { .. })).count();
        assert!(commands >= 5, "{name} has {commands} commands");
        page.all(name, &parts);
    }

    fn desk(&self) -> PathBuf {
        self.folder.path().join("desk")
    }

    fn all(&self, name: &str, parts: &[Part]) {
        for part in parts {
            match part {
                Part::Command { text, prints, line } => self.command(&format!("{name}:{line}"), text, prints),
                Part::Act(words) => self.act(&words.split(' ').collect::<Vec<_>>()),
            }
        }
    }

    fn command(&self, place: &str, text: &str, prints: &[String]) {
        let programs = self.folder.path().join("programs");
        let path = format!("{}:{}", programs.display(), std::env::var("PATH").unwrap());
        let mut command = Command::new("bash");
        command.args(["-euo", "pipefail", "-c", text]).current_dir(self.desk()).env("PATH", path);
        let output = command.env_remove("NO_COLOR").output().unwrap();
        let mut found = String::from_utf8(output.stdout).unwrap();
        let status = output.status.code().unwrap();
        if status != 0 {
            found.push_str(&format!("[exit {status}]\n"));
        }
        let found: Vec<&str> = found.lines().collect();
        let expected: Vec<&str> = prints.iter().map(String::as_str).collect();
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(
            fits(&expected, &found),
            "{place}: {text}\nexpected:\n{}\nfound:\n{}\n{said}",
            expected.join("\n"),
            found.join("\n")
        );
    }

    /// What stands between the commands:
    ///
    /// - `as PAGE HEADING…`: the commands of that part of another page
    /// - `built FILE`: `qemu/build` has written this build manifest
    /// - `guest DISK LOG`: a guest of the image in `image/` boots with this contract disk, and its log is this file
    /// - `container FILE LOG`: a container of that guest has printed the lines of this file
    fn act(&self, words: &[&str]) {
        match words {
            ["as", name, heading @ ..] => {
                let parts = parts(name, Some(&heading.join(" ")));
                assert!(!parts.is_empty(), "{words:?}");
                self.all(name, &parts);
            }
            ["built", file] => std::fs::write(self.desk().join(file), guest::build_manifest()).unwrap(),
            ["guest", disk, log] => {
                let text = guest::boots(&self.desk().join("image"), &self.desk().join(disk));
                std::fs::write(self.desk().join(log), text).unwrap();
            }
            ["container", file, log] => {
                let read = |name| std::fs::read_to_string(self.desk().join(name)).unwrap();
                std::fs::write(self.desk().join(log), read(log) + &guest::container(&read(file))).unwrap();
            }
            _ => panic!("{words:?}"),
        }
    }
}

/// Whether lines are what a page shows.
fn fits(expected: &[&str], found: &[&str]) -> bool {
    match expected {
        [] => found.is_empty(),
        ["...", rest @ ..] => (0..=found.len()).any(|skipped| fits(rest, &found[skipped..])),
        [line, rest @ ..] => {
            found.split_first().is_some_and(|(first, after)| fits_line(line, first) && fits(rest, after))
        }
    }
}

fn fits_line(expected: &str, found: &str) -> bool {
    match expected.split_once("[..]") {
        None => expected == found,
        Some((before, rest)) => found.strip_prefix(before).is_some_and(|found| {
            found
                .char_indices()
                .map(|(place, _)| place)
                .chain([found.len()])
                .any(|place| fits_line(rest, &found[place..]))
        }),
    }
}

#[test]
fn an_audit() {
    Page::run("audit.md");
}

#[test]
fn a_personalised_guest() {
    Page::run("personalised-guest.md");
}

#[test]
fn a_contract_is_checked_before_it_is_deployed() {
    Page::run("contract-before-deployment.md");
}

/// A page that nobody runs is only a promise.
#[test]
fn every_page_is_run() {
    let mut names: Vec<String> = std::fs::read_dir(path(""))
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    assert_eq!(names, ["audit.md", "contract-before-deployment.md", "personalised-guest.md"]);
}

#[test]
fn output_that_differs_is_told_from_output_that_fits() {
    assert!(fits(&["a", "...", "x [..] z"], &["a", "b", "c", "x y z"]));
    assert!(fits(&["...", "b"], &["b"]) && fits(&[], &[]));
    assert!(!fits(&["a"], &["a", "b"]) && !fits(&["...", "c"], &["a", "b"]));
    assert!(!fits(&["x [..] z"], &["x y"]) && !fits(&["good [..]"], &["bad 1"]) && !fits(&[], &["a"]));
}
