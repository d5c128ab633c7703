//! Elements of XML 1.0, written: names and order are the caller's, texts and values are escaped here.

use std::fmt::{self, Display};

/// An element with attributes and either children or a text.
#[derive(Debug)]
pub(super) struct Element {
    name: &'static str,
    attributes: Vec<(&'static str, String)>,
    children: Vec<Element>,
    text: String,
}

impl Element {
    pub(super) fn new(name: &'static str) -> Element {
        Element { name, attributes: Vec::new(), children: Vec::new(), text: String::new() }
    }

    /// One more attribute.
    pub(super) fn with(mut self, name: &'static str, value: impl Display) -> Element {
        self.attributes.push((name, value.to_string()));
        self
    }

    /// One more child.
    pub(super) fn child(mut self, child: Element) -> Element {
        self.children.push(child);
        self
    }

    /// The text.
    pub(super) fn text(mut self, text: impl Display) -> Element {
        self.text = text.to_string();
        self
    }

    fn write(&self, f: &mut fmt::Formatter<'_>, depth: usize) -> fmt::Result {
        let Element { name, attributes, children, text } = self;
        let margin = "  ".repeat(depth);
        write!(f, "{margin}<{name}")?;
        for (name, value) in attributes {
            write!(f, " {name}='{}'", Escaped(value))?;
        }
        if !text.is_empty() {
            return writeln!(f, ">{}</{name}>", Escaped(text));
        }
        if children.is_empty() {
            return writeln!(f, "/>");
        }
        writeln!(f, ">")?;
        for child in children {
            child.write(f, depth + 1)?;
        }
        writeln!(f, "{margin}</{name}>")
    }
}

impl Display for Element {
    /// Indented, a line feed at the end.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.write(f, 0)
    }
}

/// A text whose characters mean themselves, in content and in attributes.
struct Escaped<'t>(&'t str);

impl Display for Escaped<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for letter in self.0.chars() {
            match letter {
                '&' => f.write_str("&amp;")?,
                '<' => f.write_str("&lt;")?,
                '>' => f.write_str("&gt;")?,
                '\'' => f.write_str("&apos;")?,
                '"' => f.write_str("&quot;")?,
                _ => write!(f, "{letter}")?,
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_has_a_meaning_in_xml_is_escaped() {
        let element = Element::new("a")
            .with("b", "'\"<>&")
            .child(Element::new("c").text("<&>"))
            .child(Element::new("d"));
        let expected = "<a b='&apos;&quot;&lt;&gt;&amp;'>\n  <c>&lt;&amp;&gt;</c>\n  <d/>\n</a>\n";
        assert_eq!(element.to_string(), expected);
    }
}
