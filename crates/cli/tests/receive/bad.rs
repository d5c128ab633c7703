//! Bad clients, and a bad disk: what is confirmed is kept, and guests get in.

use std::fs;
use std::io::{ErrorKind, Read, Write};
use std::net::TcpStream;
use std::path::PathBuf;
use std::process::Command;

use super::world::{Keys, Receiver, Sender, frame, record, records, send, until};

/// Where records stop being records everything before is kept, and nothing is confirmed.
#[test]
fn a_stream_that_is_none_is_told_and_reset() {
    let keys = Keys::new();
    let folder = tempfile::tempdir().unwrap();
    let receiver = Receiver::start(&keys, folder.path(), &[]);
    let whole = frame(&record("guest", 1, "whole"));
    for (number, (bytes, told)) in [
        (&b"<14>1 - - - - - - with a line feed\n"[..], "expected octet counting (RFC 5425)"),
        (b"GET / HTTP/1.1\r\n\r\n", "expected a length in digits"),
        (b"131073 ", "expected records of at most 131072 bytes"),
        (b"99999999999999999999 ", "expected records of at most 131072 bytes"),
    ]
    .into_iter()
    .enumerate()
    {
        let mut sender = Sender::connect(&receiver, &keys, "client");
        sender.send(&[&whole, bytes].concat());
        assert_eq!(sender.ended().unwrap_err().kind(), ErrorKind::ConnectionReset, "{told}");
        receiver.wait_for(told);
        assert_eq!(receiver.records().len(), number + 1, "{told}");
    }
}

#[test]
fn a_goodbye_inside_a_record_confirms_nothing() {
    let keys = Keys::new();
    let folder = tempfile::tempdir().unwrap();
    let receiver = Receiver::start(&keys, folder.path(), &[]);
    let mut sender = Sender::connect(&receiver, &keys, "client");
    sender.send(&[frame(&record("guest", 1, "whole")), b"100 <14>1 half".to_vec()].concat());
    assert!(sender.end().is_err());
    receiver.wait_for("it left inside a record, of which nothing is kept");
    assert_eq!(receiver.records().len(), 1);
}

/// In a frame of its own, and none of RFC 5424: kept as it is, told, and the next one is read.
#[test]
fn what_is_no_record_is_kept_all_the_same() {
    let keys = Keys::new();
    let folder = tempfile::tempdir().unwrap();
    let receiver = Receiver::start(&keys, folder.path(), &[]);
    let old = "<14>Oct 11 22:14:15 host su: of RFC 3164".to_owned();
    send(&receiver, &keys, &[old.clone(), record("guest", 1, "next")]).unwrap();
    let records = receiver.records();
    assert_eq!((&records[0]["msg"], &records[1]["msg"]), (&old.into(), &"next".into()));
    assert!(records[0]["malformed"].is_string());
    receiver.wait_for("what it sends is kept and is no record: expected <PRIVAL>1");
}

/// Connections that say nothing fill the places of those without a certificate, and a guest gets in at once.
#[test]
fn silent_connections_keep_no_guest_out() {
    let keys = Keys::new();
    let folder = tempfile::tempdir().unwrap();
    let receiver = Receiver::start(&keys, folder.path(), &[]);
    let silent: Vec<TcpStream> = (0..200).map(|_| TcpStream::connect(receiver.address).unwrap()).collect();
    send(&receiver, &keys, &[record("guest", 1, "in")]).unwrap();
    assert_eq!(receiver.records().len(), 1);
    receiver.wait_for("too many connections at once");
    // The oldest gave way.
    let mut oldest = &silent[0];
    assert!(!matches!(oldest.read(&mut [0]), Ok(1..)));
}

/// A record of the longest kind, one byte after the other; beside it others are served.
#[test]
fn a_slow_sender_gets_its_record_in_and_holds_up_nobody() {
    let keys = Keys::new();
    let folder = tempfile::tempdir().unwrap();
    let receiver = Receiver::start(&keys, folder.path(), &[]);
    let mut slow = Sender::connect(&receiver, &keys, "client");
    let (long, text) = ("x".repeat(64 << 10), "y".repeat(100));
    for byte in frame(&record("slow", 1, &text)) {
        slow.send(&[byte]);
    }
    send(&receiver, &keys, &[record("guest", 1, &long)]).unwrap();
    slow.end().unwrap();
    let records = receiver.records();
    let of = |host: &str| records.iter().find(|record| record["host"] == host).unwrap()["msg"].clone();
    assert_eq!((of("guest"), of("slow")), (long.into(), text.into()));
}

/// 100 guests at once, each with more than one conversation may hold; memory is bounded, nothing is lost.
#[test]
fn a_hundred_guests_at_once_are_all_taken_within_bounded_memory() {
    let keys = Keys::new();
    let folder = tempfile::tempdir().unwrap();
    let receiver = Receiver::start(&keys, folder.path(), &["--show", "notices"]);
    let (guests, count) = (100, 200);
    // All are in a conversation at once before any ends it.
    let all_in = std::sync::Barrier::new(guests);
    std::thread::scope(|scope| {
        for guest in 0..guests {
            let (receiver, keys, all_in) = (&receiver, &keys, &all_in);
            scope.spawn(move || {
                let mut sender = Sender::connect(receiver, keys, "client");
                let text = "z".repeat(1000);
                let host = format!("guest-{guest}");
                let frames = (1..=count).flat_map(|number| frame(&record(&host, number, &text)));
                sender.send(&frames.collect::<Vec<u8>>());
                all_in.wait();
                sender.end().unwrap();
            });
        }
    });
    assert_eq!(receiver.records().len(), guests * count as usize);
    assert!(!receiver.printed().contains("missing"), "{}", receiver.printed());
    let status = fs::read_to_string(format!("/proc/{}/status", receiver.id())).unwrap();
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    let peak: u64 = peak.split_whitespace().next().unwrap().parse().unwrap();
    println!("100 guests at once: {} records, peak of memory {} MiB", guests * count as usize, peak >> 10);
    assert!(peak < 192 << 10, "{peak} KiB");
}

#[test]
fn two_receivers_on_one_folder_are_one_too_many() {
    let keys = Keys::new();
    let folder = tempfile::tempdir().unwrap();
    let first = Receiver::start(&keys, folder.path(), &[]);
    let mut second = Command::new(env!("CARGO_BIN_EXE_countersign"));
    second.arg("receive").arg(folder.path()).args(["--listen", "127.0.0.1:0"]);
    for (option, file) in [("--cert", "server.crt"), ("--key", "server.key"), ("--clients", "ca.crt")] {
        second.arg(option).arg(keys.path(file));
    }
    let output = second.output().unwrap();
    assert_eq!(output.status.code(), Some(2));
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(
        said.contains("expected no other receiver on this folder; give this one a folder of its own"),
        "{said}"
    );
    send(&first, &keys, &[record("guest", 1, "undisturbed")]).unwrap();
}

/// A disk of 2 MiB, in mounts of the receiver's own: what is confirmed is there, what is not is refused, and with space
/// it goes on.
#[test]
fn a_full_disk_stops_it_and_costs_nothing_that_was_confirmed() {
    if !nix::unistd::geteuid().is_root() {
        eprintln!("skipped: needs root for a small disk");
        return;
    }
    let keys = Keys::new();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("records");
    fs::create_dir(&path).unwrap();
    let mut command = Command::new("unshare");
    let script = format!(
        "mount -t tmpfs -o size=2m none {0} && head -c 1000000 /dev/zero > {0}/filler && exec \"$@\"",
        path.display()
    );
    command.args(["--mount", "sh", "-c", &script, "sh", env!("CARGO_BIN_EXE_countersign")]);
    let receiver = Receiver::start_as(command, &keys, folder.path(), &["--show", "notices"]);
    // As the receiver sees it.
    let inside = PathBuf::from(format!("/proc/{}/root{}", receiver.id(), path.display()));
    let conversation = |round: usize| -> Vec<String> {
        (0..20).map(|line| record("guest", 1, &format!("{round} {line} {}", "x".repeat(2000)))).collect()
    };
    let mut confirmed = Vec::new();
    let mut refused = None;
    for round in 0..200 {
        match send(&receiver, &keys, &conversation(round)) {
            Ok(()) => confirmed.push(round),
            Err(_) => {
                refused = Some(round);
                break;
            }
        }
    }
    let refused = refused.expect("a full disk");
    receiver.wait_for("the disk is full; records are refused until there is space");
    assert!(confirmed.len() > 5);
    let there = |rounds: &[usize]| {
        let found = records(&inside);
        let texts: Vec<&str> = found.iter().map(|record| record["msg"].as_str().unwrap()).collect();
        for round in rounds {
            for line in 0..20 {
                let begin = format!("{round} {line} ");
                assert!(texts.iter().any(|text| text.starts_with(&begin)), "{begin}");
            }
        }
    };
    there(&confirmed);
    assert!(send(&receiver, &keys, &conversation(refused)).is_err());
    fs::remove_file(inside.join("filler")).unwrap();
    until("space", || send(&receiver, &keys, &conversation(refused)).ok());
    confirmed.push(refused);
    there(&confirmed);
}

/// A certificate's holder that floods one conversation is served like any other, and so is the one beside it.
#[test]
fn a_flood_holds_up_no_other() {
    let keys = Keys::new();
    let folder = tempfile::tempdir().unwrap();
    let receiver =
        Receiver::start(&keys, folder.path(), &["--show", "notices", "--rotate", "1", "--keep", "2"]);
    let mut flood = Sender::connect(&receiver, &keys, "client");
    let lines: Vec<u8> =
        (1..=2000).flat_map(|number| frame(&record("flood", number, &"x".repeat(1000)))).collect();
    flood.send(&lines);
    send(&receiver, &keys, &[record("guest", 1, "beside it")]).unwrap();
    flood.stream.write_all(&lines).unwrap();
    flood.end().unwrap();
    let files = fs::read_dir(receiver.folder.join("records")).unwrap().count();
    // Two files of records and the lock.
    assert_eq!(files, 3);
}
