//! What an expression can be.

use zeroize::Zeroizing;

/// A value.
#[derive(Clone)]
pub(super) enum Value {
    Text(Zeroizing<String>),
    Number(i64),
    Truth(bool),
    /// `.Env`.
    Variables,
    /// What all of it is about: `.` at the beginning, and `$`.
    Data,
    /// A variable of the contract that is not set, by its name.
    Missing(String),
}

/// What a name stands for.
pub(super) type Lookup<'l, 'a> = &'l dyn Fn(&str) -> Option<&'a str>;

impl Value {
    pub(super) fn text(text: &str) -> Value {
        Value::Text(Zeroizing::new(text.to_owned()))
    }

    /// Whether a condition takes it. The map of variables counts as one that has some.
    pub(super) fn is_true(&self) -> bool {
        match self {
            Value::Text(text) => !text.is_empty(),
            Value::Number(number) => *number != 0,
            Value::Truth(truth) => *truth,
            Value::Variables | Value::Data => true,
            Value::Missing(_) => false,
        }
    }

    /// As it is printed.
    pub(super) fn printed(&self) -> Option<Zeroizing<String>> {
        match self {
            Value::Text(text) => Some(text.clone()),
            Value::Number(number) => Some(Zeroizing::new(number.to_string())),
            Value::Truth(truth) => Some(Zeroizing::new(truth.to_string())),
            Value::Variables | Value::Data | Value::Missing(_) => None,
        }
    }
}
