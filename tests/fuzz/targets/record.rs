//! Records, bundles of them, logs and expectations, as whoever hands them to an auditor may write them.
//!
//! The first byte says which. Beyond "returns": what was read is within its bounds and reads the same with and without
//! its last line feed; every line has one verdict; without a signature none is good; a bundle that was read goes through
//! a log unchanged.
#![no_main]

use countersign_plan::record::bundle::Bundle;
use countersign_plan::record::compare::{Anchor, Context, Judged, Verdict, lines};
use countersign_plan::record::expectation::{Expectation, Source};
use countersign_plan::record::explain::explain;
use countersign_plan::record::machine::machine;
use countersign_plan::record::read::{Record, Said};
use countersign_plan::record::{MAX_LINE, MAX_LINES};
use libfuzzer_sys::fuzz_target;

fn record(bytes: &[u8]) {
    let Ok(record) = Record::parse(bytes) else { return };
    assert!(!record.version().is_empty() && record.lines().len() <= MAX_LINES);
    if let Some(without) = bytes.strip_suffix(b"\n") {
        assert_eq!(Record::parse(without).as_ref(), Ok(&record));
    }
    let mut own = Expectation::new();
    for line in record.lines() {
        if let Said::Digest(name, digest) = &line.said {
            assert!(name.to_string().len() <= MAX_LINE && digest.len() >= 64);
            own = own.with(name, vec![digest.clone()], Source::Expectation);
        }
    }
    let expectations = [own, Expectation { warnings: Some(Vec::new()), ..Expectation::new() }];
    let judge = |anchor| -> Vec<Judged> {
        let context = Context {
            anchor,
            expectations: &expectations,
            builder: true,
            certificate_end: Some(1_814_856_281),
            final_signature: Some(true),
        };
        lines(&record, context)
    };
    let nobody = judge(Anchor::Nobody);
    assert!(nobody.iter().all(|one| one.verdict != Verdict::Good));
    let vouched = judge(Anchor::ImageKey);
    // What is expected of every digest is what it is, so none is bad and none is missing.
    assert_eq!(vouched.len(), record.lines().len());
    assert_eq!(nobody.len(), vouched.len());
    assert!(!explain(&record).shows.is_empty());
}

fn bundle(bundle: &Bundle) {
    let Ok(lines) = bundle.lines() else { return };
    assert!(lines.iter().all(|line| line.is_ascii() && line.len() < 900));
    assert_eq!(Bundle::find(&lines.join("\n")).as_ref(), Ok(bundle));
}

fuzz_target!(|input: &[u8]| {
    let Some((which, bytes)) = input.split_first() else { return };
    match which % 5 {
        0 => record(bytes),
        1 => {
            if let Ok(read) = Bundle::parse(bytes) {
                bundle(&read);
            }
        }
        2 => {
            if let Ok(read) = Bundle::find(&String::from_utf8_lossy(bytes)) {
                bundle(&read);
            }
        }
        3 => {
            if let Ok(read) = Expectation::parse(bytes) {
                let text = serde_json::to_vec(&read).expect("JSON");
                assert_eq!(Expectation::parse(&text), Ok(read));
            }
        }
        _ => {
            if let Some(text) = machine(&String::from_utf8_lossy(bytes)) {
                assert_eq!(text.matches('/').count(), 2);
            }
        }
    }
});
