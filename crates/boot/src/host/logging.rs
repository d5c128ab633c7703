//! Stage `logging`: the log server is the one in the contract, and it accepts a record; then the forwarder's
//! configuration is written.
//!
//! The unit that forwards the journal starts after this stage, everything of the workload after that unit. As
//! HPCR does, the first thing a server sees is a record with the text `authentication probe`.

use std::path::Path;
use std::time::Duration;

use countersign_contract::code::Code;
use countersign_plan::forwarding::{LogFiles, LogTarget, Peer, rsyslog_configuration};
use countersign_plan::host::{HANDOVER, HostPlan};
use countersign_plan::record;
use countersign_system::ports_host::{Host, ProbeError};

use crate::failure::Failure;
use crate::log::{Log, Summary};
use crate::stage::Stage;

/// Where the queue of records may grow: encrypted scratch.
const SPOOL: &str = "/var/spool/countersign";
/// How long the server may take to answer.
const TIMEOUT: Duration = Duration::from_secs(60);

pub(super) fn run<S: Host>(system: &S, log: &mut Log<'_, S>, plan: &HostPlan) -> Result<(), Failure> {
    log.stage(Stage::Logging, |log| {
        let probe =
            record::rfc5424(record::Level::Info, system.unix_time(), &plan.hostname, "authentication probe");
        let server = system.send(&super::target(plan), &[probe], TIMEOUT).map_err(refused)?;
        let peer = Peer::of(&plan.log.hostname, &server.names, &server.fingerprint);
        let configuration = rsyslog_configuration(&forward_to(plan), &peer, SPOOL);
        system
            .replace_file(&Path::new(HANDOVER).join("rsyslog.conf"), configuration.as_bytes())
            .map_err(|error| Failure::machine(Stage::Logging, Code::HandoverFailed, error))?;
        log.say(&format!("{}: {}", Code::LoggingSetUp, Code::LoggingSetUp.text()));
        Ok(((), Summary::new().with("port", plan.log.port)))
    })
}

fn forward_to(plan: &HostPlan) -> LogTarget {
    let files = LogFiles {
        ca: plan.log.ca.clone(),
        certificate: plan.log.certificate.clone(),
        key: plan.log.key.clone(),
    };
    LogTarget { hostname: plan.log.hostname.clone(), port: plan.log.port, files }
}

fn refused(error: ProbeError) -> Failure {
    let code = match error {
        ProbeError::NameResolution => Code::NetworkFailed,
        ProbeError::Unreachable => Code::LogServerUnreachable,
        ProbeError::Untrusted => Code::LogServerUntrusted,
        ProbeError::NameMismatch => Code::LogServerName,
        ProbeError::NotValidNow => Code::LogServerDates,
        ProbeError::Weak => Code::LogServerWeak,
        ProbeError::ClientRefused => Code::LogClientRefused,
        ProbeError::ClientFiles => Code::LogClientUnusable,
        ProbeError::Protocol => Code::LogServerProtocol,
    };
    Failure::machine(Stage::Logging, code, error)
}
