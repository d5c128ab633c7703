//! The cryptography of a contract: secret types, tokens, signatures, certificates, key derivation.
//!
//! Everything here is pure. No function reads a file, the clock, the environment or the network;
//! a time is an argument, in seconds since 1970-01-01 00:00 UTC. The only exception is the random
//! number generator of OpenSSL: where an author seals something, and for a key that stands in when a
//! sealed token does not unwrap.
//!
//! The formats are those of the Hyper Protect Container Runtime as its public documents and the
//! `openssl` program define them; the tests hold them against that program. The one format of our
//! own is [`sealed`].
//!
//! What this crate does not do: it knows no contract fields, decides no policy (an expired
//! certificate is a fact here, a refusal elsewhere) and prints nothing. No error carries a value
//! from a contract.

#![forbid(unsafe_code)]
#![cfg_attr(not(test), deny(clippy::disallowed_methods))]

pub mod attestation;
pub mod certificate;
pub mod digest;
mod error;
#[cfg(fuzzing)]
pub mod fuzz;
pub mod image_key;
pub mod image_signer;
mod implicit_rejection;
pub mod issuance;
mod openssl_enc;
pub mod passphrase;
pub mod private_key;
pub mod sealed;
pub mod secret;
pub mod section_token;
pub mod signature;
mod text_form;
pub mod tls;
pub mod token;
mod token_parts;
pub mod volume_key;

pub use error::LibraryError;
