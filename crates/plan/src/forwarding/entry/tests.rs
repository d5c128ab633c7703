//! Bytes as `journalctl --output=export` of systemd 252 and 257 prints them, in pieces of every size.

use super::*;

const CURSOR: &str = "s=8c1e3c2b7c7f4a6e9d1f;i=1f4;b=6f5e;m=4b2c1;t=63f2c3a5b7d11;x=9f0e8d7c6b5a4938";

/// Two entries of systemd 257: one plain, one with a line feed in its message.
fn export() -> Vec<u8> {
    let mut bytes = format!(
        "__CURSOR={CURSOR}\n__REALTIME_TIMESTAMP=1795316096000042\n__MONOTONIC_TIMESTAMP=307905\n\
         __SEQNUM=500\n__SEQNUM_ID=8c1e3c2b7c7f4a6e9d1f\n_BOOT_ID=6f5e\nPRIORITY=6\nSYSLOG_FACILITY=3\n\
         SYSLOG_IDENTIFIER=systemd\nSYSLOG_PID=1\n_COMM=systemd\nMESSAGE=Started a=b.\n\
         _TRANSPORT=kernel\n_SOURCE_MONOTONIC_TIMESTAMP=307001\n\n\
         __CURSOR={CURSOR}2\n__REALTIME_TIMESTAMP=1795316097000000\n__MONOTONIC_TIMESTAMP=307906\n\
         __SEQNUM=501\nCONTAINER_NAME=compose-web-1\nCONTAINER_PARTIAL_MESSAGE=true\n_PID=42\n\
         _SYSTEMD_UNIT=countersign-engine.service\n_EXE=/usr/bin/conmon\nMESSAGE\n"
    )
    .into_bytes();
    let message = b"one\n\ntwo=\xff";
    bytes.extend_from_slice(&(message.len() as u64).to_le_bytes());
    bytes.extend_from_slice(message);
    bytes.extend_from_slice(b"\nPRIORITY=3\n\n");
    bytes
}

fn expected() -> Vec<Entry> {
    let first = Entry {
        cursor: CURSOR.into(),
        number: Some(500),
        realtime: 1_795_316_096_000_042,
        monotonic: 307_905,
        severity: Some(6),
        facility: Some(3),
        identifier: b"systemd".to_vec(),
        command: b"systemd".to_vec(),
        process: b"1".to_vec(),
        message: b"Started a=b.".to_vec(),
        message_length: 12,
        transport: b"kernel".to_vec(),
        kernel_time: Some(307_001),
        ..Entry::default()
    };
    let second = Entry {
        cursor: format!("{CURSOR}2"),
        number: Some(501),
        realtime: 1_795_316_097_000_000,
        monotonic: 307_906,
        severity: Some(3),
        container: b"compose-web-1".to_vec(),
        partial: true,
        writer: b"42".to_vec(),
        unit: b"countersign-engine.service".to_vec(),
        program: b"/usr/bin/conmon".to_vec(),
        message: b"one\n\ntwo=\xff".to_vec(),
        message_length: 10,
        ..Entry::default()
    };
    vec![first, second]
}

/// An entry of systemd's with this message.
pub(crate) fn entry(message: &[u8]) -> Entry {
    Entry {
        realtime: 1_795_316_096_000_042,
        severity: Some(6),
        facility: Some(3),
        identifier: b"systemd".to_vec(),
        process: b"1".to_vec(),
        message: message.to_vec(),
        message_length: message.len() as u64,
        ..Entry::default()
    }
}

/// All entries of bytes that come in pieces of this size.
fn parse(bytes: &[u8], piece: usize) -> Result<Vec<Entry>, Malformed> {
    let mut parser = Parser::default();
    let mut entries = Vec::new();
    for mut piece in bytes.chunks(piece) {
        while let Some(entry) = parser.next(&mut piece)? {
            entries.push(entry);
        }
        assert!(piece.is_empty());
    }
    Ok(entries)
}

#[test]
fn entries_are_the_same_in_pieces_of_any_size() {
    let bytes = export();
    for piece in 1..=bytes.len() {
        assert_eq!(parse(&bytes, piece).unwrap(), expected(), "pieces of {piece}");
    }
}

#[test]
fn an_entry_that_has_not_ended_is_none_yet() {
    let bytes = export();
    let entries = parse(&bytes[..bytes.len() - 1], 7).unwrap();
    assert_eq!(entries, expected()[..1]);
}

fn with(field: &[u8]) -> Vec<u8> {
    let mut bytes = format!("__CURSOR={CURSOR}\n__REALTIME_TIMESTAMP=5\n").into_bytes();
    bytes.extend_from_slice(field);
    bytes.extend_from_slice(b"\n\n");
    bytes
}

#[test]
fn no_more_of_a_value_is_kept_than_can_be_sent() {
    let mut field = b"MESSAGE\n".to_vec();
    let length = 3 * MESSAGE_BYTES as u64;
    field.extend_from_slice(&length.to_le_bytes());
    field.extend(std::iter::repeat_n(b'\n', 3 * MESSAGE_BYTES));
    field.extend_from_slice(b"\nSYSLOG_IDENTIFIER=");
    field.extend(std::iter::repeat_n(b'i', 100_000));
    field.extend_from_slice(b"\nANYTHING=");
    field.extend(std::iter::repeat_n(b'x', 100_000));
    let entries = parse(&with(&field), 4096).unwrap();
    assert_eq!((entries[0].message.len(), entries[0].message_length), (MESSAGE_BYTES, length));
    assert_eq!(entries[0].identifier.len(), VALUE_BYTES);
}

#[test]
fn nonsense_of_a_program_in_its_own_fields_is_left_out() {
    let entry = |field: &[u8]| parse(&with(field), 64).unwrap().remove(0);
    assert_eq!(entry(b"PRIORITY=8").severity, None);
    assert_eq!(entry(b"PRIORITY=x").severity, None);
    assert_eq!(entry(b"PRIORITY=\xff").severity, None);
    assert_eq!(entry(b"SYSLOG_FACILITY=24").facility, None);
    assert_eq!(entry(b"SYSLOG_FACILITY=23").facility, Some(23));
    // Of several the first counts, a message that is empty included.
    assert_eq!(entry(b"PRIORITY=2\nPRIORITY=3").severity, Some(2));
    assert_eq!(entry(b"MESSAGE=\nMESSAGE=two").message, b"");
    assert_eq!(entry(b"CONTAINER_NAME=a\nCONTAINER_NAME=b").container, b"a");
    assert!(!entry(b"CONTAINER_PARTIAL_MESSAGE=no").partial);
    // The next entry begins with nothing of this one.
    let two = [with(b"MESSAGE=one\nPRIORITY=2"), with(b"MESSAGE=two")].concat();
    let two = parse(&two, 64).unwrap();
    assert_eq!((two[1].message.as_slice(), two[1].severity), (&b"two"[..], None));
}

#[test]
fn what_is_not_the_format_is_an_error() {
    let cursor = format!("__CURSOR={CURSOR}\n");
    for bytes in [
        "MESSAGE=no cursor\n\n".to_owned(),
        format!("{cursor}MESSAGE=no time\n\n"),
        format!("{cursor}__REALTIME_TIMESTAMP=soon\n\n"),
        "=value\n\n".to_owned(),
        "a b c".repeat(20),
        format!("__CURSOR={}\n", "c".repeat(VALUE_BYTES)),
        "__CURSOR=a b\n".to_owned(),
        // A length that does not fit its value.
        format!("{cursor}MESSAGE\n\u{2}\0\0\0\0\0\0\0abc\n\n"),
    ] {
        for piece in [1, 5, 4096] {
            assert_eq!(parse(bytes.as_bytes(), piece), Err(Malformed), "{bytes}");
        }
    }
    assert_eq!(parse(b"\n\n\n", 1), Ok(Vec::new()));
}
