//! The report of a failed boot: the cause goes to the owner's log server, then the unit powers the machine off.
//!
//! The cause was said by the stage that failed, and remembered in the handover. It is sent over a connection of its
//! own, so that it arrives whatever the forwarding of the journal does in the moments before power-off.

use std::path::{Path, PathBuf};
use std::time::Duration;

use countersign_contract::code::Code;
use countersign_plan::host::{HANDOVER, HostPlan};
use countersign_plan::record::Level;
use countersign_system::ports::Severity;
use countersign_system::ports_host::Host;

use super::delivery;
use crate::failure::Failure;

/// How long the server may take: the power-off does not wait for it longer.
pub(super) const TIMEOUT: Duration = Duration::from_secs(20);

fn cause_file() -> PathBuf {
    Path::new(HANDOVER).join("failure.txt")
}

/// Keeps the lines of the first cause for [`run`], which is another process.
pub(super) fn remember<S: Host>(system: &S, failure: &Failure) {
    if system.read_file(&cause_file()).is_ok() {
        return;
    }
    let text = failure.lines().join("\n");
    if let Err(error) = system.replace_file(&cause_file(), text.as_bytes()) {
        system.line(Severity::Error, &error.to_string());
    }
}

pub(super) fn run<S: Host>(system: &S, plan: &HostPlan) -> Result<(), Failure> {
    let ended = format!("{}: {}", Code::ServiceFailed, Code::ServiceFailed.text());
    system.line(Severity::Error, &ended);
    let cause = system.read_file(&cause_file()).unwrap_or_default();
    let cause = String::from_utf8_lossy(&cause).into_owned();
    let lines: Vec<&str> = cause.lines().chain([ended.as_str()]).collect();
    // Where the log server is the cause, it cannot be told; the console has it.
    if let Err(error) = delivery::send(system, plan, Level::Error, &lines, TIMEOUT) {
        system.line(Severity::Warning, &format!("the log server was not told: {error}"));
    }
    Ok(())
}
