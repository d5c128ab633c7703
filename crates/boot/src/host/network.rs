//! Stage `network`: an address, name servers, and a log server whose name resolves.

use std::path::Path;
use std::time::Duration;

use countersign_contract::code::Code;
use countersign_plan::host::HostPlan;
use countersign_system::error::SystemError;
use countersign_system::ports_host::Host;

use crate::failure::Failure;
use crate::log::{Log, Summary};
use crate::stage::Stage;

/// How long an address may take.
const WAIT: Duration = Duration::from_secs(120);
/// Where the image's `/etc/resolv.conf` points.
const RESOLVER: &str = "/run/resolv.conf";

pub(super) fn run<S: Host>(system: &S, log: &mut Log<'_, S>, plan: &HostPlan) -> Result<(), Failure> {
    log.stage(Stage::Network, |log| {
        let failed = |error: SystemError| Failure::machine(Stage::Network, Code::NetworkFailed, error);
        let addresses = system.wait_for_address(WAIT).map_err(failed)?;
        if addresses.is_empty() {
            let message = format!("expected an address within {} s", WAIT.as_secs());
            return Err(Failure::machine(Stage::Network, Code::NetworkTimeout, message));
        }
        let servers = system.name_servers().map_err(failed)?;
        let text: String = servers.iter().map(|server| format!("nameserver {server}\n")).collect();
        system.replace_file(Path::new(RESOLVER), text.as_bytes()).map_err(failed)?;
        system.resolve(&plan.log.hostname).map_err(failed)?;
        log.say(&format!("{}: {}", Code::NetworkReady, Code::NetworkReady.text()));
        let summary = Summary::new().with("addresses", addresses.len()).with("name_servers", servers.len());
        Ok(((), summary))
    })
}
