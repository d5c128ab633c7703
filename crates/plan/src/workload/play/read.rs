//! Maps, lists and scalars of an object, as the engine reads them: Go's package encoding/json behind a reader of YAML.
//!
//! Keys are found in whatever letters, as there; one that is there twice is refused, for which of them counts depends on
//! its letters. Null is as good as absent. Where a text is expected, numbers, truths and dates become what the engine
//! makes of them (`010` is `8`); where a number is expected, a text is refused.

use std::collections::HashSet;
use std::rc::Rc;

use countersign_contract::nearest::nearest;
use countersign_contract::refusal::MAX_REPORTED;
use zeroize::Zeroizing;

use super::Origin;
use super::decimal::decimal;
use super::fault::{PlayFault, PlayRefusal, Step};
use super::model::{Text, Texts};
use super::notice::{Notice, PlayNotice};
use crate::workload::document::{Entry, Kind, Node};
use crate::workload::printable;
use crate::workload::scalar::{self, Scalar};

/// The keys of a map.
#[derive(Debug, Clone, Copy)]
pub(super) struct Keys {
    /// What is read.
    pub(super) read: &'static [&'static str],
    /// What the engine leaves out, which is told.
    pub(super) left_out: &'static [&'static str],
    /// What the engine leaves out and nobody misses.
    pub(super) unneeded: &'static [&'static str],
    /// What is refused, and what is expected instead.
    pub(super) refused: &'static [(&'static str, &'static str)],
}

impl Keys {
    pub(super) const fn read(read: &'static [&'static str]) -> Keys {
        Keys { read, left_out: &[], unneeded: &[], refused: &[] }
    }
}

/// The entries of a map by the names that the API has for them.
pub(super) struct Fields<'n> {
    entries: Vec<(&'static str, &'n Entry)>,
    /// Of the map.
    pub(super) spot: (usize, usize),
}

impl<'n> Fields<'n> {
    pub(super) fn get(&self, key: &str) -> Option<&'n Rc<Node>> {
        self.entries.iter().find(|(known, _)| *known == key).map(|(_, entry)| &entry.value)
    }
}

/// An object that is looked at.
pub(super) struct Look {
    pub(super) origin: Origin,
    path: Vec<Step>,
    /// Line and column of what is looked at.
    spot: (usize, usize),
    pub(super) refusals: Vec<PlayRefusal>,
    pub(super) notices: Vec<PlayNotice>,
    /// Bytes of texts that may still be taken: an alias of YAML names a long one again and again. None once there were
    /// too many, which was refused.
    pub(super) left: Option<usize>,
}

impl Look {
    pub(super) fn new(origin: Origin, root: &Node, left: Option<usize>) -> Look {
        let spot = (root.line, root.column);
        Look { origin, path: Vec::new(), spot, refusals: Vec::new(), notices: Vec::new(), left }
    }

    /// Takes that many bytes of what may still be taken; where there are not so many, that is refused once.
    pub(super) fn take(&mut self, bytes: usize) -> bool {
        let Some(left) = self.left else { return false };
        self.left = left.checked_sub(bytes);
        if self.left.is_none() {
            self.refuse(PlayFault::TooLarge);
        }
        self.left.is_some()
    }

    pub(super) fn refuse(&mut self, fault: PlayFault) {
        self.refuse_at(self.spot, fault);
    }

    fn refuse_at(&mut self, (line, column): (usize, usize), fault: PlayFault) {
        if self.refusals.len() < MAX_REPORTED {
            let (origin, path) = (self.origin.clone(), self.path.clone());
            self.refusals.push(PlayRefusal { origin, path, line, column, fault });
        }
    }

    pub(super) fn tell(&mut self, notice: Notice) {
        if self.notices.len() < MAX_REPORTED {
            let (origin, path, (line, column)) = (self.origin.clone(), self.path.clone(), self.spot);
            self.notices.push(PlayNotice { origin, path, line, column, notice });
        }
    }

    /// Line of what is looked at.
    pub(super) fn line(&self) -> usize {
        self.spot.0
    }

    fn below<T>(&mut self, step: Step, node: &Node, look: impl FnOnce(&mut Self) -> T) -> T {
        let spot = std::mem::replace(&mut self.spot, (node.line, node.column));
        self.path.push(step);
        let made = look(self);
        self.path.pop();
        self.spot = spot;
        made
    }

    /// Looks at the value of a key, if it is there and not null.
    pub(super) fn at<'n, T>(
        &mut self,
        fields: &Fields<'n>,
        key: &'static str,
        look: impl FnOnce(&mut Self, &'n Rc<Node>) -> T,
    ) -> Option<T> {
        let node = fields.get(key).filter(|node| !node.is_null())?;
        Some(self.below(Step::Key(key.to_owned()), node, |at| look(at, node)))
    }

    /// Refuses where a key should be.
    pub(super) fn missing(&mut self, fields: &Fields<'_>, key: &'static str) {
        self.refuse_at(fields.spot, PlayFault::MissingKey(key));
    }

    /// A map with known keys.
    pub(super) fn fields<'n>(&mut self, node: &'n Node, keys: &Keys) -> Option<Fields<'n>> {
        let Kind::Map(entries) = &node.kind else {
            self.refuse(PlayFault::Form("a map"));
            return None;
        };
        let mut found: Vec<(&'static str, &Entry)> = Vec::new();
        let mut left_out = Vec::new();
        let mut seen = HashSet::new();
        for entry in entries {
            let spot = (entry.line, node.column);
            if entry.plain && entry.key_kind() != Scalar::Text {
                self.refuse_at(spot, PlayFault::Form("keys that are text"));
                continue;
            }
            let key = folded(&entry.key);
            if !seen.insert(key.to_ascii_lowercase()) {
                self.refuse_at(spot, PlayFault::DuplicateKey { key: printable(&entry.key) });
                continue;
            }
            let is = |known: &&&str| known.eq_ignore_ascii_case(&key);
            if let Some(known) = keys.read.iter().find(is) {
                found.push((known, entry));
            } else if let Some((_, expected)) =
                keys.refused.iter().find(|(known, _)| known.eq_ignore_ascii_case(&key))
            {
                if !entry.value.is_null() {
                    self.refuse_at(spot, PlayFault::Engine(expected));
                }
            } else if let Some(known) = keys.left_out.iter().find(is) {
                if !entry.value.is_null() {
                    left_out.push((*known).to_owned());
                }
            } else if !keys.unneeded.iter().any(|known| known.eq_ignore_ascii_case(&key)) {
                let known = keys.read.iter().chain(keys.left_out).copied();
                let nearest = nearest(&entry.key, known);
                self.refuse_at(spot, PlayFault::UnknownKey { key: printable(&entry.key), nearest });
            }
        }
        if !left_out.is_empty() {
            self.tell(Notice::LeftOut { keys: left_out });
        }
        Some(Fields { entries: found, spot: (node.line, node.column) })
    }

    /// Every item of a list.
    pub(super) fn items<'n, T>(
        &mut self,
        fields: &Fields<'n>,
        key: &'static str,
        mut look: impl FnMut(&mut Self, &'n Rc<Node>) -> Option<T>,
    ) -> Vec<T> {
        let made = self.at(fields, key, |at, node| {
            let Kind::List(items) = &node.kind else {
                at.refuse(PlayFault::Form("a list"));
                return Vec::new();
            };
            let mut made = Vec::new();
            for (number, item) in items.iter().enumerate() {
                made.extend(at.below(Step::Item(number), item, |at| look(at, item)));
            }
            made
        });
        made.unwrap_or_default()
    }

    /// Every value of a map whose keys are the author's.
    pub(super) fn named<T>(
        &mut self,
        fields: &Fields<'_>,
        key: &'static str,
        mut look: impl FnMut(&mut Self, &str, &Rc<Node>) -> Option<T>,
    ) -> Vec<(String, T)> {
        let made = self.at(fields, key, |at, node| {
            let Kind::Map(entries) = &node.kind else {
                at.refuse(PlayFault::Form("a map of names"));
                return Vec::new();
            };
            let mut made = Vec::new();
            for entry in entries {
                let step = Step::Key(printable(&entry.key));
                let value = at.below(step, &entry.value, |at| look(at, &entry.key, &entry.value));
                made.extend(value.map(|value| (entry.key.to_string(), value)));
            }
            made
        });
        made.unwrap_or_default()
    }

    /// A map of texts.
    pub(super) fn texts(&mut self, fields: &Fields<'_>, key: &'static str) -> Texts {
        self.named(fields, key, |at, _, node| at.as_text(node)).into_iter().collect()
    }

    /// A list of texts.
    pub(super) fn list(&mut self, fields: &Fields<'_>, key: &'static str) -> Vec<Text> {
        self.items(fields, key, |at, node| at.as_text(node))
    }

    /// A text, unless it is empty.
    pub(super) fn text(&mut self, fields: &Fields<'_>, key: &'static str) -> Option<Text> {
        let text = self.at(fields, key, |at, node| at.as_text(node)).flatten();
        text.filter(|text| !text.value.is_empty())
    }

    /// A text that has to be there.
    pub(super) fn needed(&mut self, fields: &Fields<'_>, key: &'static str) -> Option<Text> {
        let absent = fields.get(key).is_none_or(|node| node.is_null() || node.text() == Some(""));
        if absent {
            self.missing(fields, key);
        }
        self.text(fields, key)
    }

    /// One of some words.
    pub(super) fn word(
        &mut self,
        fields: &Fields<'_>,
        key: &'static str,
        words: &[&'static str],
        expected: &'static str,
    ) -> Option<&'static str> {
        let found = self.at(fields, key, |at, node| {
            let text = at.as_text(node)?;
            if text.value.is_empty() {
                return None;
            }
            let word = words.iter().find(|word| **word == text.as_str());
            if word.is_none() {
                at.refuse(PlayFault::Form(expected));
            }
            word.copied()
        });
        found.flatten()
    }

    pub(super) fn flag(&mut self, fields: &Fields<'_>, key: &'static str) -> Option<bool> {
        let flag = self.at(fields, key, |at, node| match scalar_of(node) {
            Some((text, Scalar::Boolean)) => Some(text.eq_ignore_ascii_case("true")),
            _ => {
                at.refuse(PlayFault::Form("true or false, without quotes"));
                None
            }
        });
        flag.flatten()
    }

    /// A whole number from `least` to `most`.
    pub(super) fn number(
        &mut self,
        fields: &Fields<'_>,
        key: &'static str,
        (least, most): (i64, i64),
        expected: &'static str,
    ) -> Option<i64> {
        let number = self.at(fields, key, |at, node| at.as_number(node, (least, most), expected));
        number.flatten()
    }

    pub(super) fn as_number(
        &mut self,
        node: &Node,
        (least, most): (i64, i64),
        expected: &'static str,
    ) -> Option<i64> {
        let number = match scalar_of(node) {
            Some((text, Scalar::Integer)) => {
                scalar::integer(text).and_then(|number| i64::try_from(number).ok())
            }
            _ => None,
        };
        let number = number.filter(|number| (least..=most).contains(number));
        if number.is_none() {
            self.refuse(PlayFault::Form(expected));
        }
        number
    }

    /// What the engine reads where it expects a text.
    pub(super) fn as_text(&mut self, node: &Node) -> Option<Text> {
        let Some((text, kind)) = scalar_of(node) else {
            self.refuse(PlayFault::Form("a text"));
            return None;
        };
        if !self.take(text.len()) {
            return None;
        }
        let value = match kind {
            Scalar::Null => Some(String::new()),
            Scalar::Boolean => Some(text.to_ascii_lowercase()),
            Scalar::Integer => scalar::integer(text).map(|number| number.to_string()),
            Scalar::Number => decimal(text),
            Scalar::Date => {
                self.refuse(PlayFault::Form("a text; this is a date, put it in quotes"));
                return None;
            }
            Scalar::Text => {
                let value = Zeroizing::new(text.to_owned());
                if value.contains('\0') {
                    self.refuse(PlayFault::Form("a text without NUL"));
                    return None;
                }
                return Some(Text { value, template: node.template.clone() });
            }
        };
        let Some(value) = value else {
            self.refuse(PlayFault::Form("a text, in quotes"));
            return None;
        };
        Some(Text { value: Zeroizing::new(value), template: None })
    }
}

/// The text of a scalar, and what it is without quotes.
pub(super) fn scalar_of(node: &Node) -> Option<(&str, Scalar)> {
    match &node.kind {
        Kind::Scalar(text, plain) => Some((text, if *plain { scalar::plain(text) } else { Scalar::Text })),
        _ => None,
    }
}

/// A key in letters of ASCII, as Go compares it: two other letters are `s` and `k` in another case.
fn folded(key: &str) -> String {
    let letter = |letter: char| match letter {
        '\u{17f}' => 's',
        '\u{212a}' => 'k',
        letter => letter,
    };
    key.chars().map(letter).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_compared_as_go_compares_them() {
        assert_eq!(folded("re\u{17f}tart"), "restart");
        assert_eq!(folded("\u{212a}ey"), "key");
        assert_eq!(folded("\u{e4}"), "\u{e4}");
    }
}
