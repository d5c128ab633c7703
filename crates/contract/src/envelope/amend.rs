//! Changes to the values of a section, for the author's desk: it puts something that does in the place of what was
//! refused, and judges the rest.
//!
//! No guest has a use for it. What was changed is judged like everything else, so nothing wrong passes for its sake.

use zeroize::Zeroizing;

use super::SectionTree;
use crate::place::{Mark, Pointer};
use crate::yaml::{Data, Entry, Style, Value};

impl SectionTree {
    /// A copy of the tree; named, because a copy of a secret should be noticed.
    pub fn duplicate(&self) -> SectionTree {
        SectionTree { name: self.name, text: self.text, value: self.value.duplicate() }
    }

    /// The names of the map at a pointer; none where there is no map.
    pub fn names_under(&self, pointer: &Pointer) -> Vec<String> {
        let names: Vec<String> = pointer.names().skip(1).collect();
        let map = self.value.find(names.iter().map(String::as_str)).map(Value::entries).unwrap_or_default();
        map.iter().map(|entry| entry.key.to_string()).collect()
    }

    /// Takes away the entry of a map below the section; says whether there was one. Entries of a list stay, so that the
    /// others keep their numbers.
    pub fn take_away(&mut self, pointer: &Pointer) -> bool {
        let Some((last, path)) = self.steps(pointer) else { return false };
        let map = path.iter().try_fold(&mut self.value, |value, name| child(value, name));
        match map.map(|value| &mut value.data) {
            Some(Data::Map(entries)) => {
                let before = entries.len();
                entries.retain(|entry| *entry.key != last);
                entries.len() < before
            }
            _ => false,
        }
    }

    /// Puts a text at a pointer below the section, in place of whatever stands there. Maps above it are made; says whether
    /// nothing else stood in the way.
    pub fn put(&mut self, pointer: &Pointer, text: &str) -> bool {
        let Some((last, path)) = self.steps(pointer) else { return false };
        let mut at = &mut self.value;
        for name in path {
            let mark = at.mark;
            if at.get(&name).is_none() {
                add(at, name.clone(), Value { data: Data::Map(Vec::new()), mark }, mark);
            }
            match child(at, &name) {
                Some(value) => at = value,
                None => return false,
            }
        }
        let mark = at.mark;
        let value = Value { data: Data::Text(Zeroizing::new(text.to_owned()), Style::Quoted), mark };
        if let Some(there) = child(at, &last) {
            *there = value;
            return true;
        }
        add(at, last, value, mark)
    }

    /// The last name of a pointer into this section, and those before it.
    fn steps(&self, pointer: &Pointer) -> Option<(String, Vec<String>)> {
        let mut names = pointer.names();
        names.next().filter(|section| section == self.name.as_str())?;
        let mut path: Vec<String> = names.collect();
        Some((path.pop()?, path))
    }
}

fn child<'v>(value: &'v mut Value, name: &str) -> Option<&'v mut Value> {
    match &mut value.data {
        Data::Map(entries) => {
            entries.iter_mut().find(|entry| *entry.key == name).map(|entry| &mut entry.value)
        }
        Data::List(items) => items.get_mut(name.parse::<usize>().ok()?),
        _ => None,
    }
}

/// Adds an entry; says whether it is a map that takes one.
fn add(map: &mut Value, name: String, value: Value, mark: Mark) -> bool {
    let Data::Map(entries) = &mut map.data else { return false };
    entries.push(Entry { key: name.into(), key_mark: mark, value });
    true
}

#[cfg(test)]
#[allow(clippy::expect_used)]
mod tests {
    use countersign_crypto::secret::SectionText;

    use super::*;
    use crate::place::SectionName;

    fn tree(text: &str) -> SectionTree {
        SectionTree::unsealed(SectionName::Env, &SectionText::copy_from(text)).expect("a tree")
    }

    fn shown(tree: &SectionTree) -> String {
        tree.value.to_json().expose().to_string()
    }

    #[test]
    fn a_value_is_taken_away_and_another_put_in_its_place() {
        let mut tree = tree("a: {b: 1, c: [x, y]}\n");
        let env = Pointer::section(SectionName::Env);
        let at = |names: &[&str]| names.iter().fold(env.clone(), |pointer, name| pointer.child(name));
        assert!(tree.take_away(&at(&["a", "b"])) && !tree.take_away(&at(&["a", "b"])));
        assert!(!tree.take_away(&at(&["a", "c", "0"])));
        assert_eq!(shown(&tree), r#"{"a":{"c":["x","y"]}}"#);
        assert!(tree.put(&at(&["a", "c", "0"]), "z") && tree.put(&at(&["d", "e"]), "f"));
        assert_eq!(shown(&tree), r#"{"a":{"c":["z","y"]},"d":{"e":"f"}}"#);
        // A text has no fields, the section itself stays, and so does the other section.
        for pointer in [at(&["d", "e", "g"]), env.clone(), Pointer::section(SectionName::Workload).child("a")]
        {
            assert!(!tree.put(&pointer, "h") && !tree.take_away(&pointer), "{pointer}");
        }
        assert_eq!(tree.names_under(&at(&["d"])), ["e"]);
    }
}
