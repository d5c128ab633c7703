//! `CONTRACT.md` and the schemas say the same: the tables of fields are written from the schemas, line by line.
//!
//! With `UPDATE_CONTRACTS=1` the tables are rewritten; read the difference.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::path::Path;

use countersign_contract::place::SectionName;
use countersign_contract::schema;
use serde_json::Value;

/// The rows that a schema asks for: names in alphabetical order, `type` first.
fn rows(schema: &Value, node: &Value, path: &str, needed: bool, found: &mut Vec<String>) {
    let node = match node["$ref"].as_str() {
        Some(reference) => schema.pointer(&reference[1..]).unwrap(),
        None => node,
    };
    if !path.is_empty() {
        found.push(row(node, path, needed));
    }
    let required: Vec<&str> =
        node["required"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
    let mut properties: Vec<_> = node["properties"].as_object().into_iter().flatten().collect();
    properties.sort_by_key(|(name, _)| (*name != "type", *name));
    for (name, child) in properties {
        let path = if path.is_empty() { name.clone() } else { format!("{path}.{name}") };
        rows(schema, child, &path, required.contains(&name.as_str()), found);
    }
    for (_, child) in node["patternProperties"].as_object().into_iter().flatten() {
        rows(schema, child, &format!("{path}.<name>"), false, found);
    }
    if node["items"].is_object() {
        rows(schema, &node["items"], &format!("{path}[]"), false, found);
    }
}

/// One line of the table: path, type, whether it is needed, default, meaning.
fn row(node: &Value, path: &str, needed: bool) -> String {
    let text = |value: &Value| match value {
        Value::Null => String::new(),
        Value::String(text) => format!("`{text}`"),
        other => format!("`{other}`"),
    };
    let choice = !node["const"].is_null() || !node["enum"].is_null();
    let kind = match (&node["const"], node["enum"].as_array(), node["type"].as_str()) {
        (Value::String(word), ..) => format!("`{word}`"),
        (_, Some(words), _) => {
            format!("one of {}", words.iter().map(text).collect::<Vec<_>>().join(", "))
        }
        (.., Some("object")) => "map".to_owned(),
        (.., Some("array")) => "list".to_owned(),
        (.., Some("boolean")) => "`true` or `false`".to_owned(),
        (.., kind) => kind.unwrap_or_else(|| panic!("{path} has no type")).to_owned(),
    };
    let mut meaning: Vec<String> = node["description"].as_str().map(str::to_owned).into_iter().collect();
    if !choice {
        meaning.push(format!("Expected: {}.", node["x-expect"].as_str().unwrap()));
    }
    if let Some(name) = node["x-expect-name"].as_str() {
        meaning.push(format!("Names: {name}."));
    }
    if node["writeOnly"] == true {
        meaning.push("Never shown to containers.".to_owned());
    }
    let needed = if needed { "yes" } else { "" };
    format!("| `{path}` | {kind} | {needed} | {} | {} |", text(&node["default"]), meaning.join(" "))
}

#[test]
fn the_tables_are_those_of_the_schemas() {
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("CONTRACT.md");
    let text = std::fs::read_to_string(&page).unwrap();
    let mut written = text.clone();
    for name in [SectionName::Workload, SectionName::Env] {
        let heading = format!("## Section `{name}`");
        let begin = written.find(&heading).unwrap();
        let end = begin + heading.len() + written[begin + heading.len()..].find("\n## ").unwrap();
        let schema: Value = serde_json::from_str(schema::text(name)).unwrap();
        let mut found = Vec::new();
        rows(&schema, &schema, "", false, &mut found);
        assert!(found.len() > 60, "{name}");
        let part = &written[begin..end];
        let head: Vec<&str> = part.lines().take_while(|line| !line.starts_with("| `")).collect();
        let part = format!("{}\n{}\n", head.join("\n"), found.join("\n"));
        written.replace_range(begin..end, &part);
    }
    if std::env::var_os("UPDATE_CONTRACTS").is_some() {
        std::fs::write(&page, &written).unwrap();
        return;
    }
    for (line, expected) in text.lines().zip(written.lines()) {
        assert_eq!(line, expected, "CONTRACT.md differs from the schema; UPDATE_CONTRACTS=1 rewrites it");
    }
    assert_eq!(text.lines().count(), written.lines().count());
}
