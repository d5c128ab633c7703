//! Bytes of `user-data` to an envelope: the outer YAML and the shape of a contract, nothing unsealed.
//!
//! Beyond "returns": a tree prints and reads again the same, and so does the envelope; a refusal has code and
//! place and shows no value.
#![no_main]

use countersign_contract::code::Code;
use countersign_contract::envelope::Envelope;
use countersign_contract::place::{Origin, Pointer};
use countersign_contract::refusal::Refusal;
use countersign_contract::yaml;
use countersign_fuzz::{finding, print};
use libfuzzer_sys::fuzz_target;

fn places(refusals: &[Refusal]) -> Vec<(Code, &Pointer)> {
    refusals.iter().map(|refusal| (refusal.code(), &refusal.place().pointer)).collect()
}

fuzz_target!(|bytes: &[u8]| {
    let tree = yaml::parse(bytes, &Origin::contract());
    let keys_are_clean = tree.as_ref().is_ok_and(finding::keys_are_clean);
    let envelope = Envelope::parse(bytes);
    match &envelope {
        Ok(envelope) => {
            envelope.warnings().iter().for_each(|warning| finding::check(warning, keys_are_clean))
        }
        Err(refusals) => {
            assert!(!refusals.is_empty(), "refused without a reason");
            refusals.iter().for_each(|refusal| finding::check_refusal(refusal, keys_are_clean));
        }
    }
    let Ok(tree) = tree else {
        assert!(envelope.is_err(), "an envelope of what is no YAML");
        return;
    };
    let printed = print::flow(&tree);
    let again = yaml::parse(printed.as_bytes(), &Origin::contract()).expect("what was printed is YAML");
    assert_eq!(tree.to_json().expose(), again.to_json().expose(), "{printed}");
    match (envelope, Envelope::parse(printed.as_bytes())) {
        (Ok(first), Ok(second)) => {
            assert_eq!(first.workload().form(), second.workload().form());
            assert_eq!(first.env().form(), second.env().form());
            assert_eq!(first.attested(), second.attested());
            assert_eq!(first.signed_strings(), second.signed_strings());
        }
        (Err(first), Err(second)) => assert_eq!(places(&first), places(&second)),
        (first, second) => panic!("{:?} became {:?}", first.err(), second.err()),
    }
});
