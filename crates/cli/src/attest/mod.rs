//! `attest`: what an auditor does with a record, on a laptop, without a network.
//!
//! Which line is good is decided by [`countersign_plan::record::compare`]; here are files, certificates, and how a report
//! looks.

mod expect;
mod explain;
mod given;
mod manifests;
mod page;
mod report;
mod verify;

use std::io::Write;

use anyhow::Result;

use crate::answer::Answer;
use crate::arguments::Attest;

pub(crate) fn run(verb: &Attest, out: &mut dyn Write) -> Result<Answer> {
    match verb {
        Attest::Verify(options) => verify::run(options, out),
        Attest::Expect(options) => expect::run(options, out),
        Attest::Explain(options) => explain::run(options, out),
        Attest::Page(options) => page::run(options, out),
    }
}
