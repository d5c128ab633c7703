//! What a workload gets to see of a contract, read back by Python's `yaml` package (Debian: python3-yaml), which keeps to
//! YAML 1.1; our own reader keeps to 1.2.
#![allow(clippy::unwrap_used, clippy::expect_used)]

// Other tests use the rest of it.
#[allow(dead_code)]
mod support;

use std::io::Write as _;
use std::process::{Command, Stdio};
use std::sync::OnceLock;

use countersign_contract::envelope::Envelope;
use countersign_contract::model::Contract;
use countersign_contract::place::{Origin, SectionName};
use countersign_contract::schema;
use countersign_contract::yaml;
use serde_json::{Value, json};
use support::Material;

/// Every field whose value opens something, by its pointer; written down here a second time, beside the schema.
const SECRETS: [&str; 18] = [
    "/workload/auths/r.example/password",
    "/workload/volumes/v/seed",
    "/workload/volumes/v/previousSeed",
    "/env/logging/syslog/key",
    "/env/auths/s.example/password",
    "/env/volumes/v/seed",
    "/env/volumes/v/previousSeed",
    "/env/volumes/v/kms/0/apiKey",
    "/env/volumes/v/grep11/clientKey",
    "/env/volumes/v/grep11/metadata/aesKeyBlob",
    "/env/volumes/v/grep11/metadata/previousaesKeyBlob",
    "/env/volumes/v/apiKey",
    "/env/crypto-pt/index-1/secret",
    "/env/confidential-containers/secret/decryptionKey",
    // What the schema does not know: a misspelt name may hide a seed.
    "/workload/volume",
    "/workload/x-notes",
    "/env/volume",
    "/env/key",
];

fn material() -> &'static Material {
    static MATERIAL: OnceLock<Material> = OnceLock::new();
    MATERIAL.get_or_init(Material::new)
}

/// The full contract of the tables, with keys that the schema does not know, and what each section says of itself.
fn full(workload: Option<&str>, env: Option<&str>) -> Value {
    let file = concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/contracts/full.json");
    let text = std::fs::read_to_string(file).unwrap();
    let mut contract: Value = serde_json::from_str(&material().fill(&text)).unwrap();
    for (section, says) in [("workload", workload), ("env", env)] {
        let section = &mut contract[section];
        section["volume"] = json!({"v": {"seed": "canary"}});
        let own = section["countersign"].as_object_mut().unwrap();
        match says {
            Some(word) => own.insert("user-data".to_owned(), word.into()),
            None => own.remove("user-data"),
        };
    }
    contract["workload"]["x-notes"] = json!(["canary"]);
    contract["env"]["key"] = json!("canary");
    contract
}

fn contract(text: &str) -> Contract {
    let envelope = Envelope::parse(text.as_bytes()).unwrap();
    let [workload, env] = [SectionName::Workload, SectionName::Env]
        .map(|name| schema::check(envelope.section(name).tree(None).unwrap()).unwrap());
    Contract::new(&workload, &env).unwrap()
}

fn file(contract: &Contract) -> Option<String> {
    contract.user_data().file().map(|file| String::from_utf8(file.expose().to_vec()).unwrap())
}

/// The file as a program of the workload reads it: a map of texts, each a map again.
fn read_by_python(file: &str) -> Value {
    let script = "import json, sys, yaml\n\
                  whole = yaml.safe_load(sys.stdin)\n\
                  print(json.dumps({name: yaml.safe_load(text) for name, text in whole.items()}))";
    let mut python = Command::new("python3")
        .args(["-c", script])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("python3 is installed");
    python.stdin.take().unwrap().write_all(file.as_bytes()).unwrap();
    let output = python.wait_with_output().unwrap();
    assert!(output.status.success(), "python3 with the package yaml takes {file}");
    serde_json::from_slice(&output.stdout).unwrap()
}

/// The same by our own reader.
fn read_by_us(file: &str) -> Value {
    let read = |text: &str| yaml::parse(text.as_bytes(), &Origin::contract()).unwrap();
    let whole = read(file);
    whole
        .entries()
        .iter()
        .map(|entry| {
            let section = read(entry.value.as_text().unwrap()).to_json().expose().clone();
            (entry.key.to_string(), section)
        })
        .collect::<serde_json::Map<_, _>>()
        .into()
}

/// Takes out what a pointer leads to.
fn remove(value: &mut Value, pointer: &str) {
    let (parent, name) = pointer.rsplit_once('/').unwrap();
    let parent = value.pointer_mut(parent).and_then(Value::as_object_mut);
    assert!(parent.and_then(|parent| parent.remove(name)).is_some(), "{pointer} is in the full contract");
}

#[test]
fn a_section_is_shown_by_its_own_word_and_never_its_secrets() {
    for (workload, env) in [
        (None, None),
        (Some("omit"), None),
        (Some("show"), Some("omit")),
        (Some("omit"), Some("show")),
        (Some("show"), Some("show")),
    ] {
        let given = full(workload, env);
        let contract = contract(&given.to_string());
        let shows = |name| contract.user_data().shows(name);
        let shown = (workload == Some("show"), env == Some("show"));
        assert_eq!((shows(SectionName::Workload), shows(SectionName::Env)), shown);
        let Some(file) = file(&contract) else {
            assert_eq!(shown, (false, false));
            continue;
        };
        let mut expected = given.clone();
        SECRETS.iter().for_each(|pointer| remove(&mut expected, pointer));
        let top = expected.as_object_mut().unwrap();
        top.retain(|name, _| (name == "workload" && shown.0) || (name == "env" && shown.1));
        assert_eq!(read_by_python(&file), expected);
        assert_eq!(read_by_us(&file), expected);
        for pointer in SECRETS {
            // Others have the same value: an asterisk, a short word, a certificate's field.
            let secret = given.pointer(pointer).and_then(Value::as_str).unwrap_or_default();
            if secret.len() > 8 && !expected.to_string().contains(secret) {
                assert!(!file.contains(secret), "{pointer}");
            }
        }
    }
}

#[test]
fn every_other_kind_of_log_server_loses_its_key() {
    let server = material().fill("@ca@");
    for (logging, expected) in [
        (
            json!({"logRouter": {"hostname": "logs.example", "iamApiKey": "canary-key", "tags": ["a"]}}),
            json!({"logRouter": {"hostname": "logs.example", "tags": ["a"]}}),
        ),
        (
            json!({"logDNA": {"hostname": "logs.example", "ingestionKey": "0".repeat(32)}}),
            json!({"logDNA": {"hostname": "logs.example"}}),
        ),
        (
            json!({"syslog": {"hostname": "logs.example", "server": server}}),
            json!({"syslog": {"hostname": "logs.example", "server": server}}),
        ),
    ] {
        let mut given = full(None, Some("show"));
        given["env"]["logging"] = logging;
        let file = file(&contract(&given.to_string())).unwrap();
        assert_eq!(read_by_python(&file)["env"]["logging"], expected);
    }
}

#[test]
fn the_form_is_hpcrs_a_block_for_each_section_in_alphabetical_order() {
    let text = "workload: |
  type: workload
  compose: {archive: AAAA}
  auths: {r.example: {username: reader, password: canary}}
  env: {A: \"1\", no: 'no', B: \"a\\nb\\t\\\"c\\\\\"}
  volumes: {data: {seed: canary-seed-of-15-letters, previousSeed: canary}}
  countersign: {user-data: show}
env:
  type: env
  logging: {syslog: {hostname: 10.0.0.2, port: 6514, server: @ca@}}
  volumes: {data: {seed: canary-seed-of-15-letters-2}}
  countersign: {user-data: show, volumes: {data: {mount-options: []}}}
";
    let file = file(&contract(&material().fill(text))).unwrap();
    let expected = r#"env: |
    type: "env"
    logging:
      syslog:
        hostname: "10.0.0.2"
        port: 6514
        server: "@ca@"
    volumes:
      data: {}
    countersign:
      user-data: "show"
      volumes:
        data:
          mount-options: []
workload: |
    type: "workload"
    compose:
      archive: "AAAA"
    auths:
      r.example:
        username: "reader"
    env:
      A: "1"
      "no": "no"
      B: "a\nb\t\"c\\"
    volumes:
      data: {}
    countersign:
      user-data: "show"
"#;
    assert_eq!(file, material().fill(expected));
}

#[test]
fn objects_of_any_shape_are_read_as_they_were_given() {
    let odd = json!({
        "text": "é\u{85}\u{2028}\u{feff}\u{1f600}\n\t", "empty": "", "null": null, "yes": true,
        "numbers": [0, -7, 9_007_199_254_740_993_i64, 1.5, 1e300, -2.5e-9],
        "lists": [[], [[]], [{}, {"a": [{"b": {}}]}], "- x", "# y", "a: b"],
        "": "no name", "a b: c": 1, "# d": 2, "1.5": 3, "~": 4, "é".repeat(500): {"under": ["a", "long", "name"]},
    });
    let mut given = full(Some("show"), None);
    let workload = given["workload"].as_object_mut().unwrap();
    workload.remove("compose");
    let pod = json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "p", "annotations": odd},
        "spec": {"containers": [{"name": "c", "image": "r.example/x@sha256:0", "odd": odd}]}});
    workload.insert("play".to_owned(), json!({"resources": [pod]}));
    // What JSON leaves as it is and YAML does not take.
    let escaped = ['\u{85}', '\u{2028}', '\u{feff}'].iter().fold(given.to_string(), |text, letter| {
        text.replace(*letter, &format!("\\u{:04x}", u32::from(*letter)))
    });
    let file = file(&contract(&escaped)).unwrap();
    for read in [read_by_python(&file), read_by_us(&file)] {
        assert_eq!(read["workload"]["play"]["resources"][0], pod);
    }
}
