//! Pieces to a tree.
//!
//! Follows `parse.go` of the package text/template/parse.

use std::collections::VecDeque;

use zeroize::Zeroizing;

use super::functions::{self, Function};
use super::lex::{self, Kind, Piece, Token};
use super::{Fault, MAX_DEPTH, TemplateFault, printable};

/// A part of a template.
#[derive(Debug)]
pub(super) enum Node<'t> {
    Text(&'t str),
    /// Prints a pipeline, unless it declares or assigns.
    Print(Pipeline<'t>),
    /// `if` and `with`.
    Choice {
        with: bool,
        condition: Pipeline<'t>,
        then: Vec<Node<'t>>,
        otherwise: Vec<Node<'t>>,
    },
}

/// Commands, each of which gets what the one before it made.
#[derive(Debug)]
pub(super) struct Pipeline<'t> {
    /// A variable that keeps the value, and whether it is a new one.
    pub(super) keeps: Option<(&'t str, bool)>,
    pub(super) commands: Vec<Command<'t>>,
    pub(super) offset: usize,
}

#[derive(Debug)]
pub(super) enum Command<'t> {
    Call { function: Function, arguments: Vec<Operand<'t>>, offset: usize },
    Value(Operand<'t>),
}

/// A value with the fields that are taken of it.
#[derive(Debug)]
pub(super) struct Operand<'t> {
    pub(super) base: Base<'t>,
    pub(super) fields: Vec<&'t str>,
    pub(super) offset: usize,
}

#[derive(Debug)]
pub(super) enum Base<'t> {
    Dot,
    Variable(&'t str),
    Text(Zeroizing<String>),
    Number(i64),
    Truth(bool),
    Call(Function),
    Pipeline(Pipeline<'t>),
}

/// What ends a list of nodes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stop {
    Text,
    End,
    Else,
}

/// Words of the package that are not evaluated here.
const REFUSED: [&str; 11] =
    ["range", "define", "template", "block", "break", "continue", "call", "html", "js", "urlquery", "nil"];

/// Reads a text.
pub(super) fn parse(text: &str) -> Result<Vec<Node<'_>>, Fault> {
    let pieces = lex::pieces(text)?.into_iter();
    let mut parser = Parser { pieces, variables: vec![""], depth: 0, rest: None };
    let (nodes, end, offset) = parser.list(text.len())?;
    match end {
        Stop::Text => Ok(nodes),
        Stop::End => Err(Fault::syntax(offset, "no end without if or with")),
        Stop::Else => Err(Fault::syntax(offset, "no else without if or with")),
    }
}

struct Parser<'t> {
    pieces: std::vec::IntoIter<Piece<'t>>,
    /// Names of the variables that are known; the one without a name is `$`.
    variables: Vec<&'t str>,
    depth: usize,
    /// What stands behind the `else` that was read last.
    rest: Option<Tokens<'t>>,
}

/// The tokens of an action that are left.
struct Tokens<'t> {
    left: VecDeque<Token<'t>>,
    /// Of the action.
    offset: usize,
}

impl<'t> Tokens<'t> {
    fn peek(&self) -> Option<&Kind<'t>> {
        self.left.front().map(|token| &token.kind)
    }

    /// Where the next one is.
    fn at(&self) -> usize {
        self.left.front().map_or(self.offset, |token| token.offset)
    }

    /// Takes a word, if it is the next token.
    fn word(&mut self, word: &str) -> bool {
        self.take(&Kind::Word(word))
    }

    /// Takes a token, if it is the next one.
    fn take(&mut self, kind: &Kind<'_>) -> bool {
        let is_next = self.peek() == Some(kind);
        if is_next {
            self.left.pop_front();
        }
        is_next
    }
}

impl<'t> Parser<'t> {
    /// Nodes up to what ends them; where that is.
    fn list(&mut self, end: usize) -> Result<(Vec<Node<'t>>, Stop, usize), Fault> {
        let mut nodes = Vec::new();
        while let Some(piece) = self.pieces.next() {
            let (tokens, offset) = match piece {
                Piece::Text("") => continue,
                Piece::Text(text) => {
                    nodes.push(Node::Text(text));
                    continue;
                }
                Piece::Action(tokens, offset) => (tokens, offset),
            };
            let mut tokens = Tokens { left: tokens.into(), offset };
            if tokens.word("end") {
                self.done(&mut tokens)?;
                return Ok((nodes, Stop::End, offset));
            }
            if tokens.word("else") {
                self.rest = Some(tokens);
                return Ok((nodes, Stop::Else, offset));
            }
            nodes.push(if tokens.word("if") {
                self.choice(false, tokens)?
            } else if tokens.word("with") {
                self.choice(true, tokens)?
            } else {
                let pipeline = self.pipeline(&mut tokens, true)?;
                self.done(&mut tokens)?;
                Node::Print(pipeline)
            });
        }
        Ok((nodes, Stop::Text, end))
    }

    fn done(&self, tokens: &mut Tokens<'t>) -> Result<(), Fault> {
        match tokens.peek() {
            None => Ok(()),
            Some(_) => Err(Fault::syntax(tokens.at(), "}} here")),
        }
    }

    /// `if` or `with`, behind the word, up to its `end`.
    fn choice(&mut self, with: bool, mut tokens: Tokens<'t>) -> Result<Node<'t>, Fault> {
        let offset = tokens.offset;
        let known = self.variables.len();
        self.depth += 1;
        if self.depth > MAX_DEPTH {
            return Err(Fault::new(offset, TemplateFault::TooLarge));
        }
        let condition = self.pipeline(&mut tokens, true)?;
        self.done(&mut tokens)?;
        let (then, end, at) = self.list(offset)?;
        let mut otherwise = Vec::new();
        match end {
            Stop::End => {}
            Stop::Text => return Err(Fault::syntax(at, "an end for if or with")),
            Stop::Else => {
                let Some(mut rest) = self.rest.take() else { return Err(Fault::syntax(at, "an end")) };
                if !with && rest.word("if") {
                    // One end ends both.
                    otherwise.push(self.choice(false, rest)?);
                } else if with && rest.word("with") {
                    otherwise.push(self.choice(true, rest)?);
                } else {
                    self.done(&mut rest)?;
                    let (nodes, end, at) = self.list(offset)?;
                    match end {
                        Stop::End => otherwise = nodes,
                        Stop::Text => return Err(Fault::syntax(at, "an end for if or with")),
                        Stop::Else => return Err(Fault::syntax(at, "one else for one if or with")),
                    }
                }
            }
        }
        self.variables.truncate(known);
        self.depth -= 1;
        Ok(Node::Choice { with, condition, then, otherwise })
    }

    fn pipeline(&mut self, tokens: &mut Tokens<'t>, declares: bool) -> Result<Pipeline<'t>, Fault> {
        let offset = tokens.at();
        let keeps = if declares { self.keeps(tokens)? } else { None };
        let mut commands = Vec::new();
        loop {
            let at = tokens.at();
            let command = self.command(tokens)?;
            if !commands.is_empty() && !matches!(command, Command::Call { .. }) {
                return Err(Fault::syntax(at, "a function behind |"));
            }
            commands.push(command);
            // Go takes one with nothing behind it.
            if !tokens.take(&Kind::Pipe) || matches!(tokens.peek(), None | Some(Kind::Close)) {
                break;
            }
        }
        // Known behind the pipeline, not in it.
        if let Some((name, true)) = keeps {
            self.variables.push(name);
        }
        Ok(Pipeline { keeps, commands, offset })
    }

    /// `$name :=` and `$name =`.
    fn keeps(&mut self, tokens: &mut Tokens<'t>) -> Result<Option<(&'t str, bool)>, Fault> {
        let Some(Kind::Variable(name)) = tokens.peek() else { return Ok(None) };
        let name = *name;
        let new = match tokens.left.get(1).map(|token| &token.kind) {
            Some(Kind::Declare) => true,
            Some(Kind::Assign) => false,
            Some(Kind::Comma) => return Err(Fault::syntax(tokens.at(), "one variable before :=")),
            _ => return Ok(None),
        };
        if !new {
            self.declared(name, tokens.at())?;
        }
        tokens.left.drain(..2);
        Ok(Some((name, new)))
    }

    fn declared(&self, name: &str, offset: usize) -> Result<(), Fault> {
        if self.variables.contains(&name) {
            return Ok(());
        }
        Err(Fault::new(offset, TemplateFault::Undeclared(format!("${}", printable(name)))))
    }

    fn command(&mut self, tokens: &mut Tokens<'t>) -> Result<Command<'t>, Fault> {
        let offset = tokens.at();
        let mut operands = Vec::new();
        while !matches!(tokens.peek(), None | Some(Kind::Pipe | Kind::Close)) {
            let operand = self.operand(tokens)?;
            operands.push(operand);
            // What stands there without a blank before it belongs to nothing.
            if let Some(next) = tokens.left.front()
                && !next.spaced
                && !matches!(next.kind, Kind::Pipe | Kind::Close)
            {
                return Err(Fault::syntax(next.offset, "a blank between two values"));
            }
        }
        let mut operands = operands.into_iter();
        let first = operands.next().ok_or(Fault::syntax(offset, "a value"))?;
        let arguments: Vec<Operand<'t>> = operands.collect();
        match first {
            Operand { base: Base::Call(function), .. } => Ok(Command::Call { function, arguments, offset }),
            first if arguments.is_empty() => Ok(Command::Value(first)),
            _ => Err(Fault::syntax(offset, "a function before its arguments")),
        }
    }

    fn operand(&mut self, tokens: &mut Tokens<'t>) -> Result<Operand<'t>, Fault> {
        let offset = tokens.at();
        let Some(token) = tokens.left.pop_front() else { return Err(Fault::syntax(offset, "a value")) };
        let mut fields = Vec::new();
        let base = match token.kind {
            Kind::Dot => Base::Dot,
            Kind::Field(name) => {
                fields.push(name);
                Base::Dot
            }
            Kind::Variable(name) => {
                self.declared(name, offset)?;
                Base::Variable(name)
            }
            Kind::Text(text) => Base::Text(text),
            Kind::Number(number) => Base::Number(number),
            Kind::Word("true") => Base::Truth(true),
            Kind::Word("false") => Base::Truth(false),
            Kind::Word(word) => Base::Call(self.function(word, offset)?),
            Kind::Open => {
                self.depth += 1;
                if self.depth > MAX_DEPTH {
                    return Err(Fault::new(offset, TemplateFault::TooLarge));
                }
                let pipeline = self.pipeline(tokens, false)?;
                self.depth -= 1;
                if !tokens.take(&Kind::Close) {
                    return Err(Fault::syntax(offset, "the closing parenthesis"));
                }
                Base::Pipeline(pipeline)
            }
            Kind::Pipe | Kind::Close | Kind::Comma | Kind::Declare | Kind::Assign => {
                return Err(Fault::syntax(offset, "a value"));
            }
        };
        while let Some(next) = tokens.left.front()
            && !next.spaced
            && let Kind::Field(name) = next.kind
        {
            if matches!(base, Base::Text(_) | Base::Number(_) | Base::Truth(_) | Base::Call(_))
                || (fields.is_empty() && matches!(base, Base::Dot))
            {
                return Err(Fault::syntax(next.offset, "no field of this value"));
            }
            fields.push(name);
            tokens.left.pop_front();
        }
        Ok(Operand { base, fields, offset })
    }

    fn function(&self, word: &str, offset: usize) -> Result<Function, Fault> {
        if let Some(refused) = REFUSED.iter().find(|refused| **refused == word) {
            return Err(Fault::new(offset, TemplateFault::Construct(refused)));
        }
        if ["if", "with", "else", "end"].contains(&word) {
            return Err(Fault::syntax(offset, "this word at the beginning of its action"));
        }
        let unknown = || Fault::new(offset, TemplateFault::Function(printable(word)));
        functions::find(word).ok_or_else(unknown)
    }
}
