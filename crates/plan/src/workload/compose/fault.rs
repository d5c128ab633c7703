//! Why a compose file is refused.

use countersign_contract::code::Code;
use countersign_contract::yaml::Cause;

use crate::workload::dotenv::DotenvRefusal;

/// Why the compose file is not taken.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{fault} (line {line})")]
pub struct ComposeRefusal {
    /// Line of the compose file, from one.
    pub line: usize,
    /// What is wrong there.
    pub fault: ComposeFault,
}

/// What is wrong with a compose file. Names of services, keys and variables may be printed, values may not.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ComposeFault {
    /// Not YAML, or beyond the bounds.
    #[error("expected a compose file in valid yaml")]
    Syntax(Cause),
    /// A line break by which the compose program's YAML ends a line, or a comment, and newer YAML does not; or a control
    /// character, or a byte order mark inside the text.
    #[error("expected lines that end in a line feed, and no control character")]
    Character,
    /// A second document; the compose program would add its services to those of the first.
    #[error("expected one yaml document")]
    SeveralDocuments,
    /// A key twice.
    #[error("expected each key once in its map, {key} stands twice")]
    DuplicateKey {
        /// The key.
        key: String,
    },
    /// A tag by which the compose program reads something else than what stands there.
    #[error("expected no tag")]
    Tag,
    /// A key that is no text.
    #[error(
        "{}expected keys that are text, in quotes where one is a number, a date, true or null",
        before(at)
    )]
    KeyNotText {
        /// Keys on the way to the map.
        at: String,
    },
    /// A key that the compose specification does not have there.
    #[error("{}expected a known key instead of {key}{}", before(at), perhaps(*nearest))]
    UnknownKey {
        /// Keys on the way to the map.
        at: String,
        /// The key.
        key: String,
        /// A known one that may have been meant.
        nearest: Option<&'static str>,
    },
    /// A key that is missing.
    #[error("{}expected the key {key}", before(at))]
    MissingKey {
        /// Keys on the way to the map.
        at: String,
        /// The key.
        key: &'static str,
    },
    /// Something of another form than the compose program demands.
    #[error("{}expected {expected}", before(at))]
    Form {
        /// Keys on the way there.
        at: String,
        /// What is expected.
        expected: &'static str,
    },
    /// Something that the compose program takes and the engine does not have, or leaves out.
    #[error("{}expected {expected}", before(at))]
    Engine {
        /// Keys on the way there.
        at: String,
        /// What is expected.
        expected: &'static str,
    },
    /// A way out of a container that no container has.
    #[error("{}expected {expected}", before(at))]
    Reach {
        /// Keys on the way there.
        at: String,
        /// What is expected.
        expected: &'static str,
    },
    /// A way out of a container that the contract or the image refuses.
    #[error("{at}: expected not to reach {what}, which a policy refuses")]
    ReachByPolicy {
        /// Who: `service NAME`, or where it stands.
        at: String,
        /// What would be reached.
        what: &'static str,
    },
    /// A text twice in a list.
    #[error("{}expected each entry once", before(at))]
    Twice {
        /// Keys on the way to the list.
        at: String,
    },
    /// A text with variables that is not written as one.
    #[error("{}expected ${{NAME}} for a variable, and $$ for a dollar sign", before(at))]
    Dollar {
        /// Keys on the way to the text.
        at: String,
    },
    /// A variable that has to be set, and is not.
    #[error("{}expected the variable {variable} in env, it is not set", before(at))]
    Required {
        /// Keys on the way to the text.
        at: String,
        /// Name of the variable.
        variable: String,
    },
    /// Something that is not there.
    #[error("service {service}: expected {name} under {section}")]
    Undefined {
        /// Name of the service.
        service: String,
        /// What it names.
        name: String,
        /// Where that should stand.
        section: &'static str,
    },
    /// A service that another waits for, and that does not run.
    #[error("service {service}: expected service {name} to run, it has a profile that is not active")]
    Inactive {
        /// Name of the service.
        service: String,
        /// The other one's.
        name: String,
    },
    /// Services that wait for each other.
    #[error("service {service}: expected services that do not wait for each other in a circle")]
    Circle {
        /// Name of one of them.
        service: String,
    },
    /// Two keys of which only one may be there.
    #[error("service {service}: expected only one of {first} and {second}")]
    Exclusive {
        /// Name of the service.
        service: String,
        /// A key.
        first: &'static str,
        /// The other one.
        second: &'static str,
    },
    /// Two keys for the same thing.
    #[error("service {service}: expected the same under {first} and {second}")]
    Unequal {
        /// Name of the service.
        service: String,
        /// A key.
        first: &'static str,
        /// The other one.
        second: &'static str,
    },
    /// One name for several containers.
    #[error("service {service}: expected no container_name for more than one container")]
    NameOfSeveral {
        /// Name of the service.
        service: String,
    },
    /// A health check that is no command.
    #[error("service {service}: expected CMD, CMD-SHELL or NONE as the first word of healthcheck.test")]
    HealthTest {
        /// Name of the service.
        service: String,
    },
    /// Another compose file that is not there.
    #[error("expected the file {path} in the archive, nothing is fetched from elsewhere")]
    NoFile {
        /// Path of the file.
        path: String,
    },
    /// A file of variables or labels that is not there.
    #[error("service {service}: expected the file {path} in the archive")]
    NoEnvFile {
        /// Name of the service.
        service: String,
        /// Path of the file.
        path: String,
    },
    /// A file of variables or labels that cannot be read.
    #[error("service {service}: {path}: {refusal}")]
    EnvFile {
        /// Name of the service.
        service: String,
        /// Path of the file.
        path: String,
        /// What is wrong with it.
        refusal: DotenvRefusal,
    },
    /// No service without a profile.
    #[error("expected at least one service that runs, each has a profile that is not active")]
    NoneActive,
    /// No map called `services` with at least one service.
    #[error("expected at least one service under services")]
    NoServices,
    /// A name that the compose program takes for no name of a service.
    #[error("expected a name of letters, digits, ., _ and - for a service, in quotes if it is a number")]
    ServiceName,
    /// A service that is built in the guest.
    #[error("service {service}: expected an image, without build")]
    Build {
        /// Name of the service.
        service: String,
    },
    /// A service without image.
    #[error("service {service}: expected an image")]
    NoImage {
        /// Name of the service.
        service: String,
    },
    /// A service whose image stands in another file, or that extends one which is not there.
    #[error("service {service}: expected to extend a service of this file that has an image, and not itself")]
    Extends {
        /// Name of the service.
        service: String,
    },
    /// An image that is not written as one, for its variables.
    #[error("service {service}: expected ${{NAME}} in its image, and $$ for a dollar sign")]
    Malformed {
        /// Name of the service.
        service: String,
    },
    /// An image with variables that are not set, and that is no image without them.
    #[error("service {service}: expected every variable of its image in env, {} not set", are(variables))]
    Variable {
        /// Name of the service.
        service: String,
        /// Names of the variables.
        variables: Vec<String>,
    },
    /// An image that is no reference once its variables are replaced.
    #[error("service {service}: expected an image reference{}", replaced(variables))]
    NotAReference {
        /// Name of the service.
        service: String,
        /// Names of its variables.
        variables: Vec<String>,
    },
    /// An image that is not in a registry.
    #[error(
        "service {service}: expected an image in a registry, not one behind a scheme{}",
        replaced(variables)
    )]
    Scheme {
        /// Name of the service.
        service: String,
        /// Names of its variables.
        variables: Vec<String>,
    },
    /// An image without digest.
    #[error("service {service}: expected its image as name@sha256:digest{}", replaced(variables))]
    NotPinned {
        /// Name of the service.
        service: String,
        /// Names of its variables.
        variables: Vec<String>,
    },
}

impl ComposeFault {
    /// The message code.
    pub fn code(&self) -> Code {
        match self {
            ComposeFault::NotPinned { .. } => Code::ImageNotPinned,
            ComposeFault::SeveralDocuments => Code::SeveralDocuments,
            ComposeFault::DuplicateKey { .. } => Code::DuplicateKey,
            ComposeFault::Tag => Code::Tag,
            ComposeFault::Reach { .. } | ComposeFault::ReachByPolicy { .. } => Code::ReachRefused,
            _ => Code::ComposeRefused,
        }
    }

    /// What would help, where it is more than the code's own remedy.
    pub fn hint(&self) -> Option<&'static str> {
        match self {
            ComposeFault::Syntax(cause) => {
                Some(cause.hint().unwrap_or("correct the named line of the compose file"))
            }
            ComposeFault::Character => Cause::LineBreak.hint(),
            ComposeFault::Variable { .. } | ComposeFault::Required { .. } => {
                Some("set it under env.env or workload.env, or in the archive's .env")
            }
            ComposeFault::Tag => Some("remove the tag, or put a text that begins with ! in quotes"),
            ComposeFault::KeyNotText { .. } => Some("put the key in quotes"),
            ComposeFault::NoImage { .. }
            | ComposeFault::NotAReference { .. }
            | ComposeFault::Scheme { .. }
            | ComposeFault::Extends { .. }
            | ComposeFault::Build { .. } => Some("name an image of a registry by digest"),
            ComposeFault::UnknownKey { .. }
            | ComposeFault::MissingKey { .. }
            | ComposeFault::Form { .. }
            | ComposeFault::Engine { .. }
            | ComposeFault::Reach { .. }
            | ComposeFault::Twice { .. }
            | ComposeFault::Exclusive { .. }
            | ComposeFault::Unequal { .. }
            | ComposeFault::NameOfSeveral { .. }
            | ComposeFault::HealthTest { .. } => Some("correct the named line of the compose file"),
            ComposeFault::Dollar { .. } => Some("write $$ for a dollar sign that begins no variable"),
            ComposeFault::Undefined { .. } => Some("add it there, or remove what refers to it"),
            ComposeFault::Inactive { .. } | ComposeFault::NoneActive => {
                Some("remove the profile, or make it active by COMPOSE_PROFILES in the workload")
            }
            ComposeFault::ReachByPolicy { .. } => {
                Some("remove it, or have the party whose countersign.policy.reach says refuse agree to it")
            }
            ComposeFault::Circle { .. } => Some("remove one of the dependencies"),
            ComposeFault::NoFile { .. } => Some("pack the file into the archive, or correct its path"),
            ComposeFault::NoEnvFile { .. } => {
                Some("pack the file into the archive, or say required: false beside its path")
            }
            ComposeFault::EnvFile { .. } => {
                Some("write each line as NAME=value, in quotes where the value has spaces, # or $")
            }
            _ => None,
        }
    }
}

fn are(variables: &[String]) -> String {
    format!("{} {}", variables.join(", "), if variables.len() == 1 { "is" } else { "are" })
}

fn replaced(variables: &[String]) -> String {
    if variables.is_empty() { String::new() } else { format!(" where {} replaced", are(variables)) }
}

/// Keys before a message.
fn before(at: &str) -> String {
    if at.is_empty() { String::new() } else { format!("{at}: ") }
}

fn perhaps(nearest: Option<&str>) -> String {
    nearest.map_or(String::new(), |nearest| format!(", perhaps {nearest}"))
}
