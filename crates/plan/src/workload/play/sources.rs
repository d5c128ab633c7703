//! Where objects come from: the contract's own, its templates, and the files at the top of the archive.

use std::rc::Rc;

use countersign_contract::yaml::Value;

use super::fault::{PlayFault, PlayRefusal, unreadable};
use super::{Input, MAX_BYTES, Origin};
use crate::workload::document::{self, Kind, Node};
use crate::workload::template;

/// Most objects.
const MAX_OBJECTS: usize = 256;

/// An object, before it is known which.
pub(super) struct Object {
    pub(super) origin: Origin,
    pub(super) root: Rc<Node>,
}

/// All objects, in the order of resources, templates and files by name.
pub(super) fn objects(input: &Input<'_>) -> Result<Vec<Object>, Vec<PlayRefusal>> {
    let mut objects = Vec::new();
    let mut refusals = Vec::new();
    for (number, value) in input.resources.iter().enumerate() {
        objects.push(Object { origin: Origin::Resource(number), root: document::of_contract(value) });
    }
    for (number, value) in input.templates.iter().enumerate() {
        let origin = Origin::Template(number);
        objects.push(Object { root: rendered(value, &origin, input, &mut refusals), origin });
    }
    let mut size = 0;
    for (name, content) in &input.files {
        let origin = Origin::File((*name).to_owned());
        size += content.len();
        if size > MAX_BYTES {
            refusals.push(PlayRefusal {
                origin,
                path: Vec::new(),
                line: 1,
                column: 1,
                fault: PlayFault::TooLarge,
            });
            break;
        }
        match file(content, &origin) {
            Ok(roots) => {
                // Between two separators there may be nothing.
                let roots = roots.into_iter().filter(|root| !root.is_null());
                objects.extend(roots.map(|root| Object { origin: origin.clone(), root }));
            }
            Err(refusal) => refusals.push(refusal),
        }
    }
    if let Some(object) = objects.get(MAX_OBJECTS) {
        let (line, column) = (object.root.line, object.root.column);
        let origin = object.origin.clone();
        refusals.push(PlayRefusal { origin, path: Vec::new(), line, column, fault: PlayFault::TooLarge });
    }
    if refusals.is_empty() { Ok(objects) } else { Err(refusals) }
}

fn file(content: &[u8], origin: &Origin) -> Result<Vec<Rc<Node>>, PlayRefusal> {
    let text = std::str::from_utf8(content).map_err(|error| {
        let before = &content[..error.valid_up_to()];
        let line = 1 + before.iter().filter(|byte| **byte == b'\n').count();
        let (origin, path) = (origin.clone(), Vec::new());
        PlayRefusal { origin, path, line, column: 1, fault: PlayFault::Character }
    })?;
    document::parse_all(text).map_err(|refusal| unreadable(origin.clone(), refusal))
}

/// A template with every text evaluated.
fn rendered(value: &Value, origin: &Origin, input: &Input<'_>, refusals: &mut Vec<PlayRefusal>) -> Rc<Node> {
    let root = document::of_contract(value);
    let lookup = |name: &str| input.variable(name);
    document::replaced(&root, &mut |node, text| {
        if !template::has_expression(text) {
            return None;
        }
        match template::render(text, &lookup) {
            Ok(made) => Some(made),
            Err(refusal) => {
                let path = super::fault::steps(&root, node);
                let (line, column) = (node.line, node.column);
                let fault = PlayFault::Template(refusal);
                refusals.push(PlayRefusal { origin: origin.clone(), path, line, column, fault });
                None
            }
        }
    })
}

/// Whether something of a kind of object says that it is one.
pub(super) fn kind_of(root: &Node) -> Option<ObjectKind> {
    let Kind::Map(entries) = &root.kind else { return None };
    let text = |wanted: &str| {
        let entry = entries.iter().find(|entry| entry.key.eq_ignore_ascii_case(wanted))?;
        entry.value.text()
    };
    match (text("apiVersion"), text("kind")) {
        (Some("v1"), Some("Pod")) => Some(ObjectKind::Pod),
        (Some("v1"), Some("ConfigMap")) => Some(ObjectKind::ConfigMap),
        _ => None,
    }
}

/// Which object it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ObjectKind {
    Pod,
    ConfigMap,
}
