//! The log records that Countersign sends itself, as entries of the journal would be.

use countersign_contract::code::Severity;

use super::entry::Entry;
use super::origin::IDENTIFIER;

/// The text of the first record that a log server sees, as HPCR has it.
pub const PROBE: &str = "authentication probe";

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
        identifier: IDENTIFIER.into(),
        message_length: message.len() as u64,
        message,
        own: true,
        ..Entry::default()
    }
}

#[cfg(test)]
mod tests {
    use super::super::origin::tests::{identity, source};
    use super::super::syslog::frame;
    use super::*;

    #[test]
    fn a_record_has_the_fields_of_the_rfc() {
        let mut out = Vec::new();
        // date -u -d @1795316096 +%FT%TZ
        let identity = identity();
        frame(&entry(Severity::Error, 1_795_316_096, "HPL10000E: a\nb"), None, source(&identity), &mut out);
        let record = "<27>1 2026-11-22T02:54:56.000000Z guest countersignd - - [countersign@32473 origin=\"guest\" \
                      code=\"HPL10000E\" contract=\"c0ffee\" signer=\"5e\"] HPL10000E: a b";
        assert_eq!(String::from_utf8(out).unwrap(), format!("{} {record}", record.len()));
    }
}
