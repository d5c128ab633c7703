//! `countersign`: reads the command line and runs the verb.

use std::process::ExitCode;

use clap::Parser;
use countersign_cli::arguments::Arguments;

fn main() -> ExitCode {
    countersign_cli::run(Arguments::parse())
}
