//! Stage `logging`: the log server is the one in the contract, and it accepts a record.
//!
//! A server that takes no connection is asked again for two minutes, one that refuses is not.
//!
//! The unit that forwards the journal starts after this stage, everything of the workload after that unit. As
//! HPCR does, the first thing a server sees is a record with the text `authentication probe`.

use std::time::Duration;

use countersign_contract::code::Code;
use countersign_plan::host::HostPlan;
use countersign_plan::record;
use countersign_system::ports_host::{Host, ProbeError};

use crate::failure::Failure;
use crate::log::{Log, Summary};
use crate::stage::Stage;

/// How long the server may take to answer.
const TIMEOUT: Duration = Duration::from_secs(60);
/// How long a server that is not there is waited for.
const WAIT: Duration = Duration::from_secs(120);
/// Between two attempts, unless the network changes earlier.
const PAUSE: Duration = Duration::from_secs(5);

pub(super) fn run<S: Host>(system: &S, log: &mut Log<'_, S>, plan: &HostPlan) -> Result<(), Failure> {
    log.stage(Stage::Logging, |log| {
        let probe =
            record::rfc5424(record::Level::Info, system.unix_time(), &plan.hostname, "authentication probe");
        probe_until_accepted(system, log, plan, &[probe])?;
        log.say(&format!("{}: {}", Code::LoggingSetUp, Code::LoggingSetUp.text()));
        Ok(((), Summary::new().with("port", plan.log.port)))
    })
}

/// A server that is not there may be starting; one that is there and says no will say no again.
fn probe_until_accepted<S: Host>(
    system: &S,
    log: &Log<'_, S>,
    plan: &HostPlan,
    probe: &[String],
) -> Result<(), Failure> {
    let deadline = system.uptime() + WAIT;
    let mut said = false;
    loop {
        let error = match system.send(&super::target(plan), probe, TIMEOUT) {
            Ok(()) => return Ok(()),
            Err(error) => error,
        };
        let left = deadline.saturating_sub(system.uptime());
        if left.is_zero() || !matches!(error, ProbeError::Unreachable | ProbeError::NameResolution) {
            return Err(refused(error));
        }
        if !said {
            log.say(&format!("{}: {}", Code::NetworkChecking, Code::NetworkChecking.text()));
            said = true;
        }
        system
            .wait_for_change(left.min(PAUSE))
            .map_err(|error| Failure::machine(Stage::Logging, Code::NetworkFailed, error))?;
    }
}

fn refused(error: ProbeError) -> Failure {
    let code = match error {
        ProbeError::NameResolution => Code::NetworkFailed,
        ProbeError::Unreachable => Code::LogServerUnreachable,
        ProbeError::Untrusted => Code::LogServerUntrusted,
        ProbeError::NameMismatch => Code::LogServerName,
        ProbeError::NotValidNow => Code::LogServerDates,
        ProbeError::Weak => Code::LogServerWeak,
        ProbeError::ClientRefused | ProbeError::HungUp => Code::LogClientRefused,
        ProbeError::ClientFiles => Code::LogClientUnusable,
        ProbeError::Protocol | ProbeError::Silent => Code::LogServerProtocol,
    };
    Failure::machine(Stage::Logging, code, error)
}
