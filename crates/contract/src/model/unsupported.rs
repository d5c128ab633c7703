//! Fields that are understood and not acted on yet.
//!
//! A field that asks for something the guest does not do is refused, never ignored: the contract's author
//! believes that it holds. The table shrinks as stages learn to act on them.

use super::logging;
use super::read::Reader;
use crate::place::SectionName::{self, Env, Workload};
use crate::refusal::{Finding, Refusal};

/// When a field of the table counts.
#[derive(Clone, Copy, PartialEq, Eq)]
enum When {
    /// Whenever it is there.
    Present,
    /// Only when it is `true`.
    True,
}
use When::{Present, True};

/// The way out for a volume that HPCR made with a third key, while there is one. The days are those of IBM's pages about
/// HPVS for VPC and about Hyper Protect Crypto Services, where the third keys are.
const THIRD_KEY: &str = "remove the field for a new volume; one that HPCR made with a third key does not open here: copy \
     its data, inside HPCR, to a volume without one, while both services are there (HPVS for VPC until 20 February 2027, \
     Hyper Protect Crypto Services until 28 March 2027)";

/// Section, path (`*` is any name), when it counts, hint.
const TABLE: &[(SectionName, &[&str], When, &str)] = &[
    (Workload, &["confidential-containers"], Present, "describe the workload with compose or play"),
    (
        Workload,
        &["images", "dct"],
        Present,
        "Docker has retired content trust: name the image by digest and remove the entry, or sign it with cosign \
         (countersign.images) or with simple signing (images.rhs)",
    ),
    (Workload, &["auths", "*", "insecure"], True, "registries are reached over TLS only"),
    (Env, &["auths", "*", "insecure"], True, "registries are reached over TLS only"),
    (Env, &["volumes", "*", "uv-secret-id"], Present, "remove it and give seed"),
    (
        Env,
        &["volumes", "*", "uv-previous-secret-id"],
        Present,
        "remove it; a seed until now is given as previousSeed",
    ),
    (Env, &["volumes", "*", "kms"], Present, THIRD_KEY),
    (Env, &["volumes", "*", "kmsTimeout"], Present, "remove the field, nothing is waited for"),
    (Env, &["volumes", "*", "grep11"], Present, THIRD_KEY),
    (
        Env,
        &["volumes", "*", "apiKey"],
        Present,
        "name the disk by volumeID, nothing is looked up in the cloud",
    ),
    (
        Env,
        &["logging", "logDNA"],
        Present,
        "send the log to a syslog server, or to IBM Cloud Logs by logRouter; IBM Log Analysis was switched off",
    ),
    (
        Env,
        &["confidential-containers"],
        Present,
        "describe the workload with compose or play, and remove the field",
    ),
    (Env, &["host-attestation"], Present, "remove the field"),
    (Env, &["crypto-pt"], Present, "remove the field"),
];

pub(super) fn find(workload: &Reader<'_>, env: &Reader<'_>) -> Vec<Finding> {
    let mut found = Vec::new();
    for (section, path, when, hint) in TABLE {
        let section = match section {
            Workload => workload,
            Env => env,
        };
        section.walk(path, &mut |field| {
            let counts = match when {
                Present => true,
                True => field.value().as_bool() == Some(true),
            };
            if counts {
                found.push(Finding::from(&Refusal::Unsupported { place: field.place(), hint }));
            }
        });
    }
    // How a service is reached says nothing where the log does not go there.
    let elsewhere = env.child("logging").is_none_or(|logging| logging.child("logRouter").is_none());
    if let Some(own) = logging::own(env).filter(|_| elsewhere) {
        let hint = "remove log-router, or give logging.logRouter in place of the other log server";
        found.push(Finding::from(&Refusal::Unsupported { place: own.place(), hint }));
    }
    found.sort_by_key(|finding| (finding.section, finding.line, finding.column));
    found
}
