//! What is said, and when: lines with their fields, and the clock.

use std::time::Duration;

use countersign_ports::{Clock, Event, Fields, Key, Report};

use super::Rehearsal;

impl Report for Rehearsal {
    fn tell(&self, event: &Event<'_>) {
        let mut state = self.state();
        let console = event.console.as_ref().unwrap_or(&event.text).to_string();
        state.lines.push((event.priority, console));
        state.logged.push((event.priority, event.text.to_string()));
        state.fields.push(fields(&event.fields));
    }
}

/// The fields that an event has, as `name=value`.
fn fields(fields: &Fields<'_>) -> String {
    let Fields { stage, state, ms, exit, code, volume, pointer, section, line, column, check } = *fields;
    let number = |name: &str, number: Option<u64>| number.map(|number| format!("{name}={number}"));
    let word = |name: &str, word: Option<&str>| word.map(|word| format!("{name}={word}"));
    let all = [
        word("stage", stage),
        word("state", state),
        // Time passes in rehearsal only where a test says so.
        number("ms", ms),
        number("exit", exit.map(u64::from)),
        word("code", code),
        word("volume", volume.map(Key::as_str)),
        word("pointer", pointer.map(Key::as_str)),
        word("section", section),
        number("line", line),
        number("column", column),
        number("check", check),
    ];
    all.into_iter().flatten().collect::<Vec<String>>().join(" ")
}

impl Clock for Rehearsal {
    fn unix_time(&self) -> i64 {
        self.state().facts.unix_time
    }

    fn uptime(&self) -> Duration {
        self.state().facts.uptime
    }
}
