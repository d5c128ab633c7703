//! The timeline for a terminal: a line a stage, with a small bar.

use std::fmt::Write;

use super::{Origin, State, Timeline, seconds};

/// Width of the bars, in letters.
const WIDTH: u64 = 32;

pub(super) fn draw(timeline: &Timeline) -> String {
    let mut text = String::new();
    let end = timeline.end();
    // Writing to a string does not fail.
    let _ = writeln!(text, "{}, {}", timeline.outcome(), seconds(end));
    let _ = writeln!(text, "{:<10} {:<9} {:>9} {:>9}", "stage", "where", "start", "time");
    for bar in &timeline.stages {
        let place = if bar.stage.is_initramfs() { "initramfs" } else { "guest OS" };
        let state = match (bar.state, &bar.code) {
            (State::Done, _) => String::new(),
            (State::Failed, code) => format!(" failed {}", code.as_deref().unwrap_or_default()),
            (State::Unfinished, _) => " unfinished".to_owned(),
        };
        let before = (bar.started_ms * WIDTH / end).min(WIDTH - 1);
        let length = (bar.ms * WIDTH).div_ceil(end).clamp(1, WIDTH - before);
        let fill = if bar.state == State::Failed { "x" } else { "=" };
        let drawn = format!("{}{}", " ".repeat(index(before)), fill.repeat(index(length)));
        let _ = writeln!(
            text,
            "{:<10} {place:<9} {:>9} {:>9}  |{drawn:<32}|{state}",
            bar.stage,
            seconds(bar.started_ms),
            seconds(bar.ms)
        );
    }
    for mark in &timeline.warnings {
        let _ = writeln!(text, "{} at {}: {}", mark.code, seconds(mark.at_ms), mark.text);
    }
    for note in notes(timeline) {
        let _ = writeln!(text, "{note}");
    }
    text
}

fn index(number: u64) -> usize {
    usize::try_from(number).unwrap_or(usize::MAX)
}

/// What has to be known to read the picture.
pub(super) fn notes(timeline: &Timeline) -> Vec<String> {
    let mut notes = vec![match timeline.origin {
        Origin::Kernel => "times are seconds since the kernel started".to_owned(),
        Origin::FirstStage => {
            "times are seconds since the first stage; what a log does not tell is laid end to end".to_owned()
        }
    }];
    if timeline.boots > 1 {
        notes.push(format!("the last of {} boots in this log", timeline.boots));
    }
    if timeline.omitted > 0 {
        notes.push(format!("{} further stages or warnings are left out", timeline.omitted));
    }
    if timeline.imitations > 0 {
        notes.push(format!("records that look like the guest's own and are not: {}", timeline.imitations));
    }
    notes
}
