//! The desk at which records arrive: into the store, then counted, printed, and kept for the page.
//!
//! The store comes first: what it does not take is neither counted nor shown. What is kept for the page is bounded in
//! records and in bytes; the store has the rest.

use std::collections::{BTreeMap, VecDeque};
use std::fs::File;
use std::io::{self, BufRead, BufReader, Read, Seek, SeekFrom};
use std::net::IpAddr;
use std::sync::{Mutex, MutexGuard, PoisonError};

use countersign_plan::forwarding::origin::Origin;
use serde::Serialize;

use crate::count::notice::Weight;
use crate::count::{Guests, Told};
use crate::entry::Entry;
use crate::line;
use crate::listen::Trouble;
use crate::listen::conversation::{Ended, Sink};
use crate::printer::Printer;
use crate::say;
use crate::store::{Mark, Store, StoreError, list};
use crate::stored;
use crate::text::tame;
use crate::time;

/// Records that are kept for the page.
const RECORDS: usize = 20_000;
/// Bytes of their texts.
const BYTES: usize = 8 << 20;
/// Notices that are kept for the page.
const NOTICES: usize = 500;
/// Bytes of the store that are read at the start, the newest ones: guests wait meanwhile.
const READ_AGAIN: u64 = 8 << 20;
/// Bytes of the longest line in them.
const LINE: u64 = 1 << 20;
/// A trouble is told again after so many milliseconds.
const AGAIN: i64 = 60_000;
/// Different troubles that are known.
const TROUBLES: usize = 256;

/// What is printed of the records.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Show {
    /// The guest's own, and what imitates it.
    Guest,
    /// All.
    All,
    /// None; notices are.
    Notices,
}

/// A record for the page.
#[derive(Debug, Clone, Serialize)]
pub struct Shown {
    /// Counts up.
    pub number: u64,
    /// The boot that it belongs to.
    pub boot: usize,
    /// RFC 3339.
    pub time: String,
    /// Host name.
    pub host: String,
    /// Who wrote it: `guest`, `container`, `kernel`, `system`; `-` where nothing says so.
    pub origin: &'static str,
    /// Program or container.
    pub app: String,
    /// Its stage.
    pub stage: String,
    /// Its code.
    pub code: String,
    /// Its container.
    pub container: String,
    /// Whether it looks like the guest's own and is not.
    pub imitation: bool,
    /// Its text, tamed.
    pub text: String,
}

/// A notice for the page.
#[derive(Debug, Clone, Serialize)]
pub struct Noticed {
    /// RFC 3339.
    pub time: String,
    /// The boot, 0 for the receiver's own.
    pub boot: usize,
    /// Host name, or the address from which somebody came.
    pub host: String,
    /// How much it matters.
    pub weight: Weight,
    /// What happened.
    pub text: String,
    /// What to do.
    pub remedy: String,
}

/// What is asked for.
#[derive(Debug, Clone, Default)]
pub struct Filter {
    /// Only records behind this number.
    pub after: u64,
    /// Of this boot.
    pub boot: Option<usize>,
    /// Of this host.
    pub host: String,
    /// About this stage.
    pub stage: String,
    /// About this code.
    pub code: String,
    /// Of this container.
    pub container: String,
}

/// The desk.
#[derive(Debug)]
pub struct Desk {
    store: Store,
    printer: Printer,
    show: Show,
    clock: fn() -> i64,
    inner: Mutex<Inner>,
}

#[derive(Debug)]
struct Inner {
    guests: Guests,
    records: VecDeque<Shown>,
    bytes: usize,
    next: u64,
    notices: VecDeque<Noticed>,
    /// When a trouble was told last, and how often it came since.
    troubles: BTreeMap<String, (i64, u64)>,
}

impl Desk {
    /// Over a store, whose newest files are read. `clock` says milliseconds since 1970.
    ///
    /// # Errors
    /// The files cannot be read.
    pub fn new(store: Store, printer: Printer, show: Show, clock: fn() -> i64) -> io::Result<Desk> {
        let inner = Inner {
            guests: Guests::new(true),
            records: VecDeque::new(),
            bytes: 0,
            next: 1,
            notices: VecDeque::new(),
            troubles: BTreeMap::new(),
        };
        let desk = Desk { store, printer, show, clock, inner: Mutex::new(inner) };
        desk.read_again()?;
        Ok(desk)
    }

    /// Where the records of a client go.
    pub(crate) fn sink<'d>(&'d self, client: &'d str) -> ClientSink<'d> {
        ClientSink { desk: self, client, mark: None, lines: Vec::new() }
    }

    /// Time goes on: who is silent is told, and what was written is synced, also of conversations that do not end.
    pub fn tick(&self) {
        let now = (self.clock)();
        let told = self.inner().guests.tick(now);
        for told in told {
            self.notice(&told, now);
        }
        if let Err(error) = self.store.sync(self.store.mark()) {
            self.own(now, "store", Weight::Error, error.to_string());
        }
    }

    /// A connection that did not go well is told, a repeated one once a minute.
    pub(crate) fn trouble(&self, from: IpAddr, client: &str, trouble: &Trouble) {
        let (weight, text) = match trouble {
            Trouble::Refused(why) => (Weight::Warning, format!("refused: {why}")),
            Trouble::Crowd => (Weight::Warning, "refused: too many connections at once".to_owned()),
            Trouble::Files(why) => {
                (Weight::Error, format!("the server's own files changed and cannot be used: {why}"))
            }
            Trouble::Ended(ended) => match ended {
                Ended::Whole | Ended::Stopped | Ended::Left => return,
                Ended::Inside => {
                    (Weight::Warning, "it left inside a record, of which nothing is kept".to_owned())
                }
                Ended::Frame(error) => (Weight::Warning, format!("closed: {error}")),
                Ended::Stalled => (Weight::Warning, "closed: a record stopped in its middle".to_owned()),
                Ended::Broken => {
                    (Weight::Warning, "the connection broke; what was not confirmed comes again".to_owned())
                }
                Ended::Store(error) => (Weight::Error, error.to_string()),
            },
        };
        let who = match client {
            "" => from.to_string(),
            client => format!("{from} with certificate {}", client.get(..16).unwrap_or(client)),
        };
        self.own((self.clock)(), &who, weight, text);
    }

    /// Tells something of the receiver's own.
    fn own(&self, now: i64, who: &str, weight: Weight, text: String) {
        let mut inner = self.inner();
        if inner.troubles.len() >= TROUBLES {
            inner.troubles.retain(|_, (last, _)| now.saturating_sub(*last) < AGAIN);
        }
        let known = inner.troubles.len() >= TROUBLES;
        let times = match inner.troubles.get_mut(&format!("{who} {text}")) {
            Some((last, more)) if now.saturating_sub(*last) < AGAIN => {
                *more += 1;
                return;
            }
            Some((last, more)) => {
                *last = now;
                std::mem::take(more)
            }
            // Too many different ones: a flood tells nothing new.
            None if known => return,
            None => {
                inner.troubles.insert(format!("{who} {text}"), (now, 0));
                0
            }
        };
        let more =
            if times > 0 { format!(" ({times} times more within the last while)") } else { String::new() };
        let noticed = Noticed {
            time: time::text(now),
            boot: 0,
            host: who.to_owned(),
            weight,
            text: format!("{text}{more}"),
            remedy: String::new(),
        };
        let line = format!("{} {} !! {}\n", noticed.time, tame(who), noticed.text);
        inner.keep_notice(noticed);
        drop(inner);
        self.printer.print(line);
    }

    fn notice(&self, told: &Told, now: i64) {
        self.inner().keep_told(told, now);
        self.printer.print(say::notice(told, now));
    }

    /// The boots that are known.
    pub fn with_guests<T>(&self, look: impl FnOnce(&Guests) -> T) -> T {
        look(&self.inner().guests)
    }

    /// The notices that are kept, oldest first.
    pub fn notices(&self) -> Vec<Noticed> {
        self.inner().notices.iter().cloned().collect()
    }

    /// At most `limit` of the newest records that pass the filter, oldest first, and the number of the last record of all.
    pub fn records(&self, filter: &Filter, limit: usize) -> (Vec<Shown>, u64) {
        let inner = self.inner();
        let is = |wanted: &str, value: &str| wanted.is_empty() || wanted == value;
        let passes = |shown: &&Shown| {
            shown.number > filter.after
                && filter.boot.is_none_or(|boot| boot == shown.boot)
                && is(&filter.host, &shown.host)
                && is(&filter.stage, &shown.stage)
                && is(&filter.code, &shown.code)
                && is(&filter.container, &shown.container)
        };
        let mut found: Vec<Shown> = inner.records.iter().rev().filter(passes).take(limit).cloned().collect();
        found.reverse();
        (found, inner.next - 1)
    }

    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What the store holds from before is counted.
    fn read_again(&self) -> io::Result<()> {
        let (mut files, mut left) = (Vec::new(), READ_AGAIN);
        for segment in list(self.store.folder())?.into_iter().rev() {
            let length = std::fs::metadata(&segment.path)?.len();
            files.push((segment.path, length.saturating_sub(left)));
            left = left.saturating_sub(length);
            if left == 0 {
                break;
            }
        }
        let mut inner = self.inner();
        for (path, begin) in files.into_iter().rev() {
            let mut file = File::open(path)?;
            file.seek(SeekFrom::Start(begin))?;
            let mut reader = BufReader::new(file);
            if begin > 0 {
                // The rest of a line.
                reader.skip_until(b'\n')?;
            }
            let mut line = Vec::new();
            while (&mut reader).take(LINE).read_until(b'\n', &mut line)? > 0 {
                if let Some(entry) =
                    std::str::from_utf8(&line).ok().and_then(|line| stored::entry(line.trim_end()))
                {
                    let now = entry.received.or(entry.time).unwrap_or_default();
                    for told in inner.record(&entry, now) {
                        inner.keep_told(&told, now);
                    }
                }
                line.clear();
            }
        }
        Ok(())
    }
}

impl Inner {
    fn record(&mut self, entry: &Entry, now: i64) -> Vec<Told> {
        let (boot, told) = self.guests.record(entry, now);
        let shown = Shown {
            number: self.next,
            boot,
            time: time::text(entry.time.unwrap_or(now)),
            host: tame(&entry.host),
            origin: entry.origin.map_or("-", Origin::as_str),
            app: tame(&entry.app),
            stage: tame(&entry.stage),
            code: tame(&entry.code),
            container: tame(&entry.container),
            imitation: entry.is_imitation(),
            text: tame(&entry.message),
        };
        self.next += 1;
        self.bytes += shown.text.len();
        self.records.push_back(shown);
        while self.records.len() > RECORDS || self.bytes > BYTES {
            let Some(old) = self.records.pop_front() else { break };
            self.bytes -= old.text.len();
        }
        told
    }

    fn keep_told(&mut self, told: &Told, now: i64) {
        self.keep_notice(Noticed {
            time: time::text(now),
            boot: told.boot,
            host: tame(&told.host),
            weight: told.notice.weight(),
            text: told.notice.to_string(),
            remedy: told.notice.remedy().to_owned(),
        });
    }

    fn keep_notice(&mut self, noticed: Noticed) {
        if self.notices.len() == NOTICES {
            self.notices.pop_front();
        }
        self.notices.push_back(noticed);
    }
}

/// The records of one conversation.
#[derive(Debug)]
pub(crate) struct ClientSink<'d> {
    desk: &'d Desk,
    client: &'d str,
    mark: Option<Mark>,
    lines: Vec<u8>,
}

impl Sink for ClientSink<'_> {
    fn take(&mut self, records: &[Vec<u8>]) -> Result<(), StoreError> {
        let now = (self.desk.clock)();
        self.lines.clear();
        let entries: Vec<_> =
            records.iter().map(|record| line::write(record, now, self.client, &mut self.lines)).collect();
        let mark = self.desk.store.append(&self.lines)?;
        if self.mark.is_some_and(|earlier| !mark.follows(earlier)) {
            return Err(StoreError::Lost);
        }
        self.mark = Some(mark);
        let mut inner = self.desk.inner();
        for entry in entries {
            match entry {
                Ok(entry) => {
                    let told = inner.record(&entry, now);
                    let show = match self.desk.show {
                        Show::All => true,
                        Show::Guest => entry.origin == Some(Origin::Guest) || entry.is_imitation(),
                        Show::Notices => false,
                    };
                    if show {
                        self.desk.printer.print(say::record(&entry));
                    }
                    for told in told {
                        inner.keep_told(&told, now);
                        self.desk.printer.print(say::notice(&told, now));
                    }
                }
                Err(error) => {
                    let who = format!("certificate {}", self.client.get(..16).unwrap_or(self.client));
                    let text = format!("what it sends is kept and is no record: {error}");
                    drop(inner);
                    self.desk.own(now, &who, Weight::Warning, text);
                    inner = self.desk.inner();
                }
            }
        }
        Ok(())
    }

    fn settle(&mut self) -> Result<(), StoreError> {
        self.mark.map_or(Ok(()), |mark| self.desk.store.sync(mark))
    }
}
