//! Forged LUKS2 headers: a good one with exactly one thing changed, checksums made to hold again.
//!
//! Each mutant names the rules that must refuse it and the places they must name, so that a reader
//! that refuses for a wrong reason is noticed. The encoder here is independent of the reader under
//! test. The same list serves natively and inside an emulated guest: a mutant is the first bytes of
//! a device, to be written over the good volume's.
//!
//! The good header must be one that `cryptsetup luksFormat` made with one argon2id key slot (64 MiB,
//! 4 passes, 2 lanes), a 64 byte key, a header size of 16 KiB and data at 16 MiB.

// A test that cannot set up its input has failed.
#![allow(clippy::expect_used)]

mod binary;
mod forge;
mod metadata;
mod text;

pub(crate) use forge::{Forge, object, put, texts};

/// What the reader must say of a mutant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// Refused with these identifiers and places, in this order.
    Refused(Vec<(&'static str, String)>),
    /// One copy sound, the other refused with this identifier and place.
    Interrupted(&'static str, String),
}

/// One forged header.
#[derive(Debug, Clone)]
pub struct Mutant {
    /// What was changed.
    pub name: String,
    /// The first bytes of the device: both header copies.
    pub head: Vec<u8>,
    /// What the profile of Countersign's own volumes must say.
    pub outcome: Outcome,
    /// Whether a profile for volumes made elsewhere may accept it.
    pub legal_elsewhere: bool,
}

/// Every mutant of a good header on a device of `device_size` bytes.
///
/// # Panics
/// When `good` is not the header described above.
pub fn mutants(good: &[u8], device_size: u64) -> Vec<Mutant> {
    let mut forge = Forge::new(good);
    metadata::changed(&mut forge, device_size);
    text::changed(&mut forge);
    binary::changed(&mut forge);
    forge.into_mutants()
}
