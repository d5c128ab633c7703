//! The verb `forward`: the journal to the log server, from its first entry until power-off, each entry at least once.
//!
//! The journal is the spool; all that is kept is the position up to which the server has confirmed. Records go out in
//! conversations; what is not confirmed by the end of one is sent again in the next
//! ([`countersign_plan::forwarding::ledger`]). A container's long line, which the journal has in parts, goes out as one
//! record ([`countersign_plan::forwarding::lines`]). Nothing here holds anybody up: a server that is away or slow means that
//! the journal is read later, and journald drops its oldest entries rather than wait, which is told
//! (`HPL01123W`).
//!
//! Asked to end, it reads the journal to its end first, as long as that takes no more than [`LAST`].

use std::io::ErrorKind;
use std::time::Duration;

use countersign_contract::code::Code;
use countersign_plan::forwarding::entry::{Entry, FIELDS, Parser};
use countersign_plan::forwarding::ledger::{Forwarded, Ledger};
use countersign_plan::forwarding::lines::Lines;
use countersign_plan::forwarding::trouble::Trouble;
use countersign_plan::guest_os::handover::{FORWARDED, GuestPlan};
use countersign_ports::guest_os::{Arrival, ConnectionError, Ending, Forwarder, GuestOs, Reading};

use crate::failure::Failure;
use crate::line::Line;
use crate::stage::Stage;

mod sink;

use sink::Sink;

/// How long the server may take for the beginning or the end of a conversation, or for a batch.
const ANSWER: Duration = Duration::from_secs(60);
/// How long a server that is not known to answer a goodbye may take for it, before it is seen whether it waits for the
/// end of the connection.
const PATIENCE: Duration = Duration::from_secs(10);
/// The longest pause between two attempts; the first is made at once, then it is a second, then twice as long each time.
const PAUSE: Duration = Duration::from_secs(30);
/// How long the last records may take; above it the service manager loses patience (`TimeoutStopSec=`).
const LAST: Duration = Duration::from_secs(15);
/// Bytes of the journal that are read at once.
const CHUNK: usize = 64 << 10;
/// Once the journal has given nothing for so long, lines that have not ended go out as they are. More than the pause
/// after which the next entry would end them, since what journald has taken may come a moment later.
const QUIET: Duration = Duration::from_secs(15);
/// The longest pause that a server may ask for.
const WANTED: Duration = Duration::from_secs(300);

/// Why the records do not get through, or what else there is to do.
enum Interruption {
    /// The server does not take them now.
    Server(Trouble),
    /// Nothing helps but a new start.
    Failed(Failure),
}

impl From<Trouble> for Interruption {
    fn from(trouble: Trouble) -> Interruption {
        Interruption::Server(trouble)
    }
}

impl From<Failure> for Interruption {
    fn from(failure: Failure) -> Interruption {
        Interruption::Failed(failure)
    }
}

fn failed(code: Code, error: impl std::fmt::Display) -> Failure {
    Failure::machine(Stage::Logging, code, error)
}

/// Runs until somebody ends it.
pub(super) fn run<S: GuestOs, F: Forwarder>(
    system: &S,
    plan: &GuestPlan,
    forwarder: &mut F,
) -> Result<(), Failure> {
    let kept = match system.note(FORWARDED) {
        Ok(kept) => serde_json::from_slice(&kept).unwrap_or_default(),
        Err(error) if error.kind() == ErrorKind::NotFound => first(system)?,
        // It says nothing of when the first one began: then no line of the kernel's log counts as the guest's.
        Err(_) => Forwarded::default(),
    };
    let sink = Sink::of(system, plan, kept.began).map_err(|trouble| failed(trouble.code(), trouble))?;
    let mut forwarding = Forwarding {
        system,
        forwarder,
        ledger: Ledger::new(kept.confirmed.clone(), sink.longest()),
        lines: Lines::new(kept.unfinished.clone()),
        sink,
        kept,
        parser: Parser::default(),
        quiet: None,
        connected: false,
        pause: Duration::ZERO,
        last: None,
    };
    forwarding.open(Behind::Confirmed)?;
    forwarding.forwarder.ready();
    forwarding.until_ended()
}

/// What the first forwarder of a boot begins with. It says so before anything of the workload is started.
fn first<S: GuestOs>(system: &S) -> Result<Forwarded, Failure> {
    let began = u64::try_from(system.uptime().as_micros()).unwrap_or(u64::MAX);
    let kept = Forwarded { began, ..Forwarded::default() };
    let text = serde_json::to_vec(&kept).map_err(|error| failed(Code::HandoverFailed, error))?;
    system.keep_note(FORWARDED, &text).map_err(|error| failed(Code::HandoverFailed, error))?;
    Ok(kept)
}

/// Where reading goes on.
enum Behind {
    Confirmed,
    Read,
}

struct Forwarding<'f, S, F> {
    system: &'f S,
    forwarder: &'f mut F,
    sink: Sink<'f, S>,
    ledger: Ledger,
    lines: Lines,
    /// What the file says.
    kept: Forwarded,
    parser: Parser,
    /// Uptime since which the journal has given nothing.
    quiet: Option<Duration>,
    connected: bool,
    /// Before the next attempt; grows with each until something is confirmed.
    pause: Duration,
    /// Uptime at which the last records have to be through; none as long as nobody wants an end.
    last: Option<Duration>,
}

impl<S: GuestOs, F: Forwarder> Forwarding<'_, S, F> {
    fn until_ended(&mut self) -> Result<(), Failure> {
        let mut buffer = vec![0; CHUNK];
        loop {
            match self.forward(&mut buffer) {
                Ok(()) => return Ok(()),
                Err(Interruption::Failed(failure)) => return Err(failure),
                Err(Interruption::Server(error)) => {
                    if !self.reconnect(error)? {
                        return Ok(());
                    }
                }
            }
        }
    }

    /// Sends what the journal holds and what it gains; `Ok` when it has come to the end that was asked for.
    fn forward(&mut self, buffer: &mut [u8]) -> Result<(), Interruption> {
        loop {
            let left = self.ledger.left(self.system.uptime());
            if left.is_some_and(|left| left.is_zero()) {
                self.finish()?;
                continue;
            }
            let time = left.unwrap_or(Duration::MAX).min(self.patience());
            match self.forwarder.wait(buffer, time) {
                Arrival::Journal(count) => {
                    self.quiet = None;
                    self.pass_on(&buffer[..count])?;
                }
                Arrival::Due if self.patience().is_zero() => self.give_up_lines()?,
                Arrival::Due => {}
                Arrival::HungUp(error) => return Err(Trouble::from(error).into()),
                Arrival::EndOfJournal(None) if self.last.is_some() => {
                    self.give_up_lines()?;
                    if self.ledger.waiting_since().is_some() {
                        self.finish()?;
                    }
                    return Ok(());
                }
                Arrival::EndOfJournal(reason) => {
                    let reason = reason.unwrap_or_else(|| "expected the journal to go on".to_owned());
                    return Err(failed(Code::LogJournal, reason).into());
                }
                Arrival::Ended => {
                    self.end();
                    self.open(Behind::Read)?;
                }
            }
        }
    }

    /// How long lines that have not ended may still be held, if the journal goes on giving nothing.
    fn patience(&mut self) -> Duration {
        if self.lines.held().is_empty() {
            return Duration::MAX;
        }
        let now = self.system.uptime();
        (*self.quiet.get_or_insert(now) + QUIET).saturating_sub(now)
    }

    /// Lines that have not ended go out as they are.
    fn give_up_lines(&mut self) -> Result<(), Interruption> {
        while let Some(line) = self.lines.give_up() {
            self.take(&line)?;
        }
        self.send()
    }

    fn end(&mut self) {
        self.last.get_or_insert(self.system.uptime() + LAST);
    }

    /// How long the server may take now.
    fn answer(&self) -> Duration {
        self.last.map_or(ANSWER, |last| ANSWER.min(last.saturating_sub(self.system.uptime())))
    }

    fn open(&mut self, behind: Behind) -> Result<(), Failure> {
        let reading = if self.last.is_some() { Reading::ToTheEnd } else { Reading::Following };
        let position = match behind {
            Behind::Confirmed => self.ledger.confirmed(),
            Behind::Read => self.ledger.read_to(),
        };
        (self.parser, self.quiet) = (Parser::default(), None);
        let opened = self.forwarder.open_journal(position.cursor.as_deref(), reading, FIELDS);
        opened.map_err(|error| failed(Code::LogJournal, error))
    }

    /// Bytes of the journal: entries that end in them go out.
    fn pass_on(&mut self, mut bytes: &[u8]) -> Result<(), Interruption> {
        while let Some(entry) =
            self.parser.next(&mut bytes).map_err(|error| failed(Code::LogJournal, error))?
        {
            let gap = self.ledger.gap(&entry) > 0;
            while let Some(line) = self.lines.ended_before(&entry, gap) {
                self.take(&line)?;
            }
            let missing = self.ledger.note_read(&entry);
            if missing > 0 {
                let code = Code::LogOverwritten;
                self.system.tell(&Line::of(code).and(missing).event());
            }
            if let Some(whole) = self.lines.join(entry) {
                self.take(&whole)?;
            }
        }
        self.send()
    }

    /// A record goes out, and the conversation ends if it is full. Lines that are still held are not changed by it.
    fn take(&mut self, entry: &Entry) -> Result<(), Interruption> {
        let number = self.ledger.next_record();
        let length = self.sink.take(entry, number);
        self.ledger.note_sent(entry.monotonic, length, self.system.uptime());
        let full = self.ledger.left(self.system.uptime()).is_some_and(|left| left.is_zero());
        if full || self.sink.is_full() {
            self.send()?;
        }
        if full {
            self.finish()?;
        }
        Ok(())
    }

    fn send(&mut self) -> Result<(), Interruption> {
        if self.sink.is_empty() {
            return Ok(());
        }
        if !self.connected {
            self.connect()?;
        }
        let answer = self.answer();
        Ok(self.sink.hand_over(self.forwarder, answer)?)
    }

    fn connect(&mut self) -> Result<(), Interruption> {
        // The daemon sees from now on that something waits, and since when.
        let kept = Forwarded { waiting_since: self.ledger.waiting_since(), ..self.kept.clone() };
        self.keep(kept)?;
        self.sink.begin(self.forwarder, self.answer())?;
        self.connected = true;
        Ok(())
    }

    /// Ends the conversation: the server has everything that was sent.
    fn finish(&mut self) -> Result<(), Interruption> {
        let patience = if self.ledger.answers() { None } else { Some(PATIENCE) };
        let answer = self.answer();
        let ending = self.sink.finish(self.system, self.forwarder, answer, patience)?;
        if !self.ledger.confirm(ending == Ending::Answered) {
            return Err(Trouble::Server(ConnectionError::Silent).into());
        }
        self.connected = false;
        self.pause = Duration::ZERO;
        let confirmed = self.ledger.confirmed().clone();
        self.forwarder.status(&format!("the log server has everything up to record {}", confirmed.record));
        let unfinished = self.lines.held().to_vec();
        let began = self.kept.began;
        self.keep(Forwarded { confirmed, unfinished, waiting_since: None, reason: None, began })?;
        Ok(())
    }

    fn keep(&mut self, kept: Forwarded) -> Result<(), Failure> {
        if kept != self.kept {
            let text = serde_json::to_vec(&kept).map_err(|error| failed(Code::HandoverFailed, error))?;
            let written = self.system.keep_note(FORWARDED, &text);
            written.map_err(|error| failed(Code::HandoverFailed, error))?;
            self.kept = kept;
        }
        Ok(())
    }

    /// After a conversation that broke or never began: the next one, and the journal from the confirmed position on.
    /// Whether there is one: asked to end, it does not try for ever.
    fn reconnect(&mut self, mut trouble: Trouble) -> Result<bool, Failure> {
        self.sink.abandon(self.forwarder);
        self.forwarder.close_journal();
        let waiting_since = self.ledger.waiting_since().or(self.kept.waiting_since);
        self.ledger.lose(std::mem::take(&mut self.connected));
        self.lines = Lines::new(self.kept.unfinished.clone());
        loop {
            let reason = Some(trouble.to_string());
            self.keep(Forwarded { reason, waiting_since, ..self.kept.clone() })?;
            self.forwarder.status(&format!("records wait: {trouble}"));
            if !self.pause(self.pause.max(trouble.wanted_pause().min(WANTED))) {
                return Ok(false);
            }
            self.pause = (self.pause * 2).clamp(Duration::from_secs(1), PAUSE);
            match self.sink.begin(self.forwarder, self.answer()) {
                Ok(()) => break,
                Err(refused) => trouble = refused,
            }
        }
        self.connected = true;
        self.open(Behind::Confirmed)?;
        Ok(true)
    }

    /// Waits; whether there is time left for another attempt.
    fn pause(&mut self, time: Duration) -> bool {
        let until = self.system.uptime() + time;
        loop {
            let now = self.system.uptime();
            let last = self.last.unwrap_or(Duration::MAX);
            if now >= last || now >= until {
                return now < last;
            }
            if self.forwarder.wait(&mut [], until.min(last) - now) == Arrival::Ended {
                self.end();
                // The first attempt of the last ones is made at once.
                return true;
            }
        }
    }
}
