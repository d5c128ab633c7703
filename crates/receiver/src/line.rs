//! A record as a line of JSON in the store, and who is told about it: nothing of a record is lost, whatever its bytes.
//!
//! The names are those of the JSON templates in this repository (`time`, `host`, `app`, `procid`, `data`, `msg`), with
//! `received` and `client` (SHA-256 of the client certificate) before them. A message that is no UTF-8 stands in `bytes`
//! too, base64. What is no record of RFC 5424 is kept with `malformed`, which says why.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::Serialize;

use crate::entry::Entry;
use crate::record::{Record, RecordError};
use crate::stored::SEVERITIES;
use crate::time;

/// The names of the facilities of RFC 5424 section 6.2.1, as rsyslog writes them.
const FACILITIES: [&str; 24] = [
    "kern", "user", "mail", "daemon", "auth", "syslog", "lpr", "news", "uucp", "cron", "authpriv", "ftp",
    "ntp", "audit", "alert", "clock", "local0", "local1", "local2", "local3", "local4", "local5", "local6",
    "local7",
];

#[derive(Serialize)]
struct Line<'l> {
    received: &'l str,
    client: &'l str,
    facility: &'l str,
    severity: &'l str,
    time: &'l str,
    host: &'l str,
    app: &'l str,
    procid: &'l str,
    msgid: &'l str,
    data: &'l str,
    msg: &'l str,
    #[serde(skip_serializing_if = "Option::is_none")]
    bytes: Option<String>,
}

#[derive(Serialize)]
struct Malformed<'l> {
    received: &'l str,
    client: &'l str,
    malformed: String,
    msg: &'l str,
    #[serde(skip_serializing_if = "Option::is_none")]
    bytes: Option<String>,
}

/// Adds the line of a record to `out`. Returns what is known of it.
///
/// # Errors
/// It is no record; the line is there all the same.
pub fn write(bytes: &[u8], received: i64, client: &str, out: &mut Vec<u8>) -> Result<Entry, RecordError> {
    let stamp = time::text(received);
    let record = Record::parse(bytes);
    let message = record.as_ref().map_or(bytes, |record| record.message);
    let text = String::from_utf8_lossy(message);
    let bytes = std::str::from_utf8(message).is_err().then(|| STANDARD.encode(message));
    let name = |names: &'static [&str], number: u8| names.get(usize::from(number)).copied().unwrap_or("-");
    // Writing to a vector cannot fail, and neither can text as JSON.
    let _ = match &record {
        Ok(record) => serde_json::to_writer(
            &mut *out,
            &Line {
                received: &stamp,
                client,
                facility: name(&FACILITIES, record.facility),
                severity: name(&SEVERITIES, record.severity),
                time: record.time,
                host: record.host,
                app: record.app,
                procid: record.process,
                msgid: record.id,
                data: &record.data,
                msg: &text,
                bytes,
            },
        ),
        Err(error) => serde_json::to_writer(
            &mut *out,
            &Malformed { received: &stamp, client, malformed: error.to_string(), msg: &text, bytes },
        ),
    };
    out.push(b'\n');
    record.map(|record| Entry::of(&record, received, client))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stored;

    #[test]
    fn what_is_written_is_read_as_the_same_record() {
        let data = r#"[meta sequenceId="7"][countersign@32473 origin="container" id="ab" name="a\"b\]c"]"#;
        let bytes =
            format!("<134>1 2026-11-22T02:54:56.042Z guest web 7 - {data} \u{feff}caf\u{e9} \"q\" \\ \n two");
        let mut out = Vec::new();
        let entry = write(bytes.as_bytes(), 1_795_316_097_000, "c1", &mut out).unwrap();
        let text = String::from_utf8(out).unwrap();
        assert_eq!(text.matches('\n').count(), 1);
        assert_eq!(stored::entry(text.trim_end()), Some(entry.clone()));
        assert_eq!((entry.number, &*entry.container), (Some(7), "a\"b]c"));
        let value: serde_json::Value = serde_json::from_str(&text).unwrap();
        assert_eq!((&value["facility"], &value["severity"]), (&"local0".into(), &"info".into()));
        assert_eq!(value.get("bytes"), None);
    }

    #[test]
    fn bytes_that_are_no_text_are_kept() {
        let mut out = Vec::new();
        write(b"<14>1 - h a - - - caf\xe9", 0, "c1", &mut out).unwrap();
        let value: serde_json::Value = serde_json::from_slice(&out).unwrap();
        assert_eq!(value["bytes"], "Y2Fm6Q==");
        assert_eq!(value["msg"], "caf\u{fffd}");
    }

    #[test]
    fn what_is_no_record_is_kept_and_says_why() {
        let mut out = Vec::new();
        assert_eq!(write(b"<14>Oct 1 old\xff", 0, "c1", &mut out), Err(RecordError::Priority));
        let value: serde_json::Value = serde_json::from_slice(&out).unwrap();
        assert_eq!(value["bytes"], STANDARD.encode(b"<14>Oct 1 old\xff"));
        assert!(value["malformed"].as_str().unwrap().contains("<PRIVAL>1"));
    }
}
