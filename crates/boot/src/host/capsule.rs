//! The failure capsule of a stage of the guest OS: the whole transcript, for the auditor whose public key the initramfs
//! left in the handover. Where it left none, the contract names none, or the capsule was told before the guest OS came.

use std::path::Path;

use countersign_plan::auditor::{self, Auditor};
use countersign_plan::capsule;
use countersign_plan::host::HANDOVER;
use countersign_system::ports::Severity;
use countersign_system::ports_host::Host;

use super::transcript;

/// Says the capsule of the transcript as it is.
pub(super) fn say<S: Host>(system: &S) {
    let Ok(pem) = system.read_file(&Path::new(HANDOVER).join(auditor::FILE)) else { return };
    let lines = || -> Result<Vec<String>, String> {
        let auditor = Auditor::parse(&String::from_utf8_lossy(&pem)).map_err(|error| error.to_string())?;
        let transcript = transcript::read(system)?;
        capsule::lines(&auditor, transcript).map_err(|error| error.to_string())
    };
    match lines() {
        Ok(lines) => lines.iter().for_each(|line| system.line(Severity::Info, line)),
        Err(error) => system.line(Severity::Warning, &format!("there is no failure capsule: {error}")),
    }
}
