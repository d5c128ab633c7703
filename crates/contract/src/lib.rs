//! The Countersign contract: from bytes to a typed model, with a place for everything that is wrong.
//!
//! Pure: no file, clock, environment or network. The way through the crate:
//!
//! 1. [`cidata`] finds `user-data` on the contract disk.
//! 2. [`envelope`] splits it into sections, which may be text, tokens or maps.
//! 3. Whoever holds the image key unseals the tokens (crate `countersign-crypto`); this crate never does.
//! 4. [`yaml`] reads each section's text into values with places, [`schema`] checks them, and [`model`] makes a
//!    [`model::Contract`] from the same values.
//!
//! What each field means, and what was decided where public documents disagree, is in `CONTRACT.md`.

#![forbid(unsafe_code)]
#![cfg_attr(not(test), deny(clippy::disallowed_methods))]

pub mod archive;
pub mod cidata;
pub mod code;
pub mod envelope;
pub mod model;
pub mod nearest;
pub mod place;
pub mod refusal;
pub mod schema;
pub mod yaml;
