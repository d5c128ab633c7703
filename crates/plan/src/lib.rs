//! (contract, facts) -> plan: which disk is which volume and what is done with it, which files the guest OS
//! gets, which images run, where the logs go.
//!
//! Everything here decides and nothing acts: no file, clock, environment or network. The same code runs in the
//! guest and on the author's desk.

#![forbid(unsafe_code)]

pub mod auditor;
pub mod capsule;
pub mod compose;
pub mod content;
pub mod credentials;
pub mod derivations;
pub mod devices;
pub mod dotenv;
pub mod facts;
pub mod file;
pub mod file_system;
pub mod forwarding;
pub mod handover;
pub mod image;
pub mod interpolate;
pub mod luks2;
pub mod mapper;
pub mod network;
pub mod partition_table;
pub mod record;
pub mod render;
pub mod section;
pub mod signer;
pub mod stage;
pub mod time_floor;
pub mod transcript;
pub mod volume_record;
pub mod volumes;
pub mod watch;
