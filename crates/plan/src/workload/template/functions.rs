//! The functions that an expression may call.
//!
//! Follows `funcs.go` of the package text/template, and `fmt` for what is printed.

use zeroize::Zeroizing;

use super::value::{Lookup, Value};
use super::{Fault, LONGEST, TemplateFault};

/// A function.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Function {
    And,
    Eq,
    Ge,
    Gt,
    Index,
    Le,
    Len,
    Lt,
    Ne,
    Not,
    Or,
    Print,
    Printf,
    Println,
    Slice,
}

/// The function of a name.
pub(super) fn find(name: &str) -> Option<Function> {
    Some(match name {
        "and" => Function::And,
        "eq" => Function::Eq,
        "ge" => Function::Ge,
        "gt" => Function::Gt,
        "index" => Function::Index,
        "le" => Function::Le,
        "len" => Function::Len,
        "lt" => Function::Lt,
        "ne" => Function::Ne,
        "not" => Function::Not,
        "or" => Function::Or,
        "print" => Function::Print,
        "printf" => Function::Printf,
        "println" => Function::Println,
        "slice" => Function::Slice,
        _ => return None,
    })
}

/// Calls a function; `and` and `or` are called by the evaluator, which does not look at all their arguments.
pub(super) fn call(
    function: Function,
    arguments: &[Value],
    offset: usize,
    lookup: Lookup<'_, '_>,
) -> Result<Value, Fault> {
    let kind = |expected| Fault::kind(offset, expected);
    if function != Function::Not
        && let Some(Value::Missing(name)) =
            arguments.iter().find(|argument| matches!(argument, Value::Missing(_)))
    {
        return Err(Fault::new(offset, TemplateFault::Missing(name.clone())));
    }
    match (function, arguments) {
        (Function::Not, [value]) => Ok(Value::Truth(!value.is_true())),
        (Function::Len, [Value::Text(text)]) => length(text.len(), offset),
        (Function::Index, [first, keys @ ..]) => {
            keys.iter().try_fold(first.clone(), |value, key| index(&value, key, offset, lookup))
        }
        (Function::Slice, [Value::Text(text), ends @ ..]) => slice(text, ends, offset),
        (Function::Eq, [first, others @ ..]) if !others.is_empty() => {
            // The first that is equal ends it: what follows is not compared.
            for other in others {
                if equal(first, other, offset)? {
                    return Ok(Value::Truth(true));
                }
            }
            Ok(Value::Truth(false))
        }
        (Function::Ne, [first, second]) => Ok(Value::Truth(!equal(first, second, offset)?)),
        (Function::Lt, [first, second]) => Ok(Value::Truth(order(first, second, offset)?.is_lt())),
        (Function::Le, [first, second]) => Ok(Value::Truth(order(first, second, offset)?.is_le())),
        (Function::Gt, [first, second]) => Ok(Value::Truth(order(first, second, offset)?.is_gt())),
        (Function::Ge, [first, second]) => Ok(Value::Truth(order(first, second, offset)?.is_ge())),
        (Function::Print, values) => joined(values, false, offset),
        (Function::Println, values) => joined(values, true, offset),
        (Function::Printf, [Value::Text(format), values @ ..]) => formatted(format, values, offset),
        (Function::Printf, _) => Err(kind("a format in quotes behind printf")),
        (Function::Len | Function::Slice, _) => Err(kind("a text for len and slice")),
        (Function::Index, []) => Err(kind("a value for index")),
        (Function::Not, _) => Err(kind("one value for not")),
        _ => Err(kind("two values to compare")),
    }
}

fn length(length: usize, offset: usize) -> Result<Value, Fault> {
    let number = i64::try_from(length);
    number.map(Value::Number).map_err(|_| Fault::new(offset, TemplateFault::TooLarge))
}

fn index(value: &Value, key: &Value, offset: usize, lookup: Lookup<'_, '_>) -> Result<Value, Fault> {
    match (value, key) {
        (Value::Variables, Value::Text(name)) => Ok(variable(name, lookup)),
        (Value::Data, Value::Text(name)) if name.as_str() == "Env" => Ok(Value::Variables),
        (Value::Text(text), Value::Number(at)) => {
            let byte = usize::try_from(*at).ok().and_then(|at| text.as_bytes().get(at));
            byte.map(|byte| Value::Number(i64::from(*byte)))
                .ok_or(Fault::kind(offset, "an index inside the text"))
        }
        (Value::Missing(name), _) => Err(Fault::new(offset, TemplateFault::Missing(name.clone()))),
        _ => Err(Fault::kind(offset, "index .Env \"NAME\", or a text and the number of a byte")),
    }
}

/// The value of a variable of the contract.
pub(super) fn variable(name: &str, lookup: Lookup<'_, '_>) -> Value {
    lookup(name).map_or_else(|| Value::Missing(super::printable(name)), Value::text)
}

fn slice(text: &str, ends: &[Value], offset: usize) -> Result<Value, Fault> {
    let inside = || Fault::kind(offset, "one or two numbers inside the text, between its characters");
    let end = |value: &Value| match value {
        Value::Number(number) => usize::try_from(*number).ok(),
        _ => None,
    };
    let (first, last) = match ends {
        [] => (Some(0), Some(text.len())),
        [first] => (end(first), Some(text.len())),
        [first, last] => (end(first), end(last)),
        _ => return Err(inside()),
    };
    let (Some(first), Some(last)) = (first, last) else { return Err(inside()) };
    text.get(first..last).map(Value::text).ok_or_else(inside)
}

fn equal(first: &Value, second: &Value, offset: usize) -> Result<bool, Fault> {
    match (first, second) {
        (Value::Truth(first), Value::Truth(second)) => Ok(first == second),
        _ => Ok(order(first, second, offset)?.is_eq()),
    }
}

fn order(first: &Value, second: &Value, offset: usize) -> Result<std::cmp::Ordering, Fault> {
    match (first, second) {
        (Value::Text(first), Value::Text(second)) => Ok(first.as_bytes().cmp(second.as_bytes())),
        (Value::Number(first), Value::Number(second)) => Ok(first.cmp(second)),
        _ => Err(Fault::kind(offset, "two texts or two numbers to compare")),
    }
}

/// What `fmt.Sprint` and `fmt.Sprintln` make.
fn joined(values: &[Value], line: bool, offset: usize) -> Result<Value, Fault> {
    let mut made = Made::new(offset);
    for (number, value) in values.iter().enumerate() {
        let before = number.checked_sub(1).and_then(|before| values.get(before));
        let texts = [before, Some(value)].iter().flatten().any(|value| matches!(value, Value::Text(_)));
        if before.is_some() && (line || !texts) {
            made.push(" ")?;
        }
        made.push(&printed(value, offset)?)?;
    }
    if line {
        made.push("\n")?;
    }
    Ok(made.value())
}

/// A value as text.
pub(super) fn printed(value: &Value, offset: usize) -> Result<Zeroizing<String>, Fault> {
    match value {
        Value::Missing(name) => Err(Fault::new(offset, TemplateFault::Missing(name.clone()))),
        value => value.printed().ok_or(Fault::kind(offset, "a text, a number or a truth, as .Env.NAME")),
    }
}

/// What `fmt.Sprintf` makes, without flags and widths. Where Go prints that something is wrong, it is refused.
fn formatted(format: &str, values: &[Value], offset: usize) -> Result<Value, Fault> {
    let mut made = Made::new(offset);
    let mut values = values.iter();
    let mut rest = format;
    while let Some(at) = rest.find('%') {
        made.push(&rest[..at])?;
        let verb = rest[at + 1..].chars().next();
        rest = rest.get(at + 2..).unwrap_or_default();
        if verb == Some('%') {
            made.push("%")?;
            continue;
        }
        let Some(verb @ ('s' | 'q' | 'd' | 'v')) = verb else {
            return Err(Fault::new(
                offset,
                TemplateFault::Construct("other verb than %s, %q, %d, %v and %%"),
            ));
        };
        let value = values.next().ok_or(Fault::kind(offset, "a value for each verb of the format"))?;
        match (verb, value) {
            ('s', Value::Text(text)) => made.push(text)?,
            ('q', Value::Text(text)) => {
                made.push(&quoted(text).ok_or(Fault::kind(offset, "a text in ASCII for %q"))?)?;
            }
            ('d', Value::Number(number)) => made.push(&number.to_string())?,
            ('v', value) => made.push(&printed(value, offset)?)?,
            _ => return Err(Fault::kind(offset, "a text for %s and %q, and a number for %d")),
        }
    }
    made.push(rest)?;
    match values.next() {
        None => Ok(made.value()),
        Some(_) => Err(Fault::kind(offset, "a verb in the format for each value")),
    }
}

/// Go's `strconv.Quote` of a text in ASCII. Of other letters it depends on Go's own tables which of them stay.
fn quoted(text: &str) -> Option<Zeroizing<String>> {
    use std::fmt::Write;
    let mut quoted = Zeroizing::new(String::with_capacity(4 * text.len() + 2));
    quoted.push('"');
    for letter in text.chars() {
        match letter {
            '"' | '\\' => {
                quoted.push('\\');
                quoted.push(letter);
            }
            '\u{7}' => quoted.push_str("\\a"),
            '\u{8}' => quoted.push_str("\\b"),
            '\u{c}' => quoted.push_str("\\f"),
            '\n' => quoted.push_str("\\n"),
            '\r' => quoted.push_str("\\r"),
            '\t' => quoted.push_str("\\t"),
            '\u{b}' => quoted.push_str("\\v"),
            ' '..='~' => quoted.push(letter),
            // Writing to a text does not fail.
            '\0'..='\u{7f}' => drop(write!(quoted, "\\x{:02x}", u32::from(letter))),
            _ => return None,
        }
    }
    quoted.push('"');
    Some(quoted)
}

/// A text that is being made.
struct Made {
    text: Zeroizing<String>,
    offset: usize,
}

impl Made {
    fn new(offset: usize) -> Made {
        Made { text: Zeroizing::new(String::new()), offset }
    }

    fn push(&mut self, piece: &str) -> Result<(), Fault> {
        if self.text.len() + piece.len() > LONGEST {
            return Err(Fault::new(self.offset, TemplateFault::TooLarge));
        }
        if self.text.capacity() - self.text.len() < piece.len() {
            // A buffer that grows leaves copies behind.
            let mut larger = Zeroizing::new(String::with_capacity(2 * (self.text.len() + piece.len())));
            larger.push_str(&self.text);
            self.text = larger;
        }
        self.text.push_str(piece);
        Ok(())
    }

    fn value(self) -> Value {
        Value::Text(self.text)
    }
}
