//! Stage `images`: the compose file becomes its canonical model, which is judged and kept; pods were made and judged in the
//! initramfs. Every image is pulled by its digest.
//!
//! The engine asks its policy file what it may copy: these images by their digests, which it compares with what it
//! receives. Afterwards it may copy nothing any more, and nothing that starts containers has permission to pull: an image
//! that is not here does not run. So nothing needs the credentials any more, and whether the images came or not, their file
//! is erased.

use std::io::ErrorKind;
use std::panic::resume_unwind;
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use countersign_contract::code::Code;
use countersign_plan::guest_os::handover::{COMPOSE_MODEL, GuestPlan, Registries, Workload};
use countersign_plan::images::name::ImageName;
use countersign_plan::images::{answers, authorities, policy};
use countersign_plan::report::transcript::ImageRecord;
use countersign_plan::workload::canonical::{self, CanonicalRefusal, canonical};
use countersign_ports::error::SystemError;
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

/// Images that are pulled side by side.
const LANES: usize = 4;

pub(super) fn run<S: GuestOs>(system: &S, log: &mut Log<'_, S>, plan: &GuestPlan) -> Result<(), Failure> {
    log.stage(Stage::Images, |log| {
        let registries = plan.registries.as_ref().ok_or_else(|| {
            let message = "expected registries in the plan; this guest only reports a failed boot";
            Failure::machine(Stage::Images, Code::HandoverFailed, message)
        })?;
        let images = match &plan.workload {
            Workload::Play { .. } => Ok(plan.images.clone()),
            workload => model(system, log, workload),
        };
        let pulled = images.and_then(|images| {
            let images = names(&images)?;
            allow(system, registries, &images)?;
            pull(system, log, registries, &images)
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
    system.keep_note(COMPOSE_MODEL, judged.text.expose()).map_err(handover_failed)?;
    Ok(judged.images)
}

/// By the names that the engine keeps them under, each once.
fn names(images: &[String]) -> Result<Vec<ImageName>, Failure> {
    let mut names = Vec::with_capacity(images.len());
    for image in images {
        let name = ImageName::parse(image).ok_or_else(|| {
            // The model was judged by the same grammar.
            let message = "expected images with a digest in the canonical model";
            Failure::machine(Stage::Images, Code::BootInternal, message)
        })?;
        if !names.contains(&name) {
            names.push(name);
        }
    }
    Ok(names)
}

/// Lets the engine copy these images, and believe the contract's authorities where they count.
fn allow<S: GuestOs>(system: &S, registries: &Registries, images: &[ImageName]) -> Result<(), Failure> {
    if let Some(own) = &registries.authorities {
        let text = system.read_file(Path::new(&own.file)).map_err(handover_failed)?;
        for file in authorities::files(images, &own.not_for) {
            system.replace_file(Path::new(&file), &text).map_err(handover_failed)?;
        }
    }
    system.replace_file(Path::new(policy::FILE), policy::these(images).as_bytes()).map_err(handover_failed)
}

/// Pulls all images, some side by side, and asks the engine what it has then.
fn pull<S: GuestOs>(
    system: &S,
    log: &Log<'_, S>,
    registries: &Registries,
    images: &[ImageName],
) -> Result<Vec<ImageRecord>, Failure> {
    let credentials = Path::new(&registries.credentials);
    log.say(&format!("pulling {} image{}", images.len(), if images.len() == 1 { "" } else { "s" }));
    let deadline = system.uptime() + DEADLINE;
    let next = AtomicUsize::new(0);
    let lane = || {
        let mut done = Vec::new();
        loop {
            let number = next.fetch_add(1, Ordering::Relaxed);
            let Some(image) = images.get(number) else { return Ok(done) };
            match one(system, credentials, image, deadline.saturating_sub(system.uptime())) {
                Ok(record) => done.push((number, record)),
                Err(trouble) => {
                    // Nobody begins another: the boot ends.
                    next.store(images.len(), Ordering::Relaxed);
                    return Err((number, trouble));
                }
            }
        }
    };
    let lanes: Vec<_> = std::thread::scope(|scope| {
        let others: Vec<_> = (1..LANES.min(images.len())).map(|_| scope.spawn(lane)).collect();
        let own = lane();
        let others = others.into_iter().map(|lane| lane.join());
        // A panic of a lane is one of the stage.
        [Ok(own)]
            .into_iter()
            .chain(others)
            .map(|lane| lane.unwrap_or_else(|panic| resume_unwind(panic)))
            .collect()
    });
    let mut records = Vec::with_capacity(images.len());
    let mut troubles = Vec::new();
    for lane in lanes {
        match lane {
            Ok(done) => records.extend(done),
            Err(trouble) => troubles.push(trouble),
        }
    }
    // The first in the order of the model, whichever was noticed first.
    if let Some((number, trouble)) = troubles.into_iter().min_by_key(|(number, _)| *number) {
        return Err(trouble.told(number + 1, images.len()));
    }
    records.sort_by_key(|(number, _)| *number);
    Ok(records.into_iter().map(|(_, record)| record).collect())
}

/// Why an image is not there.
enum Trouble {
    /// The deadline of all passed.
    Late,
    /// It was not pulled, or the engine does not say what it has.
    Failed(SystemError),
    /// The engine has something else.
    Other(&'static str),
}

fn one<S: GuestOs>(
    system: &S,
    credentials: &Path,
    image: &ImageName,
    left: Duration,
) -> Result<ImageRecord, Trouble> {
    if left.is_zero() {
        return Err(Trouble::Late);
    }
    let name = image.pinned();
    system.pull(&name, credentials, left).map_err(|error| match error.kind() {
        ErrorKind::TimedOut => Trouble::Late,
        _ => Trouble::Failed(error),
    })?;
    let answer = system.image(&name).map_err(Trouble::Failed)?;
    answers::inspected(answer.status, &answer.body, image).map_err(Trouble::Other)
}

impl Trouble {
    fn told(self, number: usize, all: usize) -> Failure {
        let failed = |message: String| Failure::machine(Stage::Images, Code::ImagePullFailed, message);
        match self {
            Trouble::Late => {
                let message = format!(
                    "expected {all} images within {} s, image {number} was not there",
                    DEADLINE.as_secs()
                );
                Failure::machine(Stage::Images, Code::ImagesLate, message)
            }
            Trouble::Failed(error) => failed(format!("image {number} of {all}: {error}")),
            Trouble::Other(expected) => failed(format!("image {number} of {all}: {expected}")),
        }
    }
}
