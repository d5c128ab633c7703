//! Volumes on an emulated machine: the code of the shipped boot, in a bare guest that runs it many times.
//!
//! Run by `tests/run`, one file a story. What the guest does is in `tests/guest`, the words in
//! `countersign_tests::lab`; the tests prepare disks, ask, and judge the answers. With `COUNTERSIGN_LONG` set every power
//! cut is made, else a sample of each series.

// Helpers of tests may stop where a test may.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod cuts;
mod support;
mod volumes_with_integrity;
mod write_log;

mod disks_that_come_late;
mod disks_that_fail;
mod file_systems_grow;
mod foreign_volumes_open;
mod forged_headers_are_refused;
mod power_cuts_lose_nothing;
mod records_tell_volumes_apart;
mod refused_disks_stay_as_they_were;
mod scratch_is_authenticated;
mod seeds_change;
