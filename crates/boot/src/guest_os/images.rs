//! Stage `images`: the compose file becomes its canonical model, which is judged and kept; pods were made and judged in the
//! initramfs. Every image is pulled by its digest, or by its tag where a rule of the contract says who must have signed it.
//!
//! The engine asks its policy file what it may copy: these images by their names. It compares a digest with what it
//! receives, and looks for the signatures that the rules demand. Afterwards it may copy nothing any more, and nothing that
//! starts containers has permission to pull: an image that is not here does not run. What is started names each image by
//! the digest that the engine has. So nothing needs the credentials any more, and whether the images came or not, their
//! file is erased.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use countersign_contract::code::Code;
use countersign_crypto::secret::SecretBytes;
use countersign_plan::guest_os::handover::{COMPOSE_MODEL, GuestPlan, PODS, Registries, Workload};
use countersign_plan::images::name::ImageName;
use countersign_plan::images::signatures::SignatureRules;
use countersign_plan::images::{authorities, policy};
use countersign_plan::report::transcript::ImageRecord;
use countersign_plan::workload::canonical::{self, CanonicalRefusal, canonical};
use countersign_plan::workload::pinned;
use countersign_ports::error::SystemError;
use countersign_ports::guest_os::{ComposeProject, GuestOs};

mod pull;

use crate::failure::Failure;
use crate::line::Line;
use crate::log::{Log, Summary};
use crate::stage::Stage;

/// The compose program reads a few files; it takes half a second.
const MODEL_DEADLINE: Duration = Duration::from_secs(60);

/// All images together: large ones over a slow line.
const DEADLINE: Duration = Duration::from_secs(1800);

/// Both. The unit ends the stage later, or the cause would be lost.
pub(super) const PATIENCE: Duration = MODEL_DEADLINE.saturating_add(DEADLINE);

pub(super) fn run<S: GuestOs>(system: &S, log: &mut Log<'_, S>, plan: &GuestPlan) -> Result<(), Failure> {
    log.stage(Stage::Images, |log| {
        let registries = plan.registries.as_ref().ok_or_else(|| {
            let message = "expected registries in the plan; this guest only reports a failed boot";
            Failure::machine(Stage::Images, Code::HandoverFailed, message)
        })?;
        let images = match &plan.workload {
            Workload::Play { .. } => Ok(plan.images.clone()),
            workload => model(system, log, workload, &plan.signed),
        };
        let pulled = images.and_then(|images| {
            let named = names(&images)?;
            allow(system, registries, &named, &plan.signed)?;
            let credentials = Path::new(&registries.credentials);
            let records = pull::all(system, log, credentials, &named, &plan.signed)?;
            pin(system, &plan.workload, &digests(&images, &records))?;
            Ok(records)
        });
        let closed = system.replace_file(Path::new(policy::FILE), policy::nothing().as_bytes());
        let erased = system.erase_file(Path::new(&registries.credentials));
        // The first cause is kept.
        let images = pulled?;
        closed.and(erased).map_err(handover_failed)?;
        let summary = Summary::new().with("images", images.len());
        log.images(images);
        Ok(((), summary))
    })
}

fn handover_failed(error: SystemError) -> Failure {
    Failure::machine(Stage::Images, Code::HandoverFailed, error)
}

/// Makes the canonical model, keeps it for the stage `start`, and returns its images.
fn model<S: GuestOs>(
    system: &S,
    log: &mut Log<'_, S>,
    workload: &Workload,
    signed: &SignatureRules,
) -> Result<Vec<String>, Failure> {
    let Workload::Compose { project, folder, file, environment, reach, other_files } = workload else {
        return Err(super::no_workload(Stage::Images));
    };
    let project = ComposeProject { name: project, folder: Path::new(folder), file: Path::new(file) };
    let model = system
        .compose_model(&project, environment, canonical::MAX_BYTES, MODEL_DEADLINE)
        .map_err(|error| Failure::machine(Stage::Images, Code::ComposeRefused, error))?;
    let judged = canonical(model.expose(), reach, signed).map_err(|refusal| {
        let code = match &refusal {
            CanonicalRefusal::Model => Code::ComposeRefused,
            CanonicalRefusal::Compose(refusals) => {
                refusals.first().map_or(Code::ComposeRefused, |refusal| refusal.fault.code())
            }
        };
        Failure::machine(Stage::Images, code, format!("canonical model of the compose file: {refusal}"))
    })?;
    // Of a file that names no other, all of this was said with its line.
    for notice in judged.notices.iter().filter(|_| *other_files) {
        log.warn(Line::with(notice.notice.code(), &notice.notice));
    }
    system.keep_note(COMPOSE_MODEL, judged.text.expose()).map_err(handover_failed)?;
    Ok(judged.images)
}

/// By the names that the engine keeps them under, each once.
fn names(images: &[String]) -> Result<Vec<ImageName>, Failure> {
    let mut names = Vec::with_capacity(images.len());
    for image in images {
        let name = ImageName::parse(image).ok_or_else(|| {
            // The model was judged by the same grammar.
            let message = "expected references of images in the canonical model";
            Failure::machine(Stage::Images, Code::BootInternal, message)
        })?;
        if !names.contains(&name) {
            names.push(name);
        }
    }
    Ok(names)
}

/// Lets the engine copy these images, and believe the contract's authorities where they count.
fn allow<S: GuestOs>(
    system: &S,
    registries: &Registries,
    images: &[ImageName],
    signed: &SignatureRules,
) -> Result<(), Failure> {
    if let Some(own) = &registries.authorities {
        let text = system.read_file(Path::new(&own.file)).map_err(handover_failed)?;
        for file in authorities::files(images, &own.not_for) {
            system.replace_file(Path::new(&file), &text).map_err(handover_failed)?;
        }
    }
    if let Some(places) = policy::places(images, signed) {
        system.replace_file(Path::new(policy::PLACES), places.as_bytes()).map_err(handover_failed)?;
    }
    let policy = policy::these(images, signed);
    system.replace_file(Path::new(policy::FILE), policy.as_bytes()).map_err(handover_failed)
}

/// What the workload calls an image by a tag, and the same by the digest that the engine has.
fn digests(images: &[String], records: &[ImageRecord]) -> BTreeMap<String, String> {
    let digest = |image: &String| {
        let name = ImageName::parse(image).filter(|name| !name.is_pinned())?;
        let record = records.iter().find(|record| record.reference == name.whole())?;
        Some((image.clone(), name.with_digest(&record.manifest)))
    };
    images.iter().filter_map(digest).collect()
}

/// Names images by digest in what the stage `start` starts.
fn pin<S: GuestOs>(
    system: &S,
    workload: &Workload,
    digests: &BTreeMap<String, String>,
) -> Result<(), Failure> {
    if digests.is_empty() {
        return Ok(());
    }
    let pods = matches!(workload, Workload::Play { .. });
    let note = if pods { PODS } else { COMPOSE_MODEL };
    let text = system.note(note).map(SecretBytes::new).map_err(handover_failed)?;
    let pinned = if pods { pinned::pods } else { pinned::compose };
    let text = pinned(text.expose(), digests).ok_or_else(|| {
        let message = "expected what is started in the form that it was kept in";
        Failure::machine(Stage::Images, Code::BootInternal, message)
    })?;
    system.keep_note(note, text.expose()).map_err(handover_failed)
}
