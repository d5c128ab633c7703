//! Stage `parse`: the outer YAML becomes an envelope; the sections stay sealed.

use countersign_contract::cidata::network_config::NetworkConfig;
use countersign_contract::envelope::Envelope;
use countersign_contract::refusal::Finding;
use countersign_plan::guest_os::handover::Identity;
use countersign_ports::Initramfs;

use crate::failure::Failure;
use crate::log::{Log, Summary};
use crate::stage::Stage;

use super::locate::{Located, USER_DATA};
use super::preflight::Ready;

/// What is carried through all stages up to `attest`.
#[derive(Debug)]
pub(super) struct Origins {
    pub(super) ready: Ready,
    pub(super) hostname: String,
    pub(super) network: Option<NetworkConfig>,
    pub(super) digests: Vec<(String, String)>,
    pub(super) disk_files: Vec<(&'static str, Vec<u8>)>,
}

impl Origins {
    /// What stands in the guest's own log records; `signer` is the fingerprint of the key that signed the contract.
    pub(super) fn identity(&self, signer: Option<&str>) -> Identity {
        let contract = self.digests.iter().find(|(name, _)| name == USER_DATA);
        Identity {
            enterprise: self.ready.manifest.enterprise,
            contract: contract.map(|(_, digest)| digest.clone()).unwrap_or_default(),
            signer: signer.map(str::to_owned),
        }
    }
}

/// A contract taken apart.
#[derive(Debug)]
pub(super) struct Parsed {
    pub(super) origins: Origins,
    pub(super) envelope: Envelope,
}

/// The host name of a guest whose meta-data names none.
const HOSTNAME: &str = "countersign";

impl Located {
    /// Runs the stage.
    ///
    /// # Errors
    /// The text refusals of the catalogue (`HPL050…`, `HPL051…`).
    pub(super) fn parse<S: Initramfs>(self, _: &S, log: &mut Log<'_, S>) -> Result<Parsed, Failure> {
        log.stage(Stage::Parse, |log| {
            let envelope = Envelope::parse(&self.user_data).map_err(|refusals| {
                Failure::refusal_of(Stage::Parse, refusals.iter().map(Finding::from).collect())
            })?;
            for warning in envelope.warnings() {
                log.warn(warning);
            }
            let sealed = [envelope.workload(), envelope.env()]
                .iter()
                .filter(|section| section.token().is_some())
                .count();
            let summary = Summary::new()
                .with("sealed", sealed)
                .with("signature", if envelope.signature().is_some() { "yes" } else { "no" });
            let origins = Origins {
                ready: self.ready,
                hostname: self.hostname.unwrap_or_else(|| HOSTNAME.to_owned()),
                network: self.network,
                digests: self.digests,
                disk_files: self.disk_files,
            };
            Ok((Parsed { origins, envelope }, summary))
        })
    }
}
