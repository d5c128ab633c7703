//! What the fuzz targets share: printing a YAML tree, judging a finding, material made at start.
//!
//! Deliberately an encoder of its own: what the house prints is not used to prove what the house reads.

#![forbid(unsafe_code)]
// A target that cannot set up its input has failed; a broken property is meant to stop the process.
#![allow(clippy::expect_used)]

pub mod finding;
pub mod material;
pub mod print;

/// Stands where a secret value may stand; no message may hold it.
pub const CANARY: &str = "canary";
