//! Pulling the images of a workload side by side, and asking the engine what it has then.

use std::io::ErrorKind;
use std::panic::resume_unwind;
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use countersign_contract::code::Code;
use countersign_plan::images::answers;
use countersign_plan::images::causes::{SignatureCause, signature_cause};
use countersign_plan::images::name::ImageName;
use countersign_plan::images::signatures::SignatureRules;
use countersign_plan::report::transcript::ImageRecord;
use countersign_ports::error::SystemError;
use countersign_ports::guest_os::GuestOs;

use super::DEADLINE;
use crate::failure::Failure;
use crate::log::Log;
use crate::stage::Stage;

/// Images that are pulled side by side.
const LANES: usize = 4;

/// Pulls all images, some side by side, and asks the engine what it has then.
pub(super) fn all<S: GuestOs>(
    system: &S,
    log: &Log<'_, S>,
    credentials: &Path,
    images: &[ImageName],
    signed: &SignatureRules,
) -> Result<Vec<ImageRecord>, Failure> {
    log.say(&format!("pulling {} image{}", images.len(), if images.len() == 1 { "" } else { "s" }));
    let deadline = system.uptime() + DEADLINE;
    let next = AtomicUsize::new(0);
    let lane = || {
        let mut done = Vec::new();
        loop {
            let number = next.fetch_add(1, Ordering::Relaxed);
            let Some(image) = images.get(number) else { return Ok(done) };
            let left = deadline.saturating_sub(system.uptime());
            match one(system, credentials, image, signed, left) {
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
    /// It is not signed as it must be.
    Signature(SignatureCause),
    /// It was not pulled, or the engine does not say what it has.
    Failed(SystemError),
    /// The engine has something else.
    Other(&'static str),
}

fn one<S: GuestOs>(
    system: &S,
    credentials: &Path,
    image: &ImageName,
    signed: &SignatureRules,
    left: Duration,
) -> Result<ImageRecord, Trouble> {
    if left.is_zero() {
        return Err(Trouble::Late);
    }
    let name = image.whole();
    let mut cause = None;
    let pulled = system.pull(&name, credentials, left, &mut |line| {
        cause = signature_cause(line).or(cause);
    });
    pulled.map_err(|error| match (error.kind(), cause) {
        (ErrorKind::TimedOut, _) => Trouble::Late,
        (_, Some(cause)) => Trouble::Signature(cause),
        _ => Trouble::Failed(error),
    })?;
    let answer = system.image(&name).map_err(Trouble::Failed)?;
    answers::inspected(answer.status, &answer.body, image, signed).map_err(Trouble::Other)
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
            Trouble::Signature(cause) => {
                let message = format!("image {number} of {all}: {cause}");
                Failure::machine(Stage::Images, Code::ImageSignature, message)
            }
            Trouble::Failed(error) => failed(format!("image {number} of {all}: {error}")),
            Trouble::Other(expected) => failed(format!("image {number} of {all}: {expected}")),
        }
    }
}
