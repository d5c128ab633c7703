//! What the boot says while it goes: stage lines for programs, sentences for people, a record of both.
//!
//! The line of a stage is an interface: `countersign: stage=unlock state=done volumes=2 ms=812`. Values are
//! numbers, names and digests; never a value from the contract.

use std::fmt::Display;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use countersign_contract::code::Code;
use countersign_plan::report::transcript::{ImageRecord, StageRecord, Warning};
use countersign_ports::{Clock, Priority, Report};

use crate::failure::Failure;
use crate::line::Line;
use crate::stage::Stage;

/// What a stage tells about itself when it is done: names and values of its line.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Summary(Vec<(&'static str, String)>);

impl Summary {
    /// Nothing to tell.
    pub fn new() -> Summary {
        Summary::default()
    }

    /// Adds a name and a value; the value must hold no white space.
    #[must_use]
    pub fn with(mut self, name: &'static str, value: impl Display) -> Summary {
        self.0.push((name, value.to_string()));
        self
    }
}

/// The voice and the memory of a boot.
#[derive(Debug)]
pub struct Log<'s, S> {
    system: &'s S,
    stages: Vec<StageRecord>,
    warnings: Vec<Warning>,
    images: Vec<ImageRecord>,
}

/// The stage that this process is in, for a panic: a number of [`Stage::ALL`].
static RUNNING: AtomicUsize = AtomicUsize::new(0);

/// Says that the program stopped unexpectedly at `place` (file and line), with the stage in which that happened. For a panic
/// hook: whatever state the program is in, this allocates a few lines and writes them.
pub fn panicked<S: Report + Clock>(system: &S, place: &str) {
    let stage = Stage::ALL.get(RUNNING.load(Ordering::Relaxed)).copied().unwrap_or(Stage::Preflight);
    // The panic's own text could hold a value; its place cannot.
    let message = format!("countersignd stopped unexpectedly{place}");
    Log::new(system).failed(&Failure::machine(stage, Code::BootInternal, message));
}

impl<'s, S: Report + Clock> Log<'s, S> {
    /// An empty log that writes to `system`.
    pub fn new(system: &'s S) -> Log<'s, S> {
        Log { system, stages: Vec::new(), warnings: Vec::new(), images: Vec::new() }
    }

    /// Runs a stage between its two lines.
    ///
    /// # Errors
    /// Those of the stage; its failed line is written by [`Log::failed`].
    pub fn stage<T>(
        &mut self,
        stage: Stage,
        run: impl FnOnce(&mut Log<'s, S>) -> Result<(T, Summary), Failure>,
    ) -> Result<T, Failure> {
        let started = self.system.uptime();
        RUNNING.store(
            Stage::ALL.iter().position(|other| *other == stage).unwrap_or_default(),
            Ordering::Relaxed,
        );
        self.tell(&Line::stage(stage, "start", None, ""));
        let (value, summary) = run(self)?;
        let ms = millis(self.system.uptime().saturating_sub(started));
        let mut rest = String::new();
        for (name, value) in &summary.0 {
            rest.push_str(&format!(" {name}={value}"));
        }
        rest.push_str(&format!(" ms={ms}"));
        self.tell(&Line::stage(stage, "done", Some(ms), &rest));
        self.stages.push(record(stage, started, ms, summary));
        Ok(value)
    }

    /// The record of a stage that writes the transcript itself, as far as it has come.
    pub fn record_so_far(&self, stage: Stage, started: Duration, summary: Summary) -> StageRecord {
        record(stage, started, millis(self.system.uptime().saturating_sub(started)), summary)
    }

    /// Says a sentence for people.
    pub fn say(&self, text: &str) {
        self.system.line(Priority::Info, text);
    }

    /// Says a line.
    pub fn tell(&self, line: &Line) {
        self.system.tell(&line.event());
    }

    /// Says a warning, about the contract or anything else, and remembers it.
    pub fn warn(&mut self, line: impl Into<Line>) {
        let line = line.into();
        self.tell(&line);
        self.warnings.push(Warning { at_ms: millis(self.system.uptime()), text: line.text().to_owned() });
    }

    /// Says why the boot ends: sentences, the stage's failed line, the exit line.
    pub fn failed(&self, failure: &Failure) {
        for line in failure.report() {
            self.tell(&line);
        }
    }

    /// Remembers the images that the engine has.
    pub(crate) fn images(&mut self, images: Vec<ImageRecord>) {
        self.images = images;
    }

    /// The images that the engine has, as far as this process knows.
    pub fn pulled(&self) -> &[ImageRecord] {
        &self.images
    }

    /// Forgets what was recorded elsewhere.
    pub fn forget(&mut self) {
        self.stages.clear();
        self.warnings.clear();
    }

    /// The stages that are over.
    pub fn stages(&self) -> &[StageRecord] {
        &self.stages
    }

    /// The warnings so far.
    pub fn warnings(&self) -> &[Warning] {
        &self.warnings
    }
}

fn record(stage: Stage, started: Duration, ms: u64, summary: Summary) -> StageRecord {
    let summary = summary.0.into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
    StageRecord { stage: stage.name().to_owned(), started_ms: millis(started), ms, summary }
}

/// Milliseconds, as far as they can be counted.
pub(crate) fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
