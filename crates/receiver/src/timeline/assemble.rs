//! A boot out of a log: the lines of a console, or records as a log server stored them ([`crate::stored`]).
//!
//! A record that says its origin ([`countersign_plan::forwarding::origin`]) is the guest's if that says so; one of
//! another origin that looks like the guest's is counted as an imitation. In a log with any such record, one without is
//! nobody's. What the initramfs said reaches a journal all at once, so the times of a record are no measure of it. A
//! stage begins where the line before it ended, or later by the difference of their records' times; it lasts as long as
//! its own line says.

use countersign_plan::report::stage::Stage;

use super::{Bar, Origin, State, Timeline};
use crate::entry::Entry;
use crate::stored;
use crate::text::{MARKER, code, tame};

/// The last boot in the text.
pub(super) fn read(text: &str) -> Timeline {
    let mut assembler = Assembler::default();
    let records = || text.lines().filter_map(stored::entry);
    let tells = records().any(|record| record.origin.is_some());
    records().for_each(|record| assembler.record(&record, tells));
    assembler.finish()
}

/// A stage that has begun.
#[derive(Debug, Clone, Copy)]
struct Open {
    stage: Stage,
    started: u64,
}

impl Open {
    /// Without an end.
    fn bar(self, clock: u64) -> Bar {
        let ms = clock.saturating_sub(self.started);
        let state = State::Unfinished;
        Bar { stage: self.stage, state, started_ms: self.started, ms, code: None, facts: Vec::new() }
    }
}

/// Makes a timeline of one record after the other.
#[derive(Debug)]
pub struct Assembler {
    timeline: Timeline,
    /// Milliseconds after the beginning of the first stage.
    clock: u64,
    /// Time of the last record.
    time: Option<i64>,
    open: Option<Open>,
}

impl Default for Assembler {
    fn default() -> Assembler {
        Assembler { timeline: Timeline::new(Origin::FirstStage), clock: 0, time: None, open: None }
    }
}

impl Assembler {
    /// A record, in a log that tells origins or does not.
    pub fn record(&mut self, entry: &Entry, tells: bool) {
        if entry.is_imitation() {
            self.timeline.imitations += 1;
        } else if entry.is_guest(tells) {
            self.line(entry.time, &entry.message);
        }
    }

    /// How far the boot has come; a stage that has begun is unfinished.
    pub fn so_far(&self) -> Timeline {
        let mut timeline = self.timeline.clone();
        if let Some(open) = &self.open {
            timeline.bar(open.bar(self.clock));
        }
        timeline
    }

    fn line(&mut self, time: Option<i64>, message: &str) {
        if let Some(at) = message.find(MARKER) {
            self.stage(time, &message[at + MARKER.len()..]);
        } else if let Some((code, text)) = code(message)
            && code.ends_with('W')
            && !(self.timeline.stages.is_empty() && self.open.is_none())
        {
            self.pass(time);
            self.timeline.mark(self.clock, code, text);
        }
    }

    /// The clock goes on by what has passed between two records.
    fn pass(&mut self, time: Option<i64>) {
        if let (Some(before), Some(now)) = (self.time, time) {
            self.clock = self.clock.saturating_add(u64::try_from(now.saturating_sub(before)).unwrap_or(0));
        }
        self.time = time;
    }

    fn stage(&mut self, time: Option<i64>, text: &str) {
        let mut words = text.split_whitespace();
        let (Some(stage), Some(state)) = (words.next().and_then(Stage::find), words.next()) else {
            return;
        };
        let mut facts: Vec<(String, String)> = words
            .filter_map(|word| word.split_once('='))
            .map(|(name, value)| (tame(name), tame(value)))
            .collect();
        if state == "state=start" {
            if stage == Stage::Preflight {
                self.begin();
            }
            self.close();
            self.pass(time);
            self.open = Some(Open { stage, started: self.clock });
            return;
        }
        let state = match state {
            "state=done" => State::Done,
            "state=failed" => State::Failed,
            _ => return,
        };
        let open = self.open.take().filter(|open| open.stage == stage);
        let started = open.map_or(self.clock, |open| open.started);
        let ms = facts
            .iter()
            .rev()
            .find(|(name, _)| name == "ms")
            .and_then(|(_, value)| value.parse::<u64>().ok());
        facts.retain(|(name, _)| name != "ms");
        self.pass(time);
        let ms = ms.unwrap_or(self.clock.saturating_sub(started));
        self.clock = started.saturating_add(ms);
        let cause = facts.iter().find(|(name, _)| name == "code").map(|(_, value)| format!("{value} "));
        let cause = cause.as_deref().and_then(code).map(|(code, _)| code.to_owned());
        self.timeline.bar(Bar { stage, state, started_ms: started, ms, code: cause, facts });
    }

    /// Another boot begins: what was before is forgotten.
    fn begin(&mut self) {
        let before = !self.timeline.stages.is_empty() || self.open.is_some();
        let boots = self.timeline.boots + usize::from(before);
        self.timeline = Timeline { boots, ..Timeline::new(Origin::FirstStage) };
        (self.clock, self.time, self.open) = (0, None, None);
    }

    /// A stage without an end.
    fn close(&mut self) {
        if let Some(open) = self.open.take() {
            self.timeline.bar(open.bar(self.clock));
        }
    }

    fn finish(mut self) -> Timeline {
        self.close();
        self.timeline
    }
}
