//! Stage `start`: the compose project of the contract runs, from its canonical model and nothing else.

use std::io::ErrorKind;
use std::path::Path;
use std::time::Duration;

use countersign_contract::code::Code;
use countersign_plan::guest_os::handover::{COMPOSE_MODEL, FOLDER, GuestPlan, Workload};
use countersign_ports::guest_os::{ComposeProject, GuestOs};

use crate::failure::Failure;
use crate::line::Line;
use crate::log::{Log, Summary};
use crate::stage::Stage;

/// Creating and starting all containers, in the order in which they wait for each other. The unit ends the stage later,
/// or the cause would be lost.
pub(super) const DEADLINE: Duration = Duration::from_secs(840);

pub(super) fn run<S: GuestOs>(system: &S, log: &mut Log<'_, S>, plan: &GuestPlan) -> Result<(), Failure> {
    log.stage(Stage::Start, |_| {
        let Workload::Compose { project, folder, .. } = &plan.workload else {
            return Err(super::no_workload(Stage::Start));
        };
        let model = Path::new(FOLDER).join(COMPOSE_MODEL);
        let judged = ComposeProject { name: project, folder: Path::new(folder), file: &model };
        system.compose_up(&judged, DEADLINE).map_err(|error| match error.kind() {
            ErrorKind::TimedOut => {
                let message = format!("expected the project to start within {} s", DEADLINE.as_secs());
                Failure::machine(Stage::Start, Code::ComposeLate, message)
            }
            _ => Failure::machine(Stage::Start, Code::ComposeFailed, error),
        })?;
        Ok(((), Summary::new().with("project", project)))
    })?;
    log.tell(&Line::of(Code::ServiceSuccess));
    Ok(())
}
