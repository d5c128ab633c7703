//! Single lines to the log server, whichever it is: the first log record, and the cause of a failed boot with its
//! attestation record.

use std::time::Duration;

use countersign_contract::code::Severity;
use countersign_plan::forwarding::origin::Source;
use countersign_plan::forwarding::own;
use countersign_plan::forwarding::singles::Batch;
use countersign_plan::forwarding::syslog;
use countersign_plan::forwarding::trouble::Trouble;
use countersign_plan::guest_os::handover::{GuestPlan, LogService};
use countersign_ports::guest_os::{ClientFiles, GuestOs, LogTarget};

use super::log_router::LogRouter;

/// The syslog server of a plan; none where the log goes elsewhere.
pub(super) fn syslog_server(plan: &GuestPlan) -> Option<LogTarget> {
    match &plan.log.service {
        LogService::Syslog { client } => Some(LogTarget {
            hostname: plan.log.hostname.clone(),
            port: plan.log.port,
            ca: plan.log.ca.clone(),
            client: client.as_ref().map(|client| ClientFiles {
                certificate: client.certificate.clone(),
                key: client.key.clone(),
            }),
        }),
        LogService::LogRouter { .. } => None,
    }
}

/// Sends the first log record, which may take this long.
///
/// # Errors
/// Why the log server did not take it.
pub(super) fn send_probe<S: GuestOs>(system: &S, plan: &GuestPlan, timeout: Duration) -> Result<(), Trouble> {
    send(system, plan, &[(Severity::Info, own::PROBE)], timeout)
}

/// Sends lines, each with its severity, which may take this long in all.
///
/// # Errors
/// Why the log server did not take them.
pub(super) fn send<S: GuestOs>(
    system: &S,
    plan: &GuestPlan,
    lines: &[(Severity, &str)],
    timeout: Duration,
) -> Result<(), Trouble> {
    let now = system.unix_time();
    if let Some(target) = syslog_server(plan) {
        let frame = |(severity, line): &(Severity, &str)| {
            let mut frame = Vec::new();
            syslog::frame(&own::entry(*severity, now, line), None, Source::of(plan, 0), &mut frame);
            frame
        };
        let frames: Vec<Vec<u8>> = lines.iter().map(frame).collect();
        return Ok(system.send(&target, &frames, timeout)?);
    }
    if let Some(mut router) = LogRouter::of(system, plan)? {
        let mut batch = Batch::default();
        for (severity, line) in lines {
            batch.push(&own::entry(*severity, now, line), None, router.source(0));
        }
        router.send_whole(&batch, timeout)?;
    }
    Ok(())
}
