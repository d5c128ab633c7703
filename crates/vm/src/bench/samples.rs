//! What guests say while they are measured: `bench:` lines of the console, stage lines, unit lines of the journal.
//!
//! It reads and adds up; which figure is a ratio of what is decided in [`super::figures`].

use std::collections::BTreeMap;

use serde::Serialize;

use crate::events::Seen;
use crate::events::{Event, Stage, State};
use crate::lab::syslog::Message;

/// What every line of the benchmark's guest material begins with.
const MARKER: &str = "bench: ";

/// Milliseconds by name, of one guest.
pub type Sample = BTreeMap<String, f64>;

/// The same measurement in several guests.
#[derive(Debug, Clone, Default, Serialize)]
pub struct Samples(pub Vec<Sample>);

impl Samples {
    /// The median over the guests of the sum of `names`; none when a guest lacks one of them.
    #[must_use]
    pub fn median(&self, names: &[&str]) -> Option<f64> {
        let sums =
            self.0.iter().map(|sample| names.iter().map(|&name| sample.get(name)).sum::<Option<f64>>());
        let mut sums = sums.collect::<Option<Vec<f64>>>()?;
        sums.sort_by(f64::total_cmp);
        match sums.len() {
            0 => None,
            count if count % 2 == 1 => sums.get(count / 2).copied(),
            count => Some((sums[count / 2 - 1] + sums[count / 2]) / 2.0),
        }
    }
}

/// A sample on one line, for whoever watches a run.
#[must_use]
pub fn text(sample: &Sample) -> String {
    sample.iter().map(|(name, ms)| format!("{name} {ms:.0} ms")).collect::<Vec<_>>().join(", ")
}

/// The most memory that a process had, in KiB.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Peak {
    /// `initramfs`, `argon2id` (the same process while a key is derived) or `host`.
    pub place: String,
    /// Stage or verb.
    pub stage: String,
    /// Resident, at most, in KiB.
    pub kib: u64,
}

/// Value of `key` on a line of the benchmark.
fn value<'a>(line: &'a str, key: &str) -> Option<&'a str> {
    let words = line.strip_prefix(MARKER)?.split_ascii_whitespace();
    words.filter_map(|word| word.split_once('=')).find(|(name, _)| *name == key).map(|(_, value)| value)
}

fn lines(history: &[Seen]) -> impl Iterator<Item = &str> {
    history.iter().filter_map(|seen| match &seen.event {
        Event::Console(line) => Some(line.as_str()),
        _ => None,
    })
}

/// Whether the event says that a measuring guest is through.
#[must_use]
pub fn is_end(event: &Event) -> bool {
    matches!(event, Event::Console(line) if value(line, "end").is_some())
}

/// All `name=… ms=…` of a guest.
#[must_use]
pub fn measured(history: &[Seen]) -> Sample {
    let pair = |line| Some((value(line, "name")?.to_owned(), value(line, "ms")?.parse().ok()?));
    lines(history).filter_map(pair).collect()
}

/// All `memory=… stage=… kib=…` of a guest.
#[must_use]
pub fn peaks(history: &[Seen]) -> Vec<Peak> {
    let peak = |line| {
        let owned = |key| value(line, key).map(str::to_owned);
        Some(Peak { place: owned("memory")?, stage: owned("stage")?, kib: value(line, "kib")?.parse().ok()? })
    };
    lines(history).filter_map(peak).collect()
}

/// Milliseconds of every stage that is done.
#[must_use]
#[allow(clippy::cast_precision_loss)] // a stage takes less than 2^52 ms
pub fn stages(history: &[Seen]) -> Sample {
    let done = |seen: &Seen| match &seen.event {
        Event::Stage { stage, state: State::Done, ms: Some(ms), .. } => Some((stage.to_string(), *ms as f64)),
        _ => None,
    };
    history.iter().filter_map(done).collect()
}

/// From the line that the first volume is being opened to the line that is the last of `count` which end it:
/// milliseconds by the clock of whoever read the console.
#[must_use]
pub fn opening(history: &[Seen], ends: impl Fn(&Event) -> bool, count: usize) -> Option<f64> {
    let begins =
        |seen: &Seen| matches!(&seen.event, Event::Console(line) if line.starts_with("opening volume "));
    let (at, begin) = history.iter().enumerate().find(|(_, seen)| begins(seen))?;
    let end = history[at..].iter().filter(|seen| ends(&seen.event)).nth(count.checked_sub(1)?)?;
    Some(end.at.duration_since(begin.at).as_secs_f64() * 1000.0)
}

/// When the first event of `stage` in `state` was read, in seconds since the start of the machine.
#[must_use]
pub fn at(history: &[Seen], started: std::time::Instant, stage: Stage, state: State) -> Option<f64> {
    let seen = history.iter().find(|seen| seen.event.is_stage(stage, state))?;
    Some(seen.at.duration_since(started).as_secs_f64())
}

/// How long a unit of the guest OS took to start.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Unit {
    /// Its name.
    pub unit: String,
    /// When it began, in seconds after the first line of the guest's systemd.
    pub at_s: f64,
    /// Until it was started or finished, in seconds.
    pub took_s: f64,
}

/// The units of a boot from the lines of systemd, as the log server received them.
#[must_use]
pub fn units(messages: &[Message]) -> Vec<Unit> {
    let systemd = messages.iter().filter(|message| message.app == "systemd");
    let mut starting: BTreeMap<&str, f64> = BTreeMap::new();
    let mut zero = None;
    let mut units = Vec::new();
    for message in systemd {
        let (Some(time), Some((what, rest))) = (seconds(&message.time), message.msg.split_once(' ')) else {
            continue;
        };
        let zero = *zero.get_or_insert(time);
        let name = rest.split(' ').next().unwrap_or(rest).trim_end_matches("...").trim_end_matches('.');
        match what {
            "Starting" => {
                starting.insert(name, time);
            }
            "Started" | "Finished" => {
                if let Some(began) = starting.remove(name) {
                    let (at_s, took_s) = (between(zero, began), between(began, time));
                    units.push(Unit { unit: name.to_owned(), at_s, took_s });
                }
            }
            _ => {}
        }
    }
    units
}

/// The line in which systemd sums a boot up, after its words `Startup finished in`.
#[must_use]
pub fn startup(messages: &[Message]) -> Option<&str> {
    messages.iter().rev().find_map(|message| message.msg.strip_prefix("Startup finished in "))
}

/// Time of day of an RFC 3339 time stamp, in seconds.
fn seconds(stamp: &str) -> Option<f64> {
    let time = stamp.split_once('T')?.1;
    let time = time.split(['+', '-', 'Z']).next()?;
    time.split(':').try_fold(0.0, |sum, part| Some(sum * 60.0 + part.parse::<f64>().ok()?))
}

/// A boot may pass midnight.
fn between(from: f64, to: f64) -> f64 {
    (to - from).rem_euclid(24.0 * 60.0 * 60.0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Instant;

    fn history(lines: &[&str]) -> Vec<Seen> {
        lines.iter().map(|line| Seen { at: Instant::now(), event: Event::parse(line) }).collect()
    }

    fn message(time: &str, msg: &str) -> Message {
        serde_json::from_value(serde_json::json!({
            "facility": "daemon", "severity": "info", "time": time, "host": "h", "app": "systemd", "procid": "-", "data": "-",
            "msg": msg
        }))
        .unwrap()
    }

    #[test]
    fn lines_of_the_benchmark_are_told_from_others() {
        let history = history(&[
            "bench: name=rsa ms=120",
            "x bench: name=other ms=1",
            "bench: name=bad ms=none",
            "bench: memory=guest-os stage=start kib=7000",
            "countersign: stage=locate state=done bytes=3 ms=80",
            "countersign: stage=parse state=failed ms=2",
        ]);
        assert_eq!(measured(&history), Sample::from([("rsa".into(), 120.0)]));
        let peak = Peak { place: "guest-os".into(), stage: "start".into(), kib: 7000 };
        assert_eq!(peaks(&history), [peak]);
        assert_eq!(stages(&history), Sample::from([("locate".into(), 80.0)]));
        assert!(!history.iter().any(|seen| is_end(&seen.event)));
        assert!(is_end(&Event::parse("bench: end=recipe")));
    }

    #[test]
    fn volumes_take_from_the_first_line_to_the_last_mount_or_the_refusal() {
        let lines = [
            "HPL02002I: volume before: mounted",
            "opening volume data on vdb2",
            "opening volume more on vdc2",
            "HPL02002I: volume data: mounted",
            "HPL02002I: volume more: mounted",
            "countersign: stage=unlock state=failed code=HPL07107E ms=9",
        ];
        let mut history = history(&lines);
        let start = Instant::now();
        for (place, seen) in history.iter_mut().enumerate() {
            seen.at = start + std::time::Duration::from_millis(place as u64 * 40);
        }
        let mounted = |event: &Event| event.is_message("HPL02002I");
        let refused = |event: &Event| event.is_stage(Stage::Unlock, State::Failed);
        for (took, ms) in [
            (opening(&history, mounted, 1), Some(80.0)),
            (opening(&history, mounted, 2), Some(120.0)),
            (opening(&history, mounted, 3), None),
            (opening(&history, refused, 1), Some(160.0)),
            (opening(&history[3..], mounted, 1), None),
            (opening(&history, mounted, 0), None),
        ] {
            assert_eq!(took.map(f64::round), ms);
        }
    }

    #[test]
    fn the_median_is_of_the_sums_and_needs_every_name() {
        let sample = |a: f64, b: f64| Sample::from([("a".into(), a), ("b".into(), b)]);
        let mut samples = Samples(vec![sample(1.0, 10.0), sample(5.0, 1.0), sample(2.0, 30.0)]);
        assert_eq!(samples.median(&["a", "b"]), Some(11.0));
        assert_eq!(samples.median(&["a"]), Some(2.0));
        samples.0.pop();
        assert_eq!(samples.median(&["a"]), Some(3.0));
        assert_eq!(samples.median(&["a", "c"]), None);
        assert_eq!(Samples::default().median(&[]), None);
    }

    #[test]
    fn units_take_from_starting_to_started_or_finished_also_over_midnight() {
        let messages = [
            message("2026-01-01T23:59:58.500000+00:00", "Starting a.service - One..."),
            message("2026-01-01T23:59:59.000000+00:00", "Starting b.service - Two..."),
            message("2026-01-02T00:00:00.250000+00:00", "Started b.service - Two."),
            message("2026-01-02T00:00:01.000000+00:00", "Finished a.service - One."),
            message("2026-01-02T00:00:01.000000+00:00", "Reached target c.target - Three."),
            message(
                "2026-01-02T00:00:01.000000+00:00",
                "Startup finished in 1s (kernel) + 2s (userspace) = 3s.",
            ),
        ];
        let unit = |unit: &str, at_s, took_s| Unit { unit: unit.into(), at_s, took_s };
        assert_eq!(units(&messages), [unit("b.service", 0.5, 1.25), unit("a.service", 0.0, 2.5)]);
        assert_eq!(startup(&messages), Some("1s (kernel) + 2s (userspace) = 3s."));
    }
}
