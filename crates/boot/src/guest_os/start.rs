//! Stage `start`: the workload of the contract runs: the compose project from its canonical model, pods from the documents
//! that the initramfs made, and from nothing else.

use std::io::ErrorKind;
use std::path::Path;
use std::time::Duration;

use countersign_contract::code::Code;
use countersign_crypto::secret::SecretBytes;
use countersign_plan::guest_os::handover::{COMPOSE_MODEL, FOLDER, GuestPlan, PODS, STARTED, Workload};
use countersign_ports::error::SystemError;
use countersign_ports::guest_os::{ComposeProject, GuestOs};

use crate::failure::Failure;
use crate::line::Line;
use crate::log::{Log, Summary};
use crate::stage::Stage;

/// Creating and starting all containers, in the order in which they wait for each other. The unit ends the stage later,
/// or the cause would be lost.
pub(super) const DEADLINE: Duration = Duration::from_secs(840);

/// What HPCR says on the console beside the code, and some who watch it look for.
const SUCCESS: &str = "VSI has started successfully.";

pub(super) fn run<S: GuestOs>(system: &S, log: &mut Log<'_, S>, plan: &GuestPlan) -> Result<(), Failure> {
    log.stage(Stage::Start, |_| match &plan.workload {
        Workload::Compose { project, folder, .. } => compose(system, project, folder),
        Workload::Play { containers } => play(system, *containers),
        Workload::Nothing => Err(super::no_workload(Stage::Start)),
    })?;
    if matches!(plan.workload, Workload::Play { .. }) {
        log.tell(&Line::of(Code::PodsStarted));
    }
    log.say(SUCCESS);
    log.tell(&Line::of(Code::ServiceSuccess));
    Ok(())
}

/// Tells the daemon, which waits for that.
pub(super) fn tell<S: GuestOs>(system: &S) -> Result<(), Failure> {
    let told = system.keep_note(STARTED, &[]);
    told.map_err(|error| Failure::machine(Stage::Start, Code::HandoverFailed, error))
}

fn compose<S: GuestOs>(system: &S, project: &str, folder: &str) -> Result<((), Summary), Failure> {
    let model = Path::new(FOLDER).join(COMPOSE_MODEL);
    let judged = ComposeProject { name: project, folder: Path::new(folder), file: &model };
    system
        .compose_up(&judged, DEADLINE)
        .map_err(|error| failed("the project", error, Code::ComposeLate, Code::ComposeFailed))?;
    Ok(((), Summary::new().with("project", project)))
}

fn play<S: GuestOs>(system: &S, containers: usize) -> Result<((), Summary), Failure> {
    let documents = system
        .note(PODS)
        .map(SecretBytes::new)
        .map_err(|error| Failure::machine(Stage::Start, Code::HandoverFailed, error))?;
    system
        .kube_play(&documents, DEADLINE)
        .map_err(|error| failed("the pods", error, Code::PlayLate, Code::PodsFailed))?;
    Ok(((), Summary::new().with("containers", containers)))
}

fn failed(what: &str, error: SystemError, late: Code, failed: Code) -> Failure {
    if error.kind() == ErrorKind::TimedOut {
        let message = format!("expected {what} to start within {} s", DEADLINE.as_secs());
        return Failure::machine(Stage::Start, late, message);
    }
    Failure::machine(Stage::Start, failed, error)
}
