//! Files of the archive that a compose file names: other compose files have to be there, those of variables and labels
//! have to be readable as well; of a mounted one that is not there, the engine makes an empty folder.
//!
//! What stands in another compose file is not judged here: the compose program makes one model of all of them, in the
//! guest, and that is judged ([`crate::workload::canonical`]).

use super::reach::bind_source;
use super::relations::Running;
use super::services::Services;
use super::shape::Look;
use super::{ComposeFault, ComposeNotice, Found, Notice, Surroundings, path, printable};
use crate::workload::document::{Kind, Node};
use crate::workload::dotenv::{self, DotenvFault};

/// Looks at the services that run.
pub(super) fn check(
    look: &mut Look<'_, '_>,
    file: &Node,
    services: &Services<'_, '_, '_>,
    running: &[Running<'_>],
    around: &Surroundings<'_, '_>,
    notices: &mut Vec<ComposeNotice>,
) {
    others(look, file, services, around);
    for service in running {
        variables(look, service, around);
        mounts(look, service, around, notices);
    }
}

/// The line where another compose file is named.
pub(super) fn other_file(file: &Node, services: &Services<'_, '_, '_>) -> Option<usize> {
    let extends = services.all().iter().filter_map(|service| service.value.get("extends"));
    let extends = extends.filter_map(|extends| extends.value.get("file").map(|file| file.line));
    let include = file.get("include").filter(|include| !include.value.items().is_empty());
    include.map(|include| include.line).into_iter().chain(extends).min()
}

/// Other compose files have to be in the archive; nothing is fetched.
fn others(
    look: &mut Look<'_, '_>,
    file: &Node,
    services: &Services<'_, '_, '_>,
    around: &Surroundings<'_, '_>,
) {
    let mut named = Vec::new();
    for service in services.all() {
        let extends = service.value.get("extends").and_then(|extends| extends.value.get("file"));
        named.extend(extends.map(|file| (file.line, std::rc::Rc::clone(&file.value))));
    }
    for item in file.get("include").map(|include| include.value.items()).unwrap_or_default() {
        let path = item.get("path").map_or(item, |path| &path.value);
        let paths = match path.items() {
            [] => std::slice::from_ref(path),
            paths => paths,
        };
        named.extend(paths.iter().map(|path| (item.line, std::rc::Rc::clone(path))));
    }
    for (line, node) in named {
        let Some(read) = look.text(&node) else { continue };
        let found = path::inside(&read.text).and_then(|inside| (around.files)(&inside));
        if !matches!(found, Some(Found::File(_))) {
            let path = printable(node.text().unwrap_or_default());
            look.refuse(line, ComposeFault::NoFile { path });
        }
    }
}

/// Files of variables have to be in the archive, and readable.
fn variables(look: &mut Look<'_, '_>, service: &Running<'_>, around: &Surroundings<'_, '_>) {
    let mut wanted: Vec<(usize, String, String, bool)> = Vec::new();
    for key in ["env_file", "label_file"] {
        for entry in service.all(key) {
            let nodes = match &entry.value.kind {
                Kind::List(items) => items.as_slice(),
                _ => std::slice::from_ref(&entry.value),
            };
            for node in nodes {
                let named = node.get("path").map_or(node, |path| &path.value);
                let required = node.get("required").and_then(|required| look.text(&required.value));
                let required = required.is_none_or(|required| {
                    !["false", "no", "n", "off"].contains(&required.text.to_ascii_lowercase().as_str())
                });
                if let Some(read) = look.text(named) {
                    // For a message as it is written: no value is told.
                    let written = printable(named.text().unwrap_or_default());
                    wanted.push((node.line, read.text.to_string(), written, required));
                }
            }
        }
    }
    for (line, named, path, required) in wanted {
        let service = service.name.clone();
        match path::inside(&named).and_then(|inside| (around.files)(&inside)) {
            Some(Found::File(content)) => match dotenv::parse(content, &|name| (around.lookup)(name)) {
                // A variable that is demanded may be one of the service's own.
                Err(refusal) if !matches!(refusal.fault, DotenvFault::Missing(_)) => {
                    look.refuse(line, ComposeFault::EnvFile { service, path, refusal });
                }
                _ => {}
            },
            None if !required => {}
            Some(Found::Folder) | None => look.refuse(line, ComposeFault::NoEnvFile { service, path }),
        }
    }
}

/// Files of the archive that a service mounts: the engine makes an empty folder of what is not there.
fn mounts(
    look: &Look<'_, '_>,
    service: &Running<'_>,
    around: &Surroundings<'_, '_>,
    notices: &mut Vec<ComposeNotice>,
) {
    for entry in service.all("volumes") {
        for item in entry.value.items() {
            let Some(source) = bind_source(look, item) else { continue };
            let Some(inside) = path::inside(&source) else { continue };
            if !inside.is_empty() && (around.files)(&inside).is_none() {
                let notice = Notice::NotInArchive { service: service.name.clone() };
                notices.push(ComposeNotice { line: item.line, notice });
            }
        }
    }
}
