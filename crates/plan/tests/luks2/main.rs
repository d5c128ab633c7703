//! The LUKS header reader and judge against headers that the real cryptsetup made, forged ones, and noise.

// A test that cannot set up its input has failed.
#![allow(clippy::expect_used)]

#[path = "../../../../tests/src/luks2_integrity.rs"]
mod luks2_integrity;
#[path = "../../../../tests/src/luks2_mutants.rs"]
mod luks2_mutants;
#[path = "../../../../tests/src/luks2_volumes.rs"]
mod luks2_volumes;

mod cryptsetup;
mod integrity;
mod mutants;
mod random;
mod table;
mod twin;
