//! What the reader takes and what it refuses, each refusal with its kind and place, budgets from both sides.

use super::*;
use crate::place::Origin;
use crate::refusal::Refusal;

fn read(text: &str) -> Result<Value, Refusal> {
    parse(text.as_bytes(), &Origin::contract())
}

fn refusal(text: &[u8]) -> (Refusal, String, Option<(u32, u32)>) {
    let refusal = parse(text, &Origin::contract()).expect_err("must be refused");
    let place = refusal.place().clone();
    (refusal, place.pointer.as_str().to_owned(), place.mark.map(|mark| (mark.line, mark.column)))
}

macro_rules! refused {
    ($($name:ident: $text:expr => $kind:ident at $pointer:literal $mark:expr;)*) => {
        $(#[test]
        fn $name() {
            let (refusal, pointer, mark) = refusal($text.as_ref());
            assert!(matches!(refusal, Refusal::$kind(..)), "{refusal:?}");
            assert_eq!((pointer.as_str(), mark), ($pointer, $mark));
        })*
    };
}

refused! {
    duplicate_key: "a: 1\nb:\n  c: 1\n  'c': 2\n" => DuplicateKey at "/b/c" Some((4, 3));
    duplicate_key_in_flow: "{a: 1, \"a\": 2}" => DuplicateKey at "/a" Some((1, 8));
    anchor: "a: &x 1\n" => AnchorOrAlias at "/a" Some((1, 4));
    anchor_on_map: "a: &x\n  b: 1\n" => AnchorOrAlias at "/a" Some((1, 4));
    alias: "a: &x 1\nb: *x\n" => AnchorOrAlias at "/a" Some((1, 4));
    alias_without_anchor: "a: *x\n" => AnchorOrAlias at "/a" Some((1, 4));
    merge_key: "a:\n  <<: {b: 1}\n" => MergeKey at "/a" Some((2, 3));
    tag: "a: !!str 1\n" => Tag at "/a" Some((1, 4));
    local_tag: "a: !secret x\n" => Tag at "/a" Some((1, 4));
    undeclared_tag_handle: "a: !x!y z\n" => Tag at "/a" Some((1, 4));
    several_documents: "a: 1\n---\nb: 1\n" => SeveralDocuments at "" Some((2, 1));
    several_documents_after_end: "a: 1\n...\nb: 1\n" => SeveralDocuments at "" Some((3, 1));
    directive: "# x\n%YAML 1.1\n---\na: yes\n" => Directive at "" Some((2, 1));
    nul_byte: "a: \0" => ControlCharacter at "" Some((1, 4));
    escape_byte: "a: 1\nb: \u{1b}" => ControlCharacter at "" Some((2, 4));
    next_line: "a: 1 # \u{85}b: 2\n" => LineBreak at "" Some((1, 8));
    line_separator: "a: |\n  x\u{2028}  y\n" => LineBreak at "" Some((2, 4));
    paragraph_separator: "a: 'x\u{2029}y'\n" => LineBreak at "" Some((1, 6));
    byte_order_mark_inside: "a: x\u{feff}y" => ControlCharacter at "" Some((1, 5));
    nul_written_as_escape: "a: \"x\\0y\"" => ControlCharacter at "/a" Some((1, 4));
    not_utf8: b"a: 1\nb: \xff\n" => NotUtf8 at "" Some((2, 4));
    utf16: b"\xff\xfea\0:\0" => NotUtf8 at "" Some((1, 1));
    number_as_key: "a:\n  1: x\n" => KeyNotText at "/a" Some((2, 3));
    truth_as_key: "true: x\n" => KeyNotText at "" Some((1, 1));
    null_as_key: "~: x\n" => KeyNotText at "" Some((1, 1));
    map_as_key: "{a: 1}: x\n" => KeyNotText at "" Some((1, 1));
    list_as_key: "? [a]\n: x\n" => KeyNotText at "" Some((1, 3));
    empty: "" => Empty at "" None;
    comment_only: "# nothing\n" => Empty at "" None;
    unclosed_quote: "a: 'x\nb: 1\n" => Syntax at "/a" Some((1, 4));
    unclosed_list: "a: [1, 2\n" => Syntax at "/a/1" Some((1, 4));
    tab_indentation: "a:\n\tb: 1\n" => Syntax at "/a" Some((2, 1));
    tab_behind_a_dash: "a:\n-\tb\n" => Syntax at "/a/0" Some((2, 2));
    text_after_value: "a: 'x' y\n" => Syntax at "/a" Some((1, 8));
}

#[test]
fn syntax_errors_say_what_helps() {
    for (text, words) in [
        ("a: %b\n", "put the value in quotes: it begins with %"),
        ("a: @b\n", "put the value in quotes: it begins with %, @"),
        ("a: `b`\n", "put the value in quotes"),
        ("a: b: c\n", "put the value in quotes: it holds a colon and a blank"),
        ("a:\n\tb: 1\n", "indent with spaces, not with tabs"),
        ("a: 1\n\t\nb: 2\n", "indent with spaces, not with tabs"),
        ("a: 'b\n", "close the quote"),
        ("a: [b\n", "close the bracket or brace"),
        ("a: {b: 1]\n", "close the bracket or brace"),
        ("a: \"b\u{85}\"\n", "as \\N, \\L, \\P in double quotes"),
        ("a: 1\n b: 2\n", "indent the line as far as the others of its map"),
    ] {
        let (refusal, ..) = refusal(text.as_bytes());
        assert!(refusal.hint().contains(words), "{text:?}: {}", refusal.hint());
    }
}

/// What Go's and libyaml's readers take and the letter of YAML 1.2 does not.
#[test]
fn brackets_and_quotes_close_in_the_column_of_their_key() {
    let value = read("env:\n  a: {\n    x: 1\n  }\n  b: [\n1,\n2\n]\n  c: \"d\n  e\n\"\n  f: 'g\nh'\ni: j\n")
        .expect("valid");
    assert_eq!(value.find(["env", "a", "x"]).and_then(Value::as_integer), Some(1));
    assert_eq!(value.find(["env", "b", "1"]).and_then(Value::as_integer), Some(2));
    assert_eq!(value.find(["env", "c"]).and_then(Value::as_text), Some("d e "));
    assert_eq!(value.find(["env", "f"]).and_then(Value::as_text), Some("g h"));
    let entry = value.entry("i").expect("there");
    assert_eq!(entry.key_mark, Mark { line: 14, column: 1 });
}

#[test]
fn tabs_behind_a_colon_and_between_brackets() {
    let value = read("a:\t1\nb:\t\"x\"\t# c\nc: {\n\t\"d\":\t[\n\t\t2,\n\t\t3]\n}\ne: |\n  f\n  \tg\n")
        .expect("valid");
    assert_eq!(value.get("a").and_then(Value::as_integer), Some(1));
    assert_eq!(value.get("b").and_then(Value::as_text), Some("x"));
    let third = value.find(["c", "d", "1"]).expect("there");
    assert_eq!((third.as_integer(), third.mark()), (Some(3), Mark { line: 6, column: 3 }));
    assert_eq!(value.get("e").and_then(Value::as_text), Some("f\n\tg\n"));
}

/// Each group of lines that begin with tabs costs one more look at the text.
#[test]
fn groups_of_tabbed_lines_are_bounded() {
    let groups = |count: usize| "a: [\n\tx,\n y]\n".repeat(count).replace('a', "k");
    let keyed = |count: usize| -> String {
        groups(count)
            .split_inclusive("]\n")
            .enumerate()
            .map(|(at, part)| part.replace('k', &format!("k{at}")))
            .collect()
    };
    assert!(read(&keyed(8)).is_ok());
    let (refusal, ..) = refusal(keyed(9).as_bytes());
    assert!(matches!(refusal, Refusal::Syntax(_, Cause::Tab)), "{refusal:?}");
}

#[test]
fn scalar_styles_and_places() {
    let value =
        read("port: \"6514\"\nplain: 6514\nlist:\n- a\n- |\n  b\n  c\nfold: >-\n  d\n  e\n").expect("valid");
    assert_eq!(value.get("port").and_then(Value::as_text), Some("6514"));
    assert_eq!(value.get("plain").and_then(Value::as_integer), Some(6514));
    let block = value.find(["list", "1"]).expect("there");
    assert_eq!((block.as_text(), block.style()), (Some("b\nc\n"), Some(Style::Literal)));
    assert_eq!(value.get("fold").and_then(Value::as_text), Some("d e"));
    let entry = value.entry("plain").expect("there");
    assert_eq!(
        (entry.key_mark, entry.value.mark()),
        (Mark { line: 2, column: 1 }, Mark { line: 2, column: 8 })
    );
}

#[test]
fn byte_order_mark_and_crlf() {
    let value = read("\u{feff}a: |\r\n  x\r\n  y\r\nb: 1\r\n").expect("valid");
    assert_eq!(value.get("a").and_then(Value::as_text), Some("x\ny\n"));
    let entry = value.entry("b").expect("there");
    assert_eq!(entry.key_mark, Mark { line: 4, column: 1 });
}

#[test]
fn a_document_may_have_its_marks() {
    assert!(read("--- # first\na: 1\n...\n").is_ok());
}

#[test]
fn words_that_were_truth_values_once() {
    let value = read("a: no\nb: yes\nc: on\nd: 017\non: off\n").expect("valid");
    for key in ["a", "b", "c", "d", "on"] {
        assert!(value.get(key).and_then(Value::as_text).is_some(), "{key}");
    }
}

#[test]
fn size_limit() {
    let mut text = vec![b'#'; MAX_BYTES - 5];
    text.extend(b"\na: 1");
    assert_eq!(text.len(), MAX_BYTES);
    assert!(parse(&text, &Origin::contract()).is_ok());
    text.push(b'\n');
    assert!(matches!(refusal(&text).0, Refusal::TooLarge(_)));
}

#[test]
fn depth_limit() {
    let nested = |depth: usize| "[".repeat(depth) + &"]".repeat(depth);
    assert!(read(&nested(MAX_DEPTH)).is_ok());
    assert!(matches!(refusal(nested(MAX_DEPTH + 1).as_bytes()).0, Refusal::TooDeep(_)));
    let block = |depth: usize| "- ".repeat(depth) + "x";
    assert!(read(&block(MAX_DEPTH)).is_ok());
    assert!(matches!(refusal(block(MAX_DEPTH + 1).as_bytes()).0, Refusal::TooDeep(_)));
    // Far beyond the limit, and unclosed: refused by the budget, not by running out of stack.
    assert!(matches!(refusal("[".repeat(200_000).as_bytes()).0, Refusal::TooDeep(_)));
    assert!(matches!(refusal("{a: ".repeat(100_000).as_bytes()).0, Refusal::TooDeep(_)));
}

#[test]
fn node_limit() {
    let list = |nodes: usize| "- 1\n".repeat(nodes - 1);
    assert!(read(&list(MAX_NODES)).is_ok());
    assert!(matches!(refusal(list(MAX_NODES + 1).as_bytes()).0, Refusal::TooManyNodes(_)));
    let map: String = (0..(MAX_NODES - 1) / 2 + 1).map(|number| format!("k{number}: v\n")).collect();
    assert!(matches!(refusal(map.as_bytes()).0, Refusal::TooManyNodes(_)));
}

#[test]
fn debug_shows_no_value() {
    let value = read("seed: canary-7f3a\nlist: [canary-7f3a]\n").expect("valid");
    let shown = format!("{value:?} {:?} {:?} {:?}", value.entries(), value.get("seed"), value.to_json());
    assert!(!shown.contains("canary"), "{shown}");
}

#[test]
fn no_refusal_shows_a_value() {
    for text in [
        "a: canary\nb: 'canary",
        "a: &canary x",
        "a: *canary",
        "a: !canary x",
        "a: [canary",
        "a: canary: b",
        "a: 'canary' b",
        "a: @canary",
        "a: `canary`",
        "a: |canary\n  x",
        "a: %canary\n- b",
        "a: \"\\canary\"",
        "canary",
        "a: !canary!x y",
    ] {
        if let Err(refusal) = read(text) {
            let shown = format!("{refusal} {refusal:?} {:?}", refusal.hint());
            assert!(!shown.contains("canary"), "{text}: {shown}");
        }
    }
}

#[test]
fn json_keeps_the_shape() {
    let value = read("a: [1, true, null, x, 1.5]\nb: {c: '1'}\n").expect("valid");
    let expected = serde_json::json!({"a": [1, true, null, "x", 1.5], "b": {"c": "1"}});
    assert_eq!(value.to_json().expose(), &expected);
}
