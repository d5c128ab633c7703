//! `bench`: arguments of the benchmark; what it does is in [`countersign_vm::bench`]. Started by `qemu/bench`.

#![forbid(unsafe_code)]

use std::path::PathBuf;

use clap::{Parser, ValueEnum};
use countersign_vm::bench::{self, Options, run, table};
use countersign_vm::lab::world::Artifacts;

/// How the result is printed.
#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Format {
    /// For people
    Table,
    /// Everything that was measured, with the figures
    Json,
}

/// A part that can be measured alone.
#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Only {
    /// Whole boots, and the initramfs against what it is held against
    Boots,
    /// Opening and refusing volumes
    Volumes,
    /// Starting workloads and pulling images
    Workloads,
}

/// Measure Countersign on emulated s390x, everything against something else in the same run.
#[derive(Parser)]
struct Arguments {
    #[command(flatten)]
    artifacts: Artifacts,
    /// The program for s390x, for its size
    #[arg(long)]
    countersignd: PathBuf,
    /// Archive of qemu/bench.d/build
    #[arg(long)]
    material: PathBuf,
    /// Guest OS with the scripts that start workloads by hand
    #[arg(long)]
    workload_os: PathBuf,
    /// Its manifest
    #[arg(long)]
    workload_manifest: PathBuf,
    /// Result of the native measurement of contracts, JSON
    #[arg(long)]
    shapes: PathBuf,
    /// How often what is compared is measured
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u32).range(1..))]
    rounds: u32,
    /// Measure this part alone
    #[arg(long, value_enum)]
    only: Option<Only>,
    /// Format of standard output
    #[arg(long, value_enum, default_value = "table")]
    format: Format,
    /// Also write the result as JSON to this file
    #[arg(long)]
    json: Option<PathBuf>,
    /// Folder for keys, disks and servers; what is made in it is removed at the end
    #[arg(long)]
    work: PathBuf,
    /// Folder for the serial logs
    #[arg(long)]
    logs: PathBuf,
}

fn main() -> anyhow::Result<()> {
    let arguments = Arguments::parse();
    let (format, json) = (arguments.format, arguments.json);
    let only = arguments.only.map(|only| match only {
        Only::Boots => bench::Only::Boots,
        Only::Volumes => bench::Only::Volumes,
        Only::Workloads => bench::Only::Workloads,
    });
    let options = Options {
        artifacts: arguments.artifacts,
        countersignd: arguments.countersignd,
        material: arguments.material,
        workload_os: arguments.workload_os,
        workload_manifest: arguments.workload_manifest,
        shapes: arguments.shapes,
        rounds: arguments.rounds,
        only,
        work: arguments.work,
        logs: arguments.logs,
    };
    let outcome = run(&options, &mut std::io::stderr())?;
    let text = serde_json::to_string_pretty(&outcome)?;
    if let Some(path) = json {
        std::fs::write(path, format!("{text}\n"))?;
    }
    match format {
        Format::Table => print!("{}", table::table(&outcome)),
        Format::Json => println!("{text}"),
    }
    Ok(())
}
