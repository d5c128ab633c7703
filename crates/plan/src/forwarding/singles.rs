//! Records as IBM Cloud Logs takes them, many in one request: a JSON array, `POST` to [`PATH`].
//!
//! Follows "Sending logs by using the API" and "IBM Cloud Logs limits" of the service's documentation
//! (<https://cloud.ibm.com/docs/cloud-logs?topic=cloud-logs-send-logs-api>, `topic=cloud-logs-limits`): 2 MB a request,
//! 32 K a record. `text` may be an object; its members are fields of the record there.
//!
//! | member | from |
//! |---|---|
//! | `applicationName`, `computerName` | the guest's host name |
//! | `subsystemName` | the container's name, else the program's |
//! | `severity` | 6 critical for 0 to 2 of syslog, 5 error, 4 warning, 3 info for notice and info, 1 debug |
//! | `timestamp`, `hiResTimestamp` | when journald took it: milliseconds, and nanoseconds as a string, since 1970 |
//! | `text` | the fields of the journal under their names (`MESSAGE`, `PRIORITY`, `SYSLOG_FACILITY`, `SYSLOG_IDENTIFIER`, `SYSLOG_PID`, `_HOSTNAME`, `CONTAINER_NAME`, `CONTAINER_ID`, `IMAGE_NAME`), `tags` of the contract, `sequenceId` as syslog has it; `countersign`: who wrote it, `origin` and the rest of [`super::origin`] as members |
//!
//! A message that does not fit into one record goes out in several, `part` 1/3, 2/3, 3/3 under one `sequenceId`. JSON is
//! Unicode: bytes that are no UTF-8 become U+FFFD.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::ops::Range;

use serde::Serialize;

use super::entry::{Entry, MESSAGE_BYTES};
use super::origin::{Source, Told};

/// Path of the ingestion address.
pub const PATH: &str = "/logs/v1/singles";

/// Bytes of a record in a request, at most: 32 K, whichever K is meant. A batch of one megabyte and the longest message
/// behind it (64 KiB, each byte at most six in JSON) stays below the 2 MB of a request.
const RECORD_BYTES: usize = 32_000;

/// Severity `notice` of syslog.
const NOTICE: u8 = 5;

/// What all records of a guest have in common.
#[derive(Debug, Clone, Copy)]
pub struct Tagged<'s> {
    /// The guest.
    pub source: Source<'s>,
    /// Marks of the contract.
    pub tags: &'s [String],
}

/// Records that go out together.
#[derive(Debug, Default)]
pub struct Batch {
    /// The records, a comma behind each.
    text: Vec<u8>,
    /// Where each ends, the comma included.
    ends: Vec<usize>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Single<'r> {
    application_name: &'r str,
    subsystem_name: &'r str,
    computer_name: &'r str,
    severity: u8,
    timestamp: u64,
    hi_res_timestamp: String,
    text: Fields<'r>,
}

#[derive(Serialize)]
struct Fields<'r> {
    #[serde(rename = "MESSAGE")]
    message: Cow<'r, str>,
    #[serde(rename = "PRIORITY")]
    priority: String,
    #[serde(rename = "SYSLOG_FACILITY", skip_serializing_if = "Option::is_none")]
    facility: Option<String>,
    #[serde(rename = "SYSLOG_IDENTIFIER", skip_serializing_if = "str::is_empty")]
    identifier: Cow<'r, str>,
    #[serde(rename = "SYSLOG_PID", skip_serializing_if = "str::is_empty")]
    process: Cow<'r, str>,
    #[serde(rename = "_HOSTNAME")]
    hostname: &'r str,
    #[serde(rename = "CONTAINER_NAME", skip_serializing_if = "str::is_empty")]
    container: Cow<'r, str>,
    #[serde(rename = "CONTAINER_ID", skip_serializing_if = "str::is_empty")]
    container_id: Cow<'r, str>,
    #[serde(rename = "IMAGE_NAME", skip_serializing_if = "str::is_empty")]
    image: Cow<'r, str>,
    #[serde(skip_serializing_if = "<[String]>::is_empty")]
    tags: &'r [String],
    countersign: BTreeMap<&'static str, &'r str>,
    #[serde(rename = "sequenceId", skip_serializing_if = "Option::is_none")]
    sequence: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    part: Option<String>,
}

impl Batch {
    /// Adds an entry, which has this number in the journal, if it comes from there. Returns the bytes that it takes.
    pub fn push(&mut self, entry: &Entry, number: Option<u64>, Tagged { source, tags }: Tagged<'_>) -> usize {
        let told = Told::of(entry, source);
        let before = self.text.len();
        let cut = entry.message_length > MESSAGE_BYTES as u64;
        let mut message =
            String::from_utf8_lossy(entry.message.strip_suffix(b"\n").unwrap_or(&entry.message));
        if cut {
            // What is left of the character at the cut.
            let whole = message.trim_end_matches(char::REPLACEMENT_CHARACTER);
            message = format!("{whole} [cut, {} bytes in all]", entry.message_length).into();
        }
        let identifier = String::from_utf8_lossy(&entry.identifier);
        let container = String::from_utf8_lossy(&entry.container);
        let command = String::from_utf8_lossy(&entry.command);
        let subsystem = [&*container, &*identifier, &*command].into_iter().find(|name| !name.is_empty());
        let mut single = Single {
            application_name: source.hostname,
            subsystem_name: subsystem.unwrap_or("journal"),
            computer_name: source.hostname,
            severity: severity(entry.severity.unwrap_or(NOTICE)),
            timestamp: entry.realtime / 1000,
            hi_res_timestamp: format!("{}000", entry.realtime),
            text: Fields {
                message: "".into(),
                priority: entry.severity.unwrap_or(NOTICE).to_string(),
                facility: told.origin.facility().or(entry.facility).map(|facility| facility.to_string()),
                identifier: identifier.as_ref().into(),
                process: String::from_utf8_lossy(&entry.process),
                hostname: source.hostname,
                container: container.as_ref().into(),
                container_id: String::from_utf8_lossy(&entry.container_id),
                image: String::from_utf8_lossy(&entry.image),
                tags,
                countersign: members(&told),
                sequence: number,
                // No message has so many parts: this is the longest such text.
                part: Some("99/99".to_owned()),
            },
        };
        let around = self.add(&single);
        self.take_back();
        let parts = pieces(&message, RECORD_BYTES.saturating_sub(around));
        let count = parts.len();
        for (index, piece) in parts.into_iter().enumerate() {
            single.text.message = piece.into();
            single.text.part = (count > 1).then(|| format!("{}/{count}", index + 1));
            self.add(&single);
        }
        self.text.len() - before
    }

    /// How many records there are.
    pub fn len(&self) -> usize {
        self.ends.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.ends.is_empty()
    }

    /// Takes all out.
    pub fn clear(&mut self) {
        self.text.clear();
        self.ends.clear();
    }

    /// The body of a request with some of the records.
    pub fn body(&self, records: Range<usize>) -> Vec<u8> {
        let end = |count: usize| count.checked_sub(1).map_or(0, |last| self.ends[last]);
        let text = &self.text[end(records.start)..end(records.end)];
        [b"[", text.strip_suffix(b",").unwrap_or(text), b"]"].concat()
    }

    /// Adds a record; how many bytes it has.
    fn add(&mut self, single: &Single<'_>) -> usize {
        let before = self.text.len();
        // Writing to a vector cannot fail, nor can text and numbers be no JSON.
        let _ = serde_json::to_writer(&mut self.text, single);
        self.text.push(b',');
        self.ends.push(self.text.len());
        self.text.len() - before
    }

    fn take_back(&mut self) {
        self.ends.pop();
        self.text.truncate(self.ends.last().copied().unwrap_or_default());
    }
}

/// An entry's origin as members of an object.
fn members(told: &Told) -> BTreeMap<&'static str, &str> {
    let facts = told.facts.iter().map(|(name, value)| (*name, value.as_str()));
    std::iter::once(("origin", told.origin.as_str())).chain(facts).collect()
}

/// A severity of syslog as the service has it.
fn severity(syslog: u8) -> u8 {
    match syslog {
        0..=2 => 6,
        3 => 5,
        4 => 4,
        5 | 6 => 3,
        _ => 1,
    }
}

/// The message in pieces of so many bytes of JSON at most; at least one piece, and a character in each.
fn pieces(message: &str, room: usize) -> Vec<&str> {
    let mut pieces = Vec::new();
    let (mut start, mut length) = (0, 0);
    for (at, character) in message.char_indices() {
        let bytes = match character {
            '"' | '\\' | '\n' | '\r' | '\t' | '\u{8}' | '\u{c}' => 2,
            '\0'..='\u{1f}' => 6,
            other => other.len_utf8(),
        };
        if length > 0 && length + bytes > room {
            pieces.push(&message[start..at]);
            (start, length) = (at, 0);
        }
        length += bytes;
    }
    pieces.push(&message[start..]);
    pieces
}

#[cfg(test)]
mod tests {
    use super::super::entry::tests::entry;
    use super::super::origin::tests::{identity, source};
    use super::*;
    use serde_json::{Value, json};

    const TAGS: &[String] = &[];

    fn pushed(entry: &Entry) -> Vec<Value> {
        let mut batch = Batch::default();
        let identity = identity();
        batch.push(entry, Some(7), Tagged { source: source(&identity), tags: TAGS });
        let records: Vec<Value> = serde_json::from_slice(&batch.body(0..batch.len())).unwrap();
        assert_eq!(records.len(), batch.len());
        for index in 0..batch.len() {
            // Brackets around one record, where the text has a comma.
            assert!(batch.body(index..index + 1).len() <= RECORD_BYTES + 1);
        }
        records
    }

    fn joined(records: &[Value]) -> String {
        records.iter().map(|record| record["text"]["MESSAGE"].as_str().unwrap()).collect()
    }

    #[test]
    fn a_record_has_every_member() {
        let mut entry = entry(b"one\ntwo\n");
        let tags = ["a".to_owned(), "b-1".to_owned()];
        let mut batch = Batch::default();
        let identity = identity();
        let tagged = Tagged { source: source(&identity), tags: &tags };
        let bytes = batch.push(&entry, Some(7), tagged);
        entry.container = b"compose-web-1".to_vec();
        entry.container_id = b"0123".to_vec();
        entry.image = b"r.example/web".to_vec();
        entry.program = b"/usr/bin/conmon".to_vec();
        let more = batch.push(&entry, None, tagged);
        let body = batch.body(0..2);
        assert_eq!(body.len(), bytes + more + 1);
        let text = json!({
            "MESSAGE": "one\ntwo", "PRIORITY": "6", "SYSLOG_FACILITY": "3", "SYSLOG_IDENTIFIER": "systemd",
            "SYSLOG_PID": "1", "_HOSTNAME": "guest", "tags": ["a", "b-1"], "countersign": {"origin": "system"}
        });
        let mut first = json!({
            "applicationName": "guest", "subsystemName": "systemd", "computerName": "guest", "severity": 3,
            "timestamp": 1_795_316_096_000_u64, "hiResTimestamp": "1795316096000042000", "text": text
        });
        let mut second = first.clone();
        first["text"]["sequenceId"] = json!(7);
        second["subsystemName"] = json!("compose-web-1");
        second["text"]["countersign"] = json!({"origin": "container", "id": "0123", "name": "compose-web-1"});
        second["text"]["SYSLOG_FACILITY"] = json!("16");
        second["text"]["CONTAINER_NAME"] = json!("compose-web-1");
        second["text"]["CONTAINER_ID"] = json!("0123");
        second["text"]["IMAGE_NAME"] = json!("r.example/web");
        assert_eq!(serde_json::from_slice::<Value>(&body).unwrap(), json!([first, second]));
        let alone = |range| serde_json::from_slice::<Value>(&batch.body(range)).unwrap();
        assert_eq!((alone(0..1), alone(1..2), alone(1..1)), (json!([first]), json!([second]), json!([])));
        batch.clear();
        assert!(batch.is_empty() && batch.body(0..0) == b"[]");
    }

    #[test]
    fn severities_and_names() {
        let mut entry = entry(b"x");
        let severities: Vec<u64> =
            [Some(0), Some(1), Some(2), Some(3), Some(4), Some(5), None, Some(6), Some(7)]
                .into_iter()
                .map(|severity| {
                    entry.severity = severity;
                    pushed(&entry)[0]["severity"].as_u64().unwrap()
                })
                .collect();
        assert_eq!(severities, [6, 6, 6, 5, 4, 3, 3, 3, 1]);
        entry.identifier.clear();
        entry.command = b"comm".to_vec();
        assert_eq!(pushed(&entry)[0]["subsystemName"], "comm");
        entry.command.clear();
        assert_eq!(pushed(&entry)[0]["subsystemName"], "journal");
        assert!(pushed(&entry)[0]["text"].get("SYSLOG_IDENTIFIER").is_none());
    }

    #[test]
    fn long_messages_arrive_in_parts_that_fit() {
        for (character, parts) in [("y", 3), ("\n", 5), ("\u{1}", 13), ("\u{e9}", 3), ("\u{1f600}", 3)] {
            let message = character.repeat(MESSAGE_BYTES / character.len() - 1) + "x";
            let records = pushed(&entry(message.as_bytes()));
            assert_eq!(joined(&records), message);
            assert_eq!(records.len(), parts, "{character:?}");
            for (index, record) in records.iter().enumerate() {
                assert_eq!(record["text"]["part"], format!("{}/{parts}", index + 1));
                assert_eq!(record["text"]["sequenceId"], 7);
            }
        }
        assert!(pushed(&entry(b"short"))[0]["text"].get("part").is_none());
        assert_eq!(joined(&pushed(&entry(b""))), "");
    }

    #[test]
    fn the_longest_names_leave_room_for_the_message() {
        let mut long = entry("y".repeat(MESSAGE_BYTES).as_bytes());
        for name in [&mut long.container, &mut long.container_id, &mut long.image, &mut long.identifier] {
            *name = vec![1; 512];
        }
        long.process = vec![0xff; 512];
        let tags: Vec<String> = (0..64).map(|_| "t".repeat(64)).collect();
        let mut batch = Batch::default();
        long.program = b"/usr/bin/conmon".to_vec();
        let identity = identity();
        let source = Source { hostname: &"h".repeat(64), ..source(&identity) };
        batch.push(&long, Some(u64::MAX), Tagged { source, tags: &tags });
        for index in 0..batch.len() {
            assert!(batch.body(index..index + 1).len() <= RECORD_BYTES + 1);
        }
        let records: Vec<Value> = serde_json::from_slice(&batch.body(0..batch.len())).unwrap();
        assert_eq!(joined(&records).len(), MESSAGE_BYTES);
    }

    #[test]
    fn a_message_that_was_cut_says_so_and_bytes_become_characters() {
        let mut long = entry("\u{e9}x".repeat(MESSAGE_BYTES).as_bytes());
        long.message.truncate(MESSAGE_BYTES);
        let text = joined(&pushed(&long));
        assert!(text.ends_with(&format!("\u{e9}x [cut, {} bytes in all]", MESSAGE_BYTES * 3)));
        assert_eq!(joined(&pushed(&entry(b"caf\xe9 x"))), "caf\u{fffd} x");
    }
}
