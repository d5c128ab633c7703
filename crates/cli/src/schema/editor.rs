//! A schema in the form that editors use: the same rules, with what `check` would say as the messages of the editor.
//!
//! Editors complete and check by the schema alone, through language servers that know some annotations beside those of
//! JSON Schema: `markdownDescription`, shown for a field; `errorMessage` and `patternErrorMessage`, shown where a value does
//! not fit. And they look for a reference in the document, never below an `$id` within it.

use serde_json::{Map, Value};

/// Keys below which there is a map of schemas.
const MAPS: [&str; 3] = ["properties", "patternProperties", "$defs"];
/// Keys below which there is one schema, or a list of some.
const SCHEMAS: [&str; 9] =
    ["items", "additionalProperties", "not", "if", "then", "else", "oneOf", "anyOf", "allOf"];

/// The schema for editors.
pub(super) fn schema(mut schema: Value) -> Value {
    let sections = schema["$defs"].as_object().map(|defs| {
        let ids = defs.iter().filter_map(|(name, one)| Some((one["$id"].as_str()?.to_owned(), name.clone())));
        ids.collect::<Vec<_>>()
    });
    convert(&mut schema, "#", &sections.unwrap_or_default());
    schema
}

/// Converts a node of the document that its references call `base`; `sections` are the documents within it.
fn convert(node: &mut Value, base: &str, sections: &[(String, String)]) {
    let Value::Object(map) = node else { return };
    let within = map.get("$id").and_then(Value::as_str);
    let within = sections.iter().find(|(id, _)| Some(id.as_str()) == within);
    let base = within.map_or(base.to_owned(), |(_, name)| format!("#/$defs/{name}"));
    if within.is_some() {
        map.remove("$id");
        map.remove("$schema");
    }
    if let Some(Value::String(reference)) = map.get_mut("$ref") {
        if let Some((_, name)) = sections.iter().find(|(id, _)| id == reference) {
            *reference = format!("#/$defs/{name}");
        } else if let Some(rest) = reference.strip_prefix('#') {
            *reference = format!("{base}{rest}");
        }
    }
    annotate(map);
    for (key, child) in map.iter_mut() {
        match child {
            Value::Object(children) if MAPS.contains(&key.as_str()) => {
                children.values_mut().for_each(|child| convert(child, &base, sections));
            }
            Value::Array(children) if SCHEMAS.contains(&key.as_str()) => {
                children.iter_mut().for_each(|child| convert(child, &base, sections));
            }
            child if SCHEMAS.contains(&key.as_str()) => convert(child, &base, sections),
            _ => {}
        }
    }
}

/// Puts our annotations into the words of editors.
fn annotate(map: &mut Map<String, Value>) {
    let text = |map: &Map<String, Value>, key: &str| map.get(key)?.as_str().map(str::to_owned);
    let (expected, hint) = (text(map, "x-expect"), text(map, "x-hint"));
    if let (Some(expected), Some(hint)) = (&expected, &hint) {
        let message = Value::from(format!("expected {expected}; {hint}"));
        map.insert("errorMessage".to_owned(), message.clone());
        if map.contains_key("pattern") {
            map.insert("patternErrorMessage".to_owned(), message);
        }
    }
    if let (Some(description), Some(expected)) = (text(map, "description"), &expected) {
        let names = text(map, "x-expect-name").map(|names| format!("\n\n*Names:* {names}."));
        let told = format!("{description}\n\n*Expected:* {expected}.{}", names.unwrap_or_default());
        map.insert("markdownDescription".to_owned(), told.into());
    }
    map.retain(|key, _| !key.starts_with("x-"));
}
