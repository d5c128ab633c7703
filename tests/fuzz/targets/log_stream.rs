//! The stream of a log client to records, those to lines of the store, those back, and all of it counted. Whoever holds a
//! client certificate sends it.
//!
//! The first byte is the size of the pieces in which the bytes come. Beyond "returns": pieces of any size give the same
//! records and the same end; no record is longer than its bound; a line is one line of JSON, from which the same record is
//! read; what is counted adds up; what is shown steers no terminal.
#![no_main]

use countersign_receiver::count::Guests;
use countersign_receiver::frame::{FrameError, Frames, LONGEST};
use countersign_receiver::{line, say, stored};
use libfuzzer_sys::fuzz_target;

/// The records of a stream, and how it ended: inside a record or not, or with what is none.
fn records(stream: &[u8], piece: usize) -> (Vec<Vec<u8>>, Result<bool, FrameError>) {
    let (mut frames, mut found) = (Frames::default(), Vec::new());
    for piece in stream.chunks(piece) {
        frames.push(piece);
        loop {
            match frames.next_record() {
                Ok(Some(record)) => found.push(record.to_vec()),
                Ok(None) => break,
                Err(error) => return (found, Err(error)),
            }
        }
    }
    (found, Ok(frames.is_inside()))
}

fuzz_target!(|input: &[u8]| {
    let Some((piece, bytes)) = input.split_first() else { return };
    let read = records(bytes, usize::from(*piece) + 1);
    assert!(read == records(bytes, bytes.len().max(1)));
    let (mut guests, mut now, mut numbered) = (Guests::new(true), 1_795_316_096_000, 0);
    for record in &read.0 {
        assert!(record.len() <= LONGEST);
        let mut out = Vec::new();
        let entry = line::write(record, now, "c0ffee", &mut out);
        let text = std::str::from_utf8(&out).expect("text");
        assert!(text.ends_with('\n') && text.matches('\n').count() == 1);
        let stored = stored::entry(text.trim_end());
        // Spaces at the beginning and a second byte order mark are not kept apart from the first by every log server.
        let trimmed = |text: &str| text.trim_start_matches('\u{feff}').trim_start().to_owned();
        match (entry, stored) {
            (Ok(entry), Some(stored)) => {
                assert!(trimmed(&entry.message) == trimmed(&stored.message));
                assert!(
                    (entry.number, entry.origin, &entry.host) == (stored.number, stored.origin, &stored.host)
                );
                numbered += u64::from(entry.number.is_some());
                guests.record(&entry, now);
                let shown = say::record(&entry);
                assert!(!shown.chars().any(|letter| letter.is_control() && letter != '\n'));
            }
            (Err(_), None) => {}
            _ => panic!("a record is one in the store too"),
        }
        now += 1_000_000;
        guests.tick(now);
    }
    let boots = guests.boots();
    let counted: u64 = boots.iter().map(|(_, boot)| boot.numbers.records + boot.numbers.repeats).sum();
    assert!(counted <= numbered);
    for (_, boot) in boots {
        let _ = (boot.timeline().table(), boot.timeline().svg(), boot.numbers.missing());
    }
});
