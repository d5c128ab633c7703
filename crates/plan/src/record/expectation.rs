//! What a record should say: from a contract, a build manifest, a contract disk, or a file that an auditor keeps.
//!
//! The file is JSON (`countersign schema expectation`), holds digests and public facts only, and may be edited: who knows
//! that an image warns about something, or which machines a guest may run on, writes it there. Of a section in plain text it
//! holds a digest, by which a guess of its whole text could be checked.

use serde::{Deserialize, Serialize};

use countersign_contract::cidata::Cidata;
use countersign_contract::envelope::Envelope;
use countersign_crypto::digest::sha256_hex;
use countersign_crypto::token::Recipient;

use super::build::{BuildManifest, is_digest};
use super::name::{Name, Own, Part};

/// Where an expectation comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Source {
    /// The contract that was given.
    Contract,
    /// The build manifest that was given.
    BuildManifest,
    /// The sealing manifest that was given.
    SealingManifest,
    /// The contract disk that was given.
    Disk,
    /// The auditor's own key.
    AuditorKey,
    /// The certificate that was given.
    Certificate,
    /// The first record, for the final one.
    Record,
    /// The transcript that was given.
    Transcript,
    /// The auditor's file.
    Expectation,
}

impl Source {
    /// In sentences.
    pub const fn as_str(self) -> &'static str {
        match self {
            Source::Contract => "the contract",
            Source::BuildManifest => "the build manifest",
            Source::SealingManifest => "the sealing manifest",
            Source::Disk => "the contract disk",
            Source::AuditorKey => "your own key",
            Source::Certificate => "the certificate",
            Source::Record => "the first record",
            Source::Transcript => "the transcript",
            Source::Expectation => "your expectation",
        }
    }
}

/// Digests that a line may have.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Digests {
    /// The name, as a record has it.
    pub name: String,
    /// Any of these; none where the line must not be there.
    pub values: Vec<String>,
    /// Whether another digest proves nothing: the same contract may have been delivered in other bytes.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub weak: bool,
    /// Where that comes from.
    pub source: Source,
}

/// What a record should say. What is absent is not checked.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Expectation {
    /// Of this form: 1.
    pub format: u32,
    /// Digests.
    #[serde(default)]
    pub digests: Vec<Digests>,
    /// Version of the image.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
    /// Whether the contract is signed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub signed: Option<bool>,
    /// The contract's serial; `null` inside where it has none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub serial: Option<u64>,
    /// What the image may accept beyond the strict default.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub accepts: Option<Vec<String>>,
    /// Codes of the warnings that may be there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub warnings: Option<Vec<String>>,
    /// Machines on which the guest may run, as `TYPE/PLANT/SERIAL`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub machines: Option<Vec<String>>,
    /// Images of containers that may run, by their whole names.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub container_images: Option<Vec<String>>,
    /// Where all but the digests comes from; none in an auditor's file, which may have several sources.
    #[serde(skip)]
    pub source: Option<Source>,
}

/// Why a text is no expectation.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ExpectationError {
    /// Not the JSON of one.
    #[error("expected the JSON of an expectation: {0}")]
    Json(String),
    /// Of another form.
    #[error("expected an expectation of format 1, found {0}")]
    Format(u32),
    /// Something else than a digest.
    #[error("expected 64, 96 or 128 lower-case hexadecimal digits for {0}")]
    Digest(String),
}

impl Expectation {
    /// Of nothing.
    pub fn new() -> Expectation {
        Expectation { format: 1, ..Expectation::default() }
    }

    /// Reads an auditor's file.
    ///
    /// # Errors
    /// [`ExpectationError`].
    pub fn parse(bytes: &[u8]) -> Result<Expectation, ExpectationError> {
        let expectation: Expectation =
            serde_json::from_slice(bytes).map_err(|error| ExpectationError::Json(error.to_string()))?;
        if expectation.format != 1 {
            return Err(ExpectationError::Format(expectation.format));
        }
        for digests in &expectation.digests {
            if !digests.values.iter().all(|value| is_digest(value)) {
                return Err(ExpectationError::Digest(digests.name.clone()));
            }
        }
        Ok(expectation)
    }

    /// With a digest.
    #[must_use]
    pub fn with(mut self, name: &Name, values: Vec<String>, source: Source) -> Expectation {
        self.digests.push(Digests { name: name.to_string(), values, weak: false, source });
        self
    }

    /// What follows from a contract as it is delivered: `bytes` of the file and the parts in it.
    ///
    /// HPCR's documents do not say what becomes of the line feed at the end of a section in plain text, so of such a section
    /// the digests with and without it are taken.
    #[must_use]
    pub fn of_contract(bytes: &[u8], envelope: &Envelope) -> Expectation {
        let user_data = Name::DiskFile("user-data".to_owned());
        let mut expectation = Expectation::new().with(&user_data, vec![sha256_hex(bytes)], Source::Contract);
        if let Some(digests) = expectation.digests.last_mut() {
            digests.weak = true;
        }
        let attested = envelope.attested();
        for part in Part::ALL {
            let name = Name::contract(part);
            let raw = attested.iter().find(|(known, _)| *known == name.to_string()).map(|(_, raw)| *raw);
            let is_map = match part {
                Part::Workload => envelope.workload().raw().is_none(),
                Part::Env => envelope.env().raw().is_none(),
                _ => false,
            };
            // A section written as a map has no string to hash.
            if !is_map {
                expectation =
                    expectation.with(&name, raw.map(candidates).unwrap_or_default(), Source::Contract);
            }
        }
        let key = envelope.attestation_public_key().filter(|key| key.token().is_none());
        if let Some(pem) = key.and_then(|key| Recipient::parse(key.raw()).ok()?.to_pem().ok()) {
            // Up to 24.3 it was the decoded PEM, its last line feed included.
            let name = Name::Contract { part: Part::AttestationPublicKey, bare: true };
            expectation = expectation.with(&name, vec![sha256_hex(pem.as_bytes())], Source::Contract);
        }
        expectation.signed = Some(envelope.signature().is_some());
        expectation.source = Some(Source::Contract);
        expectation
    }

    /// What follows from a build manifest.
    #[must_use]
    pub fn of_build(build: &BuildManifest) -> Expectation {
        let own = [
            (Own::BuildManifest, &build.digest),
            (Own::Kernel, &build.kernel),
            (Own::Initramfs, &build.initramfs),
            (Own::Countersignd, &build.countersignd),
            (Own::RootVerity, &build.root_hash),
        ];
        let mut expectation =
            Expectation::new().with(&Name::BillOfMaterials, vec![build.sbom.clone()], Source::BuildManifest);
        for (own, digest) in own {
            expectation = expectation.with(&Name::Own(own), vec![digest.clone()], Source::BuildManifest);
        }
        let (version, source) = (Some(build.version.clone()), Some(Source::BuildManifest));
        Expectation { version, source, ..expectation }
    }

    /// What follows from a contract disk: all its bytes, and the files on it.
    #[must_use]
    pub fn of_disk(image: &[u8], files: &Cidata<'_>) -> Expectation {
        let mut expectation = Expectation::new().with(&Name::Disk, vec![sha256_hex(image)], Source::Disk);
        for (name, bytes) in [
            ("meta-data", files.meta_data),
            ("user-data", files.user_data),
            ("vendor-data", files.vendor_data),
            ("network-config", files.network_config),
        ] {
            let values = bytes.map(sha256_hex).into_iter().collect();
            expectation = expectation.with(&Name::DiskFile(name.to_owned()), values, Source::Disk);
        }
        expectation
    }
}

/// Digests of a string of the contract.
fn candidates(raw: &str) -> Vec<String> {
    let mut values = vec![sha256_hex(raw.as_bytes())];
    let bare = raw.trim_end_matches('\n');
    if bare.len() < raw.len() {
        values.push(sha256_hex(bare.as_bytes()));
    }
    values
}
