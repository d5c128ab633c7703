//! The tree of a file of the workload, as far as it has to be judged: a compose file, or a file with pods.
//!
//! Unlike a contract, such a file may use anchors, aliases and merge keys: an alias shares the node it names, so
//! that nothing is expanded, and merged entries count against the same budget as written ones, so that nothing can
//! explode. What the program that runs it would read otherwise than as it stands is refused: a key that stands twice;
//! tags, by which it takes a node away (`!reset`) or decodes it (`!!binary`). Of pods there may be several documents.

use std::collections::{HashMap, HashSet};
use std::rc::Rc;

use countersign_contract::place::Mark;
use countersign_contract::yaml::{self, Cause, Event, Source, Style, Tag, Unreadable, Value};
use zeroize::Zeroizing;

use super::printable;
use super::scalar::{self, Scalar};

/// Nodes of a file; it comes from a bounded archive, this bounds the tree.
const MAX_NODES: usize = 65_536;
/// Documents of a file with pods.
const MAX_DOCUMENTS: usize = 256;
/// Levels of maps and lists, also through aliases.
const MAX_DEPTH: usize = 64;

/// Why a file is not read.
#[derive(Debug)]
pub(super) struct DocumentRefusal {
    /// Line, from one.
    pub(super) line: usize,
    pub(super) fault: DocumentFault,
}

/// What is wrong with it.
#[derive(Debug)]
pub(super) enum DocumentFault {
    /// Not YAML, or beyond the bounds.
    Syntax(Cause),
    /// A character or line break that not every reader takes alike.
    Character,
    /// A second document, where one is expected.
    Several,
    /// A key twice in its map.
    DuplicateKey(String),
    /// A tag beyond the core schema.
    Tag,
    /// Nothing.
    Empty,
}

/// A node.
#[derive(Debug)]
pub(super) struct Node {
    pub(super) kind: Kind,
    /// Whether a tag says that it is something else than text, a list or a map.
    pub(super) tagged: bool,
    /// Where it begins; of an alias, where its anchor does.
    pub(super) line: usize,
    /// In characters, from one.
    pub(super) column: usize,
    /// The template that a text was made of.
    pub(super) template: Option<Rc<str>>,
    /// Levels below it, itself included.
    height: usize,
}

#[derive(Debug)]
pub(super) enum Kind {
    /// A scalar, and whether it may be something else than text: without quotes, not in a block, without a tag.
    Scalar(Zeroizing<String>, bool),
    List(Vec<Rc<Node>>),
    /// With the entries of merge keys, behind its own; each key once.
    Map(Vec<Entry>),
}

impl Kind {
    /// Levels below it.
    fn height(&self) -> usize {
        match self {
            Kind::Scalar(..) => 0,
            Kind::List(items) => items.iter().map(|item| item.height).max().unwrap_or(0),
            Kind::Map(entries) => entries.iter().map(|entry| entry.value.height).max().unwrap_or(0),
        }
    }
}

/// An entry of a map.
#[derive(Debug, Clone)]
pub(super) struct Entry {
    pub(super) key: Rc<str>,
    /// Whether the key may be something else than text.
    pub(super) plain: bool,
    /// Line of the key, from one.
    pub(super) line: usize,
    pub(super) value: Rc<Node>,
}

impl Entry {
    /// What the program that runs the file takes the key for; only text is one.
    pub(super) fn key_kind(&self) -> Scalar {
        if self.plain { scalar::plain(&self.key) } else { Scalar::Text }
    }
}

impl Node {
    /// The entry of a key.
    pub(super) fn get(&self, key: &str) -> Option<&Entry> {
        self.entries().iter().find(|entry| &*entry.key == key)
    }

    /// The entries of a map; none for anything else.
    pub(super) fn entries(&self) -> &[Entry] {
        match &self.kind {
            Kind::Map(entries) => entries,
            _ => &[],
        }
    }

    /// The items of a list; none for anything else.
    pub(super) fn items(&self) -> &[Rc<Node>] {
        match &self.kind {
            Kind::List(items) => items,
            _ => &[],
        }
    }

    /// The same place with nothing in it.
    fn shell(&self) -> Node {
        Node {
            kind: Kind::List(Vec::new()),
            tagged: self.tagged,
            line: self.line,
            column: self.column,
            template: None,
            height: self.height,
        }
    }

    pub(super) fn is_null(&self) -> bool {
        matches!(&self.kind, Kind::Scalar(text, true) if scalar::plain(text) == Scalar::Null)
    }

    /// The text of a scalar, unless it is null.
    pub(super) fn text(&self) -> Option<&str> {
        match &self.kind {
            Kind::Scalar(text, _) if !self.is_null() => Some(text),
            _ => None,
        }
    }
}

/// A list or map that is still open, with the anchor it will be known by.
struct Open {
    anchor: usize,
    mark: Mark,
    kind: OpenKind,
}

enum OpenKind {
    List(Vec<Rc<Node>>),
    Map { entries: Vec<Entry>, merged: Vec<(usize, Rc<Node>)>, key: Option<Key> },
}

/// A key whose value comes next.
struct Key {
    name: String,
    plain: bool,
    line: usize,
}

/// Reads the one document of a file.
pub(super) fn parse(text: &str) -> Result<Rc<Node>, DocumentRefusal> {
    let mut roots = read(text, 1)?;
    roots.pop().ok_or(DocumentRefusal { line: 1, fault: DocumentFault::Empty })
}

/// Reads all documents of a file; those that are empty are among them.
pub(super) fn parse_all(text: &str) -> Result<Vec<Rc<Node>>, DocumentRefusal> {
    read(text, MAX_DOCUMENTS)
}

fn read(text: &str, most: usize) -> Result<Vec<Rc<Node>>, DocumentRefusal> {
    let mut reader = Reader { most, ..Reader::default() };
    for step in Source::new(text).events() {
        let (event, mark) = step.map_err(unreadable)?;
        reader.no_braces(text, &event, mark)?;
        reader.take(event, mark)?;
    }
    Ok(reader.roots)
}

/// A value of the contract, whose reader refuses anchors and tags.
pub(super) fn of_contract(value: &Value) -> Rc<Node> {
    let kind = if let Some(text) = value.as_text() {
        Kind::Scalar(Zeroizing::new(text.to_owned()), value.style() == Some(Style::Plain))
    } else if let Some(number) = value.as_integer() {
        Kind::Scalar(Zeroizing::new(number.to_string()), true)
    } else if let Some(truth) = value.as_bool() {
        Kind::Scalar(Zeroizing::new(truth.to_string()), true)
    } else if let Some(number) = value.as_float() {
        Kind::Scalar(Zeroizing::new(scalar::float(number)), true)
    } else if value.is_null() {
        Kind::Scalar(Zeroizing::new(String::new()), true)
    } else if value.is_map() {
        let entry = |entry: &countersign_contract::yaml::Entry| Entry {
            key: entry.key.as_str().into(),
            plain: false,
            line: count(entry.key_mark.line),
            value: of_contract(&entry.value),
        };
        Kind::Map(value.entries().iter().map(entry).collect())
    } else {
        Kind::List(value.items().iter().map(of_contract).collect())
    };
    let height = 1 + kind.height();
    let mark = value.mark();
    Rc::new(Node {
        kind,
        tagged: false,
        line: count(mark.line),
        column: count(mark.column),
        template: None,
        height,
    })
}

/// A tree whose texts are replaced; `None` from `made` leaves one as it stands. Keys stay.
pub(super) fn replaced(
    node: &Rc<Node>,
    made: &mut dyn FnMut(&Node, &str) -> Option<Zeroizing<String>>,
) -> Rc<Node> {
    let kind = match &node.kind {
        Kind::Scalar(text, plain) => {
            let is_text = !plain || scalar::plain(text) == Scalar::Text;
            let Some(value) = made(node, text).filter(|_| is_text) else { return Rc::clone(node) };
            let template = Some(text.as_str().into());
            let kind = Kind::Scalar(value, false);
            return Rc::new(Node { kind, template, ..node.shell() });
        }
        Kind::List(items) => Kind::List(items.iter().map(|item| replaced(item, made)).collect()),
        Kind::Map(entries) => {
            let entry = |entry: &Entry| Entry { value: replaced(&entry.value, made), ..entry.clone() };
            Kind::Map(entries.iter().map(entry).collect())
        }
    };
    Rc::new(Node { kind, ..node.shell() })
}

fn unreadable(Unreadable { mark, cause }: Unreadable) -> DocumentRefusal {
    let fault = match cause {
        Cause::ControlCharacter | Cause::LineBreak => DocumentFault::Character,
        cause => DocumentFault::Syntax(cause),
    };
    DocumentRefusal { line: count(mark.line), fault }
}

/// A line or column as the refusals count it.
fn count(number: u32) -> usize {
    usize::try_from(number).unwrap_or(usize::MAX)
}

fn syntax(line: usize) -> DocumentRefusal {
    DocumentRefusal { line, fault: DocumentFault::Syntax(Cause::Other) }
}

#[derive(Default)]
struct Reader {
    open: Vec<Open>,
    anchors: HashMap<usize, Rc<Node>>,
    roots: Vec<Rc<Node>>,
    /// Documents that there may be.
    most: usize,
    documents: usize,
    nodes: usize,
}

impl Reader {
    /// Two braces begin a map as the key of a map, which the compose program does not take, and mostly a template.
    fn no_braces(&self, text: &str, event: &Event<'_>, mark: Mark) -> Result<(), DocumentRefusal> {
        let is_key = matches!(self.open.last(), Some(Open { kind: OpenKind::Map { key: None, .. }, .. }));
        if is_key && matches!(event, Event::MappingStart(..)) && yaml::begins_with_braces(text, mark) {
            return Err(DocumentRefusal {
                line: count(mark.line),
                fault: DocumentFault::Syntax(Cause::Braces),
            });
        }
        Ok(())
    }

    fn take(&mut self, event: Event<'_>, mark: Mark) -> Result<(), DocumentRefusal> {
        let line = count(mark.line);
        match event {
            Event::DocumentStart => {
                self.documents += 1;
                // An anchor is known in its own document only.
                self.anchors.clear();
                if self.documents <= self.most {
                    return Ok(());
                }
                let fault =
                    if self.most == 1 { DocumentFault::Several } else { DocumentFault::Syntax(Cause::Other) };
                Err(DocumentRefusal { line, fault })
            }
            Event::Scalar(text, style, anchor, tag) => {
                let tag = core_tag(tag, line)?;
                let plain = style == Style::Plain && tag.is_none();
                let tagged = tag.is_some_and(|tag| tag != "str");
                self.node(anchor, Kind::Scalar(Zeroizing::new(text.into_owned()), plain), tagged, mark)
            }
            Event::Alias(anchor) => {
                let node = self.anchors.get(&anchor).cloned().ok_or_else(|| syntax(line))?;
                self.count(1, line)?;
                self.place(node, line)
            }
            Event::SequenceStart(anchor, tag) => {
                core_tag(tag, line)?;
                self.begin(Open { anchor, mark, kind: OpenKind::List(Vec::new()) }, line)
            }
            Event::MappingStart(anchor, tag) => {
                core_tag(tag, line)?;
                let kind = OpenKind::Map { entries: Vec::new(), merged: Vec::new(), key: None };
                self.begin(Open { anchor, mark, kind }, line)
            }
            Event::SequenceEnd | Event::MappingEnd => {
                let Some(Open { anchor, mark, kind }) = self.open.pop() else { return Err(syntax(line)) };
                let kind = match kind {
                    OpenKind::List(items) => Kind::List(items),
                    OpenKind::Map { entries, merged, .. } => Kind::Map(self.merge(entries, &merged)?),
                };
                self.node(anchor, kind, false, mark)
            }
        }
    }

    fn count(&mut self, nodes: usize, line: usize) -> Result<(), DocumentRefusal> {
        self.nodes += nodes;
        if self.nodes > MAX_NODES { Err(syntax(line)) } else { Ok(()) }
    }

    fn begin(&mut self, open: Open, line: usize) -> Result<(), DocumentRefusal> {
        self.count(1, line)?;
        if self.open.len() >= MAX_DEPTH {
            return Err(syntax(line));
        }
        self.open.push(open);
        Ok(())
    }

    /// A node that is complete.
    fn node(&mut self, anchor: usize, kind: Kind, tagged: bool, mark: Mark) -> Result<(), DocumentRefusal> {
        let (line, column) = (count(mark.line), count(mark.column));
        let below = kind.height();
        self.count(1, line)?;
        if below > MAX_DEPTH {
            return Err(syntax(line));
        }
        let node = Rc::new(Node { kind, tagged, line, column, template: None, height: below + 1 });
        if anchor != 0 {
            self.anchors.insert(anchor, Rc::clone(&node));
        }
        self.place(node, line)
    }

    /// Puts a node where it belongs.
    fn place(&mut self, node: Rc<Node>, line: usize) -> Result<(), DocumentRefusal> {
        match self.open.last_mut().map(|open| &mut open.kind) {
            None => self.roots.push(node),
            Some(OpenKind::List(items)) => items.push(node),
            Some(OpenKind::Map { entries, merged, key }) => match key.take() {
                None => {
                    let Kind::Scalar(name, plain) = &node.kind else { return Err(syntax(line)) };
                    *key = Some(Key { name: name.to_string(), plain: *plain, line });
                }
                Some(Key { name, plain: true, line }) if name == "<<" => merged.push((line, node)),
                Some(Key { name, plain, line }) => {
                    entries.push(Entry { key: name.into(), plain, line, value: node });
                }
            },
        }
        Ok(())
    }

    /// A map's own entries, then those of its merge key that it does not have: of several maps, the first one's.
    fn merge(
        &mut self,
        mut entries: Vec<Entry>,
        merged: &[(usize, Rc<Node>)],
    ) -> Result<Vec<Entry>, DocumentRefusal> {
        let twice =
            |name: &str, line| DocumentRefusal { line, fault: DocumentFault::DuplicateKey(printable(name)) };
        let mut known: HashSet<Rc<str>> = HashSet::with_capacity(entries.len());
        for entry in &entries {
            if !known.insert(Rc::clone(&entry.key)) {
                return Err(twice(&entry.key, entry.line));
            }
        }
        if let Some((line, _)) = merged.get(1) {
            return Err(twice("<<", *line));
        }
        for (line, source) in merged {
            let sources = match &source.kind {
                Kind::Map(_) => std::slice::from_ref(source),
                Kind::List(items) if items.iter().all(|item| matches!(item.kind, Kind::Map(_))) => items,
                _ => return Err(syntax(*line)),
            };
            for entry in sources.iter().flat_map(|source| source.entries()) {
                self.count(1, *line)?;
                if known.insert(Rc::clone(&entry.key)) {
                    entries.push(entry.clone());
                }
            }
        }
        Ok(entries)
    }
}

/// The name of a tag of YAML's core schema, if there is a tag; any other tag is refused.
fn core_tag(tag: Option<Tag>, line: usize) -> Result<Option<&'static str>, DocumentRefusal> {
    match tag {
        None => Ok(None),
        Some(Tag::Core(name)) => Ok(Some(name)),
        Some(Tag::Other) => Err(DocumentRefusal { line, fault: DocumentFault::Tag }),
    }
}
