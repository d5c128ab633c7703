//! A file with pods and config maps to what the engine gets, and the same text as a template.
//!
//! Beyond "returns": every image is named by digest and is among those that the engine gets; what it gets is text that
//! it takes as documents; a refusal is one line and shows no value.
#![no_main]

use countersign_crypto::secret::EnvironmentValue;
use countersign_fuzz::CANARY;
use countersign_plan::images::signatures::SignatureRules;
use countersign_plan::workload::play::{Input, judge};
use countersign_plan::workload::reach::ReachRule;
use countersign_plan::workload::template;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: &[u8]| {
    let value = EnvironmentValue::copy_from(CANARY);
    let reach = ReachRule { volumes: vec!["/mnt/data".to_owned()], refuse: false, ..ReachRule::default() };
    let judged = judge(&Input {
        resources: Vec::new(),
        templates: Vec::new(),
        files: vec![("pods.yaml", input)],
        paths: vec!["pods.yaml", "conf"],
        variables: [("A", &value)].into_iter().collect(),
        reach: &reach,
        signed: &SignatureRules::default(),
    });
    match judged {
        Ok(played) => {
            let text = std::str::from_utf8(played.text.expose()).expect("text");
            assert!(text.is_ascii() && text.contains("\"kind\":\"Pod\""));
            for image in &played.images {
                let (_, digest) = image.split_once("@sha256:").expect("a digest");
                assert!(digest.len() == 64 && digest.bytes().all(|digit| digit.is_ascii_hexdigit()));
            }
            assert!(played.containers.iter().all(|container| played.images.contains(&container.image)));
            for notice in played.notices {
                assert!(!notice.to_string().contains(['\n', '\r', '\u{1b}']));
            }
            for way in played.ways {
                assert!(!way.written.contains(['\n', '\r', '\u{1b}']));
            }
        }
        Err(refusals) => {
            assert!(!refusals.is_empty());
            for refusal in refusals {
                assert!(!refusal.to_string().contains(['\n', '\r', '\u{1b}']));
            }
        }
    }
    let Ok(text) = std::str::from_utf8(input) else { return };
    let lookup = |name: &str| match name {
        "A" => Some(CANARY),
        "EMPTY" => Some(""),
        _ => None,
    };
    match template::render(text, &lookup) {
        Ok(made) => assert!(made.len() <= template::LONGEST),
        Err(refusal) => assert!(!refusal.to_string().contains(['\n', '\r', '\u{1b}'])),
    }
});
