//! Stage `images`: every image of the plan is pulled by its digest.
//!
//! The plan holds pinned references only, so the engine itself compares what it receives with the digest. The
//! compose program later runs without permission to pull, whatever a `pull_policy` says: an image that is not here does not
//! run. So nothing needs the credentials any more, and whether the images came or not, their file is erased.

use std::path::Path;

use countersign_contract::code::Code;
use countersign_plan::host::HostPlan;
use countersign_system::ports_host::Host;

use crate::failure::Failure;
use crate::log::{Log, Summary};
use crate::stage::Stage;

pub(super) fn run<S: Host>(system: &S, log: &mut Log<'_, S>, plan: &HostPlan) -> Result<(), Failure> {
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

fn pull<S: Host>(
    system: &S,
    log: &Log<'_, S>,
    images: &[String],
    credentials: &Path,
    authorities: Option<&Path>,
) -> Result<(), Failure> {
    for (index, image) in images.iter().enumerate() {
        log.say(&format!("pulling image {} of {}", index + 1, images.len()));
        system
            .pull(image, credentials, authorities)
            .map_err(|error| Failure::machine(Stage::Images, Code::ImagePullFailed, error))?;
    }
    Ok(())
}
