//! The verb `forward`: the journal to a log server that takes records, breaks conversations, or is not there, by ends
//! that the test plays. Time passes only while the forwarder waits.

use std::collections::{BTreeMap, VecDeque};
use std::io;
use std::time::Duration;

use countersign_boot::failure::Failure;
use countersign_boot::guest_os;
use countersign_boot::stage::Stage;
use countersign_contract::code::Code;
use countersign_plan::forwarding::ledger::{Forwarded, Position};
use countersign_ports::Clock;
use countersign_ports::error::{Result, SystemError};
use countersign_ports::guest_os::{
    Arrival, ConnectionError, Ending, Forwarder, GuestFiles, LogTarget, Reading,
};
use countersign_rehearsal::Rehearsal;

use crate::support::guest_os::booted;

const STATE: &str = "/run/countersign/forward.json";

/// When the forwarder of these tests begins: the double's machine is up for a second.
pub(crate) const BEGAN: u64 = 1_000_000;

/// A journal of numbered entries, a server, and a script of what happens while the forwarder waits.
pub(crate) struct Ends<'m> {
    machine: &'m Rehearsal,
    /// The numbers of the entries that the journal holds.
    journal: Vec<u64>,
    /// Bytes of each message.
    pub length: usize,
    /// Entries that are parts of a container's line: milliseconds since the kernel started, more fields, message.
    pub parts: BTreeMap<u64, (u64, &'static str, &'static str)>,
    /// Number of the last entry that was read; none while the journal is closed.
    read: Option<u64>,
    reading: Reading,
    script: VecDeque<Step>,
    /// What the next connections and ends of conversations come to; all is well where nothing is said.
    connections: VecDeque<std::result::Result<(), ConnectionError>>,
    pub ends: VecDeque<std::result::Result<Ending, ConnectionError>>,
    /// Seconds for which our half of the connection was to stay open.
    patience: Vec<Option<u64>>,
    /// The frames of the conversation.
    heard: Vec<u8>,
    /// The numbers of all records that came in a conversation that ended, and of all others.
    pub confirmed: Vec<u64>,
    pub in_vain: Vec<u64>,
    /// The messages of all records, as often as they came, with their numbers.
    pub messages: Vec<(u64, String)>,
    conversing: bool,
    pub asked: Vec<String>,
    pub waits: Vec<Duration>,
    ready: usize,
    opening: Option<io::ErrorKind>,
}

pub(crate) enum Step {
    /// The time is over.
    Pass,
    /// The journal gains entries.
    Gains(Vec<u64>),
    /// Something else comes.
    Comes(Arrival),
}

impl<'m> Ends<'m> {
    pub(crate) fn new(machine: &'m Rehearsal, journal: impl IntoIterator<Item = u64>) -> Ends<'m> {
        Ends {
            machine,
            journal: journal.into_iter().collect(),
            length: 10,
            parts: BTreeMap::new(),
            read: None,
            reading: Reading::Following,
            script: VecDeque::new(),
            connections: VecDeque::new(),
            ends: VecDeque::new(),
            patience: Vec::new(),
            heard: Vec::new(),
            confirmed: Vec::new(),
            in_vain: Vec::new(),
            messages: Vec::new(),
            conversing: false,
            asked: Vec::new(),
            waits: Vec::new(),
            ready: 0,
            opening: None,
        }
    }

    /// What happens at each wait once the journal is read; the end comes behind it.
    pub(crate) fn script(mut self, steps: impl IntoIterator<Item = Step>) -> Ends<'m> {
        self.script = steps.into_iter().collect();
        self
    }

    /// The journal ends behind this entry, as long as it gains no more.
    pub(crate) fn until(mut self, last: u64) -> Self {
        self.journal.retain(|number| *number <= last);
        self
    }

    pub(crate) fn run(&mut self) -> std::result::Result<(), Failure> {
        guest_os::forward(self.machine, self)
    }

    pub(crate) fn state(&self) -> Forwarded {
        serde_json::from_slice(&self.machine.read_file(STATE.as_ref()).unwrap()).unwrap()
    }

    /// The numbers of the records in the conversation.
    fn numbers(&mut self) -> Vec<u64> {
        let heard = std::mem::take(&mut self.heard);
        let mut rest = heard.as_slice();
        let mut numbers = Vec::new();
        while !rest.is_empty() {
            let space = rest.iter().position(|byte| *byte == b' ').unwrap();
            let length: usize = std::str::from_utf8(&rest[..space]).unwrap().parse().unwrap();
            let record = std::str::from_utf8(&rest[space + 1..][..length]).unwrap();
            let number = record.split_once("sequenceId=\"").unwrap().1.split_once('"').unwrap().0;
            let number: u64 = number.parse().unwrap();
            let message = record.split_once("\"] ").unwrap().1;
            if self.parts.is_empty() {
                let expected = format!("{number:0width$}", width = self.length);
                let whole = record.contains(" guest test - - [meta ") && message == expected;
                assert!(whole, "{}", &record[..100.min(record.len())]);
            }
            self.messages.push((number, message.to_owned()));
            numbers.push(number);
            rest = &rest[space + 1 + length..];
        }
        numbers
    }
}

fn number_of(cursor: &str) -> u64 {
    cursor.strip_prefix("c").unwrap().parse().unwrap()
}

impl Forwarder for Ends<'_> {
    fn open_journal(&mut self, after: Option<&str>, reading: Reading, fields: &str) -> Result<()> {
        assert!(fields.split(',').any(|field| field == "MESSAGE"));
        self.asked.push(format!("open after {} {reading:?}", after.unwrap_or("nothing")));
        if let Some(kind) = self.opening {
            return Err(SystemError::io("run program", "/usr/bin/journalctl", kind));
        }
        self.read = Some(after.map_or(0, number_of));
        self.reading = reading;
        Ok(())
    }

    fn close_journal(&mut self) {
        self.read = None;
    }

    fn connect(&mut self, target: &LogTarget, timeout: Duration) -> std::result::Result<(), ConnectionError> {
        assert!(!self.conversing, "one conversation at a time");
        assert_eq!((target.hostname.as_str(), target.port), ("logs.example.org", 6514));
        self.asked.push(format!("connect within {} s", timeout.as_secs()));
        self.connections.pop_front().unwrap_or(Ok(()))?;
        self.conversing = true;
        Ok(())
    }

    fn send(&mut self, bytes: &[u8], _: Duration) -> std::result::Result<(), ConnectionError> {
        assert!(self.conversing);
        self.heard.extend_from_slice(bytes);
        Ok(())
    }

    fn finish(
        &mut self,
        _: Duration,
        patience: Option<Duration>,
    ) -> std::result::Result<Ending, ConnectionError> {
        assert!(std::mem::take(&mut self.conversing));
        self.patience.push(patience.map(|patience| patience.as_secs()));
        let numbers = self.numbers();
        self.asked.push(format!("finish {} records", numbers.len()));
        let end = self.ends.pop_front().unwrap_or(Ok(Ending::Answered));
        if end == Ok(Ending::Answered) { &mut self.confirmed } else { &mut self.in_vain }.extend(numbers);
        end
    }

    fn disconnect(&mut self) {
        self.conversing = false;
        let numbers = self.numbers();
        self.in_vain.extend(numbers);
    }

    fn wait(&mut self, buffer: &mut [u8], time: Duration) -> Arrival {
        if let Some(read) = self.read {
            let entries = self.journal.iter().filter(|number| **number > read);
            let mut bytes = Vec::new();
            for number in entries {
                let usual = format!("{number:0width$}", width = self.length);
                let (made, fields, message) = self.parts.get(number).copied().unwrap_or((5000, "", &usual));
                let entry = format!(
                    "__CURSOR=c{number}\n__REALTIME_TIMESTAMP=1000000\n__MONOTONIC_TIMESTAMP={made}000\n\
                     __SEQNUM={number}\nSYSLOG_IDENTIFIER=test\n{fields}MESSAGE={message}\n\n"
                );
                if bytes.len() + entry.len() > buffer.len() {
                    break;
                }
                bytes.extend_from_slice(entry.as_bytes());
                self.read = Some(*number);
            }
            if !bytes.is_empty() {
                buffer[..bytes.len()].copy_from_slice(&bytes);
                return Arrival::Journal(bytes.len());
            }
            if self.reading == Reading::ToTheEnd {
                return Arrival::EndOfJournal(None);
            }
        }
        self.waits.push(time);
        let all = |ends: &Self| {
            ends.machine.passes(time.as_secs() as i64, time);
            Arrival::Due
        };
        match self.script.pop_front() {
            Some(Step::Pass) => all(self),
            Some(Step::Gains(numbers)) => {
                self.journal.extend(numbers);
                self.wait(buffer, time)
            }
            Some(Step::Comes(arrival)) => arrival,
            // Whoever has heard of the end waits for the last attempts.
            None if self.asked.iter().any(|asked| asked == "end") => all(self),
            None => {
                self.asked.push("end".to_owned());
                Arrival::Ended
            }
        }
    }

    fn ready(&mut self) {
        self.ready += 1;
    }

    fn status(&mut self, _: &str) {}
}

const AWAY: std::result::Result<(), ConnectionError> = Err(ConnectionError::Unreachable);

#[test]
fn the_whole_journal_goes_out_and_counts_when_the_conversation_has_ended() {
    let machine = booted(|_| ());
    let mut ends = Ends::new(&machine, 500..=509).script([Step::Pass, Step::Gains(vec![510])]);
    assert_eq!(ends.run(), Ok(()));
    assert_eq!(ends.confirmed, (500..=510).collect::<Vec<_>>());
    assert_eq!(
        ends.asked,
        [
            "open after nothing Following",
            "connect within 60 s",
            "finish 10 records",
            "connect within 60 s",
            "end",
            "open after c510 ToTheEnd",
            "finish 1 records",
        ]
    );
    // Nothing to wait for but the minute of a conversation that has begun.
    assert_eq!(ends.waits[0], Duration::from_secs(60));
    assert_eq!(ends.waits[1], Duration::MAX);
    assert_eq!(ends.ready, 1);
    let confirmed = Position { cursor: Some("c510".into()), number: 510, record: 510 };
    assert_eq!(ends.state(), Forwarded { confirmed, began: BEGAN, ..Forwarded::default() });
}

#[test]
fn a_conversation_that_breaks_is_had_again_with_the_same_numbers() {
    for broken in ["while waiting", "at its end"] {
        let machine = booted(|_| ());
        let mut ends = Ends::new(&machine, 1..=3);
        ends = match broken {
            "while waiting" => {
                ends.script([Step::Comes(Arrival::HungUp(ConnectionError::HungUp)), Step::Pass])
            }
            _ => ends.script([Step::Pass, Step::Pass]),
        };
        if broken == "at its end" {
            ends.ends = [Err(ConnectionError::HungUp)].into();
        }
        assert_eq!(ends.run(), Ok(()), "{broken}");
        assert_eq!((ends.in_vain.as_slice(), ends.confirmed.as_slice()), (&[1, 2, 3][..], &[1, 2, 3][..]));
        assert_eq!(ends.state().confirmed.number, 3);
        assert!(!machine.lines().iter().any(|(_, line)| line.contains("HPL01123W")));
    }
}

#[test]
fn an_end_that_the_server_did_not_give_is_not_believed_of_one_that_gives_it() {
    let machine = booted(|_| ());
    let mut ends =
        Ends::new(&machine, 1..=2).script([Step::Pass, Step::Pass, Step::Gains(vec![3]), Step::Pass]);
    ends.ends = [Ok(Ending::Closed), Ok(Ending::Answered), Ok(Ending::Closed)].into();
    assert_eq!(ends.run(), Ok(()));
    assert_eq!((ends.in_vain.as_slice(), ends.confirmed.as_slice()), (&[1, 2, 3][..], &[1, 2, 3][..]));
    assert_eq!(ends.patience, [Some(10), Some(10), None, None]);
}

#[test]
fn a_server_that_is_away_is_asked_ever_more_rarely_and_the_daemon_can_see_why() {
    let machine = booted(|_| ());
    let mut ends = Ends::new(&machine, 1..=2).script((0..9).map(|_| Step::Pass));
    ends.connections = std::iter::repeat_n(AWAY, 9).collect();
    let before = machine.uptime();
    assert_eq!(ends.run(), Ok(()));
    let pauses: Vec<u64> = ends.waits.iter().map(Duration::as_secs).collect();
    assert_eq!(pauses[..9], [1, 2, 4, 8, 16, 30, 30, 30, 60], "behind two attempts without a pause");
    assert_eq!(ends.confirmed, [1, 2]);
    assert!(machine.uptime() - before >= Duration::from_secs(121));

    // While it is away the file says so.
    let machine = booted(|_| ());
    let mut ends = Ends::new(&machine, 1..=2).script([Step::Pass]);
    ends.connections = std::iter::repeat_n(AWAY, 99).collect();
    let before = machine.uptime();
    assert_eq!(ends.run(), Ok(()));
    assert!(ends.confirmed.is_empty() && ends.in_vain.is_empty());
    let reason = Some("expected the log server to accept a connection".to_owned());
    let expected = Forwarded { waiting_since: Some(5), reason, began: BEGAN, ..Forwarded::default() };
    assert_eq!(ends.state(), expected);
    // Once it has been asked to end, it tries for 15 s.
    assert_eq!(machine.uptime() - before, Duration::from_secs(1 + 15));
    assert!(ends.asked.contains(&"connect within 15 s".to_owned()), "{:?}", ends.asked);
}

#[test]
fn asked_to_end_it_sends_what_is_left_even_through_a_break() {
    let machine = booted(|_| ());
    let mut ends = Ends::new(&machine, 1..=4);
    ends.ends = [Err(ConnectionError::HungUp)].into();
    ends.connections = [Ok(()), AWAY, Ok(())].into();
    assert_eq!(ends.run(), Ok(()));
    assert_eq!((ends.in_vain.as_slice(), ends.confirmed.as_slice()), (&[1, 2, 3, 4][..], &[1, 2, 3, 4][..]));
    assert_eq!(ends.asked.last().unwrap(), "finish 4 records");
}

#[test]
fn a_forwarder_that_is_started_again_goes_on_behind_what_was_confirmed() {
    let machine = booted(|_| ());
    assert_eq!(Ends::new(&machine, 1..=4).run(), Ok(()));
    machine.passes(60, Duration::from_secs(60));
    let mut again = Ends::new(&machine, 1..=9);
    assert_eq!(again.run(), Ok(()));
    assert_eq!(again.asked[0], "open after c4 Following");
    assert_eq!(again.confirmed, [5, 6, 7, 8, 9]);
    // The kernel's log is the guest's own up to when the first one began.
    assert_eq!(again.state().began, BEGAN);
    // A file without a position in it.
    machine.replace_file(STATE.as_ref(), b"{").unwrap();
    let mut again = Ends::new(&machine, 1..=2);
    assert_eq!(again.run(), Ok(()));
    assert_eq!(again.confirmed, [1, 2]);
    assert_eq!(again.state().began, 0);
}

#[test]
fn conversations_grow_while_much_waits() {
    let machine = booted(|_| ());
    let mut ends = Ends::new(&machine, 1..=100);
    ends.length = 30_000;
    assert_eq!(ends.run(), Ok(()));
    assert_eq!(ends.confirmed.len(), 100);
    let finished: Vec<&String> = ends.asked.iter().filter(|asked| asked.starts_with("finish")).collect();
    assert_eq!(
        finished,
        [
            "finish 5 records",
            "finish 9 records",
            "finish 18 records",
            "finish 35 records",
            "finish 33 records"
        ]
    );
}

#[test]
fn entries_that_the_journal_has_dropped_are_counted() {
    let machine = booted(|_| ());
    let mut ends =
        Ends::new(&machine, [10, 11, 20, 21]).script([Step::Comes(Arrival::HungUp(ConnectionError::HungUp))]);
    assert_eq!(ends.run(), Ok(()));
    assert_eq!(ends.confirmed, [10, 11, 20, 21]);
    let lines: Vec<String> =
        machine.lines().into_iter().map(|(_, line)| line).filter(|line| line.contains("HPL01123W")).collect();
    let text = Code::LogOverwritten.text();
    assert_eq!(lines, [format!("HPL01123W: {text}: 8")], "once, though the conversation was had twice");
}

fn assert_failed(machine: &Rehearsal, result: std::result::Result<(), Failure>, code: Code, words: &str) {
    let failure = result.unwrap_err();
    assert_eq!((failure.stage, failure.code()), (Stage::Logging, code));
    let sentence = format!("{code}: ");
    let lines = machine.lines();
    assert!(
        lines.iter().any(|(_, line)| line.starts_with(&sentence) && line.contains(words)),
        "{words} in {lines:?}"
    );
}

#[test]
fn a_journal_that_cannot_be_read_ends_the_forwarder() {
    let machine = booted(|_| ());
    let mut ends = Ends::new(&machine, 1..=2);
    ends.opening = Some(io::ErrorKind::NotFound);
    let result = ends.run();
    assert_eq!(ends.ready, 0);
    assert_failed(&machine, result, Code::LogJournal, "/usr/bin/journalctl");

    let machine = booted(|_| ());
    let ended = Arrival::EndOfJournal(Some("exit status 1".to_owned()));
    let result = Ends::new(&machine, 1..=2).script([Step::Comes(ended)]).run();
    assert_failed(&machine, result, Code::LogJournal, "exit status 1");

    let machine = booted(|_| ());
    let result = Ends::new(&machine, 1..=2).script([Step::Comes(Arrival::EndOfJournal(None))]).run();
    assert_failed(&machine, result, Code::LogJournal, "expected the journal to go on");

    let machine = booted(|_| ());
    let mut ends = Ends::new(&machine, []);
    // The buffer holds zeros.
    ends = ends.script([Step::Comes(Arrival::Journal(100))]);
    let result = ends.run();
    assert_failed(&machine, result, Code::LogJournal, "expected the journal in its export format");
}

#[test]
fn a_position_that_cannot_be_kept_ends_the_forwarder() {
    let machine = booted(|_| ());
    machine.fails("replace /run/countersign/forward.json", io::ErrorKind::StorageFull);
    let result = Ends::new(&machine, 1..=2).run();
    assert_failed(&machine, result, Code::HandoverFailed, "forward.json");
}
