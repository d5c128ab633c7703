//! Stage `images`: every image of the plan is pulled by its digest.
//!
//! The plan holds pinned references only, so the engine itself compares what it receives with the digest. The
//! compose program later runs without permission to pull, whatever a `pull_policy` says: an image that is not here does not
//! run. So nothing needs the credentials any more, and whether the images came or not, their file is erased.

use std::io::ErrorKind;
use std::path::Path;
use std::time::Duration;

use countersign_contract::code::Code;
use countersign_plan::guest_os::handover::GuestPlan;
use countersign_ports::guest_os::GuestOs;

use crate::failure::Failure;
use crate::log::{Log, Summary};
use crate::stage::Stage;

/// All images together: large ones over a slow line. The unit ends the stage later, or the cause would be lost.
pub(super) const DEADLINE: Duration = Duration::from_secs(1800);

pub(super) fn run<S: GuestOs>(system: &S, log: &mut Log<'_, S>, plan: &GuestPlan) -> Result<(), Failure> {
    log.stage(Stage::Images, |log| {
        let registries = plan.registries.as_ref().ok_or_else(|| {
            let message = "expected registries in the plan; this guest only reports a failed boot";
            Failure::machine(Stage::Images, Code::HandoverFailed, message)
        })?;
        let credentials = Path::new(&registries.credentials);
        let authorities = registries.authorities.as_deref().map(Path::new);
        let pulled = pull(system, log, &plan.images, credentials, authorities);
        let erased = system
            .erase_file(credentials)
            .map_err(|error| Failure::machine(Stage::Images, Code::HandoverFailed, error));
        // The first cause is kept.
        pulled.and(erased)?;
        Ok(((), Summary::new().with("images", plan.images.len())))
    })
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
