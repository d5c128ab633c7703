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
//! ```
//! use countersign_contract::envelope::Envelope;
//! use countersign_contract::schema;
//!
//! let text = "workload: |\n  type: workload\n  compose:\n    archive: 7\nenv: |\n  type: env\n";
//! let envelope = Envelope::parse(text.as_bytes()).expect("two sections");
//! let workload = envelope.workload().tree(None).expect("readable text");
//! let refusals = schema::check(workload).err().expect("an archive is a string");
//! assert!(refusals[0].to_string().contains("/workload/compose/archive"));
//! ```
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
