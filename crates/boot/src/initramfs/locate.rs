//! Stage `locate`: the disk labelled `cidata`, read once into guest memory and then let go.
//!
//! The disk belongs to the host. No kernel file system ever sees it: its bytes are copied within a bound and the
//! copy is read by our own reader. Then its driver is taken away, and nothing that runs later can read it: no workload,
//! however privileged.

use std::time::Duration;

use countersign_contract::cidata::network_config::{self, NetworkConfig};
use countersign_contract::cidata::{self, meta_data};
use countersign_contract::code::Code;
use countersign_crypto::digest;
use countersign_ports::error::SystemError;
use countersign_ports::{Disk, Initramfs};

use crate::failure::Failure;
use crate::log::{Log, Summary};
use crate::stage::Stage;
use crate::wait::until;

use super::preflight::Ready;

/// How long a contract disk may take to appear after the kernel modules are loaded.
const WAIT: Duration = Duration::from_secs(30);
/// Bytes up to the end of the descriptor that carries the label (ECMA-119 section 8.4).
const DESCRIPTOR_END: usize = 17 * 2048;

/// What the attestation record calls the contract.
pub(super) const USER_DATA: &str = "cidata/user-data";

/// What the contract disk held.
#[derive(Debug)]
pub(super) struct Located {
    pub(super) ready: Ready,
    pub(super) user_data: Vec<u8>,
    pub(super) hostname: Option<String>,
    pub(super) network: Option<NetworkConfig>,
    /// SHA-256 of the whole disk and of each file, in the words of the attestation record.
    pub(super) digests: Vec<(String, String)>,
    /// The files of the disk that the workload may see, as they lay there.
    pub(super) disk_files: Vec<(&'static str, Vec<u8>)>,
}

impl Ready {
    /// Runs the stage.
    ///
    /// # Errors
    /// `HPL11100E` without a contract disk, `HPL11101E` for a damaged one. `HPL07108E` if the contract disk cannot be
    /// read, or if none is found and some disk cannot be read. `HPL05002E` without `user-data`, `HPL11102E` for an
    /// invalid host name, `HPL13100E` for a `network-config` that cannot be used. `HPL11000E` if the disk cannot be let go,
    /// or if the kernel's own partitions cannot be taken away.
    pub(super) fn locate<S: Initramfs>(self, system: &S, log: &mut Log<'_, S>) -> Result<Located, Failure> {
        log.stage(Stage::Locate, |_| {
            let disk = find(system)?;
            let invalid = |message: String| Failure::machine(Stage::Locate, Code::CidataInvalid, message);
            if disk.size > cidata::MAX_IMAGE_BYTES as u64 {
                return Err(invalid(format!(
                    "expected a contract disk of at most {} bytes",
                    cidata::MAX_IMAGE_BYTES
                )));
            }
            let image = read(system, &disk, cidata::MAX_IMAGE_BYTES.min(disk.size as usize))?;
            system
                .release_disk(&disk.path)
                .map_err(|error| Failure::machine(Stage::Locate, Code::BootInternal, error))?;
            let files = cidata::read(&image).map_err(|error| invalid(error.to_string()))?;
            let user_data = files.user_data.ok_or_else(|| {
                Failure::machine(
                    Stage::Locate,
                    Code::ContractMissing,
                    "expected a file user-data on the contract disk",
                )
            })?;
            let hostname = match files.meta_data {
                Some(bytes) => {
                    meta_data::parse(bytes)
                        .map_err(|error| Failure::machine(Stage::Locate, error.code(), error))?
                        .local_hostname
                }
                None => None,
            };
            let network = files
                .network_config
                .map(network_config::parse)
                .transpose()
                .map_err(|finding| Failure::finding(Stage::Locate, *finding))?;
            let mut digests = vec![("/dev/disk/by-label/cidata".to_owned(), digest::sha256_hex(&image))];
            let named = [
                ("cidata/meta-data", files.meta_data),
                (USER_DATA, Some(user_data)),
                ("cidata/vendor-data", files.vendor_data),
                ("cidata/network-config", files.network_config),
            ];
            for (name, bytes) in named {
                if let Some(bytes) = bytes {
                    digests.push((name.to_owned(), digest::sha256_hex(bytes)));
                }
            }
            let shown = [("meta-data", files.meta_data), ("vendor-data", files.vendor_data)];
            let disk_files =
                shown.into_iter().filter_map(|(name, bytes)| Some((name, bytes?.to_vec()))).collect();
            let user_data = user_data.to_vec();
            let located = Located { ready: self, user_data, hostname, network, digests, disk_files };
            let interfaces = match &located.network {
                Some(network) => network.interfaces.len().to_string(),
                None => "dhcp".to_owned(),
            };
            let summary = Summary::new()
                .with("disk", disk.path.display())
                .with("bytes", image.len())
                .with("interfaces", interfaces);
            Ok((located, summary))
        })
    }
}

/// Waits for the one disk with the label. A disk that cannot be read is the reason only where none with the label comes:
/// a broken volume is refused at `unlock`, which the log server is told of.
fn find<S: Initramfs>(system: &S) -> Result<Disk, Failure> {
    let look = || {
        let (mut labelled, mut broken) = (Vec::new(), None);
        // Disks are read by their own bytes; what the kernel made of those is nobody's.
        system
            .remove_partition_nodes()
            .map_err(|error| Failure::machine(Stage::Locate, Code::BootInternal, error))?;
        for disk in system.disks().map_err(unreadable)? {
            match read(system, &disk, DESCRIPTOR_END) {
                Ok(bytes) if cidata::is_cidata(&bytes) => labelled.push(disk),
                Ok(_) => {}
                Err(failure) => broken = broken.or(Some(failure)),
            }
        }
        match labelled.len() {
            0 => Ok(Err(broken)),
            1 => Ok(Ok(labelled.remove(0))),
            _ => {
                let message = "expected one disk labelled cidata, found several";
                Err(Failure::machine(Stage::Locate, Code::CidataInvalid, message))
            }
        }
    };
    let found = until(system, WAIT, look, |_, left| system.wait_for_disk(left).map_err(unreadable))?;
    found.map_err(|broken| {
        let message = format!("expected a disk labelled cidata within {} s", WAIT.as_secs());
        broken.unwrap_or_else(|| Failure::machine(Stage::Locate, Code::CidataMissing, message))
    })
}

fn read<S: Initramfs>(system: &S, disk: &Disk, length: usize) -> Result<Vec<u8>, Failure> {
    system.read(&disk.path, 0, length).map_err(unreadable)
}

fn unreadable(error: SystemError) -> Failure {
    Failure::machine(Stage::Locate, Code::DiskUnreadable, error)
}
