//! What the demo claims, each with its proof from the run.
//!
//! Pure but for the search in files: it judges what was recorded.

use std::fmt;
use std::path::PathBuf;

use super::{CHECKED, RECEIVED, STARTED};
use crate::error::Result;
use crate::events::Seen;
use crate::events::{Event, Stage, State};
use crate::lab::canary::Canaries;
use crate::lab::contract::Contract;
use crate::lab::syslog::Message;

/// Statements, each held or not.
#[derive(Debug, Default)]
pub(super) struct Claims {
    judged: Vec<(String, std::result::Result<(), String>)>,
}

impl Claims {
    /// Whether there are any and all hold.
    pub(super) fn hold(&self) -> bool {
        !self.judged.is_empty() && self.judged.iter().all(|(_, outcome)| outcome.is_ok())
    }

    fn judge(&mut self, claim: &str, failures: Vec<String>) {
        let outcome = if failures.is_empty() { Ok(()) } else { Err(failures.join("; ")) };
        self.judged.push((claim.to_owned(), outcome));
    }

    /// Every stage done, nothing failed, the workload only after logging.
    pub(super) fn boots<'a>(&mut self, histories: impl Iterator<Item = &'a [Seen]>) {
        let (mut stages, mut order, mut interface) = (Vec::new(), Vec::new(), Vec::new());
        for (history, boot) in histories.zip(1..) {
            let place = |stage, state| history.iter().position(|seen| seen.event.is_stage(stage, state));
            for stage in Stage::ALL {
                if place(stage, State::Done).is_none() {
                    stages.push(format!("boot {boot}: {stage} was not done"));
                }
            }
            let logging = place(Stage::Logging, State::Done);
            let first = [Stage::Images, Stage::Start].iter().filter_map(|&s| place(s, State::Start)).min();
            if logging.is_none() || first.is_some_and(|first| Some(first) < logging) {
                order.push(format!("boot {boot}: something of the workload began before logging was done"));
            }
            for seen in history {
                match &seen.event {
                    Event::Malformed(line) => interface.push(format!("boot {boot}: {line}")),
                    Event::Stage { stage, state: State::Failed, .. } => {
                        stages.push(format!("boot {boot}: {stage} failed"))
                    }
                    _ => {}
                }
            }
        }
        self.judge("both boots went through every stage", stages);
        self.judge("nothing of the workload began before logging was up", order);
        self.judge("every line for programs followed its format", interface);
    }

    /// What the owner's receiver printed.
    pub(super) fn received(&mut self, lines: &[String]) {
        let started = |boot: usize| format!("boot {boot}: {RECEIVED}");
        let failures =
            [1, 2].into_iter().filter(|boot| !lines.iter().any(|line| line.contains(&started(*boot))));
        let failures = failures.map(|boot| format!("boot {boot} was not told")).collect();
        self.judge("countersign receive told both boots", failures);
    }

    /// Environment of both sections with the workload's winning; the volume's memory.
    pub(super) fn answers<'a>(&mut self, contract: &Contract, answers: impl Iterator<Item = &'a str>) {
        let (mut environment, mut volume) = (Vec::new(), Vec::new());
        for (answer, boot) in answers.zip(1..) {
            let value =
                |key: &str| answer.lines().find_map(|l| l.strip_prefix(key)?.strip_prefix('=')).unwrap_or("");
            for (name, key) in [("GREETING", "greeting"), ("PLACE", "place"), ("SECRET", "secret")] {
                let expected = contract.workload_env.get(name).or_else(|| contract.env.get(name));
                if expected.map(String::as_str) != Some(value(key)) {
                    environment.push(format!("boot {boot}: {name} is not the contract's"));
                }
            }
            if value("boots") != boot.to_string() {
                volume.push(format!("boot {boot}: the volume counts \"{}\" boots", value("boots")));
            }
        }
        self.judge(
            "the service answered with the contract's environment, the workload's value winning",
            environment,
        );
        self.judge("the encrypted volume kept its file over a power cut", volume);
    }

    /// The log server got everything, kernel and initramfs included, in the right order.
    pub(super) fn log(&mut self, messages: &[Message]) {
        let mut missing = Vec::new();
        let mut expect = |what: &str, wanted: &dyn Fn(&Message) -> bool| {
            if !messages.iter().any(wanted) {
                missing.push(format!("no {what}"));
            }
        };
        expect("kernel line", &|m| m.facility == "kern");
        expect("line of the initramfs", &|m| m.msg.contains("stage=locate state=done"));
        expect("line of the container", &|m| m.msg.contains("hello: boot"));
        expect("started line", &|m| m.msg.contains(STARTED));
        expect("line of the daemon about the volume", &|m| {
            m.msg.contains("HPL13003I") && m.msg.contains("volume")
        });
        expect("line of the daemon about all volumes", &|m| m.msg.contains(CHECKED));
        self.judge(
            "the log server received kernel, initramfs, container and daemon lines, and that all has started",
            missing,
        );
        let order = match messages.first() {
            Some(first) if first.msg.contains("hello: boot") => {
                vec!["the first line is the container's".to_owned()]
            }
            Some(_) => Vec::new(),
            None => vec!["no line at all".to_owned()],
        };
        self.judge("the log server heard from the guest before it heard from the container", order);
    }

    /// No planted secret in any of the files.
    pub(super) fn secrets(&mut self, canaries: &Canaries, files: &[PathBuf]) -> Result<()> {
        let hits = canaries.search(files.iter().map(PathBuf::as_path))?;
        let failures =
            hits.iter().map(|hit| format!("{} in {} at {}", hit.name, hit.file.display(), hit.offset));
        self.judge(
            "no secret is readable on the console, at the log server or on any disk",
            failures.collect(),
        );
        Ok(())
    }
}

impl fmt::Display for Claims {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (claim, outcome) in &self.judged {
            match outcome {
                Ok(()) => writeln!(f, "holds   {claim}")?,
                Err(why) => writeln!(f, "FAILED  {claim}: {why}")?,
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Instant;

    fn history(leave_out: Option<Stage>, extra: &[&str]) -> Vec<Seen> {
        let lines = Stage::ALL.iter().filter(|&&stage| Some(stage) != leave_out).flat_map(|stage| {
            ["start", "done"].map(|state| format!("countersign: stage={stage} state={state}"))
        });
        lines
            .chain(extra.iter().map(|&line| line.to_owned()))
            .map(|line| Seen { at: Instant::now(), event: Event::parse(&line) })
            .collect()
    }

    fn judged(histories: &[Vec<Seen>]) -> String {
        let mut claims = Claims::default();
        claims.boots(histories.iter().map(Vec::as_slice));
        assert_eq!(claims.hold(), !claims.to_string().contains("FAILED"));
        claims.to_string()
    }

    #[test]
    fn good_boots_hold() {
        assert!(!judged(&[history(None, &[]), history(None, &[])]).contains("FAILED"));
    }

    #[test]
    fn what_is_wrong_with_a_boot_is_named() {
        for (wrong, why) in [
            (history(Some(Stage::Unlock), &[]), "boot 2: unlock was not done"),
            (history(None, &["countersign: stage=unlock state=failed"]), "boot 2: unlock failed"),
            (history(None, &["countersign: stage=unlok"]), "boot 2: countersign: stage=unlok"),
            (
                history(Some(Stage::Logging), &["countersign: stage=logging state=done"]),
                "boot 2: something of the workload began before logging was done",
            ),
        ] {
            let text = judged(&[history(None, &[]), wrong]);
            assert!(text.contains(why), "{text}");
        }
    }

    fn message(facility: &str, msg: &str) -> Message {
        let text = |t: &str| t.to_owned();
        Message {
            facility: text(facility),
            severity: text("info"),
            time: text(""),
            host: text("guest"),
            app: text("app"),
            procid: text("-"),
            data: text("-"),
            msg: text(msg),
        }
    }

    #[test]
    fn every_kind_of_log_line_must_have_arrived() {
        let all = [
            message("kern", "Linux version"),
            message("daemon", "countersign: stage=locate state=done ms=4"),
            message("daemon", "hello: boot 1 of this volume"),
            message("daemon", "HPL10001I: started"),
            message("daemon", "HPL13003I: mount point /mnt/data, volume data: encrypted"),
            message("daemon", "HPL13001I: all encrypted"),
        ];
        let judge = |messages: &[Message]| {
            let mut claims = Claims::default();
            claims.log(messages);
            claims
        };
        assert!(judge(&all).hold());
        let whats = [
            "no kernel line",
            "no line of the initramfs",
            "no line of the container",
            "no started line",
            "no line of the daemon about the volume",
            "no line of the daemon about all volumes",
        ];
        for (left_out, what) in whats.into_iter().enumerate() {
            let mut some = all.to_vec();
            some.remove(left_out);
            assert!(judge(&some).to_string().contains(what), "{what}");
        }
        let mut turned = all.to_vec();
        turned.swap(0, 2);
        assert!(judge(&turned).to_string().contains("the first line is the container's"));
    }

    #[test]
    fn no_claims_are_no_proof() {
        assert!(!Claims::default().hold());
    }
}
