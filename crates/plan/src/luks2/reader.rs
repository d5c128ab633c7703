//! Typed access to the members of a JSON object, with the place of every fault.
//!
//! Each object is taken apart member by member; [`Members::finish`] refuses what is left over, so
//! no member of a header is ever ignored. It knows JSON and the specification's encodings
//! (64-bit numbers as decimal strings, object numbers as member names), not the rules of a profile.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::fault::{HeaderFault, Place, Rule, Step};
use super::json::Value;

/// A JSON pointer under construction.
pub(super) type Path = Vec<Step>;

pub(super) fn join(path: &[Step], step: Step) -> Path {
    let mut joined = path.to_vec();
    joined.push(step);
    joined
}

fn fault(rule: Rule, path: &[Step]) -> HeaderFault {
    HeaderFault::new(rule, Place::Json(path.to_vec()))
}

/// The members of one object, consumed one by one.
pub(super) struct Members<'v> {
    rest: Vec<&'v (String, Value)>,
    path: Path,
}

impl<'v> Members<'v> {
    pub(super) fn of(value: &'v Value, path: Path) -> Result<Self, HeaderFault> {
        match value {
            Value::Object(members) => Ok(Self { rest: members.iter().collect(), path }),
            _ => Err(fault(Rule::JsonKind, &path)),
        }
    }

    /// Looks at a member without taking it out.
    pub(super) fn peek(&self, name: &'static str) -> Option<&'v Value> {
        self.rest.iter().find(|(known, _)| known == name).map(|(_, value)| value)
    }

    /// Takes a member out, if it is there.
    pub(super) fn take(&mut self, name: &'static str) -> Option<&'v Value> {
        let index = self.rest.iter().position(|(known, _)| known == name)?;
        Some(&self.rest.swap_remove(index).1)
    }

    fn need(&mut self, name: &'static str) -> Result<(&'v Value, Path), HeaderFault> {
        let path = join(&self.path, Step::Name(name));
        match self.take(name) {
            Some(value) => Ok((value, path)),
            None => Err(fault(Rule::JsonMissing, &path)),
        }
    }

    pub(super) fn object(&mut self, name: &'static str) -> Result<Members<'v>, HeaderFault> {
        let (value, path) = self.need(name)?;
        Members::of(value, path)
    }

    pub(super) fn text(&mut self, name: &'static str) -> Result<&'v str, HeaderFault> {
        let (value, path) = self.need(name)?;
        as_text(value, &path)
    }

    /// A JSON number.
    pub(super) fn number(&mut self, name: &'static str) -> Result<u64, HeaderFault> {
        let (value, path) = self.need(name)?;
        match value {
            Value::Number(number) => Ok(*number),
            _ => Err(fault(Rule::JsonKind, &path)),
        }
    }

    pub(super) fn optional_number(&mut self, name: &'static str) -> Result<Option<u64>, HeaderFault> {
        match self.take(name) {
            None => Ok(None),
            Some(Value::Number(number)) => Ok(Some(*number)),
            Some(_) => Err(fault(Rule::JsonKind, &join(&self.path, Step::Name(name)))),
        }
    }

    /// A 64-bit number, which the specification writes as a decimal string.
    pub(super) fn decimal(&mut self, name: &'static str) -> Result<u64, HeaderFault> {
        let (value, path) = self.need(name)?;
        decimal(as_text(value, &path)?).ok_or_else(|| fault(Rule::JsonDecimal, &path))
    }

    /// The number of bytes that a base64 string stands for.
    pub(super) fn base64_length(&mut self, name: &'static str) -> Result<usize, HeaderFault> {
        let (value, path) = self.need(name)?;
        base64_length(as_text(value, &path)?).ok_or_else(|| fault(Rule::JsonBase64, &path))
    }

    pub(super) fn list(&mut self, name: &'static str) -> Result<&'v [Value], HeaderFault> {
        let (value, path) = self.need(name)?;
        match value {
            Value::List(items) => Ok(items),
            _ => Err(fault(Rule::JsonKind, &path)),
        }
    }

    /// An array of object numbers, sorted.
    pub(super) fn indices(&mut self, name: &'static str) -> Result<Vec<u8>, HeaderFault> {
        let path = join(&self.path, Step::Name(name));
        let mut indices = Vec::new();
        for (position, item) in (0u32..).zip(self.list(name)?) {
            let path = join(&path, Step::Index(position));
            let index = index(as_text(item, &path)?).ok_or_else(|| fault(Rule::JsonIndex, &path))?;
            indices.push(index);
        }
        indices.sort_unstable();
        Ok(indices)
    }

    /// The members of an object whose names are object numbers, sorted by number.
    pub(super) fn numbered(&mut self, name: &'static str) -> Result<Vec<(u8, &'v Value, Path)>, HeaderFault> {
        let members = self.object(name)?;
        let mut numbered = Vec::new();
        for (number, value) in members.rest {
            let number = index(number).ok_or_else(|| fault(Rule::JsonIndex, &members.path))?;
            numbered.push((number, value, join(&members.path, Step::Index(u32::from(number)))));
        }
        numbered.sort_unstable_by_key(|(number, ..)| *number);
        Ok(numbered)
    }

    /// Refuses members that nobody asked for.
    pub(super) fn finish(self) -> Result<(), HeaderFault> {
        if self.rest.is_empty() { Ok(()) } else { Err(fault(Rule::JsonUnknown, &self.path)) }
    }
}

fn as_text<'v>(value: &'v Value, path: &[Step]) -> Result<&'v str, HeaderFault> {
    match value {
        Value::Text(text) => Ok(text),
        _ => Err(fault(Rule::JsonKind, path)),
    }
}

fn decimal(text: &str) -> Option<u64> {
    let canonical = text.bytes().all(|byte| byte.is_ascii_digit()) && (text == "0" || !text.starts_with('0'));
    if canonical { text.parse().ok() } else { None }
}

fn index(text: &str) -> Option<u8> {
    decimal(text).filter(|number| *number < 32).and_then(|number| u8::try_from(number).ok())
}

/// Padded, and without bits in the last letter that stand for nothing: with such a salt cryptsetup opens nothing.
fn base64_length(text: &str) -> Option<usize> {
    STANDARD.decode(text).ok().map(|bytes| bytes.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn decimal_strings_have_one_spelling() {
        assert_eq!(decimal("0"), Some(0));
        assert_eq!(decimal("18446744073709551615"), Some(u64::MAX));
        for text in ["", "00", "01", "+1", "-1", " 1", "1 ", "0x10", "18446744073709551616", "1e3"] {
            assert_eq!(decimal(text), None, "{text}");
        }
        assert_eq!(index("31"), Some(31));
        assert_eq!(index("32"), None);
    }

    #[test]
    fn base64_is_counted_and_checked() {
        assert_eq!(base64_length(""), Some(0));
        assert_eq!(base64_length("YQ=="), Some(1));
        assert_eq!(base64_length("YWI="), Some(2));
        assert_eq!(base64_length("YWJj"), Some(3));
        for text in
            ["Y", "YQ", "YQ=", "Y===", "====", "Y-Q=", "YQ==YQ==", "YQ= ", "YR==", "Yf==", "YWJ=", "YWL="]
        {
            assert_eq!(base64_length(text), None, "{text}");
        }
    }
}
