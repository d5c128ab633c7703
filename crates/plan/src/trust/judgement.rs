//! What stage `validate` decides about two open sections: the guest and the author's desk ask the same.

use countersign_contract::envelope::SectionTree;
use countersign_contract::model::Contract;
use countersign_contract::refusal::Finding;

use crate::guest_os::render::{Guest, RenderRefusal, Rendered, render};
use crate::trust::section;
use crate::trust::signer::Signer;

/// Two sections that make a contract, and whether the guest may act on it.
#[derive(Debug)]
pub struct Judgement {
    /// The contract.
    pub contract: Contract,
    /// Fields that the guest does not act on.
    pub unsupported: Vec<Finding>,
    /// What one section's policy forbids the other, and who had to sign.
    pub breaches: Vec<Finding>,
    /// What the author of the workload should know.
    pub notices: Vec<Finding>,
    /// What the guest OS gets.
    pub rendered: Result<Rendered, RenderRefusal>,
}

impl Judgement {
    /// Judges both sections. Without a `signer` nothing is said about who had to sign.
    ///
    /// # Errors
    /// The sections make no contract.
    pub fn of(
        workload: SectionTree,
        env: SectionTree,
        signer: Option<&Signer>,
        guest: Guest<'_>,
    ) -> Result<Judgement, Vec<Finding>> {
        let contract = section::contract(workload, env)?;
        let unsupported = contract.unsupported().to_vec();
        let breach = signer.and_then(|signer| signer.breach(contract.policy()));
        let breaches = breach.into_iter().chain(contract.policy().breaches().iter().cloned()).collect();
        let rendered = render(&contract, guest);
        let notices = rendered.as_ref().map(|rendered| rendered.notices.clone()).unwrap_or_default();
        Ok(Judgement { contract, unsupported, breaches, notices, rendered })
    }
}
