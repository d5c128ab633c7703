//! What a mutant is made with: a good header, one change, checksums that hold.

use openssl::sha::sha256;
use serde_json::{Value, json};

use super::{Mutant, Outcome};

/// Bytes of one header copy of the good header.
pub(super) const COPY: usize = 0x4000;
/// Bytes of a binary header.
pub(super) const BINARY: usize = 0x1000;
/// Offset and length of the checksum field.
pub(super) const CHECKSUM: (usize, usize) = (448, 64);

/// Which copies a change is made in.
#[derive(Clone, Copy, PartialEq)]
pub(super) enum At {
    Primary,
    Secondary,
    Both,
}

impl At {
    pub(super) fn offsets(self) -> &'static [usize] {
        match self {
            Self::Primary => &[0],
            Self::Secondary => &[COPY],
            Self::Both => &[0, COPY],
        }
    }
}

/// Makes the checksum of a copy hold.
pub(super) fn seal(head: &mut [u8], offset: usize) {
    let copy = &mut head[offset..offset + COPY];
    copy[CHECKSUM.0..CHECKSUM.0 + CHECKSUM.1].fill(0);
    let sum = sha256(copy);
    copy[CHECKSUM.0..CHECKSUM.0 + sum.len()].copy_from_slice(&sum);
}

/// Writes a JSON area and makes the checksum hold.
pub(super) fn put_json(head: &mut [u8], offset: usize, text: &[u8]) {
    let area = &mut head[offset + BINARY..offset + COPY];
    area.fill(0);
    area[..text.len()].copy_from_slice(text);
    seal(head, offset);
}

/// The JSON text of the primary copy.
pub(super) fn json_text(head: &[u8]) -> String {
    let area = &head[BINARY..COPY];
    let end = area.iter().position(|byte| *byte == 0).expect("an ended text");
    String::from_utf8(area[..end].to_vec()).expect("text")
}

/// Mutants of one good header.
pub(crate) struct Forge {
    pub(super) good: Vec<u8>,
    pub(super) mutants: Vec<Mutant>,
}

impl Forge {
    /// Without mutants yet.
    pub(crate) fn new(good: &[u8]) -> Forge {
        Forge { good: good[..2 * COPY].to_vec(), mutants: Vec::new() }
    }

    pub(crate) fn into_mutants(self) -> Vec<Mutant> {
        self.mutants
    }

    pub(super) fn push(&mut self, name: String, head: Vec<u8>, outcome: Outcome) {
        self.mutants.push(Mutant { name, head, outcome, legal_elsewhere: false });
    }

    pub(super) fn legal_elsewhere(&mut self) {
        self.mutants.last_mut().expect("a mutant").legal_elsewhere = true;
    }

    /// Changes the metadata in both copies; places are JSON pointers, empty for the whole area.
    pub(crate) fn json(
        &mut self,
        name: &str,
        expected: &[(&'static str, &str)],
        change: impl FnOnce(&mut Value),
    ) {
        let mut metadata: Value = serde_json::from_str(&json_text(&self.good)).expect("good metadata");
        change(&mut metadata);
        self.text(name, expected, &metadata.to_string());
    }

    pub(super) fn text(&mut self, name: &str, expected: &[(&'static str, &str)], text: &str) {
        self.raw_text(name, expected, text.as_bytes());
    }

    pub(super) fn raw_text(&mut self, name: &str, expected: &[(&'static str, &str)], text: &[u8]) {
        let mut head = self.good.clone();
        for offset in At::Both.offsets() {
            put_json(&mut head, *offset, text);
        }
        let place = |pointer: &str| {
            if pointer.is_empty() { "json area".to_owned() } else { format!("json {pointer}") }
        };
        let expected = expected.iter().map(|(id, pointer)| (*id, place(pointer))).collect();
        self.push(format!("json: {name}"), head, Outcome::Refused(expected));
    }

    /// Sets the member at a JSON pointer to each of the values.
    pub(crate) fn set(&mut self, pointer: &str, id: &'static str, values: &[Value]) {
        self.set_at(pointer, &[(id, pointer)], values);
    }

    pub(crate) fn set_at(&mut self, pointer: &str, expected: &[(&'static str, &str)], values: &[Value]) {
        for value in values {
            let shown: String = value.to_string().chars().take(120).collect();
            self.json(&format!("{pointer} = {shown}"), expected, |metadata| {
                put(metadata, pointer, value.clone());
            });
        }
    }

    pub(super) fn remove(&mut self, pointer: &str) {
        self.json(&format!("{pointer} removed"), &[("json-missing", pointer)], |metadata| {
            let (parent, name) = pointer.rsplit_once('/').expect("a pointer");
            object(metadata, parent).remove(name);
        });
    }

    /// Changes bytes of the binary header at `offset` within the copy.
    pub(super) fn bytes(&mut self, name: &str, at: At, sealed: bool, offset: usize, bytes: &[u8]) -> Vec<u8> {
        let mut head = self.good.clone();
        for copy in at.offsets() {
            head[copy + offset..copy + offset + bytes.len()].copy_from_slice(bytes);
            if sealed {
                seal(&mut head, *copy);
            }
        }
        assert!(head != self.good, "{name} changes nothing");
        head
    }

    /// A changed field: refused in both copies, and in either copy alone.
    pub(super) fn field(&mut self, name: &str, field: &str, id: &'static str, offset: usize, bytes: &[u8]) {
        self.field_sealed(name, field, id, offset, bytes, true);
    }

    pub(super) fn field_sealed(
        &mut self,
        name: &str,
        field: &str,
        id: &'static str,
        offset: usize,
        bytes: &[u8],
        sealed: bool,
    ) {
        let place = |copy: &str| format!("{copy} header field {field}");
        let head = self.bytes(name, At::Both, sealed, offset, bytes);
        self.push(format!("both copies: {name}"), head, Outcome::Refused(vec![(id, place("primary"))]));
        for (at, copy) in [(At::Primary, "primary"), (At::Secondary, "secondary")] {
            let head = self.bytes(name, at, sealed, offset, bytes);
            self.push(format!("{copy} copy: {name}"), head, Outcome::Interrupted(id, place(copy)));
        }
    }
}

pub(crate) fn object<'v>(metadata: &'v mut Value, pointer: &str) -> &'v mut serde_json::Map<String, Value> {
    metadata.pointer_mut(pointer).and_then(Value::as_object_mut).expect("an object of the good header")
}

pub(crate) fn put(metadata: &mut Value, pointer: &str, value: Value) {
    let (parent, name) = pointer.rsplit_once('/').expect("a pointer");
    object(metadata, parent).insert(name.to_owned(), value);
}

pub(crate) fn texts(values: &[&str]) -> Vec<Value> {
    values.iter().map(|value| json!(value)).collect()
}
