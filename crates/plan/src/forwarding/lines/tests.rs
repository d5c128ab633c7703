//! Lines whose parts come between those of others, end, or do not.

use super::*;
use crate::forwarding::ledger::Forwarded;

/// A part as conmon writes it: container, severity, conmon's process id, milliseconds, text.
fn part(container: &str, severity: u8, writer: &str, ms: u64, text: &str) -> Entry {
    Entry { partial: true, ..last(container, severity, writer, ms, text) }
}

/// The last part of a line, or a line that fits.
fn last(container: &str, severity: u8, writer: &str, ms: u64, text: &str) -> Entry {
    Entry {
        container: format!("name of {container}").into(),
        container_id: container.into(),
        severity: Some(severity),
        writer: writer.into(),
        realtime: 1_000_000_000 + ms * 1000,
        monotonic: ms * 1000,
        message: text.into(),
        message_length: text.len() as u64,
        ..Entry::default()
    }
}

/// An entry of the service manager's.
fn other(ms: u64, text: &str) -> Entry {
    Entry { identifier: b"systemd".to_vec(), ..last("", 6, "1", ms, text) }
}

/// Texts of the records that come of entries.
fn pass(lines: &mut Lines, entries: impl IntoIterator<Item = Entry>) -> Vec<String> {
    let mut records = Vec::new();
    for entry in entries {
        while let Some(line) = lines.ended_before(&entry, false) {
            records.push(line);
        }
        records.extend(lines.join(entry));
    }
    records.into_iter().map(|record| String::from_utf8(record.message).unwrap()).collect()
}

#[test]
fn parts_become_a_line_and_nobody_waits_for_it() {
    let mut lines = Lines::default();
    let records = pass(
        &mut lines,
        [
            part("a", 6, "7", 0, "a1 "),
            other(1, "systemd"),
            part("b", 6, "8", 2, "b1 "),
            part("a", 3, "7", 3, "error1 "),
            part("a", 6, "7", 4, "a2 "),
            last("b", 6, "8", 5, "b2\n"),
            last("a", 3, "7", 6, "error2\n"),
            last("c", 6, "9", 7, "c\n"),
            last("a", 6, "7", 8, "a3\n"),
            last("a", 6, "7", 9, "next\n"),
        ],
    );
    assert_eq!(records, ["systemd", "b1 b2", "error1 error2", "c\n", "a1 a2 a3", "next\n"]);
    assert!(lines.held().is_empty());
}

#[test]
fn a_line_has_name_time_and_severity_of_its_first_part() {
    let mut lines = Lines::default();
    let first = part("a", 3, "7", 5, "caf\u{e9}");
    let mut half = Entry { message: first.message[..4].to_vec(), message_length: 4, ..first.clone() };
    half.number = Some(12);
    assert_eq!(lines.join(half.clone()), None);
    let mut rest = last("a", 3, "7", 905, "");
    (rest.message, rest.message_length) = (first.message[4..].to_vec(), 1);
    let whole = lines.join(rest).unwrap();
    // A character that was in two parts is one again.
    assert_eq!(whole, Entry { message: first.message, message_length: 5, ..half });
}

#[test]
fn a_line_of_64_kib_is_whole_and_of_a_longer_one_nothing_is_left_out() {
    let mut lines = Lines::default();
    let eighth = "x".repeat(8 << 10);
    let parts = |count| (0..count).map(|ms| part("a", 6, "7", ms, &eighth));
    let records = pass(&mut lines, parts(8).chain([last("a", 6, "7", 8, "\n")]));
    assert_eq!(records, ["x".repeat(64 << 10)]);
    let records = pass(&mut lines, parts(17).chain([last("a", 6, "7", 17, "end\n")]));
    assert_eq!(records.iter().map(String::len).collect::<Vec<_>>(), [64 << 10, 64 << 10, (8 << 10) + 3]);
    assert!(records[2].ends_with("xend"));
    // One byte more than fits.
    let records = pass(&mut lines, parts(8).chain([last("a", 6, "7", 8, "!\n")]));
    assert_eq!(records, [&*"x".repeat(64 << 10), "!\n"]);
    // A part that was cut itself says so.
    let cut = Entry { message_length: 100_000, ..part("a", 6, "7", 0, &"y".repeat(64 << 10)) };
    assert_eq!(lines.join(cut.clone()), None);
    let next = last("a", 6, "7", 1, "end\n");
    assert_eq!(lines.ended_before(&next, false), Some(cut));
    assert_eq!(lines.join(next.clone()), Some(next));
}

#[test]
fn a_line_ends_when_nothing_of_it_has_come_for_a_while() {
    let mut lines = Lines::default();
    let begun =
        [part("a", 6, "7", 0, "a1 "), part("b", 6, "8", 9500, "b1 "), part("a", 6, "7", 10_000, "a2")];
    assert!(pass(&mut lines, begun).is_empty());
    // b's pause is over, by anybody's entry; a's is not, to the microsecond.
    let entry = Entry { monotonic: 20_000_000, ..other(0, "later") };
    assert_eq!(pass(&mut lines, [entry]), ["b1 ", "later"]);
    let entry = Entry { monotonic: 20_000_001, ..other(0, "later") };
    assert_eq!(pass(&mut lines, [entry]), ["a1 a2", "later"]);
    // Its own continuation comes too late as well.
    let late = [part("a", 6, "7", 25_000, "begun"), last("a", 6, "7", 35_001, "ended\n")];
    assert_eq!(pass(&mut lines, late), ["begun", "ended\n"]);
}

#[test]
fn the_last_words_of_a_container_are_not_put_before_those_of_its_next_start() {
    let mut lines = Lines::default();
    let entries =
        [part("a", 6, "7", 0, "fatal: no"), part("b", 6, "8", 1, "b"), last("a", 6, "9", 10, "hello\n")];
    assert_eq!(pass(&mut lines, entries), ["fatal: no", "hello\n"]);
    assert_eq!(lines.give_up().unwrap().message, b"b");
    assert_eq!(lines.give_up(), None);
}

#[test]
fn lines_end_before_a_gap() {
    let mut lines = Lines::default();
    pass(&mut lines, [part("a", 6, "7", 0, "a1"), part("b", 6, "8", 0, "b1")]);
    let rest = last("a", 6, "7", 1, "a3\n");
    let ended: Vec<Entry> = std::iter::from_fn(|| lines.ended_before(&rest, true)).collect();
    assert_eq!(ended.iter().map(|line| line.message.as_slice()).collect::<Vec<_>>(), [b"a1", b"b1"]);
    assert_eq!(lines.join(rest.clone()), Some(rest));
}

#[test]
fn no_more_is_held_than_the_bounds_allow() {
    let mut lines = Lines::default();
    let names: Vec<String> = (0..=LINES).map(|number| format!("c{number}")).collect();
    let begun = names[..LINES].iter().map(|name| part(name, 6, name, 0, name));
    assert!(pass(&mut lines, begun).is_empty());
    // Who goes on takes no room; who begins takes that of the oldest.
    assert!(pass(&mut lines, [part("c0", 6, "c0", 1, "+")]).is_empty());
    assert_eq!(pass(&mut lines, [part("c64", 6, "c64", 2, "c64")]), ["c0+"]);
    assert_eq!(lines.held().len(), LINES);

    let mut lines = Lines::default();
    let long = "x".repeat(60_000);
    let begun = names.iter().take(9).map(|name| part(name, 6, name, 0, &long));
    let records = pass(&mut lines, begun);
    assert_eq!((records.len(), lines.held().len()), (1, 8));
    // What ends takes no room.
    assert_eq!(pass(&mut lines, [last("c9", 6, "c9", 0, &long)]).len(), 1);
    assert_eq!(lines.held().len(), 8);
}

#[test]
fn only_parts_of_containers_are_held() {
    let mut lines = Lines::default();
    let nobody = Entry { partial: true, ..other(0, "x") };
    assert_eq!(pass(&mut lines, [nobody]), ["x"]);
}

#[test]
fn what_is_held_can_be_kept_whatever_is_in_it() {
    let mut lines = Lines::default();
    let mut first = part("a", 6, "7", 0, "");
    first.message = (0..=255).collect();
    first.message_length = 256;
    lines.join(first.clone());
    let kept = Forwarded { unfinished: lines.held().to_vec(), ..Forwarded::default() };
    let text = serde_json::to_vec(&kept).unwrap();
    let again: Forwarded = serde_json::from_slice(&text).unwrap();
    assert_eq!(again, kept);
    let mut lines = Lines::new(again.unfinished);
    assert_eq!(lines.give_up(), Some(first));
    let text = String::from_utf8(text).unwrap().replace("name of", "\u{100}");
    assert!(serde_json::from_str::<Forwarded>(&text).is_err());
}
