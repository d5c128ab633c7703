//! The console lines that the guest documents, and what real consoles make of them.

use super::*;

fn stage(stage: Stage, state: State, fields: &[(&str, &str)], ms: Option<u64>) -> Event {
    let fields = fields.iter().map(|&(k, v)| (k.to_owned(), v.to_owned())).collect();
    Event::Stage { stage, state, fields, ms }
}

#[test]
fn the_documented_lines() {
    for (line, expected) in [
        (
            "countersign: stage=unlock state=done volumes=2 ms=812",
            stage(Stage::Unlock, State::Done, &[("volumes", "2")], Some(812)),
        ),
        ("countersign: stage=locate state=start", stage(Stage::Locate, State::Start, &[], None)),
        (
            "countersign: stage=validate state=failed code=HPL05001E pointer=/env/logging/syslog/port line=14 \
             column=7 ms=3",
            stage(
                Stage::Validate,
                State::Failed,
                &[
                    ("code", "HPL05001E"),
                    ("pointer", "/env/logging/syslog/port"),
                    ("line", "14"),
                    ("column", "7"),
                ],
                Some(3),
            ),
        ),
        (
            "HPL05001E: the port is not a number",
            Event::Message { code: "HPL05001E".into(), text: "the port is not a number".into() },
        ),
        (
            "countersign: exit=55 stage=validate code=HPL05001E",
            Event::Exit { status: 55, stage: Some(Stage::Validate), code: Some("HPL05001E".into()) },
        ),
        ("countersign: exit=0", Event::Exit { status: 0, stage: None, code: None }),
        ("Linux version 6.12", Event::Console("Linux version 6.12".into())),
    ] {
        assert_eq!(Event::parse(line), expected, "{line}");
    }
}

#[test]
fn prefixes_of_journal_and_kernel_do_not_matter() {
    let expected = stage(Stage::Logging, State::Done, &[], Some(9));
    for prefix in ["[   12.345678] ", "countersignd[123]: ", "[ 1.0] systemd[1]: countersignd[7]: "] {
        let line = format!("{prefix}countersign: stage=logging state=done ms=9");
        assert_eq!(Event::parse(&line), expected, "{line}");
    }
    assert!(Event::parse("[    3.1] countersignd[9]: HPL10001I: services started").is_message("HPL10001I"));
}

#[test]
fn a_broken_interface_line_is_not_chatter() {
    for line in [
        "countersign: stage=unlok state=done",
        "countersign: stage=unlock state=ready",
        "countersign: stage=unlock",
        "countersign: state=done",
        "countersign: stage=unlock state=done ms=soon",
        "countersign: stage=unlock state=done stage=root",
        "countersign: stage=unlock state=done volumes",
        "countersign: exit=now",
    ] {
        assert_eq!(Event::parse(line), Event::Malformed(line.into()), "{line}");
    }
}

#[test]
fn only_whole_codes_are_messages() {
    for line in
        ["HPL1234E: short", "HPL12345X: severity", "HPL123456: digits", "xHPL12345E: glued", "HPL12345E text"]
    {
        assert_eq!(Event::parse(line), Event::Console(line.into()), "{line}");
    }
    let line = "see HPL1 or HPL07003I: mounted";
    assert_eq!(Event::parse(line), Event::Message { code: "HPL07003I".into(), text: "mounted".into() });
    assert_eq!(Event::parse("HPL1234é: x"), Event::Console("HPL1234é: x".into()));
}

#[test]
fn carriage_returns_and_control_sequences_go() {
    let mut lines = Lines::default();
    let bytes = b"\x1b[0;32m  OK  \x1b[0m] up\r\r\n\x1b]0;title\x07a\x1b]8;;x\x1b\\b\n\x1b[?25h\n";
    assert_eq!(lines.feed(bytes), ["  OK  ] up", "ab", ""]);
    assert_eq!(lines.finish(), None);
}

#[test]
fn portions_of_any_size_give_the_same_lines() {
    let bytes = "α\x1b[1mβ\r\ncountersign: exit=0\r\npart".as_bytes();
    for size in 1..bytes.len() {
        let mut lines = Lines::default();
        let mut all: Vec<_> = bytes.chunks(size).flat_map(|portion| lines.feed(portion)).collect();
        all.extend(lines.finish());
        assert_eq!(all, ["αβ", "countersign: exit=0", "part"], "portions of {size}");
    }
}

#[test]
fn an_endless_line_is_cut() {
    let mut lines = Lines::default();
    let cut = lines.feed(&vec![b'x'; LINE_LIMIT + 5]);
    assert_eq!((cut.len(), cut[0].len()), (1, LINE_LIMIT));
    assert_eq!(lines.finish().unwrap(), "xxxxx");
}

#[test]
fn every_state_reads_back() {
    for state in State::ALL {
        assert_eq!(State::find(&state.to_string()), Some(state));
    }
    assert_eq!(State::find("over"), None);
}
