//! The formats of IBM Secure Execution that Countersign reads and writes: host key documents, the sealed boot image with
//! its header, and the two manifests that stand for it.
//!
//! Everything here is pure. No function reads a file, the clock, the environment or the network; a time is an argument,
//! in seconds since 1970-01-01 00:00 UTC. The only exception is OpenSSL's random number generator, where an image is
//! sealed. All numbers of the formats are big-endian. Layouts follow the source of IBM's s390-tools 2.43 (`pvimg`,
//! `s390_pv`, MIT) and the kernel's `arch/s390/include/uapi/asm/ipl.h`.
//!
//! | module | what |
//! |---|---|
//! | [`document`] | host key documents: which key a machine has, and who vouches for it |
//! | [`exchange`] | how a key reaches a machine: P-521, key slots |
//! | [`image`] | the sealed image: sealing one, and reading what anybody may read of it |
//! | [`machine`] | what the machine does with it; feature `machine`, for tests and the harness |
//! | [`manifest`] | the build manifest and the sealing manifest, and the builder's signature over each |
//!
//! What this crate does not do: it knows no contract, asks no device and prints nothing.

#![forbid(unsafe_code)]
#![cfg_attr(not(test), deny(clippy::disallowed_methods))]
// The module `machine` is there with its feature alone.
#![cfg_attr(not(feature = "machine"), allow(rustdoc::broken_intra_doc_links))]

mod bytes;
pub mod document;
pub mod exchange;
#[cfg(fuzzing)]
pub mod fuzz;
pub mod image;
pub mod key;
#[cfg(feature = "machine")]
pub mod machine;
pub mod manifest;

pub use countersign_crypto::LibraryError;
