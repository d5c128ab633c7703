//! The stages of a boot, as a table, as a picture, or as JSON.
//!
//! Reads the guest's `transcript.json`, or a log that holds the lines of `countersignd`. Either may come from anywhere:
//! the input is bounded, only known stage names and well-formed codes are taken, every text is tamed and cut. Nothing
//! is verified: whether a log or a transcript is genuine is for the digests in it to show.

mod assemble;
mod svg;
mod table;

use countersign_plan::report::stage::Stage;
use countersign_plan::report::transcript::Transcript;
use serde::{Serialize, Serializer};

pub use assemble::Assembler;

use crate::text::{code, tame};

/// Bars and marks beyond these are counted and left out.
const MAXIMUM: usize = 64;
/// No time in a picture is later: 30 days.
const LATEST: u64 = 30 * 86_400_000;
/// Bytes of the largest transcript.
const TRANSCRIPT: usize = 4 << 20;

/// What comes before the first stage at zero.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Origin {
    /// A transcript: times are those of the guest.
    Kernel,
    /// A log: the first stage begins at zero, and what has no time of its own is laid end to end.
    FirstStage,
}

/// How a stage ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum State {
    /// It is done.
    Done,
    /// It failed.
    Failed,
    /// The log ends before the stage does.
    Unfinished,
}

/// A bar.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Bar {
    /// Which.
    #[serde(flatten, serialize_with = "with_place")]
    pub stage: Stage,
    /// How it ended.
    pub state: State,
    /// When it began, milliseconds after the zero that [`Timeline::origin`] names.
    pub started_ms: u64,
    /// How long it took, milliseconds.
    pub ms: u64,
    /// Code of the cause, where it failed.
    pub code: Option<String>,
    /// Names and values of its line.
    pub facts: Vec<(String, String)>,
}

/// The stage, and where it runs.
fn with_place<S: Serializer>(stage: &Stage, serializer: S) -> std::result::Result<S::Ok, S::Error> {
    let place = if stage.is_initramfs() { "initramfs" } else { "guest-os" };
    serializer.collect_map([("stage", stage.name()), ("place", place)])
}

/// A warning.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Mark {
    /// When, milliseconds after zero.
    pub at_ms: u64,
    /// Its code.
    pub code: String,
    /// Its text.
    pub text: String,
}

/// A boot, as `schema/timeline.schema.json` describes it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Timeline {
    /// What zero is.
    pub origin: Origin,
    /// How many boots the log holds; the last one is shown.
    pub boots: usize,
    /// Its stages, in order.
    pub stages: Vec<Bar>,
    /// Its warnings, in order.
    pub warnings: Vec<Mark>,
    /// Stages and warnings that are too many to be shown.
    pub omitted: usize,
    /// Records that look like the guest's own and are of another origin.
    pub imitations: usize,
}

impl Timeline {
    fn new(origin: Origin) -> Timeline {
        Timeline { origin, boots: 1, stages: Vec::new(), warnings: Vec::new(), omitted: 0, imitations: 0 }
    }

    fn bar(&mut self, mut bar: Bar) {
        if self.stages.len() == MAXIMUM {
            self.omitted += 1;
            return;
        }
        bar.started_ms = bar.started_ms.min(LATEST);
        bar.ms = bar.ms.min(LATEST);
        bar.facts.truncate(MAXIMUM);
        self.stages.push(bar);
    }

    fn mark(&mut self, at_ms: u64, code: &str, text: &str) {
        if self.warnings.len() == MAXIMUM {
            self.omitted += 1;
            return;
        }
        self.warnings.push(Mark { at_ms: at_ms.min(LATEST), code: code.to_owned(), text: tame(text) });
    }

    /// As a table for a terminal.
    pub fn table(&self) -> String {
        table::draw(self)
    }

    /// As a picture, SVG.
    pub fn svg(&self) -> String {
        svg::draw(self)
    }

    /// When the last stage ends, at least 1 ms.
    fn end(&self) -> u64 {
        let bars = self.stages.iter().map(|bar| bar.started_ms + bar.ms);
        bars.chain(self.warnings.iter().map(|mark| mark.at_ms)).max().unwrap_or(0).max(1)
    }

    /// A sentence about how the boot ended.
    pub fn outcome(&self) -> String {
        if let Some(bar) = self.stages.iter().find(|bar| bar.state == State::Failed) {
            return format!("failed at {} with {}", bar.stage, bar.code.as_deref().unwrap_or("no code"));
        }
        match self.stages.iter().any(|bar| bar.stage == Stage::Start && bar.state == State::Done) {
            true => "workload started".to_owned(),
            false => "workload not started".to_owned(),
        }
    }
}

/// Milliseconds as seconds, for people.
fn seconds(ms: u64) -> String {
    if ms < 10_000 {
        format!("{}.{:03} s", ms / 1000, ms % 1000)
    } else {
        format!("{}.{} s", ms / 1000, ms / 100 % 10)
    }
}

impl From<Transcript> for Timeline {
    fn from(transcript: Transcript) -> Timeline {
        let mut timeline = Timeline::new(Origin::Kernel);
        for record in transcript.stages {
            let Some(stage) = Stage::find(&record.stage) else {
                timeline.omitted += 1;
                continue;
            };
            timeline.bar(Bar {
                stage,
                state: State::Done,
                started_ms: record.started_ms,
                ms: record.ms,
                code: None,
                facts: record.summary.iter().map(|(name, value)| (tame(name), tame(value))).collect(),
            });
        }
        for warning in &transcript.warnings {
            if let Some((code, text)) = code(&warning.text) {
                timeline.mark(warning.at_ms, code, text);
            }
        }
        if let Some(failure) = transcript.failure
            && let Some(stage) = Stage::find(&failure.stage)
        {
            // The record holds when it failed, not when it began: from the end of the stage before.
            let began = timeline.stages.iter().map(|bar| bar.started_ms + bar.ms).max().unwrap_or(0);
            timeline.bar(Bar {
                stage,
                state: State::Failed,
                started_ms: began.min(failure.at_ms),
                ms: failure.at_ms.saturating_sub(began),
                code: code(&format!("{} ", failure.code)).map(|(code, _)| code.to_owned()),
                facts: Vec::new(),
            });
        }
        timeline
    }
}

/// A transcript where the text is one, else the last boot in a log. `None` where there is no stage in it.
pub fn read(text: &str) -> Option<Timeline> {
    let transcript =
        (text.len() <= TRANSCRIPT).then(|| serde_json::from_str::<Transcript>(text).ok()).flatten();
    let timeline = transcript.map_or_else(|| assemble::read(text), Timeline::from);
    (!timeline.stages.is_empty()).then_some(timeline)
}
