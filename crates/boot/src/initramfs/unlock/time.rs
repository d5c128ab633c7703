//! The time that counts, once the records of the volumes can be read ([`countersign_plan::trust::time_floor`]).

use countersign_contract::code::Code;
use countersign_contract::model::Contract;
use countersign_contract::place::{Pointer, SectionName};
use countersign_plan::trust::signer::{self, SignerRefusal};
use countersign_plan::trust::time_floor::{self, Known};
use countersign_plan::watch::schedule::Clock;
use countersign_ports::Initramfs;

use crate::failure::Failure;
use crate::line::Line;
use crate::log::Log;
use crate::stage::Stage;

/// Both clocks.
fn clock<S: Initramfs>(system: &S) -> Clock {
    Clock { unix: system.unix_time(), uptime: system.uptime().as_secs() }
}

/// The time that counts now, since the contract was verified at this time.
pub(super) fn now<S: Initramfs>(system: &S, verified: Clock) -> i64 {
    time_floor::carried(verified, clock(system))
}

/// Holds the clock against the times at which volumes were last opened, each with the volume's name. Where one is later
/// than the time by which the contract was verified, the contract is judged once more and the clock goes on from there;
/// returns the time that counts from then on.
///
/// # Errors
/// `HPL12103E`: the contract had ended by then. `HPL11000E`: the clock cannot be set.
pub(super) fn judge<'v, S: Initramfs>(
    system: &S,
    log: &mut Log<'_, S>,
    contract: &Contract,
    verified: Clock,
    seen: impl Iterator<Item = (&'v str, i64)>,
) -> Result<Clock, Failure> {
    let Some((name, latest)) = seen.max_by_key(|(_, time)| *time) else { return Ok(verified) };
    if latest <= now(system, verified) {
        return Ok(verified);
    }
    let Clock { unix, uptime } = clock(system);
    if let Some((code, text)) = time_floor::warning(unix, latest, Known::Volume(name)) {
        log.warn(Line::with(code, text));
    }
    let place = contract.place_of(&Pointer::section(SectionName::Env).child("signingKey"));
    if let (Some(key), Some(place)) = (contract.signing_key(), place) {
        signer::usable(key, &place, latest).map_err(|refusal| match refusal {
            SignerRefusal::Contract(finding) | SignerRefusal::Dates(finding) => {
                Failure::finding(Stage::Unlock, finding)
            }
            SignerRefusal::Library(error) => Failure::machine(Stage::Unlock, Code::BootInternal, error),
        })?;
    }
    system.set_clock(latest).map_err(|error| Failure::machine(Stage::Unlock, Code::BootInternal, error))?;
    Ok(Clock { unix: latest, uptime })
}
