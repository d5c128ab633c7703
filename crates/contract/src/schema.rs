//! The JSON Schema of the two sections, and the check of a section against it.
//!
//! The schema texts under `schema/` are the one place where the form of a field is written down: editors read
//! their titles and descriptions, this module takes what is expected (`x-expect`), what names a map may have
//! (`x-expect-name`) and what would help (`x-hint`, `x-hint-name`, and `x-hint-type` for a value of another type) from the
//! same texts. Messages of the validator itself are never used: they print values.
//!
//! Unknown names are refused where the schema closes a map. The sections themselves are open, as in HPCR; an
//! unknown name there is a warning with the nearest known name.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use jsonschema::error::ValidationErrorKind;
use jsonschema::{PatternOptions, ValidationError, Validator};
use serde_json::Value as Json;

use crate::code::Code;
use crate::envelope::{SectionTree, unknown_key};
use crate::nearest::nearest;
use crate::place::{Mark, Place, Pointer, SectionName};
use crate::refusal::{Finding, MAX_REPORTED, Refusal};
use crate::yaml::Value;

mod misplaced;
mod wrapper;

use misplaced::Misplaced;

pub use wrapper::wrapper;

/// A section that follows the schema. Only [`check`] makes one.
#[derive(Debug)]
pub struct CheckedSection {
    tree: SectionTree,
    warnings: Vec<Finding>,
}

impl CheckedSection {
    /// Which section it is.
    pub fn name(&self) -> SectionName {
        self.tree.name
    }

    /// Warnings about unknown keys.
    pub fn warnings(&self) -> &[Finding] {
        &self.warnings
    }

    pub(crate) fn tree(&self) -> &SectionTree {
        &self.tree
    }
}

/// The text of the schema of a section, JSON Schema draft 2020-12.
pub fn text(name: SectionName) -> &'static str {
    match name {
        SectionName::Workload => include_str!("../schema/workload.schema.json"),
        SectionName::Env => include_str!("../schema/env.schema.json"),
    }
}

/// A schema, read and compiled.
struct Schema {
    json: Json,
    validator: Validator,
}

impl Schema {
    /// Each schema is compiled once, and only when it is needed, until [`release`].
    fn of(name: SectionName) -> Arc<Schema> {
        let mut compiled = compiled(name);
        Arc::clone(compiled.get_or_insert_with(|| Arc::new(Schema::compile(text(name)))))
    }

    #[allow(clippy::expect_used)] // The text is part of the program; a test compiles it.
    fn compile(text: &str) -> Schema {
        let json: Json = serde_json::from_str(text).expect("the built-in schema is JSON");
        let validator = jsonschema::options()
            .with_pattern_options(PatternOptions::regex())
            .build(&json)
            .expect("the built-in schema is valid");
        Schema { json, validator }
    }
}

fn compiled(name: SectionName) -> MutexGuard<'static, Option<Arc<Schema>>> {
    static WORKLOAD: Mutex<Option<Arc<Schema>>> = Mutex::new(None);
    static ENV: Mutex<Option<Arc<Schema>>> = Mutex::new(None);
    let compiled = match name {
        SectionName::Workload => &WORKLOAD,
        SectionName::Env => &ENV,
    };
    // Whoever panicked while it was held has left nothing or a whole schema.
    compiled.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Lets go of the compiled schemas, which take some MiB; the next check compiles anew.
pub fn release() {
    for name in [SectionName::Workload, SectionName::Env] {
        *compiled(name) = None;
    }
}

/// Checks a section against its schema.
///
/// # Errors
/// Every violation as [`Refusal::Schema`], sorted by place.
pub fn check(tree: SectionTree) -> Result<CheckedSection, Vec<Refusal>> {
    if !tree.value.is_map() {
        let place =
            Place { text: tree.text, pointer: Pointer::section(tree.name), mark: Some(tree.value.mark()) };
        return Err(vec![Refusal::NotAMap(place)]);
    }
    if let Some(wrapped) = wrapper(&tree) {
        return Err(vec![wrapped]);
    }
    let schema = Schema::of(tree.name);
    let instance = tree.value.to_json();
    if schema.validator.is_valid(instance.expose()) {
        let warnings = unknown_keys(&tree, &schema.json);
        return Ok(CheckedSection { tree, warnings });
    }
    let misplaced = misplaced::find(&tree, &schema.json);
    let alone = |error: &ValidationError<'_>| {
        let map = Pointer::section(tree.name).join(error.instance_path().as_str());
        misplaced.iter().any(|misplaced| misplaced.breaks(&map, error.kind()))
    };
    let mut refusals: Vec<Refusal> = schema
        .validator
        .iter_errors(instance.expose())
        .filter(|error| !alone(error))
        .flat_map(|error| violation(&tree, &schema.json, &error))
        .take(MAX_REPORTED)
        .collect();
    refusals.retain(|refusal| !misplaced.iter().any(|misplaced| misplaced.explains(refusal)));
    refusals.extend(misplaced.iter().map(Misplaced::refusal));
    refusals.sort_by_key(|refusal| refusal.place().mark);
    refusals.dedup();
    Err(refusals)
}

/// The keys of a section that its schema does not know.
fn unknown_keys(tree: &SectionTree, schema: &Json) -> Vec<Finding> {
    let known = property_names(schema);
    tree.value
        .entries()
        .iter()
        .filter(|entry| !known.contains(&entry.key.as_str()))
        .take(MAX_REPORTED)
        .map(|entry| {
            let pointer = Pointer::section(tree.name).child(&entry.key);
            unknown_key(Place { text: tree.text, pointer, mark: Some(entry.key_mark) }, &entry.key, &known)
        })
        .collect()
}

/// A place in a schema, for who goes through a section that follows it.
#[derive(Clone, Copy)]
pub(crate) struct Node<'s> {
    schema: &'s Json,
    node: &'s Json,
}

impl<'s> Node<'s> {
    /// Of the whole section, in what [`json`] gives.
    pub(crate) fn root(schema: &'s Json) -> Node<'s> {
        Node { schema, node: schema }
    }

    /// Of a field: by its name, else of what may have any name. None where the schema knows neither.
    pub(crate) fn field(self, name: &str) -> Option<Node<'s>> {
        let child = |key: &str| self.node.get(key).and_then(Json::as_object);
        let named = child("properties").and_then(|properties| properties.get(name));
        let other = || child("patternProperties").and_then(|patterns| patterns.values().next());
        self.at(named.or_else(other)?)
    }

    /// Of the entries of a list.
    pub(crate) fn item(self) -> Option<Node<'s>> {
        self.at(self.node.get("items")?)
    }

    /// Whether the value is one that is given and never shown again.
    pub(crate) fn is_secret(self) -> bool {
        self.node.get("writeOnly") == Some(&Json::Bool(true))
    }

    fn at(self, node: &'s Json) -> Option<Node<'s>> {
        Some(Node { node: follow(self.schema, node), ..self })
    }
}

/// The schema of a section as values.
pub(crate) fn json(name: SectionName) -> Json {
    serde_json::from_str(text(name)).unwrap_or_default()
}

/// The names of the fields of a section.
pub(crate) fn fields(name: SectionName) -> Vec<String> {
    property_names(&json(name)).into_iter().map(str::to_owned).collect()
}

/// The names under `properties` of a schema node, sorted.
fn property_names(node: &Json) -> Vec<&str> {
    let map = node.get("properties").and_then(Json::as_object);
    let mut names: Vec<&str> = map.map_or_else(Vec::new, |map| map.keys().map(String::as_str).collect());
    names.sort_unstable();
    names
}

/// One error of the validator as refusals: one for each field that is missing or not known, else one.
fn violation(tree: &SectionTree, schema: &Json, error: &ValidationError<'_>) -> Vec<Refusal> {
    let names: Vec<String> = Pointer::root().join(error.instance_path().as_str()).names().collect();
    let base = Pointer::section(tree.name);
    let pointer = names.iter().fold(base, |pointer, name| pointer.child(name));
    let value = tree.value.find(names.iter().map(String::as_str));
    let mark = value.map(Value::mark);
    let node = node_of(schema, error.evaluation_path().as_str()).unwrap_or(schema);
    let refusal = |pointer: Pointer, mark: Option<Mark>, expectation: String, hint: String| Refusal::Schema {
        place: Place { text: tree.text, pointer, mark },
        expectation: format!("expected {expectation}").into(),
        hint: hint.into(),
    };
    match error.kind() {
        ValidationErrorKind::Required { property } => {
            let property = property.as_str().unwrap_or_default();
            if let Some(given) = dependent(error, node, property) {
                let place = Place { text: tree.text, pointer: pointer.child(property), mark };
                let given = (given, node.pointer(&format!("/properties/{given}")));
                return vec![half(place, property, given)];
            }
            let field = node.pointer(&format!("/properties/{property}")).map(|field| follow(schema, field));
            let expectation = match field.and_then(|field| note(field, "x-expect")) {
                Some(what) => format!("the field {property}: {what}"),
                None => format!("the field {property}"),
            };
            let known = property_names(node);
            let found = value.into_iter().flat_map(Value::entries).map(|entry| entry.key.as_str());
            let misspelled = found
                .filter(|key| !known.contains(key))
                .find(|key| nearest(key, [property]).is_some())
                .map(|key| format!("there is {key}: is {property} meant?"));
            let hint = misspelled.unwrap_or_else(|| hint_of(field.unwrap_or(node)));
            vec![refusal(pointer.child(property), mark, expectation, hint)]
        }
        ValidationErrorKind::AdditionalProperties { unexpected } => {
            let known = property_names(node);
            let unknown = |key: &String| {
                let mark = value.and_then(|value| value.entry(key)).map(|entry| entry.key_mark);
                let expectation = match note(node, "x-expect-name") {
                    Some(what) => format!("as name {what}"),
                    None => "no field of this name".to_owned(),
                };
                let hint = match (nearest(key, known.iter().copied()), note(node, "x-hint-name")) {
                    (Some(name), _) => format!("is {name} meant?"),
                    (None, Some(hint)) => hint.to_owned(),
                    (None, None) => format!("known here: {}", known.join(", ")),
                };
                refusal(pointer.child(key), mark, expectation, hint)
            };
            unexpected.iter().take(MAX_REPORTED).map(unknown).collect()
        }
        _ => {
            let expectation = note(node, "x-expect").unwrap_or("a value that the schema allows");
            // What is of the right type needs no quotes.
            let of_type = matches!(error.kind(), ValidationErrorKind::Type { .. });
            let hint = note(node, "x-hint-type").filter(|_| of_type);
            let mut hint = hint.map_or_else(|| hint_of(node), str::to_owned);
            if value.is_some_and(Value::is_comment) {
                hint.push_str("; what begins with # is a comment: put a value that does in quotes");
            }
            vec![refusal(pointer, mark, expectation.to_owned(), hint)]
        }
    }
}

/// The field for whose sake another is needed, where a rule of that kind is broken.
fn dependent<'s>(error: &ValidationError<'_>, node: &'s Json, property: &str) -> Option<&'s str> {
    if !error.schema_path().as_str().ends_with("/dependentRequired") {
        return None;
    }
    let rules = node.get("dependentRequired")?.as_object()?;
    let needs =
        |names: &Json| names.as_array().is_some_and(|names| names.iter().any(|name| name == property));
    rules.iter().find(|(_, names)| needs(names)).map(|(given, _)| given.as_str())
}

/// One of two fields that are given both or not at all. For the halves of the client certificate HPCR has codes.
fn half(place: Place, property: &str, (given, node): (&str, Option<&Json>)) -> Refusal {
    match place.pointer.as_str() {
        "/env/logging/syslog/cert" => Refusal::ClientCertificateMissing(place),
        "/env/logging/syslog/key" => Refusal::ClientKeyMissing(place),
        _ => Refusal::Schema {
            expectation: format!("expected the field {property}, because {given} is given").into(),
            hint: node.map_or_else(|| format!("add {property}, or remove {given}"), hint_of).into(),
            place,
        },
    }
}

/// An annotation of a schema node.
fn note<'s>(node: &'s Json, key: &str) -> Option<&'s str> {
    node.get(key)?.as_str()
}

/// What would help; every node has it, a test walks them.
fn hint_of(node: &Json) -> String {
    note(node, "x-hint").unwrap_or(Code::ContractInvalid.remedy()).to_owned()
}

/// The annotated schema node that the keyword at the end of an evaluation path speaks about, references
/// followed. A condition (`then`, an entry of `oneOf`) speaks about the node that it stands in.
fn node_of<'s>(schema: &'s Json, path: &str) -> Option<&'s Json> {
    let mut names: Vec<String> = Pointer::root().join(path).names().collect();
    names.pop();
    let mut annotated = schema;
    let mut node = schema;
    for name in &names {
        node = match name.as_str() {
            "$ref" => follow(schema, node),
            name => match node {
                Json::Array(items) => items.get(name.parse::<usize>().ok()?)?,
                node => node.get(name)?,
            },
        };
        if node.get("x-expect").is_some_and(Json::is_string) {
            annotated = node;
        }
    }
    Some(annotated)
}

/// The node that a local reference points to, or the node itself where it is not a reference.
fn follow<'s>(schema: &'s Json, node: &'s Json) -> &'s Json {
    node.get("$ref")
        .and_then(Json::as_str)
        .and_then(|reference| schema.pointer(reference.strip_prefix('#')?))
        .unwrap_or(node)
}

#[cfg(test)]
#[path = "schema/tests.rs"]
#[allow(clippy::expect_used)]
mod tests;
