//! A YAML tree as text: flow style, every string in double quotes, everything beyond ASCII escaped.

use std::fmt::Write as _;

use countersign_contract::yaml::Value;

/// Longer keys, in bytes, are written as explicit ones: YAML bounds the others to 1024 characters, and a byte takes up to
/// ten when it is escaped.
const IMPLICIT_KEY: usize = 100;

/// The tree as YAML text.
pub fn flow(value: &Value) -> String {
    let mut text = String::new();
    node(value, &mut text);
    text
}

fn node(value: &Value, text: &mut String) {
    if let Some(string) = value.as_text() {
        return quoted(string, text);
    }
    match value.kind() {
        "a list" => {
            text.push('[');
            for item in value.items() {
                node(item, text);
                text.push_str(", ");
            }
            text.push(']');
        }
        "a map" => {
            text.push('{');
            for entry in value.entries() {
                if entry.key.len() > IMPLICIT_KEY {
                    text.push_str("? ");
                }
                quoted(&entry.key, text);
                text.push_str(": ");
                node(&entry.value, text);
                text.push_str(", ");
            }
            text.push('}');
        }
        // Scalars of the core schema are JSON's; what JSON cannot say (infinities) is null there.
        _ => text.push_str(&value.to_json().expose().to_string()),
    }
}

/// A string in double quotes (YAML 1.2 section 5.7).
pub fn quoted(string: &str, text: &mut String) {
    text.push('"');
    for letter in string.chars() {
        match letter {
            '"' | '\\' => {
                text.push('\\');
                text.push(letter);
            }
            ' '..='~' => text.push(letter),
            _ => write!(text, "\\U{:08x}", u32::from(letter)).expect("a String takes everything"),
        }
    }
    text.push('"');
}
