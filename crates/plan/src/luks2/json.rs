//! Strict reading of the LUKS2 JSON area into a value tree.
//!
//! Stricter than the parser in libcryptsetup (json-c) on purpose: what that parser would repair,
//! ignore or read in a second way (duplicate members, comments, escaped zero bytes, fractions) is
//! refused here, so both programs see the same header. Depth and node count are bounded.
//! It knows nothing about LUKS; that is [`super::metadata`].

use std::cell::Cell;
use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, Error, MapAccess, SeqAccess, Visitor};

use super::fault::Rule;

/// Deepest nesting; the specification needs 5.
const DEPTH: u32 = 8;
/// Most values and members; 32 key slots of the specification need about 700.
const NODES: u32 = 4096;

/// A JSON value as far as LUKS2 metadata uses JSON.
#[derive(PartialEq)]
pub(super) enum Value {
    Number(u64),
    Text(String),
    List(Vec<Value>),
    Object(Vec<(String, Value)>),
    /// `null`, `true` or `false`: nowhere in the specification.
    Other,
}

/// Reads the whole of `text` as one value.
///
/// # Errors
/// The rule that the text breaks.
pub(super) fn parse(text: &[u8]) -> Result<Value, Rule> {
    let limits = Limits { nodes: Cell::new(0), broken: Cell::new(None) };
    let mut deserializer = serde_json::Deserializer::from_slice(text);
    let value = Node { limits: &limits, depth: 1 }
        .deserialize(&mut deserializer)
        .map_err(|_| limits.broken.get().unwrap_or(Rule::JsonSyntax))?;
    deserializer.end().map_err(|_| Rule::JsonSyntax)?;
    Ok(value)
}

struct Limits {
    nodes: Cell<u32>,
    /// The first broken rule: serde's own errors can carry text only.
    broken: Cell<Option<Rule>>,
}

impl Limits {
    fn refuse<E: Error>(&self, rule: Rule) -> E {
        self.broken.set(Some(rule));
        E::custom(rule.id())
    }

    fn count<E: Error>(&self) -> Result<(), E> {
        let nodes = self.nodes.get() + 1;
        self.nodes.set(nodes);
        if nodes > NODES { Err(self.refuse(Rule::JsonNodes)) } else { Ok(()) }
    }

    fn text<E: Error>(&self, text: &str) -> Result<(), E> {
        // A zero byte or control character, escaped or not, ends a C string early.
        if text.bytes().all(|byte| (0x20..0x7f).contains(&byte)) {
            Ok(())
        } else {
            Err(self.refuse(Rule::JsonText))
        }
    }
}

#[derive(Clone, Copy)]
struct Node<'l> {
    limits: &'l Limits,
    depth: u32,
}

impl Node<'_> {
    fn inside<E: Error>(self) -> Result<Self, E> {
        if self.depth == DEPTH {
            return Err(self.limits.refuse(Rule::JsonDepth));
        }
        Ok(Self { limits: self.limits, depth: self.depth + 1 })
    }
}

impl<'de> DeserializeSeed<'de> for Node<'_> {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Node<'_> {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_unit<E: Error>(self) -> Result<Value, E> {
        self.limits.count().map(|()| Value::Other)
    }

    fn visit_bool<E: Error>(self, _: bool) -> Result<Value, E> {
        self.limits.count().map(|()| Value::Other)
    }

    fn visit_u64<E: Error>(self, number: u64) -> Result<Value, E> {
        self.limits.count().map(|()| Value::Number(number))
    }

    fn visit_i64<E: Error>(self, _: i64) -> Result<Value, E> {
        Err(self.limits.refuse(Rule::JsonNumber))
    }

    fn visit_f64<E: Error>(self, _: f64) -> Result<Value, E> {
        Err(self.limits.refuse(Rule::JsonNumber))
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Value, E> {
        self.limits.count()?;
        self.limits.text(text)?;
        Ok(Value::Text(text.to_owned()))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Value, A::Error> {
        self.limits.count()?;
        let inside = self.inside()?;
        let mut list = Vec::new();
        while let Some(item) = items.next_element_seed(inside)? {
            list.push(item);
        }
        Ok(Value::List(list))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Value, A::Error> {
        self.limits.count()?;
        let inside = self.inside()?;
        let mut object: Vec<(String, Value)> = Vec::new();
        while let Some(name) = members.next_key::<String>()? {
            self.limits.count()?;
            self.limits.text(&name)?;
            // Quadratic, but the node budget bounds it to some million comparisons.
            if object.iter().any(|(known, _)| *known == name) {
                return Err(self.limits.refuse(Rule::JsonDuplicate));
            }
            let value = members.next_value_seed(inside)?;
            object.push((name, value));
        }
        Ok(Value::Object(object))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rule(text: &str) -> Option<Rule> {
        parse(text.as_bytes()).err()
    }

    #[test]
    fn refuses_what_a_lenient_parser_reads_in_another_way() {
        for (text, expected) in [
            ("{\"a\":1,\"a\":1}", Rule::JsonDuplicate),
            ("{\"a\":1,\"\\u0061\":1}", Rule::JsonDuplicate),
            ("{\"a\\u0000b\":1}", Rule::JsonText),
            ("{\"a\":\"x\\u0000y\"}", Rule::JsonText),
            ("{\"a\":\"\u{e9}\"}", Rule::JsonText),
            ("{\"a\":-1}", Rule::JsonNumber),
            ("{\"a\":1.0}", Rule::JsonNumber),
            ("{\"a\":1e3}", Rule::JsonNumber),
            ("{\"a\":18446744073709551616}", Rule::JsonNumber),
            ("{\"a\":NaN}", Rule::JsonSyntax),
            ("{'a':1}", Rule::JsonSyntax),
            ("{\"a\":1 /* */}", Rule::JsonSyntax),
            ("{\"a\":1,}", Rule::JsonSyntax),
            ("{\"a\":1}x", Rule::JsonSyntax),
            ("{\"a\":01}", Rule::JsonSyntax),
            ("", Rule::JsonSyntax),
        ] {
            assert_eq!(rule(text), Some(expected), "{text}");
        }
    }

    #[test]
    fn bounds_depth_and_nodes() {
        let nested = |depth: usize| format!("{}{}", "[".repeat(depth), "]".repeat(depth));
        assert_eq!(rule(&nested(7)), None);
        assert_eq!(rule(&nested(8)), Some(Rule::JsonDepth));
        assert_eq!(rule(&nested(100_000)), Some(Rule::JsonDepth));
        let list = |count: usize| format!("[{}0]", "0,".repeat(count - 1));
        assert_eq!(rule(&list(4095)), None);
        assert_eq!(rule(&list(4096)), Some(Rule::JsonNodes));
    }

    #[test]
    fn unescapes_the_slash_of_old_writers() {
        let value = parse(br#"{"salt":"a\/b"}"#);
        assert!(matches!(value, Ok(Value::Object(members)) if members[0].1 == Value::Text("a/b".into())));
    }
}
