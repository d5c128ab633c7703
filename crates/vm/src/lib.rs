//! The harness: describes and runs an emulated machine, reads what it says as a typed stream of events, and plays
//! the parties and servers around it.
//!
//! | module | what |
//! |---|---|
//! | [`profile`] | the machine as data (`qemu/profiles/*.toml`) |
//! | [`arguments`] | QEMU's command line, by pure functions |
//! | [`events`] | console lines to typed events |
//! | [`guest`] | one run: spawn, wait for events, exit status; the serial log is kept |
//! | [`lab`] | the world around a guest: keys, contract, disks, syslog server, registry, planted secrets |
//! | [`demo`] | the main job once through, told and judged |
//! | [`mod@bench`] | what the design says is to be measured, measured |
//! | [`process`] | programs that end when the harness ends |
//! | [`programs`] | where programs lie |
//! | [`report`] | what the run stream says, for a person |
//!
//! It never links Countersign's own parsing, sealing or key derivation: contracts are made by the documented openssl
//! commands (`qemu/party`), so that a boot proves compatibility and not mere agreement with ourselves. It is never
//! shipped, and nothing shipped depends on it.
#![forbid(unsafe_code)]
#![cfg_attr(test, allow(clippy::unwrap_used, clippy::expect_used))]

pub mod arguments;
pub mod bench;
pub mod demo;
pub mod error;
pub mod events;
pub mod guest;
pub mod lab;
pub mod process;
pub mod profile;
pub mod programs;
pub mod report;

pub use error::Error;
