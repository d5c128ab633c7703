//! `attest expect`: what the record of a contract should say, for somebody who must not see the contract.

use std::io::Write;

use anyhow::Result;
use countersign_contract::envelope::Envelope;
use countersign_contract::refusal::Finding;
use countersign_plan::guest_os::image::Unsigned;
use countersign_plan::record::expectation::{Expectation, Source};
use countersign_plan::record::name::{Name, Own};
use countersign_plan::trust::auditor::Auditor;
use countersign_plan::trust::section;
use countersign_plan::trust::signer::{self, Signer, SignerRefusal};
use countersign_ultravisor::manifest::verify_build;

use super::manifests;
use crate::answer::{Answer, note};
use crate::arguments::AttestExpect;
use crate::manifest::{SignedFile, builder};
use crate::{files, time};

pub(super) fn run(options: &AttestExpect, out: &mut dyn Write) -> Result<Answer> {
    let now = time::at(options.at.as_deref())?;
    let key = options.image_key.as_deref().map(files::image_key).transpose()?;
    let bytes = files::contract(&options.contract)?;
    let envelope = match Envelope::parse(&bytes) {
        Ok(envelope) => envelope,
        Err(refusals) => {
            refusals.iter().for_each(|refusal| say(&Finding::from(refusal)));
            return Ok(Answer::No);
        }
    };
    let mut expectation = Expectation::of_contract(&bytes, &envelope);
    // The strict default: whoever knows that the image accepts more writes it there.
    expectation.accepts = Some(Vec::new());
    let open = |section: &countersign_contract::envelope::Section| match (section.token(), &key) {
        (Some(_), None) => Ok(None),
        (Some(_), Some(key)) => section::open(section, key).map(Some),
        (None, _) => section.tree(None).map(Some).map_err(|refusal| Finding::from(&refusal)),
    };
    let (workload, env) = match (open(envelope.workload()), open(envelope.env())) {
        (Ok(workload), Ok(env)) => (workload, env),
        (Err(finding), _) | (_, Err(finding)) => {
            say(&finding);
            return Ok(Answer::No);
        }
    };
    match env {
        None => {
            note("env is sealed and no --image-key is given: signer, serial and auditor are not expected")
        }
        Some(env) => {
            let signer = match signer::decide(&envelope, &env, now, Unsigned::Accept) {
                Ok(signer) => signer,
                Err(SignerRefusal::Contract(finding) | SignerRefusal::Dates(finding)) => {
                    say(&finding);
                    return Ok(Answer::No);
                }
                Err(SignerRefusal::Library(error)) => return Err(error.into()),
            };
            if let Signer::Key(fingerprint) = &signer {
                let name = Name::Own(Own::SigningKey);
                expectation = expectation.with(&name, vec![fingerprint.clone()], Source::Contract);
            }
            let top = envelope.attestation_public_key();
            let top = top.filter(|named| named.token().is_none() || key.is_some());
            let top = match top.map(|named| Auditor::read(named, key.as_ref())).transpose() {
                Ok(top) => top,
                Err(finding) => {
                    say(&finding);
                    return Ok(Answer::No);
                }
            };
            let contract = workload.map(|workload| section::contract(workload, env)).transpose();
            match contract {
                Err(findings) => {
                    findings.iter().for_each(say);
                    return Ok(Answer::No);
                }
                Ok(None) => {
                    note(
                        "the workload is sealed and no --image-key is given: serial and auditor are not expected",
                    );
                }
                Ok(Some(contract)) => {
                    expectation.serial = contract.serial().number();
                    match Auditor::of(&contract, top, &signer) {
                        Ok(auditor) => {
                            if let Some(auditor) = auditor {
                                let fingerprint = auditor.reader()?.fingerprint;
                                let name = Name::Own(Own::Auditor);
                                expectation = expectation.with(&name, vec![fingerprint], Source::Contract);
                            }
                        }
                        Err(finding) => {
                            say(&finding);
                            return Ok(Answer::No);
                        }
                    }
                }
            }
        }
    }
    if let Some(path) = &options.manifest {
        let manifest = SignedFile::read(path)?;
        if let Some(key) = &options.builder
            && let Err(fault) = verify_build(manifest.signed(), &builder(key)?)
        {
            note(&format!("{}: {fault}", path.display()));
            return Ok(Answer::No);
        }
        let of_build = manifests::expected(&manifest.text, path)?;
        expectation.digests.extend(of_build.digests);
        expectation.version = of_build.version;
    }
    let mut json = serde_json::to_vec_pretty(&expectation)?;
    json.push(b'\n');
    files::write_result(out, options.output.as_deref(), &json)?;
    Ok(Answer::Yes)
}

fn say(finding: &Finding) {
    let hint = finding.hint.as_deref().unwrap_or_default();
    let Finding { code, pointer, message, .. } = finding;
    note(&format!("{code} {pointer}: {message}; {hint}"));
}
