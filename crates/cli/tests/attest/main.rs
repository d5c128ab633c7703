//! `attest`: records, signatures, certificates and lists that openssl, sha256sum and a text editor make; shapes of every
//! generation of HPCR; and everything that is wrong with them.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod bad;
mod builder;
#[path = "../support/mod.rs"]
mod support;
mod verify;
mod world;
