//! What can be said of a workload whose variables are not all known, because the env section or the archive's own `.env`
//! cannot be read.
//!
//! A line of the compose file that replaces variables may be right or wrong by their values, and so may a template: nothing
//! is said of these. Everything else stands as it is written.

use std::collections::BTreeSet;

use countersign_contract::archive::Archive;
use countersign_contract::model::{Contract, WorkloadKind};
use countersign_plan::guest_os::render::RenderRefusal;
use countersign_plan::workload::play::Origin;

/// What of a refusal does not depend on variables; none if nothing is left.
pub(super) fn independent(refusal: RenderRefusal, contract: &Contract) -> Option<RenderRefusal> {
    match refusal {
        RenderRefusal::Compose { file, mut refusals } => {
            let lines = dependent(contract, file);
            refusals.retain(|refusal| !lines.contains(&refusal.line));
            (!refusals.is_empty()).then_some(RenderRefusal::Compose { file, refusals })
        }
        RenderRefusal::Play { mut refusals } => {
            refusals.retain(|refusal| !matches!(refusal.origin, Origin::Template(_)));
            (!refusals.is_empty()).then_some(RenderRefusal::Play { refusals })
        }
        refusal => Some(refusal),
    }
}

/// The numbers of the lines of a file of the compose archive that replace variables.
fn dependent(contract: &Contract, file: &str) -> BTreeSet<usize> {
    let WorkloadKind::Compose { archive } = contract.workload() else { return BTreeSet::new() };
    let Ok((archive, _)) = Archive::remains(archive) else { return BTreeSet::new() };
    let text = String::from_utf8_lossy(archive.file(file).unwrap_or_default()).into_owned();
    let lines = text.lines().enumerate().filter(|(_, line)| line.replace("$$", "").contains('$'));
    lines.map(|(index, _)| index + 1).collect()
}
