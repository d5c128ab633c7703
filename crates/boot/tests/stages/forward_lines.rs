//! The verb `forward` and lines of containers that the journal has in parts. The journal is the one of
//! [`crate::forward`].

use std::time::Duration;

use countersign_plan::forwarding::ledger::{Forwarded, Position};
use countersign_ports::guest_os::GuestFiles;
use countersign_ports::guest_os::{Arrival, ConnectionError, Ending};
use countersign_rehearsal::Rehearsal;

use crate::forward::{BEGAN, Ends, Step};
use crate::support::guest_os::booted;

/// The first parts of two containers' lines.
const A: &str = "CONTAINER_ID=a\nCONTAINER_PARTIAL_MESSAGE=true\n_PID=7\n";
const B: &str = "CONTAINER_ID=b\nCONTAINER_PARTIAL_MESSAGE=true\n_PID=8\n";
/// Their last parts.
const A_ENDS: &str = "CONTAINER_ID=a\n_PID=7\n";
const B_ENDS: &str = "CONTAINER_ID=b\n_PID=8\n";

const BREAKS: Step = Step::Comes(Arrival::HungUp(ConnectionError::HungUp));

/// Entries 1 to 9, of which 2, 5 and 8 are a line of `a`, and 4 and 7 one of `b`.
fn lines(machine: &Rehearsal) -> Ends<'_> {
    let mut ends = Ends::new(machine, 1..=9);
    ends.length = 1;
    for (number, part) in [(2, A), (4, B), (5, A), (7, B_ENDS), (8, A_ENDS)] {
        let text = ["", "", "a1 ", "", "b1 ", "a2 ", "", "b2", "a3"][number];
        ends.parts.insert(number as u64, (5000, part, text));
    }
    ends
}

/// Its records, where all other messages have this length.
fn expected(length: usize) -> Vec<(u64, String)> {
    let usual = |number: u64| format!("{number:0length$}");
    let records = [usual(1), usual(3), usual(6), "b1 b2".into(), "a1 a2 a3".into(), usual(9)];
    (1..).zip(records).collect()
}

#[test]
fn a_line_in_parts_is_one_record_and_takes_one_number() {
    let machine = booted(|_| ());
    let mut ends = lines(&machine);
    assert_eq!(ends.run(), Ok(()));
    assert_eq!(ends.messages, expected(1));
    let confirmed = Position { cursor: Some("c9".into()), number: 9, record: 6 };
    assert_eq!(ends.state(), Forwarded { confirmed, began: BEGAN, ..Forwarded::default() });
    assert!(!machine.lines().iter().any(|(_, line)| line.contains("HPL01123W")));
}

/// A file without a position in it.
fn from_the_start(machine: &Rehearsal) {
    machine.replace_file("/run/countersign/forward.json".as_ref(), b"{").unwrap();
}

/// Where a conversation is full behind entry 6, in the middle of both lines.
const FULL: usize = 50_000;

#[test]
fn a_break_in_the_middle_of_a_line_neither_cuts_it_nor_changes_a_number() {
    let machine = booted(|_| ());
    for (until, length) in (1..=9).flat_map(|until| [(until, 1), (until, FULL)]) {
        from_the_start(&machine);
        let mut ends =
            lines(&machine).until(until).script([BREAKS, Step::Gains((until + 1..=9).collect()), BREAKS]);
        ends.length = length;
        assert_eq!(ends.run(), Ok(()), "{until}");
        assert_eq!(ends.confirmed, [1, 2, 3, 4, 5, 6], "up to {until}");
        assert!(!ends.in_vain.is_empty());
        let mut messages = ends.messages.clone();
        messages.sort();
        messages.dedup();
        assert!(messages == expected(length), "up to {until}");
    }
}

#[test]
fn a_forwarder_that_is_started_again_in_the_middle_of_a_line_has_its_beginning() {
    let killed = || Step::Comes(Arrival::EndOfJournal(Some("killed".to_owned())));
    let machine = booted(|_| ());
    for until in 6..=9 {
        from_the_start(&machine);
        let mut ends = lines(&machine).until(until).script([killed()]);
        ends.length = FULL;
        assert!(ends.run().is_err());
        assert_eq!((ends.confirmed.as_slice(), ends.state().unfinished.len()), (&[1, 2, 3][..], 2));
        let mut again = lines(&machine);
        again.length = FULL;
        assert_eq!(again.run(), Ok(()));
        assert_eq!(again.asked[0], "open after c6 Following");
        assert!(again.messages == expected(FULL)[3..], "up to {until}");
    }
}

#[test]
fn a_line_that_does_not_end_goes_out_when_the_journal_is_quiet() {
    let machine = booted(|_| ());
    let mut ends = Ends::new(&machine, [1, 2]).script([Step::Pass, Step::Pass, Step::Gains(vec![3])]);
    ends.length = 1;
    ends.parts.insert(2, (5000, A, "begun"));
    ends.parts.insert(3, (19_000, A_ENDS, "ended"));
    assert_eq!(ends.run(), Ok(()));
    assert_eq!(ends.messages, [(1, "1".into()), (2, "begun".into()), (3, "ended".into())]);
    // The conversation has a minute, the line fifteen seconds.
    assert_eq!(ends.waits[..2], [15, 45].map(Duration::from_secs));

    // With nothing else to send there is nothing else to wait for.
    let machine = booted(|_| ());
    let mut ends = Ends::new(&machine, [2]).script([Step::Pass, Step::Pass]);
    ends.parts.insert(2, (5000, A, "begun"));
    assert_eq!(ends.run(), Ok(()));
    assert_eq!(ends.messages, [(2, "begun".into())]);
    assert_eq!(ends.waits[..2], [15, 60].map(Duration::from_secs));
}

#[test]
fn a_line_that_does_not_end_goes_out_before_an_entry_that_came_later() {
    let machine = booted(|_| ());
    let mut ends = Ends::new(&machine, 1..=3);
    ends.length = 1;
    ends.parts.insert(1, (5000, A, "begun"));
    ends.parts.insert(3, (15_001, "", "3"));
    assert_eq!(ends.run(), Ok(()));
    assert_eq!(ends.messages, [(1, "2".into()), (2, "begun".into()), (3, "3".into())]);
}

#[test]
fn at_the_end_every_line_goes_out() {
    let machine = booted(|_| ());
    let mut ends = lines(&machine).until(5);
    assert_eq!(ends.run(), Ok(()));
    let said: Vec<&str> = ends.messages.iter().map(|(_, text)| text.as_str()).collect();
    assert_eq!(said, ["1", "3", "a1 a2 ", "b1 "]);
    assert_eq!((ends.confirmed.as_slice(), ends.state().confirmed.record), (&[1, 2, 3, 4][..], 4));
}

#[test]
fn a_line_with_a_hole_is_no_line_and_the_hole_is_told() {
    let machine = booted(|_| ());
    let mut ends = Ends::new(&machine, [1, 2, 7, 8]);
    ends.length = 1;
    ends.parts.insert(2, (5000, A, "begun"));
    ends.parts.insert(7, (5000, A_ENDS, "ended"));
    assert_eq!(ends.run(), Ok(()));
    let texts = ["1", "begun", "ended", "8"].map(str::to_owned);
    assert_eq!(ends.messages, [1, 2, 7, 8].into_iter().zip(texts).collect::<Vec<_>>());
    let told = machine.lines().into_iter().map(|(_, line)| line).find(|line| line.contains("HPL01123W"));
    assert!(told.unwrap().ends_with(": 4"));
}

#[test]
fn many_lines_that_end_at_once_are_confirmed_one_by_one() {
    let machine = booted(|_| ());
    // Behind two breaks each of them fills a conversation, of which the second breaks.
    let mut ends = Ends::new(&machine, 1..=3);
    ends.length = 1;
    let long: &'static str = Box::leak("x".repeat(60_000).into_boxed_str());
    for (number, fields) in [(1, A), (2, B)] {
        ends.parts.insert(number, (5000, fields, long));
    }
    ends.parts.insert(3, (15_001, "", "3"));
    let breaks = Err(ConnectionError::HungUp);
    ends.ends = [breaks.clone(), breaks.clone(), Ok(Ending::Answered), breaks].into();
    assert_eq!(ends.run(), Ok(()));
    assert_eq!(
        (ends.in_vain.as_slice(), ends.confirmed.as_slice()),
        (&[1, 2, 3, 1, 2, 2, 3][..], &[1, 2, 3][..])
    );
}
