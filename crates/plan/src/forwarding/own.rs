//! The log records that Countersign sends itself, as entries of the journal would be.

use countersign_contract::code::Severity;

use super::entry::Entry;

/// The text of the first record that a log server sees, as HPCR has it.
pub const PROBE: &str = "authentication probe";

/// Facility `daemon` (RFC 5424 section 6.2.1).
const FACILITY: u8 = 3;
/// The sender's name in every record.
const APP_NAME: &str = "countersignd";

/// The number of RFC 5424 section 6.2.1.
fn number(severity: Severity) -> u8 {
    match severity {
        Severity::Error => 3,
        Severity::Warning => 4,
        Severity::Info => 6,
    }
}

/// A record without a place in the journal. `unix_time` is in seconds; line breaks in `text` become spaces.
pub fn entry(severity: Severity, unix_time: i64, text: &str) -> Entry {
    let message = text.replace(['\n', '\r'], " ").into_bytes();
    Entry {
        realtime: u64::try_from(unix_time).unwrap_or_default() * 1_000_000,
        severity: Some(number(severity)),
        facility: Some(FACILITY),
        identifier: APP_NAME.into(),
        message_length: message.len() as u64,
        message,
        ..Entry::default()
    }
}

#[cfg(test)]
mod tests {
    use super::super::syslog::frame;
    use super::*;

    #[test]
    fn a_record_has_the_fields_of_the_rfc() {
        let mut out = Vec::new();
        // date -u -d @1795316096 +%FT%TZ
        frame(&entry(Severity::Error, 1_795_316_096, "HPL10000E: a\nb"), None, "guest", &mut out);
        let record = "<27>1 2026-11-22T02:54:56.000000Z guest countersignd - - - HPL10000E: a b";
        assert_eq!(String::from_utf8(out).unwrap(), format!("{} {record}", record.len()));
    }
}
