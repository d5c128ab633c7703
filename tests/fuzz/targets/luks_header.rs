//! The reader and judge of LUKS headers, by three ways.
//!
//! The first byte chooses: the rest is the start of a device as it stands; or 512 bytes of a binary header and a
//! JSON area, from which both copies are made with checksums that hold, since bytes at random never pass one; or
//! the text of a JSON area alone. Beyond "returns": what the narrow profile accepts the wide one accepts too, an
//! accepted header is bounded, and no fault shows a word of the header.
#![no_main]

use countersign_fuzz::CANARY;
use countersign_plan::luks2::{
    HEADER_LIMIT, METADATA_LIMIT, Profile, ReadError, fuzz_header, judge, judge_interrupted, metadata_len,
    read,
};
use libfuzzer_sys::fuzz_target;
use openssl::sha::sha256;

const COPY: usize = 0x4000;
const BINARY: usize = 0x1000;
/// The part of a binary header that is not padding.
const FIELDS: usize = 512;
const CHECKSUM: std::ops::Range<usize> = 448..512;
const DEVICE_SIZE: u64 = 64 << 20;

fuzz_target!(|input: &[u8]| {
    let Some((way, rest)) = input.split_first() else { return };
    match way % 3 {
        0 => device(rest),
        1 => device(&sealed(rest)),
        _ => {
            fuzz_header(rest);
        }
    }
});

/// Both copies of a header of 16 KiB, checksums made to hold.
fn sealed(input: &[u8]) -> Vec<u8> {
    let (fields, json) = input.split_at(input.len().min(FIELDS));
    let json = &json[..json.len().min(COPY - BINARY)];
    let mut head = vec![0; 2 * COPY];
    for (number, copy) in head.chunks_exact_mut(COPY).enumerate() {
        copy[..fields.len()].copy_from_slice(fields);
        if number == 1 {
            copy[..4].copy_from_slice(b"SKUL");
            // Where the copy stands, as big-endian bytes.
            copy[256..264].copy_from_slice(&(COPY as u64).to_be_bytes());
        }
        copy[BINARY..BINARY + json.len()].copy_from_slice(json);
        copy[CHECKSUM].fill(0);
        let sum = sha256(copy);
        copy[CHECKSUM.start..CHECKSUM.start + sum.len()].copy_from_slice(&sum);
    }
    head
}

fn device(bytes: &[u8]) {
    assert!(metadata_len(bytes) <= METADATA_LIMIT);
    let profiles = [Profile::countersign(), Profile::compatible(), Profile::compatible().during_rotation()];
    let verdicts: Vec<_> = match read(bytes) {
        Ok(header) => profiles.iter().map(|profile| judge(&header, profile, DEVICE_SIZE)).collect(),
        Err(error) => {
            shows_nothing(&format!("{error} {}", error.fault()));
            let ReadError::Interrupted(interrupted) = error else { return };
            profiles.iter().map(|profile| judge_interrupted(&interrupted, profile, DEVICE_SIZE)).collect()
        }
    };
    for verdict in &verdicts {
        match verdict {
            Ok(accepted) => {
                assert!(accepted.material_len() <= HEADER_LIMIT && accepted.header_len() <= HEADER_LIMIT);
                assert!(!accepted.slots().is_empty());
                assert!(accepted.data_offset() <= DEVICE_SIZE);
            }
            Err(faults) => {
                assert!(!faults.is_empty(), "refused without a fault");
                faults.iter().for_each(|fault| shows_nothing(&format!("{fault} {fault:?}")));
            }
        }
    }
    // From narrow to wide.
    assert!(verdicts.is_sorted_by_key(Result::is_ok), "a narrow profile accepts what a wide one refuses");
}

fn shows_nothing(shown: &str) {
    assert!(!shown.contains(CANARY), "text of the header is shown");
    assert!(!shown.contains('\n'), "more than a line");
}
