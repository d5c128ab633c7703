//! `countersign`: reads the command line and runs the verb.

#![forbid(unsafe_code)]

use std::process::ExitCode;

use clap::Parser;
use countersign_cli::arguments::Arguments;

fn main() -> ExitCode {
    match Arguments::try_parse() {
        Ok(arguments) => countersign_cli::run(arguments),
        Err(error) => countersign_cli::usage::answer(&error),
    }
}
