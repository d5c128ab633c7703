//! A boot out of a log: the lines of a console, or records as a log server stored them.
//!
//! Forms: the plain line; RFC 5424 (`<14>1 TIME HOST countersignd …`); rsyslog's file format
//! (`TIME HOST countersignd: …`); a JSON object a line with `app`, `msg` and `time`. What the initramfs said reaches a
//! journal all at once, so the times of a record are no measure of it. A stage begins where the line before it ended,
//! or later by the difference of their records' times; it lasts as long as its own line says.

use countersign_plan::report::stage::Stage;
use serde::Deserialize;

use super::{Bar, Origin, State, Timeline, code, tame};

/// What a stage line begins with, after whatever a terminal put before it.
const MARKER: &str = "countersign: stage=";

/// Bytes of the longest line that is looked at; a record of countersignd has less than 16 KiB.
const LINE: usize = 64 << 10;

/// A record of rsyslog's JSON template.
#[derive(Deserialize)]
struct Record {
    #[serde(default)]
    time: String,
    app: String,
    msg: String,
}

/// The last boot in the text.
pub(super) fn read(text: &str) -> Timeline {
    let mut reader = Reader { timeline: Timeline::new(Origin::FirstStage), clock: 0, time: None, open: None };
    for line in text.lines().filter(|line| line.len() <= LINE) {
        if line.starts_with('{') {
            if let Ok(record) = serde_json::from_str::<Record>(line)
                && record.app == "countersignd"
            {
                reader.line(time(&record.time), &record.msg);
            }
        } else if let Some((time, message)) = message(line) {
            reader.line(time, message);
        }
    }
    reader.finish()
}

/// Time and message of a line of text; nothing where another program wrote it.
fn message(line: &str) -> Option<(Option<i64>, &str)> {
    let (header, rfc5424) = match line.strip_prefix('<').and_then(|rest| rest.split_once(">1 ")) {
        Some((priority, rest)) if priority.bytes().all(|b| b.is_ascii_digit()) => (rest, true),
        _ => (line, false),
    };
    let mut words = header.splitn(4, ' ');
    let stamp = words.next().and_then(time);
    if stamp.is_none() && !rfc5424 {
        return Some((None, line));
    }
    let (_host, app, rest) = (words.next()?, words.next()?, words.next()?);
    if app.trim_end_matches(':').split('[').next() != Some("countersignd") {
        return None;
    }
    let rest = if rfc5424 {
        // Process, message id, structured data: none, or one element without a bracket in it.
        let rest = rest.splitn(3, ' ').nth(2)?;
        let element = rest.starts_with('[').then(|| rest.find("] ")).flatten();
        element.map_or_else(|| rest.split_once(' ').map(|(_, rest)| rest), |end| Some(&rest[end + 2..]))?
    } else {
        rest
    };
    Some((stamp, rest.trim_start_matches('\u{feff}').trim_start()))
}

/// Milliseconds since 1970 of an RFC 3339 time.
fn time(text: &str) -> Option<i64> {
    let (head, tail) = text.split_at_checked(19)?;
    let seconds = crate::time::parse(&format!("{head}Z"))?;
    let zone_at = tail.find(['Z', '+', '-'])?;
    let (fraction, zone) = tail.split_at(zone_at);
    let milliseconds = match fraction.strip_prefix('.') {
        None if fraction.is_empty() => 0,
        Some(digits) if digits.bytes().all(|b| b.is_ascii_digit()) => {
            format!("{digits:0<3}").get(..3)?.parse().ok()?
        }
        _ => return None,
    };
    let offset = match zone.split_at(1) {
        ("Z", "") => 0,
        (sign, offset) => {
            let (hours, minutes) = offset.split_once(':')?;
            let seconds =
                i64::from(hours.parse::<u8>().ok()?) * 3600 + i64::from(minutes.parse::<u8>().ok()?) * 60;
            if sign == "-" { -seconds } else { seconds }
        }
    };
    Some((seconds - offset) * 1000 + milliseconds)
}

/// A stage that has begun.
struct Open {
    stage: Stage,
    started: u64,
}

struct Reader {
    timeline: Timeline,
    /// Milliseconds after the beginning of the first stage.
    clock: u64,
    /// Time of the last record.
    time: Option<i64>,
    open: Option<Open>,
}

impl Reader {
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
        if let Some(Open { stage, started }) = self.open.take() {
            let ms = self.clock.saturating_sub(started);
            let state = State::Unfinished;
            self.timeline.bar(Bar { stage, state, started_ms: started, ms, code: None, facts: Vec::new() });
        }
    }

    fn finish(mut self) -> Timeline {
        self.close();
        self.timeline
    }
}
