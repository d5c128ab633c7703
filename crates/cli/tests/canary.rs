//! No verb but `open` shows a value of a secret field, and `passphrase` none either: canaries in every one of them, every
//! rule broken in turn, all output searched, quoted lines of the contract included. A mount path is planted too: it is
//! shown where the plan says what the guest would do, and nowhere else.
#![allow(clippy::unwrap_used, clippy::expect_used)]

#[path = "../../contract/tests/support/mod.rs"]
#[allow(dead_code)]
mod material;
mod support;

use std::fmt::Write;

use material::Material;
use serde_json::{Value, json};
use support::{Desk, archive, compose};

/// Where the volume is mounted: a value of the contract, and no secret.
const MOUNT: &str = "/mnt/planted-path";

/// A contract with a canary in every field that holds a secret, and none elsewhere.
fn full(material: &Material) -> Value {
    let text = json!({
        "workload": {
            "type": "workload",
            "compose": {"archive": archive(&compose())},
            "env": {"NAME": "canary", "port": "canary"},
            "auths": {"r.example": {"username": "reader", "password": "canary"}},
            "volumes": {"v": {"mount": MOUNT, "seed": "canary-of-workload", "previousSeed": "canary-before"}},
            "countersign": {"policy": {"unsigned": "accept", "env": ["OTHER", "type"], "log-servers": ["logs.example:6514"]}}
        },
        "env": {
            "type": "env",
            "logging": {"syslog": {
                "hostname": "logs.example", "port": 6514, "server": "@ca@", "cert": "@cert@", "key": "@key@"
            }},
            "env": {"OTHER": "canary", "type": "canary"},
            "auths": {"s.example": {"username": "reader", "password": "canary"}},
            "cacerts": [{"certificate": "@ca@"}],
            "volumes": {"v": {
                "seed": "canary-of-env", "previousSeed": "canary-before",
                "kms": [{"apiKey": "canary-0123456", "crn": "crn:v1:bluemix:public:kms:key:x"}],
                "apiKey": "canary-0123456", "volumeID": "id-of-v"
            }}
        }
    });
    serde_json::from_str(&material.fill(&text.to_string())).unwrap()
}

/// The value as YAML in block style, so that every value has a line of its own.
fn yaml(value: &Value, indent: usize, text: &mut String) {
    match value {
        Value::Object(entries) if !entries.is_empty() => {
            for (name, child) in entries {
                write!(text, "\n{:indent$}{name}:", "").unwrap();
                yaml(child, indent + 2, text);
            }
        }
        Value::Array(items) if !items.is_empty() => {
            for item in items {
                write!(text, "\n{:indent$}-", "").unwrap();
                yaml(item, indent + 2, text);
            }
        }
        Value::String(plain) if plain.starts_with("canary") => write!(text, " {plain}").unwrap(),
        scalar => write!(text, " {scalar}").unwrap(),
    }
}

/// Both sections as block scalars.
fn contract(value: &Value) -> String {
    let mut text = String::new();
    for (name, section) in value.as_object().unwrap() {
        write!(text, "{name}: |").unwrap();
        yaml(section, 2, &mut text);
        text.push('\n');
    }
    text
}

/// All pointers of a tree, leaves first.
fn pointers(value: &Value, at: String, found: &mut Vec<String>) {
    match value {
        Value::Object(map) => {
            map.iter().for_each(|(name, child)| pointers(child, format!("{at}/{name}"), found));
        }
        Value::Array(items) => {
            items
                .iter()
                .enumerate()
                .for_each(|(index, child)| pointers(child, format!("{at}/{index}"), found));
        }
        _ => {}
    }
    found.push(at);
}

/// Everything that a run printed, which must hold no canary.
fn printed(desk: &Desk, arguments: &str) -> String {
    let output = desk.countersign(arguments, b"");
    let printed = [output.stdout, output.stderr].map(|bytes| String::from_utf8(bytes).unwrap()).concat();
    assert!(!printed.contains("canary"), "countersign {arguments}: {printed}");
    // A line of the plan for people, or of the plan in JSON.
    let plan = |line: &str| {
        line.starts_with("  volume    v at /") || line.trim() == format!("\"mount\": \"{MOUNT}\",")
    };
    let elsewhere = printed.lines().find(|line| line.contains(MOUNT) && !plan(line));
    assert_eq!(elsewhere, None, "countersign {arguments}: {printed}");
    printed
}

#[test]
fn no_broken_rule_shows_a_secret() {
    let (desk, material) = (Desk::new(), Material::new());
    let mounted = |printed: &str| usize::from(printed.contains(MOUNT));
    let key = material.fill("@key@");
    let full = full(&material);
    let mut places = Vec::new();
    pointers(&full, String::new(), &mut places);
    places.retain(|place| place.matches('/').count() > 1);
    let wrong = [json!(7), json!("a wrong value"), json!({"canary": "canary"}), json!(["canary"])];
    let (mut refused, mut quoted, mut mounts) = (0, 0, 0);
    let mut check = |text: &str| {
        desk.write("contract.yaml", text);
        let printed = printed(&desk, "check --source always contract.yaml");
        assert!(!printed.contains(&key), "{printed}");
        mounts += mounted(&printed);
        refused += usize::from(printed.contains(": refused at "));
        quoted += usize::from(printed.contains(" | "));
    };
    check(&contract(&full));
    for place in &places {
        for value in &wrong {
            // A name that is a canary is the test's own, and pointers may show names.
            let value = match value {
                Value::Object(_) => json!({"name": "canary"}),
                other => other.clone(),
            };
            let mut broken = full.clone();
            *broken.pointer_mut(place).unwrap() = value;
            check(&contract(&broken));
        }
        // The field under a name that is not known.
        let (parent, name) = place.rsplit_once('/').unwrap();
        let mut broken = full.clone();
        if let Some(Value::Object(parent)) = broken.pointer_mut(parent) {
            let value = parent.remove(name).unwrap();
            parent.insert(format!("{name}s"), value);
            check(&contract(&broken));
        }
    }
    // Every line cut out, indented once more, or without its colon: mostly no YAML, or another tree.
    let text = contract(&full);
    let lines: Vec<&str> = text.lines().collect();
    for number in 0..lines.len() {
        for broken in [String::new(), format!(" {}", lines[number]), lines[number].replacen(':', "", 1)] {
            let mut changed: Vec<&str> = lines.clone();
            changed[number] = &broken;
            check(&changed.join("\n"));
        }
    }
    // No plan is shown of what is refused.
    assert_eq!(mounts, 0);
    assert!(refused > 250 && quoted > 250, "the mutants break rules: {refused}, {quoted} with their line");
}

#[test]
fn no_other_verb_shows_a_secret() {
    let (desk, material) = (Desk::new(), Material::new());
    desk.rsa("image", 100);
    desk.rsa("signer", 100);
    let mut full = full(&material);
    full["env"]["signingKey"] = desk.base64(desk.text("signer.crt").as_bytes()).into();
    for volumes in ["/workload/volumes/v", "/env/volumes/v"] {
        let volume = full.pointer_mut(volumes).unwrap().as_object_mut().unwrap();
        volume.retain(|name, _| !["previousSeed", "kms", "apiKey"].contains(&name.as_str()));
    }
    std::fs::create_dir(desk.path("folder")).unwrap();
    for name in ["workload", "env"] {
        let mut text = String::new();
        yaml(&full[name], 0, &mut text);
        assert!(text.contains("canary"));
        desk.write(&format!("folder/{name}.yaml"), text.trim_start());
    }
    for verb in [
        "check folder",
        "check folder --format json",
        "seal --cert image.crt folder/env.yaml",
        "seal --cert folder/env.yaml --section env folder/env.yaml",
        "seal --cert image.crt --section env folder/env.yaml",
        "seal --cert image.crt --for hpcr folder/env.yaml",
        "seal --cert image.crt --section env --chain folder/env.yaml folder/env.yaml",
        "seal --cert image.crt --section env --chain image.crt --crl folder/env.yaml folder/env.yaml",
        "pack folder --cert image.crt --key signer.key --for hpcr",
        "check folder --cert folder/env.yaml",
        "check folder --cert image.crt --chain folder/env.yaml",
        "pack folder --cert image.crt --key signer.key -o sealed.yaml",
        "pack folder --cert image.crt --key image.key",
        "pack folder --cert image.crt --key folder/env.yaml",
        "sign --key signer.key sealed.yaml",
        "sign --key image.key folder/env.yaml",
        "sign --key folder/env.yaml sealed.yaml",
        "open --key folder/env.yaml sealed.yaml",
        "open --key image.key folder/env.yaml",
        "check sealed.yaml --key image.key --source always",
        "check sealed.yaml --key image.key --format json",
        "check sealed.yaml --key folder/env.yaml",
        "check sealed.yaml --facts folder/env.yaml",
        "passphrase folder/env.yaml --volume v",
        "passphrase folder --volume canary-of-env",
        "passphrase sealed.yaml --volume v",
        "passphrase sealed.yaml --key image.key --volume v --previous both",
        "passphrase sealed.yaml --key folder/env.yaml --volume v",
        "passphrase sealed.yaml --key image.key --volume v",
        "explain folder/env.yaml",
        "explain",
        "schema",
    ] {
        printed(&desk, verb);
    }
    // The canaries were there to be found.
    assert!(desk.answer(0, "check folder", b"").contains(MOUNT));
    let sealed = desk.text("sealed.yaml");
    let token = sealed.lines().nth(1).unwrap().strip_prefix("env: ").unwrap();
    assert!(desk.answer(0, "open --key image.key", token.as_bytes()).contains("canary"));
}
