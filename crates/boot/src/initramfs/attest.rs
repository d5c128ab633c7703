//! Stage `attest`: a record of everything that decides what this boot does, signed by the image's attestation key.
//!
//! What stands in the record is decided by [`countersign_plan::record::first`]. Its digest is said on the console and
//! reaches the log server. Where the contract names an auditor, the record leaves this stage only as a token for the
//! auditor; digest and signature are those of the record inside, as HPCR's are.
//!
//! The attestation key is read here, signs once and is gone when the stage ends, from memory and from the initramfs. The
//! key that will sign the final record is made here, since its public half belongs into the record; its private half
//! crosses to the daemon as a file in memory, which the daemon takes away when it has started.

use countersign_contract::code::Code;
use countersign_contract::model::Contract;
use countersign_crypto::attestation::{AttestationKey, BootKey};
use countersign_crypto::certificate::Certificate;
use countersign_crypto::secret::SecretBytes;
use countersign_plan::guest_os::file::File;
use countersign_plan::guest_os::handover::{BOOT_KEY, FOLDER, RECORDS};
use countersign_plan::guest_os::image::Attestation;
use countersign_plan::record::build::BuildManifest;
use countersign_plan::record::bundle::Bundle;
use countersign_plan::record::first::{self, FirstRecord};
use countersign_plan::record::folder::Content;
use countersign_plan::record::machine::machine;
use countersign_plan::trust::auditor::Auditor;
use countersign_plan::trust::time_floor;
use countersign_ports::Initramfs;

use crate::failure::Failure;
use crate::log::{Log, Summary};
use crate::stage::Stage;

use super::carried::Carried;
use super::validate::Validated;

/// A contract whose inputs are recorded.
#[derive(Debug)]
pub(super) struct Attested {
    pub(super) contract: Contract,
    pub(super) carried: Carried,
    /// The first record with its signature and certificate.
    pub(super) bundle: Bundle,
}

/// The key of the image, and its certificate as the image has it.
struct Signatory {
    key: AttestationKey,
    certificate: Certificate,
    pem: String,
}

impl Validated {
    /// Runs the stage.
    ///
    /// # Errors
    /// `HPL11103E` where the image lacks its attestation key, the certificate of it, or seals in the build manifest of
    /// another image. `HPL11002E` when the record cannot be encrypted to the auditor: some malformed keys are detected
    /// only when they are used. `HPL11000E` where nothing can be signed, or the key cannot be forgotten.
    pub(super) fn attest<S: Initramfs>(self, system: &S, log: &mut Log<'_, S>) -> Result<Attested, Failure> {
        log.stage(Stage::Attest, |log| {
            let Validated { contract, signer, auditor, digests, disk_files, mut carried } = self;
            let signatory = signatory(system, carried.manifest.attestation)?;
            let build = build_manifest(system, &carried.manifest.root.root_hash)?;
            let boot_key = BootKey::generate().map_err(library)?;
            let reader = auditor.as_ref().map(Auditor::reader).transpose().map_err(library)?;
            let manifest = &carried.manifest;
            let now = time_floor::later(system.unix_time(), manifest.built);
            let machine = system.system_information().ok().as_deref().and_then(machine);
            let record = FirstRecord {
                version: &manifest.version,
                machine: machine.as_deref(),
                age_days: manifest.built.map(|built| (now - built) / 86_400),
                encryption_end: manifest.certificate_not_after,
                attestation_end: signatory.as_ref().map(|one| one.certificate.facts().not_after),
                build: build.as_ref(),
                inputs: &digests,
                root_hash: &manifest.root.root_hash,
                signer: signer.fingerprint(),
                serial: contract.serial().number(),
                reader: reader.as_ref(),
                accepts: &manifest.accepts(),
                boot_key: &boot_key.public_half().map_err(library)?,
                warnings: log.warnings(),
            };
            let text = record.text();
            let signature = signatory.as_ref().map(|one| one.key.sign(text.as_bytes())).transpose();
            let signature = signature.map_err(library)?;
            let pem = signatory.map(|Signatory { key, pem, .. }| {
                drop(key);
                pem
            });
            // Nothing signs with it any more.
            system.forget_attestation_key().map_err(|error| failed(Code::BootInternal, error))?;
            let digest = first::digest(&text);
            let summary = Summary::new()
                .with("inputs", record.digests())
                .with("record", &digest)
                .with("signed", if signature.is_some() { "yes" } else { "no" });
            carried.watch.record = Some(digest);
            carried.watch.recorded_warnings = log.warnings().len();
            let (record, summary) = match &auditor {
                None => (text, summary),
                Some(auditor) => {
                    let token = auditor.seal(&text).map_err(|error| {
                        let message = format!(
                            "expected an attestationPublicKey that the record can be encrypted to: {error}"
                        );
                        failed(Code::AttestationKeyForm, message)
                    })?;
                    (token, summary.with("encrypted", "yes"))
                }
            };
            let bundle = Bundle::first(record.clone(), signature.as_deref(), pem.clone());
            let json = serde_json::to_vec(&bundle).map_err(|error| failed(Code::BootInternal, error))?;
            let auditor_pem = auditor.as_ref().map(Auditor::to_pem).transpose().map_err(library)?;
            let content = Content {
                version: &carried.manifest.version,
                record: &record,
                encrypted: auditor.is_some(),
                signature: signature.as_deref(),
                certificate: pem.as_deref(),
                auditor: auditor_pem.as_deref(),
                disk: &disk_files,
                user_data: contract.user_data().file(),
                bundle: &json,
            };
            carried.files.extend(content.files());
            carried.files.push(note(RECORDS, SecretBytes::copy_from(&json)));
            carried.files.push(note(BOOT_KEY, boot_key.to_pem().map_err(library)?));
            carried.record = record;
            Ok((Attested { contract, carried, bundle }, summary))
        })
    }
}

/// A file for root alone in the folder of the handover.
fn note(name: &str, content: SecretBytes) -> File {
    File { path: format!("{FOLDER}/{name}"), mode: 0o600, content }
}

/// The image's key with its certificate; none where the image says that it has none.
fn signatory<S: Initramfs>(system: &S, attestation: Attestation) -> Result<Option<Signatory>, Failure> {
    if attestation == Attestation::None {
        return Ok(None);
    }
    let incomplete = |error: String| failed(Code::ImageIncomplete, error);
    let pem = system.attestation_certificate().map_err(|error| incomplete(error.to_string()))?;
    let certificate = |error: String| incomplete(format!("attestation certificate of the image: {error}"));
    let pem = String::from_utf8(pem).map_err(|error| certificate(error.to_string()))?;
    let mut all = Certificate::parse_all(&pem).map_err(|error| certificate(error.to_string()))?;
    let first = all.swap_remove(0);
    let key = system.attestation_key().map_err(|error| incomplete(error.to_string()))?;
    let key = AttestationKey::from_pem(key.expose(), &first)
        .map_err(|error| incomplete(format!("attestation key of the image: {error}")))?;
    Ok(Some(Signatory { key, certificate: first, pem }))
}

/// What the image is made of, where its builder sealed that in.
fn build_manifest<S: Initramfs>(system: &S, root_hash: &str) -> Result<Option<BuildManifest>, Failure> {
    let incomplete = |error: String| failed(Code::ImageIncomplete, error);
    let Some(bytes) = system.build_manifest().map_err(|error| incomplete(error.to_string()))? else {
        return Ok(None);
    };
    let build = BuildManifest::parse(&bytes)
        .map_err(|error| incomplete(format!("build manifest of the image: {error}")))?;
    if build.root_hash != root_hash {
        return Err(incomplete(
            "expected the build manifest of this image, found another root hash".to_owned(),
        ));
    }
    Ok(Some(build))
}

fn library(error: countersign_crypto::LibraryError) -> Failure {
    failed(Code::BootInternal, error)
}

fn failed(code: Code, message: impl std::fmt::Display) -> Failure {
    Failure::machine(Stage::Attest, code, message)
}
