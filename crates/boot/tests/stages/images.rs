//! Stage `images` of the guest OS.

use std::io;

use countersign_boot::host::Verb;
use countersign_boot::stage::Stage;
use countersign_contract::code::Code;

use crate::support::canaries::assert_silent;
use crate::support::contract::IMAGE;
use crate::support::host::{booted, verb};

#[test]
fn every_image_is_pulled_by_digest_with_the_contracts_credentials_and_authority() {
    let machine = booted(|_| ());
    let run = verb(&machine, Verb::Images);
    assert_eq!(run.result, Ok(()), "{}", run.said());
    let expected = format!(
        "pull {IMAGE} credentials=/run/countersign/registry/config.json \
         authorities=/run/countersign/registry/authorities"
    );
    assert_eq!(run.asked, [expected]);
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
