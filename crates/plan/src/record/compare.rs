//! The verdict over each line of a record.
//!
//! A line is **good** where something that was given says the same and somebody vouches for the record, **bad** where it
//! says otherwise, **unchecked** in all other cases: nothing was given, nobody vouches, or the line proves nothing. Each
//! verdict names the trust anchor, which is who has to be believed for the line to be true.

use std::collections::BTreeSet;

use serde::Serialize;

use super::expectation::{Digests, Expectation, Source};
use super::first;
use super::name::{Name, Own, Part};
use super::read::{Fact, Kind, Line, Record, Said};

/// What a line is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Verdict {
    /// It is as expected.
    Good,
    /// It is not.
    Bad,
    /// Nobody can say.
    Unchecked,
}

impl Verdict {
    /// The word in reports.
    pub const fn as_str(self) -> &'static str {
        match self {
            Verdict::Good => "good",
            Verdict::Bad => "bad",
            Verdict::Unchecked => "unchecked",
        }
    }
}

/// Who has to be believed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Anchor {
    /// The image's attestation key: who has it can make any record.
    ImageKey,
    /// The image's builder, who sealed that key in and signed the manifest that the line is held against.
    Builder,
    /// The guest OS: who breaks into it can make it say anything.
    GuestOs,
    /// The host: its operator can make it say anything.
    Host,
    /// The certificates above that of the attestation key.
    Authority,
    /// Nobody: no signature was verified.
    Nobody,
}

impl Anchor {
    /// In sentences.
    pub const fn as_str(self) -> &'static str {
        match self {
            Anchor::ImageKey => "the image's attestation key",
            Anchor::Builder => "the builder's signature over the manifest",
            Anchor::GuestOs => "the guest OS's word",
            Anchor::Host => "the host's word",
            Anchor::Authority => "the authority that was given",
            Anchor::Nobody => "nobody",
        }
    }
}

/// The verdict over one line, or over what is missing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Judged {
    /// Number of the line in its record, from one; none for what is missing, and for what is no line.
    pub line: Option<usize>,
    /// What it is about.
    pub name: String,
    /// What is thought of it.
    pub verdict: Verdict,
    /// What was found; none where it is missing.
    pub found: Option<String>,
    /// What was expected.
    pub expected: Option<String>,
    /// Where that comes from.
    pub against: Option<Source>,
    /// Who has to be believed.
    pub anchor: Anchor,
    /// What else should be known.
    pub note: Option<String>,
}

/// What is known beside the record.
#[derive(Debug, Clone, Copy)]
pub struct Context<'c> {
    /// Who vouches for the record as a whole.
    pub anchor: Anchor,
    /// What it should say, each with all the others.
    pub expectations: &'c [Expectation],
    /// Whether the builder's signature over the manifests among them was verified.
    pub builder: bool,
    /// End of the certificate of the attestation key that was given, seconds since 1970.
    pub certificate_end: Option<i64>,
    /// Whether the key of the final record, which stands in the first, has signed one that was given.
    pub final_signature: Option<bool>,
}

const NOT_VOUCHED: &str = "it is as expected, but no signature was verified: anybody can write that";

/// The verdicts over the lines of a record, and over lines that are missing.
pub fn lines(record: &Record, context: Context<'_>) -> Vec<Judged> {
    let mut judged: Vec<Judged> = record.lines().iter().map(|line| judge(line, context)).collect();
    judged.extend(missing(record, context));
    for one in &mut judged {
        let of_manifest = matches!(one.against, Some(Source::BuildManifest | Source::SealingManifest));
        if context.builder && of_manifest && one.anchor == Anchor::ImageKey {
            one.anchor = Anchor::Builder;
        }
        if one.anchor == Anchor::Nobody && one.verdict == Verdict::Good {
            one.verdict = Verdict::Unchecked;
            one.note = Some(NOT_VOUCHED.to_owned());
        }
    }
    judged
}

fn judge(line: &Line, context: Context<'_>) -> Judged {
    let (name, found) = match &line.said {
        Said::Version(version) => ("version".to_owned(), version.clone()),
        Said::Digest(name, digest) => (name.to_string(), digest.clone()),
        Said::Fact(fact, value) => (title(*fact).to_owned(), value.clone()),
        Said::Unknown(text) => ("line".to_owned(), text.clone()),
    };
    let judged = Judged {
        line: Some(line.number),
        name,
        verdict: Verdict::Unchecked,
        found: Some(found),
        expected: None,
        against: None,
        anchor: context.anchor,
        note: None,
    };
    match &line.said {
        Said::Version(version) => {
            let wanted = |one: &Expectation| Some((one.source, vec![one.version.clone()?]));
            against(judged, version, context.expectations.iter().filter_map(wanted).collect())
        }
        Said::Digest(name, digest) => of_digest(judged, name, digest, context),
        Said::Fact(fact, value) => of_fact(judged, *fact, value, context),
        Said::Unknown(_) => noted(judged, "no version of this program knows such a line"),
    }
}

/// Values that a line may have, and where they come from; none for an auditor's file.
type Wanted = (Option<Source>, Vec<String>);

/// Holds a value against every list of those that it may have.
fn against(mut judged: Judged, found: &str, wanted: Vec<Wanted>) -> Judged {
    let bad = wanted.iter().find(|(_, values)| !values.iter().any(|value| value == found));
    let Some((source, values)) = bad.or(wanted.first()) else { return judged };
    judged.against = Some(source.unwrap_or(Source::Expectation));
    judged.expected = Some(list(values));
    judged.verdict = if bad.is_some() { Verdict::Bad } else { Verdict::Good };
    judged
}

fn list(values: &[String]) -> String {
    if values.is_empty() { "nothing of this name".to_owned() } else { values.join(" or ") }
}

fn noted(mut judged: Judged, note: &str) -> Judged {
    judged.note = Some(note.to_owned());
    judged
}

/// The expectations about a digest; of a part of the contract under either spelling.
fn expected<'e>(name: &'e Name, context: Context<'e>) -> impl Iterator<Item = &'e Digests> {
    context.expectations.iter().flat_map(|one| &one.digests).filter(move |digests| {
        let wanted = Name::parse(&digests.name);
        match (&wanted, name) {
            (Name::Contract { part, bare: false }, Name::Contract { part: found, bare: true }) => {
                part == found && *part != Part::AttestationPublicKey
            }
            _ => wanted == *name,
        }
    })
}

fn of_digest(mut judged: Judged, name: &Name, digest: &str, context: Context<'_>) -> Judged {
    let (mut good, mut bad, mut weak) = (None, None, None);
    for digests in expected(name, context) {
        let found = digests.values.iter().any(|value| value == digest);
        let place = match (found, digests.weak) {
            (true, _) => &mut good,
            (false, false) => &mut bad,
            (false, true) => &mut weak,
        };
        *place = place.or(Some(digests));
    }
    let Some(digests) = bad.or(good).or(weak) else {
        return match unknown_input(name) {
            Some(note) => noted(judged, note),
            None => judged,
        };
    };
    judged.against = Some(digests.source);
    judged.expected = Some(list(&digests.values));
    if bad.is_none() {
        if good.is_some() {
            judged.verdict = Verdict::Good;
            return judged;
        }
        return noted(
            judged,
            "the file may have been delivered in other bytes; the parts of the contract decide",
        );
    }
    if matches!(name, Name::Contract { bare: true, .. }) {
        return noted(judged, "what this generation of HPCR hashes here is not public");
    }
    judged.verdict = Verdict::Bad;
    match name {
        Name::Contract { .. } if digests.values.is_empty() => {
            noted(judged, "the contract that was given has no such part: the guest had another one")
        }
        Name::Contract { .. } => noted(
            judged,
            "give the contract as it was delivered, sealed where it was sealed; else the guest had another one",
        ),
        Name::Own(Own::Record) => noted(judged, "the final record belongs to another first record"),
        _ => judged,
    }
}

/// Why nobody can compute a digest.
fn unknown_input(name: &Name) -> Option<&'static str> {
    match name {
        Name::CertificateDates | Name::ApSecret(_) | Name::FirmwareState => {
            Some("what HPCR hashes here is not public")
        }
        Name::RootArchive | Name::BaseImage => {
            Some("published for each image of HPCR; put the published value into an expectation")
        }
        Name::Own(Own::BuildManifest | Own::Kernel | Own::Initramfs | Own::Countersignd) => {
            Some("what the image's builder sealed in; give --manifest, and --builder that signed it")
        }
        Name::Decrypted => Some("it is the digest of the opened contract; seeds and secrets are in it"),
        Name::Other(_) => Some("no version of this program knows such a digest"),
        _ => None,
    }
}

fn of_fact(mut judged: Judged, fact: Fact, value: &str, context: Context<'_>) -> Judged {
    let all = || context.expectations.iter();
    match fact {
        Fact::Machine => {
            judged.anchor = host(context.anchor);
            against(
                judged,
                value,
                all().filter_map(|one| Some((one.source, one.machines.clone()?))).collect(),
            )
        }
        Fact::ImageAge => {
            judged.anchor = host(context.anchor);
            noted(judged, "reckoned by the guest's clock, which the host sets")
        }
        Fact::AttestationEnd => {
            let end = context.certificate_end.map(first::moment);
            let wanted = end.map(|end| (Some(Source::Certificate), vec![end]));
            against(judged, value, wanted.into_iter().collect())
        }
        Fact::Signed => {
            let word = |signed: bool| if signed { "yes" } else { "no" }.to_owned();
            let wanted = |one: &Expectation| Some((one.source, vec![word(one.signed?)]));
            against(judged, value, all().filter_map(wanted).collect())
        }
        Fact::Serial => {
            let wanted = |one: &Expectation| Some((one.source, vec![one.serial?.to_string()]));
            against(judged, value, all().filter_map(wanted).collect())
        }
        Fact::Accepts => {
            against(judged, value, all().filter_map(|one| Some((one.source, one.accepts.clone()?))).collect())
        }
        Fact::Warning => {
            let code = value.split(':').next().unwrap_or_default();
            let lists: Vec<Wanted> =
                all().filter_map(|one| Some((one.source, one.warnings.clone()?))).collect();
            if lists.is_empty() {
                return noted(judged, "countersign explain says what a code means");
            }
            against(judged, code, lists)
        }
        Fact::Auditor if value == first::COVERED => judged,
        Fact::Auditor => noted(judged, "who reads the record was chosen by whoever delivered the contract"),
        Fact::NotSigned => {
            judged.verdict = Verdict::Bad;
            noted(judged, "the image has no attestation key: nobody vouches for its records")
        }
        Fact::FinalKey => match context.final_signature {
            Some(true) => Judged { verdict: Verdict::Good, ..judged },
            Some(false) => {
                judged.verdict = Verdict::Bad;
                noted(
                    judged,
                    "the final record was not signed by this key: it is of another boot, or was altered",
                )
            }
            None => noted(judged, "no final record was given"),
        },
        Fact::ContainerImage => {
            let reference = value.split(' ').next().unwrap_or_default();
            let wanted = |one: &Expectation| Some((one.source, one.container_images.clone()?));
            against(judged, reference, all().filter_map(wanted).collect())
        }
        Fact::Format | Fact::FinalFormat => Judged {
            // Read, or it would have been refused.
            verdict: Verdict::Good,
            ..judged
        },
        _ => judged,
    }
}

/// What the guest only repeats.
fn host(anchor: Anchor) -> Anchor {
    if anchor == Anchor::Nobody { Anchor::Nobody } else { Anchor::Host }
}

/// What is expected and not there.
fn missing(record: &Record, context: Context<'_>) -> Vec<Judged> {
    let kind = record.kind();
    let said: BTreeSet<&Name> = record
        .lines()
        .iter()
        .filter_map(|line| match &line.said {
            Said::Digest(name, _) => Some(name),
            _ => None,
        })
        .collect();
    let parts = said.iter().any(|name| matches!(name, Name::Contract { .. }));
    let mut judged = Vec::new();
    let mut lacks = |name: String, expected: String, against: Source| {
        judged.push(Judged {
            line: None,
            name,
            verdict: Verdict::Bad,
            found: None,
            expected: Some(expected),
            against: Some(against),
            anchor: context.anchor,
            note: Some("the record has no such line".to_owned()),
        });
    };
    for digests in context.expectations.iter().flat_map(|one| &one.digests) {
        let name = Name::parse(&digests.name);
        let there = match &name {
            Name::Contract { part, bare: false } => {
                [false, true].iter().any(|bare| said.contains(&Name::Contract { part: *part, bare: *bare }))
            }
            other => said.contains(other),
        };
        let wanted = match (kind, &name) {
            (Kind::Final, Name::Own(Own::Record | Own::Transcript)) => true,
            (Kind::Final, _) | (_, Name::Own(Own::Record | Own::Transcript)) => false,
            (_, Name::Contract { bare: true, .. }) => false,
            (Kind::First, _) => true,
            // Only since 24.7.1.
            (Kind::Hpcr, Name::Contract { part: Part::Signature, .. }) => false,
            // Older generations have no digests of the parts.
            (Kind::Hpcr, Name::Contract { .. }) => parts,
            (Kind::Hpcr, Name::Own(_) | Name::BillOfMaterials) => false,
            // HPCR does not record it.
            (Kind::Hpcr, Name::DiskFile(file)) => file != "network-config",
            (Kind::Hpcr, _) => true,
        };
        if wanted && !there && !digests.weak && !digests.values.is_empty() {
            lacks(digests.name.clone(), list(&digests.values), digests.source);
        }
    }
    if kind == Kind::First {
        for one in context.expectations {
            if let (Some(serial), None) = (one.serial, record.fact(Fact::Serial)) {
                lacks(title(Fact::Serial).to_owned(), serial.to_string(), Source::Expectation);
            }
        }
    }
    judged
}

/// What a fact is called in reports.
fn title(fact: Fact) -> &'static str {
    match fact {
        Fact::Machine => "machine",
        Fact::ImageAge => "image age",
        Fact::EncryptionEnd => "encryption certificate ends",
        Fact::AttestationEnd => "attestation certificate ends",
        Fact::Configuration => "Ultravisor configuration",
        Fact::HostKey => "host key document",
        Fact::HostKeyEnd => "host key document ends",
        Fact::ApPresent => "crypto device",
        Fact::ApCount => "crypto devices",
        Fact::Format => "form of the record",
        Fact::FinalFormat => "form of the final record",
        Fact::Signed => "contract is signed",
        Fact::Serial => "contract serial",
        Fact::Auditor => "auditor's key",
        Fact::Accepts => "image accepts",
        Fact::NotSigned => "record is not signed",
        Fact::FinalKey => "key of the final record",
        Fact::Warning => "warning",
        Fact::Volume => "volume",
        Fact::ContainerImage => "container image",
    }
}
