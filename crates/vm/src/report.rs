//! What the run stream says, for a person: one line an event, and a table with one line for every stage.
//!
//! It only formats; what a run proves is judged elsewhere.

use std::fmt::Write;
use std::time::Instant;

use crate::events::Seen;
use crate::events::{Event, MARKER, Stage, State};

/// The event as a line, in the form in which the guest writes it.
#[must_use]
pub fn line(event: &Event) -> String {
    match event {
        Event::Stage { stage, state, fields, ms } => {
            let mut text = format!("{MARKER}stage={stage} state={state}");
            for (key, value) in fields {
                let _ = write!(text, " {key}={value}");
            }
            if let Some(ms) = ms {
                let _ = write!(text, " ms={ms}");
            }
            text
        }
        Event::Message { code, text } => format!("{code}: {text}"),
        Event::Exit { status, stage, code } => {
            let mut text = format!("{MARKER}exit={status}");
            if let Some(stage) = stage {
                let _ = write!(text, " stage={stage}");
            }
            if let Some(code) = code {
                let _ = write!(text, " code={code}");
            }
            text
        }
        Event::Malformed(text) | Event::Console(text) => text.clone(),
    }
}

/// How one stage of a run went.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Timing {
    /// The stage.
    pub stage: Stage,
    /// Its last state, if it was seen at all.
    pub state: Option<State>,
    /// How long it took, by the guest's clock.
    pub ms: Option<u64>,
    /// When its last line was read, by the host's clock, in milliseconds since the start of the machine.
    pub at_ms: Option<u128>,
}

/// One entry for every stage, seen or not, in boot order.
#[must_use]
pub fn timings(history: &[Seen], started: Instant) -> Vec<Timing> {
    Stage::ALL
        .iter()
        .map(|&wanted| {
            let mut timing = Timing { stage: wanted, state: None, ms: None, at_ms: None };
            for seen in history {
                if let Event::Stage { stage, state, ms, .. } = &seen.event
                    && *stage == wanted
                {
                    timing.state = Some(*state);
                    timing.ms = *ms;
                    timing.at_ms = Some(seen.at.duration_since(started).as_millis());
                }
            }
            timing
        })
        .collect()
}

/// The table of several runs beside each other: a line a stage, two columns a run.
#[must_use]
pub fn table(runs: &[(&str, Vec<Timing>)]) -> String {
    let mut text = format!("{:<10}", "stage");
    for (name, _) in runs {
        let _ = write!(text, "  {:>16} {:>9}", format!("{name}: took ms"), "at s");
    }
    for (row, stage) in Stage::ALL.iter().enumerate() {
        let _ = write!(text, "\n{stage:<10}");
        for timing in runs.iter().filter_map(|(_, timings)| timings.get(row)) {
            let took = match (timing.state, timing.ms) {
                (None, _) => "not seen".to_owned(),
                (Some(State::Done), Some(ms)) => ms.to_string(),
                (Some(state), _) => state.to_string(),
            };
            #[allow(clippy::cast_precision_loss)] // shown with one digit
            let at = timing.at_ms.map_or_else(|| "-".to_owned(), |ms| format!("{:.1}", ms as f64 / 1000.0));
            let _ = write!(text, "  {took:>16} {at:>9}");
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn interface_lines_are_printed_as_the_guest_writes_them() {
        for text in [
            "countersign: stage=unlock state=done volumes=2 ms=812",
            "countersign: exit=55 stage=validate code=HPL05001E",
            "HPL10001I: services started",
        ] {
            assert_eq!(line(&Event::parse(text)), text);
        }
    }

    #[test]
    fn every_stage_has_a_line_seen_or_not() {
        let started = Instant::now();
        let seen =
            |after, text| Seen { at: started + Duration::from_millis(after), event: Event::parse(text) };
        let history = [
            seen(2000, "countersign: stage=locate state=start"),
            seen(2500, "countersign: stage=locate state=done ms=480"),
            seen(2600, "countersign: stage=parse state=failed ms=2"),
        ];
        let table = table(&[("first", timings(&history, started))]);
        let lines: Vec<Vec<_>> = table.lines().map(|line| line.split_ascii_whitespace().collect()).collect();
        assert_eq!(lines.len(), 1 + Stage::ALL.len());
        assert_eq!(lines[2], ["locate", "480", "2.5"]);
        assert_eq!(lines[3], ["parse", "failed", "2.6"]);
        assert_eq!(lines[4], ["unseal", "not", "seen", "-"]);
    }
}
