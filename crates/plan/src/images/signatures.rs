//! The contract's rules for signed images, as the guest OS gets them: which of them count for an image.
//!
//! A rule stands under a name: of one image by digest or tag, or of a repository, whose images it all covers. The nearest
//! rules count, as the engine's policy file has it: those of the image before those of its repository. An image that is
//! named by digest is vouched for by that; a rule of `images.rhs` covers it only under its digest, as on HPCR, one of
//! `countersign.images` always.

use std::collections::BTreeMap;

use countersign_contract::model::ImageRule;
use countersign_crypto::LibraryError;
use serde::{Deserialize, Serialize};

use super::name::{ImageName, Version, repository};

/// All rules of a contract; none is the common case.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct SignatureRules(Vec<SignatureRule>);

/// Who must have signed the images that a name covers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct SignatureRule {
    /// As the contract writes it.
    name: String,
    registry: String,
    repository: String,
    /// One image of the repository, or all.
    version: Option<Version>,
    /// Whether images that are named by digest are covered under another name than their own.
    covers_digests: bool,
    /// OpenPGP keys, base64 of the packets, of which one must have made a simple signature.
    pub(super) simple_signing: Option<String>,
    /// PEM key that must have made a signature of cosign's.
    pub(super) cosign: Option<String>,
    /// Address of the folder with the simple signatures.
    pub(super) lookaside: Option<String>,
    /// Repository that the signature names in place of the image's own.
    pub(super) signed_as: Option<String>,
    /// Both kinds of keys by their fingerprints, for people.
    signers: Vec<Signer>,
}

/// A key by its fingerprint.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Signer {
    /// Of simple signing, as gpg says it.
    SimpleSigning(String),
    /// Of cosign: SHA-256 of the DER public key.
    Cosign(String),
}

impl SignatureRule {
    fn of(name: &str, rule: &ImageRule) -> Result<SignatureRule, LibraryError> {
        let (plain, digest) = match name.split_once('@') {
            Some((plain, digest)) => (plain, Some(digest)),
            None => (name, None),
        };
        let (plain, tag) = match plain.rsplit_once(':') {
            Some((before, tag)) if !tag.contains('/') => (before, Some(tag)),
            _ => (plain, None),
        };
        let version = digest
            .map(|digest| Version::Digest(digest.to_owned()))
            .or_else(|| tag.map(|tag| Version::Tag(tag.to_owned())));
        let (registry, repository) = repository(plain);
        let fingerprints = rule.simple_signing().map(|keys| keys.fingerprints()).unwrap_or_default();
        let mut signers: Vec<Signer> =
            fingerprints.iter().map(|print| Signer::SimpleSigning(print.clone())).collect();
        if let Some(key) = rule.cosign() {
            signers.push(Signer::Cosign(key.sha256_fingerprint()?));
        }
        Ok(SignatureRule {
            name: name.to_owned(),
            registry,
            repository,
            version,
            covers_digests: rule.covers_digests(),
            simple_signing: rule.simple_signing().map(|keys| keys.to_base64()),
            cosign: rule.cosign().map(|key| key.to_pem()).transpose()?,
            lookaside: rule.lookaside().map(str::to_owned),
            signed_as: rule.signed_as().map(str::to_owned),
            signers,
        })
    }

    /// The name that the rule stands under.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Its keys; of several for simple signing one is enough.
    pub fn signers(&self) -> &[Signer] {
        &self.signers
    }

    fn covers(&self, image: &ImageName) -> bool {
        (self.registry.as_str(), self.repository.as_str()) == (image.registry(), image.repository())
            && match &self.version {
                Some(version) => version == image.version(),
                None => self.covers_digests || !image.is_pinned(),
            }
    }
}

impl SignatureRules {
    /// The rules of a contract.
    ///
    /// # Errors
    /// [`LibraryError`] when OpenSSL cannot write a key that it had read.
    pub fn of(rules: &BTreeMap<String, ImageRule>) -> Result<SignatureRules, LibraryError> {
        rules
            .iter()
            .map(|(name, rule)| SignatureRule::of(name, rule))
            .collect::<Result<_, _>>()
            .map(SignatureRules)
    }

    /// Whether the contract has no rule.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The rules that count for an image, all of them.
    pub fn covering(&self, image: &ImageName) -> Vec<&SignatureRule> {
        let covering = || self.0.iter().filter(|rule| rule.covers(image));
        let own: Vec<_> = covering().filter(|rule| rule.version.is_some()).collect();
        if own.is_empty() { covering().collect() } else { own }
    }

    /// Whether an image may run: its digest or a rule vouches for it.
    pub fn accept(&self, image: &ImageName) -> bool {
        image.is_pinned() || !self.covering(image).is_empty()
    }

    /// The names of rules that count for none of these images.
    pub fn unused<'r>(&'r self, images: &[ImageName]) -> Vec<&'r str> {
        let used: Vec<&SignatureRule> = images.iter().flat_map(|image| self.covering(image)).collect();
        let unused = self.0.iter().filter(|rule| !used.iter().any(|used| std::ptr::eq(*used, *rule)));
        unused.map(|rule| rule.name.as_str()).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DIGEST: &str = "sha256:9fcf739803e0dcce2e2351e797b875fa51049ffd66843242cfae973fd2376e4a";

    fn rule(name: &str, covers_digests: bool) -> SignatureRule {
        let bare = ImageName::parse(name).unwrap();
        let version = name.contains(['@', ':']).then(|| bare.version().clone());
        SignatureRule {
            name: name.to_owned(),
            registry: bare.registry().to_owned(),
            repository: bare.repository().to_owned(),
            version,
            covers_digests,
            simple_signing: None,
            cosign: None,
            lookaside: None,
            signed_as: None,
            signers: Vec::new(),
        }
    }

    #[test]
    fn the_nearest_rules_count() {
        let (pinned, other) = (format!("a.example/x@{DIGEST}"), format!("a.example/y@{DIGEST}"));
        let rules = SignatureRules(vec![
            rule("a.example/x", false),
            rule("a.example/x:1", false),
            rule(&pinned, false),
            rule("a.example/y", true),
            rule("docker.io/nginx", false),
            rule("docker.io/library/nginx", true),
        ]);
        let covering = |image: &str| -> Vec<String> {
            let image = ImageName::parse(image).unwrap();
            let names: Vec<String> =
                rules.covering(&image).iter().map(|rule| rule.name().to_owned()).collect();
            assert_eq!(rules.accept(&image), image.is_pinned() || !names.is_empty());
            names
        };
        assert_eq!(covering("a.example/x:2"), ["a.example/x"]);
        assert_eq!(covering("a.example/x"), ["a.example/x"]);
        assert_eq!(covering("a.example/x:1"), ["a.example/x:1"]);
        assert_eq!(covering(&format!("a.example/x:1@{DIGEST}")), [pinned.as_str()]);
        assert_eq!(covering(&other), ["a.example/y"]);
        assert_eq!(covering("nginx"), ["docker.io/nginx", "docker.io/library/nginx"]);
        assert_eq!(covering("a.example:5000/x:1"), Vec::<String>::new());
        assert_eq!(covering("a.example/x/z:1"), Vec::<String>::new());
        assert_eq!(covering(&format!("a.example/x@sha256:{}", "0".repeat(64))), Vec::<String>::new());
        let images = ["a.example/x:1", &other].map(|image| ImageName::parse(image).unwrap());
        let unused = ["a.example/x", &pinned, "docker.io/nginx", "docker.io/library/nginx"];
        assert_eq!(rules.unused(&images), unused);
    }
}
