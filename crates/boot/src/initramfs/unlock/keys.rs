//! Finding the keys of the volumes that exist: every header is judged before any key is derived, and all keys are
//! derived before anything is mapped.
//!
//! Volumes wait for each other only as far as memory and processors say ([`countersign_plan::volumes::derivations`]).
//! Of each volume one passphrase is tried at a time, in the order of [`countersign_plan::volumes::seeds`]. A volume
//! that does not open ends the search once every volume before it has its key: the error that is reported is that of
//! the first such volume in the contract.

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

use super::judge::Judged;
use super::passphrases;
use super::task::Task;

/// A volume key, and the seeds that it was found with.
#[derive(Debug)]
pub(super) struct Found {
    pub(super) key: VolumeKey,
    pub(super) order: Order,
    pub(super) age: Age,
}

/// A volume that exists, with its header and its key.
pub(super) type Located<'t, 'a, S> = (&'t Task<'a, S>, Judged, Found);

/// Judges the headers of all volumes that exist, then derives their keys; volumes that are yet to be made are left out.
pub(super) fn find<'t, 'a, S: Initramfs>(
    system: &S,
    log: &Log<'_, S>,
    tasks: &'t [Task<'a, S>],
) -> Result<Vec<Located<'t, 'a, S>>, Failure> {
    let unknown = |error| Failure::machine(Stage::Unlock, Code::LuksOpenFailed, error);
    let budget = derivations::budget_kib(system.memory_bytes().map_err(unknown)?);
    let mut searches = Vec::new();
    for task in tasks {
        if let Action::Open { device } = &task.action {
            log.say(&format!("opening volume {} on {device}", task.name()));
            task.open_part(&task.parted, device).map_err(task.fails_with(Code::DiskUnreadable))?;
            let judged = task.judge(device.path(), budget)?;
            let left = passphrases::candidates(task.volume)?.into_iter();
            searches.push(Search { task, judged, left, result: None });
        }
    }
    while turn(system, &mut searches, budget)? {}
    let found = |Search { task, judged, result, .. }: Search<'t, 'a, S>| {
        let key = result.unwrap_or_else(|| Err(no_seeds(task)))?;
        Ok((task, judged, key))
    };
    searches.into_iter().map(found).collect()
}

/// The search for the key of one volume.
struct Search<'t, 'a, S> {
    task: &'t Task<'a, S>,
    judged: Judged,
    /// What has not been tried yet.
    left: IntoIter<Candidate<'a>>,
    result: Option<Result<Found, Failure>>,
}

/// Tries the next passphrase of as many volumes as may be; whether there was one to try.
fn turn<S: Initramfs>(system: &S, searches: &mut [Search<'_, '_, S>], budget: u64) -> Result<bool, Failure> {
    let fails = |search: &Search<'_, '_, S>| matches!(search.result, Some(Err(_)));
    let end = searches.iter().position(fails).unwrap_or(searches.len());
    let waiting: Vec<&mut Search<'_, '_, S>> =
        searches[..end].iter_mut().filter(|search| search.result.is_none()).collect();
    let costs: Vec<Cost> = waiting.iter().map(|search| Cost::of(&search.judged.container.accepted)).collect();
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

impl<S: Initramfs> Search<'_, '_, S> {
    fn derivation<'p>(&'p self, passphrase: &'p VolumePassphrase) -> Derivation<'p> {
        let container = &self.judged.container;
        Derivation { device: &container.device, header: &container.header, passphrase }
    }

    fn hear(&mut self, candidate: Candidate<'_>, answer: Result<VolumeKey, OpenError>) {
        let Candidate { order, age, .. } = candidate;
        match answer {
            Ok(key) => self.result = Some(Ok(Found { key, order, age })),
            Err(OpenError::WrongPassphrase) if self.left.as_slice().is_empty() => {
                self.result = Some(Err(no_seeds(self.task)));
            }
            Err(OpenError::WrongPassphrase) => {}
            Err(OpenError::System(error)) => {
                self.result = Some(Err(self.task.fails(Code::LuksOpenFailed, error)));
            }
        }
    }
}

fn no_seeds<S: Initramfs>(task: &Task<'_, S>) -> Failure {
    task.fails(Code::LuksOpenFailed, "expected the seeds that it was made with")
}
