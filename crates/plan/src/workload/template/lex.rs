//! A text to pieces: text between actions, and the tokens of each action.
//!
//! Follows `lex.go` of the package text/template/parse.

use zeroize::Zeroizing;

use super::{Fault, TemplateFault};

/// Begins an action.
pub(super) const LEFT: &str = "{{";
/// Ends it.
const RIGHT: &str = "}}";
const COMMENT: (&str, &str) = ("/*", "*/");
/// What trim markers take away.
const SPACE: [char; 4] = [' ', '\t', '\r', '\n'];

/// A part of a text.
#[derive(Debug)]
pub(super) enum Piece<'t> {
    /// Between actions, trimmed.
    Text(&'t str),
    /// An action, without its delimiters.
    Action(Vec<Token<'t>>, usize),
}

/// A token, and whether white space stands before it.
#[derive(Debug)]
pub(super) struct Token<'t> {
    pub(super) kind: Kind<'t>,
    pub(super) spaced: bool,
    /// Bytes before it in the text.
    pub(super) offset: usize,
}

#[derive(Debug, PartialEq)]
pub(super) enum Kind<'t> {
    /// `name`, a function, a keyword, `true`, `false` or `nil`.
    Word(&'t str),
    /// `.name`, without the dot.
    Field(&'t str),
    /// `.`
    Dot,
    /// `$name`, without the dollar sign.
    Variable(&'t str),
    Text(Zeroizing<String>),
    Number(i64),
    Pipe,
    Open,
    Close,
    Comma,
    Declare,
    Assign,
}

/// Takes a text apart.
pub(super) fn pieces(text: &str) -> Result<Vec<Piece<'_>>, Fault> {
    let mut pieces = Vec::new();
    let mut at = 0;
    let mut trim = false;
    loop {
        let rest = &text[at..];
        let end = rest.find(LEFT);
        let mut between = &rest[..end.unwrap_or(rest.len())];
        if trim {
            between = between.trim_start_matches(SPACE);
        }
        let Some(end) = end else {
            pieces.push(Piece::Text(between));
            return Ok(pieces);
        };
        let start = at + end;
        let mut inside = start + LEFT.len();
        if text[inside..].starts_with('-') && text[inside + 1..].starts_with(SPACE) {
            between = between.trim_end_matches(SPACE);
            inside += 2;
        }
        pieces.push(Piece::Text(between));
        (at, trim) = if text[inside..].starts_with(COMMENT.0) {
            comment(text, inside)?
        } else {
            let (tokens, next, trim) =
                Lexer { text, at: inside, tokens: Vec::new(), open: Vec::new() }.action()?;
            pieces.push(Piece::Action(tokens, start));
            (next, trim)
        };
    }
}

/// What follows a comment, and whether it is trimmed.
fn comment(text: &str, start: usize) -> Result<(usize, bool), Fault> {
    let end = text[start..].find(COMMENT.1).ok_or(Fault::syntax(start, "the end of a comment, */"))?;
    let at = start + end + COMMENT.1.len();
    right(text, at).ok_or(Fault::syntax(at, "}} directly behind a comment"))
}

/// Where the text goes on behind the end of an action, and whether it is trimmed; none if the action does not end here.
fn right(text: &str, at: usize) -> Option<(usize, bool)> {
    let rest = &text[at..];
    if rest.starts_with(RIGHT) {
        return Some((at + RIGHT.len(), false));
    }
    let marked = rest.strip_prefix(SPACE)?.strip_prefix('-')?;
    marked.starts_with(RIGHT).then_some((at + 2 + RIGHT.len(), true))
}

struct Lexer<'t> {
    text: &'t str,
    at: usize,
    tokens: Vec<Token<'t>>,
    /// Where parentheses are open.
    open: Vec<usize>,
}

impl<'t> Lexer<'t> {
    /// The tokens up to the end of the action; where the text goes on, and whether it is trimmed.
    fn action(mut self) -> Result<(Vec<Token<'t>>, usize, bool), Fault> {
        let start = self.at;
        let mut spaced = false;
        loop {
            if let Some((next, trim)) = right(self.text, self.at) {
                return match self.open.last() {
                    Some(open) => Err(Fault::syntax(*open, "the closing parenthesis")),
                    None => Ok((self.tokens, next, trim)),
                };
            }
            let offset = self.at;
            let Some(letter) = self.text[offset..].chars().next() else {
                return Err(Fault::syntax(start, "}} behind an expression"));
            };
            if SPACE.contains(&letter) {
                self.at += 1;
                spaced = true;
                continue;
            }
            let kind = self.token(letter, offset)?;
            self.tokens.push(Token { kind, spaced, offset });
            spaced = false;
        }
    }

    fn token(&mut self, letter: char, offset: usize) -> Result<Kind<'t>, Fault> {
        let rest = &self.text[offset..];
        let second = rest[letter.len_utf8()..].chars().next();
        let digit = |letter: Option<char>| letter.is_some_and(|letter| letter.is_ascii_digit());
        let (kind, length) = match letter {
            '|' => (Kind::Pipe, 1),
            ',' => (Kind::Comma, 1),
            '=' => (Kind::Assign, 1),
            ':' if second == Some('=') => (Kind::Declare, 2),
            '(' => {
                self.open.push(offset);
                (Kind::Open, 1)
            }
            ')' => {
                self.open
                    .pop()
                    .ok_or(Fault::syntax(offset, "no closing parenthesis without an opening one"))?;
                (Kind::Close, 1)
            }
            '"' | '`' | '\'' => return self.quoted(letter, offset),
            '.' if digit(second) => {
                return Err(Fault::new(offset, TemplateFault::Construct("number with a point")));
            }
            '.' => {
                let name = name(&rest[1..]);
                self.at += 1 + name.len();
                self.ended(offset)?;
                return Ok(if name.is_empty() { Kind::Dot } else { Kind::Field(name) });
            }
            '$' => {
                let name = name(&rest[1..]);
                self.at += 1 + name.len();
                self.ended(offset)?;
                return Ok(Kind::Variable(name));
            }
            '+' | '-' if digit(second) => return self.number(offset),
            '0'..='9' => return self.number(offset),
            letter if is_name(letter) => {
                let word = name(rest);
                self.at += word.len();
                self.ended(offset)?;
                return Ok(Kind::Word(word));
            }
            _ => return Err(Fault::syntax(offset, "an expression")),
        };
        self.at += length;
        Ok(kind)
    }

    /// What may stand behind a name.
    fn ended(&self, offset: usize) -> Result<(), Fault> {
        let rest = &self.text[self.at..];
        let good = rest.is_empty()
            || rest.starts_with(SPACE)
            || rest.starts_with(['.', ',', '|', ':', ')', '('])
            || rest.starts_with(RIGHT);
        if good { Ok(()) } else { Err(Fault::syntax(offset, "a blank behind a name")) }
    }

    /// Go's integers: also `0x`, `0o`, `0b`, a leading zero for octal, and `_` between digits.
    fn number(&mut self, offset: usize) -> Result<Kind<'t>, Fault> {
        let rest = &self.text[offset..];
        let signs = usize::from(rest.starts_with(['+', '-']));
        let length = signs
            + rest[signs..]
                .find(|letter: char| !(is_name(letter) || letter == '.'))
                .unwrap_or(rest.len() - signs);
        let text = &rest[..length];
        self.at += length;
        match integer(text) {
            Some(number) => {
                self.ended(offset)?;
                Ok(Kind::Number(number))
            }
            None => Err(Fault::syntax(offset, "a whole number of 64 bits")),
        }
    }

    /// Texts, and the number of a character in single quotes.
    fn quoted(&mut self, quote: char, offset: usize) -> Result<Kind<'t>, Fault> {
        let rest = &self.text[offset + 1..];
        let mut escaped = false;
        let end = rest.char_indices().find(|(_, letter)| {
            let ends = (*letter == quote && !escaped) || (*letter == '\n' && quote != '`');
            escaped = quote != '`' && *letter == '\\' && !escaped;
            ends
        });
        let unended = Fault::syntax(offset, "the closing quote of a text");
        let Some((end, letter)) = end else { return Err(unended) };
        if letter != quote {
            return Err(unended);
        }
        let inner = &rest[..end];
        self.at = offset + 1 + end + 1;
        if quote == '`' {
            // Go drops carriage returns here.
            return Ok(Kind::Text(Zeroizing::new(inner.replace('\r', ""))));
        }
        let text = unescaped(inner, quote)
            .ok_or(Fault::syntax(offset, "an escape of Go, and no character beyond ASCII by \\x or \\000"))?;
        if quote == '"' {
            return Ok(Kind::Text(text));
        }
        let mut letters = text.chars();
        match (letters.next(), letters.next()) {
            (Some(letter), None) => Ok(Kind::Number(i64::from(u32::from(letter)))),
            _ => Err(Fault::syntax(offset, "one character between single quotes")),
        }
    }
}

fn is_name(letter: char) -> bool {
    letter == '_' || letter.is_alphanumeric()
}

/// The name that a text begins with.
fn name(text: &str) -> &str {
    &text[..text.find(|letter| !is_name(letter)).unwrap_or(text.len())]
}

/// Go's `strconv.ParseInt` with base 0.
fn integer(text: &str) -> Option<i64> {
    let (negative, digits) = match text.strip_prefix('-') {
        Some(digits) => (true, digits),
        None => (false, text.strip_prefix('+').unwrap_or(text)),
    };
    let lower = digits.to_ascii_lowercase();
    let (base, digits) = match lower.get(..2) {
        Some("0x") => (16, &lower[2..]),
        Some("0o") => (8, &lower[2..]),
        Some("0b") => (2, &lower[2..]),
        _ if lower.starts_with('0') && lower.len() > 1 => (8, &lower[1..]),
        _ => (10, lower.as_str()),
    };
    // One between two digits, or between the base and a digit.
    let placed = !digits.ends_with('_') && !digits.contains("__") && (base != 10 || !digits.starts_with('_'));
    let digits = digits.replace('_', "");
    if !placed || !digits.bytes().next()?.is_ascii_alphanumeric() {
        return None;
    }
    let value = i128::from_str_radix(&digits, base).ok()?;
    i64::try_from(if negative { -value } else { value }).ok()
}

/// Go's `strconv.Unquote`, but for bytes beyond ASCII.
fn unescaped(text: &str, quote: char) -> Option<Zeroizing<String>> {
    let mut value = Zeroizing::new(String::with_capacity(text.len()));
    let mut letters = text.chars();
    while let Some(letter) = letters.next() {
        if letter != '\\' {
            value.push(letter);
            continue;
        }
        let code = |digits: &str, radix| u32::from_str_radix(digits, radix).ok().and_then(char::from_u32);
        let mut take = |count: usize| -> String { letters.by_ref().take(count).collect() };
        let escape = take(1);
        let made = match escape.chars().next()? {
            'a' => '\u{7}',
            'b' => '\u{8}',
            'f' => '\u{c}',
            'n' => '\n',
            'r' => '\r',
            't' => '\t',
            'v' => '\u{b}',
            '\\' => '\\',
            other if other == quote => quote,
            'x' => ascii(code(&hex(take(2), 2)?, 16)?)?,
            'u' => code(&hex(take(4), 4)?, 16)?,
            'U' => code(&hex(take(8), 8)?, 16)?,
            first @ '0'..='7' => {
                let digits = format!("{first}{}", take(2));
                let octal = digits.len() == 3 && digits.bytes().all(|digit| (b'0'..=b'7').contains(&digit));
                ascii(code(&digits, 8).filter(|_| octal)?)?
            }
            _ => return None,
        };
        value.push(made);
    }
    Some(value)
}

fn hex(digits: String, count: usize) -> Option<String> {
    (digits.len() == count && digits.bytes().all(|digit| digit.is_ascii_hexdigit())).then_some(digits)
}

fn ascii(letter: char) -> Option<char> {
    letter.is_ascii().then_some(letter)
}
