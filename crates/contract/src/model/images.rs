//! Rules for signed images: who must have signed what.
//!
//! `images.rhs` is HPCR's: an image by name and the OpenPGP key of its signer (simple signing). `countersign.images` says
//! under the same names what HPCR has no words for: cosign's key, where signatures lie, under which name an image was
//! signed. Both together make the rules of a name.

use std::collections::BTreeMap;

use countersign_crypto::image_signer::{CosignKey, ImageKeyError, OpenPgpKeys};

use super::read::Reader;
use crate::place::Place;
use crate::refusal::Refusal;

/// Who must have signed the images of one name.
#[derive(Debug, Clone)]
pub struct ImageRule {
    place: Place,
    extension: bool,
    simple_signing: Option<OpenPgpKeys>,
    cosign: Option<CosignKey>,
    lookaside: Option<String>,
    signed_as: Option<String>,
}

impl ImageRule {
    /// Where it stands.
    pub fn place(&self) -> &Place {
        &self.place
    }

    /// Whether `countersign.images` has the name: then images named by digest need the signature, too.
    pub fn covers_digests(&self) -> bool {
        self.extension
    }

    /// Keys of which one must have made a simple signature.
    pub fn simple_signing(&self) -> Option<&OpenPgpKeys> {
        self.simple_signing.as_ref()
    }

    /// The key that must have made a signature of cosign's.
    pub fn cosign(&self) -> Option<&CosignKey> {
        self.cosign.as_ref()
    }

    /// Address of the folder with the simple signatures, if the registry does not serve them itself.
    pub fn lookaside(&self) -> Option<&str> {
        self.lookaside.as_deref()
    }

    /// Repository that the signature names in place of the image's own.
    pub fn signed_as(&self) -> Option<&str> {
        self.signed_as.as_deref()
    }
}

/// What is wrong with the rule of a name, its keys aside.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ImageRuleFault {
    /// No key in either place.
    NoKey,
    /// A key for simple signing in both places.
    TwoKeys,
    /// An address of simple signatures, and no key for them.
    Lookaside,
}

/// The rules by the name that they stand under.
pub(super) fn read(workload: &Reader<'_>, refusals: &mut Vec<Refusal>) -> BTreeMap<String, ImageRule> {
    let mut rules = BTreeMap::new();
    for (name, entry) in entries(workload.child("images"), "rhs") {
        let simple_signing = key(&entry, "publicKey", OpenPgpKeys::parse, refusals);
        let rule = ImageRule {
            place: entry.place(),
            extension: false,
            simple_signing,
            cosign: None,
            lookaside: None,
            signed_as: None,
        };
        rules.insert(name.to_owned(), rule);
    }
    for (name, entry) in entries(workload.child("countersign"), "images") {
        let mut refuse = |fault| refusals.push(Refusal::ImageRule(entry.place(), fault));
        let before: Option<ImageRule> = rules.remove(name);
        let has = |field: &str| entry.child(field).is_some();
        let simple_signing = before.is_some() || has("simple-signing-key");
        if before.is_some() && has("simple-signing-key") {
            refuse(ImageRuleFault::TwoKeys);
        } else if has("lookaside") && !simple_signing {
            refuse(ImageRuleFault::Lookaside);
        } else if !simple_signing && !has("cosign-key") {
            refuse(ImageRuleFault::NoKey);
        }
        let rule = ImageRule {
            place: entry.place(),
            extension: true,
            simple_signing: before
                .and_then(|rule| rule.simple_signing)
                .or_else(|| key(&entry, "simple-signing-key", OpenPgpKeys::parse, refusals)),
            cosign: key(&entry, "cosign-key", CosignKey::parse, refusals),
            lookaside: entry.text("lookaside").map(str::to_owned),
            signed_as: entry.text("signed-as").map(str::to_owned),
        };
        rules.insert(name.to_owned(), rule);
    }
    rules
}

fn entries<'t>(section: Option<Reader<'t>>, key: &str) -> Vec<(&'t str, Reader<'t>)> {
    section.map(|section| section.children(key).collect()).unwrap_or_default()
}

fn key<K>(
    entry: &Reader<'_>,
    field: &str,
    parse: fn(&str) -> Result<K, ImageKeyError>,
    refusals: &mut Vec<Refusal>,
) -> Option<K> {
    let field = entry.child(field)?;
    match parse(field.as_text()?) {
        Ok(key) => Some(key),
        Err(error) => {
            refusals.push(Refusal::ImageKey(field.place(), error));
            None
        }
    }
}
