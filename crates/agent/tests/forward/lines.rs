//! Lines of containers as conmon writes them, in parts of 8 KiB: each arrives whole, under one number, over restarts of
//! the log server and deaths of the forwarder.

use std::collections::BTreeMap;

use super::receivers::{Kind, Receiver, Record};
use super::world::{World, Writer};

/// What conmon takes at once.
const PART: usize = 8 << 10;
const OUTPUT: u8 = 6;
const ERRORS: u8 = 3;

/// The entries of a line, as fields and message.
fn entries(container: &str, severity: u8, line: &str) -> Vec<(String, Vec<u8>)> {
    let fields = format!(
        "CONTAINER_ID_FULL={container}0000\nPRIORITY={severity}\nCONTAINER_ID={container}\n\
         CONTAINER_NAME=compose-{container}-1\nSYSLOG_IDENTIFIER=compose-{container}-1\n"
    );
    let bytes = [line.as_bytes(), b"\n"].concat();
    let parts: Vec<&[u8]> = bytes.chunks(PART).collect();
    let entry = |(index, part): (usize, &&[u8])| {
        let partial = if index + 1 < parts.len() { "CONTAINER_PARTIAL_MESSAGE=true\n" } else { "" };
        (format!("{fields}{partial}"), part.to_vec())
    };
    parts.iter().enumerate().map(entry).collect()
}

/// Writes lines side by side, an entry of each in turn.
fn write(writer: &Writer, lines: &[Vec<(String, Vec<u8>)>]) {
    for index in 0..lines.iter().map(Vec::len).max().unwrap() {
        for (fields, message) in lines.iter().filter_map(|line| line.get(index)) {
            writer.write_with(fields, message);
        }
    }
}

/// As long as this, and like no other.
fn text(name: &str, length: usize) -> String {
    format!("{name} ").chars().chain("0123456789".chars().cycle()).take(length).collect()
}

fn of<'r>(records: &'r [Record], app: &str) -> Vec<&'r str> {
    records.iter().filter(|record| record.app == app).map(|record| record.msg.as_str()).collect()
}

#[test]
fn lines_in_parts_arrive_whole_and_beside_each_other() {
    let Some(world) = World::new() else { return };
    for kind in Kind::all() {
        let mut receiver = Receiver::new(&world, kind);
        receiver.start();
        let mut forwarder = world.forwarder();
        let writer = Writer::new();
        let [output, errors, other] = [60_000, 20_000, 64 << 10].map(|length| text("line", length));
        // A character in two parts.
        let umlauts = format!("{}{}", "x".repeat(PART - 1), "\u{e9}".repeat(100));
        let longer = text("longer", 100_000);
        write(
            &writer,
            &[entries("a", OUTPUT, &output), entries("a", ERRORS, &errors), entries("b", OUTPUT, &other)],
        );
        write(&writer, &[entries("c", OUTPUT, &umlauts), entries("d", OUTPUT, &longer)]);
        // What a container leaves behind at its end has no last part; it goes out with the forwarder's own end at the latest.
        let (fields, _) = entries("e", OUTPUT, &output).swap_remove(0);
        writer.write_with(&fields, b"last words");
        writer.write("whole", b"last");
        receiver.wait_for("the last entry", |records| of(records, "whole") == ["last"]);
        assert!(forwarder.end().success());
        receiver.stop();

        let records = &receiver.records;
        assert!(
            of(records, "compose-a-1") == [&*errors, &*output],
            "{kind:?}: {:.300?}",
            of(records, "compose-a-1")
        );
        assert!(of(records, "compose-b-1") == [&*other], "{kind:?}: {:.300?}", of(records, "compose-b-1"));
        assert!(of(records, "compose-c-1").concat().trim_start_matches('\u{feff}') == umlauts, "{kind:?}");
        let longer_ones = of(records, "compose-d-1");
        assert_eq!(
            longer_ones.iter().map(|part| part.len()).collect::<Vec<_>>(),
            [64 << 10, 100_000 - (64 << 10)]
        );
        assert!(longer_ones.concat() == longer, "{kind:?}");
        assert_eq!(of(records, "compose-e-1"), ["last words"]);
        assert_without_gap(records);
    }
}

fn assert_without_gap(records: &[Record]) {
    let mut numbers: Vec<u64> = records.iter().map(Record::sequence).collect();
    numbers.sort_unstable();
    numbers.dedup();
    let (first, last) = (numbers[0], numbers[numbers.len() - 1]);
    assert_eq!(numbers.len() as u64, last - first + 1, "numbers from {first} to {last}");
}

#[test]
fn lines_in_parts_arrive_whole_over_restarts_and_deaths() {
    let Some(world) = World::new() else { return };
    let mut receiver = Receiver::new(&world, Kind::Rsyslog);
    receiver.start();
    let (rounds, count) = (4, 60);
    let line = |container: &str, number: usize| text(&format!("{container} {number}"), 30_000 + number * 37);
    let containers = ["a", "b", "c"];
    for round in 1..=rounds {
        let forwarder = world.forwarder();
        let writer = Writer::new();
        for number in (round - 1) * count + 1..=round * count {
            let lines: Vec<_> =
                containers.iter().map(|name| entries(name, OUTPUT, &line(name, number))).collect();
            write(&writer, &lines);
            writer.write("load", format!("line {number}").as_bytes());
        }
        let enough = (round - 1) * count + count / 3;
        let has = |records: &[Record]| records.iter().any(|record| record.msg == format!("line {enough}"));
        receiver.wait_for("lines before the break", has);
        receiver.restart();
        drop(forwarder);
    }
    let mut forwarder = world.forwarder();
    let last = format!("line {}", rounds * count);
    receiver.wait_for("the last line", |records| records.iter().any(|record| record.msg == last));
    assert!(forwarder.end().success());
    receiver.stop();

    // Each line under one number however often it came, each number for one line.
    let mut numbers: BTreeMap<&str, u64> = BTreeMap::new();
    let mut texts: BTreeMap<u64, &str> = BTreeMap::new();
    for record in &receiver.records {
        let number = *numbers.entry(&record.msg).or_insert(record.sequence());
        assert_eq!(number, record.sequence(), "{:.40}", record.msg);
        assert_eq!(*texts.entry(number).or_insert(&record.msg), record.msg, "number {number}");
    }
    for name in containers {
        for number in 1..=rounds * count {
            assert!(numbers.contains_key(line(name, number).as_str()), "line {number} of {name}");
        }
    }
    assert_without_gap(&receiver.records);
    let again = receiver.records.len() - numbers.len();
    println!(
        "lines in parts: {} of some 30 KB, 0 lost, {again} records twice",
        containers.len() * rounds * count
    );
}
