//! Sealed images from the outside: host key documents that openssl makes, images that others open, manifests.
//!
//! `COUNTERSIGN_BOOT_LOADER` names the folder with `stage3a.bin` and `stage3b_reloc.bin` of the lock (`tests/run` unpacks
//! it); without it what needs an image is skipped, and says so.

// Helpers of tests may stop where a test may.
#![allow(clippy::unwrap_used)]

mod alterations;
mod documents;
mod manifests;
mod others;
mod parts;
mod support;
