//! The report of a failed boot: the cause goes to the owner's log server, then the unit powers the machine off.
//!
//! The cause was said by the stage that failed, and remembered in the handover. It is sent over a connection of its
//! own, so that it arrives whatever the forwarding of the journal does in the moments before power-off. With it goes the
//! first attestation record, where one was made and no daemon has sent it.

use std::time::Duration;

use countersign_contract::code::{Code, Severity};
use countersign_plan::guest_os::handover::{CAUSE, GuestPlan};
use countersign_ports::guest_os::{GuestOs, Notes};
use countersign_ports::{Priority, Report};

use super::{delivery, record};
use crate::failure::Failure;
use crate::line::Line;

/// How long the server may take: the power-off does not wait for it longer.
pub(super) const TIMEOUT: Duration = Duration::from_secs(20);

/// Keeps the lines of the first cause for [`run`], which is another process.
pub(super) fn remember<S: Report + Notes>(system: &S, failure: &Failure) {
    if system.note(CAUSE).is_ok() {
        return;
    }
    let text = failure.lines().join("\n");
    if let Err(error) = system.keep_note(CAUSE, text.as_bytes()) {
        system.line(Priority::Error, &error.to_string());
    }
}

pub(super) fn run<S: GuestOs>(system: &S, plan: &GuestPlan) -> Result<(), Failure> {
    let record = record::unsent(system);
    if plan.record_on_console {
        record.iter().for_each(|line| system.line(Priority::Info, line));
    }
    let ended = Line::of(Code::ServiceFailed);
    system.tell(&ended.event());
    let cause = system.note(CAUSE).unwrap_or_default();
    let cause = String::from_utf8_lossy(&cause).into_owned();
    let error = |line| (Severity::Error, line);
    let record = record.iter().map(|line| (Severity::Info, line.as_str()));
    let lines: Vec<_> = cause.lines().map(error).chain(record).chain([error(ended.text())]).collect();
    // Where the log server is the cause, it cannot be told; the console has it.
    if let Err(error) = delivery::send(system, plan, &lines, TIMEOUT) {
        system.line(Priority::Warning, &format!("the log server was not told: {error}"));
    }
    Ok(())
}
