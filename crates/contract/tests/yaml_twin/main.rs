//! Our reading of YAML beside libyaml's: the same texts taken, with the same values, but for what is refused on purpose.
//!
//! libyaml answers through Python's `yaml` package (Debian: python3-yaml). The compose program's reader, Go's yaml.v3,
//! is a translation of libyaml. Texts are written by hand, made by rule, and made by small accidents.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::collections::BTreeSet;
use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};

use countersign_contract::place::Origin;
use countersign_contract::refusal::Refusal;
use countersign_contract::yaml::{self, Cause, Event, Source, Style, Tag, Unreadable};

mod texts;
use texts::TEXTS;

/// Events as the oracle writes them.
type Answer = Vec<String>;

fn ours(text: &str) -> Result<Answer, Unreadable> {
    let node = |sign: &str, anchor: usize, tag: Option<Tag>| {
        format!("{sign}{}{}", if anchor > 0 { "&" } else { "" }, if tag.is_some() { "!" } else { "" })
    };
    let source = Source::new(text);
    source
        .events()
        .map(|step| {
            step.map(|(event, _)| match event {
                Event::DocumentStart => "D".to_owned(),
                Event::Scalar(value, style, anchor, tag) => {
                    let style = match style {
                        Style::Plain => ":",
                        Style::Quoted => "\"",
                        Style::Literal => "|",
                        Style::Folded => ">",
                    };
                    format!("{}{style}{value}", node("=", anchor, tag))
                }
                Event::SequenceStart(anchor, tag) => node("[", anchor, tag),
                Event::SequenceEnd => "]".to_owned(),
                Event::MappingStart(anchor, tag) => node("{", anchor, tag),
                Event::MappingEnd => "}".to_owned(),
                Event::Alias(_) => "*".to_owned(),
            })
        })
        .collect()
}

fn libyaml(texts: &[String]) -> Vec<Option<Answer>> {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/yaml_twin/libyaml.py");
    let mut python = Command::new("python3")
        .arg(script)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("python3 is installed");
    python.stdin.take().unwrap().write_all(&serde_json::to_vec(texts).unwrap()).unwrap();
    let output = python.wait_with_output().unwrap();
    assert!(output.status.success(), "python3 with the package yaml (Debian: python3-yaml)");
    serde_json::from_slice(&output.stdout).unwrap()
}

/// What is refused although libyaml takes it, each with its reason.
fn stricter(text: &str, cause: Cause) -> bool {
    match cause {
        // Readers of YAML 1.1 and 1.2 see two different texts; a byte order mark belongs to the beginning.
        Cause::LineBreak | Cause::ControlCharacter => true,
        // libyaml takes version 1.2, yaml.v3 does not.
        Cause::Directive => text.starts_with("%YAML 1.2"),
        // Its events know no anchors; who builds values of them refuses what was not anchored.
        Cause::Anchor => true,
        // YAML 1.1 and 1.2 both want a blank before a comment.
        _ if unseparated_comment(text) => true,
        // A single dash or question mark between brackets means one thing in 1.1 and another in 1.2.
        _ if ["-]", "-,", "-}", "- ]", "?"].iter().any(|odd| text.contains(odd)) => true,
        // A comment where an empty block scalar might go on: the parser wants it to be indented as the scalar says.
        _ if comment_in_indented_scalar(text) => true,
        // An empty block scalar in the first column is not inside the list that it would belong to.
        _ => text.lines().any(|line| matches!(line.trim_start().as_bytes().first(), Some(b'|' | b'>'))),
    }
}

/// A block scalar whose header says how far it is indented, and a line that is a comment.
fn comment_in_indented_scalar(text: &str) -> bool {
    let header = text
        .match_indices(['|', '>'])
        .any(|(at, _)| text[at + 1..].chars().take(2).any(|letter| letter.is_ascii_digit()));
    header && text.lines().any(|line| line.trim_start().starts_with('#'))
}

fn unseparated_comment(text: &str) -> bool {
    text.match_indices('#').any(|(at, _)| text[..at].ends_with(|letter: char| !letter.is_whitespace()))
}

/// Refusals that come after the syntax: what a contract does not need.
fn beyond_syntax(refusal: &Refusal) -> bool {
    !matches!(refusal, Refusal::Syntax(..) | Refusal::LineBreak(_) | Refusal::ControlCharacter(_))
}

/// Compares each text; returns how many both took.
fn compare(texts: BTreeSet<String>) -> usize {
    let texts: Vec<String> = texts.into_iter().collect();
    let mut wrong = Vec::new();
    let mut taken = 0;
    for (text, theirs) in texts.iter().zip(libyaml(&texts)) {
        let parsed = yaml::parse(text.as_bytes(), &Origin::contract());
        match (ours(text), theirs) {
            (Ok(ours), Some(theirs)) if ours == theirs => taken += 1,
            (Ok(ours), Some(theirs)) => {
                wrong.push(format!("{text:?}\n   ours   {ours:?}\n   theirs {theirs:?}"))
            }
            (Err(unreadable), Some(_)) if !stricter(text, unreadable.cause) => {
                wrong.push(format!("{text:?}\n   refused here alone: {unreadable:?}"));
            }
            // The tree refuses aliases, tags, several documents and keys that are no text, whatever libyaml says.
            (Ok(_), None) if !parsed.as_ref().is_err_and(beyond_syntax) => {
                wrong.push(format!("{text:?}\n   taken here alone"));
            }
            _ => {}
        }
    }
    assert!(
        wrong.is_empty(),
        "{} of {}:\n{}",
        wrong.len(),
        texts.len(),
        wrong[..wrong.len().min(60)].join("\n")
    );
    taken
}

#[test]
fn texts_written_by_hand() {
    let taken = compare(TEXTS.iter().map(|text| (*text).to_owned()).collect());
    assert!(taken > 150, "only {taken} texts are taken at all");
}

/// Brackets, braces and quotes that close in, before and behind the column of their key.
#[test]
fn what_is_closed_in_the_column_of_its_key() {
    let values = [
        "{\n%x: 1\n%}",
        "[\n%1,\n%2\n%]",
        "\"x\n%y\n%\"",
        "'x\n%y%'",
        "{x: [\n%1\n%]\n%}",
        "[{\n%x: 1\n%}, {\n%y: 2\n%}]",
        "{ # c\n%x: 1, # d\n%}",
        "{\n%\"x\":\n%  [1,\n%  2]}",
    ];
    let around = [
        ("a: ", "\nb: 1\n"),
        ("a:\n  b: ", "\n  c: 1\n"),
        ("a:\n  b: ", "\nc: 1\n"),
        ("- ", "\n- 1\n"),
        ("a:\n- b: ", "\n  c: 1\n"),
        ("a:\n  - b: ", "\n  - c\n"),
        ("a:\n  - ", "\n  - c\n"),
        ("", "\n"),
        ("--- ", "\n"),
    ];
    let mut texts = BTreeSet::new();
    for indent in ["", " ", "  ", "   ", "    ", "\t", " \t", "\t "] {
        for value in values {
            for (before, behind) in around {
                texts.insert(format!("{before}{}{behind}", value.replace('%', indent)));
            }
        }
    }
    assert!(compare(texts) > 300);
}

#[test]
fn block_scalars() {
    let bodies = [
        "  x\n",
        "  x",
        "   x\n  y\n",
        "\n  x\n\n  y\n\n",
        " \n  x\n",
        "   \n  x\n",
        "  x\n   y\n  z\n",
        "\n",
        "\n\n",
        "",
        "  \n",
        "   \n",
        "  x\n \n",
        "  x\n    \n",
        "  \tx\n",
        "\tx\n",
        "  x\n\t\n",
        "  x\n  \ty\n",
        "  x\r\n  y\r\n",
        "  # x\n",
        "  x\n # y\n",
        "  ---\n",
        "  x: y\n  - z\n",
    ];
    let mut texts = BTreeSet::new();
    for style in ["|", ">"] {
        for indent in ["", "1", "2", "3"] {
            for chomp in ["", "-", "+"] {
                for end in ["\n", " # c\n", "\t\n"] {
                    for body in bodies {
                        for (before, behind) in
                            [("a: ", ""), ("a:\n b: ", "c: 1\n"), ("- ", ""), ("- a: ", "  b: 1\n")]
                        {
                            texts.insert(format!("{before}{style}{indent}{chomp}{end}{body}{behind}"));
                        }
                    }
                }
            }
        }
    }
    assert!(compare(texts) > 1000);
}

/// Keys as long as readers look ahead.
#[test]
fn long_keys() {
    let mut texts = BTreeSet::new();
    for length in [1000, 1023, 1024, 1025, 2000] {
        let key = "k".repeat(length);
        for text in
            ["K: 1\n", "\"K\": 1\n", "{K: 1}\n", "{\"K\":1}\n", "? K\n: 1\n", "[K]\n", "a: K\n", "- K: 1\n"]
        {
            texts.insert(text.replace('K', &key));
        }
    }
    compare(texts);
}

/// Whole contracts and compose files, and what a slip of the hand makes of them.
#[test]
fn small_accidents() {
    const BASES: [&str; 12] = [
        "a: 1\nb:\n  c: 2\n",
        "- a\n- b: 1\n  c: 2\n",
        "a:\n  - b\n  - c: {d: 1, e: [1, 2]}\n",
        "a: [1, 2] # c\nb: \"x y\" # d\n",
        "a: |\n  x\n   y\nb: >-\n  z\n  w\n",
        "? a\n: b\nc: d\n",
        "a: 'x\n  y'\nb: x\n  y\n",
        "--- # c\na: 1\n... # d\n",
        "a:\n  b: {\n    c: [\n      1,\n      {d: 'e'}\n    ]\n  }\nf: g\n",
        "services:\n  web:\n    image: \"a:b@c\"\n    command: [\"x\", \"-y\"]\n    environment:\n    - A=b\n    - \"C=d e\"\n    labels: {a.b: c, d: 'e: f'}\n",
        "k: \"a \\\n  b\\tc\n\n  d\"\nl: 'it''s\n  so'\n",
        "x:\n- - a\n  - b\n- c: d\n  e:\n  - f\n  - |-\n    g\n     h\n\n- >+\n  i\n\n",
    ];
    const SLIPS: [&str; 36] = [
        " ", "  ", "\t", "\t", "\n", "\r\n", "\n  ", "\n\t", ":", ": ", ":\t", "-", "- ", "-\t", "#", " #",
        "[", "]", "{", "}", ",", "'", "\"", "|", ">", "%", "? ", "@", "`", "\\", "~", "---\n", "...\n", "é",
        "1", "a",
    ];
    let mut random = Random(1);
    let mut texts: BTreeSet<String> = BASES.iter().map(|text| (*text).to_owned()).collect();
    for base in BASES {
        for at in 0..base.len() {
            texts.insert(base[..at].to_owned());
            texts.insert([&base[..at], &base[at + 1..]].concat());
            texts.insert([&base[..at], "\t", &base[at..]].concat());
            texts.insert([&base[..at], "\t", &base[at + 1..]].concat());
        }
    }
    for _ in 0..6000 {
        let mut text = BASES[random.below(BASES.len())].to_owned();
        for _ in 0..1 + random.below(3) {
            let at = (0..=text.len())
                .filter(|at| text.is_char_boundary(*at))
                .nth(random.below(text.chars().count() + 1))
                .unwrap();
            if random.below(3) == 0 {
                text.truncate(at);
                continue;
            }
            let rest: String = text[at..].chars().skip(random.below(2)).collect();
            text.truncate(at);
            text.push_str(SLIPS[random.below(SLIPS.len())]);
            text.push_str(&rest);
        }
        texts.insert(text);
    }
    assert!(compare(texts) > 1000);
}

/// Marsaglia's xorshift: the same texts on every machine.
struct Random(u64);

impl Random {
    fn below(&mut self, bound: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 % bound as u64) as usize
    }
}
