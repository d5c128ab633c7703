//! Settings for pods of the confidential containers agent: its policy, its images, its keys.
//!
//! Both sections have a part. Policy and keys are kept as text; the agent reads them.

use std::collections::BTreeMap;

use countersign_crypto::secret::SealedSecretKey;

use super::read::Reader;

/// The workload's part.
#[derive(Debug)]
pub struct ConfidentialContainers {
    policy: String,
    image_signers: BTreeMap<String, String>,
    allowed: BTreeMap<String, AllowedImages>,
    sealed_secrets: Option<SealedSecretKeys>,
}

/// From which images the containers of one rule may be started; at least one list has entries.
#[derive(Debug)]
pub struct AllowedImages {
    names: Vec<String>,
    patterns: Vec<String>,
}

/// The keys with which the agent checks and opens sealed secrets.
#[derive(Debug)]
pub struct SealedSecretKeys {
    verification: String,
    decryption: SealedSecretKey,
}

impl ConfidentialContainers {
    /// Base64 of a policy in the Rego language.
    pub fn policy(&self) -> &str {
        &self.policy
    }

    /// By image, the public key that must have signed it, PEM or base64 of that.
    pub fn image_signers(&self) -> &BTreeMap<String, String> {
        &self.image_signers
    }

    /// The rules by name.
    pub fn allowed(&self) -> &BTreeMap<String, AllowedImages> {
        &self.allowed
    }

    /// The workload's keys.
    pub fn sealed_secrets(&self) -> Option<&SealedSecretKeys> {
        self.sealed_secrets.as_ref()
    }
}

impl AllowedImages {
    /// Image references.
    pub fn names(&self) -> &[String] {
        &self.names
    }

    /// Patterns of image references.
    pub fn patterns(&self) -> &[String] {
        &self.patterns
    }
}

impl SealedSecretKeys {
    /// Public key, PEM or base64 of that.
    pub fn verification(&self) -> &str {
        &self.verification
    }

    /// Private key, PEM or base64 of that.
    pub fn decryption(&self) -> &SealedSecretKey {
        &self.decryption
    }
}

pub(super) fn read(part: &Reader<'_>) -> Option<ConfidentialContainers> {
    let allowed = |(name, rule): (&str, Reader<'_>)| {
        let images = rule.child("allowedImages")?;
        let list = |kind: &str| images.texts(kind).unwrap_or_default();
        let images = AllowedImages { names: list("imageNames"), patterns: list("imagePatterns") };
        Some((name.to_owned(), images))
    };
    let signer =
        |(image, entry): (&str, Reader<'_>)| Some((image.to_owned(), entry.text("publicKey")?.to_owned()));
    let config = part.child("config");
    Some(ConfidentialContainers {
        policy: part.child("regoValidator")?.text("policy")?.to_owned(),
        image_signers: config
            .iter()
            .flat_map(|config| config.children("cosign"))
            .filter_map(signer)
            .collect(),
        allowed: part.children("allowedContainers").filter_map(allowed).collect(),
        sealed_secrets: sealed_secrets(part),
    })
}

/// The keys of either section's part.
pub(super) fn sealed_secrets(part: &Reader<'_>) -> Option<SealedSecretKeys> {
    let keys = part.child("secret")?;
    Some(SealedSecretKeys {
        verification: keys.text("verificationKey")?.to_owned(),
        decryption: SealedSecretKey::copy_from(keys.text("decryptionKey")?),
    })
}
