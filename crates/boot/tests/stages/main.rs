//! The stages in rehearsal: one module for each stage, and one for the whole pipeline.
//!
//! Contracts, keys and disks come from the programs that the parties use (openssl, genisoimage, cryptsetup,
//! sha256sum), never from our own encoders. Each refusal is held to its stage, exit code, message code, place and
//! remedy, and to the disks being left alone. DESIGN.md sections 5 and 10.
#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used)]

mod support;

mod attest;
mod canonical;
mod capsule;
mod codes;
mod compose;
mod deviations;
mod events;
mod failure;
mod failure_mode;
mod file_systems;
mod forward;
mod forward_lines;
mod grow;
mod handover;
mod images;
mod integrity;
mod keys;
mod locate;
mod log_router;
mod log_router_forward;
mod logging;
mod network;
mod old_tokens;
mod parse;
mod pipeline;
mod play;
mod policy;
mod preflight;
mod record;
mod record_of_a_failure;
mod root;
mod rotation;
mod sealed;
mod serial;
mod signed_images;
mod start;
mod transcript;
mod truth_table;
mod unlock;
mod unseal;
mod unsigned;
mod user_data;
mod validate;
mod verify;
mod volume_record;
mod watch;
