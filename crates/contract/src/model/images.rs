//! Rules for images that are named by tag: who must have signed them.
//!
//! The keys are kept as text; reading and applying them is the business of whoever pulls images.

use std::collections::BTreeMap;

use super::read::Reader;

/// The rules of `images`.
#[derive(Debug, Default)]
pub struct ImageRules {
    notaries: BTreeMap<String, Notary>,
    signers: BTreeMap<String, String>,
}

/// Where the trust data of an image is kept (Docker content trust).
#[derive(Debug)]
pub struct Notary {
    address: String,
    root_key: String,
}

impl ImageRules {
    /// `dct`: by image, `host/namespace/name`.
    pub fn notaries(&self) -> &BTreeMap<String, Notary> {
        &self.notaries
    }

    /// `rhs` (simple signing): by image reference, the public key, armoured or base64 of that.
    pub fn signers(&self) -> &BTreeMap<String, String> {
        &self.signers
    }
}

impl Notary {
    /// URI of the server.
    pub fn address(&self) -> &str {
        &self.address
    }

    /// The root key or its certificate, PEM or base64 of that.
    pub fn root_key(&self) -> &str {
        &self.root_key
    }
}

pub(super) fn read(workload: &Reader<'_>) -> ImageRules {
    let Some(images) = workload.child("images") else { return ImageRules::default() };
    ImageRules {
        notaries: images
            .children("dct")
            .filter_map(|(image, entry)| {
                let address = entry.text("notary")?.to_owned();
                let root_key = entry.text("publicKey")?.to_owned();
                Some((image.to_owned(), Notary { address, root_key }))
            })
            .collect(),
        signers: images
            .children("rhs")
            .filter_map(|(image, entry)| Some((image.to_owned(), entry.text("publicKey")?.to_owned())))
            .collect(),
    }
}
