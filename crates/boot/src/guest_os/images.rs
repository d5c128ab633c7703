//! Stage `images`: the compose file becomes its canonical model, which is judged and kept; every image of it is pulled by
//! its digest.
//!
//! The model holds pinned references only, so the engine itself compares what it receives with the digest. The
//! compose program later runs without permission to pull: an image that is not here does not run. So nothing needs the
//! credentials any more, and whether the images came or not, their file is erased.

use std::io::ErrorKind;
use std::path::Path;
use std::time::Duration;

use countersign_contract::code::Code;
use countersign_plan::guest_os::handover::{COMPOSE_MODEL, GuestPlan, Workload};
use countersign_plan::workload::canonical::{self, CanonicalRefusal, canonical};
use countersign_ports::guest_os::{ComposeProject, GuestOs};

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
        let credentials = Path::new(&registries.credentials);
        let authorities = registries.authorities.as_deref().map(Path::new);
        let pulled = model(system, log, &plan.workload).and_then(|images| {
            pull(system, log, &images, credentials, authorities)?;
            Ok(images.len())
        });
        let erased = system
            .erase_file(credentials)
            .map_err(|error| Failure::machine(Stage::Images, Code::HandoverFailed, error));
        // The first cause is kept.
        let images = pulled?;
        erased?;
        Ok(((), Summary::new().with("images", images)))
    })
}

/// Makes the canonical model, keeps it for the stage `start`, and returns its images.
fn model<S: GuestOs>(system: &S, log: &mut Log<'_, S>, workload: &Workload) -> Result<Vec<String>, Failure> {
    let Workload::Compose { project, folder, file, environment, reach, other_files } = workload else {
        return Err(super::no_workload(Stage::Images));
    };
    let project = ComposeProject { name: project, folder: Path::new(folder), file: Path::new(file) };
    let model = system
        .compose_model(&project, environment, canonical::MAX_BYTES, MODEL_DEADLINE)
        .map_err(|error| Failure::machine(Stage::Images, Code::ComposeRefused, error))?;
    let judged = canonical(model.expose(), reach).map_err(|refusal| {
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
    system
        .keep_note(COMPOSE_MODEL, judged.text.expose())
        .map_err(|error| Failure::machine(Stage::Images, Code::HandoverFailed, error))?;
    Ok(judged.images)
}

fn pull<S: GuestOs>(
    system: &S,
    log: &Log<'_, S>,
    images: &[String],
    credentials: &Path,
    authorities: Option<&Path>,
) -> Result<(), Failure> {
    let deadline = system.uptime() + DEADLINE;
    for (index, image) in images.iter().enumerate() {
        let (number, all) = (index + 1, images.len());
        let left = deadline.saturating_sub(system.uptime());
        if left.is_zero() {
            return Err(late(number, all));
        }
        log.say(&format!("pulling image {number} of {all}"));
        system.pull(image, credentials, authorities, left).map_err(|error| match error.kind() {
            ErrorKind::TimedOut => late(number, all),
            _ => Failure::machine(Stage::Images, Code::ImagePullFailed, error),
        })?;
    }
    Ok(())
}

/// The deadline passed before this image was there.
fn late(number: usize, all: usize) -> Failure {
    let message =
        format!("expected {all} images within {} s, image {number} was not there", DEADLINE.as_secs());
    Failure::machine(Stage::Images, Code::ImagesLate, message)
}
