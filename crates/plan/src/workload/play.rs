//! Pods and config maps of a `play` workload: what they ask for, and whether the guest runs them.
//!
//! Objects come from the contract, from its templates and from the files at the top of the archive (`sources`). They are
//! read once, on the author's desk and early in the guest, into types that have a field for what the engine reads and
//! none for anything else (`model`, podman 5.4.2); judged on the way, with every place; and written as JSON for the
//! engine. Nothing of what the author wrote is read after that, so the engine's own reading of YAML, its search for
//! images and its annotations decide on nothing.
//!
//! What is written differs from what was read where the engine would do more than it is asked to: nothing is pulled,
//! paths are whole, a config map that fills a volume is a copy of its own, annotations come from a short list, and
//! `/var/hyperprotect` is read-only and keeps its owner.

use std::collections::BTreeMap;
use std::fmt;

use countersign_contract::refusal::MAX_REPORTED;
use countersign_contract::yaml::Value;
use countersign_crypto::secret::{EnvironmentValue, SecretBytes};
use serde::Serialize;
use zeroize::Zeroizing;

mod config_map;
mod container;
mod decimal;
mod environment;
mod fault;
mod model;
mod mount;
mod names;
mod notice;
mod pod;
mod probe;
mod read;
mod resources;
mod room;
mod security;
mod sources;
#[cfg(test)]
mod tests;
mod volume;

use crate::images::signatures::SignatureRules;

use super::json;
use super::reach::{ReachRule, Way};
use config_map::Map;
use model::{ConfigMap, Text};
use read::Look;
use room::Room;
use sources::ObjectKind;

pub use fault::{PlayFault, PlayRefusal, Step};
pub use names::CONFIG_MAP;
pub use notice::{Notice, PlayNotice};

/// Where the archive lies in the guest; relative paths of pods begin there, as under HPCR.
pub const PLAY_FOLDER: &str = "/data1/play";

/// Bytes of what the engine gets.
pub const MAX_BYTES: usize = 4 << 20;

/// Where an object comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Origin {
    /// An entry of `play.resources`.
    Resource(usize),
    /// An entry of `play.templates`.
    Template(usize),
    /// A file of the archive.
    File(String),
    /// None of them: what is said is about all objects.
    Nowhere,
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Origin::Resource(number) => write!(f, "resources[{number}]"),
            Origin::Template(number) => write!(f, "templates[{number}]"),
            Origin::File(name) => f.write_str(&super::printable(name)),
            Origin::Nowhere => f.write_str("play"),
        }
    }
}

/// What is judged, and with what.
pub struct Input<'i> {
    /// `play.resources`.
    pub resources: Vec<&'i Value>,
    /// `play.templates`.
    pub templates: Vec<&'i Value>,
    /// Files at the top of the archive that hold objects, by name.
    pub files: Vec<(&'i str, &'i [u8])>,
    /// Every path of the archive, folders too.
    pub paths: Vec<&'i str>,
    /// The contract's variables.
    pub variables: BTreeMap<&'i str, &'i EnvironmentValue>,
    /// What containers may reach.
    pub reach: &'i ReachRule,
    /// Who must have signed images.
    pub signed: &'i SignatureRules,
}

impl fmt::Debug for Input<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Input").field("files", &self.files.len()).finish_non_exhaustive()
    }
}

impl Input<'_> {
    fn variable(&self, name: &str) -> Option<&str> {
        self.variables.get(name).map(|value| value.expose())
    }

    /// Whether a path is in the archive; the folder itself is.
    fn has(&self, path: &str) -> bool {
        path.is_empty() || self.paths.contains(&path)
    }
}

/// Whether a path of an archive is one of a file that is read as objects.
pub fn is_object_file(path: &str) -> bool {
    !path.contains('/') && (path.ends_with(".yml") || path.ends_with(".yaml"))
}

/// Pods that the guest runs.
pub struct Played {
    /// What the engine gets: JSON documents, config maps first.
    pub text: SecretBytes,
    /// The images of all containers and volumes, each once.
    pub images: Vec<String>,
    /// What their author should know.
    pub notices: Vec<PlayNotice>,
    /// Every way out of their containers.
    pub ways: Vec<Way>,
    /// All containers, in the order in which they are made.
    pub containers: Vec<ContainerPlan>,
}

impl fmt::Debug for Played {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Played").field("images", &self.images).finish_non_exhaustive()
    }
}

/// A container, for its author.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ContainerPlan {
    /// `POD-NAME`, as the engine and the log call it.
    pub name: String,
    /// Whether it runs once, before the others.
    pub init: bool,
    /// Reference of its image.
    pub image: String,
    /// `Always`, `OnFailure` or `Never`.
    pub restart: &'static str,
    /// `resources[0]`, `templates[0]` or the name of a file.
    pub file: String,
    /// Line of the container there; in the contract for what stands there.
    pub line: usize,
    /// Published ports, `[address:]port:port/protocol`.
    pub ports: Vec<String>,
    /// What is mounted where, `source:path[:ro]`.
    pub mounts: Vec<String>,
    /// Names of variables.
    pub variables: Vec<String>,
}

/// Judges all objects.
///
/// # Errors
/// Every [`PlayRefusal`], in the order of the objects; at most 64.
pub fn judge(input: &Input<'_>) -> Result<Played, Vec<PlayRefusal>> {
    let objects = sources::objects(input).map_err(cut)?;
    let (mut refusals, mut notices) = (Vec::new(), Vec::new());
    let mut left = Some(MAX_BYTES);
    let mut keep = |look: Look| {
        refusals.extend(look.refusals);
        notices.extend(look.notices);
        look.left
    };
    let mut maps = BTreeMap::new();
    maps.insert(CONFIG_MAP.to_owned(), contract_map(input));
    let mut pods = Vec::new();
    for object in &objects {
        let mut look = Look::new(object.origin.clone(), &object.root, left);
        match sources::kind_of(&object.root) {
            Some(ObjectKind::ConfigMap) => {
                let map = config_map::read(&mut look, &object.root, &|name| maps.contains_key(name));
                if let Some((name, map)) = map {
                    maps.entry(name).or_insert(map);
                }
            }
            Some(ObjectKind::Pod) => pods.push(object),
            None => look.refuse(PlayFault::Kind),
        }
        left = keep(look);
    }
    let mut room = Room::new(input, &maps);
    let mut models = Vec::new();
    for (number, object) in pods.iter().enumerate() {
        let mut look = Look::new(object.origin.clone(), &object.root, left);
        room.pod = number;
        models.extend(pod::read(&mut look, &object.root, &mut room));
        left = keep(look);
    }
    let Room { used, copies, images, ways, containers, .. } = room;
    let whole = |fault| {
        let (origin, path) = (Origin::Nowhere, Vec::new());
        PlayRefusal { origin, path, line: 1, column: 1, fault }
    };
    if pods.is_empty() && refusals.is_empty() {
        refusals.push(whole(PlayFault::NoPods));
    }
    if !refusals.is_empty() {
        return Err(cut(refusals));
    }
    let named = maps.iter().filter(|(name, _)| used.contains(*name));
    let mut config_maps: Vec<ConfigMap> =
        named.map(|(name, map)| ConfigMap::new(name, map.data.clone(), map.binary_data.clone())).collect();
    config_maps.extend(copies);
    let text = documents(&config_maps, &models).ok_or_else(|| vec![whole(PlayFault::TooLarge)])?;
    notices.truncate(MAX_REPORTED);
    Ok(Played { text, images, notices, ways, containers })
}

fn cut(mut refusals: Vec<PlayRefusal>) -> Vec<PlayRefusal> {
    refusals.truncate(MAX_REPORTED);
    refusals
}

/// The config map of the contract's variables.
fn contract_map(input: &Input<'_>) -> Map {
    let text =
        |value: &EnvironmentValue| Text { value: Zeroizing::new(value.expose().to_owned()), template: None };
    let data = input.variables.iter().map(|(name, value)| ((*name).to_owned(), text(value))).collect();
    Map { data, binary_data: BTreeMap::new() }
}

/// What separates documents of YAML.
pub(super) const BETWEEN: &str = "\n---\n";

/// One JSON text after the other; none if it is too large.
fn documents(config_maps: &[ConfigMap], pods: &[model::Pod]) -> Option<SecretBytes> {
    let maps = config_maps.iter().map(json::write);
    let texts: Vec<SecretBytes> = maps.chain(pods.iter().map(json::write)).collect::<Result<_, _>>().ok()?;
    let all = joined(&texts);
    (all.expose().len() <= MAX_BYTES).then_some(all)
}

/// Documents in one text, made at its size.
pub(super) fn joined(texts: &[SecretBytes]) -> SecretBytes {
    let size = texts.iter().map(|text| text.expose().len() + BETWEEN.len()).sum();
    let mut all = Vec::with_capacity(size);
    for text in texts {
        if !all.is_empty() {
            all.extend_from_slice(BETWEEN.as_bytes());
        }
        all.extend_from_slice(text.expose());
    }
    SecretBytes::new(all)
}
