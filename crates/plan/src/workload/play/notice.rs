//! What is told of pods that are taken.

use countersign_contract::code::Code;

use super::Origin;
use super::fault::{Step, shown};
use crate::workload::reach::Sections;

/// Something that its author should know about an object that runs.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{}{}{notice}", shown(path), if path.is_empty() { "" } else { ": " })]
pub struct PlayNotice {
    /// Where the object comes from.
    pub origin: Origin,
    /// Steps from the object to the place.
    pub path: Vec<Step>,
    /// Line, from one; in the contract for what stands there.
    pub line: usize,
    /// Column in characters, from one.
    pub column: usize,
    /// What it is.
    pub notice: Notice,
}

/// What runs otherwise than it may look.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Notice {
    /// Keys that the engine does not read, or does not get.
    #[error("nothing comes of {}", keys.join(", "))]
    LeftOut {
        /// The keys.
        keys: Vec<String>,
    },
    /// A variable that stands under `env` and in a config map of `envFrom`.
    #[error("the value of envFrom counts, not this one: the engine reads it last")]
    EnvFromWins,
    /// A health check that needs a program of the image.
    #[error("the engine runs {program} in the container for this check")]
    Probe {
        /// `curl` or `nc`.
        program: &'static str,
    },
    /// An item of a config map that is not there.
    #[error("the config map has no such key, the volume has no such file")]
    NoItem,
    /// A way out of a container that is open.
    #[error("{who} reaches {what}")]
    Reach {
        /// `pod NAME` or `container POD-NAME`, as far as the name holds no value of the contract.
        who: String,
        /// What is reached.
        what: &'static str,
    },
    /// A name that looks like one of the guest's own.
    #[error("the name of {who} looks like one of the guest's own in the log")]
    Imitation {
        /// `pod NAME` or `container POD-NAME`, as far as the name holds no value of the contract.
        who: String,
    },
    /// HPCR's folder, of which this version has a part.
    #[error("{}", .0.told())]
    Hyperprotect(Sections),
}

impl Notice {
    /// The message code.
    pub fn code(&self) -> Code {
        match self {
            Notice::Reach { .. } => Code::ContainerReach,
            Notice::Imitation { .. } => Code::ImitatedName,
            _ => Code::PlayNotice,
        }
    }

    /// What would help.
    pub fn hint(&self) -> &'static str {
        match self {
            Notice::LeftOut { .. } => "remove them, if that is meant",
            Notice::EnvFromWins => "give one of them another name",
            Notice::Probe { .. } => "see that the image has the program, or write the check as exec",
            Notice::NoItem => "correct the key, or remove the item",
            Notice::Reach { .. } => "remove it, unless the workload needs it",
            Notice::Imitation { .. } => "give it a name of the workload's own",
            Notice::Hyperprotect(sections) => sections.hint(),
        }
    }
}
