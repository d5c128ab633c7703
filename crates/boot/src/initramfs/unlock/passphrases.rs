//! Passphrases of a volume, with the failures of this stage; which they are is decided by [`plan::volumes::seeds`][seeds].

use countersign_contract::code::Code;
use countersign_contract::model::Volume;
use countersign_crypto::secret::VolumePassphrase;
use countersign_plan::volumes::seeds::{self, Candidate, SeedMissing};

use crate::failure::Failure;
use crate::stage::Stage;

use super::task::fails;

/// All that the volume may have, in the order in which they are tried.
pub(super) fn candidates(volume: &Volume) -> Result<Vec<Candidate<'_>>, Failure> {
    seeds::candidates(volume).map_err(|missing| refused(volume, missing))
}

/// The one that the volume shall have.
pub(super) fn current(volume: &Volume) -> Result<VolumePassphrase, Failure> {
    derived(&seeds::current(volume).map_err(|missing| refused(volume, missing))?)
}

/// The passphrase of a candidate.
pub(super) fn derived(candidate: &Candidate<'_>) -> Result<VolumePassphrase, Failure> {
    candidate.passphrase().map_err(|error| Failure::machine(Stage::Unlock, Code::BootInternal, error))
}

fn refused(volume: &Volume, missing: SeedMissing) -> Failure {
    fails(volume, Code::UnsupportedField, missing)
}
