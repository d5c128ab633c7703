//! Whether a compose file has the form that the compose program demands: which keys there are, and what stands under
//! them. The forms themselves are in `keys`.
//!
//! The program checks its schema after variables are replaced, and so does this. A node that is shared by an alias is
//! checked once for each form, however often it is named.

use std::collections::{BTreeSet, HashSet};
use std::rc::Rc;

use countersign_contract::nearest::nearest;
use countersign_contract::refusal::MAX_REPORTED;

use super::{ComposeFault, ComposeRefusal, printable};
use crate::workload::document::{Entry, Kind, Node};
use crate::workload::interpolate::{Fault, Interpolated, interpolate};
use crate::workload::scalar::{self, Scalar};

/// Longest text once its variables are replaced.
const LONGEST_TEXT: usize = 1 << 20;

/// What may stand in a place: a scalar of some kinds, a list, a map, or several of these.
#[derive(Debug)]
pub(super) struct Shape {
    scalars: &'static [Scalar],
    /// Of a text.
    form: fn(&str) -> bool,
    list: Option<List>,
    map: Option<Map>,
    /// What is expected, for a message.
    pub(super) expected: &'static str,
}

#[derive(Debug)]
struct List {
    of: &'static Shape,
    /// Whether a text may stand in it once only.
    unique: bool,
}

#[derive(Debug)]
enum Map {
    Keys(&'static Keys),
    /// Names of the author's, each with this.
    Of(&'static Shape),
    Any,
}

/// The keys of a map.
#[derive(Debug)]
pub(super) struct Keys {
    pub(super) known: &'static [(&'static str, &'static Shape)],
    pub(super) required: &'static [&'static str],
    /// Whether keys that begin with `x-` are left alone.
    pub(super) extensions: bool,
}

impl Shape {
    pub(super) const fn expecting(expected: &'static str) -> Shape {
        Shape { scalars: &[], form: super::values::any, list: None, map: None, expected }
    }

    pub(super) const fn scalar(self, scalars: &'static [Scalar]) -> Shape {
        Shape { scalars, ..self }
    }

    pub(super) const fn form(self, form: fn(&str) -> bool) -> Shape {
        Shape { form, ..self }
    }

    pub(super) const fn list(self, of: &'static Shape) -> Shape {
        Shape { list: Some(List { of, unique: false }), ..self }
    }

    pub(super) const fn set(self, of: &'static Shape) -> Shape {
        Shape { list: Some(List { of, unique: true }), ..self }
    }

    pub(super) const fn keys(self, keys: &'static Keys) -> Shape {
        Shape { map: Some(Map::Keys(keys)), ..self }
    }

    pub(super) const fn names(self, of: &'static Shape) -> Shape {
        Shape { map: Some(Map::Of(of)), ..self }
    }

    pub(super) const fn any_map(self) -> Shape {
        Shape { map: Some(Map::Any), ..self }
    }
}

/// A file that is looked at, with the values of its variables.
pub(super) struct Look<'l, 'a> {
    lookup: &'l dyn Fn(&str) -> Option<&'a str>,
    refusals: Vec<ComposeRefusal>,
    /// Variables that the file uses and nobody sets.
    pub(super) unset: BTreeSet<String>,
    checked: HashSet<(*const Node, *const Shape)>,
    read: HashSet<*const Node>,
    /// Keys on the way to where the look is.
    at: Vec<Rc<str>>,
}

impl<'l, 'a> Look<'l, 'a> {
    pub(super) fn new(lookup: &'l dyn Fn(&str) -> Option<&'a str>) -> Look<'l, 'a> {
        Look {
            lookup,
            refusals: Vec::new(),
            unset: BTreeSet::new(),
            checked: HashSet::new(),
            read: HashSet::new(),
            at: Vec::new(),
        }
    }

    pub(super) fn refuse(&mut self, line: usize, fault: ComposeFault) {
        if self.refusals.len() < MAX_REPORTED {
            self.refusals.push(ComposeRefusal { line, fault });
        }
    }

    pub(super) fn refusals(self) -> Vec<ComposeRefusal> {
        self.refusals
    }

    /// The text of a scalar with its variables replaced; `None` for anything else, and where that is not possible, which
    /// [`Look::texts`] tells.
    pub(super) fn text(&self, node: &Node) -> Option<Interpolated> {
        let text = node.text()?;
        interpolate(text, LONGEST_TEXT, self.lookup).ok()
    }

    fn place(&self) -> String {
        self.at.join(".")
    }

    /// Replaces the variables of every text, and looks at every key.
    pub(super) fn texts(&mut self, node: &Rc<Node>) {
        if !self.read.insert(Rc::as_ptr(node)) {
            return;
        }
        match &node.kind {
            Kind::Scalar(text, _) if text.contains('$') => {
                match interpolate(text, LONGEST_TEXT, self.lookup) {
                    Ok(read) => self.unset.extend(read.unset),
                    Err(Fault::Missing(name)) => {
                        let fault = ComposeFault::Required { at: self.place(), variable: name };
                        self.refuse(node.line, fault);
                    }
                    Err(Fault::Malformed | Fault::TooLarge) => {
                        self.refuse(node.line, ComposeFault::Dollar { at: self.place() });
                    }
                }
            }
            Kind::Scalar(..) => {}
            Kind::List(items) => items.iter().for_each(|item| self.texts(item)),
            Kind::Map(entries) => {
                for entry in entries {
                    if entry.plain && entry.key_kind() != Scalar::Text {
                        let fault = ComposeFault::KeyNotText { at: self.place() };
                        self.refuse(entry.line, fault);
                    }
                    self.below(entry, |look| look.texts(&entry.value));
                }
            }
        }
    }

    /// Holds a node against what is expected there; `line` is the line of its key.
    pub(super) fn check(&mut self, node: &Rc<Node>, shape: &'static Shape, line: usize) {
        if !self.checked.insert((Rc::as_ptr(node), shape)) {
            return;
        }
        match &node.kind {
            Kind::Scalar(text, plain) => {
                if !self.is_one_of(node, text, *plain, shape) {
                    self.misshapen(line, shape);
                }
            }
            Kind::List(items) => match &shape.list {
                Some(List { of, unique }) => {
                    let mut known = HashSet::new();
                    for item in items {
                        self.check(item, of, item.line);
                        let text = self.text(item).filter(|_| *unique);
                        if text.is_some_and(|read| !known.insert(read.text.to_string())) {
                            self.refuse(item.line, ComposeFault::Twice { at: self.place() });
                        }
                    }
                }
                None => self.misshapen(line, shape),
            },
            Kind::Map(entries) => match &shape.map {
                Some(Map::Keys(keys)) => self.keys(entries, keys, line),
                Some(Map::Of(of)) => entries
                    .iter()
                    .for_each(|entry| self.below(entry, |look| look.check(&entry.value, of, entry.line))),
                Some(Map::Any) => {}
                None => self.misshapen(line, shape),
            },
        }
    }

    fn keys(&mut self, entries: &[Entry], keys: &'static Keys, line: usize) {
        // Where nothing is given, what is extended counts.
        let inherits = entries.iter().any(|entry| &*entry.key == "extends");
        for entry in entries.iter().filter(|entry| !(inherits && entry.value.is_null())) {
            let known = keys.known.iter().find(|(key, _)| *key == &*entry.key);
            match known {
                Some((_, shape)) => self.below(entry, |look| look.check(&entry.value, shape, entry.line)),
                None if keys.extensions && entry.key.starts_with("x-") => {}
                None => {
                    let fault = ComposeFault::UnknownKey {
                        at: self.place(),
                        key: printable(&entry.key),
                        nearest: nearest(&entry.key, keys.known.iter().map(|(key, _)| *key)),
                    };
                    self.refuse(entry.line, fault);
                }
            }
        }
        for required in keys.required {
            if !entries.iter().any(|entry| &*entry.key == *required) {
                self.refuse(line, ComposeFault::MissingKey { at: self.place(), key: required });
            }
        }
    }

    fn is_one_of(&self, node: &Node, text: &str, plain: bool, shape: &Shape) -> bool {
        // A tag of the core schema says what it is; that is left to the program.
        if node.tagged {
            return true;
        }
        let kind = if plain { scalar::plain(text) } else { Scalar::Text };
        if !shape.scalars.contains(&kind) {
            return false;
        }
        match kind {
            // Where it cannot be read, that has been said.
            Scalar::Text => self.text(node).is_none_or(|read| (shape.form)(&read.text)),
            _ => true,
        }
    }

    fn misshapen(&mut self, line: usize, shape: &Shape) {
        let fault = ComposeFault::Form { at: self.place(), expected: shape.expected };
        self.refuse(line, fault);
    }

    fn below(&mut self, entry: &Entry, look: impl FnOnce(&mut Self)) {
        self.at.push(printable(&entry.key).into());
        look(self);
        self.at.pop();
    }
}
