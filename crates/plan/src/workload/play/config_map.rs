//! Config maps: texts and bytes by name.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::fault::PlayFault;
use super::model::{Text, Texts};
use super::names;
use super::read::{Keys, Look};
use crate::workload::document::Node;

/// What is read of an object's metadata, and what is not.
pub(super) const METADATA: Keys = Keys {
    read: &["name", "labels", "annotations"],
    left_out: &["namespace", "generateName", "ownerReferences", "finalizers"],
    unneeded: &[
        "creationTimestamp",
        "uid",
        "resourceVersion",
        "generation",
        "selfLink",
        "managedFields",
        "deletionTimestamp",
        "deletionGracePeriodSeconds",
        "clusterName",
    ],
    refused: &[],
};

const KEYS: Keys = Keys {
    read: &["metadata", "data", "binaryData"],
    left_out: &[],
    unneeded: &["apiVersion", "kind", "immutable"],
    refused: &[],
};

/// A config map.
pub(super) struct Map {
    pub(super) data: Texts,
    pub(super) binary_data: Texts,
}

impl Map {
    pub(super) fn has(&self, key: &str) -> bool {
        self.data.contains_key(key) || self.binary_data.contains_key(key)
    }
}

/// Reads one; its name and what is in it.
pub(super) fn read(look: &mut Look, root: &Node, taken: &dyn Fn(&str) -> bool) -> Option<(String, Map)> {
    let fields = look.fields(root, &KEYS)?;
    let name = look.at(&fields, "metadata", |look, node| {
        let metadata = look.fields(node, &METADATA)?;
        let name = look.needed(&metadata, "name")?;
        look.at(&metadata, "name", |look, _| {
            if !names::is_name(name.as_str()) {
                look.refuse(PlayFault::Form(names::EXPECTED));
            } else if names::is_own(name.as_str()) {
                look.refuse(PlayFault::Taken(
                    "another name: contract.config.map is made of the contract's env; one",
                ));
            } else if taken(name.as_str()) {
                look.refuse(PlayFault::Taken("a name of a config map"));
            }
        });
        Some(name)
    });
    if name.is_none() {
        look.missing(&fields, "metadata");
    }
    let mut texts = |key: &'static str| -> Texts {
        let entries = look.named(&fields, key, |look, name, node| {
            if !is_key(name) {
                look.refuse(PlayFault::Form("a name of letters, digits, dots, - and _"));
            }
            let text = look.as_text(node)?;
            if key == "binaryData" && !is_base64(&text) {
                look.refuse(PlayFault::Form("a text in base64"));
            }
            Some(text)
        });
        entries.into_iter().collect()
    };
    let (data, binary_data) = (texts("data"), texts("binaryData"));
    if data.keys().any(|key| binary_data.contains_key(key)) {
        look.refuse(PlayFault::Taken("keys of data"));
    }
    Some((name.flatten()?.value.to_string(), Map { data, binary_data }))
}

/// A key is the name of a file where the map is mounted.
pub(super) fn is_key(key: &str) -> bool {
    !matches!(key, "" | "." | "..")
        && key.len() <= 253
        && key.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"._-".contains(&byte))
}

/// As Go's encoding/json reads it: line breaks are passed over.
fn is_base64(text: &Text) -> bool {
    let packed = zeroize::Zeroizing::new(text.value.replace(['\r', '\n'], ""));
    STANDARD.decode(packed.as_bytes()).map(zeroize::Zeroizing::new).is_ok()
}
