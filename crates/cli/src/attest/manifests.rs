//! The manifests of the image: what the record should say of it, once the builder's signature over both holds.
//!
//! A manifest that is altered, swapped, unsigned or signed by another key is a bad check, and nothing is expected of what
//! it says. The lines of a record that are held against a manifest rest on the builder. Without the builder's key the build
//! manifest is believed because whoever verifies gave it; a sealing manifest is not taken then.

use std::path::Path;

use anyhow::Result;
use countersign_crypto::digest::sha256_hex;
use countersign_plan::record::build::BuildManifest;
use countersign_plan::record::compare::{Anchor, Judged, Verdict};
use countersign_plan::record::expectation::{Expectation, Source};
use countersign_plan::record::read::{Fact, Kind, Record};
use countersign_ultravisor::manifest::{self, ManifestFault, Sealing, Which};

use super::verify::judged;
use crate::manifest::{SignedFile, builder};

/// What the manifests say, and what is thought of them.
#[derive(Debug, Default)]
pub(super) struct Manifests {
    /// What follows from them; nothing of one that is refused.
    pub(super) expectations: Vec<Expectation>,
    /// Whether the builder's signature holds.
    pub(super) builder: bool,
    pub(super) checks: Vec<Judged>,
    sealing: Option<Sealing>,
}

impl Manifests {
    /// Reads the manifests that were given.
    pub(super) fn read(
        build: Option<&Path>,
        sealing: Option<&Path>,
        key: Option<&Path>,
    ) -> Result<Manifests> {
        let Some(path) = build else { return Ok(Manifests::default()) };
        let build = SignedFile::read(path)?;
        let mut check = of_manifest(Which::Build, &build.text);
        let Some(key) = key else {
            check.anchor = Anchor::Nobody;
            check.note = Some(
                "you gave it, so you trust it; --builder holds it against its builder's signature".to_owned(),
            );
            let expectations = vec![expected(&build.text, path)?];
            return Ok(Manifests { expectations, checks: vec![check], ..Manifests::default() });
        };
        let key = builder(key)?;
        let sealing = sealing.map(SignedFile::read).transpose()?;
        let mut checks = vec![check];
        checks.extend(sealing.as_ref().map(|sealing| of_manifest(Which::Sealing, &sealing.text)));
        let believed = match &sealing {
            None => manifest::verify_build(build.signed(), &key).map(|_| None),
            Some(sealing) => manifest::verify(build.signed(), sealing.signed(), &key)
                .map(|manifests| Some(manifests.sealing().clone())),
        };
        let sealing = match believed {
            Ok(sealing) => sealing,
            Err(fault) => {
                refuse(&mut checks, &fault);
                return Ok(Manifests { checks, ..Manifests::default() });
            }
        };
        for check in &mut checks {
            check.verdict = Verdict::Good;
        }
        if let (Some(sealing), Some(check)) = (&sealing, checks.last_mut()) {
            check.note = allowed(sealing);
        }
        let expectations = vec![expected(&build.text, path)?];
        Ok(Manifests { expectations, builder: true, checks, sealing })
    }

    /// What the sealed `image.json` accepts, beside what the record says that it does; `vouched` says whether the record's
    /// signature holds. The sealing manifest speaks of two things; of others, such as plain scratch space, it says nothing.
    /// None without a sealing manifest, and for a record of HPCR.
    pub(super) fn accepted(&self, record: &Record, vouched: bool) -> Option<Judged> {
        let sealing = self.sealing.as_ref().filter(|_| record.kind() == Kind::First)?;
        let named = [
            (sealing.accepts.unsigned == "accept", "unsigned: accept"),
            (sealing.accepts.secure_execution == "test", "secure-execution: test"),
        ];
        let said = |words: &str| record.facts(Fact::Accepts).any(|said| said == words);
        let list = |words: Vec<&str>| if words.is_empty() { "nothing".to_owned() } else { words.join(", ") };
        let expected =
            list(named.iter().filter(|(accepted, _)| *accepted).map(|(_, words)| *words).collect());
        let found = list(named.iter().map(|(_, words)| *words).filter(|words| said(words)).collect());
        let anchor = if vouched { Anchor::Builder } else { Anchor::Nobody };
        let verdict = match (found == expected, vouched) {
            (true, true) => Verdict::Good,
            (true, false) => Verdict::Unchecked,
            (false, _) => Verdict::Bad,
        };
        let (expected, against) = (Some(expected), Some(Source::SealingManifest));
        Some(Judged { verdict, expected, against, ..judged("image accepts, as sealed", Some(found), anchor) })
    }
}

fn of_manifest(which: Which, text: &[u8]) -> Judged {
    judged(&which.to_string(), Some(sha256_hex(text)), Anchor::Builder)
}

/// What follows from a build manifest that is believed.
pub(super) fn expected(text: &[u8], path: &Path) -> Result<Expectation> {
    let build = BuildManifest::parse(text)
        .map_err(|error| anyhow::anyhow!("{}: expected a build manifest: {error}", path.display()))?;
    Ok(Expectation::of_build(&build))
}

/// The manifest at fault is bad; of the other nothing is said, since one is not believed without the other.
fn refuse(checks: &mut [Judged], fault: &ManifestFault) {
    let which = match fault {
        ManifestFault::Unsigned(which)
        | ManifestFault::Signature(which)
        | ManifestFault::Form { which, .. } => *which,
        _ => Which::Sealing,
    };
    for check in checks {
        if check.name == which.to_string() {
            check.verdict = Verdict::Bad;
            check.note = Some(fault.to_string());
        } else {
            check.note = Some("the other manifest is refused, and neither is believed alone".to_owned());
        }
    }
}

/// What this sealing allows beyond the production flags.
fn allowed(sealing: &Sealing) -> Option<String> {
    let all = [
        (sealing.flags.dumping, "the host may dump the guest's memory, encrypted to the builder's key"),
        (sealing.flags.backup_host_keys, "a machine may use its backup host key as well"),
    ];
    let words: Vec<&str> = all.iter().filter(|(allowed, _)| *allowed).map(|(_, words)| *words).collect();
    (!words.is_empty()).then(|| words.join("; "))
}
