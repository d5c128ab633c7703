//! Single lines to the log server, whichever it is: the first record, and the cause of a failed boot.

use std::time::Duration;

use countersign_plan::forwarding::entry::Entry;
use countersign_plan::forwarding::own::{self, Level};
use countersign_plan::forwarding::singles::Batch;
use countersign_plan::guest_os::handover::{GuestPlan, LogService};
use countersign_ports::guest_os::{GuestOs, LogTarget};

use super::log_router::LogRouter;
use super::trouble::Trouble;

/// The first thing that a log server sees, as HPCR has it.
const PROBE: &str = "authentication probe";

/// The syslog server of a plan; none where the log goes elsewhere.
pub(super) fn syslog(plan: &GuestPlan) -> Option<LogTarget> {
    match &plan.log.service {
        LogService::Syslog { certificate, key } => Some(LogTarget {
            hostname: plan.log.hostname.clone(),
            port: plan.log.port,
            ca: plan.log.ca.clone(),
            certificate: certificate.clone(),
            key: key.clone(),
        }),
        LogService::LogRouter { .. } => None,
    }
}

/// The first record, as an entry of the journal would be.
pub(super) fn probe(unix_time: i64) -> Entry {
    own::entry(Level::Info, unix_time, PROBE)
}

/// Sends the first record, which may take this long.
///
/// # Errors
/// Why the log server did not take it.
pub(super) fn send_probe<S: GuestOs>(system: &S, plan: &GuestPlan, timeout: Duration) -> Result<(), Trouble> {
    send(system, plan, Level::Info, &[PROBE], timeout)
}

/// Sends lines, which may take this long in all.
///
/// # Errors
/// Why the log server did not take them.
pub(super) fn send<S: GuestOs>(
    system: &S,
    plan: &GuestPlan,
    level: Level,
    lines: &[&str],
    timeout: Duration,
) -> Result<(), Trouble> {
    let now = system.unix_time();
    if let Some(target) = syslog(plan) {
        let records: Vec<String> =
            lines.iter().map(|line| own::rfc5424(level, now, &plan.hostname, line)).collect();
        return Ok(system.send(&target, &records, timeout)?);
    }
    if let Some(mut router) = LogRouter::of(system, plan)? {
        let mut batch = Batch::default();
        for line in lines {
            batch.push(&own::entry(level, now, line), None, router.source());
        }
        router.send_whole(&batch, timeout)?;
    }
    Ok(())
}
