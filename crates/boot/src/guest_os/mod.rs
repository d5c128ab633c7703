//! The stages of the guest OS: one unit each, one call of `countersignd` each.
//!
//! The units carry the order; each stage reads the plan in the handover, acts, and says its lines. A stage
//! that fails says why and ends with its exit code; the unit `countersign-failure` does the rest.

mod capsule;
mod delivery;
mod failure;
mod filter;
mod forward;
mod images;
mod log_router;
mod logging;
mod network;
mod record;
mod start;
mod transcript;
mod watch;

use std::time::Duration;

use countersign_contract::code::Code;
use countersign_plan::guest_os::handover::{GuestPlan, PLAN};
use countersign_ports::guest_os::{Alarm, Forwarder, GuestOs, Notes, Watched};
use countersign_ports::{Clock, Report};

use crate::failure::Failure;
use crate::log::Log;
use crate::stage::Stage;

/// A verb of `countersignd` in the guest OS.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verb {
    /// The packet filter, which comes before the stage `network`.
    Filter,
    /// Stage `network`.
    Network,
    /// Stage `logging`.
    Logging,
    /// Stage `images`.
    Images,
    /// Stage `start`.
    Start,
    /// The report of a failed boot.
    Failure,
}

impl Verb {
    /// The verb of a command line.
    pub fn find(name: &str) -> Option<Verb> {
        match name {
            "filter" => Some(Verb::Filter),
            "network" => Some(Verb::Network),
            "logging" => Some(Verb::Logging),
            "images" => Some(Verb::Images),
            "start" => Some(Verb::Start),
            "failure" => Some(Verb::Failure),
            _ => None,
        }
    }

    /// The longest that it waits for others. Its unit has to end it later: what systemd ends cannot say why.
    pub fn patience(self) -> Duration {
        match self {
            Verb::Filter => filter::PATIENCE,
            Verb::Network => network::PATIENCE,
            Verb::Logging => logging::PATIENCE,
            Verb::Images => images::PATIENCE,
            Verb::Start => start::DEADLINE,
            Verb::Failure => failure::TIMEOUT,
        }
    }

    /// The stage whose exit code a failure has.
    fn stage(self) -> Stage {
        match self {
            Verb::Filter | Verb::Network => Stage::Network,
            Verb::Logging | Verb::Failure => Stage::Logging,
            Verb::Images => Stage::Images,
            Verb::Start => Stage::Start,
        }
    }
}

/// Runs one stage; a failure has been said when this returns.
///
/// # Errors
/// The cause.
pub fn run<S: GuestOs>(system: &S, verb: Verb) -> Result<(), Failure> {
    let mut log = Log::new(system);
    let result = plan(system, verb.stage()).and_then(|plan| match verb {
        Verb::Filter => filter::run(system, &log),
        Verb::Network => network::run(system, &mut log, &plan),
        Verb::Logging => logging::run(system, &mut log, &plan),
        Verb::Images => images::run(system, &mut log, &plan),
        Verb::Start => start::run(system, &mut log, &plan),
        Verb::Failure => failure::run(system, &plan),
    });
    ended(system, &log, result)?;
    if verb != Verb::Start {
        return Ok(());
    }
    // Last of all, behind the transcript: the daemon writes to it, too.
    match start::tell(system) {
        Ok(()) => Ok(()),
        Err(failure) => {
            log.forget();
            ended(system, &log, Err(failure))
        }
    }
}

/// Runs the daemon until somebody ends it; a failure has been said when this returns.
///
/// # Errors
/// The cause.
pub fn watch<S: Watched, A: Alarm>(system: &S, alarm: &mut A) -> Result<(), Failure> {
    let mut log = Log::new(system);
    let result = plan(system, Stage::Watch).and_then(|plan| watch::run(system, &mut log, &plan, alarm));
    match &result {
        // Its record was added when its first check was over.
        Ok(()) => Ok(()),
        Err(_) => ended(system, &log, result),
    }
}

/// Runs the forwarder of the journal until somebody ends it; a failure has been said when this returns.
///
/// # Errors
/// The cause, with the exit code of the stage `logging`.
pub fn forward<S: GuestOs, F: Forwarder>(system: &S, forwarder: &mut F) -> Result<(), Failure> {
    let result = plan(system, Stage::Logging).and_then(|plan| forward::run(system, &plan, forwarder));
    match &result {
        // It is no stage of its own: the transcript has the stage that came before.
        Ok(()) => Ok(()),
        Err(_) => ended(system, &Log::new(system), result),
    }
}

/// Says why a stage failed, and keeps it for the report.
fn ended<S: Report + Clock + Notes>(
    system: &S,
    log: &Log<'_, S>,
    result: Result<(), Failure>,
) -> Result<(), Failure> {
    transcript::add(system, log, result.as_ref().err());
    if let Err(failure) = &result {
        // The cause's own lines are the last.
        capsule::say(system);
        log.failed(failure);
        failure::remember(system, failure);
    }
    result
}

/// No unit that could ask for this is part of the target that reports a failed boot.
fn no_workload(stage: Stage) -> Failure {
    let message = "expected a workload in the plan; this guest only reports a failed boot";
    Failure::machine(stage, Code::HandoverFailed, message)
}

fn plan<S: Notes>(system: &S, stage: Stage) -> Result<GuestPlan, Failure> {
    let unreadable = |error: String| Failure::machine(stage, Code::HandoverFailed, error);
    let bytes = system.note(PLAN).map_err(|error| unreadable(error.to_string()))?;
    serde_json::from_slice(&bytes)
        .map_err(|error| unreadable(format!("expected the plan of this version: {error}")))
}
