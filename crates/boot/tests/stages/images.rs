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

#[test]
fn every_image_is_pulled_by_digest_with_the_contracts_credentials_and_authority() {
    let machine = booted(|_| ());
    let run = verb(&machine, Verb::Images);
    assert_eq!(run.result, Ok(()), "{}", run.said());
    let expected = format!(
        "pull {IMAGE} credentials=/run/countersign/registry/config.json \
         authorities=/run/countersign/registry/authorities"
    );
    assert_eq!(run.asked[2..], [expected, format!("erase {CREDENTIALS}")]);
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
    for (seconds, pulled, missing) in [
        // Each of them well within it, but not all.
        ([700, 700, 700], 3, Some(3)),
        // Nothing is left for the third one, which is not begun.
        ([900, 900, 1], 2, Some(3)),
        ([1801, 1, 1], 1, Some(1)),
        ([600, 600, 600], 3, None),
    ] {
        let machine = booted_with(&three(), |_| ());
        for (name, seconds) in ["a", "b", "c"].into_iter().zip(seconds) {
            machine.takes(&format!("pull {name}@"), Duration::from_secs(seconds));
        }
        let begun = machine.uptime();
        let run = verb(&machine, Verb::Images);
        assert_eq!(
            run.asked.iter().filter(|asked| asked.starts_with("pull")).count(),
            pulled,
            "{:?}",
            run.asked
        );
        match missing {
            Some(number) => {
                let words = format!("expected 3 images within 1800 s, image {number} was not there");
                run.assert_verb_failed(Stage::Images, Code::ImagesLate, &words);
                // The cause waits for the unit that tells the log server.
                assert!(run.file("/run/countersign/failure.txt").contains(&words), "{:?}", run.files);
            }
            None => assert_eq!(run.result, Ok(()), "{}", run.said()),
        }
        assert!(machine.uptime() - begun <= Duration::from_secs(1800));
        assert_silent(&run);
    }
}
