//! The contract disk: an ISO 9660 image to its files, and `meta-data` to its two values.
//!
//! The input stands where the volume descriptors are; the 32 KiB before them mean nothing. Beyond "returns": what is
//! read is recognised as a contract disk by its beginning alone, files lie inside the image, a refusal has a code.
#![no_main]

use countersign_contract::cidata::{self, meta_data};
use countersign_contract::code::Code;
use libfuzzer_sys::fuzz_target;

/// The system area of ISO 9660, which no reader looks at.
const SYSTEM_AREA: usize = 16 * 2048;

fuzz_target!(|input: &[u8]| {
    let mut image = vec![0; SYSTEM_AREA + input.len()];
    image[SYSTEM_AREA..].copy_from_slice(input);
    let files = match cidata::read(&image) {
        Ok(files) => files,
        Err(error) => {
            assert!(Code::ALL.contains(&error.code()));
            assert!(!error.to_string().contains('\n'));
            return;
        }
    };
    assert!(cidata::is_cidata(&image[..image.len().min(34 << 10)]));
    let contents = contents(&files);
    // What stands before the descriptors decides nothing.
    let mut other = vec![0xff; SYSTEM_AREA];
    other.extend_from_slice(input);
    let again = cidata::read(&other).expect("the same disk");
    if !reaches_before_descriptors(&image, &files) {
        assert_eq!(contents, self::contents(&again));
    }
    let Some(text) = files.meta_data else { return };
    match meta_data::parse(text) {
        Ok(values) => {
            let name = values.local_hostname.unwrap_or_default();
            assert!(name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-.".contains(&byte)));
            assert!(values.instance_id.unwrap_or_default().bytes().all(|byte| byte.is_ascii_graphic()));
        }
        Err(error) => assert!(Code::ALL.contains(&error.code())),
    }
});

fn contents<'i>(files: &cidata::Cidata<'i>) -> [Option<&'i [u8]>; 4] {
    [files.user_data, files.meta_data, files.vendor_data, files.network_config]
}

/// Whether a file of the disk lies in the part that is not fuzzed.
fn reaches_before_descriptors(image: &[u8], files: &cidata::Cidata<'_>) -> bool {
    let area = image[..SYSTEM_AREA].as_ptr_range();
    contents(files).into_iter().flatten().any(|file| area.contains(&file.as_ptr()))
}
