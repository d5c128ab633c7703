//! The schema texts themselves: they compile, every node explains itself, and the time they take.

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
fn every_node_says_what_is_expected() {
    for name in [SectionName::Workload, SectionName::Env] {
        let schema = &Schema::of(name).json;
        every_node(schema, name.to_string(), &mut |at, node| {
            if node.get("$ref").is_some() {
                let target = follow(schema, node);
                assert!(!std::ptr::eq(target, node), "{at}: the reference leads nowhere");
                return;
            }
            assert!(node.get("x-expect").is_some(), "{at} has no x-expect");
            let closed_map = node.get("patternProperties").is_some();
            assert_eq!(node.get("x-expect-name").is_some(), closed_map, "{at}: x-expect-name");
        });
    }
}

#[test]
fn every_property_has_title_and_description() {
    for name in [SectionName::Workload, SectionName::Env] {
        let schema = &Schema::of(name).json;
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
    let workload = &Schema::of(SectionName::Workload).json["$defs"];
    let env = &Schema::of(SectionName::Env).json["$defs"];
    for (name, definition) in env.as_object().expect("a map") {
        assert_eq!(Some(definition), workload.get(name), "{name}");
    }
}
