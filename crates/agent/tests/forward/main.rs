//! `countersignd forward` between a real journald and real log servers that stop, stand still, go away: every number
//! that was written arrives.
//!
//! `COUNTERSIGN_LONG` adds what takes minutes: 20 restarts at 2 000 lines a second, and a way that goes silent. What
//! arrived twice is printed (`--nocapture`). Design section 10, tier 1.
#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used)]

mod lines;
mod receivers;
mod world;

use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::time::Instant;

use nix::sys::signal::Signal;
use receivers::{Kind, Receiver, Record};
use world::{CONSOLE, World, Writer, until};

fn long() -> bool {
    std::env::var_os("COUNTERSIGN_LONG").is_some()
}

/// The number of a line that a writer wrote.
fn number(record: &Record) -> Option<usize> {
    record.msg.strip_prefix("line ")?.split(' ').next()?.parse().ok()
}

/// Different numbers that arrived.
fn arrived(records: &[Record]) -> usize {
    let mut numbers: Vec<usize> = records.iter().filter_map(number).collect();
    numbers.sort_unstable();
    numbers.dedup();
    numbers.len()
}

/// Every number arrived, whole and under one sequence number however often it came. Returns how many came again.
fn assert_complete(records: &[Record], count: usize) -> usize {
    let mut times: BTreeMap<usize, (usize, u64)> = BTreeMap::new();
    for record in records {
        let Some(number) = number(record) else { continue };
        assert!(record.msg.ends_with("a lot to say about itself") && record.app == "load", "{record:?}");
        let entry = times.entry(number).or_insert((0, record.sequence()));
        assert_eq!(entry.1, record.sequence(), "the number of {record:?}");
        entry.0 += 1;
    }
    let missing: Vec<usize> = (1..=count).filter(|number| !times.contains_key(number)).collect();
    assert!(missing.is_empty(), "{} of {count} lost, the first is {}", missing.len(), missing[0]);
    assert_eq!(times.len(), count);
    times.values().map(|(times, _)| times - 1).sum()
}

/// The server is stopped and started again while lines are written.
#[test]
fn every_number_arrives_over_restarts_of_the_log_server() {
    let Some(world) = World::new() else { return };
    for kind in Kind::all() {
        let (restarts, rate, count) = if long() { (20, 2_000, 120_000) } else { (3, 4_000, 12_000) };
        let mut receiver = Receiver::new(&world, kind);
        receiver.start();
        let begin = Instant::now();
        let mut forwarder = world.forwarder();
        let before = receiver.records.len();
        std::thread::scope(|scope| {
            let writer = scope.spawn(move || Writer::new().lines(1..=count, Some(rate)));
            for restart in 1..=restarts {
                let enough = count * restart / (restarts + 1);
                // Running through all lines would cost more than the forwarding.
                receiver.wait_for("lines before the restart", |records| {
                    records.iter().rev().find_map(number).is_some_and(|number| number >= enough)
                });
                receiver.restart();
            }
            writer.join().unwrap();
        });
        receiver.wait_for("the last line", |records| {
            records[before..].iter().rev().take(100).any(|record| number(record) == Some(count))
        });
        let end = begin.elapsed();
        assert!(forwarder.end().success());
        receiver.stop();
        let again = assert_complete(&receiver.records, count);
        println!("{kind:?}: {restarts} restarts, {count} lines in {end:.1?}: 0 lost, {again} twice");
        // The next one gets a journal from where this one ended.
    }
}

/// The forwarder is killed in the middle of its work; what it had no confirmation for comes again.
#[test]
fn every_number_arrives_over_deaths_of_the_forwarder() {
    let Some(world) = World::new() else { return };
    let mut receiver = Receiver::new(&world, Kind::Rsyslog);
    receiver.start();
    let count = 30_000;
    Writer::new().lines(1..=count, None);
    for death in 1..=3 {
        let forwarder = world.forwarder();
        receiver.wait_for("lines before the death", |records| {
            records.iter().rev().find_map(number).is_some_and(|number| number >= count * death / 4)
        });
        drop(forwarder);
    }
    let mut forwarder = world.forwarder();
    receiver.wait_for("the last line", |records| records.iter().any(|record| number(record) == Some(count)));
    assert!(forwarder.end().success());
    receiver.stop();
    assert!(assert_complete(&receiver.records, count) > 0);
    assert_eq!(world.state().unwrap()["waiting_since"], serde_json::Value::Null);
}

#[test]
fn a_server_that_stands_still_or_comes_late_gets_everything() {
    let Some(world) = World::new() else { return };
    let mut receiver = Receiver::new(&world, Kind::Rsyslog);
    let count = 20_000;
    Writer::new().lines(1..=count / 2, None);
    let mut forwarder = world.forwarder();
    // It has tried, and says why nothing moves.
    until("a reason", || {
        let state = world.state()?;
        assert!(state["waiting_since"].is_u64() || state["reason"].is_null(), "{state}");
        (state["reason"] == "expected the log server to accept a connection").then_some(())
    });
    receiver.start();
    receiver.wait_for("the first lines", |records| arrived(records) > 100);
    receiver.process().signal(Signal::SIGSTOP);
    // The writer does not notice.
    Writer::new().lines(count / 2 + 1..=count, None);
    receiver.process().signal(Signal::SIGCONT);
    receiver.wait_for("the last line", |records| records.iter().any(|record| number(record) == Some(count)));
    assert!(forwarder.end().success());
    receiver.stop();
    assert_complete(&receiver.records, count);
    assert_eq!(world.state().unwrap()["reason"], serde_json::Value::Null);
}

/// More is written than the journal may hold while the server is away: the writer is not held up, and what was dropped
/// is told, exactly as many as the receiver finds missing in the numbers and as it had taken in the conversation that
/// broke: those the forwarder could not know to have arrived.
#[test]
fn what_the_journal_dropped_is_counted() {
    let Some(world) = World::numbered("8M") else { return };
    let mut receiver = Receiver::new(&world, Kind::Rsyslog);
    receiver.start();
    let mut forwarder = world.forwarder();
    let (before, count) = (100, 60_000);
    Writer::new().lines(1..=before, None);
    receiver.wait_for("the first lines", |records| arrived(records) == before);
    receiver.stop();
    let unconfirmed = receiver.records.len() as u64;
    // It returns although nobody takes anything from the journal.
    Writer::new().lines(before + 1..=count, None);
    receiver.start();
    receiver.wait_for("the last line", |records| records.iter().any(|record| number(record) == Some(count)));
    assert!(forwarder.end().success());
    receiver.stop();

    let mut numbers: Vec<u64> = receiver.records.iter().map(Record::sequence).collect();
    numbers.sort_unstable();
    numbers.dedup();
    let missing = numbers[numbers.len() - 1] - numbers[0] + 1 - numbers.len() as u64;
    let said = std::fs::read_to_string(CONSOLE).unwrap();
    let told = said.lines().filter_map(|line| line.strip_prefix("HPL01123W: ")?.rsplit(' ').next());
    let told: u64 = told.map(|number| number.parse::<u64>().unwrap()).sum();
    assert_eq!(told, missing + unconfirmed, "{said}");
    let lines = arrived(&receiver.records) as u64;
    println!("overflow: {count} lines written, {lines} arrived, {missing} records told to be missing");
    // Nearly all of the missing records are lines; journald says a word or two of its own.
    assert!(missing > 1_000 && lines > 1_000 && (count as u64 - lines).abs_diff(missing) < 100);
}

/// A way that passes bytes on until it has passed so many, and then nothing more, while both connections stay open.
fn pass_until_silent(listener: &TcpListener, port: u16, bytes: usize) {
    let guest = listener.accept().unwrap().0;
    let server = TcpStream::connect(("127.0.0.1", port)).unwrap();
    let copy = |mut from: &TcpStream, mut to: &TcpStream, bytes: usize| {
        let (mut left, mut buffer) = (bytes, [0; 4096]);
        while left > 0 {
            match from.read(&mut buffer) {
                Ok(0) | Err(_) => return,
                Ok(count) => {
                    left = left.saturating_sub(count);
                    if to.write_all(&buffer[..count]).is_err() {
                        return;
                    }
                }
            }
        }
        // Neither end hears of it: the guest hangs up when it has lost patience.
        while !matches!(from.read(&mut buffer), Ok(0) | Err(_)) {}
    };
    std::thread::scope(|scope| {
        scope.spawn(|| copy(&server, &guest, usize::MAX));
        copy(&guest, &server, bytes);
        let _ = server.shutdown(std::net::Shutdown::Both);
    });
}

#[test]
fn a_connection_that_goes_silent_is_had_again() {
    if !long() {
        return eprintln!("skipped: takes three minutes; COUNTERSIGN_LONG=1 asks for it");
    }
    let Some(world) = World::new() else { return };
    let mut receiver = Receiver::new(&world, Kind::Rsyslog);
    receiver.start();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    world.plan(listener.local_addr().unwrap().port());
    let begin = Instant::now();
    let count = 5_000;
    let port = world.port;
    // It ends with the tests.
    std::thread::spawn(move || {
        pass_until_silent(&listener, port, 100_000);
        loop {
            pass_until_silent(&listener, port, usize::MAX);
        }
    });
    let mut forwarder = world.forwarder();
    Writer::new().lines(1..=count, None);
    receiver.wait_for("the last line", |records| records.iter().any(|record| number(record) == Some(count)));
    let again = assert_complete(&receiver.records, count);
    println!("silence: all of {count} lines after {:.0?}, {again} twice", begin.elapsed());
    assert!(forwarder.end().success());
}

#[test]
fn messages_arrive_whole_up_to_64_kib() {
    let Some(world) = World::new() else { return };
    for kind in Kind::all() {
        let mut receiver = Receiver::new(&world, kind);
        receiver.start();
        let mut forwarder = world.forwarder();
        let writer = Writer::new();
        let line = format!("{}\n", "w".repeat(127));
        let longest = line.repeat(512);
        assert_eq!(longest.len(), 64 << 10);
        // The last line feed is not part of the message.
        let longest = format!("{}x", longest.trim_end());
        let messages = ["two\n\tlines", "caf\u{e9} \u{2713}", "\"quoted\" \\ {json}", &longest, ""];
        for message in messages {
            writer.write("whole", message.as_bytes());
        }
        writer.write("whole", "z".repeat(70_000).as_bytes());
        writer.write("whole", b"last");
        receiver.wait_for("the last message", |records| records.iter().any(|record| record.msg == "last"));
        assert!(forwarder.end().success());
        receiver.stop();
        let received: Vec<&str> = receiver
            .records
            .iter()
            .filter(|record| record.app == "whole")
            .map(|record| record.msg.trim_start_matches('\u{feff}'))
            .collect();
        let cut = format!("{} [cut, 70000 bytes in all]", "z".repeat(64 << 10));
        let expected: Vec<&str> = messages.into_iter().chain([cut.as_str(), "last"]).collect();
        for (received, expected) in received.iter().zip(&expected) {
            assert!(
                received == expected,
                "{kind:?}: {} bytes for {}: {:.60}",
                received.len(),
                expected.len(),
                received
            );
        }
        assert_eq!(received.len(), expected.len(), "{kind:?}");
    }
}
