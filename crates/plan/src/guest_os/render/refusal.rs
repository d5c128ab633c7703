//! Why a contract that is valid cannot run.

use countersign_contract::archive::ArchiveError;
use countersign_contract::code::Code;
use countersign_contract::model::Contract;
use countersign_contract::place::{Pointer, SectionName};
use countersign_contract::refusal::Finding;
use countersign_crypto::LibraryError;
use countersign_crypto::private_key::PrivateKeyError;

use super::compose::DOTENV;
use super::{archive_pointer, play};
use crate::workload::compose::ComposeRefusal;
use crate::workload::dotenv::DotenvRefusal;
use crate::workload::play::PlayRefusal;

/// Why a contract that is valid cannot run.
#[derive(Debug, thiserror::Error)]
pub enum RenderRefusal {
    /// The archive.
    #[error("the archive: {0}")]
    Archive(#[from] ArchiveError),
    /// The compose file in it.
    #[error("{file} in /workload/compose/archive: {}", first(refusals))]
    Compose {
        /// Its name.
        file: &'static str,
        /// What is wrong with it, at least one.
        refusals: Vec<ComposeRefusal>,
    },
    /// Pods and config maps.
    #[error("{}", refusals.first().map(|first| format!("{}: {first}", first.origin)).unwrap_or_default())]
    Play {
        /// What is wrong with them, at least one.
        refusals: Vec<PlayRefusal>,
    },
    /// The archive's own `.env`.
    #[error(".env in /workload/compose/archive: {0}")]
    Dotenv(#[from] DotenvRefusal),
    /// A folder in the archive where the project's variables are to lie.
    #[error(".env in /workload/compose/archive: expected a file, not a folder")]
    DotenvFolder,
    /// The key of the client certificate, which was read when the contract was made, is not read a second time.
    #[error("/env/logging/syslog/key: {0}")]
    ClientKey(#[from] PrivateKeyError),
    /// A kind of workload or logging that the guest does not act on; `validate` refused it before.
    #[error("expected a compose or play workload, and a syslog server or a log router")]
    Unsupported,
    /// OpenSSL could not write what it had read.
    #[error(transparent)]
    Library(#[from] LibraryError),
    /// The plan could not be written as JSON.
    #[error("expected a plan that can be written: {0}")]
    Plan(String),
}

impl RenderRefusal {
    /// The message code.
    pub fn code(&self) -> Code {
        match self {
            RenderRefusal::Archive(error) => error.code(),
            RenderRefusal::Compose { refusals, .. } => {
                refusals.first().map_or(Code::ComposeRefused, |refusal| refusal.fault.code())
            }
            RenderRefusal::Play { refusals } => {
                refusals.first().map_or(Code::PlayRefused, |refusal| refusal.fault.code())
            }
            RenderRefusal::Dotenv(_) | RenderRefusal::DotenvFolder => Code::ArchiveDotenv,
            RenderRefusal::ClientKey(_) => Code::UnknownPrivateKeyType,
            RenderRefusal::Unsupported => Code::UnsupportedField,
            RenderRefusal::Library(_) | RenderRefusal::Plan(_) => Code::BootInternal,
        }
    }

    /// The refusal at its field of the contract, as often as there are reasons; none where it is not about a field.
    pub fn findings(&self, contract: &Contract) -> Vec<Finding> {
        let at = |pointer: &Pointer, code: Code, message: String, hint: Option<&'static str>| {
            let hint = hint.unwrap_or(code.remedy()).to_owned();
            contract.place_of(pointer).map(|place| Finding::new(code, place, message, Some(hint)))
        };
        let archive = archive_pointer(contract);
        let one = match self {
            RenderRefusal::Play { refusals } => {
                return refusals.iter().filter_map(|refusal| play::refused(contract, refusal)).collect();
            }
            RenderRefusal::Compose { file, refusals } => {
                let finding = |refusal: &ComposeRefusal| {
                    let (code, hint) = (refusal.fault.code(), refusal.fault.hint());
                    at(&archive, code, format!("{file}: {refusal}"), hint)
                };
                return refusals.iter().filter_map(finding).collect();
            }
            RenderRefusal::Archive(error) => at(&archive, self.code(), error.to_string(), Some(error.hint())),
            RenderRefusal::Dotenv(refusal) => at(&archive, self.code(), format!("{DOTENV}: {refusal}"), None),
            RenderRefusal::DotenvFolder => {
                let message = ".env: expected a file, not a folder";
                at(&archive, self.code(), message.to_owned(), None)
            }
            RenderRefusal::ClientKey(error) => {
                let syslog = Pointer::section(SectionName::Env).child("logging").child("syslog");
                at(&syslog.child("key"), self.code(), error.to_string(), None)
            }
            RenderRefusal::Unsupported | RenderRefusal::Library(_) | RenderRefusal::Plan(_) => None,
        };
        one.into_iter().collect()
    }
}

fn first(refusals: &[ComposeRefusal]) -> String {
    refusals.first().map(ToString::to_string).unwrap_or_default()
}
