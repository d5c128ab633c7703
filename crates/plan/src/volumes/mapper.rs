//! Names of the mapped devices below `/dev/mapper`: no two can be the same.
//!
//! | device | name |
//! |---|---|
//! | the guest OS's image | [`IMAGE`] |
//! | scratch space | [`SCRATCH`] |
//! | the volume `data` | `volume-data` |
//! | the dm-integrity device below it | that, and [`INTEGRITY_SUFFIX`], which libcryptsetup adds |
//! | a partition below that | as the kernel would call it, `vdb2` ([`Device::partition`]) |
//!
//! A volume may itself be called `x_dif`. So a name with that ending gets a dot, which no volume's name has; and so does
//! one that is too long for the kernel, of which a digest stands for the rest. Nothing of this is on a disk: a volume
//! opens whatever its mapped device was called when it was made. HPCR calls its devices after the UUID in the header,
//! which the host writes; the names of the contract are its parties' own.

use countersign_crypto::digest::sha256_hex;

#[cfg(doc)]
use crate::volumes::facts::Device;

/// The guest OS's image.
pub const IMAGE: &str = "os";
/// Scratch space.
pub const SCRATCH: &str = "scratch";
/// What the name of the dm-integrity device ends with that lies below a mapped device; libcryptsetup's choice.
pub const INTEGRITY_SUFFIX: &str = "_dif";

/// What the names of volumes begin with.
const VOLUME: &str = "volume-";
/// The longest name that the kernel takes, in bytes (`DM_NAME_LEN` of `<linux/dm-ioctl.h>`, without its NUL).
const LONGEST: usize = 127;
/// Bytes of a volume's name that stand before its digest.
const KEPT: usize = 40;

/// The mapped device of a volume, by the volume's name: lower-case letters, digits, `-` and `_`.
pub fn volume(name: &str) -> String {
    let dot = if name.ends_with(INTEGRITY_SUFFIX) { "." } else { "" };
    let whole = format!("{VOLUME}{name}{dot}");
    if whole.len() + INTEGRITY_SUFFIX.len() <= LONGEST {
        return whole;
    }
    let start = name.get(..KEPT).unwrap_or_default();
    format!("{VOLUME}{start}.{}", sha256_hex(name.as_bytes()))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    #[test]
    fn no_two_devices_have_one_name() {
        let words =
            ["x", "x_dif", "x_dif_dif", "_dif", "os", "scratch", "volume-x", "x-", "x_", "x_di", "dif"];
        let mut names: Vec<String> = words.iter().map(|word| (*word).to_owned()).collect();
        // Everything of up to four of the letters that matter.
        let mut longer = vec![String::new()];
        for _ in 0..4 {
            longer = longer
                .iter()
                .flat_map(|start| ["_dif", "_", "d", "-"].map(|end| format!("{start}{end}")))
                .collect();
            names.extend(longer.iter().filter(|name| !name.starts_with('-')).cloned());
        }
        for length in [115, 116, 117, 127, 128, 255, 5000] {
            let long = "y".repeat(length);
            names.extend([format!("{}_dif", &long[4..]), format!("{}z", &long[1..]), long]);
        }
        names.sort();
        names.dedup();
        let mut owners = BTreeMap::from([(IMAGE.to_owned(), "image"), (SCRATCH.to_owned(), "scratch")]);
        for name in &names {
            let mapped = volume(name);
            for device in [format!("{mapped}{INTEGRITY_SUFFIX}"), mapped] {
                assert!(device.len() <= LONGEST, "{device}");
                let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
                assert!(device.bytes().all(plain), "{device}");
                assert_eq!(owners.insert(device.clone(), name), None, "{device} of {name}");
            }
        }
        assert!(names.len() > 200);
    }

    #[test]
    fn usual_names_stay_as_they_are() {
        assert_eq!(volume("data"), "volume-data");
        assert_eq!(volume("x_dif"), "volume-x_dif.");
        assert_eq!(volume(&"y".repeat(116)).len(), 123);
        assert_eq!(volume(&"y".repeat(117)).len(), 7 + 40 + 1 + 64);
    }
}
