//! Texts with variables: the same result, or refused by both.

use countersign_plan::workload::interpolate::interpolate;

use super::Numbers;
use super::program::{Contract, Program, plain};

const SET: Contract<'_> = &[("A", "a"), ("E", ""), ("D", "$A"), ("k", "low")];

/// What the texts are made of.
const PIECES: [&str; 26] = [
    "$", "$", "${", "${", "${A", "${E", "${N", "}", "}", "{", "A", "E", "N", ":-", "-", ":+", "+", ":?", "?",
    "x", " ", "\n", "1", "_", "\u{212a}", "${D}",
];

fn ours(text: &str) -> Option<String> {
    let lookup = |name: &str| SET.iter().find(|(known, _)| *known == name).map(|(_, value)| *value);
    interpolate(text, 1 << 16, &lookup).ok().map(|read| read.text.to_string())
}

fn compose(texts: &[&str]) -> String {
    let lines: String = texts
        .iter()
        .enumerate()
        .map(|(number, text)| format!("      V{number}: {}\n", serde_json::to_string(text).unwrap()))
        .collect();
    format!("services:\n  web:\n    image: x\n    environment:\n      V: x\n{lines}")
}

#[test]
fn texts_are_replaced_as_the_program_replaces_them() {
    let Some(program) = Program::find() else { return };
    let mut texts: Vec<String> = [
        "$A ${A} $$A $N ${N} $D",
        "${N:-x} ${E:-x} ${E-x} ${A:-x} ${N-}",
        "${A:+y} ${E:+y} ${E+y} ${N+y}",
        "${A:?m} ${E?m}",
        "${N:-${A}} ${N:-${N:-${A}-b}}c ${A:+${N:-z}}",
        "${N:-{}} ${N:-{a}} ${N:-}}",
        "$1 $( $ $-",
        "${N:?m}",
        "${E:?m}",
        "${A:-${N:?m}}",
        "${A",
        "${}",
        "${1}",
        "${A!x}",
        "${A:x}",
        "${N:-a\nb}",
        "$\u{17f} ${\u{212a}} $\u{e4}",
    ]
    .map(str::to_owned)
    .to_vec();
    let mut numbers = Numbers(2);
    texts.extend((0..400).map(|_| numbers.text(&PIECES, 12)));
    let (taken, refused): (Vec<&str>, Vec<&str>) =
        texts.iter().map(String::as_str).partition(|text| ours(text).is_some());
    assert!(taken.len() > 100 && refused.len() > 100, "{} {}", taken.len(), refused.len());
    let model = program.model(&[("compose.yaml", compose(&taken).as_bytes())], SET).unwrap();
    for (number, text) in taken.iter().enumerate() {
        let theirs = plain(&model["services"]["web"]["environment"][format!("V{number}")]);
        assert_eq!(ours(text).unwrap(), theirs, "{text:?}");
    }
    // One call for each: a bounded number.
    for text in refused.iter().take(100) {
        let theirs = program.model(&[("compose.yaml", compose(&[text]).as_bytes())], SET);
        assert!(theirs.is_err(), "{text:?}");
    }
}
