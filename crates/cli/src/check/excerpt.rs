//! The line of the contract that a finding is about, with a mark under the place, for the author's own terminal.
//!
//! A contract is full of secrets, and a terminal has a history. So a line is shown from a list of what may be: the
//! key, if it is a field's name or stands in the finding's pointer, and the value only of fields that hold no secret
//! and only where the finding is about that very field. All else is one `…`, whatever its length.

use std::collections::BTreeSet;
use std::sync::OnceLock;

use countersign_contract::place::{Pointer, SectionName};
use countersign_contract::schema;
use serde_json::Value;

use super::report::Reported;

/// Fields whose value is no secret.
const SHOWN: [&str; 14] = [
    "discard",
    "filesystem",
    "hostname",
    "initialize",
    "insecure",
    "integrity",
    "kmsTimeout",
    "mount",
    "port",
    "type",
    "unsigned",
    "uv-secret-id",
    "volumeID",
    "volumeName",
];

const MASK: char = '…';
/// The longest line that is shown.
const LONGEST: usize = 100;

/// The line as shown, and the column of the mark under it, from zero.
pub(super) fn excerpt(text: &str, finding: &Reported) -> Option<(String, usize)> {
    let line = finding.line?.checked_sub(1)?;
    let column = finding.column?.saturating_sub(1);
    let line = text.strip_prefix('\u{feff}').unwrap_or(text).lines().nth(usize::try_from(line).ok()?)?;
    let names: Vec<String> = Pointer::root().join(&finding.pointer).names().collect();
    let shown = masked(line, &names);
    let shown: String = shown.chars().take(LONGEST).collect();
    let end = shown.chars().count().saturating_sub(1);
    Some((shown, usize::try_from(column).unwrap_or(end).min(end)))
}

fn masked(line: &str, names: &[String]) -> String {
    let indent = line.len() - line.trim_start_matches([' ', '-']).len();
    let (indent, rest) = line.split_at(indent);
    let Some((key, value)) = entry(rest) else { return format!("{indent}{MASK}") };
    if !(field_names().contains(key) || names.iter().any(|name| name == key)) {
        return format!("{indent}{MASK}");
    }
    let written = &rest[..rest.len() - value.len()];
    let value = value.trim();
    if value.is_empty() || may_be_shown(key, value, names) {
        format!("{indent}{written}{value}")
    } else {
        format!("{indent}{written}{MASK}")
    }
}

/// Key and value of `key: value`.
fn entry(line: &str) -> Option<(&str, &str)> {
    let (key, value) = line.split_once(':')?;
    // `a:b` is no entry.
    let value = if value.is_empty() { value } else { value.strip_prefix(' ')? };
    let plain =
        !key.is_empty() && key.chars().all(|letter| letter.is_ascii_alphanumeric() || "_-.".contains(letter));
    plain.then_some((key, value))
}

fn may_be_shown(key: &str, value: &str, names: &[String]) -> bool {
    let simple = value.chars().all(|letter| letter.is_ascii_alphanumeric() || "_-./'\"".contains(letter));
    simple && SHOWN.contains(&key) && names.last().is_some_and(|last| last == key) && is_declared(names)
}

/// Whether the schema has a field of its own at this pointer. A variable or a volume may be called like a field, and
/// so may be anything that slipped to where nothing of the name belongs.
fn is_declared(names: &[String]) -> bool {
    let [section, names @ ..] = names else { return false };
    let Some((_, schema)) = schemas().iter().find(|(name, _)| name.as_str() == section) else { return false };
    let mut node = schema;
    let mut declared = false;
    for name in names {
        let reference = node.get("$ref").and_then(Value::as_str);
        if let Some(target) = reference.and_then(|reference| schema.pointer(reference.strip_prefix('#')?)) {
            node = target;
        }
        let own = node.get("properties").and_then(|properties| properties.get(name));
        let any = node.get("patternProperties").and_then(Value::as_object);
        let any = any.and_then(|patterns| patterns.values().next());
        declared = own.is_some();
        match own.or(any).or_else(|| node.get("items")) {
            Some(child) => node = child,
            None => return false,
        }
    }
    declared
}

fn schemas() -> &'static [(SectionName, Value)] {
    static SCHEMAS: OnceLock<Vec<(SectionName, Value)>> = OnceLock::new();
    SCHEMAS.get_or_init(|| {
        // The built-in schemas are JSON; without them everything would be masked.
        let read = |name| (name, serde_json::from_str(schema::text(name)).unwrap_or_default());
        [SectionName::Workload, SectionName::Env].map(read).into()
    })
}

/// The names of all fields, from the schemas.
fn field_names() -> &'static BTreeSet<String> {
    static NAMES: OnceLock<BTreeSet<String>> = OnceLock::new();
    NAMES.get_or_init(|| {
        let mut names: BTreeSet<String> =
            ["workload", "env", "envWorkloadSignature", "attestationPublicKey"].map(str::to_owned).into();
        schemas().iter().for_each(|(_, schema)| collect(schema, &mut names));
        names
    })
}

fn collect(node: &Value, names: &mut BTreeSet<String>) {
    match node {
        Value::Object(entries) => {
            if let Some(Value::Object(properties)) = entries.get("properties") {
                names.extend(properties.keys().cloned());
            }
            entries.values().for_each(|child| collect(child, names));
        }
        Value::Array(items) => items.iter().for_each(|child| collect(child, names)),
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(line: &str, pointer: &str) -> String {
        let names: Vec<String> = Pointer::root().join(pointer).names().collect();
        masked(line, &names)
    }

    #[test]
    fn only_what_is_no_secret_is_shown() {
        for (line, pointer, expected) in [
            ("      port: \"6514\"", "/env/logging/syslog/port", "      port: \"6514\""),
            ("    seed: canary", "/workload/volumes/v/seed", "    seed: …"),
            ("    seed: canary", "/workload/volumes/v/mount", "    seed: …"),
            ("    sead: canary", "/workload/volumes/v/sead", "    sead: …"),
            ("    port: canary", "/env/env/port", "    port: …"),
            ("  - certificate: canary", "/env/cacerts/0/certificate", "  - certificate: …"),
            ("    canary text of a block", "/env", "    …"),
            ("    canary: in a block", "/env", "    …"),
            ("{\"workload\": {\"volumes\": \"canary\"}}", "/workload/volumes", "…"),
            ("    mount: {canary: 1}", "/workload/volumes/v/mount", "    mount: …"),
            ("    mount: /a # canary", "/workload/volumes/v/mount", "    mount: …"),
            ("volumes:", "/workload/volumes", "volumes:"),
            ("  type: workload", "/workload/type", "  type: workload"),
            ("type: env", "/env/type", "type: env"),
            ("  type: canary", "/env/env/type", "  type: …"),
            ("  port: canary", "/workload/countersign/port", "  port: …"),
            ("  port: canary", "/workload/port", "  port: …"),
            ("  filesystem: zfs", "/workload/volumes/v/filesystem", "  filesystem: zfs"),
        ] {
            assert_eq!(shown(line, pointer), expected, "{line}");
        }
    }
}
