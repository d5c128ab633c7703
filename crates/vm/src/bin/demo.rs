//! `demo`: arguments of the demo; what it does is in [`countersign_vm::demo`]. Started by `qemu/demo`.

#![forbid(unsafe_code)]

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Parser;
use countersign_vm::demo::{Options, run};
use countersign_vm::lab::world::Artifacts;

/// Boot a sealed contract on emulated s390x, twice, and judge what happened.
#[derive(Parser)]
struct Arguments {
    #[command(flatten)]
    artifacts: Artifacts,
    /// The command `countersign`
    #[arg(long)]
    countersign: PathBuf,
    /// Machine, a name in qemu/profiles
    #[arg(long, default_value = "default")]
    profile: String,
    /// Folder for keys, disks and servers; what the demo makes in it is removed at its end
    #[arg(long)]
    work: PathBuf,
    /// Folder for the serial logs
    #[arg(long)]
    logs: PathBuf,
    /// Leave the second guest running until Enter is pressed
    #[arg(long)]
    keep: bool,
}

fn main() -> anyhow::Result<ExitCode> {
    let Arguments { artifacts, countersign, profile, work, logs, keep } = Arguments::parse();
    Ok(run(&Options { artifacts, countersign, profile, work, logs, keep }, &mut std::io::stdout())?)
}
