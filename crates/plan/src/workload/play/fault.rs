//! Why pods and config maps are refused.

use countersign_contract::code::Code;
use countersign_contract::yaml::Cause;

use super::Origin;
use crate::workload::document::{DocumentFault, DocumentRefusal, Node};
use crate::workload::printable;
use crate::workload::template::TemplateRefusal;

/// Why an object, or a file with objects, is not taken.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{}{}{fault}", shown(path), if path.is_empty() { "" } else { ": " })]
pub struct PlayRefusal {
    /// Where the object comes from.
    pub origin: Origin,
    /// Steps from the object to the place.
    pub path: Vec<Step>,
    /// Line, from one; in the contract for what stands there.
    pub line: usize,
    /// Column in characters, from one.
    pub column: usize,
    /// What is wrong there.
    pub fault: PlayFault,
}

/// A step into an object.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Step {
    /// To the value of a key.
    Key(String),
    /// To an item of a list.
    Item(usize),
}

/// Steps as they are said: `spec.containers[0].image`.
pub(super) fn shown(path: &[Step]) -> String {
    let mut text = String::new();
    for step in path {
        match step {
            Step::Key(key) if text.is_empty() => text.push_str(key),
            Step::Key(key) => text.extend([".", key]),
            Step::Item(number) => text.push_str(&format!("[{number}]")),
        }
    }
    text
}

/// The steps from a tree's root to one of its nodes.
pub(super) fn steps(root: &Node, to: &Node) -> Vec<Step> {
    fn find(at: &Node, to: &Node, path: &mut Vec<Step>) -> bool {
        if std::ptr::eq(at, to) {
            return true;
        }
        let entries = at.entries().iter().map(|entry| (Step::Key(printable(&entry.key)), &entry.value));
        let items = at.items().iter().enumerate().map(|(number, item)| (Step::Item(number), item));
        for (step, node) in entries.chain(items) {
            path.push(step);
            if find(node, to, path) {
                return true;
            }
            path.pop();
        }
        false
    }
    let mut path = Vec::new();
    find(root, to, &mut path);
    path
}

/// What is wrong with an object. Names of keys may be printed, values may not.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PlayFault {
    /// Not YAML, or beyond the bounds.
    #[error("expected valid yaml")]
    Syntax(Cause),
    /// A character that not every reader of YAML takes alike.
    #[error("expected lines that end in a line feed, and no control character")]
    Character,
    /// A key twice, also in other letters.
    #[error("expected each key once in its map, in whatever letters, {key} stands twice")]
    DuplicateKey {
        /// The key.
        key: String,
    },
    /// A tag beyond YAML's core schema.
    #[error("expected no tag")]
    Tag,
    /// A template that is not evaluated.
    #[error(transparent)]
    Template(TemplateRefusal),
    /// Neither a pod nor a config map.
    #[error("expected a Pod or a ConfigMap of apiVersion v1")]
    Kind,
    /// A key that objects do not have there.
    #[error("expected a known key instead of {key}{}", perhaps(*nearest))]
    UnknownKey {
        /// The key.
        key: String,
        /// A known one that may have been meant.
        nearest: Option<&'static str>,
    },
    /// A key that is missing.
    #[error("expected the key {0}")]
    MissingKey(&'static str),
    /// Something of another form than the engine reads.
    #[error("expected {0}")]
    Form(&'static str),
    /// Something that the engine does not have, or leaves out though the workload counts on it.
    #[error("expected {0}")]
    Engine(&'static str),
    /// A name that is taken.
    #[error("expected {0} that no other has")]
    Taken(&'static str),
    /// Something that is not there.
    #[error("expected {0}")]
    Undefined(&'static str),
    /// A path of the archive that is not there.
    #[error("expected a path that is in the archive, or a type that makes it")]
    NotInArchive,
    /// An image without digest.
    #[error("expected the image as name@sha256:digest")]
    NotPinned,
    /// An image that is no reference of a registry.
    #[error("expected an image reference of a registry")]
    NotAReference,
    /// A way out of a container that no container has.
    #[error("expected {0}")]
    Reach(&'static str),
    /// A way out of a container that the contract or the image refuses.
    #[error("expected not to reach {0}, which a policy refuses")]
    ReachByPolicy(&'static str),
    /// No pod at all.
    #[error("expected at least one Pod")]
    NoPods,
    /// More objects, or more text, than is taken.
    #[error("expected at most 256 objects and 4 MiB of them")]
    TooLarge,
}

impl PlayFault {
    /// The message code.
    pub fn code(&self) -> Code {
        match self {
            PlayFault::NotPinned => Code::ImageNotPinned,
            PlayFault::DuplicateKey { .. } => Code::DuplicateKey,
            PlayFault::Tag => Code::Tag,
            PlayFault::Reach(_) | PlayFault::ReachByPolicy(_) => Code::ReachRefused,
            _ => Code::PlayRefused,
        }
    }

    /// What would help.
    pub fn hint(&self) -> &'static str {
        match self {
            PlayFault::Syntax(cause) => cause.hint().unwrap_or("correct the named line"),
            PlayFault::Character => Cause::LineBreak.hint().unwrap_or_default(),
            PlayFault::DuplicateKey { .. } => {
                "keep one of them: the engine does not tell capital letters apart"
            }
            PlayFault::Tag => "remove the tag",
            PlayFault::Template(refusal) => refusal.fault.hint(),
            PlayFault::Kind => {
                "write each Pod and each ConfigMap as a document of its own; no List, Deployment or Secret"
            }
            PlayFault::UnknownKey { .. } => "correct the key, or remove it",
            PlayFault::MissingKey(_) | PlayFault::Form(_) => "correct the named place",
            PlayFault::Engine(_) => "remove it, or say it in another way",
            PlayFault::Taken(_) => "give it another name or number",
            PlayFault::Undefined(_) => "add what it refers to, or correct the name",
            PlayFault::NotInArchive => {
                "pack the path into the archive, or write type: DirectoryOrCreate or FileOrCreate"
            }
            PlayFault::NotPinned | PlayFault::NotAReference => "name an image of a registry by digest",
            PlayFault::Reach(_) => "mount a data volume or a path of the archive instead",
            PlayFault::ReachByPolicy(_) => {
                "remove it, or have the party whose countersign.policy.reach says refuse agree to it"
            }
            PlayFault::NoPods => {
                "give a Pod under resources or templates, or in a .yml or .yaml file at the top of the archive"
            }
            PlayFault::TooLarge => "move large files into the container image or the archive",
        }
    }
}

/// A file of the archive that cannot be read.
pub(super) fn unreadable(origin: Origin, DocumentRefusal { line, fault }: DocumentRefusal) -> PlayRefusal {
    let fault = match fault {
        DocumentFault::Syntax(cause) => PlayFault::Syntax(cause),
        DocumentFault::Character => PlayFault::Character,
        DocumentFault::DuplicateKey(key) => PlayFault::DuplicateKey { key },
        DocumentFault::Tag => PlayFault::Tag,
        // Any number of documents is read.
        DocumentFault::Several | DocumentFault::Empty => PlayFault::Syntax(Cause::Other),
    };
    PlayRefusal { origin, path: Vec::new(), line, column: 1, fault }
}

fn perhaps(nearest: Option<&str>) -> String {
    nearest.map_or(String::new(), |nearest| format!(", perhaps {nearest}"))
}
