//! The log records that Countersign sends itself: in the form of RFC 5424, and as an entry of the journal would be.

use super::entry::Entry;
use crate::dates::timestamp;

/// Severity of a record (RFC 5424 section 6.2.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Level {
    /// 3.
    Error,
    /// 6.
    Info,
}

/// Facility `daemon` (RFC 5424 section 6.2.1).
const FACILITY: u8 = 3;
/// The sender's name in every record.
const APP_NAME: &str = "countersignd";

impl Level {
    fn severity(self) -> u8 {
        match self {
            Level::Error => 3,
            Level::Info => 6,
        }
    }
}

/// A record as an entry of the journal would be, without a place in it. `unix_time` is in seconds.
pub fn entry(level: Level, unix_time: i64, text: &str) -> Entry {
    Entry {
        realtime: u64::try_from(unix_time).unwrap_or_default() * 1_000_000,
        severity: Some(level.severity()),
        facility: Some(FACILITY),
        identifier: APP_NAME.into(),
        message: text.into(),
        message_length: text.len() as u64,
        ..Entry::default()
    }
}

/// A record without its frame. `unix_time` is in seconds; `hostname` is a host name, so it holds no space; line
/// breaks in `text` become spaces.
pub fn rfc5424(level: Level, unix_time: i64, hostname: &str, text: &str) -> String {
    let severity = level.severity();
    let text = text.replace(['\n', '\r'], " ");
    format!("<{}>1 {} {hostname} {APP_NAME} - - - {text}", FACILITY * 8 + severity, timestamp(unix_time))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_has_the_fields_of_the_rfc() {
        // date -u -d @1795316096 +%FT%TZ
        assert_eq!(
            rfc5424(Level::Error, 1_795_316_096, "guest", "HPL10000E: a\nb"),
            "<27>1 2026-11-22T02:54:56Z guest countersignd - - - HPL10000E: a b"
        );
    }
}
