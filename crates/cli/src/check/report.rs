//! What `check` found, as a record: the JSON of `schema/check.schema.json`, from which the text is made as well.
//!
//! It holds names, places, expectations and public facts; never a value of a secret field.

use countersign_contract::refusal::Finding;
use countersign_plan::report::stage::Stage;
use serde::Serialize;

use super::plan::Plan;

/// What comes of the contract.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Verdict {
    /// The guest would boot.
    Boots,
    /// The guest would refuse.
    Refused,
    /// Nothing is wrong in what could be read, and not everything could.
    Undecided,
}

/// A finding with its stage.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(super) struct Reported {
    pub stage: Stage,
    pub code: &'static str,
    pub severity: &'static str,
    pub section: &'static str,
    pub pointer: String,
    pub line: Option<u32>,
    pub column: Option<u32>,
    pub message: String,
    pub hint: Option<String>,
}

impl Reported {
    pub(super) fn new(stage: Stage, finding: &Finding) -> Reported {
        Reported {
            stage,
            code: finding.code.as_str(),
            severity: finding.severity.as_str(),
            section: finding.section.as_str(),
            pointer: finding.pointer.as_str().to_owned(),
            line: finding.line,
            column: finding.column,
            message: finding.message.clone(),
            hint: finding.hint.clone(),
        }
    }

    /// Whether another one says the same, whichever stage finds it.
    pub(super) fn says_the_same(&self, other: &Reported) -> bool {
        let told = |one: &Reported| (one.line, one.column, one.code, one.severity, one.section);
        // What tells most apart comes first: there may be thousands.
        told(self) == told(other)
            && self.pointer == other.pointer
            && self.message == other.message
            && self.hint == other.hint
    }

    pub(super) fn is_error(&self) -> bool {
        self.severity == "error"
    }
}

/// Something that could not be checked.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(super) struct Unchecked {
    pub pointer: String,
    pub line: Option<u32>,
    pub column: Option<u32>,
    pub reason: &'static str,
}

/// All of it.
#[derive(Debug, Serialize)]
pub(super) struct Report {
    pub verdict: Verdict,
    /// Where the guest would stop; none if it would not.
    pub stage: Option<Stage>,
    pub findings: Vec<Reported>,
    pub unchecked: Vec<Unchecked>,
    pub plan: Option<Plan>,
}

impl Report {
    /// The verdict follows from what was found. A plan is kept only of a contract that is not refused.
    pub(super) fn new(findings: Vec<Reported>, unchecked: Vec<Unchecked>, plan: Option<Plan>) -> Report {
        let stage = findings.iter().filter(|finding| finding.is_error()).map(|finding| finding.stage).min();
        let verdict = match (stage, unchecked.is_empty()) {
            (Some(_), _) => Verdict::Refused,
            (None, true) => Verdict::Boots,
            (None, false) => Verdict::Undecided,
        };
        let plan = plan.filter(|_| stage.is_none());
        Report { verdict, stage, findings, unchecked, plan }
    }
}
