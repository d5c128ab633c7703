//! The report of `attest verify`, for people and for programs.

use std::io::Write;

use anyhow::Result;
use countersign_plan::record::compare::{Judged, Verdict};
use serde::{Deserialize, Serialize};

use crate::answer::tame;

/// What was found, as `schema/attest.schema.json` describes it.
#[derive(Debug, Serialize)]
pub(crate) struct Report {
    /// Of this form: 1.
    pub(crate) format: u32,
    /// `first` or `hpcr`: whose record it is.
    pub(crate) kind: &'static str,
    /// Version of the image.
    pub(crate) version: String,
    /// SHA-256 of the first record.
    pub(crate) record: String,
    /// The time as of which certificates were judged, RFC 3339.
    pub(crate) at: String,
    pub(crate) verdict: Verdict,
    pub(crate) counts: Counts,
    /// Signatures and certificates.
    pub(crate) checks: Vec<Judged>,
    /// Lines of the first record.
    pub(crate) lines: Vec<Judged>,
    /// Lines of the final record.
    pub(crate) final_lines: Vec<Judged>,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Counts {
    pub(crate) good: usize,
    pub(crate) bad: usize,
    pub(crate) unchecked: usize,
}

impl Report {
    /// Good only where the signature of the first record is, and nothing is bad.
    pub(crate) fn decide(mut self) -> Report {
        let mut counts = Counts::default();
        for judged in self.checks.iter().chain(&self.lines).chain(&self.final_lines) {
            match judged.verdict {
                Verdict::Good => counts.good += 1,
                Verdict::Bad => counts.bad += 1,
                Verdict::Unchecked => counts.unchecked += 1,
            }
        }
        let signed =
            self.checks.iter().any(|check| check.name == SIGNATURE && check.verdict == Verdict::Good);
        self.verdict = match (counts.bad, signed) {
            (0, true) => Verdict::Good,
            (0, false) => Verdict::Unchecked,
            _ => Verdict::Bad,
        };
        self.counts = counts;
        self
    }
}

/// The check of the first record's signature.
pub(crate) const SIGNATURE: &str = "signature";

pub(crate) fn print(report: &Report, out: &mut dyn Write) -> Result<()> {
    let kind = if report.kind == "hpcr" { "a record of HPCR" } else { "a record of Countersign" };
    writeln!(out, "{kind}, image {}", tame(&report.version))?;
    writeln!(out, "sha256 {}", report.record)?;
    for (title, judged) in [
        ("signatures and certificates", &report.checks),
        ("lines", &report.lines),
        ("lines of the final record: the guest OS's word", &report.final_lines),
    ] {
        if judged.is_empty() {
            continue;
        }
        writeln!(out, "\n{title}")?;
        for one in judged {
            line(one, out)?;
        }
    }
    let Counts { good, bad, unchecked } = report.counts;
    let verdict = match report.verdict {
        Verdict::Good => "good: the signature holds, and nothing is otherwise than expected",
        Verdict::Bad => "bad: do not rely on this record before you know why",
        Verdict::Unchecked => "unchecked: nobody vouches for this record",
    };
    writeln!(out, "\n{verdict} ({good} good, {bad} bad, {unchecked} unchecked)")?;
    Ok(())
}

fn line(judged: &Judged, out: &mut dyn Write) -> Result<()> {
    let place = judged.line.map(|line| format!(" (line {line})")).unwrap_or_default();
    let found = judged.found.as_deref().map(shown).unwrap_or_else(|| "missing".to_owned());
    let colon = if found.is_empty() { "" } else { ": " };
    writeln!(out, "  {:<9}  {}{place}{colon}{found}", judged.verdict.as_str(), tame(&judged.name))?;
    let says = judged.against.map(|source| source.as_str());
    match (judged.verdict, &judged.expected, says) {
        (Verdict::Bad, Some(expected), Some(says)) => {
            writeln!(out, "             expected {}, as {says} says", tame(expected))?;
        }
        (Verdict::Good, _, says) => {
            let says = says.map(|says| format!("as {says} says; ")).unwrap_or_default();
            writeln!(out, "             {says}rests on {}", judged.anchor.as_str())?;
        }
        _ => {}
    }
    if let Some(note) = &judged.note {
        writeln!(out, "             {}", tame(note))?;
    }
    Ok(())
}

/// A value for a terminal.
fn shown(value: &str) -> String {
    tame(value)
}
