//! Stage `images` of the guest OS.

use std::io;
use std::path::Path;

use countersign_boot::host::Verb;
use countersign_boot::stage::Stage;
use countersign_contract::code::Code;
use countersign_system::recorder::Recorder;

use crate::support::canaries::{assert_silent, canaries};
use crate::support::contract::IMAGE;
use crate::support::host::{booted, verb};

const CREDENTIALS: &str = "/run/countersign/registry/config.json";

#[test]
fn every_image_is_pulled_by_digest_with_the_contracts_credentials_and_authority() {
    let machine = booted(|_| ());
    let run = verb(&machine, Verb::Images);
    assert_eq!(run.result, Ok(()), "{}", run.said());
    let expected = format!(
        "pull {IMAGE} credentials=/run/countersign/registry/config.json \
         authorities=/run/countersign/registry/authorities"
    );
    assert_eq!(run.asked, [expected, format!("erase {CREDENTIALS}")]);
    assert!(run.said().contains("pulling image 1 of 1"));
    assert_eq!(run.stage_lines(), ["stage=images state=start", "stage=images state=done images=1"]);
    assert_silent(&run);
}

#[test]
fn an_image_that_is_not_to_be_had_ends_the_boot() {
    let machine = booted(|_| ());
    machine.fails("pull", io::ErrorKind::Other);
    let run = verb(&machine, Verb::Images);
    run.assert_verb_failed(Stage::Images, Code::ImagePullFailed, "pull");
    assert_silent(&run);
}

#[test]
fn the_credentials_are_gone_before_anything_starts_whether_the_images_came_or_not() {
    let holds = |machine: &Recorder| {
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
