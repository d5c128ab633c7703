//! Stage `logging`: the log server is the one in the contract, and it accepts a record.
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

pub(super) fn run<S: Host>(system: &S, log: &mut Log<'_, S>, plan: &HostPlan) -> Result<(), Failure> {
    log.stage(Stage::Logging, |log| {
        let probe =
            record::rfc5424(record::Level::Info, system.unix_time(), &plan.hostname, "authentication probe");
        system.send(&super::target(plan), &[probe], TIMEOUT).map_err(refused)?;
        log.say(&format!("{}: {}", Code::LoggingSetUp, Code::LoggingSetUp.text()));
        Ok(((), Summary::new().with("port", plan.log.port)))
    })
}

fn refused(error: ProbeError) -> Failure {
    let code = match error {
        ProbeError::ClientFiles => Code::MissingClientCertificate,
        ProbeError::NameResolution => Code::NetworkFailed,
        _ => Code::LogServerRefused,
    };
    Failure::machine(Stage::Logging, code, error)
}
