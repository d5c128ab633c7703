//! What the volume lab in the guest and its tests outside say to each other.

pub mod lab;
