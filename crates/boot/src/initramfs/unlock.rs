//! Stage `unlock`: finds each volume's disk, checks it, opens it or makes it, mounts it.
//!
//! Nothing is written before every volume has been found and decided about. A header comes from the host, so it
//! is read into guest memory once, judged there, and that very copy is opened; afterwards the kernel's own table
//! is compared with what was judged. A new container's header reaches the disk last, when its file system is
//! complete: a power cut before that leaves a blank head, and the next boot begins afresh.

use std::collections::BTreeMap;
use std::fmt::Display;
use std::path::{Path, PathBuf};
use std::time::Duration;

use countersign_contract::code::Code;
use countersign_crypto::secret::VolumePassphrase;
use countersign_plan::devices::{Assignment, assign};
use countersign_plan::facts::Facts;
use countersign_plan::image::ImageManifest;
use countersign_plan::luks2;
use countersign_plan::luks2::table::{CryptTable, expected_table};
use countersign_plan::volumes::{Action, METADATA_BYTES, VolumeRefusal, decide};
use countersign_system::error::SystemError;
use countersign_system::ports::{
    Disk, Durability, Filesystem, Initramfs, LuksParameters, MountFlags, OpenError,
};

use crate::failure::Failure;
use crate::log::{Log, Summary};
use crate::stage::Stage;

use super::attest::Attested;
use super::probe;
use super::request::VolumeRequest;

/// How long disks may take to appear (HPCR's deadline).
const WAIT: Duration = Duration::from_secs(900);
/// How often the wait says what it is waiting for.
const SAY_EVERY: Duration = Duration::from_secs(30);
/// Where volumes are mounted until the new root exists.
const STAGED: &str = "/volumes";
/// Argon2id as RFC 9106 section 4 recommends where memory is short: 64 MiB, 3 passes, 4 lanes.
const ARGON2ID: (u32, u32, u32) = (64 << 10, 3, 4);
/// Sector size of new containers: that of the file systems above, so that one block is one encryption.
const SECTOR_BYTES: u32 = 4096;

/// A volume that is open and mounted at a place of passage.
#[derive(Debug)]
pub struct Mounted {
    /// Where it is mounted until the new root exists.
    pub(super) staged: PathBuf,
    /// Where the contract wants it.
    pub(super) mount: String,
}

/// All volumes are open; the seeds are gone.
#[derive(Debug)]
pub struct Unlocked {
    attested: Attested,
    volumes: Vec<Mounted>,
}

impl Unlocked {
    pub(super) fn manifest(&self) -> &ImageManifest {
        self.attested.manifest()
    }

    pub(super) fn volumes(&self) -> &[Mounted] {
        &self.volumes
    }

    pub(super) fn attested(&self) -> &Attested {
        &self.attested
    }
}

/// A volume that was decided about.
struct Decided<'r> {
    request: &'r VolumeRequest,
    disk: Disk,
    action: Action,
}

impl Attested {
    /// Runs the stage.
    ///
    /// # Errors
    /// The `HPL02…` and `HPL07…` errors of the catalogue.
    pub fn unlock<S: Initramfs>(mut self, system: &S, log: &mut Log<'_, S>) -> Result<Unlocked, Failure> {
        log.stage(Stage::Unlock, |log| {
            let requests = self.take_volume_requests();
            let decided = find(system, log, &requests, &self)?;
            let mut volumes = Vec::with_capacity(decided.len());
            for volume in &decided {
                volumes.push(bring_up(system, log, volume)?);
            }
            if !volumes.is_empty() {
                log.say(&format!("{}: {}", Code::VolumesMounted, Code::VolumesMounted.text()));
            }
            let summary = Summary::new().with("volumes", volumes.len());
            Ok((Unlocked { attested: self, volumes }, summary))
        })
    }
}

/// Waits until every volume has its disk, then decides about each.
fn find<'r, S: Initramfs>(
    system: &S,
    log: &Log<'_, S>,
    requests: &'r [VolumeRequest],
    attested: &Attested,
) -> Result<Vec<Decided<'r>>, Failure> {
    let wanted: Vec<_> = requests.iter().map(VolumeRequest::wanted).collect();
    let deadline = system.uptime() + WAIT;
    loop {
        let disks = candidates(system, attested)?;
        let facts = probe::facts(system, &disks).map_err(disk_error)?;
        let assigned = assign(&wanted, &facts.disks);
        let missing: Vec<&str> = assigned
            .iter()
            .filter(|(_, assignment)| **assignment == Assignment::Missing)
            .map(|(key, _)| key.as_str())
            .collect();
        if missing.is_empty() {
            return requests.iter().map(|request| one(request, &assigned, &disks, &facts)).collect();
        }
        let left = deadline.saturating_sub(system.uptime());
        if left.is_zero() {
            let message = format!("expected a disk for {} within {} s", missing.join(", "), WAIT.as_secs());
            return Err(Failure::machine(Stage::Unlock, Code::VolumeMissing, message));
        }
        log.say(&format!("waiting for the disk of {}, {} s left", missing.join(", "), left.as_secs()));
        let turn = system.uptime() + SAY_EVERY.min(left);
        while !system.wait_for_disk(turn.saturating_sub(system.uptime())).map_err(disk_error)?
            && system.uptime() < turn
        {}
    }
}

/// Disks that may hold volumes: not the contract's, not the image's own.
fn candidates<S: Initramfs>(system: &S, attested: &Attested) -> Result<Vec<Disk>, Failure> {
    let manifest = attested.manifest();
    let mut disks = system.disks().map_err(disk_error)?;
    disks.retain(|disk| {
        disk.path != attested.contract_disk()
            && disk.serial != manifest.root.serial
            && disk.serial != manifest.scratch.serial
    });
    Ok(disks)
}

fn one<'r>(
    request: &'r VolumeRequest,
    assigned: &BTreeMap<String, Assignment>,
    disks: &[Disk],
    facts: &Facts,
) -> Result<Decided<'r>, Failure> {
    let refuse = |code, message: String| {
        Failure::machine(Stage::Unlock, code, format!("volume {}: {message}", request.key))
    };
    let name = match assigned.get(&request.key) {
        Some(Assignment::Found(name)) => name,
        Some(Assignment::Ambiguous(names)) => {
            let message = format!("expected one disk with its name, found {}", names.join(", "));
            return Err(refuse(Code::VolumeAmbiguous, message));
        }
        Some(Assignment::Shared(other)) => {
            let message = format!("expected a disk of its own, {other} has the same");
            return Err(refuse(Code::VolumeAmbiguous, message));
        }
        Some(Assignment::Missing) | None => {
            return Err(refuse(Code::VolumeMissing, "expected a disk with its name".to_owned()));
        }
    };
    let disk = disks.iter().find(|disk| probe::kernel_name(&disk.path) == *name);
    let known = facts.disks.iter().find(|disk| disk.name == *name);
    let (Some(disk), Some(known)) = (disk, known) else {
        return Err(refuse(Code::VolumeMissing, "expected its disk to stay attached".to_owned()));
    };
    let action = decide(known, request.initialize)
        .map_err(|refusal| refuse(refusal_code(&refusal), refusal.to_string()))?;
    Ok(Decided { request, disk: disk.clone(), action })
}

fn refusal_code(refusal: &VolumeRefusal) -> Code {
    match refusal {
        VolumeRefusal::Occupied { .. } => Code::VolumeOccupied,
        VolumeRefusal::Blank { .. } => Code::VolumeBlank,
        VolumeRefusal::Partitions { .. } => Code::PartitionCount,
        VolumeRefusal::PartitionNames { .. } => Code::PartitionNames,
        VolumeRefusal::TooSmall { .. } => Code::VolumeTooSmall,
        VolumeRefusal::ReadOnly { .. } => Code::VolumeReadOnly,
    }
}

/// Opens or makes one volume and mounts it.
fn bring_up<S: Initramfs>(system: &S, log: &mut Log<'_, S>, volume: &Decided<'_>) -> Result<Mounted, Failure> {
    let Decided { request, disk, action } = volume;
    let failed = |code, error: SystemError| {
        Failure::machine(Stage::Unlock, code, format!("volume {}: {error}", request.key))
    };
    let device = match action {
        Action::Open { device } => {
            log.say(&format!("opening volume {} on {device}", request.key));
            open(system, log, request, &Path::new("/dev").join(device))?
        }
        Action::CreateOnDisk => {
            log.say(&format!("making volume {} on {}", request.key, disk.path.display()));
            let [metadata, data] =
                system.partition(disk, METADATA_BYTES).map_err(|error| failed(Code::PartitioningFailed, error))?;
            system
                .make(Filesystem::Ext4, &metadata.path, "metadata", Durability::Persistent)
                .map_err(|error| failed(Code::PartitioningFailed, error))?;
            create(system, request, &data.path)?
        }
        Action::CreateOnPartition { device } => {
            log.say(&format!("making volume {} on {device}", request.key));
            create(system, request, &Path::new("/dev").join(device))?
        }
    };
    let staged = Path::new(STAGED).join(&request.key);
    let flags = MountFlags { nosuid: true, nodev: true, ..MountFlags::default() };
    system
        .mount(request.filesystem, &device, &staged, flags)
        .map_err(|error| failed(Code::MountFailed, error))?;
    Ok(Mounted { staged, mount: request.mount.clone() })
}

/// Judges the header, opens its copy with the seeds in either order, compares the kernel's table.
fn open<S: Initramfs>(
    system: &S,
    log: &mut Log<'_, S>,
    request: &VolumeRequest,
    device: &Path,
) -> Result<PathBuf, Failure> {
    let failed = |error: SystemError| {
        Failure::machine(Stage::Unlock, Code::LuksOpenFailed, format!("volume {}: {error}", request.key))
    };
    let (header, accepted) = judge(system, request, device)?;

    let name = mapper_name(&request.key);
    let wrong = |_| {
        let message = format!("volume {}: expected the seeds that it was made with", request.key);
        Failure::machine(Stage::Unlock, Code::LuksOpenFailed, message)
    };
    let documented = passphrase(request, Order::DeployerFirst)?;
    let mapped = match system.open(device, &header, &name, &documented) {
        Ok(mapped) => mapped,
        Err(OpenError::System(error)) => return Err(failed(error)),
        Err(OpenError::WrongPassphrase) => {
            let swapped = passphrase(request, Order::WorkloadFirst)?;
            let mapped = match system.open(device, &header, &name, &swapped) {
                Ok(mapped) => mapped,
                Err(OpenError::System(error)) => return Err(failed(error)),
                Err(wrong_passphrase) => return Err(wrong(wrong_passphrase)),
            };
            log.warn_text(format!("{}: volume {}: {}", Code::SeedOrder, request.key, Code::SeedOrder.text()));
            mapped
        }
    };
    compare_table(system, request, device, &name, &accepted)?;
    Ok(mapped)
}

/// Reads the header into guest memory, each byte once, and holds it against the profile.
fn judge<S: Initramfs>(
    system: &S,
    request: &VolumeRequest,
    device: &Path,
) -> Result<(Vec<u8>, luks2::Accepted), Failure> {
    let refused = |fault: &dyn Display| header_refused(request, fault);
    let failed = |error: SystemError| header_refused(request, &error);
    let size = system.size(device).map_err(failed)?;
    let mut header = system.read(device, 0, luks2::PROBE_LEN).map_err(failed)?;
    append(system, device, &mut header, luks2::metadata_len(&header).min(size)).map_err(failed)?;
    let parsed = luks2::read(&header).map_err(|error| refused(&error))?;
    let accepted = luks2::judge(&parsed, &luks2::Profile::compatible(), size).map_err(|faults| {
        let all: Vec<String> = faults.iter().map(ToString::to_string).collect();
        refused(&all.join("; "))
    })?;
    append(system, device, &mut header, accepted.header_len()).map_err(failed)?;
    Ok((header, accepted))
}

/// Reads on behind what is there already, up to `length` bytes in all.
fn append<S: Initramfs>(
    system: &S,
    device: &Path,
    header: &mut Vec<u8>,
    length: u64,
) -> Result<(), SystemError> {
    // Bounded by `luks2::HEADER_LIMIT`.
    let missing = usize::try_from(length).unwrap_or(usize::MAX).saturating_sub(header.len());
    if missing > 0 {
        header.extend(system.read(device, header.len() as u64, missing)?);
    }
    Ok(())
}

/// Compares what the kernel maps with what was judged.
fn compare_table<S: Initramfs>(
    system: &S,
    request: &VolumeRequest,
    device: &Path,
    name: &str,
    accepted: &luks2::Accepted,
) -> Result<(), Failure> {
    let failed = |error: SystemError| header_refused(request, &error);
    let size = system.size(device).map_err(failed)?;
    let number = system.number(device).map_err(failed)?;
    let line = system.table(name).map_err(failed)?;
    let faults = match CryptTable::parse(&line) {
        Ok(table) => expected_table(accepted, size).compare(&table, &number).err().unwrap_or_default(),
        Err(fault) => vec![fault],
    };
    if faults.is_empty() {
        return Ok(());
    }
    // The mapping is not what was asked for: nothing may be mounted from it.
    system.close(name).map_err(failed)?;
    let all: Vec<String> = faults.iter().map(ToString::to_string).collect();
    Err(header_refused(request, &all.join("; ")))
}

fn header_refused(request: &VolumeRequest, fault: &dyn Display) -> Failure {
    Failure::machine(Stage::Unlock, Code::HeaderRefused, format!("volume {}: {fault}", request.key))
}

/// Makes a container and its file system; the header is written last.
fn create<S: Initramfs>(system: &S, request: &VolumeRequest, device: &Path) -> Result<PathBuf, Failure> {
    let failed = |code, error: SystemError| {
        Failure::machine(Stage::Unlock, code, format!("volume {}: {error}", request.key))
    };
    let (memory_kib, passes, lanes) = ARGON2ID;
    let parameters =
        LuksParameters { label: request.key.clone(), memory_kib, passes, lanes, sector_size: SECTOR_BYTES };
    let passphrase = passphrase(request, Order::DeployerFirst)?;
    let header = system
        .format(device, &parameters, &passphrase)
        .map_err(|error| failed(Code::LuksFormatFailed, error))?;
    let mapped = match system.open(device, &header, &mapper_name(&request.key), &passphrase) {
        Ok(mapped) => mapped,
        Err(OpenError::System(error)) => return Err(failed(Code::LuksFormatFailed, error)),
        Err(OpenError::WrongPassphrase) => {
            let error = SystemError::new("open", device.display().to_string(), "the new header does not open");
            return Err(failed(Code::LuksFormatFailed, error));
        }
    };
    system
        .make(request.filesystem, &mapped, &request.key, Durability::Persistent)
        .map_err(|error| failed(Code::CreateFileSystemFailed, error))?;
    system.commit_header(device, &header).map_err(|error| failed(Code::LuksFormatFailed, error))?;
    Ok(mapped)
}

/// Which seed comes first.
#[derive(Debug, Clone, Copy)]
enum Order {
    DeployerFirst,
    WorkloadFirst,
}

fn passphrase(request: &VolumeRequest, order: Order) -> Result<VolumePassphrase, Failure> {
    let derive = match order {
        Order::DeployerFirst => VolumePassphrase::derive,
        Order::WorkloadFirst => VolumePassphrase::derive_workload_first,
    };
    derive(&request.deployer_seed, &request.workload_seed)
        .map_err(|error| Failure::machine(Stage::Unlock, Code::BootInternal, error))
}

fn mapper_name(key: &str) -> String {
    format!("volume-{key}")
}

fn disk_error(error: SystemError) -> Failure {
    Failure::machine(Stage::Unlock, Code::DiskUnreadable, error)
}
