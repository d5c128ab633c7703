//! `open` on a console log with the capsule of a failed boot, which the openssl program sealed.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod support;

use support::Desk;

const TRANSCRIPT: &str = r#"{"version":"1","stages":[{"stage":"parse","started_ms":10,"ms":5,"summary":[]}],"warnings":[],
"failure":{"stage":"unseal","at_ms":20,"code":"HPL11001E","lines":["HPL11001E: a"]},"record":""}"#;

/// The lines of a capsule, as a console shows them among others.
fn console(token: &str) -> Vec<String> {
    let letters: Vec<char> = token.chars().collect();
    let parts: Vec<String> = letters.chunks(300).map(|part| part.iter().collect()).collect();
    let line = |(number, part): (usize, &String)| {
        format!("\u{1b}[0m[  1.5] countersign-capsule: {number}/{} {part}\r\n", parts.len())
    };
    (1..).zip(&parts).map(line).collect()
}

#[test]
fn the_auditor_opens_what_a_console_shows() {
    let desk = Desk::new();
    desk.rsa("auditor", 100);
    desk.rsa("other", 100);
    let token =
        |text: &str| desk.token("hyper-protect-basic", "auditor", text.as_bytes(), b"a passphrase of a line");
    let earlier = console(&token("an earlier boot")).concat();
    let mut lines = console(&token(TRANSCRIPT));
    assert!(lines.len() > 2);
    lines.insert(1, "HPL05200W: something between\r\n".to_owned());
    let mut log = format!("countersign: stage=preflight state=start\n{earlier}").into_bytes();
    // No UTF-8, as a console may have it.
    log.extend(b"\xff\xfe\n");
    log.extend(lines.concat().bytes());
    log.extend(b"countersign: exit=45 stage=unseal code=HPL11001E\n");
    desk.write("console.log", &log);
    assert_eq!(desk.answer(0, "open --key auditor.key console.log", b""), TRANSCRIPT);
    let transcript = desk.answer(0, "open --key auditor.key", &log);
    let table = desk.answer(0, "timeline -", transcript.as_bytes());
    assert!(table.contains("failed at unseal with HPL11001E"), "{table}");
    assert_eq!(desk.answer(1, "open --key other.key console.log", b""), "");
    // A line is lost.
    lines.remove(0);
    let output = desk.countersign("open --key auditor.key", lines.concat().as_bytes());
    assert_eq!((output.status.code(), output.stdout.len()), (Some(2), 0));
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!(said, "countersign: expected all lines of the capsule, from the first to the last\n");
}
