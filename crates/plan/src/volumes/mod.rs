//! Volumes: which disk is which, what is on it, what is done with it.

pub mod content;
mod decide;
pub mod derivations;
pub mod devices;
pub mod facts;
pub mod file_system;
pub mod mapper;
pub mod mounting;
pub mod new;
pub mod partition_table;
pub mod record;
pub mod seeds;

pub use decide::{
    Action, DATA_OFFSET, METADATA_BYTES, Unsettled, VolumeRefusal, decide, least_disk_bytes, settle,
};
