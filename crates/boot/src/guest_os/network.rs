//! Stage `network`: an address, name servers, and a log server whose name resolves.
//!
//! networkd does the work by the files that `validate` rendered. A name server may come up after the address does, so
//! the name is asked for again until the time is over.

use std::path::Path;
use std::time::Duration;

use countersign_contract::cidata::meta_data::is_host_name;
use countersign_contract::code::Code;
use countersign_plan::guest_os::handover::GuestPlan;
use countersign_ports::error::SystemError;
use countersign_ports::guest_os::GuestOs;

use crate::failure::Failure;
use crate::line::Line;
use crate::log::{Log, Summary};
use crate::stage::Stage;
use crate::wait::until;

/// How long an address may take.
const WAIT: Duration = Duration::from_secs(120);
/// How long the log server's name may take to resolve, after there is an address.
const NAME_WAIT: Duration = Duration::from_secs(60);
/// Both, one after the other.
pub(super) const PATIENCE: Duration = WAIT.saturating_add(NAME_WAIT);
/// Between two attempts, unless the network changes earlier.
const PAUSE: Duration = Duration::from_secs(5);
/// Where the image's `/etc/resolv.conf` points.
const RESOLVER: &str = "/run/resolv.conf";

pub(super) fn run<S: GuestOs>(system: &S, log: &mut Log<'_, S>, plan: &GuestPlan) -> Result<(), Failure> {
    log.stage(Stage::Network, |log| {
        let addresses = system.wait_for_address(WAIT).map_err(failed)?;
        if addresses.is_empty() {
            let message = format!("expected an address within {} s", WAIT.as_secs());
            return Err(Failure::machine(Stage::Network, Code::NetworkTimeout, message));
        }
        if plan.network_config {
            log.tell(&Line::of(Code::NetworkConfigured));
        }
        let servers = resolve(system, log, plan)?;
        log.tell(&Line::of(Code::NetworkReady));
        let summary = Summary::new().with("addresses", addresses.len()).with("name_servers", servers);
        Ok(((), summary))
    })
}

/// Sets the resolver up until it knows the log server; how many name servers it has.
fn resolve<S: GuestOs>(system: &S, log: &Log<'_, S>, plan: &GuestPlan) -> Result<usize, Failure> {
    let mut said = false;
    let attempt = || {
        let servers = system.name_servers().map_err(failed)?;
        let mut text: String = servers.iter().map(|server| format!("nameserver {server}\n")).collect();
        // They may come by DHCP, that is, from anybody on the link.
        let domains = system.search_domains().map_err(failed)?;
        let domains: Vec<String> = domains.into_iter().filter(|domain| is_host_name(domain)).collect();
        if !domains.is_empty() {
            text.push_str(&format!("search {}\n", domains.join(" ")));
        }
        system.replace_file(Path::new(RESOLVER), text.as_bytes()).map_err(failed)?;
        Ok(system.resolve(&plan.log.hostname).map(|_| servers.len()))
    };
    let pause = |_: &SystemError, left: Duration| {
        if !std::mem::replace(&mut said, true) {
            log.tell(&Line::of(Code::NetworkChecking));
        }
        system.wait_for_change(left.min(PAUSE)).map_err(failed)?;
        Ok(true)
    };
    until(system, NAME_WAIT, attempt, pause)?.map_err(failed)
}

fn failed(error: SystemError) -> Failure {
    Failure::machine(Stage::Network, Code::NetworkFailed, error)
}
