//! The tables under `tests/contracts`: contracts with the findings that they must give, no more and no fewer.
//!
//! The lines that begin with `#> ` at the head of a file are the expected findings, one a line, in the order of
//! the report: code, text, pointer, line and column, message, hint. `@name@` stands for material that is made
//! by the openssl program at run time. With `UPDATE_CONTRACTS=1` the heads are rewritten; read the difference.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod support;

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use countersign_contract::code::{Code, Severity};
use countersign_contract::refusal::Finding;
use countersign_contract::yaml::{MAX_BYTES, MAX_DEPTH, MAX_NODES};
use support::{Material, read, report};

fn folder(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/contracts").join(name)
}

fn cases(name: &str) -> Vec<PathBuf> {
    let mut cases: Vec<PathBuf> =
        fs::read_dir(folder(name)).unwrap().map(|entry| entry.unwrap().path()).collect();
    cases.sort();
    cases
}

fn line(finding: &Finding) -> String {
    let mark = match (finding.line, finding.column) {
        (Some(line), Some(column)) => format!("{line}:{column}"),
        _ => "-".to_owned(),
    };
    let hint = finding.hint.as_deref().map_or(String::new(), |hint| format!("; {hint}"));
    format!(
        "#> {} {} {} {mark} {}{hint}",
        finding.code,
        finding.section.as_str(),
        finding.pointer,
        finding.message
    )
}

/// Runs one case and returns its findings.
fn run(case: &Path, material: &Material) -> Vec<Finding> {
    let text = fs::read_to_string(case).unwrap();
    let expected: Vec<&str> = text.lines().take_while(|line| line.starts_with("#> ")).collect();
    let findings = report(material.fill(&text).as_bytes());
    let found: Vec<String> = findings.iter().map(line).collect();
    if std::env::var_os("UPDATE_CONTRACTS").is_some() && expected != found {
        let body: Vec<&str> = text.lines().skip(expected.len()).collect();
        // Head lines count: pad so that the second run finds the same lines.
        fs::write(case, found.iter().map(String::as_str).chain(body).collect::<Vec<_>>().join("\n") + "\n")
            .unwrap();
        return run(case, material);
    }
    assert_eq!(found, expected, "{}", case.display());
    findings
}

#[test]
fn valid_contracts_have_no_errors() {
    let material = Material::new();
    for case in cases("valid") {
        let findings = run(&case, &material);
        assert!(findings.iter().all(|finding| finding.severity != Severity::Error), "{}", case.display());
    }
}

#[test]
fn invalid_contracts_are_refused() {
    let material = Material::new();
    for case in cases("invalid") {
        let findings = run(&case, &material);
        assert!(findings.iter().any(|finding| finding.severity == Severity::Error), "{}", case.display());
    }
}

#[test]
fn every_contract_code_has_a_case() {
    let material = Material::new();
    let found: Vec<Code> = ["valid", "invalid"]
        .into_iter()
        .flat_map(cases)
        .flat_map(|case| run(&case, &material))
        .map(|f| f.code)
        .collect();
    // These need bytes that no text file with a head can hold; the tests of `yaml` have them.
    // The last two are given by the author's command, which knows the time and has an author, and tested there.
    let elsewhere = [
        "HPL05100E",
        "HPL05101E",
        "HPL05102E",
        "HPL05103E",
        "HPL05104E",
        "HPL05002E",
        "HPL05206W",
        "HPL05207I",
    ];
    for code in Code::ALL.iter().filter(|code| code.as_str().starts_with("HPL05")) {
        assert!(
            found.contains(code) || elsewhere.contains(&code.as_str()),
            "no case for {code} {}",
            code.name()
        );
    }
}

/// The variants of `Refusal`, from its source: the type cannot list them.
fn variants() -> BTreeSet<String> {
    let (_, after) = include_str!("../src/refusal.rs").split_once("pub enum Refusal {\n").unwrap();
    let (body, _) = after.split_once("\n}").unwrap();
    let names = body.lines().filter_map(|line| {
        let name = line.strip_prefix("    ")?;
        name.starts_with(|letter: char| letter.is_ascii_uppercase()).then(|| variant(name))
    });
    names.collect()
}

/// The name at the beginning of a variant, in its declaration or its `Debug` form.
fn variant(text: &str) -> String {
    text.chars().take_while(char::is_ascii_alphanumeric).collect()
}

#[test]
fn every_refusal_has_a_case() {
    let material = Material::new();
    let mut texts: Vec<Vec<u8>> = cases("invalid")
        .into_iter()
        .map(|case| material.fill(&fs::read_to_string(case).unwrap()).into_bytes())
        .collect();
    // Bytes that no text file with a head can hold; `bounds.rs` has their places.
    texts.push(vec![b'#'; MAX_BYTES + 1]);
    texts.push(b"\xff".to_vec());
    texts.push(b"\0".to_vec());
    texts.push([vec![b'['; MAX_DEPTH + 1], vec![b']'; MAX_DEPTH + 1]].concat());
    texts.push(b"- 1\n".repeat(MAX_NODES));
    texts.push(Vec::new());
    let (mut refusals, mut findings) = (Vec::new(), Vec::new());
    for text in &texts {
        read(text, &mut refusals, &mut findings);
    }
    let mut seen: BTreeSet<String> =
        refusals.iter().map(|refusal| variant(&format!("{refusal:?}"))).collect();
    // The model hands these out as findings.
    if findings.iter().any(|finding| finding.code == Code::UnsupportedField) {
        seen.insert("Unsupported".to_owned());
    }
    assert!(seen.len() > 20);
    assert_eq!(seen, variants());
}

/// A contract with a canary in every string that could be secret, as JSON, which is YAML too.
fn full(material: &Material) -> serde_json::Value {
    let text = fs::read_to_string(folder("full.json")).unwrap();
    serde_json::from_str(&material.fill(&text)).unwrap()
}

#[test]
fn the_full_contract_has_only_unsupported_fields() {
    let material = Material::new();
    let findings = report(full(&material).to_string().as_bytes());
    let errors: Vec<&Finding> =
        findings.iter().filter(|finding| finding.severity == Severity::Error).collect();
    assert!(errors.iter().all(|finding| finding.code == Code::UnsupportedField), "{errors:#?}");
    assert!(errors.len() > 5);
}

/// All pointers of a tree.
fn pointers(value: &serde_json::Value, at: String, found: &mut Vec<String>) {
    match value {
        serde_json::Value::Object(map) => {
            for (name, child) in map {
                let at = format!("{at}/{}", name.replace('~', "~0").replace('/', "~1"));
                pointers(child, at, found);
            }
        }
        serde_json::Value::Array(items) => {
            for (index, child) in items.iter().enumerate() {
                pointers(child, format!("{at}/{index}"), found);
            }
        }
        _ => {}
    }
    found.push(at);
}

#[test]
fn no_broken_rule_shows_a_value() {
    let material = Material::new();
    let full = full(&material);
    let mut places = Vec::new();
    pointers(&full, String::new(), &mut places);
    assert!(places.len() > 80);
    let wrong = [
        serde_json::json!(7),
        serde_json::json!(null),
        serde_json::json!("canary wrong \u{7f} value"),
        serde_json::json!("hyper-protect-basic.canary"),
        serde_json::json!(["canary wrong"]),
        serde_json::json!({"type": "canary wrong", "extra": "canary wrong"}),
        serde_json::json!({}),
    ];
    let mut refused = 0;
    for place in &places {
        for value in &wrong {
            let mut broken = full.clone();
            *broken.pointer_mut(place).unwrap() = value.clone();
            for finding in report(broken.to_string().as_bytes()) {
                let shown = format!("{finding} {finding:?}");
                assert!(!shown.contains("canary"), "{place}: {shown}");
                refused += usize::from(finding.code == Code::ContractInvalid);
            }
        }
    }
    assert!(refused > 200, "the mutants break rules: {refused}");
}
