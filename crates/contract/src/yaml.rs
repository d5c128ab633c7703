//! YAML text to a tree of values, each with its place.
//!
//! This is the first code that sees bytes from the host, so it is narrow: the failsafe shapes (strings, lists,
//! maps with string keys) plus the plain scalars of the YAML 1.2 core schema. Anchors, aliases, tags, merge
//! keys, directives, several documents, duplicate keys and keys that are not strings are refused, each with
//! its own reason; size, depth and number of nodes are bounded. It knows nothing of contracts.
//!
//! Scalars follow YAML 1.2 (<https://yaml.org/spec/1.2.2/#103-core-schema>): `no`, `yes`, `on`, `off` and dates
//! are strings. One deviation: a number with a leading zero (`017`) stays a string, because YAML 1.1 reads it
//! as octal and 1.2 as decimal; where a number is needed such a text is refused. Quoted and block scalars are
//! always strings.
//!
//! The syntax is that of the readers which HPCR and the compose program use; see [`Source`]. Strings of the
//! finished tree are wiped on drop; the parser's own buffers are not ours to wipe.

use std::fmt;

use zeroize::{Zeroize, Zeroizing};

use crate::place::Mark;

mod build;
mod events;
mod scalar;
mod twin;
mod unreadable;

pub use build::parse;
pub use events::{Event, Events, Source, Tag};
pub use unreadable::{Cause, Unreadable, begins_with_braces};

/// Largest text, in bytes: 1 MiB.
pub const MAX_BYTES: usize = 1 << 20;

/// Most levels of nested maps and lists.
pub const MAX_DEPTH: usize = 64;

/// Most nodes: every key, scalar, list and map counts one.
pub const MAX_NODES: usize = 16_384;

/// A value with its place. `Debug` shows the kind and the place only.
pub struct Value {
    pub(crate) data: Data,
    pub(crate) mark: Mark,
}

/// What a value is.
pub(crate) enum Data {
    Null,
    /// Nothing, and a comment where the value would stand.
    Comment,
    Bool(bool),
    Integer(i64),
    Float(f64),
    Text(Zeroizing<String>, Style),
    List(Vec<Value>),
    Map(Vec<Entry>),
}

/// How a string was written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Style {
    /// Without quotes.
    Plain,
    /// In single or double quotes.
    Quoted,
    /// A literal block, `|`: its lines are lines of the file.
    Literal,
    /// A folded block, `>`.
    Folded,
}

/// An entry of a map.
pub struct Entry {
    /// The key.
    pub key: Zeroizing<String>,
    /// Where the key begins.
    pub key_mark: Mark,
    /// The value.
    pub value: Value,
}

impl Value {
    /// Where the value begins; translated by the origin given to [`parse`].
    pub fn mark(&self) -> Mark {
        self.mark
    }

    /// The kind with its article, for messages: `a string`, `a map`.
    pub fn kind(&self) -> &'static str {
        match self.data {
            Data::Null | Data::Comment => "nothing",
            Data::Bool(_) => "true or false",
            Data::Integer(_) | Data::Float(_) => "a number",
            Data::Text(..) => "a string",
            Data::List(_) => "a list",
            Data::Map(_) => "a map",
        }
    }

    /// The string, if it is one.
    pub fn as_text(&self) -> Option<&str> {
        match &self.data {
            Data::Text(text, _) => Some(text),
            _ => None,
        }
    }

    /// How the string was written, if it is one.
    pub fn style(&self) -> Option<Style> {
        match &self.data {
            Data::Text(_, style) => Some(*style),
            _ => None,
        }
    }

    /// The integer, if it is one.
    pub fn as_integer(&self) -> Option<i64> {
        match self.data {
            Data::Integer(number) => Some(number),
            _ => None,
        }
    }

    /// The number that is no integer, if it is one.
    pub fn as_float(&self) -> Option<f64> {
        match self.data {
            Data::Float(number) => Some(number),
            _ => None,
        }
    }

    /// The truth value, if it is one.
    pub fn as_bool(&self) -> Option<bool> {
        match self.data {
            Data::Bool(truth) => Some(truth),
            _ => None,
        }
    }

    /// Whether there is nothing: `null`, `~`, or an empty plain scalar.
    pub fn is_null(&self) -> bool {
        matches!(self.data, Data::Null | Data::Comment)
    }

    /// Whether there is nothing but a comment on the line where it would stand.
    pub(crate) fn is_comment(&self) -> bool {
        matches!(self.data, Data::Comment)
    }

    /// Whether nothing stands there: nothing, or a block of text without a line.
    pub(crate) fn is_blank(&self) -> bool {
        match &self.data {
            Data::Text(text, Style::Literal | Style::Folded) => text.trim().is_empty(),
            _ => self.is_null(),
        }
    }

    /// The entries of a list; of anything else, none.
    pub fn items(&self) -> &[Value] {
        match &self.data {
            Data::List(items) => items,
            _ => &[],
        }
    }

    /// The entries of a map, in the order of the text; of anything else, none.
    pub fn entries(&self) -> &[Entry] {
        match &self.data {
            Data::Map(entries) => entries,
            _ => &[],
        }
    }

    /// Whether it is a map.
    pub fn is_map(&self) -> bool {
        matches!(self.data, Data::Map(_))
    }

    /// Whether it is a list.
    pub fn is_list(&self) -> bool {
        matches!(self.data, Data::List(_))
    }

    /// The entry of a map under `key`.
    pub fn entry(&self, key: &str) -> Option<&Entry> {
        self.entries().iter().find(|entry| *entry.key == key)
    }

    /// The value under `key`, if this is a map that has it.
    pub fn get(&self, key: &str) -> Option<&Value> {
        self.entry(key).map(|entry| &entry.value)
    }

    /// The value at the end of `names`; list entries are named by their index.
    pub fn find<'n>(&self, names: impl IntoIterator<Item = &'n str>) -> Option<&Value> {
        names.into_iter().try_fold(self, |value, name| match &value.data {
            Data::Map(_) => value.get(name),
            Data::List(items) => name.parse::<usize>().ok().and_then(|index| items.get(index)),
            _ => None,
        })
    }

    /// A copy of the tree; named, because a copy of a secret should be noticed.
    pub(crate) fn duplicate(&self) -> Value {
        let data = match &self.data {
            Data::Null => Data::Null,
            Data::Comment => Data::Comment,
            Data::Bool(truth) => Data::Bool(*truth),
            Data::Integer(number) => Data::Integer(*number),
            Data::Float(number) => Data::Float(*number),
            Data::Text(text, style) => Data::Text(text.clone(), *style),
            Data::List(items) => Data::List(items.iter().map(Value::duplicate).collect()),
            Data::Map(entries) => Data::Map(
                entries
                    .iter()
                    .map(|entry| Entry {
                        key: entry.key.clone(),
                        key_mark: entry.key_mark,
                        value: entry.value.duplicate(),
                    })
                    .collect(),
            ),
        };
        Value { data, mark: self.mark }
    }

    /// The same tree as a JSON value, wiped when it is dropped. Infinities and not-a-number become null.
    pub fn to_json(&self) -> WipedJson {
        WipedJson(json(self))
    }
}

impl fmt::Debug for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} at line {}, column {}", self.kind(), self.mark.line, self.mark.column)
    }
}

impl fmt::Debug for Entry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}: {:?}", &*self.key, self.value)
    }
}

/// A JSON value whose strings are wiped on drop.
pub struct WipedJson(serde_json::Value);

impl WipedJson {
    /// The value, for a validator or a renderer.
    pub fn expose(&self) -> &serde_json::Value {
        &self.0
    }
}

impl fmt::Debug for WipedJson {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("WipedJson(…)")
    }
}

impl Drop for WipedJson {
    fn drop(&mut self) {
        wipe(&mut self.0);
    }
}

fn json(value: &Value) -> serde_json::Value {
    match &value.data {
        Data::Null | Data::Comment => serde_json::Value::Null,
        Data::Bool(truth) => (*truth).into(),
        Data::Integer(number) => (*number).into(),
        Data::Float(number) => (*number).into(),
        Data::Text(text, _) => text.as_str().into(),
        Data::List(items) => items.iter().map(json).collect(),
        Data::Map(entries) => {
            entries.iter().map(|entry| (entry.key.to_string(), json(&entry.value))).collect()
        }
    }
}

fn wipe(value: &mut serde_json::Value) {
    match value {
        serde_json::Value::String(text) => text.zeroize(),
        serde_json::Value::Array(items) => items.iter_mut().for_each(wipe),
        serde_json::Value::Object(entries) => entries.values_mut().for_each(wipe),
        _ => {}
    }
}

#[cfg(test)]
#[allow(clippy::expect_used)]
mod tests;
