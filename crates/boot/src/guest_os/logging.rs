//! Stage `logging`: the log server is the one in the contract, and it accepts a record.
//!
//! A server that takes no connection, or has no time, is asked again for two minutes, one that refuses is not.
//!
//! The unit that forwards the journal starts after this stage, everything of the workload after that unit. As
//! HPCR does, the first thing a server sees is a record with the text `authentication probe`.

use std::time::Duration;

use countersign_contract::code::Code;
use countersign_plan::forwarding::trouble::Trouble;
use countersign_plan::guest_os::handover::GuestPlan;
use countersign_ports::guest_os::GuestOs;

use super::delivery;
use crate::failure::Failure;
use crate::line::Line;
use crate::log::{Log, Summary};
use crate::stage::Stage;
use crate::wait::until;

/// How long the server may take to answer.
const TIMEOUT: Duration = Duration::from_secs(60);
/// How long a server that is not there is waited for.
const WAIT: Duration = Duration::from_secs(120);
/// The last attempt begins within the wait.
pub(super) const PATIENCE: Duration = WAIT.saturating_add(TIMEOUT);
/// Between two attempts, unless the network changes earlier.
const PAUSE: Duration = Duration::from_secs(5);

pub(super) fn run<S: GuestOs>(system: &S, log: &mut Log<'_, S>, plan: &GuestPlan) -> Result<(), Failure> {
    log.stage(Stage::Logging, |log| {
        probe_until_accepted(system, log, plan)?;
        log.tell(&Line::of(Code::LoggingSetUp));
        Ok(((), Summary::new().with("port", plan.log.port)))
    })
}

fn probe_until_accepted<S: GuestOs>(system: &S, log: &Log<'_, S>, plan: &GuestPlan) -> Result<(), Failure> {
    let mut said = false;
    let attempt = || Ok(delivery::send_probe(system, plan, TIMEOUT));
    let pause = |trouble: &Trouble, left: Duration| {
        if !trouble.passes() {
            return Ok(false);
        }
        if !std::mem::replace(&mut said, true) {
            log.tell(&Line::of(Code::NetworkChecking));
        }
        system
            .wait_for_change(left.min(PAUSE.max(trouble.wanted_pause())))
            .map_err(|error| Failure::machine(Stage::Logging, Code::NetworkFailed, error))?;
        Ok(true)
    };
    until(system, WAIT, attempt, pause)?
        .map_err(|trouble| Failure::machine(Stage::Logging, trouble.code(), trouble))
}
