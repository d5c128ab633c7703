//! `countersign`, the command for who writes contracts.
//!
//! It runs the guest's own parser, schema, signature rules, policy and planner (the crates `contract`, `crypto` and
//! `plan`) on the author's desk and says what the guest would do. This crate is wiring: arguments, files, the
//! clock, and how a report looks. It decides nothing about a contract that the guest decides. No verb but `receive`, whose
//! work is the crate `receiver`'s, talks to a network.
//!
//! Exit status: 0 yes, 1 no (refused, not opened), 2 usage or files. No verb but `open` prints a value of a secret
//! field, none but `passphrase` what is derived from one; files that hold keys or plain text are written for their owner
//! alone.

#![forbid(unsafe_code)]

mod answer;
pub mod arguments;
mod assemble;
mod attest;
mod check;
mod diff;
mod domain;
mod encryption;
mod explain;
mod files;
mod folder;
pub mod image;
mod log;
mod manifest;
mod medium;
mod new;
mod pack;
mod passphrase;
mod receive;
mod schema;
mod seal;
mod sign;
mod signing_key;
mod time;
mod timeline;
pub mod usage;

use std::io::Write;
use std::process::ExitCode;

use answer::{Answer, note};
use arguments::{Arguments, Verb};

/// Runs a verb and says how it ended.
pub fn run(arguments: Arguments) -> ExitCode {
    let mut out = std::io::stdout().lock();
    let answer = match arguments.verb {
        Verb::Check(options) => check::run(&options, &mut out),
        Verb::New(options) => new::run(&options, &mut out),
        Verb::Pack(options) => pack::run(&options, &mut out),
        Verb::Seal(options) => seal::seal(&options, &mut out),
        Verb::Open(options) => seal::open(&options, &mut out),
        Verb::Sign(options) => sign::run(&options, &mut out),
        Verb::Diff(options) => diff::run(&options, &mut out),
        Verb::Passphrase(options) => passphrase::run(&options, &mut out),
        Verb::Attest(verb) => attest::run(&verb, &mut out),
        Verb::Explain(options) => explain::run(&options, &mut out),
        Verb::Timeline(options) => timeline::run(&options, &mut out),
        Verb::Receive(options) => {
            // It prints from threads of its own.
            drop(out);
            return ended(receive::run(&options));
        }
        Verb::Log(options) => log::run(&options, &mut out),
        Verb::Medium(options) => medium::run(&options),
        Verb::Domain(options) => domain::run(&options, &mut out),
        Verb::Schema(options) => schema::run(&options, &mut out),
    };
    let answer = answer.and_then(|answer| {
        out.flush()?;
        Ok(answer)
    });
    ended(answer)
}

fn ended(answer: anyhow::Result<Answer>) -> ExitCode {
    match answer {
        Ok(Answer::Yes) => ExitCode::SUCCESS,
        Ok(Answer::No) => ExitCode::from(1),
        Err(error) => {
            note(&format!("{error:#}"));
            ExitCode::from(2)
        }
    }
}
