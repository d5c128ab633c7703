//! The packet filter, before any interface is up. Part of the stage `network`, without lines of its own: networkd, for
//! which that stage waits, does not start without it.

use std::time::Duration;

use countersign_contract::code::Code;
use countersign_plan::guest_os::filter::RULES;
use countersign_ports::guest_os::GuestOs;

use crate::failure::Failure;
use crate::log::Log;
use crate::stage::Stage;

/// The longest that loading the rules may take.
pub(super) const PATIENCE: Duration = Duration::from_secs(60);

pub(super) fn run<S: GuestOs>(system: &S, log: &Log<'_, S>) -> Result<(), Failure> {
    system
        .load_filter(RULES)
        .map_err(|error| Failure::machine(Stage::Network, Code::PacketFilterFailed, error))?;
    log.say("the packet filter is loaded");
    Ok(())
}
