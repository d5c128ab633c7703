//! A compose file to what it asks for; anchors, aliases and merge keys are allowed here, so bombs are tried.
//!
//! Beyond "returns": every image is named by digest; a refusal is one line and shows no image.
#![no_main]

use countersign_fuzz::CANARY;
use countersign_plan::images::signatures::SignatureRules;
use countersign_plan::workload::compose::{ComposeFault, Found, Surroundings, judge};
use countersign_plan::workload::reach::ReachRule;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: &[u8]| {
    let Ok(text) = std::str::from_utf8(input) else { return };
    let lookup = |name: &str| match name {
        "IMAGE" => Some("registry.example/canary"),
        "EMPTY" => Some(""),
        _ => None,
    };
    let files = |path: &str| match path {
        "known.env" => Some(Found::File(b"A=1\n")),
        "folder" => Some(Found::Folder),
        _ => None,
    };
    let reach = ReachRule { volumes: vec!["/mnt/data".to_owned()], refuse: false, ..ReachRule::default() };
    let profiles = ["active".to_owned()];
    let signed = SignatureRules::default();
    let around =
        Surroundings { lookup: &lookup, files: &files, profiles: &profiles, reach: &reach, signed: &signed };
    match judge(text, &around) {
        Ok(judged) => {
            assert!(!judged.images.is_empty());
            for image in judged.images {
                let (_, digest) = image.split_once("@sha256:").expect("a digest");
                assert!(digest.len() == 64 && digest.bytes().all(|digit| digit.is_ascii_hexdigit()));
            }
            for notice in judged.notices {
                assert!(!notice.to_string().contains(['\n', '\r', '\u{1b}']));
            }
            for way in judged.ways {
                assert!(!way.written.contains(['\n', '\r', '\u{1b}']));
            }
        }
        Err(refusals) => {
            assert!(!refusals.is_empty());
            for refusal in refusals {
                let shown = refusal.to_string();
                assert!(!shown.contains(['\n', '\r', '\u{1b}']));
                // A service, a key or a variable may be named, an image may not.
                let named = matches!(refusal.fault, ComposeFault::Syntax(_) | ComposeFault::NoServices);
                assert!(!named || !shown.contains(CANARY));
            }
        }
    }
});
