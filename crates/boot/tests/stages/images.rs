//! Stage `images` of the guest OS.

use std::io;
use std::path::Path;
use std::time::Duration;

use countersign_boot::guest_os::Verb;
use countersign_boot::stage::Stage;
use countersign_contract::code::Code;
use countersign_ports::Clock;
use countersign_rehearsal::Rehearsal;

use crate::support::Contract;
use crate::support::canaries::{assert_silent, canaries};
use crate::support::contract::IMAGE;
use crate::support::guest_os::{booted, booted_with, verb};

const CREDENTIALS: &str = "/run/countersign/registry/config.json";
const POLICY: &str = "/run/countersign-engine/policy.json";
const AUTHORITY: &str = "/run/countersign-engine/certs.d/registry.example.org:5000/ca.crt";

/// What the engine may copy, by its policy file.
fn allowed(text: &str) -> Vec<String> {
    let policy: serde_json::Value = serde_json::from_str(text).unwrap();
    assert_eq!(policy["default"], serde_json::json!([{"type": "reject"}]));
    let scopes = policy["transports"]["docker"].as_object();
    scopes.into_iter().flatten().map(|(name, _)| name.clone()).collect()
}

#[test]
fn every_image_is_pulled_by_digest_with_the_contracts_credentials_and_authority() {
    let machine = booted(|_| ());
    let content = |path: &str| String::from_utf8(machine.files()[Path::new(path)].1.clone()).unwrap();
    assert_eq!(allowed(&content(POLICY)), Vec::<String>::new(), "before the images are known");
    let run = verb(&machine, Verb::Images);
    assert_eq!(run.result, Ok(()), "{}", run.said());
    let expected = [
        format!("replace {AUTHORITY}"),
        format!("replace {POLICY}"),
        format!("pull {IMAGE} credentials={CREDENTIALS}"),
        format!("replace {POLICY}"),
        format!("erase {CREDENTIALS}"),
    ];
    assert_eq!(run.asked[2..], expected);
    assert_eq!(content(AUTHORITY), content("/run/countersign/registry/ca.pem"));
    assert_eq!(allowed(&content(POLICY)), Vec::<String>::new(), "once they are there");
    assert!(run.said().contains("pulling 1 image\n"), "{}", run.said());
    assert_eq!(run.stage_lines(), ["stage=images state=start", "stage=images state=done images=1"]);
    assert_silent(&run);
}

#[test]
fn while_images_are_pulled_the_engine_may_copy_them_and_nothing_else() {
    let machine = booted_with(&three(), |_| ());
    machine.fails("pull", io::ErrorKind::Other);
    assert!(verb(&machine, Verb::Images).result.is_err());
    let written = machine.replaced(Path::new(POLICY));
    let texts: Vec<Vec<String>> =
        written.iter().map(|text| allowed(std::str::from_utf8(text).unwrap())).collect();
    let digest = IMAGE.rsplit('@').next().unwrap();
    let names: Vec<String> = ["a", "b", "c"].map(|name| format!("docker.io/library/{name}@{digest}")).into();
    assert_eq!(texts, [names, vec![]]);
}

#[test]
fn what_the_engine_has_goes_into_the_transcript() {
    let machine = booted_with(&three(), |_| ());
    assert_eq!(verb(&machine, Verb::Images).result, Ok(()));
    let transcript = &machine.files()[Path::new("/run/countersign/transcript.json")].1;
    let transcript: serde_json::Value = serde_json::from_slice(transcript).unwrap();
    let digest = IMAGE.rsplit('@').next().unwrap();
    let one = format!("sha256:{}", "1".repeat(64));
    let image = |name: &str| serde_json::json!({"reference": format!("docker.io/library/{name}@{digest}"), "manifest": one, "config": one});
    assert_eq!(transcript["images"], serde_json::json!([image("a"), image("b"), image("c")]));
}

#[test]
fn an_image_that_is_not_to_be_had_ends_the_boot() {
    let machine = booted(|_| ());
    machine.fails("pull", io::ErrorKind::Other);
    let run = verb(&machine, Verb::Images);
    run.assert_verb_failed(Stage::Images, Code::ImagePullFailed, "image 1 of 1: ");
    assert_silent(&run);
}

#[test]
fn authorities_of_the_env_section_count_where_the_workload_says_so() {
    // Without a list they count everywhere, as on HPCR, and that is told.
    let warning = Code::AuthorityOfDeployer.as_str();
    assert!(booted(|_| ()).lines().iter().any(|(_, line)| line.starts_with(warning)));
    for (listed, believed) in [
        ("['registry.example.org:5000']", true),
        ("['Registry.example.ORG:5000']", true),
        ("[]", false),
        ("[registry.example.org]", false),
    ] {
        let contract =
            Contract::good().with_workload(&format!("countersign:\n  policy:\n    registries: {listed}\n"));
        let machine = booted_with(&contract, |_| ());
        assert!(!machine.lines().iter().any(|(_, line)| line.starts_with(warning)));
        let run = verb(&machine, Verb::Images);
        assert_eq!(run.result, Ok(()), "{}", run.said());
        assert_eq!(run.files.contains_key(Path::new(AUTHORITY)), believed, "{listed}");
    }
}

#[test]
fn the_credentials_are_gone_before_anything_starts_whether_the_images_came_or_not() {
    let holds = |machine: &Rehearsal| {
        let files = machine.files();
        let password = canaries().into_iter().filter(|canary| canary.name().starts_with("registry"));
        let found = password
            .map(|canary| files.values().any(|(_, content)| canary.is_in(&String::from_utf8_lossy(content))));
        (files.contains_key(Path::new(CREDENTIALS)), found.collect::<Vec<_>>())
    };
    for fails in [false, true] {
        let machine = booted(|_| ());
        assert_eq!(holds(&machine), (true, vec![false, true]), "the search finds what is there");
        if fails {
            machine.fails("pull", io::ErrorKind::Other);
        }
        let before = machine.asked().len();
        assert_eq!(verb(&machine, Verb::Images).result.is_err(), fails);
        assert_eq!(holds(&machine), (false, vec![false, false]));
        verb(&machine, if fails { Verb::Failure } else { Verb::Start });
        let asked = machine.asked().split_off(before);
        let place = |word: &str| asked.iter().position(|asked| asked.starts_with(word));
        assert!(place("pull") < place("erase"), "{asked:?}");
        let next = if fails { "send" } else { "start project" };
        assert!(place("erase") < place(next) && place(next).is_some(), "{asked:?}");
    }
}

#[test]
fn credentials_that_cannot_be_erased_end_the_boot_behind_the_first_cause() {
    let machine = booted(|_| ());
    machine.fails("erase", io::ErrorKind::ReadOnlyFilesystem);
    verb(&machine, Verb::Images).assert_verb_failed(Stage::Images, Code::HandoverFailed, CREDENTIALS);
    machine.fails("pull", io::ErrorKind::Other);
    verb(&machine, Verb::Images).assert_verb_failed(Stage::Images, Code::ImagePullFailed, "pull");
}

/// A contract with three images, `a`, `b` and `c`.
fn three() -> Contract {
    let digest = IMAGE.rsplit('@').next().unwrap();
    let service = |name: &str| format!("  {name}:\n    image: {name}@{digest}\n");
    Contract::good().with_compose(&format!("services:\n{}{}{}", service("a"), service("b"), service("c")))
}

#[test]
fn all_images_together_have_one_deadline() {
    // The time of the double is one for all, as if they came one after the other.
    for (seconds, late) in [(1801, true), (600, false)] {
        let machine = booted_with(&three(), |_| ());
        machine.takes("pull ", Duration::from_secs(seconds));
        let begun = machine.uptime();
        let run = verb(&machine, Verb::Images);
        let begins = run.asked.iter().filter(|asked| asked.starts_with("pull")).count();
        if late {
            let words = "expected 3 images within 1800 s, image ";
            run.assert_verb_failed(Stage::Images, Code::ImagesLate, words);
            assert!(run.sentence().contains(" was not there"), "{}", run.sentence());
            // The cause waits for the unit that tells the log server.
            assert!(run.file("/run/countersign/failure.txt").contains(words), "{:?}", run.files);
            // A lane may have begun before another noticed.
            assert!((1..=3).contains(&begins), "{:?}", run.asked);
        } else {
            assert_eq!((begins, run.result.clone()), (3, Ok(())), "{}", run.said());
        }
        assert!(late || machine.uptime() - begun <= Duration::from_secs(1800));
        assert_silent(&run);
    }
}
