//! The machine: what the stages may ask of it, and the doing.
//!
//! [`ports`] are the questions, [`linux`] the only place with effects, external programs and `unsafe`,
//! [`recorder`] a double that writes down what was asked. Nothing here decides.

pub mod error;
pub mod linux;
pub mod ports;
pub mod recorder;
