//! The schema texts themselves: they compile, every node explains itself, and every rule has a contract in
//! `tests/contracts/invalid` that breaks it.

use std::collections::BTreeSet;
use std::path::Path;

use super::*;

fn every_node<'s>(node: &'s Json, at: String, visit: &mut impl FnMut(&str, &'s Json)) {
    visit(&at, node);
    for key in ["properties", "patternProperties", "$defs"] {
        if let Some(map) = node.get(key).and_then(Json::as_object) {
            for (name, child) in map {
                every_node(child, format!("{at}/{name}"), visit);
            }
        }
    }
    if let Some(items) = node.get("items") {
        every_node(items, format!("{at}/items"), visit);
    }
}

#[test]
fn what_was_compiled_is_let_go_and_compiled_anew() {
    let before = Schema::of(SectionName::Env);
    release();
    let after = Schema::of(SectionName::Env);
    assert!(!Arc::ptr_eq(&before, &after));
    assert_eq!(before.json, after.json);
}

#[test]
fn every_node_says_what_is_expected() {
    for name in [SectionName::Workload, SectionName::Env] {
        let schema = Schema::of(name);
        let schema = &schema.json;
        every_node(schema, name.to_string(), &mut |at, node| {
            if node.get("$ref").is_some() {
                let target = follow(schema, node);
                assert!(!std::ptr::eq(target, node), "{at}: the reference leads nowhere");
                return;
            }
            assert!(note(node, "x-expect").is_some(), "{at} has no x-expect");
            assert!(note(node, "x-hint").is_some(), "{at} has no x-hint");
            let named = node.get("patternProperties").is_some();
            assert_eq!(note(node, "x-expect-name").is_some(), named, "{at}: x-expect-name");
            assert_eq!(note(node, "x-hint-name").is_some(), named, "{at}: x-hint-name");
        });
    }
}

#[test]
fn every_property_has_title_and_description() {
    for name in [SectionName::Workload, SectionName::Env] {
        let schema = Schema::of(name);
        let schema = &schema.json;
        every_node(schema, name.to_string(), &mut |at, node| {
            for (property, child) in node.get("properties").and_then(Json::as_object).into_iter().flatten() {
                let child = follow(schema, child);
                assert!(child.get("title").is_some(), "{at}/{property} has no title");
                assert!(child.get("description").is_some(), "{at}/{property} has no description");
            }
        });
    }
}

#[test]
fn shared_definitions_are_the_same() {
    let (workload, env) = (Schema::of(SectionName::Workload), Schema::of(SectionName::Env));
    let (workload, env) = (&workload.json["$defs"], &env.json["$defs"]);
    for (name, definition) in env.as_object().expect("a map") {
        assert_eq!(Some(definition), workload.get(name), "{name}");
    }
}

/// Whoever goes through a section takes the one pattern that a map has.
#[test]
fn names_of_a_map_have_one_pattern() {
    for name in [SectionName::Workload, SectionName::Env] {
        every_node(&Schema::of(name).json, name.to_string(), &mut |at, node| {
            let patterns = node.get("patternProperties").and_then(Json::as_object);
            assert!(patterns.is_none_or(|patterns| patterns.len() == 1), "{at}");
        });
    }
}

/// Keywords that annotate or structure, and refuse nothing themselves.
const NO_RULES: [&str; 18] = [
    "$schema",
    "$id",
    "$ref",
    "$defs",
    "title",
    "description",
    "default",
    "deprecated",
    "writeOnly",
    "properties",
    "patternProperties",
    "items",
    "if",
    "x-expect",
    "x-hint",
    "x-expect-name",
    "x-hint-name",
    "x-hint-type",
];

/// Every rule below a node, as the pointer of its keyword; of `required` one for each name.
fn rules(node: &Json, at: &str, found: &mut BTreeSet<String>) {
    for (keyword, value) in node.as_object().into_iter().flatten() {
        let here = format!("{at}/{keyword}");
        match keyword.as_str() {
            "$defs" | "properties" | "patternProperties" => {
                for (name, child) in value.as_object().expect("a map") {
                    rules(child, Pointer::root().join(&here).child(name).as_str(), found);
                }
            }
            "items" | "then" => rules(value, &here, found),
            "required" => {
                for name in value.as_array().expect("a list") {
                    found.insert(format!("{here} {}", name.as_str().expect("a name")));
                }
            }
            keyword if NO_RULES.contains(&keyword) => {}
            _ => {
                found.insert(here);
            }
        }
    }
}

/// The rules that the contracts in `tests/contracts/invalid` break.
fn broken_rules(name: SectionName) -> BTreeSet<String> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/contracts/invalid");
    let mut broken = BTreeSet::new();
    for case in std::fs::read_dir(folder).expect("the folder") {
        let text = std::fs::read_to_string(case.expect("an entry").path()).expect("a text");
        // What stands for a certificate or key is any base64 here.
        let text = ["@ca@", "@cert@", "@key@", "@other-key@", "@signing@"]
            .iter()
            .fold(text, |text, mark| text.replace(mark, "AAAA"));
        let envelope = crate::envelope::Envelope::parse(text.as_bytes());
        let Some(tree) = envelope.ok().and_then(|envelope| envelope.section(name).tree(None).ok()) else {
            continue;
        };
        for error in Schema::of(name).validator.iter_errors(tree.value.to_json().expose()) {
            let mut rule = error.schema_path().as_str().to_owned();
            if let ValidationErrorKind::Required { property } = error.kind() {
                // dependentRequired has the name in its path already.
                if rule.ends_with("/required") {
                    rule = format!("{rule} {}", property.as_str().expect("a name"));
                }
            }
            broken.insert(rule);
        }
    }
    broken
}

#[test]
fn every_rule_is_broken_by_a_contract() {
    for name in [SectionName::Workload, SectionName::Env] {
        let mut all = BTreeSet::new();
        rules(&Schema::of(name).json, "", &mut all);
        assert!(all.len() > 100, "{name}: {}", all.len());
        let broken = broken_rules(name);
        let unknown: Vec<&String> = broken.difference(&all).collect();
        assert_eq!(unknown, Vec::<&String>::new(), "{name}: rules that the walk does not know");
        let unbroken: Vec<&String> = all.difference(&broken).collect();
        assert_eq!(
            unbroken,
            Vec::<&String>::new(),
            "{name}: no contract in tests/contracts/invalid breaks these"
        );
    }
}
