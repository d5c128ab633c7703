//! The machine: what the stages may ask of it, and the doing.
//!
//! [`ports`] and [`ports_host`] are the questions, [`linux`] the only place with effects, external programs and
//! `unsafe`, [`recorder`] a double that writes down what was asked. Nothing here decides.

// A test that meets what it did not expect ends there.
#![cfg_attr(test, allow(clippy::unwrap_used, clippy::expect_used))]

pub mod error;
pub mod linux;
pub mod ports;
pub mod ports_host;
pub mod recorder;
