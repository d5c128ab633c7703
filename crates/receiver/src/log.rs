//! `countersign log`: boots, timelines, gaps and explained codes out of files that any log server stored.
//!
//! The files are read one line after the other, in the order in which they are named, and counted as `receive` counts;
//! nothing but the bounds of [`crate::count`] is held. A record without a time of receipt is taken at its own time.

use std::collections::BTreeMap;
use std::io::{BufRead, Read, Write};

use anyhow::{Context as _, Result};
use countersign_contract::code::Code;

use crate::count::boot::{Boot, Outcome};
use crate::count::notice::Weight;
use crate::count::{Guest, Guests, Told};
use crate::entry::Entry;
use crate::stored;
use crate::text::tame;
use crate::time;
use crate::web::view;

/// Bytes of the longest line.
const LINE: u64 = 1 << 20;
/// Notices that are kept; more are counted.
const NOTICES: usize = 10_000;

/// What logs hold.
#[derive(Debug)]
pub struct Log {
    guests: Guests,
    notices: Vec<(i64, Told)>,
    left_out: usize,
    codes: BTreeMap<String, usize>,
    records: usize,
}

/// Reads all entries of an input.
fn entries(input: &mut dyn BufRead, mut each: impl FnMut(Entry)) -> Result<()> {
    let mut line = Vec::new();
    let mut input = input;
    loop {
        line.clear();
        if (&mut input).take(LINE).read_until(b'\n', &mut line).context("expected a readable log")? == 0 {
            return Ok(());
        }
        // A console may hold anything beside.
        let text = String::from_utf8_lossy(&line);
        if let Some(entry) = stored::entry(text.trim_end_matches(['\n', '\r'])) {
            each(entry);
        }
    }
}

impl Log {
    /// Reads inputs, which are opened twice: a first reading tells whether records tell their origins.
    ///
    /// # Errors
    /// An input cannot be read.
    pub fn read<'i>(open: &dyn Fn() -> Result<Vec<Box<dyn BufRead + 'i>>>) -> Result<Log> {
        let mut tells = false;
        for input in &mut open()? {
            entries(input, |entry| tells |= entry.origin.is_some())?;
        }
        let (guests, notices, codes) = (Guests::new(tells), Vec::new(), BTreeMap::new());
        let mut log = Log { guests, notices, left_out: 0, codes, records: 0 };
        let mut clock = 0;
        for input in &mut open()? {
            entries(input, |entry| {
                clock = entry.received.or(entry.time).unwrap_or(clock);
                log.record(&entry, clock, tells);
            })?;
        }
        Ok(log)
    }

    fn record(&mut self, entry: &Entry, now: i64, tells: bool) {
        self.records += 1;
        for told in self.guests.record(entry, now).1 {
            if self.notices.len() < NOTICES { self.notices.push((now, told)) } else { self.left_out += 1 }
        }
        if entry.is_guest(tells) && Code::find(&entry.code).is_some() {
            *self.codes.entry(entry.code.clone()).or_default() += 1;
        }
    }

    /// Whether there is no record in it.
    pub fn is_empty(&self) -> bool {
        self.records == 0
    }

    /// The boots that begin a number or a host name; all without one.
    fn boots(&self, guest: Option<&str>) -> Vec<(&Guest, &Boot)> {
        let all = self.guests.boots().into_iter();
        all.filter(|(one, _)| guest.is_none_or(|guest| one.host == guest)).collect()
    }

    /// A line a boot.
    ///
    /// # Errors
    /// `out` cannot be written.
    pub fn print_boots(&self, guest: Option<&str>, out: &mut dyn Write) -> Result<()> {
        writeln!(
            out,
            "{:>4}  {:<24} {:<24} {:>8} {:>8} {:>6}  outcome",
            "boot", "guest", "began", "records", "missing", "checks"
        )?;
        for (guest, boot) in self.boots(guest) {
            let outcome = match (boot.outcome, &boot.cause) {
                (Outcome::Failed, Some(cause)) => format!("failed with {}: {}", cause.code, cause.text),
                (Outcome::Failed, None) => "failed".to_owned(),
                (Outcome::Running, _) => "workload started".to_owned(),
                (Outcome::Starting, _) => match boot.stage() {
                    Some(stage) => format!("workload not started, last stage {stage}"),
                    None => "workload not started".to_owned(),
                },
            };
            writeln!(
                out,
                "{:>4}  {:<24} {:<24} {:>8} {:>8} {:>6}  {outcome}",
                boot.id,
                if guest.host.is_empty() { "-".to_owned() } else { tame(&guest.host) },
                time::text(boot.began),
                boot.records,
                boot.numbers.missing(),
                boot.checks.count
            )?;
        }
        Ok(())
    }

    /// The same for programs.
    ///
    /// # Errors
    /// `out` cannot be written.
    pub fn print_boots_json(&self, guest: Option<&str>, out: &mut dyn Write) -> Result<()> {
        let boots: Vec<_> =
            self.boots(guest).into_iter().map(|(guest, boot)| view::boot(guest, boot)).collect();
        writeln!(out, "{}", serde_json::to_string_pretty(&boots)?)?;
        Ok(())
    }

    /// The timeline of a boot, or of each.
    ///
    /// # Errors
    /// `out` cannot be written.
    pub fn print_timelines(
        &self,
        guest: Option<&str>,
        number: Option<usize>,
        out: &mut dyn Write,
    ) -> Result<bool> {
        let mut any = false;
        for (guest, boot) in self.boots(guest) {
            let timeline = boot.timeline();
            if number.is_some_and(|number| number != boot.id)
                || timeline.stages.is_empty() && boot.cause.is_none()
            {
                continue;
            }
            if std::mem::replace(&mut any, true) {
                writeln!(out)?;
            }
            writeln!(out, "boot {} of {}, {}", boot.id, tame(&guest.host), time::text(boot.began))?;
            if timeline.stages.is_empty() {
                writeln!(out, "no stage in this log: the boot failed before its log was forwarded")?;
            } else {
                write!(out, "{}", timeline.table())?;
            }
            if let (Outcome::Failed, Some(cause)) = (boot.outcome, &boot.cause) {
                writeln!(out, "failed with {}: {}", cause.code, cause.text)?;
            }
        }
        Ok(any)
    }

    /// What is missing, what is twice, what imitates. Returns whether anything was found.
    ///
    /// # Errors
    /// `out` cannot be written.
    pub fn print_gaps(&self, guest: Option<&str>, out: &mut dyn Write) -> Result<bool> {
        let mut found = false;
        let mut remedies: Vec<&'static str> = Vec::new();
        for (at, told) in &self.notices {
            if told.notice.weight() == Weight::Info || guest.is_some_and(|guest| guest != told.host) {
                continue;
            }
            found = true;
            writeln!(out, "{} {} boot {}: {}", time::text(*at), tame(&told.host), told.boot, told.notice)?;
            if !remedies.contains(&told.notice.remedy()) {
                remedies.push(told.notice.remedy());
            }
        }
        if self.left_out > 0 {
            writeln!(out, "and {} more", self.left_out)?;
        }
        for (guest, boot) in self.boots(guest) {
            let numbers = &boot.numbers;
            writeln!(
                out,
                "boot {} of {}: records {}, last number {}, missing {}, came again {}, checks {}, imitations {}",
                boot.id,
                tame(&guest.host),
                numbers.records,
                numbers.last().unwrap_or_default(),
                numbers.missing(),
                numbers.repeats,
                boot.checks.count,
                boot.imitations
            )?;
        }
        for remedy in remedies {
            writeln!(out, "do: {remedy}")?;
        }
        Ok(found || self.left_out > 0)
    }

    /// Each code that the guests said, how often, what it means and what to do.
    ///
    /// # Errors
    /// `out` cannot be written.
    pub fn print_codes(&self, out: &mut dyn Write) -> Result<()> {
        for (code, times) in &self.codes {
            let Some(code) = Code::find(code) else { continue };
            writeln!(out, "{code} {} ({}), {times} times", code.name(), code.severity())?;
            writeln!(out, "  what  {}", code.text())?;
            writeln!(out, "  why   {}", code.cause())?;
            writeln!(out, "  do    {}", code.remedy())?;
        }
        Ok(())
    }
}
