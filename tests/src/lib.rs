//! What the tests of several packages share: inputs that are made at test time, never shipped.

pub mod lab;
pub mod luks2_integrity;
pub mod luks2_mutants;
pub mod luks2_volumes;
