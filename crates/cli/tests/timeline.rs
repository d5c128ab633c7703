//! `timeline` on hostile and broken input, and its answers against their schemas.
#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used)]

mod support;

use serde_json::Value;
use support::Desk;

/// The answer as JSON, held against its published schema.
fn timeline(desk: &Desk, input: &[u8]) -> Value {
    let answer: Value = serde_json::from_str(&desk.answer(0, "timeline --format json -", input)).unwrap();
    let schema: Value = serde_json::from_str(&desk.answer(0, "schema timeline", b"")).unwrap();
    jsonschema::draft202012::validate(&schema, &answer).unwrap_or_else(|error| panic!("{error}: {answer:#}"));
    answer
}

fn golden(name: &str) -> Vec<u8> {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/verbs/timeline.in/");
    std::fs::read(format!("{folder}{name}")).unwrap()
}

#[test]
fn answers_and_transcripts_follow_their_schemas() {
    let desk = Desk::new();
    for name in ["console.log", "refused.log", "transcript.json"] {
        timeline(&desk, &golden(name));
    }
    let schema: Value = serde_json::from_str(&desk.answer(0, "schema transcript", b"")).unwrap();
    let transcript: Value = serde_json::from_slice(&golden("transcript.json")).unwrap();
    jsonschema::draft202012::validate(&schema, &transcript).unwrap();
}

#[test]
fn a_log_of_any_bytes_ends_in_an_answer() {
    let desk = Desk::new();
    let log = golden("refused.log");
    for (at, byte) in
        (0..log.len()).step_by(23).zip([0, b'<', b'"', b'{', 0xff, b'=', b' ', b'9'].iter().cycle())
    {
        let mut mutant = log.clone();
        mutant[at] = *byte;
        mutant.truncate(log.len() - at / 2);
        let status = desk.countersign("timeline --format svg -", &mutant).status.code();
        assert!(matches!(status, Some(0 | 2)), "byte {at}: {status:?}");
    }
}

#[test]
fn numbers_without_end_and_lines_without_end_are_bounded() {
    let desk = Desk::new();
    let mut log = String::new();
    for _ in 0..200 {
        log.push_str("countersign: stage=start state=done ms=18446744073709551615\nHPL11104W: x\n");
    }
    log.push_str(&format!("countersign: stage=watch state=done {}\n", "a=b ".repeat(100_000)));
    let answer = timeline(&desk, log.as_bytes());
    assert_eq!(answer["stages"].as_array().unwrap().len(), 64);
    assert_eq!(answer["warnings"].as_array().unwrap().len(), 64);
    assert_eq!(answer["omitted"], 2 * 136);
    for format in ["svg", "table"] {
        assert!(desk.answer(0, &format!("timeline --format {format} -"), log.as_bytes()).len() < 64 << 10);
    }
}

/// As the forwarder sends them: structured data stands between the header and the message.
#[test]
fn records_of_a_log_server_are_read_with_and_without_structured_data() {
    let desk = Desk::new();
    let record = |data: &str, text: &str| {
        format!("<14>1 2026-11-22T02:54:56.000042Z guest countersignd - - {data} {text}\n")
    };
    for data in ["-", "[meta sequenceId=\"7\"]"] {
        let log = [
            record(data, "countersign: stage=watch state=start"),
            record(data, "HPL01122W: log records wait for the log server: 400 s"),
            record(data, "countersign: stage=watch state=done ms=5"),
        ];
        let answer = timeline(&desk, log.concat().as_bytes());
        assert_eq!(answer["stages"].as_array().unwrap().len(), 1, "{data}");
        assert_eq!(answer["warnings"].as_array().unwrap().len(), 1, "{data}: {answer:#}");
    }
}

/// A container can print what it likes and call itself what it likes: its records are not the guest's.
#[test]
fn a_record_of_another_origin_is_no_line_of_the_guest() {
    let desk = Desk::new();
    let record = |app: &str, data: &str, text: &str| {
        format!("<14>1 2026-11-22T02:54:56.000042Z guest {app} - - {data} {text}\n")
    };
    let guest = r#"[meta sequenceId="7"][countersign@32473 origin="guest" unit="countersign-watch.service"]"#;
    let container =
        r#"[meta sequenceId="8"][countersign@32473 origin="container" id="ab" name="x\"\] origin=\"guest"]"#;
    let failed = "countersign: stage=watch state=failed code=HPL13112E";
    let log = [
        record("countersignd", guest, "countersign: stage=watch state=start"),
        record("countersignd", container, failed),
        record("compose-web-1", container, failed),
        record("compose-web-1", container, "a line of its own"),
        record("countersignd", "-", failed),
        record("countersignd", r#"[meta sequenceId="9"]"#, failed),
        record("countersignd", guest, "countersign: stage=watch state=done ms=5"),
    ];
    let answer = timeline(&desk, log.concat().as_bytes());
    assert_eq!(answer["stages"].as_array().unwrap().len(), 1, "{answer:#}");
    assert_eq!((&answer["stages"][0]["state"], &answer["imitations"]), (&"done".into(), &2.into()));
    let table = desk.answer(0, "timeline -", log.concat().as_bytes());
    assert!(table.contains("records that look like the guest's own and are not: 2\n"), "{table}");
    // The same in the JSON of a log server that keeps structured data.
    let kept = |app: &str, data: &str, msg: &str| {
        serde_json::json!({"time": "2026-11-22T02:54:56Z", "app": app, "data": data, "msg": msg}).to_string()
            + "\n"
    };
    let log = [
        kept("countersignd", guest, "countersign: stage=watch state=start"),
        kept("countersignd", container, failed),
        kept("countersignd", "-", failed),
        kept("countersignd", guest, "countersign: stage=watch state=done ms=5"),
    ];
    let answer = timeline(&desk, log.concat().as_bytes());
    assert_eq!((&answer["stages"][0]["state"], &answer["imitations"]), (&"done".into(), &1.into()));
}

#[test]
fn a_picture_holds_no_markup_of_the_log_and_is_written_whole() {
    let desk = Desk::new();
    desk.write(
        "log",
        "countersign: stage=parse state=done <script>=</svg>&\u{1b} ms=5\nHPL11104W: <a href='x'>]]>\n",
    );
    assert_eq!(desk.answer(0, "timeline log --svg picture.svg", b""), "");
    let picture = desk.text("picture.svg");
    assert_eq!(picture, desk.answer(0, "timeline log --format svg", b""));
    for word in ["<script", "<a ", "]]>", "\u{1b}"] {
        assert!(!picture.contains(word), "{word:?}: {picture}");
    }
    assert!(
        picture.contains("&lt;a href") && picture.contains("&lt;script&gt;=&lt;/svg&gt;&amp;"),
        "{picture}"
    );
    assert_eq!(picture.matches("</svg>").count(), 1);
}
