//! Stage `unseal`: the `env` section is opened with the image key, for it holds the signing key.
//!
//! The workload stays sealed until the signature was verified. Whatever is wrong with a token, the failure is the
//! same in text and path: an oracle must not learn why.

use countersign_contract::code::Code;
use countersign_contract::envelope::{Section, SectionTree};
use countersign_contract::refusal::Finding;
use countersign_crypto::secret::ImageKey;
use countersign_system::ports::Initramfs;

use crate::failure::{Cause, Failure};
use crate::log::{Log, Summary};
use crate::stage::Stage;

use super::parse::Parsed;

/// A contract whose `env` is open.
#[derive(Debug)]
pub struct Unsealed {
    pub(super) parsed: Parsed,
    pub(super) env: SectionTree,
    pub(super) key: ImageKey,
}

impl Parsed {
    /// Runs the stage.
    ///
    /// # Errors
    /// `HPL11103E` when the image has no usable key, `HPL11001E` when the section does not open, the text refusals
    /// when what it holds is not YAML.
    pub fn unseal<S: Initramfs>(self, system: &S, log: &mut Log<'_, S>) -> Result<Unsealed, Failure> {
        log.stage(Stage::Unseal, |_| {
            let incomplete = |error: String| Failure::machine(Stage::Unseal, Code::ImageIncomplete, error);
            let pem = system.image_key().map_err(|error| incomplete(error.to_string()))?;
            let key = ImageKey::from_pem(pem.expose()).map_err(|error| incomplete(error.to_string()))?;
            let section = self.envelope.env();
            let tokens = usize::from(section.token().is_some());
            let env = open(section, &key, Stage::Unseal)?;
            Ok((Unsealed { parsed: self, env, key }, Summary::new().with("tokens", tokens)))
        })
    }
}

/// Opens a section, sealed or not, and reads its YAML.
pub(super) fn open(section: &Section, key: &ImageKey, stage: Stage) -> Result<SectionTree, Failure> {
    let text = match section.token() {
        None => None,
        Some(token) => Some(token.open(key).map_err(|unopened| {
            let hint = Some(Code::BootInvalidContract.remedy().to_owned());
            let finding =
                Finding::new(Code::BootInvalidContract, section.place().clone(), unopened.to_string(), hint);
            Failure { stage, cause: Box::new(Cause::Contract(finding)), also: Vec::new() }
        })?),
    };
    section.tree(text.as_ref()).map_err(|refusal| Failure::refused(stage, &refusal))
}
