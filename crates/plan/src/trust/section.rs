//! From a section as it stands in the contract to a typed contract, for the guest and for the author's desk.
//!
//! Whatever is wrong with a token, the finding is the same: an oracle must not learn why it does not open. Which
//! section is opened when is the caller's: the guest opens the workload only after the signature was verified.

use countersign_contract::code::Code;
use countersign_contract::envelope::{Section, SectionTree};
use countersign_contract::model::Contract;
use countersign_contract::place::{Place, SectionName};
use countersign_contract::refusal::{Finding, Refusal};
use countersign_contract::schema;
use countersign_crypto::image_key::ImageKey;
use countersign_crypto::secret::SectionText;
use countersign_crypto::section_token::SectionToken;

/// The text of a sealed section; `None` for one that is not sealed.
///
/// # Errors
/// `HPL11001E` when the token does not open.
pub fn unseal(section: &Section, key: &ImageKey) -> Result<Option<SectionText>, Finding> {
    let Some(token) = section.token() else { return Ok(None) };
    token.open(section.name().into(), key).map(Some).map_err(|unopened| {
        Finding::with(Code::BootInvalidContract, section.place().clone(), unopened.to_string())
    })
}

/// Opens a section, sealed or not, and reads its YAML.
///
/// # Errors
/// `HPL11001E` when the token does not open, the text refusals when what it holds is not YAML.
pub fn open(section: &Section, key: &ImageKey) -> Result<SectionTree, Finding> {
    let text = unseal(section, key)?;
    section.tree(text.as_ref()).map_err(|refusal| Finding::from(&refusal))
}

/// Warnings where a section sets conditions that could be taken out again without notice: nothing but an authenticated
/// token keeps them. A signature does not, for whoever takes them out signs with a key of their own, or with none.
///
/// In an old token, which looks as if it kept them, every condition is named: a policy, the demand of a signature, the
/// key that signed. In readable text only a policy that is set for others.
pub fn unprotected(section: &Section, tree: &SectionTree) -> Vec<Finding> {
    if section.token().is_some_and(SectionToken::is_authenticated) {
        return Vec::new();
    }
    let mut places: Vec<Place> = tree.policy_place().into_iter().collect();
    if section.is_malleable() {
        if places.is_empty() {
            places.extend(tree.signature_demand());
        }
        if section.name() == SectionName::Env && matches!(tree.signing_key(), Ok(Some(_))) {
            places.push(tree.place_of("signingKey"));
        }
    }
    places.into_iter().map(|place| Finding::of(Code::PolicyUnprotected, place)).collect()
}

/// Both sections against the schema, then as a typed contract.
///
/// # Errors
/// Every finding of the schema, else every finding beyond it.
pub fn contract(workload: SectionTree, env: SectionTree) -> Result<Contract, Vec<Finding>> {
    let (workload, env) = match (schema::check(workload), schema::check(env)) {
        (Ok(workload), Ok(env)) => (workload, env),
        (workload, env) => {
            return Err(findings([workload.err(), env.err()].into_iter().flatten().flatten()));
        }
    };
    // The values with all their strings are wiped on return.
    Contract::new(&workload, &env).map_err(findings)
}

fn findings(refusals: impl IntoIterator<Item = Refusal>) -> Vec<Finding> {
    refusals.into_iter().map(|refusal| Finding::from(&refusal)).collect()
}
