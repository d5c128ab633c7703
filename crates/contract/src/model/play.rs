//! A workload of Kubernetes objects: pods and config maps, as they stand or with template expressions.
//!
//! Kind, names and images are read here; the rest of an object is judged by whoever plans what runs, and is kept as it is
//! with all its places. Texts of config maps and variables of containers may be secrets, so an object is wiped on drop
//! and shows nothing of itself in `Debug`.

use super::read::Reader;
use crate::place::Place;
use crate::yaml::Value;

/// What `play` starts.
#[derive(Debug)]
pub struct Play {
    archive: Option<String>,
    resources: Vec<Resource>,
    templates: Vec<Resource>,
}

/// Which object it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ResourceKind {
    /// Containers that share a network.
    Pod,
    /// Texts and bytes that containers read.
    ConfigMap,
}

/// An object of the Kubernetes core API v1.
#[derive(Debug)]
pub struct Resource {
    kind: ResourceKind,
    name: String,
    images: Vec<String>,
    place: Place,
    object: Value,
}

impl Play {
    /// Base64 of a gzipped tar with further objects.
    pub fn archive(&self) -> Option<&str> {
        self.archive.as_deref()
    }

    /// Objects that are taken as they stand.
    pub fn resources(&self) -> &[Resource] {
        &self.resources
    }

    /// Objects whose strings may hold expressions.
    pub fn templates(&self) -> &[Resource] {
        &self.templates
    }
}

impl Resource {
    /// Which object it is.
    pub fn kind(&self) -> ResourceKind {
        self.kind
    }

    /// Its name; of a template possibly an expression.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The images of a pod's containers, those that run first before the others; none of a config map.
    pub fn images(&self) -> &[String] {
        &self.images
    }

    /// The whole object.
    pub fn object(&self) -> &Value {
        &self.object
    }

    /// Where it stands.
    pub fn place(&self) -> &Place {
        &self.place
    }
}

pub(super) fn read(play: &Reader<'_>) -> Play {
    let objects = |name: &str| -> Vec<Resource> {
        let list = play.child(name);
        list.iter().flat_map(Reader::items).filter_map(|item| resource(&item)).collect()
    };
    Play {
        archive: play.text("archive").map(str::to_owned),
        resources: objects("resources"),
        templates: objects("templates"),
    }
}

fn resource(object: &Reader<'_>) -> Option<Resource> {
    let kind = match object.text("kind")? {
        "Pod" => ResourceKind::Pod,
        _ => ResourceKind::ConfigMap,
    };
    let spec = object.child("spec").filter(|_| kind == ResourceKind::Pod);
    let containers = |name: &str| spec.as_ref().and_then(|spec| spec.child(name));
    let images = [containers("initContainers"), containers("containers")]
        .iter()
        .flatten()
        .flat_map(Reader::items)
        .filter_map(|container| container.text("image").map(str::to_owned))
        .collect();
    Some(Resource {
        kind,
        name: object.child("metadata")?.text("name")?.to_owned(),
        images,
        place: object.place(),
        object: object.value().duplicate(),
    })
}
