//! Measures the way from bytes to plan for contracts of up to 1 MiB, in the most laborious shapes that are legal.
//!
//! Prints a JSON array, one object a shape: name, size in bytes, milliseconds (median of the wall's clock, and of the
//! processor's: the latter holds on a busy machine as well), and how it ended: `plan`, or the code of the refusal. A word
//! as argument chooses the shapes whose name holds it. Run by `qemu/bench`; it judges nothing. `cargo bench -p
//! countersign-plan` measures the same shapes with statistics.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod shapes;

use std::time::{Duration, Instant};

use nix::time::ClockId;
use serde_json::json;
use shapes::{Material, all, plan};

/// The bound of a contract, in bytes.
const LIMIT: usize = 1 << 20;

/// Each shape is measured so often.
const ROUNDS: usize = 5;

fn main() {
    let folder = tempfile::tempdir().unwrap();
    let material = Material::new(folder.path());
    let word = std::env::args().nth(1).unwrap_or_default();
    let chosen = all(&material).into_iter().filter(|(name, _)| name.contains(&word));
    let shapes: Vec<_> = chosen.map(|(name, text)| measured(name, &text)).collect();
    println!("{}", serde_json::to_string_pretty(&shapes).unwrap());
}

fn measured(name: &str, text: &str) -> serde_json::Value {
    assert!(text.len() <= LIMIT, "{name}: {} bytes are too many", text.len());
    let (mut times, mut cpu_times) = (Vec::new(), Vec::new());
    let mut end = String::new();
    for _ in 0..ROUNDS {
        let (start, cpu_start) = (Instant::now(), cpu_ms());
        end = plan(text.as_bytes());
        cpu_times.push(cpu_ms() - cpu_start);
        times.push(start.elapsed().as_secs_f64() * 1000.0);
    }
    json!({"name": name, "bytes": text.len(), "ms": median(times), "cpu_ms": median(cpu_times), "end": end})
}

/// Rounded to a tenth.
fn median(mut times: Vec<f64>) -> f64 {
    times.sort_by(f64::total_cmp);
    (times[times.len() / 2] * 10.0).round() / 10.0
}

/// What this thread has run so far, kernel included.
fn cpu_ms() -> f64 {
    let time = ClockId::CLOCK_THREAD_CPUTIME_ID.now().unwrap();
    Duration::from(time).as_secs_f64() * 1000.0
}
