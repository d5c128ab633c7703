//! The build manifest and the sealing manifest.
//!
//! The first byte chooses which. Beyond "returns": a fault is one line without control characters, and a sealing manifest
//! is the same when it is written and read again.
#![no_main]

use countersign_ultravisor::manifest::{Build, ManifestFault, Sealing};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: &[u8]| {
    let Some((way, text)) = input.split_first() else { return };
    if way % 2 == 0 {
        if let Err(fault) = Build::parse(text) {
            shown(&fault);
        }
        return;
    }
    match Sealing::parse(text) {
        Ok(sealing) => {
            let text = sealing.to_text().expect("text and numbers alone");
            assert_eq!(Sealing::parse(text.as_bytes()), Ok(sealing));
        }
        Err(fault) => shown(&fault),
    }
});

fn shown(fault: &ManifestFault) {
    assert!(!fault.to_string().chars().any(char::is_control), "control characters in a fault");
}
