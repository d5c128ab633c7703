//! Measures the way from bytes to plan for contracts of up to 1 MiB, in the most laborious shapes that are legal.
//!
//! Prints a JSON array, one object a shape: name, size in bytes, milliseconds (median), and how it ended: `plan`, or the
//! code of the refusal. Run by `qemu/bench`; it judges nothing. `cargo bench -p countersign-plan` measures the same shapes
//! with statistics.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod shapes;

use std::time::Instant;

use serde_json::json;
use shapes::{Material, all, plan};

/// The bound of a contract, in bytes.
const LIMIT: usize = 1 << 20;

/// Each shape is measured so often.
const ROUNDS: usize = 5;

fn main() {
    let folder = tempfile::tempdir().unwrap();
    let material = Material::new(folder.path());
    let shapes: Vec<_> = all(&material).into_iter().map(|(name, text)| measured(name, &text)).collect();
    println!("{}", serde_json::to_string_pretty(&shapes).unwrap());
}

fn measured(name: &str, text: &str) -> serde_json::Value {
    assert!(text.len() <= LIMIT, "{name}: {} bytes are too many", text.len());
    let mut times = Vec::new();
    let mut end = String::new();
    for _ in 0..ROUNDS {
        let start = Instant::now();
        end = plan(text.as_bytes());
        times.push(start.elapsed().as_secs_f64() * 1000.0);
    }
    times.sort_by(f64::total_cmp);
    json!({"name": name, "bytes": text.len(), "ms": (times[ROUNDS / 2] * 10.0).round() / 10.0, "end": end})
}
