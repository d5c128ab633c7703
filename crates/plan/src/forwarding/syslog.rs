//! An entry of the journal as a record of RFC 5424 in an octet-counted frame (RFC 5425 section 4.3).
//!
//! | part | from |
//! |---|---|
//! | PRI | severity of the entry, notice where it has none; facility daemon of the guest's own, local0 of a container, else the entry's, user where it has none |
//! | TIMESTAMP | when journald took it, UTC with microseconds |
//! | HOSTNAME | the guest's |
//! | APP-NAME | the container's name, else the program's |
//! | PROCID | the process id that the program gave |
//! | MSGID | none |
//! | STRUCTURED-DATA | `[meta sequenceId="…"]` (section 7.3.1): the same number whenever a record is sent again; none for a record that is in no journal. `[countersign@N origin="…" …]`: who wrote it ([`super::origin`]) |
//! | MSG | the message without its last line feed; behind a byte order mark where it is UTF-8 with more than ASCII in it (section 6.4) |

use std::io::Write as _;

use super::entry::{Entry, MESSAGE_BYTES};
use super::origin::{Source, Told};
use crate::dates::timestamp;

/// The largest `sequenceId` (RFC 5424 section 7.3.1).
const MAXIMUM_SEQUENCE_ID: u64 = 2_147_483_647;
/// Facility `user`.
const USER: u8 = 1;
/// Severity `notice`.
const NOTICE: u8 = 5;
/// The longest APP-NAME.
const APP_NAME: usize = 48;
/// The longest PROCID that is a number.
const PROCID: usize = 20;
/// UTF-8 follows.
const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";

/// Adds the frame of an entry to `out`; `number` is the entry's in the journal, counted from 1. The source's host name holds
/// no space.
pub fn frame(entry: &Entry, number: Option<u64>, source: Source<'_>, out: &mut Vec<u8>) {
    let message = entry.message.strip_suffix(b"\n").unwrap_or(&entry.message);
    let cut = entry.message_length > MESSAGE_BYTES as u64;
    let (mark, message) = encoded(message, cut);
    let tail = if cut { format!(" [cut, {} bytes in all]", entry.message_length) } else { String::new() };
    let header = header(entry, number, source);
    let length = header.len() + mark.len() + message.len() + tail.len();
    // Writing to a vector cannot fail.
    let _ = write!(out, "{length} {header}");
    out.extend_from_slice(mark);
    out.extend_from_slice(message);
    out.extend_from_slice(tail.as_bytes());
}

fn header(entry: &Entry, number: Option<u64>, source: Source<'_>) -> String {
    let told = Told::of(entry, source);
    let facility = told.origin.facility().or(entry.facility).unwrap_or(USER);
    let priority = facility * 8 + entry.severity.unwrap_or(NOTICE);
    let seconds = i64::try_from(entry.realtime / 1_000_000).unwrap_or(i64::MAX);
    let time = timestamp(seconds);
    let time = time.trim_end_matches('Z');
    let micros = entry.realtime % 1_000_000;
    let app = app_name(entry);
    let process = match std::str::from_utf8(&entry.process) {
        Ok(id) if !id.is_empty() && id.len() <= PROCID && id.bytes().all(|b| b.is_ascii_digit()) => id,
        _ => "-",
    };
    let sequence = number.map(|number| number.saturating_sub(1) % MAXIMUM_SEQUENCE_ID + 1);
    let meta = sequence.map(|sequence| format!("[meta sequenceId=\"{sequence}\"]")).unwrap_or_default();
    let element = told.element(source.identity.enterprise);
    format!("<{priority}>1 {time}.{micros:06}Z {} {app} {process} - {meta}{element} ", source.hostname)
}

/// The first name that the entry has, as far as the header can hold it. Of a long one beginning and end are kept: the
/// names of a project's containers begin alike.
fn app_name(entry: &Entry) -> String {
    let names = [&entry.container, &entry.identifier, &entry.command];
    let name = names.into_iter().find(|name| !name.is_empty()).map_or(&b"journal"[..], Vec::as_slice);
    let text: String =
        name.iter().map(|byte| if byte.is_ascii_graphic() { char::from(*byte) } else { '_' }).collect();
    match text.len() {
        0..=APP_NAME => text,
        length => format!("{}~{}", &text[..APP_NAME / 2 - 1], &text[length - APP_NAME / 2..]),
    }
}

/// The mark that the message needs, and the message; one that was cut ends with a whole character.
fn encoded(message: &[u8], cut: bool) -> (&'static [u8], &[u8]) {
    let whole = match std::str::from_utf8(message) {
        Ok(_) => message,
        Err(error) if cut && error.error_len().is_none() => &message[..error.valid_up_to()],
        // Not UTF-8: bytes, and no mark.
        Err(_) => return (b"", message),
    };
    if whole.is_ascii() { (b"", whole) } else { (BYTE_ORDER_MARK, whole) }
}

#[cfg(test)]
mod tests {
    use super::super::entry::tests::entry;
    use super::super::origin::tests::{identity, source};
    use super::*;

    fn framed(entry: &Entry, number: u64) -> Vec<u8> {
        let mut out = Vec::new();
        let identity = identity();
        frame(entry, Some(number), source(&identity), &mut out);
        out
    }

    /// The record without its frame, whose length must be right.
    fn text(entry: &Entry, number: u64) -> String {
        let framed = framed(entry, number);
        let space = framed.iter().position(|byte| *byte == b' ').unwrap();
        let length: usize = std::str::from_utf8(&framed[..space]).unwrap().parse().unwrap();
        assert_eq!(length, framed.len() - space - 1);
        String::from_utf8(framed[space + 1..].to_vec()).unwrap()
    }

    #[test]
    fn a_record_has_every_part() {
        // date -u -d @1795316096 +%FT%TZ
        assert_eq!(
            text(&entry(b"one\ntwo\n"), 7),
            "<30>1 2026-11-22T02:54:56.000042Z guest systemd 1 - \
             [meta sequenceId=\"7\"][countersign@32473 origin=\"system\"] one\ntwo"
        );
        let bare = Entry { realtime: 1, ..Entry::default() };
        assert_eq!(
            text(&bare, 1),
            "<13>1 1970-01-01T00:00:00.000001Z guest journal - - \
             [meta sequenceId=\"1\"][countersign@32473 origin=\"system\"] "
        );
    }

    #[test]
    fn numbers_begin_again_behind_the_largest() {
        for (number, id) in [(1, 1), (2_147_483_647, 2_147_483_647), (2_147_483_648, 1), (u64::MAX, 3)] {
            assert!(text(&entry(b"x"), number).contains(&format!("[meta sequenceId=\"{id}\"][")), "{number}");
        }
    }

    #[test]
    fn the_name_is_the_containers_else_the_programs_and_fits_the_header() {
        let mut entry = entry(b"x");
        let name = |entry: &Entry| text(entry, 1).split(' ').nth(3).unwrap().to_owned();
        entry.command = b"comm".to_vec();
        assert_eq!(name(&entry), "systemd");
        entry.identifier.clear();
        assert_eq!(name(&entry), "comm");
        entry.container = "a b\n\u{e9}]".into();
        assert_eq!(name(&entry), "a_b___]");
        let long = "c".repeat(48);
        entry.container = long.clone().into();
        assert_eq!(name(&entry), long);
        entry.container = format!("{}-1", "c".repeat(60)).into();
        assert_eq!(name(&entry), format!("{}~{}-1", "c".repeat(23), "c".repeat(22)));
    }

    #[test]
    fn a_process_id_that_is_none_is_left_out() {
        let mut entry = entry(b"x");
        for id in ["1 2", "x", "", "123456789012345678901"] {
            entry.process = id.into();
            assert!(text(&entry, 1).contains(" systemd - - [meta "), "{id}");
        }
    }

    #[test]
    fn utf8_is_marked_where_it_is_more_than_ascii_and_bytes_stay_bytes() {
        assert!(text(&entry("caf\u{e9}".as_bytes()), 1).ends_with("] \u{feff}caf\u{e9}"));
        let bytes = framed(&entry(b"caf\xe9 x"), 1);
        assert!(bytes.ends_with(b"] caf\xe9 x"), "{bytes:?}");
    }

    #[test]
    fn a_message_of_64_kib_is_whole_and_a_longer_one_says_that_it_is_cut() {
        let whole = "y".repeat(MESSAGE_BYTES);
        assert!(text(&entry(whole.as_bytes()), 1).ends_with(&format!("] {whole}")));
        // The cut falls into the last character.
        let mut long = entry("\u{e9}x".repeat(MESSAGE_BYTES).as_bytes());
        long.message.truncate(MESSAGE_BYTES);
        let text = text(&long, 1);
        assert!(
            text.ends_with(&format!("\u{e9}x [cut, {} bytes in all]", MESSAGE_BYTES * 3)),
            "{}",
            &text[65_000..]
        );
    }
}
