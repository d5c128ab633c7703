//! Which passphrases a volume may have, in the order in which they are tried.
//!
//! The seeds of the contract first, in the documented order and then in the other. While a party changes its seed
//! (`previousSeed`), those that the volume may still have: both previous ones, then one party's previous with the
//! other's new one, since the parties need not change theirs with the same contract.

use countersign_contract::model::Volume;
use countersign_crypto::LibraryError;
use countersign_crypto::secret::{VolumePassphrase, VolumeSeed};

/// Which seed comes first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Order {
    /// As documented.
    DeployerFirst,
    /// The other reading of the documents.
    WorkloadFirst,
}

/// Whether a passphrase is the one that the volume shall have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Age {
    /// It is.
    Current,
    /// One that it may still have.
    Previous,
}

/// A contract whose deployer gives no seed for the volume; such a contract is refused at `validate`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("expected a seed in env")]
pub struct SeedMissing;

/// A pair of seeds in an order.
#[derive(Debug, Clone, Copy)]
pub struct Candidate<'v> {
    deployer: &'v VolumeSeed,
    workload: &'v VolumeSeed,
    /// Which seed comes first.
    pub order: Order,
    /// Whether the volume shall keep it.
    pub age: Age,
}

impl Order {
    /// The passphrase of a pair of seeds.
    ///
    /// # Errors
    /// [`LibraryError`] when OpenSSL cannot compute a digest.
    pub fn passphrase(
        self,
        deployer: &VolumeSeed,
        workload: &VolumeSeed,
    ) -> Result<VolumePassphrase, LibraryError> {
        let derive = match self {
            Order::DeployerFirst => VolumePassphrase::derive,
            Order::WorkloadFirst => VolumePassphrase::derive_workload_first,
        };
        derive(deployer, workload)
    }
}

impl Candidate<'_> {
    /// Its passphrase.
    ///
    /// # Errors
    /// [`LibraryError`] when OpenSSL cannot compute a digest.
    pub fn passphrase(&self) -> Result<VolumePassphrase, LibraryError> {
        self.order.passphrase(self.deployer, self.workload)
    }
}

/// All candidates of a volume.
///
/// # Errors
/// [`SeedMissing`].
pub fn candidates(volume: &Volume) -> Result<Vec<Candidate<'_>>, SeedMissing> {
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

/// The one that the volume shall have.
///
/// # Errors
/// [`SeedMissing`].
pub fn current(volume: &Volume) -> Result<Candidate<'_>, SeedMissing> {
    let (deployer, workload) = (deployer(volume)?, volume.workload_seed());
    Ok(Candidate { deployer, workload, order: Order::DeployerFirst, age: Age::Current })
}

/// Whether a party changes its seed.
pub fn changing(volume: &Volume) -> bool {
    volume.previous_deployer_seed().is_some() || volume.previous_workload_seed().is_some()
}

fn deployer(volume: &Volume) -> Result<&VolumeSeed, SeedMissing> {
    volume.deployer_seed().ok_or(SeedMissing)
}
