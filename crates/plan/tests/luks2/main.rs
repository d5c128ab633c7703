//! The LUKS header reader and judge against headers that the real cryptsetup made, forged ones, and noise.

// A test that cannot set up its input has failed.
#![allow(clippy::expect_used)]

mod cryptsetup;
mod integrity;
mod mutants;
mod random;
mod table;
mod twin;
