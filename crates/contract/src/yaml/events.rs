//! YAML text to events, each with its place: what this project's two readers of YAML have in common.
//!
//! The contract's reader builds its tree from these events and refuses most of YAML's features;
//! `countersign_plan::workload::compose` follows anchors and aliases. Both see one syntax, and it is that of the programs
//! which read the same texts elsewhere: the compose program and HPCR use Go's yaml.v3, which is a translation of
//! libyaml. `twin` refuses what the parser takes and they do not; what they read in another way than YAML 1.2 says
//! is refused as well.
//!
//! The parser is `granit-parser`: no unsafe code in it, a place for every event, kinds of errors, no recursion.

use std::borrow::Cow;
use std::fmt;

use granit_parser::{ErrorKind, Marker, Options, Parser, ScalarStyle, StrInput};
use zeroize::Zeroizing;

use super::twin::Twin;
use super::unreadable::{BREAKS, Cause, Unreadable};
use super::{MAX_BYTES, Style};
use crate::place::{Mark, count};

/// Most groups of lines that begin with tabs between brackets; see [`untab`].
const MAX_TABBED_GROUPS: usize = 8;

/// Most events that are looked at for such lines: more than any reader here takes.
const MAX_EVENTS: usize = 1 << 18;

/// The tag of a node.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tag {
    /// One of YAML's core schema: `str`, `int`, `float`, `bool`, `null`, `seq` or `map`.
    Core(&'static str),
    /// Any other.
    Other,
}

/// One step of a text. The numbers are anchors, 0 for none. `Debug` shows no text.
#[derive(Clone, PartialEq, Eq)]
pub enum Event<'t> {
    /// A document begins.
    DocumentStart,
    /// A scalar; one that is not written is empty and plain.
    Scalar(Cow<'t, str>, Style, usize, Option<Tag>),
    /// A list begins.
    SequenceStart(usize, Option<Tag>),
    /// A list ends.
    SequenceEnd,
    /// A map begins; keys and values follow in turn.
    MappingStart(usize, Option<Tag>),
    /// A map ends.
    MappingEnd,
    /// The node of an anchor once more.
    Alias(usize),
}

impl fmt::Debug for Event<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Event::DocumentStart => "DocumentStart",
            Event::Scalar(..) => "Scalar",
            Event::SequenceStart(..) => "SequenceStart",
            Event::SequenceEnd => "SequenceEnd",
            Event::MappingStart(..) => "MappingStart",
            Event::MappingEnd => "MappingEnd",
            Event::Alias(_) => "Alias",
        })
    }
}

/// A text, made ready for the parser.
pub struct Source<'t> {
    text: &'t str,
    /// The same, byte for byte, but for tabs that were made blanks; none if nothing was.
    untabbed: Option<Zeroizing<String>>,
    unreadable: Option<Unreadable>,
}

impl<'t> Source<'t> {
    /// Takes a text; a byte order mark at its beginning is passed over.
    pub fn new(text: &'t str) -> Self {
        let text = text.strip_prefix('\u{feff}').unwrap_or(text);
        let unreadable = forbidden(text);
        let untabbed = if unreadable.is_none() { untab(text) } else { None };
        Self { text, untabbed, unreadable }
    }

    /// Its events, up to the first error.
    pub fn events(&self) -> Events<'_> {
        let untabbed = self.untabbed.as_ref().map_or(self.text, |text| text.as_str());
        Events { parser: parser(untabbed), twin: Twin::new(self.text, untabbed), unreadable: self.unreadable }
    }
}

impl fmt::Debug for Source<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Source(…)")
    }
}

/// The events of a text.
pub struct Events<'s> {
    parser: Parser<'s, StrInput<'s>>,
    twin: Twin<'s>,
    unreadable: Option<Unreadable>,
}

fn parser(text: &str) -> Parser<'_, StrInput<'_>> {
    let mut options = Options::default();
    options.block_scalar_eof_without_line_feed = true;
    Parser::new_from_str_with_options(text, options)
}

/// Between brackets and braces the twins let a line begin with tabs, as JSON does that is pasted into a file; the
/// parser refuses that inside a block. Where it does, the tabs that lines there begin with become blanks: no byte
/// moves, and between brackets both mean the same. Outside of brackets `Twin` finds the tabs in the text as it was.
///
/// Every group of such lines costs one more look at the text, so there is a bound.
fn untab(text: &str) -> Option<Zeroizing<String>> {
    let tabbed = |line: &str| line.trim_start_matches(' ').starts_with('\t');
    if text.len() > MAX_BYTES || !text.split(BREAKS).any(tabbed) {
        return None;
    }
    let mut changed: Option<Zeroizing<String>> = None;
    for _ in 0..MAX_TABBED_GROUPS {
        let current = changed.as_ref().map_or(text, |text| text.as_str());
        let error = parser(current).take(MAX_EVENTS).find_map(Result::err);
        match error {
            Some(error) if *error.kind() == ErrorKind::TabInBlockIndentation => {
                changed = Some(untab_from(current, error.marker().byte_offset()?));
            }
            _ => break,
        }
    }
    changed
}

/// From the line of byte `at` on: the lines that begin with blanks and a tab, or are empty, with blanks alone.
fn untab_from(text: &str, at: usize) -> Zeroizing<String> {
    let start = text[..at].rfind(BREAKS).map_or(0, |end| end + 1);
    let mut changed = Zeroizing::new(String::with_capacity(text.len()));
    changed.push_str(&text[..start]);
    let mut within = true;
    for line in text[start..].split_inclusive(BREAKS) {
        let rest = line.trim_start_matches([' ', '\t']);
        let blanks = line.len() - rest.len();
        within &= line[..blanks].contains('\t') || rest.trim_end().is_empty();
        if within {
            changed.extend(std::iter::repeat_n(' ', blanks));
            changed.push_str(rest);
        } else {
            changed.push_str(line);
        }
    }
    changed
}

impl<'t> Iterator for Events<'t> {
    type Item = Result<(Event<'t>, Mark), Unreadable>;

    fn next(&mut self) -> Option<Self::Item> {
        if let Some(unreadable) = self.unreadable {
            return Some(Err(unreadable));
        }
        loop {
            let step = match self.parser.next_event()? {
                Ok((event, span)) => {
                    let place = self.place(&event, span.start);
                    self.twin.see(&event, &span).map(|()| (event, span, place))
                }
                Err(error) => {
                    let marker = *error.marker();
                    let tabbed = marker.byte_offset().is_some_and(|at| self.twin.is_tabbed(at));
                    let cause = match (cause(error.kind()), marker.byte_offset()) {
                        // What a tab that indents does to the parser has many names.
                        (Cause::Other | Cause::Entry | Cause::Indentation, _) if tabbed => Cause::Tab,
                        (cause, Some(at)) => self.twin.told_by_value(cause, at),
                        (cause, None) => cause,
                    };
                    Err(Unreadable { cause, mark: mark(marker) })
                }
            };
            match step {
                Ok((event, span, place)) => {
                    if let Some(event) = translate(event, span.is_empty()) {
                        return Some(Ok((event, place)));
                    }
                }
                Err(unreadable) => {
                    self.unreadable = Some(unreadable);
                    return Some(Err(unreadable));
                }
            }
        }
    }
}

impl Events<'_> {
    /// Where a node begins: with its anchor or tag, if it has one.
    fn place(&self, event: &granit_parser::Event<'_>, start: Marker) -> Mark {
        use granit_parser::Event as Parsed;
        let (anchor, tag) = match event {
            Parsed::Scalar(_, _, anchor, tag)
            | Parsed::SequenceStart(_, anchor, tag)
            | Parsed::MappingStart(_, anchor, tag) => (*anchor, tag.is_some()),
            _ => (0, false),
        };
        match start.byte_offset() {
            Some(offset) if anchor != 0 || tag => self.twin.property(offset, mark(start)),
            _ => mark(start),
        }
    }
}

impl fmt::Debug for Events<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Events(…)")
    }
}

/// The parser counts lines from one and columns from zero.
fn mark(marker: Marker) -> Mark {
    Mark { line: count(marker.line()).max(1), column: count(marker.col()).saturating_add(1) }
}

/// An event without what nobody here asks for; none for those that say nothing.
fn translate(event: granit_parser::Event<'_>, nothing: bool) -> Option<Event<'_>> {
    use granit_parser::Event as Parsed;
    Some(match event {
        Parsed::DocumentStart(..) => Event::DocumentStart,
        Parsed::Scalar(text, style, anchor, tag) => {
            let style = match style {
                ScalarStyle::Plain => Style::Plain,
                ScalarStyle::SingleQuoted | ScalarStyle::DoubleQuoted => Style::Quoted,
                ScalarStyle::Literal => Style::Literal,
                ScalarStyle::Folded => Style::Folded,
            };
            // The parser writes `~` for a scalar that is not there.
            let text = if nothing && style == Style::Plain { Cow::Borrowed("") } else { text };
            Event::Scalar(text, style, anchor, tag.as_deref().map(core))
        }
        Parsed::SequenceStart(_, anchor, tag) => Event::SequenceStart(anchor, tag.as_deref().map(core)),
        Parsed::SequenceEnd => Event::SequenceEnd,
        Parsed::MappingStart(_, anchor, tag) => Event::MappingStart(anchor, tag.as_deref().map(core)),
        Parsed::MappingEnd => Event::MappingEnd,
        Parsed::Alias(anchor) => Event::Alias(anchor),
        _ => return None,
    })
}

fn core(tag: &granit_parser::Tag) -> Tag {
    let names = ["str", "int", "float", "bool", "null", "seq", "map"];
    names.into_iter().find(|name| tag.is_yaml_core_schema_tag(name)).map_or(Tag::Other, Tag::Core)
}

/// The first character that a stream must not hold, or that its readers do not agree on.
fn forbidden(text: &str) -> Option<Unreadable> {
    let (offset, letter) = text.char_indices().find(|(_, letter)| !printable(*letter))?;
    let cause = match letter {
        '\u{85}' | '\u{2028}' | '\u{2029}' => Cause::LineBreak,
        _ => Cause::ControlCharacter,
    };
    Some(Unreadable { cause, mark: Mark::after(&text[..offset]) })
}

/// The characters that a YAML 1.2 stream may hold, without the byte order mark and the line breaks of YAML 1.1.
fn printable(letter: char) -> bool {
    matches!(letter, '\t' | '\n' | '\r' | '\u{20}'..='\u{7e}' | '\u{a0}'..='\u{2027}' | '\u{202a}'..='\u{fefe}' | '\u{ff00}'..='\u{fffd}' | '\u{10000}'..)
}

fn cause(kind: &ErrorKind) -> Cause {
    match kind {
        ErrorKind::RecursionLimitExceeded => Cause::TooDeep,
        ErrorKind::UnknownAnchor | ErrorKind::MissingAnchorOrAliasName => Cause::Anchor,
        ErrorKind::UndeclaredTagHandle
        | ErrorKind::ExpectedTagBang
        | ErrorKind::InvalidTagTerminator
        | ErrorKind::MissingTagUri
        | ErrorKind::UnclosedVerbatimTag
        | ErrorKind::InvalidTagEscape
        | ErrorKind::InvalidGlobalTagCharacter => Cause::Tag,
        ErrorKind::ExpectedDocumentStart
        | ErrorKind::DuplicateVersionDirective
        | ErrorKind::UnsupportedYamlMajorVersion
        | ErrorKind::DuplicateTagDirective
        | ErrorKind::MissingDocumentEndBeforeDirective => Cause::Directive,
        ErrorKind::UnexpectedCharacter { .. } => Cause::Indicator,
        ErrorKind::MappingValueNotAllowed
        | ErrorKind::SimpleKeyExpected
        | ErrorKind::InvalidSimpleKey
        | ErrorKind::ExpectedBlockMappingKey => Cause::Entry,
        ErrorKind::InvalidIndentation
        | ErrorKind::ExpectedBlockSequenceEntry
        | ErrorKind::BlockSequenceEntryNotAllowed
        | ErrorKind::InvalidBlockScalarIndent
        | ErrorKind::InvalidQuotedScalarIndent => Cause::Indentation,
        ErrorKind::InvalidBlockScalarHeader | ErrorKind::ZeroBlockScalarIndent => Cause::BlockHeader,
        ErrorKind::UnknownQuotedScalarEscape | ErrorKind::InvalidQuotedScalarHexEscape => Cause::Escape,
        ErrorKind::TabNotAllowed
        | ErrorKind::TabInBlockIndentation
        | ErrorKind::TabInIndentation
        | ErrorKind::TabAtBlockScalarStart
        | ErrorKind::TabInPlainScalar => Cause::Tab,
        ErrorKind::UnclosedQuotedScalar
        | ErrorKind::InvalidTrailingSingleQuotedScalar
        | ErrorKind::InvalidTrailingDoubleQuotedScalar => Cause::Quote,
        ErrorKind::UnclosedFlowCollection { .. }
        | ErrorKind::MismatchedFlowCollectionEnd { .. }
        | ErrorKind::MisplacedFlowCollectionEnd
        | ErrorKind::ExpectedFlowMappingSeparator
        | ErrorKind::ExpectedFlowSequenceSeparator
        | ErrorKind::UnexpectedEofFlowSequence
        | ErrorKind::UnexpectedEofFlowMapping
        | ErrorKind::UnexpectedEofImplicitFlowMapping => Cause::Bracket,
        _ => Cause::Other,
    }
}
