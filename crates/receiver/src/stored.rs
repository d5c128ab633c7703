//! A line of a stored log as an [`Entry`].
//!
//! | form | who writes it |
//! |---|---|
//! | the plain line | a console |
//! | `<14>1 TIME HOST countersignd …` | RFC 5424 text: rsyslog's `RSYSLOG_SyslogProtocol23Format`, syslog-ng's `format-syslog` |
//! | `TIME HOST countersignd: …` | rsyslog's `RSYSLOG_FileFormat`, syslog-ng with ISO dates; it has no structured data |
//! | an object a line with `app`, `msg`, `time`, `host`, `data` | `countersign receive`, and JSON templates; the names that rsyslog's `jsonmesg`, syslog-ng's `format-json` and journald's `journalctl -o json` have are taken as well |
//!
//! What is no record is `None`. Nothing is verified.

use serde::Deserialize;
use serde_json::Value;

use crate::entry::Entry;
use crate::record::elements;
use crate::time::milliseconds;

/// Bytes of the longest line of text that is looked at: a record and what a log server puts before it.
const LINE: usize = 192 << 10;
/// The same of an object, where a byte can take six.
const OBJECT: usize = 1 << 20;

/// An object of a JSON log. Where names differ between programs the first that is there counts.
#[derive(Default, Deserialize)]
#[serde(default)]
struct Object {
    received: Option<Value>,
    client: Option<Value>,
    severity: Option<Value>,
    #[serde(alias = "timestamp", alias = "timereported", alias = "ISODATE", alias = "__REALTIME_TIMESTAMP")]
    time: Option<Value>,
    #[serde(alias = "hostname", alias = "HOST", alias = "_HOSTNAME")]
    host: Option<Value>,
    #[serde(alias = "app-name", alias = "programname", alias = "PROGRAM", alias = "SYSLOG_IDENTIFIER")]
    app: Option<Value>,
    #[serde(alias = "message", alias = "MESSAGE")]
    msg: Option<Value>,
    #[serde(alias = "structured-data", alias = "SDATA", alias = "SYSLOG_STRUCTURED_DATA")]
    data: Option<Value>,
}

/// What a line is.
pub fn entry(line: &str) -> Option<Entry> {
    if line.starts_with('{') {
        return (line.len() <= OBJECT).then(|| serde_json::from_str(line).ok()).flatten().and_then(object);
    }
    if line.len() > LINE {
        return None;
    }
    let (header, rfc5424) = match line.strip_prefix('<').and_then(|rest| rest.split_once(">1 ")) {
        Some((priority, rest)) if priority.bytes().all(|b| b.is_ascii_digit()) => (rest, true),
        _ => (line, false),
    };
    let mut words = header.splitn(4, ' ');
    let time = words.next().and_then(milliseconds);
    let mut entry = Entry { time, ..Entry::default() };
    if time.is_none() && !rfc5424 {
        // A console's: whatever is there is the guest's, as far as a console can tell.
        line.clone_into(&mut entry.message);
        entry.named = true;
        entry.tell("");
        return Some(entry);
    }
    let (host, app, rest) = (words.next()?, words.next()?, words.next()?);
    host.clone_into(&mut entry.host);
    entry.name(app.trim_end_matches(':').split('[').next().unwrap_or_default());
    let (data, rest) = if rfc5424 {
        // Behind process and message id: none, or elements one behind the other.
        let rest = rest.splitn(3, ' ').nth(2)?;
        match elements(rest.as_bytes()) {
            0 => ("", rest.split_once(' ')?.1),
            length => (&rest[..length], &rest[length..]),
        }
    } else {
        ("", rest)
    };
    entry.message = message(rest.trim_start());
    entry.tell(data);
    Some(entry)
}

/// Without the byte order mark.
fn message(text: &str) -> String {
    text.trim_start_matches('\u{feff}').trim_start().to_owned()
}

fn object(object: Object) -> Option<Entry> {
    let text = |value: Option<Value>| match value {
        Some(Value::String(text)) => text,
        // journald writes what is no text as an array of bytes.
        Some(Value::Array(bytes)) => {
            let byte = |value: &Value| value.as_u64().and_then(|byte| u8::try_from(byte).ok());
            String::from_utf8_lossy(&bytes.iter().filter_map(byte).collect::<Vec<u8>>()).into_owned()
        }
        _ => String::new(),
    };
    let mut entry = Entry {
        received: milliseconds(&text(object.received)),
        client: text(object.client),
        time: time(&text(object.time)),
        host: text(object.host),
        severity: severity(&text(object.severity)),
        message: message(&text(Some(object.msg?))),
        ..Entry::default()
    };
    entry.name(&text(Some(object.app?)));
    match object.data {
        Some(Value::Object(elements)) => entry.tell(&flat(&elements)),
        data => entry.tell(&text(data)),
    }
    Some(entry)
}

/// RFC 3339, or journald's microseconds.
fn time(text: &str) -> Option<i64> {
    milliseconds(text).or_else(|| text.parse::<i64>().ok().map(|microseconds| microseconds / 1000))
}

fn severity(name: &str) -> Option<u8> {
    let at = SEVERITIES.iter().position(|severity| *severity == name)?;
    u8::try_from(at).ok()
}

/// The names of RFC 5424's severities, as rsyslog and syslog-ng write them.
pub const SEVERITIES: [&str; 8] = ["emerg", "alert", "crit", "err", "warning", "notice", "info", "debug"];

/// Structured data as syslog-ng's `format-json` nests it, an object an element, as text again.
fn flat(elements: &serde_json::Map<String, Value>) -> String {
    let mut text = String::new();
    for (name, value) in elements {
        let Value::Object(values) = value else { continue };
        let mut own = String::new();
        for (key, value) in values {
            match value {
                Value::String(value) => own.push_str(&format!(" {key}=\"{}\"", escaped(value))),
                Value::Number(value) => own.push_str(&format!(" {key}=\"{value}\"")),
                _ => {}
            }
        }
        if !own.is_empty() {
            text.push_str(&format!("[{name}{own}]"));
        }
    }
    text
}

fn escaped(value: &str) -> String {
    value.replace('\\', "\\\\").replace('"', "\\\"").replace(']', "\\]")
}

#[cfg(test)]
mod tests {
    use countersign_plan::forwarding::origin::Origin;

    use super::*;

    const DATA: &str =
        r#"[meta sequenceId="141"][countersign@32473 origin="guest" unit="initramfs" stage="parse"]"#;

    #[test]
    fn the_same_record_is_the_same_in_every_form_that_has_structured_data() {
        let message = "countersign: stage=parse state=start";
        let quoted = DATA.replace('"', "\\\"");
        let forms = [
            format!("<30>1 2026-11-30T18:43:00.786319Z guest countersignd - - {DATA} {message}"),
            format!(
                r#"{{"facility":"daemon","severity":"info","time":"2026-11-30T18:43:00.786319Z","host":"guest","app":"countersignd","procid":"-","data":"{quoted}","msg":"{message}"}}"#
            ),
            // rsyslog's jsonmesg.
            format!(
                r#"{{"msg":" {message}","timereported":"2026-11-30T18:43:00.786319+00:00","hostname":"guest","programname":"countersignd","structured-data":"{quoted}","inputname":"imtcp"}}"#
            ),
            // syslog-ng's format-json with the scope rfc5424.
            format!(
                r#"{{"SDATA":{{"meta":{{"sequenceId":"141"}},"countersign@32473":{{"unit":"initramfs","stage":"parse","origin":"guest"}}}},"PROGRAM":"countersignd","MESSAGE":"{message}","ISODATE":"2026-11-30T18:43:00.786+00:00","HOST":"guest"}}"#
            ),
            // journald, to which rsyslog's omjournal gave structured data as a field.
            format!(
                r#"{{"__REALTIME_TIMESTAMP":"1796064180786319","_HOSTNAME":"guest","SYSLOG_IDENTIFIER":"countersignd","SYSLOG_STRUCTURED_DATA":"{quoted}","MESSAGE":"{message}","PRIORITY":"6"}}"#
            ),
        ];
        for form in forms {
            let entry = entry(&form).unwrap();
            assert_eq!(
                (entry.number, entry.origin, entry.named),
                (Some(141), Some(Origin::Guest), true),
                "{form}"
            );
            assert_eq!((&*entry.host, &*entry.stage, &*entry.message), ("guest", "parse", message), "{form}");
            assert_eq!(entry.time.unwrap(), 1_796_064_180_786, "{form}");
        }
    }

    #[test]
    fn forms_without_structured_data_have_no_origin() {
        let file = entry("2026-11-30T18:43:00.786319+00:00 guest countersignd[1]: HPL10001I: x").unwrap();
        assert_eq!((file.origin, file.named, &*file.code), (None, true, "HPL10001I"));
        let console = entry("[    1.2] countersign: stage=parse state=start").unwrap();
        assert_eq!((console.origin, console.named, &*console.stage), (None, true, "parse"));
    }

    #[test]
    fn bytes_that_journald_wrote_as_numbers_are_text() {
        let line = r#"{"SYSLOG_IDENTIFIER":"x","MESSAGE":[97,255,98]}"#;
        assert_eq!(entry(line).unwrap().message, "a\u{fffd}b");
    }

    #[test]
    fn what_is_no_record_is_none() {
        for line in ["{", "{}", r#"{"app":"x"}"#, "<14>1 x", "<14>1 - h a - - [x"] {
            assert_eq!(entry(line), None, "{line}");
        }
        assert_eq!(entry(&"x".repeat(LINE + 1)), None);
    }
}
