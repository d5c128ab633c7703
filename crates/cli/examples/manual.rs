//! Writes the man pages and the shell completions of `countersign`, from the definitions of its command line.
//!
//! `cargo run -p countersign-cli --example manual -- FOLDER`

use std::path::PathBuf;

use clap::CommandFactory;
use clap_complete::Shell;
use countersign_cli::arguments::Arguments;

fn main() -> std::io::Result<()> {
    let Some(folder) = std::env::args_os().nth(1).map(PathBuf::from) else {
        eprintln!("usage: manual FOLDER");
        std::process::exit(2);
    };
    std::fs::create_dir_all(&folder)?;
    clap_mangen::generate_to(Arguments::command(), &folder)?;
    for shell in [Shell::Bash, Shell::Fish, Shell::Zsh] {
        clap_complete::generate_to(shell, &mut Arguments::command(), "countersign", &folder)?;
    }
    Ok(())
}
