//! `countersign-image`: reads the command line and runs the verb. `qemu/seal` calls it.

#![forbid(unsafe_code)]

use std::process::ExitCode;

use clap::Parser;
use countersign_cli::image;

fn main() -> ExitCode {
    image::run(image::Arguments::parse())
}
