//! Reading a checked tree: a value together with its pointer.
//!
//! The schema was applied before, so a field of the wrong kind reads as absent here; that cannot happen.

use crate::envelope::SectionTree;
use crate::place::{Place, Pointer, Text};
use crate::yaml::Value;

/// A value and where it stands.
#[derive(Clone)]
pub(crate) struct Reader<'t> {
    value: &'t Value,
    text: Text,
    pointer: Pointer,
}

impl<'t> Reader<'t> {
    pub(crate) fn section(tree: &'t SectionTree) -> Reader<'t> {
        Reader { value: &tree.value, text: tree.text, pointer: Pointer::section(tree.name) }
    }

    pub(crate) fn value(&self) -> &'t Value {
        self.value
    }

    pub(crate) fn place(&self) -> Place {
        Place { text: self.text, pointer: self.pointer.clone(), mark: Some(self.value.mark()) }
    }

    pub(crate) fn child(&self, name: &str) -> Option<Reader<'t>> {
        let value = self.value.get(name)?;
        Some(Reader { value, text: self.text, pointer: self.pointer.child(name) })
    }

    /// The entries of this list.
    pub(crate) fn items(&self) -> impl Iterator<Item = Reader<'t>> + use<'t> {
        let (text, pointer) = (self.text, self.pointer.clone());
        let item = move |(index, value)| Reader { value, text, pointer: pointer.index(index) };
        self.value.items().iter().enumerate().map(item)
    }

    /// Visits every value at `path`, where `*` is any name or index.
    pub(crate) fn walk(&self, path: &[&str], visit: &mut dyn FnMut(&Reader<'t>)) {
        match path {
            [] => visit(self),
            ["*", rest @ ..] => {
                self.entries().for_each(|(_, child)| child.walk(rest, visit));
                self.items().for_each(|child| child.walk(rest, visit));
            }
            [name, rest @ ..] => {
                if let Some(child) = self.child(name) {
                    child.walk(rest, visit);
                }
            }
        }
    }

    /// The entries of this map.
    pub(crate) fn entries(&self) -> impl Iterator<Item = (&'t str, Reader<'t>)> {
        let (text, pointer) = (self.text, self.pointer.clone());
        self.value.entries().iter().map(move |entry| {
            let name = entry.key.as_str();
            (name, Reader { value: &entry.value, text, pointer: pointer.child(name) })
        })
    }

    /// The entries of the map under `name`; none if there is no such map.
    pub(crate) fn children(&self, name: &str) -> impl Iterator<Item = (&'t str, Reader<'t>)> {
        self.child(name).map(|map| map.entries().collect::<Vec<_>>()).unwrap_or_default().into_iter()
    }

    pub(crate) fn as_text(&self) -> Option<&'t str> {
        self.value.as_text()
    }

    pub(crate) fn text(&self, name: &str) -> Option<&'t str> {
        self.value.get(name)?.as_text()
    }

    pub(crate) fn truth(&self, name: &str) -> Option<bool> {
        self.value.get(name)?.as_bool()
    }

    pub(crate) fn texts(&self, name: &str) -> Option<Vec<String>> {
        let list = self.value.get(name)?;
        Some(list.items().iter().filter_map(Value::as_text).map(str::to_owned).collect())
    }

    /// A number; the schema limits all of them to 0..=65535.
    pub(crate) fn number(&self, name: &str) -> Option<u16> {
        u16::try_from(self.value.get(name)?.as_integer()?).ok()
    }
}
