//! Which images a compose file runs, and whether they are pinned.
//!
//! The engine's own compose program interprets the file; here only what has to be judged before it runs is read:
//! each service's `image` after interpolation, and the keys that would bring in something unjudged (`build`,
//! `include`, `extends` of another file). Both read the same text, so what they could take differently is followed to
//! the letter or refused: `document`, `reference`, [`crate::workload::interpolate`] and [`crate::workload::dotenv`] say how. The test
//! `compose_program` of this package holds all of it against the program.
//!
//! The rule is HPCR's: an image is named by digest, or a signature rule covers it. Signature rules are refused
//! elsewhere until the guest acts on them.

use std::collections::HashMap;

use countersign_contract::yaml::Cause;

mod document;
mod environment;
mod reference;
#[cfg(test)]
mod tests;

use crate::workload::interpolate::{Fault, interpolate};
use document::{Entry, Kind, Node};

pub use environment::{COMPOSE_FOLDER, COMPOSE_PROJECT, Environment, PROGRAM};

/// Longest image reference after interpolation; a name, a tag and a digest are shorter.
const LONGEST_IMAGE: usize = 1024;

/// Why the compose file is not taken.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{fault} (line {line})")]
pub struct ComposeRefusal {
    /// Line of the compose file, from one.
    pub line: usize,
    /// What is wrong there.
    pub fault: ComposeFault,
}

/// What is wrong with a compose file. Names of services, keys and variables may be printed, values may not.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ComposeFault {
    /// Not YAML, or beyond the bounds.
    #[error("expected a compose file in valid yaml")]
    Syntax(Cause),
    /// A line break by which the compose program's YAML ends a line, or a comment, and newer YAML does not; or a control
    /// character, or a byte order mark inside the text.
    #[error("expected lines that end in a line feed, and no control character")]
    Character,
    /// A second document; the compose program would add its services to those of the first.
    #[error("expected one yaml document")]
    SeveralDocuments,
    /// A key twice.
    #[error("expected each key once in its map, {key} stands twice")]
    DuplicateKey {
        /// The key.
        key: String,
    },
    /// A tag by which the compose program reads something else than what stands there.
    #[error("expected no tag")]
    Tag,
    /// No map called `services` with at least one service.
    #[error("expected at least one service under services")]
    NoServices,
    /// A name that the compose program takes for no name of a service.
    #[error("expected a name of letters, digits, ., _ and - for a service, in quotes if it is a number")]
    ServiceName,
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
    /// A service whose image stands in another file, or that extends one which is not there.
    #[error("service {service}: expected an image, here or in a service of this file that it extends")]
    Extends {
        /// Name of the service.
        service: String,
    },
    /// An image that is not written as one, for its variables.
    #[error("service {service}: expected ${{NAME}} in its image, and $$ for a dollar sign")]
    Malformed {
        /// Name of the service.
        service: String,
    },
    /// An image with variables that are not set, and that is no image without them.
    #[error("service {service}: expected every variable of its image in env, {} not set", are(variables))]
    Variable {
        /// Name of the service.
        service: String,
        /// Names of the variables.
        variables: Vec<String>,
    },
    /// An image that is no reference once its variables are replaced.
    #[error("service {service}: expected an image reference{}", replaced(variables))]
    NotAReference {
        /// Name of the service.
        service: String,
        /// Names of its variables.
        variables: Vec<String>,
    },
    /// An image that is not in a registry.
    #[error(
        "service {service}: expected an image in a registry, not one behind a scheme{}",
        replaced(variables)
    )]
    Scheme {
        /// Name of the service.
        service: String,
        /// Names of its variables.
        variables: Vec<String>,
    },
    /// An image without digest.
    #[error("service {service}: expected its image as name@sha256:digest{}", replaced(variables))]
    NotPinned {
        /// Name of the service.
        service: String,
        /// Names of its variables.
        variables: Vec<String>,
    },
}

impl ComposeFault {
    /// What would help, where it is more than the code's own remedy.
    pub fn hint(&self) -> Option<&'static str> {
        match self {
            ComposeFault::Syntax(cause) => {
                Some(cause.hint().unwrap_or("correct the named line of the compose file"))
            }
            ComposeFault::Character => Cause::LineBreak.hint(),
            ComposeFault::Variable { .. } => {
                Some("set it under env.env or workload.env, or in the archive's .env")
            }
            ComposeFault::Tag => Some("remove the tag"),
            _ => None,
        }
    }
}

fn are(variables: &[String]) -> String {
    format!("{} {}", variables.join(", "), if variables.len() == 1 { "is" } else { "are" })
}

fn replaced(variables: &[String]) -> String {
    if variables.is_empty() { String::new() } else { format!(" where {} replaced", are(variables)) }
}

/// The images of all services, each once, in the order of the file.
///
/// # Errors
/// [`ComposeRefusal`], the first in the order of the file.
pub fn images<'a>(
    text: &str,
    lookup: &dyn Fn(&str) -> Option<&'a str>,
) -> Result<Vec<String>, ComposeRefusal> {
    let file = document::parse(text)?;
    if let Some(Entry { line, .. }) = file.get("include") {
        return Err(ComposeRefusal { line: *line, fault: ComposeFault::Include });
    }
    let services = file.get("services");
    let line = services.map_or(1, |services| services.line);
    let services = services.map(|services| services.value.entries()).unwrap_or_default();
    let services =
        Services { by_name: services.iter().map(|service| (&*service.key, service)).collect(), lookup };
    let mut images = Vec::new();
    for service in file.get("services").map(|services| services.value.entries()).unwrap_or_default() {
        let image = services.image(service)?;
        if !images.contains(&image) {
            images.push(image);
        }
    }
    if images.is_empty() {
        return Err(ComposeRefusal { line, fault: ComposeFault::NoServices });
    }
    Ok(images)
}

/// The services of a file, and the values of its variables.
struct Services<'s, 'l, 'a> {
    by_name: HashMap<&'s str, &'s Entry>,
    lookup: &'l dyn Fn(&str) -> Option<&'a str>,
}

impl Services<'_, '_, '_> {
    /// The image of a service, if it is pinned.
    fn image(&self, service: &Entry) -> Result<String, ComposeRefusal> {
        if !is_service_name(&service.key, service.plain) {
            return Err(ComposeRefusal { line: service.line, fault: ComposeFault::ServiceName });
        }
        if let Some(build) = service.value.get("build") {
            return Err(ComposeRefusal {
                line: build.line,
                fault: ComposeFault::Build { service: name(service) },
            });
        }
        let (line, text) = self.text(service)?;
        let refused = |fault| Err(ComposeRefusal { line, fault });
        let service = name(service);
        let read = match interpolate(text, LONGEST_IMAGE, self.lookup) {
            Ok(read) => read,
            Err(Fault::Malformed) => return refused(ComposeFault::Malformed { service }),
            Err(Fault::Missing(name)) => {
                return refused(ComposeFault::Variable { service, variables: vec![name] });
            }
            Err(Fault::TooLarge) => {
                return refused(ComposeFault::NotAReference { service, variables: Vec::new() });
            }
        };
        let variables = read.names;
        match reference::kind(&read.text) {
            reference::Kind::Pinned => Ok(read.text.to_string()),
            // As long as a reference comes out, a variable that is not set is empty, as the compose program has it.
            _ if !read.unset.is_empty() => refused(ComposeFault::Variable { service, variables: read.unset }),
            reference::Kind::NotPinned => refused(ComposeFault::NotPinned { service, variables }),
            reference::Kind::Scheme => refused(ComposeFault::Scheme { service, variables }),
            reference::Kind::None => refused(ComposeFault::NotAReference { service, variables }),
        }
    }

    /// The text of a service's image with its line: its own, or that of the service that it extends.
    fn text<'n>(&'n self, service: &'n Entry) -> Result<(usize, &'n str), ComposeRefusal> {
        let mut extending = service;
        // No chain is longer than there are services, unless it is a ring.
        for _ in 0..=self.by_name.len() {
            let image = extending.value.get("image");
            if let Some(image) = image {
                if image.value.tagged {
                    return Err(ComposeRefusal { line: image.line, fault: ComposeFault::Tag });
                }
                if let Some(text) = image.value.text() {
                    return Ok((image.line, text));
                }
            }
            let line = image.map_or(extending.line, |image| image.line);
            let no_image = ComposeFault::NoImage { service: name(service) };
            let Some(extends) = extending.value.get("extends") else {
                return Err(ComposeRefusal { line, fault: no_image });
            };
            match self.extended(&extends.value) {
                Some(other) => extending = other,
                None => break,
            }
        }
        let line = service.value.get("extends").map_or(service.line, |extends| extends.line);
        Err(ComposeRefusal { line, fault: ComposeFault::Extends { service: name(service) } })
    }

    /// The service of this file that is extended.
    fn extended(&self, extends: &Node) -> Option<&Entry> {
        let named = match &extends.kind {
            Kind::Scalar(..) => extends.text(),
            Kind::Map(_) if extends.get("file").is_none() => {
                extends.get("service").and_then(|service| service.value.text())
            }
            _ => None,
        }?;
        let named = interpolate(named, LONGEST_IMAGE, self.lookup).ok()?;
        self.by_name.get(named.text.as_str()).copied()
    }
}

/// The name of a service for a message.
fn name(service: &Entry) -> String {
    printable(&service.key)
}

/// A name without control characters, cut.
fn printable(name: &str) -> String {
    name.chars().filter(|letter| !letter.is_control()).take(64).collect()
}

/// Whether the compose program takes a key for the name of a service; without quotes it takes a number for a number.
fn is_service_name(name: &str, plain: bool) -> bool {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"._-".contains(&byte);
    let digits = || name.replace('_', "");
    let number = || digits().starts_with(|first: char| first.is_ascii_digit() || "+-.".contains(first));
    let other = || {
        ["0x", "0o", "0b", "-0x", "-0o", "-0b"].iter().any(|base| name.starts_with(base))
            || matches!(
                name.to_ascii_lowercase().as_str(),
                "true" | "false" | "null" | ".inf" | "-.inf" | ".nan"
            )
            || is_date(name)
    };
    !name.is_empty()
        && name.bytes().all(allowed)
        && !(plain && ((number() && digits().parse::<f64>().is_ok()) || other()))
}

/// `2026-1-31`: a timestamp.
fn is_date(name: &str) -> bool {
    let parts: Vec<&str> = name.split('-').collect();
    parts.len() == 3
        && parts.iter().zip([4, 2, 2]).all(|(part, digits)| {
            !part.is_empty() && part.len() <= digits && part.bytes().all(|byte| byte.is_ascii_digit())
        })
}
