//! Which images a compose file runs, and whether they are pinned.
//!
//! The engine's own compose program interprets the file; here only what has to be judged before it runs is read:
//! each service's `image` after interpolation, and the keys that would bring in something unjudged (`build`,
//! `include`). Unlike a contract, a compose file may use anchors, aliases and merge keys: an alias shares the node
//! it names, so that nothing is expanded and nothing can explode.
//!
//! The rule is HPCR's: an image is named by digest, or a signature rule covers it. Signature rules are refused
//! elsewhere until the guest acts on them.

use std::collections::HashMap;
use std::rc::Rc;

use saphyr_parser::{Event, Parser};

use crate::interpolate::interpolate;

/// Nodes of a compose file; it comes from a bounded archive, this bounds the tree.
const MAX_NODES: usize = 65_536;
/// Levels of maps and lists.
const MAX_DEPTH: usize = 64;
/// Length of a SHA-256 in hexadecimal digits.
const DIGEST_DIGITS: usize = 64;

/// Why the compose file is not taken. Service names may be printed, values may not.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ComposeRefusal {
    /// Not YAML, or beyond the bounds.
    #[error("expected a compose file in valid yaml (line {line})")]
    Syntax {
        /// Line, from one.
        line: usize,
    },
    /// No map called `services` with at least one service.
    #[error("expected at least one service under services")]
    NoServices,
    /// `include` at the top level.
    #[error("expected all services in one file, without include")]
    Include,
    /// A service that is built in the guest.
    #[error("service {service}: expected an image, without build")]
    Build {
        /// Name of the service.
        service: String,
    },
    /// A service without image.
    #[error("service {service}: expected an image")]
    NoImage {
        /// Name of the service.
        service: String,
    },
    /// An image with a variable that cannot be replaced.
    #[error("service {service}: expected every variable of its image in env")]
    Variable {
        /// Name of the service.
        service: String,
    },
    /// An image without digest.
    #[error("service {service}: expected its image as name@sha256:digest")]
    NotPinned {
        /// Name of the service.
        service: String,
    },
}

/// The images of all services, each once, in the order of the file.
///
/// # Errors
/// [`ComposeRefusal`], the first in the order of the file.
pub fn images<'a>(
    text: &str,
    lookup: &dyn Fn(&str) -> Option<&'a str>,
) -> Result<Vec<String>, ComposeRefusal> {
    let file = parse(text)?;
    if file.get("include").is_some() {
        return Err(ComposeRefusal::Include);
    }
    let services = file.get("services").ok_or(ComposeRefusal::NoServices)?;
    let mut images = Vec::new();
    for (service, definition) in services.entries() {
        let image = image(service, definition, lookup)?;
        if !images.contains(&image) {
            images.push(image);
        }
    }
    if images.is_empty() { Err(ComposeRefusal::NoServices) } else { Ok(images) }
}

fn image<'a>(
    service: &str,
    definition: &Node,
    lookup: &dyn Fn(&str) -> Option<&'a str>,
) -> Result<String, ComposeRefusal> {
    let service = || service.chars().filter(|letter| !letter.is_control()).take(64).collect::<String>();
    if definition.get("build").is_some() {
        return Err(ComposeRefusal::Build { service: service() });
    }
    let Some(Node::Scalar(image)) = definition.get("image") else {
        return Err(ComposeRefusal::NoImage { service: service() });
    };
    let image = interpolate(image, lookup).ok_or_else(|| ComposeRefusal::Variable { service: service() })?;
    if is_pinned(&image) { Ok(image) } else { Err(ComposeRefusal::NotPinned { service: service() }) }
}

/// Whether a reference ends in a SHA-256 digest and holds nothing that a command line could mistake.
pub fn is_pinned(image: &str) -> bool {
    let Some((name, digest)) = image.split_once("@sha256:") else { return false };
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"._-/:".contains(&byte);
    !name.is_empty()
        && name.as_bytes()[0].is_ascii_alphanumeric()
        && name.bytes().all(plain)
        && digest.len() == DIGEST_DIGITS
        && digest.bytes().all(|byte| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte))
}

/// A YAML node, without places and types: a compose file is the compose program's to check.
#[derive(Debug)]
enum Node {
    Scalar(String),
    List(Vec<Rc<Node>>),
    Map(Vec<(String, Rc<Node>)>),
}

impl Node {
    /// The value of a key, own entries before merged ones (the YAML merge key type).
    fn get(&self, key: &str) -> Option<&Node> {
        let Node::Map(entries) = self else { return None };
        let own = entries.iter().find(|(name, _)| name == key).map(|(_, value)| value.as_ref());
        own.or_else(|| {
            let merged = entries.iter().filter(|(name, _)| name == "<<");
            merged.flat_map(|(_, source)| source.sources()).find_map(|source| source.get(key))
        })
    }

    /// What a merge key names: a map or a list of maps.
    fn sources(&self) -> Vec<&Node> {
        match self {
            Node::Scalar(_) => Vec::new(),
            Node::List(items) => items.iter().map(AsRef::as_ref).collect(),
            Node::Map(_) => vec![self],
        }
    }

    /// Names and values, those of merge keys included.
    fn entries(&self) -> Vec<(&str, &Node)> {
        let Node::Map(entries) = self else { return Vec::new() };
        let mut all: Vec<(&str, &Node)> = Vec::new();
        for (name, value) in entries {
            if name == "<<" {
                for source in value.sources() {
                    all.extend(source.entries());
                }
            } else {
                all.push((name, value));
            }
        }
        all
    }
}

/// A list or map that is still open, with the anchor it will be known by.
struct Open {
    anchor: usize,
    /// `None` for a list.
    key: Option<Option<String>>,
    items: Vec<Rc<Node>>,
    entries: Vec<(String, Rc<Node>)>,
}

fn parse(text: &str) -> Result<Node, ComposeRefusal> {
    let mut open: Vec<Open> = Vec::new();
    let mut anchors: HashMap<usize, Rc<Node>> = HashMap::new();
    let mut nodes = 0;
    let mut parser = Parser::new_from_str(text);
    while let Some(event) = parser.next_event() {
        let (event, span) = match event {
            Ok(event) => event,
            Err(error) => return Err(ComposeRefusal::Syntax { line: error.marker().line().max(1) }),
        };
        let syntax = || ComposeRefusal::Syntax { line: span.start.line().max(1) };
        nodes += 1;
        if nodes > MAX_NODES || open.len() > MAX_DEPTH {
            return Err(syntax());
        }
        let (anchor, finished) = match event {
            Event::Scalar(value, _, anchor, _) => (anchor, Rc::new(Node::Scalar(value.into_owned()))),
            Event::Alias(anchor) => (0, anchors.get(&anchor).cloned().ok_or_else(syntax)?),
            Event::SequenceStart(anchor, _) => {
                open.push(Open { anchor, key: None, items: Vec::new(), entries: Vec::new() });
                continue;
            }
            Event::MappingStart(anchor, _) => {
                open.push(Open { anchor, key: Some(None), items: Vec::new(), entries: Vec::new() });
                continue;
            }
            Event::SequenceEnd | Event::MappingEnd => {
                let closed = open.pop().ok_or_else(syntax)?;
                let node =
                    if closed.key.is_some() { Node::Map(closed.entries) } else { Node::List(closed.items) };
                (closed.anchor, Rc::new(node))
            }
            _ => continue,
        };
        if anchor != 0 {
            anchors.insert(anchor, Rc::clone(&finished));
        }
        match open.last_mut() {
            // The document's root: what follows it, if anything, is not looked at by the compose program either.
            None => return Rc::try_unwrap(finished).map_err(|_| syntax()),
            Some(Open { key: None, items, .. }) => items.push(finished),
            Some(Open { key: Some(key), entries, .. }) => match key.take() {
                Some(name) => entries.push((name, finished)),
                None => match finished.as_ref() {
                    Node::Scalar(name) => *key = Some(name.clone()),
                    _ => return Err(syntax()),
                },
            },
        }
    }
    Err(ComposeRefusal::NoServices)
}

#[cfg(test)]
mod tests {
    use super::*;

    const DIGEST: &str = "9fcf739803e0dcce2e2351e797b875fa51049ffd66843242cfae973fd2376e4a";

    fn images_of(text: &str) -> Result<Vec<String>, ComposeRefusal> {
        images(&text.replace("DIGEST", DIGEST), &|name| {
            (name == "REGISTRY").then_some("registry.example.org:5000")
        })
    }

    #[test]
    fn pinned_images_are_listed_once() {
        let text = "
services:
  web: {image: \"${REGISTRY}/web@sha256:DIGEST\"}
  again:
    image: registry.example.org:5000/web@sha256:DIGEST
  other:
    image: ${REGISTRY}/other:1.2@sha256:DIGEST
";
        assert_eq!(
            images_of(text).unwrap(),
            [
                format!("registry.example.org:5000/web@sha256:{DIGEST}"),
                format!("registry.example.org:5000/other:1.2@sha256:{DIGEST}"),
            ]
        );
    }

    #[test]
    fn anchors_and_merge_keys_are_followed() {
        let text = "
x-base: &base
  image: ${REGISTRY}/web@sha256:DIGEST
services:
  web:
    <<: *base
  more:
    <<: [*base, {restart: always}]
";
        assert_eq!(images_of(text).unwrap(), [format!("registry.example.org:5000/web@sha256:{DIGEST}")]);
    }

    #[test]
    fn every_refusal() {
        let service = || "web".to_owned();
        for (text, expected) in [
            ("services:\n  web:\n    image: app:latest\n", ComposeRefusal::NotPinned { service: service() }),
            (
                "services:\n  web:\n    image: -x@sha256:DIGEST\n",
                ComposeRefusal::NotPinned { service: service() },
            ),
            (
                "services:\n  web:\n    image: a@sha256:DIGESTa\n",
                ComposeRefusal::NotPinned { service: service() },
            ),
            ("services:\n  web:\n    build: .\n", ComposeRefusal::Build { service: service() }),
            ("services:\n  web:\n    command: x\n", ComposeRefusal::NoImage { service: service() }),
            ("services:\n  web:\n    image: ${A:?b}\n", ComposeRefusal::Variable { service: service() }),
            ("include: [other.yaml]\nservices: {}\n", ComposeRefusal::Include),
            ("services: {}\n", ComposeRefusal::NoServices),
            ("version: '3'\n", ComposeRefusal::NoServices),
            ("", ComposeRefusal::NoServices),
            ("services:\n  web: [\n", ComposeRefusal::Syntax { line: 3 }),
            ("a: *b\n", ComposeRefusal::Syntax { line: 1 }),
        ] {
            assert_eq!(images_of(text), Err(expected), "{text}");
        }
    }

    #[test]
    fn aliases_of_aliases_cost_nothing() {
        let mut text = String::from("a0: &a0 [x, x]\n");
        for level in 1..60 {
            text.push_str(&format!("a{level}: &a{level} [*a{0}, *a{0}]\n", level - 1));
        }
        assert_eq!(images_of(&text), Err(ComposeRefusal::NoServices));
    }
}
