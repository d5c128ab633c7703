//! A boot out of a log: the lines of a console, or records as a log server stored them.
//!
//! Forms: the plain line; RFC 5424 (`<14>1 TIME HOST countersignd …`); rsyslog's file format
//! (`TIME HOST countersignd: …`); a JSON object a line with `app`, `msg`, `time` and, where it was kept, `data`, the
//! structured data. A record that says its origin ([`countersign_plan::forwarding::origin`]) is the guest's if that says so;
//! one of another origin that looks like the guest's is counted as an imitation. In a log with any such record, one without
//! is nobody's. What the initramfs said reaches a
//! journal all at once, so the times of a record are no measure of it. A stage begins where the line before it ended,
//! or later by the difference of their records' times; it lasts as long as its own line says.

use std::borrow::Cow;

use countersign_plan::report::stage::Stage;
use serde::Deserialize;

use super::{Bar, Origin, State, Timeline, code, tame};

/// What a stage line begins with, after whatever a terminal put before it.
const MARKER: &str = "countersign: stage=";

/// The name of the guest's own records.
const NAME: &str = "countersignd";

/// What begins the origin in a record's structured data.
const ORIGIN: &str = " origin=\"";

/// Bytes of the longest line that is looked at; a record of countersignd has less than 16 KiB.
const LINE: usize = 64 << 10;

/// A record of rsyslog's JSON template.
#[derive(Deserialize)]
struct Record {
    #[serde(default)]
    time: String,
    app: String,
    msg: String,
    #[serde(default)]
    data: String,
}

/// A record, as far as it matters here.
struct Found<'l> {
    time: Option<i64>,
    /// Its structured data; none in a form that has none.
    data: Option<Cow<'l, str>>,
    /// Whether its name is ours.
    named: bool,
    message: Cow<'l, str>,
}

impl Found<'_> {
    /// The origin that its structured data names.
    fn origin(&self) -> Option<&str> {
        let (_, element) = self.data.as_ref()?.split_once("[countersign@")?;
        element.split_once(ORIGIN)?.1.split('"').next()
    }
}

/// The last boot in the text.
pub(super) fn read(text: &str) -> Timeline {
    let mut reader = Reader { timeline: Timeline::new(Origin::FirstStage), clock: 0, time: None, open: None };
    let records = || text.lines().filter(|line| line.len() <= LINE).filter_map(found);
    let tells = records().any(|record| record.origin().is_some());
    records().for_each(|record| reader.record(&record, tells));
    reader.finish()
}

/// What a line of text is.
fn found(line: &str) -> Option<Found<'_>> {
    if line.starts_with('{') {
        let Record { time: stamp, app, msg, data } = serde_json::from_str(line).ok()?;
        let (time, data, message) = (time(&stamp), Some(data.into()), msg.into());
        return Some(Found { time, data, named: app == NAME, message });
    }
    let (header, rfc5424) = match line.strip_prefix('<').and_then(|rest| rest.split_once(">1 ")) {
        Some((priority, rest)) if priority.bytes().all(|b| b.is_ascii_digit()) => (rest, true),
        _ => (line, false),
    };
    let mut words = header.splitn(4, ' ');
    let stamp = words.next().and_then(time);
    if stamp.is_none() && !rfc5424 {
        // A console's.
        return Some(Found { time: None, data: None, named: true, message: line.into() });
    }
    let (_host, app, rest) = (words.next()?, words.next()?, words.next()?);
    let named = app.trim_end_matches(':').split('[').next() == Some(NAME);
    let (data, rest) = if rfc5424 {
        // Behind process and message id: none, or elements one behind the other.
        let rest = rest.splitn(3, ' ').nth(2)?;
        match elements(rest) {
            0 => (None, rest.split_once(' ')?.1),
            length => (Some(rest[..length].into()), &rest[length..]),
        }
    } else {
        (None, rest)
    };
    let message = rest.trim_start().trim_start_matches('\u{feff}').trim_start();
    Some(Found { time: stamp, data, named, message: message.into() })
}

/// Bytes of the elements of structured data at the start of a text (RFC 5424 section 6.3).
fn elements(text: &str) -> usize {
    let (mut quoted, mut escaped, mut open, mut end) = (false, false, false, 0);
    for (at, byte) in text.bytes().enumerate() {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if quoted => escaped = true,
            b'"' if open => quoted = !quoted,
            b'[' if !open => open = true,
            b']' if open && !quoted => (open, end) = (false, at + 1),
            _ if !open => break,
            _ => {}
        }
    }
    end
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
    /// A record, in a log that tells origins or does not.
    fn record(&mut self, found: &Found<'_>, tells: bool) {
        let message = &found.message;
        match found.origin() {
            Some("guest") => self.line(found.time, message),
            Some(_) if found.named || message.contains(MARKER) || code(message).is_some() => {
                self.timeline.imitations += 1;
            }
            None if found.named && !tells => self.line(found.time, message),
            _ => {}
        }
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
