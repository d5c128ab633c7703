//! The failure capsule of a stage of the guest OS: the whole transcript, for the auditor whose public key the initramfs
//! left in the handover. Where it left none, the contract names none, or the capsule was told before the guest OS came.

use countersign_plan::guest_os::handover::AUDITOR;
use countersign_plan::report::capsule;
use countersign_plan::trust::auditor::Auditor;
use countersign_ports::guest_os::Notes;
use countersign_ports::{Priority, Report};

use super::transcript;

/// Says the capsule of the transcript as it is.
pub(super) fn say<S: Report + Notes>(system: &S) {
    let Ok(pem) = system.note(AUDITOR) else { return };
    let lines = || -> Result<Vec<String>, String> {
        let auditor = Auditor::parse(&String::from_utf8_lossy(&pem)).map_err(|error| error.to_string())?;
        let transcript = transcript::read(system)?;
        capsule::lines(&auditor, transcript).map_err(|error| error.to_string())
    };
    match lines() {
        Ok(lines) => lines.iter().for_each(|line| system.line(Priority::Info, line)),
        Err(error) => system.line(Priority::Warning, &format!("there is no failure capsule: {error}")),
    }
}
