//! A section that stands once more below its own name.
//!
//! HPCR's documents show a section as a file with a first line `env: |`, and people encrypt that file as it is. What the
//! schema would say of it leads nowhere: that every field is missing, though all of them are there.

use crate::envelope::SectionTree;
use crate::place::{Place, Pointer, SectionName};
use crate::refusal::Refusal;
use crate::yaml::Value;

/// Both sections, for a whole contract in the place of a section.
const NAMES: [SectionName; 2] = [SectionName::Workload, SectionName::Env];

/// What is to be said of a section whose fields stand below the name of a section; none where they do not.
pub fn wrapper(tree: &SectionTree) -> Option<Refusal> {
    if tree.value.get("type").is_some() {
        return None;
    }
    let own = std::iter::once(tree.name).chain(NAMES);
    let found = own.into_iter().find(|name| is_section(tree.value.get(name.as_str()), *name))?;
    let mark = tree.value.entry(found.as_str())?.key_mark;
    let pointer = Pointer::section(tree.name).child(found.as_str());
    let place = Place { text: tree.text, pointer, mark: Some(mark) };
    Some(Refusal::Wrapped { place, name: tree.name, found })
}

/// Whether a value is a section of this name, as text or as a map: it says so itself.
fn is_section(value: Option<&Value>, name: SectionName) -> bool {
    let Some(value) = value else { return false };
    if let Some(text) = value.as_text() {
        let kinds = text.lines().filter_map(|line| line.trim().strip_prefix("type:"));
        return kinds.map(|kind| kind.trim().trim_matches(['"', '\''])).any(|kind| kind == name.as_str());
    }
    value.get("type").and_then(Value::as_text) == Some(name.as_str())
}
