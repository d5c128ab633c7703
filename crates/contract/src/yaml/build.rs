//! Builds the tree from the parser's events and refuses what is not to be in a contract.
//!
//! Checks on the raw bytes come first (size, UTF-8, characters, directives), then the events, one at a time, so
//! that a budget that is exceeded stops the parser at once. No recursion: open lists and maps are on a stack.

use std::cell::OnceCell;
use std::collections::HashSet;

use zeroize::Zeroizing;

use super::events::{Event, Source, Tag};
use super::unreadable::{Cause, Unreadable, begins_with_braces};
use super::{Data, Entry, MAX_BYTES, MAX_DEPTH, MAX_NODES, Style, Value, scalar};
use crate::place::{Mark, Origin, Pointer, count};
use crate::refusal::Refusal;

/// Longest line in which a comment is looked for: there may be as many values as characters.
const LONGEST_LINE: usize = 1024;

/// Reads one YAML document.
///
/// `origin` says where the text came from, for the places in values and refusals.
///
/// # Errors
/// The first misbehaviour, as one of the text variants of [`Refusal`].
///
/// ```
/// use countersign_contract::{place::Origin, yaml};
/// let value = yaml::parse(b"port: 6514\nhost: no\n", &Origin::contract())?;
/// assert_eq!(value.get("port").and_then(|port| port.as_integer()), Some(6514));
/// assert_eq!(value.get("host").and_then(|host| host.as_text()), Some("no"));
/// # Ok::<(), countersign_contract::refusal::Refusal>(())
/// ```
pub fn parse(bytes: &[u8], origin: &Origin) -> Result<Value, Refusal> {
    let text = checked_text(bytes, origin)?;
    let mut builder = Builder {
        origin,
        text,
        lines: OnceCell::new(),
        open: Vec::new(),
        root: None,
        nodes: 0,
        documents: 0,
    };
    let source = Source::new(text);
    for step in source.events() {
        let (event, mark) = step.map_err(|unreadable| builder.unreadable(unreadable))?;
        builder.take(event, mark)?;
    }
    match builder.root {
        Some(value) => Ok(value),
        None => Err(Refusal::Empty(origin.place(&Pointer::root(), None))),
    }
}

/// The bytes as text without byte order mark, if size, encoding and characters are as they must be.
fn checked_text<'b>(bytes: &'b [u8], origin: &Origin) -> Result<&'b str, Refusal> {
    let place = |mark| origin.place(&Pointer::root(), mark);
    if bytes.len() > MAX_BYTES {
        return Err(Refusal::TooLarge(place(None)));
    }
    let text = match std::str::from_utf8(bytes) {
        Ok(text) => text,
        Err(error) => {
            let valid = std::str::from_utf8(&bytes[..error.valid_up_to()]).unwrap_or_default();
            return Err(Refusal::NotUtf8(place(Some(Mark::after(valid)))));
        }
    };
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    // Directives may only stand before the document, so the first line with content tells.
    let first = text.lines().enumerate().find(|(_, line)| {
        let line = line.trim();
        !line.is_empty() && !line.starts_with('#')
    });
    if let Some((number, line)) = first
        && line.starts_with('%')
    {
        let mark = Mark { line: count(number + 1), column: 1 };
        return Err(Refusal::Directive(place(Some(mark))));
    }
    Ok(text)
}

/// A list or map that is not complete yet.
enum Open {
    List { mark: Mark, items: Vec<Value> },
    Map { mark: Mark, entries: Vec<Entry>, key: Option<(Zeroizing<String>, Mark)> },
}

struct Builder<'o> {
    origin: &'o Origin,
    text: &'o str,
    /// Its lines, once somebody asks for them.
    lines: OnceCell<Vec<&'o str>>,
    open: Vec<Open>,
    root: Option<Value>,
    nodes: usize,
    documents: usize,
}

impl Builder<'_> {
    /// The place of whatever comes next, with `mark` untranslated.
    fn here(&self, mark: Option<Mark>) -> crate::place::Place {
        let mut pointer = Pointer::root();
        for open in &self.open {
            match open {
                Open::List { items, .. } => pointer = pointer.index(items.len()),
                Open::Map { key: Some((key, _)), .. } => pointer = pointer.child(key),
                Open::Map { key: None, .. } => {}
            }
        }
        self.origin.place(&pointer, mark)
    }

    /// Why the text is not read any further; what concerns the whole text has no pointer.
    fn unreadable(&self, Unreadable { cause, mark }: Unreadable) -> Refusal {
        let place = match cause {
            Cause::ControlCharacter | Cause::LineBreak => self.origin.place(&Pointer::root(), Some(mark)),
            _ => self.here(Some(mark)),
        };
        match cause {
            Cause::ControlCharacter => Refusal::ControlCharacter(place),
            Cause::LineBreak => Refusal::LineBreak(place),
            Cause::TooDeep => Refusal::TooDeep(place),
            Cause::Anchor => Refusal::AnchorOrAlias(place),
            Cause::Tag => Refusal::Tag(place),
            cause => Refusal::Syntax(place, cause),
        }
    }

    fn take(&mut self, event: Event<'_>, mark: Mark) -> Result<(), Refusal> {
        match event {
            Event::DocumentStart => {
                self.documents += 1;
                if self.documents > 1 {
                    return Err(Refusal::SeveralDocuments(self.origin.place(&Pointer::root(), Some(mark))));
                }
            }
            Event::Alias(_) => return Err(Refusal::AnchorOrAlias(self.here(Some(mark)))),
            Event::Scalar(text, style, anchor, tag) => {
                self.admit(anchor, tag, mark)?;
                self.scalar(text.into_owned(), style, mark)?;
            }
            Event::SequenceStart(anchor, tag) => {
                self.admit(anchor, tag, mark)?;
                self.begin(Open::List { mark, items: Vec::new() }, mark)?;
            }
            Event::MappingStart(anchor, tag) => {
                self.admit(anchor, tag, mark)?;
                self.begin(Open::Map { mark, entries: Vec::new(), key: None }, mark)?;
            }
            Event::SequenceEnd | Event::MappingEnd => self.end()?,
        }
        Ok(())
    }

    /// What holds for every node.
    fn admit(&mut self, anchor: usize, tag: Option<Tag>, mark: Mark) -> Result<(), Refusal> {
        if anchor != 0 {
            return Err(Refusal::AnchorOrAlias(self.here(Some(mark))));
        }
        if tag.is_some() {
            return Err(Refusal::Tag(self.here(Some(mark))));
        }
        self.nodes += 1;
        if self.nodes > MAX_NODES {
            return Err(Refusal::TooManyNodes(self.here(Some(mark))));
        }
        Ok(())
    }

    fn scalar(&mut self, text: String, style: Style, mark: Mark) -> Result<(), Refusal> {
        if text.contains('\0') {
            drop(Zeroizing::new(text));
            return Err(Refusal::ControlCharacter(self.here(Some(mark))));
        }
        if style == Style::Plain && text == "<<" && self.expects_key() {
            return Err(Refusal::MergeKey(self.here(Some(mark))));
        }
        let absent = text.is_empty() && style == Style::Plain;
        let data = if absent && self.is_comment(mark) { Data::Comment } else { scalar::scalar(text, style) };
        if self.expects_key() {
            let Data::Text(text, _) = data else {
                return Err(Refusal::KeyNotText(self.here(Some(mark)), None));
            };
            if let Some(Open::Map { key, .. }) = self.open.last_mut() {
                *key = Some((text, mark));
            }
            return Ok(());
        }
        let mark = self.origin.translate(mark);
        self.place_value(Value { data, mark });
        Ok(())
    }

    /// Whether a comment follows where a value is left out.
    fn is_comment(&self, mark: Mark) -> bool {
        let lines = self.lines.get_or_init(|| self.text.lines().collect());
        let index = |number: u32| usize::try_from(number).unwrap_or(usize::MAX).saturating_sub(1);
        let line = lines.get(index(mark.line)).filter(|line| line.len() <= LONGEST_LINE);
        let Some(line) = line else { return false };
        let rest: String = line.chars().skip(index(mark.column)).collect();
        let value = rest.trim_start_matches([':', '-']);
        value.starts_with([' ', '\t']) && value.trim_start().starts_with('#')
    }

    fn expects_key(&self) -> bool {
        matches!(self.open.last(), Some(Open::Map { key: None, .. }))
    }

    fn begin(&mut self, open: Open, mark: Mark) -> Result<(), Refusal> {
        if self.expects_key() {
            let cause = begins_with_braces(self.text, mark).then_some(Cause::Braces);
            return Err(Refusal::KeyNotText(self.here(Some(mark)), cause));
        }
        if self.open.len() >= MAX_DEPTH {
            return Err(Refusal::TooDeep(self.here(Some(mark))));
        }
        self.open.push(open);
        Ok(())
    }

    fn end(&mut self) -> Result<(), Refusal> {
        match self.open.pop() {
            Some(Open::List { mark, items }) => {
                self.place_value(Value { data: Data::List(items), mark: self.origin.translate(mark) });
            }
            Some(Open::Map { mark, entries, .. }) => {
                self.refuse_duplicates(&entries)?;
                let mark = self.origin.translate(mark);
                self.place_value(Value { data: Data::Map(entries), mark });
            }
            None => {}
        }
        Ok(())
    }

    fn refuse_duplicates(&self, entries: &[Entry]) -> Result<(), Refusal> {
        let mut seen = HashSet::with_capacity(entries.len());
        let Some(index) = entries.iter().position(|entry| !seen.insert(entry.key.as_str())) else {
            return Ok(());
        };
        let entry = &entries[index];
        let mut place = self.here(None);
        place.pointer = place.pointer.child(&entry.key);
        place.mark = Some(entry.key_mark);
        // What stands behind a key without value may have been meant to stand below it.
        let before = entries.get(..index).and_then(<[Entry]>::last).filter(|before| before.value.is_blank());
        let empty = before.filter(|before| before.key != entry.key).map(|before| before.key.to_string());
        Err(Refusal::DuplicateKey(place, empty))
    }

    fn place_value(&mut self, value: Value) {
        match self.open.last_mut() {
            Some(Open::List { items, .. }) => items.push(value),
            Some(Open::Map { entries, key, .. }) => {
                if let Some((key, mark)) = key.take() {
                    let key_mark = self.origin.translate(mark);
                    entries.push(Entry { key, key_mark, value });
                }
            }
            None => self.root = Some(value),
        }
    }
}
