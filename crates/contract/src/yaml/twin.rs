//! What libyaml and Go's yaml.v3 refuse and the parser takes: one text, one meaning.
//!
//! YAML 1.2 lets more through than these readers of 1.1 do, above all tabs between an indicator and its value
//! and adjacent colons in flow collections. Where the compose program refuses a file, so must the desk, and a
//! text that two readers understand differently is refused. Looks at the gaps between the parser's events, never at a
//! value.

use granit_parser::{Event, ScalarStyle, Span, StructureStyle};

use super::unreadable::{self, BREAKS, Cause, Unreadable};
use crate::place::{Mark, count};

/// A list or map that is not complete yet.
struct Open {
    flow: bool,
    map: bool,
    /// Column of a block's entries, from zero.
    column: usize,
    /// Byte of its bracket or brace, if it begins with one.
    bracket: Option<usize>,
    /// Keys and values, or entries, so far.
    children: usize,
    /// Byte at which the last key of a flow map begins, unless `?` stands before it.
    key: Option<usize>,
}

/// Follows the events of one text.
pub(super) struct Twin<'t> {
    text: &'t str,
    /// What the parser sees, of the same length.
    parsed: &'t str,
    open: Vec<Open>,
    /// Byte behind the last token.
    end: usize,
    /// If that token is a plain scalar, the column that its further lines must reach, from zero.
    plain: Option<usize>,
    /// Whether there was any.
    begun: bool,
}

impl<'t> Twin<'t> {
    pub(super) fn new(text: &'t str, parsed: &'t str) -> Self {
        Self { text, parsed, open: Vec::new(), end: 0, plain: None, begun: false }
    }

    /// Looks at the next event.
    pub(super) fn see(&mut self, event: &Event<'_>, span: &Span) -> Result<(), Unreadable> {
        let start = span.start.byte_offset().unwrap_or(self.end);
        let end = span.end.byte_offset().unwrap_or(start);
        match event {
            Event::Scalar(_, style, ..) => {
                if start == end {
                    self.child();
                    return Ok(());
                }
                self.gap(start)?;
                self.begin(start);
                match style {
                    ScalarStyle::Plain if self.in_flow() => self.plain_in_flow(start, end)?,
                    ScalarStyle::Plain => self.further_lines(start, end)?,
                    ScalarStyle::DoubleQuoted => self.escapes(start, end)?,
                    ScalarStyle::SingleQuoted => {}
                    ScalarStyle::Literal | ScalarStyle::Folded => self.block_scalar(start, end)?,
                }
                self.advance(end);
                self.plain = (*style == ScalarStyle::Plain).then(|| self.indent());
                self.child();
            }
            Event::Alias(_) => {
                self.gap(start)?;
                self.begin(start);
                self.advance(end);
                self.child();
            }
            Event::SequenceStart(style, ..) | Event::MappingStart(style, ..) => {
                let flow = *style == StructureStyle::Flow;
                let bracket = flow && self.text[start..].starts_with(['[', '{']);
                if bracket {
                    self.gap(start)?;
                    self.begin(start);
                    self.advance(start + 1);
                }
                let map = matches!(event, Event::MappingStart(..));
                let (bracket, column) = (bracket.then_some(start), span.start.col());
                self.open.push(Open { flow, map, column, bracket, children: 0, key: None });
            }
            Event::SequenceEnd | Event::MappingEnd => {
                if self.in_flow() && end > start {
                    self.gap(start)?;
                    self.advance(end);
                }
                self.open.pop();
                self.child();
            }
            // yaml.v3 takes no other version.
            Event::DocumentStart(_, Some(version)) if (version.major, version.minor) != (1, 1) => {
                return Err(self.at(start, Cause::Directive));
            }
            Event::StreamEnd => self.gap(self.text.len())?,
            _ => {}
        }
        Ok(())
    }

    fn in_flow(&self) -> bool {
        self.open.last().is_some_and(|open| open.flow)
    }

    fn child(&mut self) {
        if let Some(open) = self.open.last_mut() {
            open.children += 1;
        }
    }

    fn advance(&mut self, end: usize) {
        (self.end, self.plain, self.begun) = (end, None, true);
    }

    /// The column that a further line of a scalar must reach, from zero: that of the block around it, also between
    /// brackets.
    fn indent(&self) -> usize {
        self.open.iter().rev().find(|open| !open.flow).map_or(0, |open| open.column + 1)
    }

    /// Whether a tab is among the blanks with which the line of byte `at` begins.
    pub(super) fn is_tabbed(&self, at: usize) -> bool {
        let before = self.text.get(..at).unwrap_or_default();
        let start = before.rfind(BREAKS).map_or(0, |end| end + 1);
        self.text[start..]
            .chars()
            .take_while(|letter| [' ', '\t'].contains(letter))
            .any(|letter| letter == '\t')
    }

    /// Why the text is not read at byte `at`, as the value there tells it.
    pub(super) fn told_by_value(&self, cause: Cause, at: usize) -> Cause {
        // A bracket that is still open when the next key comes was not meant to be.
        let begun = self.open.iter().find_map(|open| open.bracket);
        let behind = |start: usize| self.text.get(start..at).is_some_and(|text| text.contains(BREAKS));
        match cause {
            Cause::Other | Cause::Entry | Cause::Indentation if begun.is_some_and(behind) => {
                unreadable::told_by_value(Cause::Bracket, self.text, begun.unwrap_or(at))
            }
            cause => unreadable::told_by_value(cause, self.text, at),
        }
    }

    /// The place of the first anchor or tag of a node that begins at byte `start`, which is `mark`.
    pub(super) fn property(&self, start: usize, mark: Mark) -> Mark {
        let gap = self.text.get(self.end..start).unwrap_or_default();
        let mut comment = false;
        let mut before = ' ';
        let found = gap.char_indices().find(|(_, letter)| {
            comment = match letter {
                '\n' | '\r' => false,
                '#' => comment || before.is_whitespace(),
                _ => comment,
            };
            before = *letter;
            !comment && matches!(letter, '&' | '!')
        });
        let Some((at, _)) = found else { return mark };
        let between = &gap[at..];
        let breaks = between.replace("\r\n", "\n").matches(BREAKS).count();
        if breaks == 0 {
            let column = mark.column.saturating_sub(count(between.chars().count()));
            return Mark { column, ..mark };
        }
        let line = &self.text[..self.end + at];
        let line = &line[line.rfind(BREAKS).map_or(0, |end| end + 1)..];
        Mark {
            line: mark.line.saturating_sub(count(breaks)),
            column: count(line.chars().count()).saturating_add(1),
        }
    }

    /// Remembers where the key of a flow map begins.
    fn begin(&mut self, start: usize) {
        // A pair between brackets begins where its key begins, so the gap may be behind us already.
        let explicit = self.text.get(self.end..start).is_some_and(|gap| gap.contains('?'));
        if let Some(open) = self.open.last_mut()
            && open.flow
            && open.map
            && open.children.is_multiple_of(2)
        {
            open.key = (!explicit).then_some(start);
        }
    }

    /// A question mark or colon that begins a plain scalar is an indicator to the twin, and so is a colon before
    /// a bracket, brace or comma.
    fn plain_in_flow(&self, start: usize, end: usize) -> Result<(), Unreadable> {
        if self.text[start..].starts_with([':', '?']) {
            return Err(self.at(start, Cause::Indicator));
        }
        if let Some(at) = self.text[start..end].find(":?") {
            return Err(self.at(start + at, Cause::Colon));
        }
        self.further_lines(start, end)?;
        let rest = self.text[end..].trim_start_matches([' ', '\t']);
        match rest.strip_prefix(':') {
            Some(rest) if rest.starts_with([',', '?', '[', ']', '{', '}']) => {
                Err(self.at(self.text.len() - rest.len() - 1, Cause::Colon))
            }
            _ => Ok(()),
        }
    }

    /// A tab is no indentation of a further line.
    fn further_lines(&self, start: usize, end: usize) -> Result<(), Unreadable> {
        let indent = self.indent();
        for (at, line) in self.lines(start, end).skip(1) {
            let blanks = line.len() - line.trim_start_matches(' ').len();
            if blanks < indent && line[blanks..].starts_with('\t') {
                return Err(self.at(at + blanks, Cause::Tab));
            }
        }
        Ok(())
    }

    /// The first line with text must not begin with a tab where it says how far the scalar is indented, and no line
    /// may be indented with one. The span does not hold the header, but the text before it does.
    fn block_scalar(&self, start: usize, end: usize) -> Result<(), Unreadable> {
        // Blanks for tabs are made between brackets, where no block is.
        if self.text[start..end] != self.parsed[start..end] {
            return Err(self.at(start, Cause::Tab));
        }
        let header = self.text[..start].trim_end_matches([' ', '\t', '\r', '\n']);
        let header = &header[header.rfind(['\r', '\n']).map_or(0, |at| at + 1)..];
        let mut indent = explicit_indent(header).map(|more| self.indent().saturating_sub(1) + more);
        let first = self.text[..start].rfind(['\r', '\n']).map_or(start, |at| at + 1);
        for (at, line) in self.lines(first, end) {
            let blanks = line.len() - line.trim_start_matches(' ').len();
            let rest = &line[blanks..];
            if rest.starts_with('\t') && indent.is_none_or(|indent| blanks < indent) {
                return Err(self.at(at + blanks, Cause::Tab));
            }
            if indent.is_none() && !rest.is_empty() {
                indent = Some(blanks);
                if blanks == 0 && self.open.is_empty() {
                    return Err(self.at(at, Cause::Other));
                }
            }
        }
        Ok(())
    }

    /// Halves of surrogate pairs are JSON's; the twins know characters only.
    fn escapes(&self, start: usize, end: usize) -> Result<(), Unreadable> {
        let mut letters = self.text[start..end].char_indices();
        while let Some((at, letter)) = letters.next() {
            if letter != '\\' {
                continue;
            }
            let rest = &self.text.as_bytes()[start + at..end];
            if matches!(rest, [_, b'u', b'd' | b'D', b'8'..=b'9' | b'a'..=b'f' | b'A'..=b'F', ..]) {
                return Err(self.at(start + at, Cause::Other));
            }
            letters.next();
        }
        Ok(())
    }

    /// The lines of a part of the text, each with the byte at which it begins.
    fn lines(&self, start: usize, end: usize) -> impl Iterator<Item = (usize, &str)> {
        let mut next = start;
        self.text[start..end].split(['\r', '\n']).map(move |line| {
            let at = next;
            next += line.len() + 1;
            (at, line)
        })
    }

    /// What lies between the last token and byte `start`: blanks, comments, indicators, node properties.
    fn gap(&self, start: usize) -> Result<(), Unreadable> {
        let gap = &self.text[self.end.min(start)..start];
        if self.in_flow() { self.gap_in_flow(gap) } else { self.gap_in_block(gap) }
    }

    /// Blanks behind a plain scalar are part of it until something else comes, so no tab may indent them; the colon of a
    /// key stands on the line on which the key begins.
    fn gap_in_flow(&self, gap: &str) -> Result<(), Unreadable> {
        if self.plain.is_some() {
            let blanks = gap.len() - gap.trim_start_matches([' ', '\t', '\r', '\n']).len();
            self.further_lines(self.end, self.end + blanks)?;
        }
        let Some(Open { map: true, children, key: Some(key), .. }) = self.open.last() else { return Ok(()) };
        let Some(colon) = gap.find(':').filter(|_| children % 2 == 1) else { return Ok(()) };
        if self.text[*key..self.end + colon].contains(['\n', '\r']) {
            return Err(self.at(self.end + colon, Cause::Bracket));
        }
        Ok(())
    }

    /// A tab separates tokens only where no key can begin: not before the first token of a line, and not between
    /// an indicator and what could be a key.
    fn gap_in_block(&self, gap: &str) -> Result<(), Unreadable> {
        // Blanks behind a plain scalar are part of it until something else comes.
        let mut plain = self.plain;
        let mut begun = self.begun;
        // A block scalar ends behind its last line break.
        let mut first_line = begun && !self.text[..self.end].ends_with(['\n', '\r']);
        let mut key_allowed = !first_line;
        let mut column = 0;
        let mut letters = gap.char_indices().peekable();
        let blank = |at: usize| gap[at..].chars().next().is_none_or(|letter| " \t\r\n".contains(letter));
        while let Some((at, letter)) = letters.next() {
            let line_begins = column == 0 && !first_line;
            let mut rest_of_line = false;
            match letter {
                '\n' | '\r' => {
                    (key_allowed, first_line, column) = (true, false, 0);
                    continue;
                }
                ' ' => {}
                '\t' if plain.is_some_and(|indent| first_line || column >= indent) => {}
                '\t' if key_allowed => return Err(self.at(self.end + at, Cause::Tab)),
                '\t' => {}
                '.' if line_begins && !begun => return Err(self.at(self.end + at, Cause::Other)),
                // A comment, a directive, the header of a block scalar.
                '#' | '%' | '|' | '>' => (plain, rest_of_line) = (None, true),
                '-' if line_begins && gap[at..].starts_with("---") && blank(at + 3) => {
                    (plain, key_allowed, begun) = (None, false, true);
                    letters.nth(1);
                }
                '-' | '?' if blank(at + 1) => (plain, key_allowed) = (None, true),
                // Behind a key on its line it is the key's, else that of a key with `?`.
                ':' => (plain, key_allowed) = (None, !first_line),
                _ => (plain, key_allowed) = (None, false),
            }
            column += 1;
            while rest_of_line && letters.next_if(|(_, letter)| !"\r\n".contains(*letter)).is_some() {}
        }
        Ok(())
    }

    fn at(&self, offset: usize, cause: Cause) -> Unreadable {
        Unreadable { cause, mark: Mark::after(&self.text[..offset]) }
    }
}

/// The indentation that the header of a block scalar at the end of a line names.
fn explicit_indent(line: &str) -> Option<usize> {
    let header = &line[line.rfind(['|', '>'])?..];
    let digit = header.bytes().skip(1).take(2).find(u8::is_ascii_digit)?;
    Some(usize::from(digit - b'0'))
}
