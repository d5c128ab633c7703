//! Stage `start`: the compose project of the contract runs.

use std::io::ErrorKind;
use std::path::Path;
use std::time::Duration;

use countersign_contract::code::Code;
use countersign_plan::guest_os::handover::{GuestPlan, Workload};
use countersign_plan::workload::compose;
use countersign_ports::guest_os::GuestOs;

use crate::failure::Failure;
use crate::line::Line;
use crate::log::{Log, Summary};
use crate::stage::Stage;

/// Creating and starting all containers, in the order in which they wait for each other. The unit ends the stage later,
/// or the cause would be lost.
pub(super) const DEADLINE: Duration = Duration::from_secs(840);

pub(super) fn run<S: GuestOs>(system: &S, log: &mut Log<'_, S>, plan: &GuestPlan) -> Result<(), Failure> {
    log.stage(Stage::Start, |_| {
        let Workload::Compose { project, folder, file } = &plan.workload else { return Err(nothing()) };
        let (folder, file) = (Path::new(folder), Path::new(file));
        system.compose_up(project, folder, file, &compose::PROGRAM, DEADLINE).map_err(|error| match error
            .kind()
        {
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

/// No unit that could ask for this is part of the target that reports a failed boot.
fn nothing() -> Failure {
    let message = "expected a workload in the plan; this guest only reports a failed boot";
    Failure::machine(Stage::Start, Code::HandoverFailed, message)
}
