//! `attest verify`: signature, certificates and lines of a record.

use std::io::Write;
use std::path::Path;

use anyhow::{Context, Result, bail};
use countersign_contract::cidata;
use countersign_contract::envelope::Envelope;
use countersign_contract::refusal::Finding;
use countersign_crypto::attestation::RecordKey;
use countersign_crypto::certificate::Certificate;
use countersign_crypto::digest::sha256_hex;
use countersign_crypto::issuance::{self, IssuanceFault, RevocationList};
use countersign_plan::dates::timestamp;
use countersign_plan::record::compare::{self, Anchor, Context as Known, Judged, Verdict};
use countersign_plan::record::expectation::{Expectation, Source};
use countersign_plan::record::first;
use countersign_plan::record::name::{Name, Own};
use countersign_plan::record::read::{Fact, Kind, Record};

use super::given::{self, Given};
use super::manifests::Manifests;
use super::report::{self, Counts, Report, SIGNATURE};
use crate::answer::Answer;
use crate::arguments::{AttestVerify, Format};
use crate::{files, time};

/// What a failed signature usually means.
const USUAL: &str = "usual cause: the certificate is that of another version of the image; else the record was altered, \
    or the signature is of another boot";

pub(super) fn run(options: &AttestVerify, out: &mut dyn Write) -> Result<Answer> {
    let now = time::at(options.at.as_deref())?;
    let key = options.key.as_deref().map(files::image_key).transpose()?;
    let mut given = given::read(&options.record, key.as_ref())?;
    if let Some(path) = &options.signature {
        given.signature = Some(files::small(path)?.to_vec());
    }
    if let Some(path) = &options.final_record {
        let last = given::opened(files::small(path)?.to_vec(), key.as_ref())?;
        let signature = options.final_signature.as_deref().map(files::small).transpose()?;
        given.last = Some((last, signature.map(|bytes| bytes.to_vec()).unwrap_or_default()));
    }
    let record = Record::parse(&given.record)?;
    if record.kind() == Kind::Final {
        bail!("expected the first record; give the final one with --final-record");
    }
    let [build, sealing, builder] =
        [&options.manifest, &options.sealing_manifest, &options.builder].map(Option::as_deref);
    let mut manifests = Manifests::read(build, sealing, builder)?;
    let mut expectations = expectations(options)?;
    expectations.append(&mut manifests.expectations);
    if let Some(key) = &key {
        let fingerprint = key.sha256_fingerprint()?;
        let own = Expectation::new().with(&Name::Own(Own::Auditor), vec![fingerprint], Source::AuditorKey);
        expectations.push(own);
    }
    let (certificate, mut checks) = certificate(options, &given, now)?;
    let vouched = signature(&given, &record, certificate.as_ref(), &mut checks)?;
    checks.append(&mut manifests.checks);
    checks.extend(manifests.accepted(&record, vouched));
    let digest = first::digest(&String::from_utf8_lossy(&given.record));
    let last = last(&given, &record, vouched, &digest, options, &expectations, &mut checks)?;
    let known = Known {
        anchor: if vouched { Anchor::ImageKey } else { Anchor::Nobody },
        expectations: &expectations,
        builder: manifests.builder,
        certificate_end: certificate.as_ref().map(|one| one.certificate.facts().not_after),
        final_signature: last.as_ref().map(|(holds, _)| *holds),
    };
    let report = Report {
        format: 1,
        kind: record.kind().as_str(),
        version: record.version().to_owned(),
        record: digest,
        at: timestamp(now),
        verdict: Verdict::Unchecked,
        counts: Counts::default(),
        checks,
        lines: compare::lines(&record, known),
        final_lines: last.map(|(_, lines)| lines).unwrap_or_default(),
    }
    .decide();
    match options.format {
        Format::Text => report::print(&report, out)?,
        Format::Json => writeln!(out, "{}", serde_json::to_string_pretty(&report)?)?,
    }
    Ok(if report.verdict == Verdict::Good { Answer::Yes } else { Answer::No })
}

/// What the record is held against, from everything that was given.
fn expectations(options: &AttestVerify) -> Result<Vec<Expectation>> {
    let named = |path: &Path| path.display().to_string();
    let mut all = Vec::new();
    if let Some(path) = &options.contract {
        let bytes = files::contract(path)?;
        let envelope = Envelope::parse(&bytes).map_err(|refusals| {
            let first = refusals.first().map(|refusal| Finding::from(refusal).message).unwrap_or_default();
            anyhow::anyhow!("{}: expected a contract: {first}", named(path))
        })?;
        all.push(Expectation::of_contract(&bytes, &envelope));
    }
    if let Some(path) = &options.disk {
        let image = files::log(path)?;
        let disk = cidata::read(&image).with_context(|| named(path))?;
        all.push(Expectation::of_disk(&image, &disk));
    }
    if let Some(path) = &options.expect {
        all.push(Expectation::parse(&files::small(path)?).with_context(|| named(path))?);
    }
    Ok(all)
}

/// The certificate whose key has to have signed.
struct Trusted {
    certificate: Certificate,
    /// Whether somebody but the record says that it is the image's.
    given: bool,
}

fn certificate(options: &AttestVerify, given: &Given, now: i64) -> Result<(Option<Trusted>, Vec<Judged>)> {
    let mut chain = Vec::new();
    for path in &options.chain {
        let text = files::small_text(path)?;
        chain.extend(Certificate::parse_all(&text).with_context(|| path.display().to_string())?);
    }
    let mut lists = Vec::new();
    for path in &options.crl {
        lists.push(RevocationList::parse(&files::small(path)?).with_context(|| path.display().to_string())?);
    }
    let (pem, source) = match (&options.certificate, &given.certificate) {
        (Some(path), _) => (files::small_text(path)?.to_string(), path.display().to_string()),
        (None, Some(pem)) => (pem.clone(), "the certificate that came with the record".to_owned()),
        (None, None) => return Ok((None, Vec::new())),
    };
    let certificate = Certificate::parse_all(&pem).with_context(|| source.clone())?.swap_remove(0);
    let found = Some(certificate.facts().subject.clone());
    let mut check = judged("certificate", found, Anchor::Authority);
    match issuance::check(&certificate, &chain, &lists, now) {
        Err(fault) => {
            check.verdict = Verdict::Bad;
            check.note = Some(sentence(fault).to_owned());
        }
        Ok(()) if !chain.is_empty() => {
            check.verdict = Verdict::Good;
            if lists.is_empty() {
                check.note = Some("no revocation list was given: it may have been revoked".to_owned());
            }
        }
        Ok(()) if options.certificate.is_some() => {
            check.anchor = Anchor::ImageKey;
            check.note =
                Some("you gave it, so you trust it; --chain holds it against its issuers".to_owned());
        }
        Ok(()) => {
            check.anchor = Anchor::Nobody;
            check.note = Some(
                "it came with the record, and anybody can make one; give --certificate or --chain".to_owned(),
            );
        }
    }
    let given = options.certificate.is_some() || check.verdict == Verdict::Good;
    Ok((Some(Trusted { certificate, given }), vec![check]))
}

fn sentence(fault: IssuanceFault) -> &'static str {
    match fault {
        IssuanceFault::Over => "it has expired; give --at with the day on which the record was made",
        IssuanceFault::NotBegun => {
            "it is not yet valid at this time; give --at with the day on which the record was made"
        }
        IssuanceFault::Issuer => "it was not issued by any certificate of the chain that was given",
        IssuanceFault::Chain => "the chain above it is broken or has expired",
        IssuanceFault::ForeignList => "a revocation list is not from an issuer in the chain that was given",
        IssuanceFault::StaleList => "a revocation list has expired or is not yet valid",
        IssuanceFault::Revoked => "it, or one above it, was revoked",
        _ => "it cannot be relied on",
    }
}

/// A check of which nothing is known yet.
pub(super) fn judged(name: &str, found: Option<String>, anchor: Anchor) -> Judged {
    Judged {
        line: None,
        name: name.to_owned(),
        verdict: Verdict::Unchecked,
        found,
        expected: None,
        against: None,
        anchor,
        note: None,
    }
}

/// Checks the first record's signature; whether somebody vouches for the record.
fn signature(
    given: &Given,
    record: &Record,
    trusted: Option<&Trusted>,
    checks: &mut Vec<Judged>,
) -> Result<bool> {
    let mut check = judged(SIGNATURE, None, Anchor::ImageKey);
    let vouched = match (&given.signature, trusted) {
        (None, _) => {
            check.found = None;
            check.anchor = Anchor::Nobody;
            check.note = Some("no signature was given; --signature se-signature.bin".to_owned());
            false
        }
        (Some(signature), None) => {
            check.found = Some(format!("{} bytes", signature.len()));
            check.anchor = Anchor::Nobody;
            check.note = Some(
                "no certificate was given; --certificate, the image's attestation certificate".to_owned(),
            );
            false
        }
        (Some(signature), Some(trusted)) => {
            check.found = Some(format!("{} bytes", signature.len()));
            let key = RecordKey::of_image(&trusted.certificate)?;
            let holds = key.signed(&given.record, signature);
            check.verdict = match (holds, trusted.given) {
                (true, true) => Verdict::Good,
                (true, false) => Verdict::Unchecked,
                (false, _) => Verdict::Bad,
            };
            if !holds {
                check.note = Some(hint(given, record, signature, trusted));
            } else if !trusted.given {
                check.anchor = Anchor::Nobody;
                check.note = Some("it holds under a certificate that nobody vouches for".to_owned());
            }
            holds && trusted.given
        }
    };
    checks.insert(0, check);
    Ok(vouched)
}

/// Why a signature may not hold.
fn hint(given: &Given, record: &Record, signature: &[u8], trusted: &Trusted) -> String {
    let end = first::moment(trusted.certificate.facts().not_after);
    if let Some(recorded) = record.fact(Fact::AttestationEnd).filter(|recorded| *recorded != end) {
        return format!(
            "the record is of an image whose certificate ends {recorded}, the one that was given ends {end}: it is that \
             of another version of the image"
        );
    }
    let own = given.certificate.as_ref().and_then(|pem| Certificate::parse_all(pem).ok()?.into_iter().next());
    let holds = own
        .and_then(|own| RecordKey::of_image(&own).ok())
        .is_some_and(|key| key.signed(&given.record, signature));
    if holds {
        return "it holds under the certificate that came with the record, which is another one: the image is of another \
            version, or not the one you expect"
            .to_owned();
    }
    USUAL.to_owned()
}

/// Whether the final record's signature holds, and its lines.
fn last(
    given: &Given,
    record: &Record,
    vouched: bool,
    digest: &str,
    options: &AttestVerify,
    expectations: &[Expectation],
    checks: &mut Vec<Judged>,
) -> Result<Option<(bool, Vec<Judged>)>> {
    let Some((bytes, signature)) = &given.last else { return Ok(None) };
    let last = Record::parse(bytes).context("the final record")?;
    if last.kind() != Kind::Final {
        bail!("expected a final record beside the first, found another first record");
    }
    let key = record.fact(Fact::FinalKey).and_then(|key| RecordKey::of_boot(key).ok());
    let holds = key.is_some_and(|key| key.signed(bytes, signature));
    let mut check =
        judged("signature of the final record", Some(format!("{} bytes", signature.len())), Anchor::GuestOs);
    check.verdict = match (holds, vouched) {
        (true, true) => Verdict::Good,
        (true, false) => Verdict::Unchecked,
        (false, _) => Verdict::Bad,
    };
    if !holds {
        check.note =
            Some("it is of another boot than the first record, or the final record was altered".to_owned());
    } else if !vouched {
        check.anchor = Anchor::Nobody;
    }
    checks.push(check);
    let mut all =
        vec![Expectation::new().with(&Name::Own(Own::Record), vec![digest.to_owned()], Source::Record)];
    if let Some(path) = &options.transcript {
        let transcript = sha256_hex(&files::log(path)?);
        all.push(Expectation::new().with(&Name::Own(Own::Transcript), vec![transcript], Source::Transcript));
    }
    (all[0].version, all[0].source) = (Some(record.version().to_owned()), Some(Source::Record));
    let of_containers = |one: &Expectation| Expectation {
        warnings: one.warnings.clone(),
        container_images: one.container_images.clone(),
        ..Expectation::new()
    };
    all.extend(expectations.iter().map(of_containers));
    let known = Known {
        anchor: if holds && vouched { Anchor::GuestOs } else { Anchor::Nobody },
        expectations: &all,
        builder: false,
        certificate_end: None,
        final_signature: None,
    };
    Ok(Some((holds, compare::lines(&last, known))))
}
