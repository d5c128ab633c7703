//! Stage `validate`: both sections against the schema, then as a typed contract that the guest can act on.
//!
//! The plan of the guest OS is rendered here as well: a contract whose workload cannot run is refused before any
//! disk is touched.

use std::collections::BTreeSet;

use countersign_contract::code::Code;
use countersign_contract::envelope::SectionTree;
use countersign_contract::model::{Contract, OnDeviation, Volume};
use countersign_contract::refusal::Finding;
use countersign_plan::guest_os::image::Reach;
use countersign_plan::guest_os::render::{Guest, Rendered};
use countersign_plan::trust::auditor::Auditor;
use countersign_plan::trust::judgement::Judgement;
use countersign_plan::trust::signer::Signer;
use countersign_plan::watch::expiry::expiries;
use countersign_ports::{FsType, Initramfs};

use crate::failure::Failure;
use crate::log::{Log, Summary};
use crate::stage::Stage;

use super::carried::Carried;
use super::kernel;
use super::verify::{Sections, Verified};

/// What is said of sections in old tokens that nobody signed, whatever is wrong with them.
const UNUSABLE: &str = "sections that the guest can act on; without signature";

/// A contract that may be acted on.
#[derive(Debug)]
pub(super) struct Validated {
    pub(super) contract: Contract,
    pub(super) signer: Signer,
    pub(super) auditor: Option<Auditor>,
    pub(super) digests: Vec<(String, String)>,
    /// The files of the contract disk that the workload may see.
    pub(super) disk_files: Vec<(&'static str, Vec<u8>)>,
    pub(super) carried: Carried,
}

impl Verified {
    /// Runs the stage.
    ///
    /// # Errors
    /// `HPL05001E` and its finer relatives for the sections, `HPL07015E` for volumes that do not match, `HPL05130E`
    /// for fields that the guest does not act on, `HPL11002E` for the auditor's key, `HPL12102E` and `HPL12104E` to `HPL12107E` for the sections' policy,
    /// `HPL06…` for the archive and its images; of sections that were not signed and are in old tokens, `HPL05001E`
    /// without place for all of these. `HPL11103E` for an image without the modules of a file system or of integrity.
    pub(super) fn validate<S: Initramfs>(
        self,
        system: &S,
        log: &mut Log<'_, S>,
    ) -> Result<Validated, Failure> {
        log.stage(Stage::Validate, |log| {
            let Verified { origins, digests: contract_digests, signer, mut watch, sections, veiled } = self;
            let unsaid = || Failure::unsaid(Stage::Validate, Code::ContractInvalid, UNUSABLE);
            let Sections { workload, env, auditor } = sections.ok_or_else(unsaid)?;
            let identity = origins.identity(signer.fingerprint());
            let manifest = origins.ready.manifest;
            let guest = Guest {
                version: &manifest.version,
                hostname: &origins.hostname,
                identity: &identity,
                network: origins.network.as_ref(),
                refuse_reach: manifest.reach == Reach::Refuse,
            };
            // A warning names a field, which would tell what an unsigned old token holds.
            let warn = |warning: &Finding| {
                if !veiled {
                    log.warn(warning);
                }
            };
            let (contract, Rendered { mut files, plan, .. }) = judge(workload, env, &signer, guest, warn)
                .map_err(|failure| if veiled { unsaid() } else { failure })?;
            let auditor = Auditor::of(&contract, auditor, &signer).map_err(|finding| {
                if veiled { unsaid() } else { Failure::finding(Stage::Validate, finding) }
            })?;
            if let Some(auditor) = &auditor {
                let file = auditor.file();
                files.push(
                    file.map_err(|error| Failure::machine(Stage::Validate, Code::BootInternal, error))?,
                );
            }
            load_modules(system, contract.volumes())?;
            watch.expiries.extend(expiries(&contract, &manifest));
            watch.power_off = contract.on_deviation() == OnDeviation::PowerOff;
            let summary =
                Summary::new().with("volumes", contract.volumes().len()).with("images", plan.images.len());
            let carried = Carried { manifest, files, plan, record: String::new(), watch };
            let digests = origins.digests.into_iter().chain(contract_digests).collect();
            let disk_files = origins.disk_files;
            Ok((Validated { contract, signer, auditor, digests, disk_files, carried }, summary))
        })
    }
}

/// Both sections as a contract that the guest can act on, and its plan.
fn judge(
    workload: SectionTree,
    env: SectionTree,
    signer: &Signer,
    guest: Guest<'_>,
    mut warn: impl FnMut(&Finding),
) -> Result<(Contract, Rendered), Failure> {
    let Judgement { contract, unsupported, breaches, notices, rendered } =
        Judgement::of(workload, env, Some(signer), guest)
            .map_err(|findings| Failure::refusal_of(Stage::Validate, findings))?;
    contract.warnings().iter().for_each(&mut warn);
    for findings in [unsupported, breaches] {
        if let Some(failure) = Failure::findings(Stage::Validate, findings) {
            return Err(failure);
        }
    }
    let rendered = rendered.map_err(|refusal| {
        let findings = refusal.findings(&contract);
        Failure::findings(Stage::Validate, findings)
            .unwrap_or_else(|| Failure::machine(Stage::Validate, refusal.code(), refusal))
    })?;
    notices.iter().for_each(warn);
    Ok((contract, rendered))
}

/// Loads what the volumes need beyond the modules of every guest, then no module is loaded any more. Not before: what
/// loading the modules of Xfs, Btrfs and integrity costs, only their users shall pay. Up to here nothing runs but this
/// program, and there is no other that could load a module.
fn load_modules<S: Initramfs>(system: &S, volumes: &[Volume]) -> Result<(), Failure> {
    let wanted: BTreeSet<&str> = volumes.iter().map(|volume| volume.file_system().as_str()).collect();
    [FsType::Xfs, FsType::Btrfs]
        .into_iter()
        .filter(|filesystem| wanted.contains(filesystem.name()))
        .try_for_each(|filesystem| system.load_filesystem(filesystem))
        .and_then(|()| match volumes.iter().any(|volume| volume.options().integrity()) {
            true => system.load_integrity(),
            false => Ok(()),
        })
        .and_then(|()| kernel::lock_modules(system))
        .map_err(|error| Failure::machine(Stage::Validate, Code::ImageIncomplete, error))
}
