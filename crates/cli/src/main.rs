//! `countersign`: reads the command line and runs the verb.

#![forbid(unsafe_code)]

use std::process::ExitCode;

use clap::Parser;
use countersign_cli::arguments::Arguments;

fn main() -> ExitCode {
    countersign_cli::run(Arguments::parse())
}
