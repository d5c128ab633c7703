//! `CONTRACT.md` and the schemas say the same: every property with its path, nothing else, and defaults.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use countersign_contract::place::SectionName;
use countersign_contract::schema;
use serde_json::Value;

const PAGE: &str = include_str!("../CONTRACT.md");

/// The rows that a schema asks for: path, and default if there is one.
fn rows(schema: &Value, node: &Value, path: &str, found: &mut Vec<(String, Option<String>)>) {
    let node = match node["$ref"].as_str() {
        Some(reference) => schema.pointer(&reference[1..]).unwrap(),
        None => node,
    };
    if !path.is_empty() {
        let default = match &node["default"] {
            Value::Null => None,
            Value::String(text) => Some(text.clone()),
            other => Some(other.to_string()),
        };
        found.push((path.to_owned(), default));
    }
    for (name, child) in node["properties"].as_object().into_iter().flatten() {
        let path = if path.is_empty() { name.clone() } else { format!("{path}.{name}") };
        rows(schema, child, &path, found);
    }
    for (_, child) in node["patternProperties"].as_object().into_iter().flatten() {
        rows(schema, child, &format!("{path}.<name>"), found);
    }
    if node["items"].is_object() {
        rows(schema, &node["items"], &format!("{path}[]"), found);
    }
}

#[test]
fn every_property_is_documented() {
    let mut documented: Vec<&str> = Vec::new();
    for name in [SectionName::Workload, SectionName::Env] {
        let (_, after) = PAGE.split_once(&format!("## Section `{name}`")).unwrap();
        let part = after.split("\n## ").next().unwrap();
        let schema: Value = serde_json::from_str(schema::text(name)).unwrap();
        let mut found = Vec::new();
        rows(&schema, &schema, "", &mut found);
        let lines: Vec<&str> = part.lines().filter(|line| line.starts_with("| `")).collect();
        for (path, default) in &found {
            let line = lines.iter().find(|line| line.starts_with(&format!("| `{path}` |")));
            let line = line.unwrap_or_else(|| panic!("{name}: {path} is not in CONTRACT.md"));
            let cell = line.split(" | ").nth(3).unwrap_or_default().trim().trim_matches('`');
            assert_eq!(cell, default.as_deref().unwrap_or_default(), "{name}: default of {path}");
        }
        assert_eq!(lines.len(), found.len(), "{name}: CONTRACT.md has fields that the schema has not");
        documented.extend(lines);
    }
    assert!(documented.len() > 80);
}
