//! `timeline`: the stages of a boot as a table, as a picture, or as JSON.
//!
//! Reads the guest's `transcript.json`, or a log that holds the lines of `countersignd`. Either may come from anywhere:
//! the input is bounded, only known stage names and well-formed codes are taken, every text is tamed and cut. Nothing
//! is verified: whether a log or a transcript is genuine is for the digests in it to show.

mod log;
mod svg;
mod table;

use std::io::Write;

use anyhow::{Result, bail};
use countersign_plan::report::stage::Stage;
use countersign_plan::report::transcript::Transcript;
use serde::{Serialize, Serializer};

use crate::answer::Answer;
use crate::arguments::{Timeline as Options, TimelineFormat};
use crate::files;

/// Bars and marks beyond these are counted and left out.
const MAXIMUM: usize = 64;
/// No time in a picture is later: 30 days.
const LATEST: u64 = 30 * 86_400_000;
/// Bytes of the largest transcript.
const TRANSCRIPT: usize = 4 << 20;
/// Letters of a text that are kept.
const LETTERS: usize = 300;

/// What comes before the first stage at zero.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
enum Origin {
    /// A transcript: times are those of the guest.
    Kernel,
    /// A log: the first stage begins at zero, and what has no time of its own is laid end to end.
    FirstStage,
}

/// How a stage ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
enum State {
    Done,
    Failed,
    /// The log ends before the stage does.
    Unfinished,
}

/// A bar.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
struct Bar {
    #[serde(flatten, serialize_with = "with_place")]
    stage: Stage,
    state: State,
    started_ms: u64,
    ms: u64,
    /// Code of the cause, where it failed.
    code: Option<String>,
    /// Names and values of its line.
    facts: Vec<(String, String)>,
}

/// The stage, and where it runs.
fn with_place<S: Serializer>(stage: &Stage, serializer: S) -> Result<S::Ok, S::Error> {
    let place = if stage.is_initramfs() { "initramfs" } else { "guest-os" };
    serializer.collect_map([("stage", stage.name()), ("place", place)])
}

/// A warning.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
struct Mark {
    at_ms: u64,
    code: String,
    text: String,
}

/// A boot, as `schema/timeline.schema.json` describes it.
#[derive(Debug, PartialEq, Eq, Serialize)]
struct Timeline {
    origin: Origin,
    /// How many boots the log holds; the last one is shown.
    boots: usize,
    stages: Vec<Bar>,
    warnings: Vec<Mark>,
    /// Stages and warnings that are too many to be shown.
    omitted: usize,
    /// Records that look like the guest's own and are of another origin.
    imitations: usize,
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

    /// When the last stage ends, at least 1 ms.
    fn end(&self) -> u64 {
        let bars = self.stages.iter().map(|bar| bar.started_ms + bar.ms);
        bars.chain(self.warnings.iter().map(|mark| mark.at_ms)).max().unwrap_or(0).max(1)
    }

    /// A sentence about how the boot ended.
    fn outcome(&self) -> String {
        if let Some(bar) = self.stages.iter().find(|bar| bar.state == State::Failed) {
            return format!("failed at {} with {}", bar.stage, bar.code.as_deref().unwrap_or("no code"));
        }
        match self.stages.iter().any(|bar| bar.stage == Stage::Start && bar.state == State::Done) {
            true => "workload started".to_owned(),
            false => "workload not started".to_owned(),
        }
    }
}

/// Splits `HPLccnnnX` off a line that begins with one.
fn code(line: &str) -> Option<(&str, &str)> {
    let (code, rest) = line.split_at_checked(9)?;
    let bytes = code.as_bytes();
    let formed = code.starts_with("HPL")
        && bytes[3..8].iter().all(u8::is_ascii_digit)
        && matches!(bytes[8], b'E' | b'W' | b'I')
        && rest.starts_with([':', ' ']);
    formed.then(|| (code, rest.trim_start_matches([':', ' '])))
}

/// A text without control characters, cut.
fn tame(text: &str) -> String {
    let mut tamed: String =
        text.trim().chars().take(LETTERS).map(|c| if c.is_control() { ' ' } else { c }).collect();
    if text.trim().chars().nth(LETTERS).is_some() {
        tamed.push('…');
    }
    tamed
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

/// A transcript where the text is one, else a log.
fn read(text: &str) -> Option<Timeline> {
    let transcript =
        (text.len() <= TRANSCRIPT).then(|| serde_json::from_str::<Transcript>(text).ok()).flatten();
    let timeline = transcript.map_or_else(|| log::read(text), Timeline::from);
    (!timeline.stages.is_empty()).then_some(timeline)
}

pub(crate) fn run(options: &Options, out: &mut dyn Write) -> Result<Answer> {
    let bytes = files::log(&options.file)?;
    let Some(timeline) = read(&String::from_utf8_lossy(&bytes)) else {
        bail!(
            "{}: expected a transcript.json, or a log with lines of countersignd that begin with countersign: stage=",
            options.file.display()
        );
    };
    if let Some(path) = &options.svg {
        files::write_result(out, Some(path), svg::draw(&timeline).as_bytes())?;
        return Ok(Answer::Yes);
    }
    match options.format {
        TimelineFormat::Table => write!(out, "{}", table::draw(&timeline))?,
        TimelineFormat::Svg => write!(out, "{}", svg::draw(&timeline))?,
        TimelineFormat::Json => writeln!(out, "{}", serde_json::to_string_pretty(&timeline)?)?,
    }
    Ok(Answer::Yes)
}
