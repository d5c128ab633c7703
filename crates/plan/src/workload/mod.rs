//! The workload: compose files and pods as the programs that run them read them, and what they may ask for.

pub mod canonical;
pub mod compose;
mod document;
pub mod dotenv;
mod imitation;
pub mod interpolate;
mod json;
mod path;
pub mod pinned;
pub mod play;
pub mod reach;
mod scalar;
pub mod template;

/// A name of the author's for a message: without control characters, cut.
fn printable(name: &str) -> String {
    name.chars().filter(|letter| !letter.is_control()).take(64).collect()
}
