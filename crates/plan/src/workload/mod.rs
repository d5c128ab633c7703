//! The workload: compose files as the compose program reads them, and what they may ask for.

pub mod canonical;
pub mod compose;
pub mod dotenv;
pub mod interpolate;
pub mod template;
