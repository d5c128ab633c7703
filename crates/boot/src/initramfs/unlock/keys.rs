//! Finding the keys of the volumes that exist: every header is judged before any key is derived, and all keys are
//! derived before anything is mapped.
//!
//! Volumes wait for each other only as far as memory and processors say ([`countersign_plan::volumes::derivations`]).
//! Of each volume one passphrase is tried at a time, in the order of [`countersign_plan::volumes::seeds`]. A volume
//! that does not open ends the search once every volume before it has its key: the error that is reported is that of
//! the first such volume in the contract.

use std::path::Path;
use std::vec::IntoIter;

use countersign_contract::code::Code;
use countersign_crypto::secret::VolumePassphrase;
use countersign_crypto::volume_key::VolumeKey;
use countersign_plan::volumes::Action;
use countersign_plan::volumes::derivations::{self, Cost};
use countersign_plan::volumes::seeds::{Age, Candidate, Order};
use countersign_ports::{Derivation, Initramfs, OpenError};

use crate::failure::Failure;
use crate::log::Log;
use crate::stage::Stage;

use super::failed;
use super::find::Decided;
use super::open::{self, Judged};
use super::passphrases;

/// A volume key, and the seeds that it was found with.
pub(super) struct Found {
    pub(super) key: VolumeKey,
    pub(super) order: Order,
    pub(super) age: Age,
}

/// Judges the headers of all volumes that exist, then derives their keys; volumes that are yet to be made are left out.
pub(super) fn find<'v, S: Initramfs>(
    system: &S,
    log: &Log<'_, S>,
    decided: &'v [Decided<'_>],
) -> Result<Vec<(Judged<'v>, Found)>, Failure> {
    let unknown = |error| Failure::machine(Stage::Unlock, Code::LuksOpenFailed, error);
    let budget = derivations::budget_kib(system.memory_bytes().map_err(unknown)?);
    let mut searches = Vec::new();
    for volume in decided {
        if let Action::Open { device } = &volume.action {
            log.say(&format!("opening volume {} on {device}", volume.volume.name()));
            let judged = open::judge(system, volume, Path::new("/dev").join(device), budget)?;
            let left = passphrases::candidates(judged.volume)?.into_iter();
            searches.push(Search { judged, left, result: None });
        }
    }
    while turn(system, &mut searches, budget)? {}
    let found = |Search { judged, result, .. }: Search<'v>| {
        let key = result.unwrap_or_else(|| Err(no_seeds(&judged)))?;
        Ok((judged, key))
    };
    searches.into_iter().map(found).collect()
}

/// The search for the key of one volume.
struct Search<'v> {
    judged: Judged<'v>,
    /// What has not been tried yet.
    left: IntoIter<Candidate<'v>>,
    result: Option<Result<Found, Failure>>,
}

/// Tries the next passphrase of as many volumes as may be; whether there was one to try.
fn turn<S: Initramfs>(system: &S, searches: &mut [Search<'_>], budget: u64) -> Result<bool, Failure> {
    let fails = |search: &Search<'_>| matches!(search.result, Some(Err(_)));
    let end = searches.iter().position(fails).unwrap_or(searches.len());
    let waiting: Vec<&mut Search<'_>> =
        searches[..end].iter_mut().filter(|search| search.result.is_none()).collect();
    let costs: Vec<Cost> = waiting.iter().map(|search| Cost::of(&search.judged.accepted)).collect();
    let chosen = derivations::side_by_side(&costs, budget, system.processors());
    let mut tried = Vec::with_capacity(chosen.len());
    for (place, search) in waiting.into_iter().enumerate() {
        if !chosen.contains(&place) {
            continue;
        }
        if let Some(candidate) = search.left.next() {
            tried.push((search, candidate, passphrases::derived(&candidate)?));
        }
    }
    let answers = {
        let derivations: Vec<Derivation<'_>> =
            tried.iter().map(|(search, _, passphrase)| search.derivation(passphrase)).collect();
        system.volume_keys(&derivations)
    };
    let tries = !tried.is_empty();
    for ((search, candidate, _), answer) in tried.into_iter().zip(answers) {
        search.hear(candidate, answer);
    }
    Ok(tries)
}

impl Search<'_> {
    fn derivation<'a>(&'a self, passphrase: &'a VolumePassphrase) -> Derivation<'a> {
        Derivation { device: &self.judged.device, header: &self.judged.header, passphrase }
    }

    fn hear(&mut self, candidate: Candidate<'_>, answer: Result<VolumeKey, OpenError>) {
        let Candidate { order, age, .. } = candidate;
        match answer {
            Ok(key) => self.result = Some(Ok(Found { key, order, age })),
            Err(OpenError::WrongPassphrase) if self.left.as_slice().is_empty() => {
                self.result = Some(Err(no_seeds(&self.judged)));
            }
            Err(OpenError::WrongPassphrase) => {}
            Err(OpenError::System(error)) => {
                self.result = Some(Err(failed(self.judged.volume, Code::LuksOpenFailed, &error)));
            }
        }
    }
}

fn no_seeds(judged: &Judged<'_>) -> Failure {
    let message = format!("volume {}: expected the seeds that it was made with", judged.volume.name());
    Failure::machine(Stage::Unlock, Code::LuksOpenFailed, message)
}
