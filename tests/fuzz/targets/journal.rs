//! Bytes of `journalctl --output=export` to entries, their parts to lines, and those to what a log server gets. A
//! container writes the values.
//!
//! The first byte is the size of the pieces in which the bytes come. Beyond "returns": pieces of any size give the same
//! entries; no value is longer than its bound; no byte of a message but line feeds is lost where parts are joined, and
//! no more is held than may be; a frame of syslog is as long as it says, its header one line of printable characters,
//! its message the record's; a request to IBM Cloud Logs is JSON with records that fit.
#![no_main]

use countersign_plan::forwarding::entry::{Entry, MESSAGE_BYTES, Malformed, Parser};
use countersign_plan::forwarding::lines::{LINES, Lines};
use countersign_plan::forwarding::origin::{Source, Told};
use countersign_plan::forwarding::singles::{Batch, Tagged};
use countersign_plan::forwarding::syslog;
use countersign_plan::guest_os::handover::Identity;
use libfuzzer_sys::fuzz_target;

/// Of any value but the message, in bytes.
const VALUE_BYTES: usize = 512;
/// Of a record of IBM Cloud Logs: 32 K.
const RECORD_BYTES: usize = 32 << 10;

/// The entries up to the first byte that does not belong there.
fn entries(input: &[u8], piece: usize) -> (Vec<Entry>, Result<(), Malformed>) {
    let mut parser = Parser::default();
    let mut entries = Vec::new();
    for mut piece in input.chunks(piece) {
        loop {
            match parser.next(&mut piece) {
                Ok(Some(entry)) => entries.push(entry),
                Ok(None) => break,
                Err(malformed) => return (entries, Err(malformed)),
            }
        }
    }
    (entries, Ok(()))
}

/// Whole lines out of entries, in the order in which they go out.
fn joined(entries: &[Entry]) -> Vec<Entry> {
    let (mut lines, mut out) = (Lines::default(), Vec::new());
    for entry in entries {
        while let Some(ended) = lines.ended_before(entry, false) {
            out.push(ended);
        }
        out.extend(lines.join(entry.clone()));
        assert!(lines.held().len() <= LINES);
    }
    while let Some(line) = lines.give_up() {
        out.push(line);
    }
    let bytes = |entries: &[Entry]| entries.iter().map(|entry| entry.message_length).sum::<u64>();
    let line_feeds = (entries.len() - out.len()) as u64;
    assert!(bytes(&out) <= bytes(entries) && bytes(&out) + line_feeds >= bytes(entries));
    out
}

fn bounded(entry: &Entry) {
    let Entry { container, container_id, image, identifier, command, process, .. } = entry;
    for value in [container, container_id, image, identifier, command, process] {
        assert!(value.len() <= VALUE_BYTES);
    }
    assert!(!entry.cursor.is_empty() && entry.cursor.bytes().all(|byte| byte.is_ascii_graphic()));
    assert!(entry.message.len() <= MESSAGE_BYTES && entry.message.len() as u64 <= entry.message_length);
    assert!(entry.severity.is_none_or(|severity| severity < 8) && entry.facility.is_none_or(|f| f < 24));
}

fn framed(entry: &Entry, number: u64, source: Source<'_>) {
    let mut frame = Vec::new();
    syslog::frame(entry, Some(number), source, &mut frame);
    let space = frame.iter().position(|byte| *byte == b' ').expect("a length");
    let length: usize = std::str::from_utf8(&frame[..space]).expect("digits").parse().expect("a length");
    let record = &frame[space + 1..];
    assert_eq!(length, record.len());
    // Six fields without a space, then structured data.
    let element = Told::of(entry, source).element(source.identity.enterprise);
    let data = format!("[meta sequenceId=\"{number}\"]{element} ");
    let mut spaces = (0..record.len()).filter(|at| record[*at] == b' ');
    let (header, message) = record.split_at(spaces.nth(5).expect("a header") + 1 + data.len());
    assert!(header.starts_with(b"<") && header.iter().all(|byte| matches!(byte, b' '..=b'~')));
    assert!(header.ends_with(data.as_bytes()));
    // No value ends before its quotation mark.
    let values = element.replace(r"\\", "").replace(r"\]", "").replace("\\\"", "");
    assert!(values.matches(']').count() == 1 && values.matches('"').count().is_multiple_of(2));
    let whole = entry.message.strip_suffix(b"\n").unwrap_or(&entry.message);
    if entry.message_length <= MESSAGE_BYTES as u64 {
        // UTF-8 with more than ASCII in it has a mark; bytes that are no UTF-8 have none, even if they begin like one.
        let marked = std::str::from_utf8(whole).is_ok_and(|text| !text.is_ascii());
        let mark: &[u8] = if marked { b"\xef\xbb\xbf" } else { b"" };
        assert!(message.strip_prefix(mark) == Some(whole));
    } else {
        assert!(message.ends_with(b" bytes in all]"));
    }
}

fuzz_target!(|input: &[u8]| {
    let Some((piece, bytes)) = input.split_first() else { return };
    let read = entries(bytes, usize::from(*piece) + 1);
    assert!(read == entries(bytes, bytes.len().max(1)));
    let (found, _) = read;
    let tags = ["tag".to_owned()];
    let identity = Identity { enterprise: 32473, contract: "c0ffee".to_owned(), signer: None };
    let source = Source { hostname: "guest", identity: &identity, began: 1 << 20 };
    let mut batch = Batch::default();
    let records = joined(&found);
    for (entry, number) in records.iter().zip(1..) {
        bounded(entry);
        framed(entry, number, source);
        batch.push(entry, Some(number), Tagged { source, tags: &tags });
    }
    let request: Vec<serde_json::Value> =
        serde_json::from_slice(&batch.body(0..batch.len())).expect("an array");
    assert!(request.len() >= records.len());
    assert!(request.iter().all(|record| record.to_string().len() <= RECORD_BYTES));
});
