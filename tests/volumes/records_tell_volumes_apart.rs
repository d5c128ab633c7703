//! The record that a volume carries: volumes with the same seeds that the host exchanges, or of which it shows a copy
//! under another name, are refused. One that was made elsewhere is warned of once and has a record from then on.
//!
//! An older header put back is in `seeds_change`.

use countersign_tests::lab::{Act, Answer, Case};
use countersign_vm::lab::contract::Volume;

use crate::support::{BY_HAND, CHEAP, CONTRACT, Lab, by_hand, cryptsetup, passphrase, said, shown, volume};

/// Bytes of each disk: a volume without partitions, as of old.
const SMALL: u64 = 48 << 20;

fn assert_exchanged(answer: &Answer, name: &str) {
    assert_eq!(
        (answer.stage.as_deref(), answer.code.as_deref()),
        (Some("unlock"), Some("HPL07122E")),
        "{answer:#?}"
    );
    let words = format!("volume {name}: expected the record of this volume, found that of another");
    assert!(said(answer, &words), "no \"{words}\" in {answer:#?}");
}

#[test]
fn volumes_that_were_exchanged_or_copied_are_refused() {
    let mut lab = Lab::new("records");
    let one = volume("one");
    let two = Volume { mount: "/mnt/two".into(), ..one.clone() };
    lab.deliver(CONTRACT, &[("one", &one), ("two", &two)], &[]);
    for name in ["one", "two", "copy"] {
        let image = lab.disk(name, SMALL);
        if name != "copy" {
            cryptsetup(&[&["luksFormat", "--type", "luks2"], &CHEAP[..]].concat(), &image, &passphrase(&one));
        }
    }
    let look =
        || ["one", "two"].map(|name| Act::Look { folder: format!("{{volume}}/{name}/files") }).to_vec();
    let own = || shown(CONTRACT, &[("one", "one"), ("two", "two")]);
    let copied = Act::Copy { from: ("one".into(), 0), to: ("copy".into(), 0), length: SMALL };
    let mut filled = by_hand("one", "", &passphrase(&one));
    filled.extend(by_hand("two", "", &passphrase(&two)));
    for (name, before, boot) in [
        ("without record", filled, own()),
        ("with record", vec![], own()),
        ("exchanged", vec![], shown(CONTRACT, &[("one", "two"), ("two", "one")])),
        ("copied", vec![copied], shown(CONTRACT, &[("one", "one"), ("copy", "two")])),
        ("as they were", vec![], own()),
    ] {
        lab.case(Case { name: name.into(), before, boot, after: look() });
    }

    let answers = lab.boot();

    let [without, with, exchanged, copied, own] = &answers[..] else { panic!("{answers:#?}") };
    for (answer, warned) in [(without, true), (with, false), (own, false)] {
        assert_eq!(answer.code, None, "{answer:#?}");
        assert_eq!(answer.mapped, ["volume-one", "volume-two"], "{answer:#?}");
        assert_eq!(answer.files.get("by-hand"), Some(&BY_HAND), "{answer:#?}");
        for name in ["one", "two"] {
            let words = format!("HPL07120W: volume {name}: ");
            assert_eq!(said(answer, &words), warned, "{words} in {answer:#?}");
        }
    }
    assert_exchanged(exchanged, "one");
    assert_exchanged(copied, "two");
}
