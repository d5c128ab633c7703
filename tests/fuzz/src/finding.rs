//! What holds for every finding, whatever the input was.

use countersign_contract::code::Code;
use countersign_contract::refusal::{Finding, Refusal};
use countersign_contract::yaml::Value;

use crate::CANARY;

/// A finding has a code of the catalogue, a place, one line of text, and no value in it.
///
/// `keys_are_clean`: no key of the input holds the planted word. Keys may be named, values may not.
pub fn check(finding: &Finding, keys_are_clean: bool) {
    assert!(Code::ALL.contains(&finding.code));
    let pointer = finding.pointer.as_str();
    assert!(pointer.is_empty() || pointer.starts_with('/'), "no JSON pointer");
    assert_eq!(finding.line.is_some(), finding.column.is_some());
    assert!(finding.line != Some(0) && finding.column != Some(0), "lines and columns count from one");
    assert!(!finding.message.is_empty());
    let shown = finding.to_string();
    assert!(!shown.contains(['\n', '\r', '\u{1b}', '\0']), "more than a line: {shown:?}");
    assert!(!finding.message.contains(CANARY), "a value is shown: {shown}");
    if keys_are_clean {
        assert!(!format!("{shown} {finding:?}").contains(CANARY), "a value is shown: {shown}");
    }
}

/// As [`check`], for a refusal.
pub fn check_refusal(refusal: &Refusal, keys_are_clean: bool) {
    check(&Finding::from(refusal), keys_are_clean);
    let shown = refusal.to_string();
    assert!(!keys_are_clean || !shown.contains(CANARY), "a value is shown: {shown}");
}

/// Whether no key of the tree holds the planted word.
pub fn keys_are_clean(value: &Value) -> bool {
    value.items().iter().all(keys_are_clean)
        && value.entries().iter().all(|entry| !entry.key.contains(CANARY) && keys_are_clean(&entry.value))
}
