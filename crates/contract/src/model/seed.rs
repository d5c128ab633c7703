//! Seeds that are worth a warning: what an adversary could guess, what HPCR would refuse, and one seed used twice.
//!
//! Each party's seed should hold 128 bits by itself, for the other party knows its own. What a text holds is not to be
//! told from the text; these are bounds that a random one of its kind keeps and most others do not. No message tells the
//! length of a seed or what it is made of.

use std::collections::BTreeMap;

use super::read::Reader;
use crate::code::Code;
use crate::refusal::Finding;

/// Characters that the schema of HPCR wants since 2026.
const LENGTH_OF_2026: usize = 15;
/// Bits that are beyond guessing.
const BITS: f64 = 128.0;
/// Different characters below which a text has a pattern: of 32 random hexadecimal digits, 13 to 15 differ.
const FEW: u32 = 8;

/// Warns about a field that holds a seed, of the section that has to hold it.
pub(super) fn warn_weak(section: &Reader<'_>, warnings: &mut Vec<Finding>) {
    let Some(field) = section.child("seed") else { return };
    let Some(seed) = field.as_text() else { return };
    if let Some((code, message)) = weakness(seed) {
        warnings.push(Finding::with(code, field.place(), message));
    }
}

/// What is weak about a seed: the first of the reasons.
fn weakness(seed: &str) -> Option<(Code, &'static str)> {
    if seed.chars().count() < LENGTH_OF_2026 {
        return Some((
            Code::ShortSeed,
            "the seed is shorter than the 15 characters that HPCR demands since 2026",
        ));
    }
    if !seed.bytes().all(is_allowed_in_2026) {
        return Some((
            Code::ShortSeed,
            "the seed has a character that HPCR refuses since 2026: it takes letters, digits and !@#$%^&*(),.?\":{}|<>_-",
        ));
    }
    // All of them are ASCII here.
    let letters = seed.bytes().fold(0_u128, |letters, byte| letters | 1 << (byte & 127));
    if letters.count_ones() < FEW {
        return Some((Code::GuessableSeed, "the seed has few different characters, so it can be guessed"));
    }
    (bits(seed) < BITS).then_some((
        Code::GuessableSeed,
        "the seed is shorter than a random text of its kind with 128 bits, so it may be guessed",
    ))
}

/// The pattern of schema 1.0.116: no space, nothing beyond ASCII.
fn is_allowed_in_2026(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"!@#$%^&*(),.?\":{}|<>_-".contains(&byte)
}

/// What a random text of this length and of the same kinds of characters holds.
fn bits(seed: &str) -> f64 {
    let any = |of: fn(&u8) -> bool| seed.as_bytes().iter().any(of);
    let is_hexadecimal =
        |letter: u8| letter.is_ascii_digit() || (b'a'..=b'f').contains(&letter.to_ascii_lowercase());
    let one_case = !(any(u8::is_ascii_lowercase) && any(u8::is_ascii_uppercase));
    let kinds = if one_case && seed.bytes().all(is_hexadecimal) {
        if any(u8::is_ascii_alphabetic) { 16.0 } else { 10.0 }
    } else {
        [
            (any(u8::is_ascii_digit), 10.0),
            (any(u8::is_ascii_lowercase), 26.0),
            (any(u8::is_ascii_uppercase), 26.0),
            (any(|byte| !byte.is_ascii_alphanumeric()), 22.0),
        ]
        .into_iter()
        .filter_map(|(given, kinds)| given.then_some(kinds))
        .sum()
    };
    // A seed is bounded by the contract, 1 MiB.
    f64::from(u32::try_from(seed.len()).unwrap_or(u32::MAX)) * f64::log2(kinds)
}

/// Warns where two volumes of a section have one seed: whoever learns it for one volume has it for the other.
pub(super) fn warn_of_two_volumes(section: &Reader<'_>, warnings: &mut Vec<Finding>) {
    let mut known: BTreeMap<&str, &str> = BTreeMap::new();
    for (name, volume) in section.children("volumes") {
        let Some(field) = volume.child("seed") else { continue };
        let Some(seed) = field.as_text() else { continue };
        match known.get(seed) {
            Some(other) => {
                let message = format!("the volumes {other} and {name} have the same seed");
                warnings.push(Finding::with(Code::SharedSeed, field.place(), message));
            }
            None => {
                known.insert(seed, name);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_reason_is_told_by_its_code_and_never_by_a_value() {
        for (seed, code, words) in [
            ("abc", "HPL05201W", "shorter than the 15"),
            ("abcdefghijklmn", "HPL05201W", "shorter than the 15"),
            ("correct horse battery staple", "HPL05201W", "character that HPCR refuses"),
            ("Stra\u{df}e-und-Platz-in-Bern-1", "HPL05201W", "character that HPCR refuses"),
            ("ababababababababababababababababababababab", "HPL05208W", "few different"),
            ("abcdefghijklmno", "HPL05208W", "128 bits"),
            // 31 hexadecimal digits, 124 bits.
            ("0123456789abcdef0123456789abcde", "HPL05208W", "128 bits"),
            // 38 digits, 126 bits.
            ("01234567890123456789012345678901234567", "HPL05208W", "128 bits"),
            // 21 letters and digits, 125 bits.
            ("aB3defghijklmnopqrstu", "HPL05208W", "128 bits"),
        ] {
            let (found, message) = weakness(seed).unwrap_or_else(|| panic!("{code} {words}"));
            assert_eq!(found.as_str(), code, "{words}");
            assert!(message.contains(words) && !message.contains(seed), "{message}");
        }
    }

    #[test]
    fn what_holds_128_bits_is_taken_without_a_word() {
        for seed in [
            "0123456789abcdef0123456789abcdef",
            "0123456789ABCDEF0123456789ABCDEF",
            "012345678901234567890123456789012345678",
            "aB3defghijklmnopqrstuv",
            // openssl rand -base64 24, without the characters that HPCR refuses.
            "Zm9vYmFyYmF6cXV4cXV1eGZv",
        ] {
            assert_eq!(weakness(seed), None);
        }
    }
}
