//! The ledger over conversations that end, break, and grow, and over journals with gaps.

use super::*;

fn entry(number: impl Into<Option<u64>>) -> Entry {
    let number = number.into();
    let cursor = format!("c{}", number.unwrap_or_default());
    Entry { cursor, number, monotonic: 7_500_000, ..Entry::default() }
}

fn at(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

fn position(number: u64) -> Position {
    Position { cursor: Some(format!("c{number}")), number, record: number }
}

impl Ledger {
    /// An entry that is a record of its own is read and sent; how many are missing before it.
    fn pass(&mut self, entry: &Entry, bytes: usize, uptime: Duration) -> u64 {
        let missing = self.note_read(entry);
        self.next_record();
        self.note_sent(entry.monotonic, bytes, uptime);
        missing
    }
}

#[test]
fn what_was_sent_counts_once_the_conversation_ended_and_is_sent_again_when_it_broke() {
    let mut ledger = Ledger::new(Position::default(), SYSLOG_LONGEST);
    assert_eq!(ledger.left(at(5)), None);
    ledger.pass(&entry(500), 10, at(5));
    ledger.pass(&entry(501), 10, at(6));
    assert_eq!((ledger.confirmed(), ledger.read_to()), (&Position::default(), &position(501)));
    assert_eq!((ledger.left(at(20)), ledger.waiting_since()), (Some(at(45)), Some(7)));
    assert!(ledger.confirm(true));
    assert_eq!(
        (ledger.confirmed(), ledger.left(at(99)), ledger.waiting_since()),
        (&position(501), None, None)
    );
    ledger.pass(&entry(502), 10, at(100));
    ledger.lose(true);
    assert_eq!((ledger.read_to(), ledger.left(at(100))), (&position(501), None));
    assert_eq!(ledger.number(&entry(502)), 502);
}

#[test]
fn what_is_gone_before_anything_was_confirmed_is_missing_too() {
    let mut ledger = Ledger::new(Position::default(), SYSLOG_LONGEST);
    assert_eq!(ledger.pass(&entry(500), 10, at(5)), 0);
    assert_eq!(ledger.pass(&entry(501), 10, at(5)), 0);
    ledger.lose(true);
    // 500 and 501 among them, which may never have arrived; told once.
    assert_eq!(ledger.pass(&entry(700), 10, at(6)), 200);
    ledger.lose(true);
    assert_eq!(ledger.pass(&entry(710), 10, at(7)), 10);
}

#[test]
fn a_conversation_ends_after_its_time_or_its_bytes() {
    let mut ledger = Ledger::new(Position::default(), SYSLOG_LONGEST);
    ledger.pass(&entry(1), 10, at(5));
    assert_eq!(ledger.left(at(64)), Some(at(1)));
    assert_eq!(ledger.left(at(66)), Some(at(0)));
    ledger.pass(&entry(2), FIRST_BYTES - 11, at(6));
    assert_eq!(ledger.left(at(6)), Some(at(59)));
    ledger.pass(&entry(3), 1, at(6));
    assert_eq!(ledger.left(at(6)), Some(at(0)));
}

/// KiB that fit into the next conversation, when a KiB comes each so many milliseconds.
fn limit(ledger: &mut Ledger, pace: u64) -> u64 {
    let mut count = 0;
    let now = |count| Duration::from_millis(count * pace);
    while ledger.left(now(count)) != Some(at(0)) {
        ledger.pass(&entry(None), 1 << 10, now(count));
        count += 1;
    }
    count
}

#[test]
fn conversations_that_fill_at_once_become_longer_until_others_do_not() {
    let mut ledger = Ledger::new(Position::default(), SYSLOG_LONGEST);
    let mut limits = Vec::new();
    for pace in [0, 0, 0, 0, 1, 5, 5, 5, 5] {
        limits.push(limit(&mut ledger, pace));
        assert!(ledger.confirm(true));
    }
    assert_eq!(limits, [128, 256, 512, 1024, 1024, 512, 256, 128, 128]);
    // At 250 KiB a second they have about that much.
    let mut ledger = Ledger::new(Position::default(), SYSLOG_LONGEST);
    for expected in [128, 128, 128] {
        assert_eq!(limit(&mut ledger, 4), expected);
        assert!(ledger.confirm(true));
    }
}

#[test]
fn conversations_that_break_become_shorter() {
    let mut ledger = Ledger::new(Position::default(), SYSLOG_LONGEST);
    let mut limits = Vec::new();
    for _ in 0..5 {
        limits.push(limit(&mut ledger, 4));
        ledger.lose(true);
    }
    assert_eq!(limits, [128, 64, 32, 16, 16]);
    ledger.lose(false);
    assert_eq!(limit(&mut ledger, 4), 16);
    let mut ledger = Ledger::new(Position::default(), SYSLOG_LONGEST);
    ledger.lose(false);
    assert_eq!(limit(&mut ledger, 4), 128, "one that never began tells nothing");
}

#[test]
fn a_goodbye_that_is_not_answered_counts_from_a_server_that_never_answers() {
    let mut ledger = Ledger::new(Position::default(), SYSLOG_LONGEST);
    let once = |ledger: &mut Ledger, answered| {
        ledger.pass(&entry(1), 1, at(0));
        let counts = ledger.confirm(answered);
        if !counts {
            ledger.lose(true);
        }
        counts
    };
    assert_eq!([false; 4].map(|answered| once(&mut ledger, answered)), [false, false, true, true]);
    assert!(!ledger.answers());
    assert!(once(&mut ledger, true) && ledger.answers());
    assert_eq!([false; 4].map(|answered| once(&mut ledger, answered)), [false; 4]);
}

#[test]
fn missing_entries_are_counted_once() {
    let mut ledger = Ledger::new(Position::default(), SYSLOG_LONGEST);
    let send = |ledger: &mut Ledger, number: u64| ledger.pass(&entry(number), 1, at(0));
    assert_eq!(send(&mut ledger, 500), 0, "nothing is known of what was before");
    assert_eq!(send(&mut ledger, 501), 0);
    assert_eq!(send(&mut ledger, 510), 8);
    assert_eq!(send(&mut ledger, 511), 0);
    ledger.lose(true);
    assert_eq!(send(&mut ledger, 501), 0);
    assert_eq!(send(&mut ledger, 510), 0, "the same hole");
    assert!(ledger.confirm(true));
    send(&mut ledger, 511);
    send(&mut ledger, 512);
    ledger.lose(true);
    assert_eq!(send(&mut ledger, 520), 9, "511 and 512 were sent in vain and are gone");
}

#[test]
fn an_entry_without_number_follows_the_one_before() {
    let mut ledger = Ledger::new(position(7), SYSLOG_LONGEST);
    assert_eq!(ledger.number(&entry(None)), 8);
    assert_eq!(ledger.pass(&entry(None), 1, at(0)), 0);
    assert_eq!(ledger.number(&entry(None)), 9);
    ledger.lose(true);
    assert_eq!(ledger.number(&entry(None)), 8);
}

/// Numbers of the records that come of entries; those that are held give none.
fn records(ledger: &mut Ledger, numbers: impl IntoIterator<Item = u64>, held: &[u64]) -> Vec<u64> {
    let mut records = Vec::new();
    for number in numbers {
        ledger.note_read(&entry(number));
        if !held.contains(&number) {
            records.push(ledger.next_record());
            ledger.note_sent(0, 1, at(0));
        }
    }
    records
}

#[test]
fn entries_without_a_record_leave_no_gap_in_the_numbers() {
    let mut ledger = Ledger::new(Position::default(), SYSLOG_LONGEST);
    assert_eq!(records(&mut ledger, 500..=505, &[501, 503]), [500, 501, 502, 503]);
    let reached = Position { cursor: Some("c505".into()), number: 505, record: 503 };
    assert_eq!(ledger.read_to(), &reached);
    ledger.lose(true);
    assert_eq!(records(&mut ledger, 500..=505, &[501, 503]), [500, 501, 502, 503]);
    assert!(ledger.confirm(true));
    // A line that is given up has a record after all.
    assert!(records(&mut ledger, [506], &[506]).is_empty());
    assert_eq!(ledger.next_record(), 504);
    assert_eq!(records(&mut ledger, [507], &[]), [505]);
    // As many numbers are left out as entries are missing.
    assert_eq!(records(&mut ledger, [518], &[]), [516]);
}

#[test]
fn no_number_is_taken_twice_when_the_journal_loses_what_was_sent_in_vain() {
    let mut ledger = Ledger::new(position(100), SYSLOG_LONGEST);
    let held: Vec<u64> = (111..=120).collect();
    assert_eq!(records(&mut ledger, 101..=150, &held).last(), Some(&140));
    ledger.lose(true);
    // Which of 101 to 129 were parts of which line is not known any more.
    assert_eq!(ledger.gap(&entry(130)), 29);
    assert_eq!(records(&mut ledger, 130..=160, &[]).first(), Some(&141));
    ledger.lose(true);
    // Behind everything that was ever read the numbers are those of the gap again.
    assert_eq!(records(&mut ledger, [200], &[]), [200]);

    // Where all were records of their own they keep their numbers.
    let mut ledger = Ledger::new(position(100), SYSLOG_LONGEST);
    records(&mut ledger, 101..=150, &[]);
    ledger.lose(true);
    assert_eq!(records(&mut ledger, [130, 131], &[]), [130, 131]);
}
