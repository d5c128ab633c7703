//! Stage `unseal`: the `env` section is opened with the image key, for it holds the signing key.
//!
//! The workload stays sealed until the signature was verified. Whatever is wrong with a token, the failure is the
//! same in text and path: an oracle must not learn why. An old token can be altered, so of one nothing is said here at
//! all, not even that it does not open: `verify` has one answer for it.

use countersign_contract::code::Code;
use countersign_contract::envelope::SectionTree;
use countersign_crypto::image_key::ImageKey;
use countersign_plan::trust::{section, signer};
use countersign_ports::Initramfs;

use crate::failure::Failure;
use crate::log::{Log, Summary};
use crate::stage::Stage;

use super::parse::Parsed;

/// A contract whose `env` is open.
#[derive(Debug)]
pub(super) struct Unsealed {
    pub(super) parsed: Parsed,
    /// None only where it is an old token: one that does not open or holds no YAML, or one that is of no use and stayed
    /// closed.
    pub(super) env: Option<SectionTree>,
    pub(super) key: ImageKey,
}

impl Parsed {
    /// Runs the stage.
    ///
    /// # Errors
    /// `HPL11103E` when the image has no usable key; where `env` is no old token, `HPL11001E` when it does not open and
    /// the text refusals when what it holds is not YAML.
    pub(super) fn unseal<S: Initramfs>(self, system: &S, log: &mut Log<'_, S>) -> Result<Unsealed, Failure> {
        log.stage(Stage::Unseal, |_| {
            let incomplete = |error: String| Failure::machine(Stage::Unseal, Code::ImageIncomplete, error);
            let pem = system.image_key().map_err(|error| incomplete(error.to_string()))?;
            let key = ImageKey::from_pem(pem.expose()).map_err(|error| incomplete(error.to_string()))?;
            let sealed = self.envelope.env();
            let tokens = usize::from(sealed.token().is_some());
            let admitted = || signer::admit(&self.envelope, self.origins.ready.manifest.unsigned).is_ok();
            let env = match sealed.is_malleable() {
                true if admitted() => section::open(sealed, &key).ok(),
                true => None,
                false => Some(
                    section::open(sealed, &key)
                        .map_err(|finding| Failure::finding(Stage::Unseal, finding))?,
                ),
            };
            Ok((Unsealed { parsed: self, env, key }, Summary::new().with("tokens", tokens)))
        })
    }
}
