//! What is said of texts that no reader of YAML takes: the same hint wherever they stand, and none of their values.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use countersign_contract::envelope::Envelope;
use countersign_contract::place::Origin;
use countersign_contract::refusal::Refusal;
use countersign_contract::yaml;

const RESERVED: &str =
    "put the value in quotes: it begins with %, @, ` or another character that yaml reserves";
const BRACES: &str =
    "put the value in quotes: it begins with {{ or {%, where yaml reads a map and not a text";
const BEHIND: &str =
    "put the value in quotes: it begins with [ or { and goes on behind the bracket that closes it";
const BRACKET: &str = "close the bracket or brace, and separate what it holds by commas; put a text that begins with one in \
     quotes";
const COLON: &str = "put the value in quotes: it holds a colon and a blank, or ends with a colon";
const HEADER: &str =
    "put the value in quotes: it begins with | or >, behind which yaml reads a text on the lines below";
const QUOTE: &str = "close the quote where the value ends, and write nothing but a comment behind it; in single quotes write \
     ' twice, in double quotes \\\"";
const ESCAPE: &str = "write \\\\ for a backslash in double quotes, or put the value in single quotes";
const ALIAS: &str = "write the value out at each place, or quote a string that begins with & or *";
const TAG: &str = "remove the tag, or quote a string that begins with !";
const TAB: &str = "indent with spaces, not with tabs";
const ITEM: &str = "begin the list on the line below, or put the value in quotes";
const ENTRY: &str =
    "indent the line as far as the others of its map; the line before it needs a blank behind its colon";
const LINE: &str =
    "write name: value, with a blank behind the colon; a line of a text is indented deeper than its key";
const INDENT: &str = "indent the line as far as the others of its list or map";

/// A text, the place that is named, and what is said.
const CASES: &[(&str, u32, u32, &str)] = &[
    ("a: {{ .canary }}/y\nb: 1\n", 1, 5, BRACES),
    ("a:\n- {{ canary }}\n", 2, 4, BRACES),
    ("a: [{{ canary }}]\n", 1, 6, BRACES),
    ("a: {{ canary\nb: 1\n", 1, 5, BRACES),
    ("a: {% canary %}\n", 1, 5, BRACES),
    ("a: %canary\n", 1, 4, RESERVED),
    ("a: @canary\n", 1, 4, RESERVED),
    ("a: `canary`\n", 1, 4, RESERVED),
    ("a: ,canary\n", 1, 4, RESERVED),
    ("a: ? canary\n", 1, 4, RESERVED),
    ("a:\n  - b: %canary\n", 2, 8, RESERVED),
    ("a: [@canary]\n", 1, 5, RESERVED),
    ("a: *canary\n", 1, 4, ALIAS),
    ("a: */5 * * canary\n", 1, 4, ALIAS),
    ("a: &canary\n", 1, 4, ALIAS),
    ("a: & canary\n", 1, 4, ALIAS),
    ("a: !canary\n", 1, 4, TAG),
    ("a: !@#$canary\n", 1, 4, TAG),
    ("a: canary: c\n", 1, 10, COLON),
    ("a: canary:\n", 1, 10, COLON),
    ("a:\n- b: canary: c\n", 2, 12, COLON),
    ("a: [canary\nc: d\n", 2, 2, BRACKET),
    ("a: {canary\nc: d\n", 2, 2, BRACKET),
    ("a: [canary}\n", 1, 4, BRACKET),
    ("a: ]canary\n", 1, 4, BRACKET),
    ("a: [b] canary\n", 1, 8, BEHIND),
    ("a: {b}canary\nd: e\n", 1, 7, BEHIND),
    ("a: |canary\n", 1, 4, HEADER),
    ("a: > canary\n", 1, 4, HEADER),
    ("a: 'canary\nc: d\n", 1, 4, QUOTE),
    ("a: \"canary\nc: d\n", 1, 4, QUOTE),
    ("a: 'it's canary'\n", 1, 8, QUOTE),
    ("a: \"b\" canary\n", 1, 8, QUOTE),
    ("a: \"\\dcanary\"\n", 1, 4, ESCAPE),
    ("a: - canary\n", 1, 4, ITEM),
    ("a: -\n", 1, 4, ITEM),
    ("a:\n\tb: canary\n", 2, 1, TAB),
    ("a: canary\n\tb: 2\n", 1, 4, TAB),
    ("a: canary\n b: 2\n", 2, 3, ENTRY),
    ("b:\n  a:canary\n  c: d\n", 3, 4, ENTRY),
    ("c: d\na:canary\n", 2, 1, LINE),
    ("a: |\n  b\ncanary\nc: d\n", 3, 1, LINE),
    ("a:\n-----canary-----\nb\n", 2, 1, LINE),
    ("a:\n  - canary\n  c: 1\n", 3, 3, INDENT),
    ("a: canary\n- b\n", 2, 3, INDENT),
];

fn says(refusal: &Refusal, text: &str, line: u32, column: u32, hint: &str) {
    let mark = refusal.place().mark.unwrap();
    assert_eq!((mark.line, mark.column), (line, column), "{text:?}: {refusal}");
    assert_eq!(refusal.hint(), hint, "{text:?}: {refusal}");
    let shown = format!("{refusal} {refusal:?} {}", refusal.hint());
    // Names may be shown, and what was to be a value may be taken for one.
    let shown = shown.replace(refusal.place().pointer.as_str(), "");
    assert!(!shown.contains("canary"), "{shown}");
}

#[test]
fn what_a_value_begins_with_is_told() {
    for (text, line, column, hint) in CASES {
        let refusal = yaml::parse(text.as_bytes(), &Origin::contract()).unwrap_err();
        says(&refusal, text, *line, *column, hint);
    }
}

#[test]
fn the_outer_contract_and_its_sections_say_the_same() {
    for (text, line, column, hint) in CASES {
        let outer = format!("workload: x\nenv: y\n{text}");
        let refusals = Envelope::parse(outer.as_bytes()).unwrap_err();
        assert_eq!(refusals.len(), 1, "{outer}");
        says(&refusals[0], text, line + 2, *column, hint);

        let section: String = text.lines().map(|line| format!("  {line}\n")).collect();
        let whole = format!("workload: |\n{section}env: y\n");
        let envelope = Envelope::parse(whole.as_bytes()).expect("the outer contract is yaml");
        let refusal = envelope.workload().tree(None).unwrap_err();
        says(&refusal, text, line + 1, column + 2, hint);
    }
}
