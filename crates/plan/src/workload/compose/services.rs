//! The services of a compose file, each with those of the same file that it extends.

use std::collections::HashMap;

use super::{ComposeFault, ComposeRefusal, printable};
use crate::images::name::ImageName;
use crate::images::reference;
use crate::images::signatures::SignatureRules;
use crate::workload::document::{Entry, Kind, Node};
use crate::workload::interpolate::{Fault, interpolate};
use crate::workload::scalar::Scalar;

/// Longest image reference after interpolation; a name, a tag and a digest are shorter.
const LONGEST_IMAGE: usize = 1024;

/// The services of a file, the values of its variables, and who must have signed images.
pub(super) struct Services<'s, 'l, 'a> {
    entries: &'s [Entry],
    by_name: HashMap<&'s str, &'s Entry>,
    lookup: &'l dyn Fn(&str) -> Option<&'a str>,
    signed: &'l SignatureRules,
}

impl<'s, 'l, 'a> Services<'s, 'l, 'a> {
    pub(super) fn new(
        file: &'s Node,
        lookup: &'l dyn Fn(&str) -> Option<&'a str>,
        signed: &'l SignatureRules,
    ) -> Services<'s, 'l, 'a> {
        let entries = file.get("services").map(|services| services.value.entries()).unwrap_or_default();
        let by_name = entries.iter().map(|service| (&*service.key, service)).collect();
        Services { entries, by_name, lookup, signed }
    }

    /// In the order of the file.
    pub(super) fn all(&self) -> &'s [Entry] {
        self.entries
    }

    pub(super) fn get(&self, name: &str) -> Option<&'s Entry> {
        self.by_name.get(name).copied()
    }

    /// The image of a service, if its digest or a signature rule vouches for it; `None` where it stands in another file.
    pub(super) fn image(&self, service: &Entry) -> Result<Option<String>, ComposeRefusal> {
        if !is_service_name(service) {
            return Err(ComposeRefusal { line: service.line, fault: ComposeFault::ServiceName });
        }
        if let Some(build) = service.value.get("build") {
            let fault = ComposeFault::Build { service: printable(&service.key) };
            return Err(ComposeRefusal { line: build.line, fault });
        }
        let Some((line, text)) = self.text(service)? else { return Ok(None) };
        let refused = |fault| Err(ComposeRefusal { line, fault });
        let service = printable(&service.key);
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
            reference::Kind::Pinned => Ok(Some(read.text.to_string())),
            reference::Kind::Tagged if self.is_signed(&read.text) => Ok(Some(read.text.to_string())),
            // As long as a reference comes out, a variable that is not set is empty, as the compose program has it.
            _ if !read.unset.is_empty() => refused(ComposeFault::Variable { service, variables: read.unset }),
            reference::Kind::Tagged | reference::Kind::NotPinned => {
                refused(ComposeFault::NotPinned { service, variables })
            }
            reference::Kind::Scheme => refused(ComposeFault::Scheme { service, variables }),
            reference::Kind::None => refused(ComposeFault::NotAReference { service, variables }),
        }
    }

    fn is_signed(&self, image: &str) -> bool {
        ImageName::parse(image).is_some_and(|image| self.signed.accept(&image))
    }

    /// What is wrong with what a service extends in this file.
    pub(super) fn extends(&self, service: &'s Entry) -> Option<ComposeRefusal> {
        let extends = service.value.get("extends")?;
        let here = extends.value.get("file").is_none();
        let ring = self.chain(service).len() > self.by_name.len();
        (here && (ring || self.extended(&extends.value).is_none())).then(|| ComposeRefusal {
            line: extends.line,
            fault: ComposeFault::Extends { service: printable(&service.key) },
        })
    }

    /// The text of a service's image with its line: its own, or that of the service that it extends.
    fn text<'n>(&'n self, service: &'n Entry) -> Result<Option<(usize, &'n str)>, ComposeRefusal> {
        let mut extending = service;
        // No chain is longer than there are services, unless it is a ring.
        for _ in 0..=self.by_name.len() {
            let image = extending.value.get("image");
            if let Some(image) = image {
                if image.value.tagged {
                    return Err(ComposeRefusal { line: image.line, fault: ComposeFault::Tag });
                }
                if let Some(text) = image.value.text() {
                    return Ok(Some((image.line, text)));
                }
            }
            let line = image.map_or(extending.line, |image| image.line);
            let no_image = ComposeFault::NoImage { service: printable(&service.key) };
            let Some(extends) = extending.value.get("extends") else {
                return Err(ComposeRefusal { line, fault: no_image });
            };
            if extends.value.get("file").is_some() {
                return Ok(None);
            }
            match self.extended(&extends.value) {
                Some(other) => extending = other,
                None => break,
            }
        }
        let line = service.value.get("extends").map_or(service.line, |extends| extends.line);
        Err(ComposeRefusal { line, fault: ComposeFault::Extends { service: printable(&service.key) } })
    }

    /// A service and, behind it, what it extends in this file.
    pub(super) fn chain(&self, service: &'s Entry) -> Vec<&'s Entry> {
        let mut chain = vec![service];
        let mut extending = service;
        while let Some(other) =
            extending.value.get("extends").and_then(|extends| self.extended(&extends.value))
        {
            if chain.len() > self.by_name.len() {
                break;
            }
            chain.push(other);
            extending = other;
        }
        chain
    }

    /// The service of this file that is extended.
    fn extended(&self, extends: &Node) -> Option<&'s Entry> {
        let named = match &extends.kind {
            Kind::Scalar(..) => extends.text(),
            Kind::Map(_) if extends.get("file").is_none() => {
                extends.get("service").and_then(|service| service.value.text())
            }
            _ => None,
        }?;
        let named = interpolate(named, LONGEST_IMAGE, self.lookup).ok()?;
        self.get(named.text.as_str())
    }
}

/// Whether the compose program takes a key for the name of a service; without quotes it takes a number for a number.
fn is_service_name(service: &Entry) -> bool {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"._-".contains(&byte);
    !service.key.is_empty() && service.key.bytes().all(allowed) && service.key_kind() == Scalar::Text
}
