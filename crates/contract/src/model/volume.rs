//! Data volumes: the workload's and the deployer's part of each, matched by name.
//!
//! A volume named in one section only is refused (`HPL07015E`), as are two volumes with one mount point. Which
//! disk a volume is, and whether it may be formatted, is decided by the plan from facts that are not here.

use std::collections::BTreeSet;

use countersign_crypto::secret::{ApiKey, VolumeSeed};

use super::extension::{self, VolumeOptions};
use super::key_service::{self, KeyServices};
use super::read::Reader;
use super::seed;
use crate::code::Code;
use crate::nearest::nearest;
use crate::place::{Place, SectionName};
use crate::refusal::{Finding, Refusal};

/// Mount point of a volume that names none.
pub(super) const DEFAULT_MOUNT: &str = "/mnt/data";

/// For how many unmatched volumes, and among how many names, a name that may have been meant is looked for.
const MAX_SUGGESTED: usize = 64;

/// What a new volume is formatted with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum FileSystem {
    /// ext4, the default.
    #[default]
    Ext4,
    /// XFS.
    Xfs,
    /// Btrfs.
    Btrfs,
}

impl FileSystem {
    /// The name in contracts, in `mount` and in the names of the tools.
    pub const fn as_str(self) -> &'static str {
        match self {
            FileSystem::Ext4 => "ext4",
            FileSystem::Xfs => "xfs",
            FileSystem::Btrfs => "btrfs",
        }
    }
}

/// The deployer's secret for a volume.
#[derive(Debug)]
pub enum DeployerSecret {
    /// A seed in the contract.
    Seed(VolumeSeed),
    /// A secret that the Ultravisor keeps, by its number from 1 to 8.
    Ultravisor(u8),
}

/// A data volume.
#[derive(Debug)]
pub struct Volume {
    name: String,
    mount: String,
    file_system: FileSystem,
    workload_seed: VolumeSeed,
    previous_workload_seed: Option<VolumeSeed>,
    deployer_secret: DeployerSecret,
    previous_deployer_seed: Option<VolumeSeed>,
    previous_ultravisor_secret: Option<u8>,
    key_services: KeyServices,
    api_key: Option<ApiKey>,
    volume_id: Option<String>,
    volume_name: Option<String>,
    options: VolumeOptions,
    place: Place,
}

impl Volume {
    /// The name that both sections use.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Absolute path of the mount point.
    pub fn mount(&self) -> &str {
        &self.mount
    }

    /// What a new volume is formatted with.
    pub fn file_system(&self) -> FileSystem {
        self.file_system
    }

    /// The workload's seed.
    pub fn workload_seed(&self) -> &VolumeSeed {
        &self.workload_seed
    }

    /// The workload's seed until now, if it is being changed.
    pub fn previous_workload_seed(&self) -> Option<&VolumeSeed> {
        self.previous_workload_seed.as_ref()
    }

    /// The deployer's secret.
    pub fn deployer_secret(&self) -> &DeployerSecret {
        &self.deployer_secret
    }

    /// The deployer's seed; none if the Ultravisor keeps the secret.
    pub fn deployer_seed(&self) -> Option<&VolumeSeed> {
        match &self.deployer_secret {
            DeployerSecret::Seed(seed) => Some(seed),
            DeployerSecret::Ultravisor(_) => None,
        }
    }

    /// The deployer's seed until now, if it is being changed.
    pub fn previous_deployer_seed(&self) -> Option<&VolumeSeed> {
        self.previous_deployer_seed.as_ref()
    }

    /// Number of the Ultravisor's secret until now, if it is being changed.
    pub fn previous_ultravisor_secret(&self) -> Option<u8> {
        self.previous_ultravisor_secret
    }

    /// Services that hold a third secret.
    pub fn key_services(&self) -> &KeyServices {
        &self.key_services
    }

    /// Key with which the disk would be looked up in IBM Cloud.
    pub fn api_key(&self) -> Option<&ApiKey> {
        self.api_key.as_ref()
    }

    /// Id of the disk: a volume id, a UUID, or a name under `/dev/disk/by-id`.
    pub fn volume_id(&self) -> Option<&str> {
        self.volume_id.as_deref()
    }

    /// Name of the disk, if it differs from the volume's.
    pub fn volume_name(&self) -> Option<&str> {
        self.volume_name.as_deref()
    }

    /// Our own options, both sections' combined.
    pub fn options(&self) -> &VolumeOptions {
        &self.options
    }

    /// Where the workload section describes it.
    pub fn place(&self) -> &Place {
        &self.place
    }
}

/// Folders of the guest that no volume may cover, with everything below them.
const RESERVED: &[&str] = &[
    "/bin",
    "/boot",
    "/data1",
    "/dev",
    "/etc",
    "/lib",
    "/lib32",
    "/lib64",
    "/proc",
    "/run",
    "/sbin",
    "/sys",
    "/tmp",
    "/usr",
    "/var/lib/containers",
    "/var/log/journal",
];
/// Folders that hold such folders: a volume may lie below them, not on them.
const HOLDERS: &[&str] = &["/", "/root", "/var", "/var/lib", "/var/log", "/var/spool", "/var/tmp"];

/// Whether a mount point would cover something that the guest needs.
fn is_reserved(mount: &str) -> bool {
    let below = |folder: &str| {
        mount.strip_prefix(folder).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    };
    HOLDERS.contains(&mount) || RESERVED.iter().any(|folder| below(folder))
}

/// Reads all volumes; what is wrong goes to `refusals`.
pub(super) fn read(
    workload: &Reader<'_>,
    env: &Reader<'_>,
    refusals: &mut Vec<Refusal>,
    warnings: &mut Vec<Finding>,
) -> Vec<Volume> {
    refuse_unmatched(workload, env, SectionName::Env, refusals);
    refuse_unmatched(env, workload, SectionName::Workload, refusals);
    seed::warn_of_two_volumes(workload, warnings);
    seed::warn_of_two_volumes(env, warnings);
    let mut volumes: Vec<Volume> = Vec::new();
    let mut mounts = BTreeSet::new();
    for (name, entry) in workload.children("volumes") {
        let Some(deployer) = env.child("volumes").and_then(|map| map.child(name)) else { continue };
        for section in [&entry, &deployer] {
            seed::warn_weak(section, warnings);
        }
        let mount = entry.text("mount").unwrap_or(DEFAULT_MOUNT);
        let mount_place = entry.child("mount").map_or_else(|| entry.place(), |mount| mount.place());
        if mount.split('/').any(|part| part == "." || part == "..") {
            refusals.push(Refusal::Schema {
                place: mount_place.clone(),
                expectation: "expected an absolute path without . and ..".into(),
                hint: "write the path as it is mounted, such as /mnt/data".into(),
            });
        }
        if is_reserved(mount) {
            refusals.push(Refusal::MountReserved(mount_place.clone()));
        }
        if !mounts.insert(mount) {
            refusals.push(Refusal::MountConflict(mount_place));
        }
        let options = extension::volume_options(workload, env, name);
        if options.integrity() && options.discard() {
            refusals.extend(extension::discards(workload, env, name).map(|discard| Refusal::Schema {
                place: discard.place(),
                expectation: "expected no discard for a volume with integrity".into(),
                hint: "remove one of them: dm-integrity keeps a tag for every sector and lets no discard pass".into(),
            }));
        }
        let key_services = key_service::read(&deployer, refusals);
        if let Some(volume) = volume(name, mount, &entry, &deployer, options, key_services) {
            if volume.deployer_seed() == Some(&volume.workload_seed) {
                let place = deployer.child("seed").map_or_else(|| deployer.place(), |seed| seed.place());
                warn(Code::SharedSeed, place, "both sections have the same seed", warnings);
            }
            volumes.push(volume);
        }
    }
    volumes
}

fn volume(
    name: &str,
    mount: &str,
    entry: &Reader<'_>,
    deployer: &Reader<'_>,
    options: VolumeOptions,
    key_services: KeyServices,
) -> Option<Volume> {
    let ultravisor = |key: &str| deployer.text(key)?.strip_prefix("index-")?.parse().ok();
    let seed = |from: &Reader<'_>, key: &str| from.text(key).map(VolumeSeed::copy_from);
    Some(Volume {
        name: name.to_owned(),
        mount: mount.to_owned(),
        file_system: match entry.text("filesystem") {
            Some("xfs") => FileSystem::Xfs,
            Some("btrfs") => FileSystem::Btrfs,
            _ => FileSystem::Ext4,
        },
        workload_seed: seed(entry, "seed")?,
        previous_workload_seed: seed(entry, "previousSeed"),
        deployer_secret: match seed(deployer, "seed") {
            Some(seed) => DeployerSecret::Seed(seed),
            None => DeployerSecret::Ultravisor(ultravisor("uv-secret-id")?),
        },
        previous_deployer_seed: seed(deployer, "previousSeed"),
        previous_ultravisor_secret: ultravisor("uv-previous-secret-id"),
        key_services,
        api_key: deployer.text("apiKey").map(ApiKey::copy_from),
        volume_id: deployer.text("volumeID").map(str::to_owned),
        volume_name: deployer.text("volumeName").map(str::to_owned),
        options,
        place: entry.place(),
    })
}

/// Refuses every volume of `here` that `there` does not have.
fn refuse_unmatched(
    here: &Reader<'_>,
    there: &Reader<'_>,
    missing_in: SectionName,
    refusals: &mut Vec<Refusal>,
) {
    let names = |section: &Reader<'_>| -> BTreeSet<String> {
        section.children("volumes").map(|(name, _)| name.to_owned()).collect()
    };
    let (own, others) = (names(here), names(there));
    let mut suggestions = 0;
    for (name, entry) in here.children("volumes").filter(|(name, _)| !others.contains(*name)) {
        // A name that is matched itself was not meant. Comparing all with all would take long if there are many.
        suggestions += 1;
        let free = others.difference(&own).map(String::as_str).take(MAX_SUGGESTED);
        let nearest =
            if suggestions <= MAX_SUGGESTED { nearest(name, free).map(str::to_owned) } else { None };
        refusals.push(Refusal::VolumeUnmatched { place: entry.place(), missing_in, nearest });
    }
}

fn warn(code: Code, place: Place, message: &str, warnings: &mut Vec<Finding>) {
    warnings.push(Finding::with(code, place, message));
}
