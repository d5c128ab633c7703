//! Fields that stand at the wrong depth: their names are known, only not where they stand.
//!
//! One rule for every map of the schema. An entry that its map does not know, or wants to be of another shape, and that is
//! a field of the entry before it, or of the last thing in that, was to be indented below; one that is a field of a map
//! around it was to be indented less. What the validator says of such a thing, of its name here and its absence there,
//! would be said twice and lead nowhere.

use jsonschema::error::ValidationErrorKind;
use serde_json::Value as Json;

use super::follow;
use crate::envelope::SectionTree;
use crate::place::{Place, Pointer};
use crate::refusal::{MAX_REPORTED, Refusal, Slip};
use crate::yaml::{Entry, Value};

/// Entries that stand beside one another and belong elsewhere, all to one map.
#[derive(Debug)]
pub(super) struct Misplaced {
    place: Place,
    fields: Vec<String>,
    slip: Slip,
    /// The map that they stand in.
    map: Pointer,
    /// The map that they belong to.
    home: Pointer,
    /// Whether that one is there, with something in it.
    filled: bool,
}

impl Misplaced {
    pub(super) fn refusal(&self) -> Refusal {
        Refusal::Misplaced { place: self.place.clone(), fields: self.fields.clone(), slip: self.slip.clone() }
    }

    /// Whether a rule about a whole map is broken by these entries alone.
    pub(super) fn breaks(&self, map: &Pointer, rule: &ValidationErrorKind) -> bool {
        // One entry too many here, or one of several too few there.
        matches!(rule, ValidationErrorKind::MaxProperties { .. }) && *map == self.map
            || matches!(rule, ValidationErrorKind::OneOfNotValid { .. }) && *map == self.home
    }

    /// Whether a refusal says no more than that these entries stand here and not there.
    pub(super) fn explains(&self, refusal: &Refusal) -> bool {
        let at = &refusal.place().pointer;
        (!self.filled && is_within(at, &self.home))
            || self
                .fields
                .iter()
                .any(|field| is_within(at, &self.map.child(field)) || is_within(at, &self.home.child(field)))
    }
}

fn is_within(pointer: &Pointer, map: &Pointer) -> bool {
    let rest = pointer.as_str().strip_prefix(map.as_str());
    rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

/// A value with what the schema says of it, and where it is.
#[derive(Clone)]
struct Node<'t> {
    name: &'t str,
    pointer: Pointer,
    value: &'t Value,
    schema: &'t Json,
}

impl<'t> Node<'t> {
    /// What an entry is, if the schema has anything of its name here.
    fn child(&self, root: &'t Json, entry: &'t Entry) -> Option<Node<'t>> {
        let schema = follow(root, field(self.schema, &entry.key).or_else(|| any(self.schema))?);
        let pointer = self.pointer.child(&entry.key);
        Some(Node { name: &entry.key, pointer, value: &entry.value, schema })
    }

    /// Whether there is nothing in it.
    fn is_empty(&self) -> bool {
        self.value.is_null() || (self.value.is_map() && self.value.entries().is_empty())
    }

    /// Whether an entry that is somewhere else would be the one that is not here.
    fn lacks(&self, root: &Json, entry: &Entry) -> bool {
        match field(self.schema, &entry.key) {
            Some(schema) => {
                let absent =
                    self.value.is_null() || (self.value.is_map() && self.value.get(&entry.key).is_none());
                absent && fits(follow(root, schema), &entry.value)
            }
            // Names that are free stand below what is empty.
            None => {
                self.is_empty()
                    && any(self.schema).is_some_and(|schema| fits(follow(root, schema), &entry.value))
            }
        }
    }
}

/// The field of a fixed name.
fn field<'s>(schema: &'s Json, name: &str) -> Option<&'s Json> {
    schema.get("properties")?.get(name)
}

/// The entry of a free name.
fn any(schema: &Json) -> Option<&Json> {
    schema.get("patternProperties")?.as_object()?.values().next()
}

/// Whether a value has the shape that is asked for; nothing has any.
fn fits(schema: &Json, value: &Value) -> bool {
    match schema.get("type").and_then(Json::as_str) {
        _ if value.is_null() => true,
        Some("object") => value.is_map(),
        Some("array") => value.is_list(),
        _ => !value.is_map() && !value.is_list(),
    }
}

/// All misplaced entries of a section that does not follow its schema.
pub(super) fn find(tree: &SectionTree, schema: &Json) -> Vec<Misplaced> {
    let section =
        Node { name: tree.name.as_str(), pointer: Pointer::section(tree.name), value: &tree.value, schema };
    let mut found = Vec::new();
    look(tree, schema, &[section], &mut found);
    found
}

/// Looks at the entries of the last of `path`, which leads there from the section.
fn look<'t>(tree: &SectionTree, root: &'t Json, path: &[Node<'t>], found: &mut Vec<Misplaced>) {
    let Some(map) = path.last() else { return };
    let mut before: Option<Node<'t>> = None;
    for entry in map.value.entries() {
        let own = map.child(root, entry);
        let at_home = own.as_ref().is_some_and(|own| !own.value.is_null() && fits(own.schema, own.value));
        let home = if at_home { None } else { home(root, path, before.as_ref(), entry) };
        match (home, own) {
            (Some((home, slip)), _) => add(tree, map, home, slip, entry, found),
            (None, own) => {
                if let Some(own) = &own {
                    let path = [path, std::slice::from_ref(own)].concat();
                    look(tree, root, &path, found);
                }
                before = own;
            }
        }
    }
}

/// The map that an entry belongs to, if not the last of `path`, behind whose entry `before` it stands.
fn home<'t>(
    root: &'t Json,
    path: &[Node<'t>],
    before: Option<&Node<'t>>,
    entry: &Entry,
) -> Option<(Node<'t>, Slip)> {
    let map = path.last()?;
    // A section takes any name, so there has to be somebody who misses this one.
    let is_open = map.schema.get("additionalProperties").is_none();
    let mut below = before.cloned();
    let mut beside = true;
    while let Some(node) = below {
        let missed = !is_open || node.value.is_null() || requires(node.schema, &entry.key);
        if missed && node.lacks(root, entry) {
            let slip = Slip::Beside { home: node.name.to_owned(), directly: beside };
            return Some((node, slip));
        }
        below = node.value.entries().last().and_then(|last| node.child(root, last));
        beside = false;
    }
    if is_open || entry.value.is_null() {
        return None;
    }
    let (index, home) = path
        .iter()
        .enumerate()
        .rev()
        .skip(1)
        .find(|(_, around)| field(around.schema, &entry.key).is_some() && around.lacks(root, entry))?;
    let slip = Slip::Below { sibling: path.get(index + 1)?.name.to_owned() };
    Some((home.clone(), slip))
}

fn requires(schema: &Json, name: &str) -> bool {
    let names = schema.get("required").and_then(Json::as_array);
    names.into_iter().flatten().any(|required| required.as_str() == Some(name))
}

fn add(
    tree: &SectionTree,
    map: &Node<'_>,
    home: Node<'_>,
    slip: Slip,
    entry: &Entry,
    found: &mut Vec<Misplaced>,
) {
    let group = found.iter_mut().find(|group| group.map == map.pointer && group.home == home.pointer);
    if let Some(group) = group {
        if group.fields.len() < MAX_REPORTED {
            group.fields.push(entry.key.to_string());
        }
        return;
    }
    if found.len() == MAX_REPORTED {
        return;
    }
    found.push(Misplaced {
        place: Place { text: tree.text, pointer: map.pointer.child(&entry.key), mark: Some(entry.key_mark) },
        fields: vec![entry.key.to_string()],
        slip,
        filled: !home.is_empty(),
        map: map.pointer.clone(),
        home: home.pointer,
    });
}
