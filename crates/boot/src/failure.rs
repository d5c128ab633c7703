//! Why a boot ended: the first cause, with its stage.

use std::fmt;

use countersign_contract::code::Code;
use countersign_contract::refusal::{Finding, Refusal};
use countersign_plan::report::transcript::FailureRecord;
use countersign_ports::Priority;

use crate::line::Line;
use crate::stage::Stage;

/// The first cause of a failed boot. Holds names, places and expectations, never a value from the contract.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    /// Where it happened.
    pub stage: Stage,
    /// The cause; boxed, because every stage returns one or its result.
    pub cause: Box<Cause>,
    /// Further findings of the same stage.
    pub also: Vec<Finding>,
    /// Told on the console and to nobody else: who else is to be told stands in what must not show.
    pub console_only: bool,
}

/// A cause: something in the contract, which has a place, or something about the machine, which has none.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Cause {
    /// A refusal with a place in the contract.
    Contract(Finding),
    /// Anything else.
    Machine {
        /// Message code.
        code: Code,
        /// What was expected and what was found, without values.
        message: String,
    },
}

impl Failure {
    /// A failure of the machine or its surroundings.
    pub fn machine(stage: Stage, code: Code, message: impl fmt::Display) -> Failure {
        Failure {
            stage,
            cause: Box::new(Cause::Machine { code, message: message.to_string() }),
            also: Vec::new(),
            console_only: false,
        }
    }

    /// A refusal for something in an old token that may have been altered: neither what nor where is said, and the
    /// owner's log server, which stands there too, is left alone.
    pub fn unsaid(stage: Stage, code: Code, expected: &str) -> Failure {
        let message = format!(
            "expected {expected} nothing is said about what an old token holds (countersign check --key says it)"
        );
        Failure { console_only: true, ..Failure::machine(stage, code, message) }
    }

    /// A refusal of the contract.
    pub fn refused(stage: Stage, refusal: &Refusal) -> Failure {
        Failure::finding(stage, Finding::from(refusal))
    }

    /// A finding about the contract.
    pub fn finding(stage: Stage, finding: Finding) -> Failure {
        let cause = Box::new(Cause::Contract(with_hint(finding)));
        Failure { stage, cause, also: Vec::new(), console_only: false }
    }

    /// The first of several findings is the cause, the others go along. `None` where there is no finding.
    pub fn findings(stage: Stage, findings: Vec<Finding>) -> Option<Failure> {
        let mut findings = findings.into_iter().map(with_hint);
        let first = findings.next()?;
        let cause = Box::new(Cause::Contract(first));
        Some(Failure { stage, cause, also: findings.collect(), console_only: false })
    }

    /// As [`Failure::findings`], where there must be at least one.
    pub fn refusal_of(stage: Stage, findings: Vec<Finding>) -> Failure {
        Failure::findings(stage, findings).unwrap_or_else(|| {
            Failure::machine(stage, Code::BootInternal, "expected a reason for the refusal")
        })
    }

    /// Whether one of the findings is at or below `pointer`.
    pub fn is_about(&self, pointer: &str) -> bool {
        let first = match self.cause.as_ref() {
            Cause::Contract(finding) => Some(finding),
            Cause::Machine { .. } => None,
        };
        let below = |finding: &Finding| {
            let rest = finding.pointer.as_str().strip_prefix(pointer);
            rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
        };
        first.into_iter().chain(&self.also).any(below)
    }

    /// The message code of the cause.
    pub fn code(&self) -> Code {
        match self.cause.as_ref() {
            Cause::Contract(finding) => finding.code,
            Cause::Machine { code, .. } => *code,
        }
    }

    /// The failure in a transcript.
    pub fn record(&self, at_ms: u64) -> FailureRecord {
        FailureRecord {
            stage: self.stage.name().to_owned(),
            at_ms,
            code: self.code().as_str().to_owned(),
            lines: self.lines(),
        }
    }

    /// `key=value` pairs for the stage's line: code, and the place where there is one.
    pub fn fields(&self) -> String {
        match self.cause.as_ref() {
            Cause::Contract(finding) => place_fields(finding),
            Cause::Machine { code, .. } => format!("code={code}"),
        }
    }

    /// Everything that is said about it: the sentences, the stage's failed line, the exit line.
    pub fn report(&self) -> Vec<Line> {
        let first = match self.cause.as_ref() {
            Cause::Contract(finding) => Line::from(finding),
            Cause::Machine { code, message } => Line::with(*code, message).advise(code.remedy()),
        };
        let failed = Line::stage(self.stage, "failed", None, &format!(" {}", self.fields()));
        let failed = match self.cause.as_ref() {
            Cause::Contract(finding) => failed.about(finding),
            Cause::Machine { code, .. } => failed.coded(*code),
        };
        let sentences = std::iter::once(first).chain(self.also.iter().map(Line::from));
        let lines = sentences.chain([failed, Line::exit(self.stage, self.code())]);
        lines.map(|line| line.ranked(Priority::Error)).collect()
    }

    /// The sentences for a person, one line for each finding: code, place, expectation, hint.
    pub fn lines(&self) -> Vec<String> {
        let first = match self.cause.as_ref() {
            Cause::Contract(finding) => finding.to_string(),
            Cause::Machine { code, message } => format!("{code}: {message}; {}", code.remedy()),
        };
        std::iter::once(first).chain(self.also.iter().map(ToString::to_string)).collect()
    }
}

/// A refusal never ends without a hint: where a finding has none of its own, it is the code's remedy.
fn with_hint(mut finding: Finding) -> Finding {
    finding.hint.get_or_insert_with(|| finding.code.remedy().to_owned());
    finding
}

/// `code=… pointer=… line=… column=…` of a finding.
fn place_fields(finding: &Finding) -> String {
    let mut text = format!("code={} pointer={}", finding.code, finding.pointer);
    if let (Some(line), Some(column)) = (finding.line, finding.column) {
        text.push_str(&format!(" in={} line={line} column={column}", finding.section.as_str()));
    }
    text
}
