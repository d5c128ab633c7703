//! A notice for every volume of which the contract does not say whether it exists.
//!
//! Such a volume is made on any blank disk, which is what HPCR does and what a first boot needs. The guest warns when it
//! makes one; on the desk there is still time to say `initialize: never`.

use countersign_contract::code::Code;
use countersign_contract::model::Contract;
use countersign_contract::refusal::Finding;

/// The notices, at the volumes of the workload section.
pub(super) fn notices(contract: &Contract) -> Vec<Finding> {
    let unsaid = contract.volumes().iter().filter(|volume| !volume.options().initialize_said());
    unsaid.map(|volume| Finding::of(Code::InitializeUnsaid, volume.place().clone())).collect()
}
