//! Hostile inputs that the tests of several packages share: made at test time, never shipped.

pub mod luks2_integrity;
pub mod luks2_mutants;
pub mod luks2_volumes;
