//! The bounds of a contract, each from both sides, for the contract itself and for a section inside it, and the
//! bytes that no text file can hold. What `tests/contracts` can say is said there.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use countersign_contract::envelope::{Envelope, SectionTree};
use countersign_contract::place::SectionName;
use countersign_contract::refusal::Refusal;
use countersign_contract::yaml::{MAX_BYTES, MAX_DEPTH, MAX_NODES};
use countersign_crypto::secret::SectionText;

/// A whole contract around an unknown key `x`, which is read as far as bounds go.
fn outside(x: &str) -> Result<(), String> {
    let text = format!("workload: {{}}\nenv: {{}}\nx: {x}");
    Envelope::parse(text.as_bytes()).map(|_| ()).map_err(all_said)
}

/// A section as text in the contract.
fn inside(x: &str) -> Result<(), String> {
    let text = format!("workload: |\n  x: {x}\nenv: {{}}\n");
    let envelope = Envelope::parse(text.as_bytes()).map_err(all_said)?;
    envelope.workload().tree(None).map(|_| ()).map_err(said)
}

/// A section that was sealed.
fn sealed(x: &str) -> Result<(), String> {
    let text = SectionText::new(format!("x: {x}"));
    SectionTree::unsealed(SectionName::Env, &text).map(|_| ()).map_err(said)
}

fn all_said(refusals: Vec<Refusal>) -> String {
    refusals.into_iter().map(said).collect::<Vec<_>>().join("\n")
}

fn said(refusal: Refusal) -> String {
    format!("{} {refusal}; {}", refusal.code(), refusal.hint())
}

fn refused(result: Result<(), String>, code: &str, place: &str) {
    let said = result.expect_err("must be refused");
    assert!(said.starts_with(&format!("{code} {place}: expected ")), "{said}");
    assert!(said.contains("; "), "{said}");
}

#[test]
fn depth() {
    let nested = |depth: usize| "[".repeat(depth) + &"]".repeat(depth);
    for read in [outside, inside, sealed] {
        // The map around it is one level.
        assert_eq!(read(&nested(MAX_DEPTH - 1)), Ok(()));
    }
    let zeros = "/0".repeat(MAX_DEPTH - 1);
    let beyond = nested(MAX_DEPTH);
    refused(outside(&beyond), "HPL05101E", &format!("/x{zeros} (contract line 3, column 67)"));
    refused(inside(&beyond), "HPL05101E", &format!("/workload/x{zeros} (contract line 2, column 69)"));
    refused(sealed(&beyond), "HPL05101E", &format!("/env/x{zeros} (env line 1, column 67)"));
}

#[test]
fn nodes() {
    let list = |nodes: usize| format!("[{}]", vec!["1"; nodes - 1].join(","));
    // Beside the list: the map and its key; outside also both sections with their keys.
    assert_eq!(outside(&list(MAX_NODES - 6)), Ok(()));
    refused(outside(&list(MAX_NODES - 5)), "HPL05102E", "/x/16377 (contract line 3, column 32759)");
    assert_eq!(sealed(&list(MAX_NODES - 2)), Ok(()));
    refused(sealed(&list(MAX_NODES - 1)), "HPL05102E", "/env/x/16381 (env line 1, column 32767)");
    assert_eq!(inside(&list(MAX_NODES - 2)), Ok(()));
    refused(inside(&list(MAX_NODES - 1)), "HPL05102E", "/workload/x/16381 (contract line 2, column 32769)");
}

#[test]
fn size_and_one_huge_scalar() {
    let around = "workload: {}\nenv: {}\nx: ".len();
    assert_eq!(outside(&"a".repeat(MAX_BYTES - around)), Ok(()));
    refused(outside(&"a".repeat(MAX_BYTES - around + 1)), "HPL05100E", "/");
    assert_eq!(sealed(&"a".repeat(MAX_BYTES - 3)), Ok(()));
    refused(sealed(&"a".repeat(MAX_BYTES - 2)), "HPL05100E", "/env");
}

#[test]
fn bytes_that_are_no_text() {
    let parse = |bytes: &[u8]| Envelope::parse(bytes).map(|_| ()).map_err(all_said);
    refused(parse(b""), "HPL05002E", "/");
    refused(parse(b"\xef\xbb\xbf"), "HPL05002E", "/");
    refused(parse(b"workload: {}\nenv: \xff"), "HPL05103E", "/ (contract line 2, column 6)");
    refused(parse(b"\xfe\xff\0w\0o"), "HPL05103E", "/ (contract line 1, column 1)");
    refused(parse(b"workload: {}\nenv: \0"), "HPL05104E", "/ (contract line 2, column 6)");
    refused(parse(b"workload: {}\nenv: \"\\0\""), "HPL05104E", "/env (contract line 2, column 6)");
    refused(parse("workload: a\u{feff}\n".as_bytes()), "HPL05104E", "/ (contract line 1, column 12)");
    // A NUL that comes to be when the section's text is read.
    refused(sealed("\"a\\0\""), "HPL05104E", "/env/x (env line 1, column 4)");
    let crlf = b"\xef\xbb\xbfworkload: |\r\n  type: workload\r\n  a: 1\r\n  a: 2\r\nenv: {}\r\n";
    let envelope = Envelope::parse(crlf).unwrap();
    let refusal = envelope.workload().tree(None).unwrap_err();
    assert_eq!(
        refusal.to_string(),
        "/workload/a (contract line 4, column 3): expected each key once in its map"
    );
}

#[test]
fn a_bomb_is_refused_at_its_first_anchor() {
    let mut text = "a: &a [x, x]\n".to_owned();
    for (name, before) in ('b'..='z').zip('a'..='y') {
        text += &format!("{name}: &{name} [*{before}, *{before}]\n");
    }
    let refusals = Envelope::parse(text.as_bytes()).unwrap_err();
    let [refusal] = refusals.as_slice() else { panic!("{refusals:?}") };
    assert_eq!(refusal.place().to_string(), "/a (contract line 1, column 4)");
    assert_eq!(refusal.code().as_str(), "HPL05106E");
}
