//! Which passphrases a volume may have, in the order in which they are tried.
//!
//! The seeds of the contract first, in the documented order and then in the other. While a party changes its seed
//! (`previousSeed`), those that the volume may still have: both previous ones, then one party's previous with the
//! other's new one, since the parties need not change theirs with the same contract.

use countersign_contract::code::Code;
use countersign_contract::model::Volume;
use countersign_crypto::secret::{VolumePassphrase, VolumeSeed};

use crate::failure::Failure;
use crate::stage::Stage;

/// Which seed comes first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Order {
    DeployerFirst,
    WorkloadFirst,
}

/// Whether a passphrase is the one that the volume shall have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Age {
    Current,
    Previous,
}

/// A pair of seeds in an order.
#[derive(Debug, Clone, Copy)]
pub(super) struct Candidate<'v> {
    deployer: &'v VolumeSeed,
    workload: &'v VolumeSeed,
    pub(super) order: Order,
    pub(super) age: Age,
}

impl Candidate<'_> {
    /// Its passphrase.
    pub(super) fn passphrase(&self) -> Result<VolumePassphrase, Failure> {
        let derive = match self.order {
            Order::DeployerFirst => VolumePassphrase::derive,
            Order::WorkloadFirst => VolumePassphrase::derive_workload_first,
        };
        derive(self.deployer, self.workload)
            .map_err(|error| Failure::machine(Stage::Unlock, Code::BootInternal, error))
    }
}

/// All candidates of a volume.
pub(super) fn candidates(volume: &Volume) -> Result<Vec<Candidate<'_>>, Failure> {
    let (deployer, workload) = (deployer(volume)?, volume.workload_seed());
    let old_deployer = volume.previous_deployer_seed();
    let old_workload = volume.previous_workload_seed();
    let mut pairs = vec![(deployer, workload, Age::Current)];
    match (old_deployer, old_workload) {
        (Some(old_deployer), Some(old_workload)) => pairs.extend([
            (old_deployer, old_workload, Age::Previous),
            (deployer, old_workload, Age::Previous),
            (old_deployer, workload, Age::Previous),
        ]),
        (Some(old_deployer), None) => pairs.push((old_deployer, workload, Age::Previous)),
        (None, Some(old_workload)) => pairs.push((deployer, old_workload, Age::Previous)),
        (None, None) => {}
    }
    let orders = [Order::DeployerFirst, Order::WorkloadFirst];
    let both = |(deployer, workload, age)| orders.map(|order| Candidate { deployer, workload, order, age });
    Ok(pairs.into_iter().flat_map(both).collect())
}

/// The passphrase that the volume shall have.
pub(super) fn current(volume: &Volume) -> Result<VolumePassphrase, Failure> {
    let (deployer, workload) = (deployer(volume)?, volume.workload_seed());
    Candidate { deployer, workload, order: Order::DeployerFirst, age: Age::Current }.passphrase()
}

/// Whether a party changes its seed.
pub(super) fn changing(volume: &Volume) -> bool {
    volume.previous_deployer_seed().is_some() || volume.previous_workload_seed().is_some()
}

fn deployer(volume: &Volume) -> Result<&VolumeSeed, Failure> {
    // A contract whose deployer gives something else than a seed was refused at `validate`.
    volume.deployer_seed().ok_or_else(|| {
        let message = format!("volume {}: expected a seed in env", volume.name());
        Failure::machine(Stage::Unlock, Code::UnsupportedField, message)
    })
}
