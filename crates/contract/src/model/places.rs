//! Where the fields stand that later stages judge: archives, certificates, volumes.
//!
//! Kept beside the typed contract, because the tree that it was made of is wiped. Names and places only.

use super::read::Reader;
use crate::place::{Place, Pointer, SectionName};

/// Section and path of the fields; `*` is any name or index.
const FIELDS: &[(SectionName, &[&str])] = &[
    (SectionName::Workload, &[]),
    (SectionName::Workload, &["compose"]),
    (SectionName::Workload, &["compose", "archive"]),
    (SectionName::Workload, &["play"]),
    (SectionName::Workload, &["play", "archive"]),
    (SectionName::Workload, &["volumes", "*"]),
    (SectionName::Env, &[]),
    (SectionName::Env, &["logging"]),
    (SectionName::Env, &["logging", "*"]),
    (SectionName::Env, &["logging", "*", "*"]),
    (SectionName::Env, &["countersign", "log-router", "*"]),
    (SectionName::Env, &["cacerts", "*", "*"]),
    (SectionName::Env, &["signingKey"]),
    (SectionName::Env, &["volumes", "*"]),
];

/// Places, longest pointer last.
#[derive(Debug)]
pub(super) struct Places(Vec<Place>);

impl Places {
    pub(super) fn of(workload: &Reader<'_>, env: &Reader<'_>) -> Places {
        let mut places = Vec::new();
        for (section, path) in FIELDS {
            let section = match section {
                SectionName::Workload => workload,
                SectionName::Env => env,
            };
            section.walk(path, &mut |field| places.push(field.place()));
        }
        Places(places)
    }

    /// The place of a field, or of the nearest map above it; the pointer is the one asked for.
    pub(super) fn find(&self, pointer: &Pointer) -> Option<Place> {
        let mut at = pointer.as_str();
        loop {
            if let Some(place) = self.0.iter().find(|place| place.pointer.as_str() == at) {
                return Some(Place { pointer: pointer.clone(), ..place.clone() });
            }
            at = &at[..at.rfind('/')?];
        }
    }
}
