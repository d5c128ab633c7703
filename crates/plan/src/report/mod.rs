//! What a boot reports: its stages, the transcript, the failure capsule.

pub mod capsule;
pub mod parts;
pub mod stage;
pub mod transcript;
