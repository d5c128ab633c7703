//! What is told of a compose file that is taken.

use countersign_contract::code::Code;

use crate::workload::reach::Sections;

/// Something that its author should know about a compose file that runs.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{notice} (line {line})")]
pub struct ComposeNotice {
    /// Line of the compose file, from one.
    pub line: usize,
    /// What it is.
    pub notice: Notice,
}

/// What runs otherwise than it may look.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Notice {
    /// Variables that are empty since nobody sets them.
    #[error("variables without a value are empty: {}", variables.join(", "))]
    Unset {
        /// Their names.
        variables: Vec<String>,
    },
    /// `logging` of a service.
    #[error("service {service}: logging is left out, every line goes to the contract's log server")]
    Logging {
        /// Name of the service.
        service: String,
    },
    /// `start_interval` of a health check.
    #[error("service {service}: start_interval is left out, the engine does not know it")]
    StartInterval {
        /// Name of the service.
        service: String,
    },
    /// A command that ends earlier than its text.
    #[error("service {service}: {key} ends at the first ; & | < or >, for no shell reads it")]
    CommandCut {
        /// Name of the service.
        service: String,
        /// `command` or `entrypoint`.
        key: &'static str,
    },
    /// A way out of a container that is open.
    #[error("{at} reaches {what}")]
    Reach {
        /// Who: `service NAME`, or where it stands.
        at: String,
        /// What is reached.
        what: &'static str,
    },
    /// A name that looks like one of the guest's own.
    #[error("service {service}: {named} looks like one of the guest's own names in the log")]
    Imitation {
        /// Name of the service.
        service: String,
        /// `its name` or `container_name`.
        named: &'static str,
    },
    /// HPCR's folder, of which this version has a part.
    #[error("{at}: {}", sections.told())]
    Hyperprotect {
        /// Who: `service NAME`, or where it stands.
        at: String,
        /// What it has of the contract.
        sections: Sections,
    },
    /// Profiles that the deployer may not choose.
    #[error(
        "COMPOSE_PROFILES of the env section has no effect: the workload does not list it under policy.env"
    )]
    Profiles,
    /// A path of the archive that is not there.
    #[error("service {service}: a mounted path is not in the archive, the container gets an empty folder")]
    NotInArchive {
        /// Name of the service.
        service: String,
    },
}

impl Notice {
    /// The message code.
    pub fn code(&self) -> Code {
        match self {
            Notice::Reach { .. } => Code::ContainerReach,
            Notice::Imitation { .. } => Code::ImitatedName,
            _ => Code::ComposeNotice,
        }
    }

    /// What would help.
    pub fn hint(&self) -> &'static str {
        match self {
            Notice::Unset { .. } => {
                "set them under env.env or workload.env, or give a default: ${NAME:-default}"
            }
            Notice::Logging { .. } | Notice::StartInterval { .. } => "remove it, if that is meant",
            Notice::CommandCut { .. } => "write it as a list: [sh, -c, \"command\"]",
            Notice::Reach { .. } => "remove it, unless the workload needs it",
            Notice::Imitation { .. } => "give it a name of the workload's own",
            Notice::Hyperprotect { sections, .. } => sections.hint(),
            Notice::Profiles => {
                "list it under countersign.policy.env of the workload, or set it under workload.env"
            }
            Notice::NotInArchive { .. } => "pack the file into the archive, or correct the path",
        }
    }
}
