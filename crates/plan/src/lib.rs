//! (contract, facts) -> plan: which disk is which volume and what is done with it, which files the guest OS gets, what
//! runs there, where the logs go.
//!
//! Everything here decides and nothing acts: no file, clock, environment or network. The same code runs in the
//! guest and on the author's desk. One room for each thing that is decided.

#![forbid(unsafe_code)]
#![cfg_attr(not(test), deny(clippy::disallowed_methods))]

pub mod dates;
pub mod forwarding;
pub mod guest_os;
pub mod images;
pub mod luks2;
pub mod record;
pub mod report;
pub mod trust;
pub mod volumes;
pub mod watch;
pub mod workload;
