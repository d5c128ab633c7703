//! Stages `images` and `start` of the guest OS: the compose program's model is judged, and it alone is started.

use std::io;

use countersign_boot::guest_os::Verb;
use countersign_boot::stage::Stage;
use countersign_contract::code::Code;
use countersign_rehearsal::Rehearsal;
use serde_json::{Value, json};

use crate::support::Contract;
use crate::support::canaries::assert_silent;
use crate::support::contract::IMAGE;
use crate::support::guest_os::{booted, booted_with, verb};

const MODEL: &str = "/run/countersign/compose.json";

/// A model with one service, `web`, with these keys.
fn model(keys: &Value) -> String {
    json!({"name": "compose", "services": {"web": keys}}).to_string()
}

fn printing(model: &str) -> Rehearsal {
    let machine = booted(|_| ());
    machine.prints_model(model);
    machine
}

#[test]
fn only_the_judged_model_is_started() {
    let other = IMAGE.replace("web", "other");
    let machine = printing(&model(&json!({
        "image": other,
        "logging": {"driver": "none"},
        "environment": {"A": "$$x"},
    })));
    let run = verb(&machine, Verb::Images);
    assert_eq!(run.result, Ok(()), "{}", run.said());
    assert_eq!(run.asked[0], "model of project compose in /data1/compose from /data1/compose/compose.yaml");
    let pulled: Vec<&String> = run.asked.iter().filter(|asked| asked.starts_with("pull ")).collect();
    assert!(pulled.len() == 1 && pulled[0].starts_with(&format!("pull {other} ")), "{pulled:?}");
    let kept: Value = serde_json::from_str(&run.file(MODEL)).unwrap();
    assert_eq!(
        kept,
        json!({"name": "compose", "services": {"web": {"image": other, "environment": {"A": "$$x"}}}})
    );
    let start = verb(&machine, Verb::Start);
    assert_eq!(start.asked[0], format!("start project compose in /data1/compose from {MODEL}"));
    assert_eq!(start.asked[1..], ["replace /run/countersign/started"]);
}

#[test]
fn a_model_that_breaks_a_rule_ends_the_boot_before_anything_is_pulled() {
    let place = "canonical model of the compose file: ";
    for (model, code, words) in [
        ("{".to_owned(), Code::ComposeRefused, "expected the compose program's model"),
        (
            model(&json!({"image": "canary:latest"})),
            Code::ImageNotPinned,
            "service web: expected its image as name@",
        ),
        (
            model(&json!({"image": IMAGE, "canary": 1, "future": 1})),
            Code::ComposeRefused,
            "services.web: expected a known key instead of ",
        ),
        (
            model(&json!({"image": IMAGE, "gpus": [{"count": -1}]})),
            Code::ComposeRefused,
            "services.web.gpus: expected no graphics processor",
        ),
        (
            model(&json!({"image": IMAGE, "volumes": [{"type": "bind", "source": "/run", "target": "/x"}]})),
            Code::ReachRefused,
            "services.web.volumes: expected a data volume or a path of the compose folder",
        ),
    ] {
        let machine = printing(&model);
        let run = verb(&machine, Verb::Images);
        run.assert_verb_failed(Stage::Images, code, &format!("{place}{words}"));
        assert!(!run.asked.iter().any(|asked| asked.starts_with("pull ")), "{:?}", run.asked);
        assert!(run.asked.iter().any(|asked| asked.starts_with("erase ")), "{:?}", run.asked);
        assert!(!run.files.contains_key(std::path::Path::new(MODEL)));
        assert_silent(&run);
    }
}

#[test]
fn a_compose_program_that_fails_ends_the_boot() {
    let machine = booted(|_| ());
    machine.fails("model of", io::ErrorKind::Other);
    verb(&machine, Verb::Images).assert_verb_failed(Stage::Images, Code::ComposeRefused, "model of");
}

/// What a file that names no other reaches was told in the initramfs; of others, the model tells it.
#[test]
fn ways_out_of_a_container_are_told_once() {
    let keys = json!({"image": IMAGE, "privileged": true});
    let words = "HPL06123W: service web reaches all devices and privileges";
    let machine = printing(&model(&keys));
    assert!(!verb(&machine, Verb::Images).said().contains("HPL06123W"));
    let contract = Contract::good()
        .with_compose(&format!("include: [other.yaml]\nservices:\n  web:\n    image: {IMAGE}\n"))
        .with_file("other.yaml", "services: {}\n");
    let machine = booted_with(&contract, |_| ());
    machine.prints_model(&model(&keys));
    let run = verb(&machine, Verb::Images);
    assert_eq!(run.result, Ok(()), "{}", run.said());
    assert!(run.said().contains(words), "{}", run.said());
}
