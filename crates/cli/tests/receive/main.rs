//! `countersign receive` against senders that others made, and against bad ones: what is confirmed is on disk, who is
//! refused is told why.
#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used)]

mod bad;
mod browser;
mod load;
mod page;
mod senders;
mod world;
