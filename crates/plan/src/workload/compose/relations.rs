//! What a service refers to has to be there: other services, networks, volumes, secrets and configs; and what it says
//! twice has to agree.
//!
//! Follows compose-go 2.4.8, `checkConsistency`, and what docker-compose finds when it creates containers. Only services
//! that run are looked at: those of a profile that is not active are left alone, as the program leaves them.

use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

use super::services::Services;
use super::shape::Look;
use super::values::{self, Mount};
use super::{ComposeFault, Surroundings, printable};
use crate::workload::document::{Entry, Kind, Node};

/// A service that runs, with what it extends in the same file.
pub(super) struct Running<'s> {
    pub(super) entry: &'s Entry,
    pub(super) name: String,
    chain: Vec<&'s Entry>,
}

impl<'s> Running<'s> {
    /// The entries of a key, its own first; more than one where it extends others that have the key.
    pub(super) fn all(&self, key: &str) -> Vec<&'s Entry> {
        self.chain.iter().filter_map(|service| service.value.get(key)).collect()
    }

    /// The entry of a key whose value replaces that of what is extended.
    pub(super) fn get(&self, key: &str) -> Option<&'s Entry> {
        self.chain.iter().find_map(|service| service.value.get(key))
    }
}

/// The services that run with these profiles.
pub(super) fn running<'s>(
    look: &Look<'_, '_>,
    services: &Services<'s, '_, '_>,
    profiles: &[String],
) -> Vec<Running<'s>> {
    let all = services.all().iter();
    all.map(|entry| Running { entry, name: printable(&entry.key), chain: services.chain(entry) })
        .filter(|service| {
            let named = service.all("profiles");
            let mut texts = named.iter().flat_map(|entry| entry.value.items()).peekable();
            texts.peek().is_none()
                || texts.any(|text| {
                    look.text(text).is_some_and(|text| {
                        profiles.iter().any(|active| active == "*" || *active == *text.text)
                    })
                })
        })
        .collect()
}

/// Something that a service names.
struct Named {
    line: usize,
    name: String,
    /// For a message: as it is written, where variables were replaced; a value must not be told.
    shown: String,
}

impl Named {
    fn new(line: usize, written: &Node, name: &str) -> Named {
        let written = written.text().unwrap_or_default();
        let shown = printable(if written.contains('$') { written } else { name });
        Named { line, name: name.to_owned(), shown }
    }
}

/// What a list of names, or a map with names as keys, names.
fn names(look: &Look<'_, '_>, node: &Node) -> Vec<Named> {
    match &node.kind {
        Kind::List(items) => items
            .iter()
            .filter_map(|item| {
                let named = item.get("source").map_or(item, |source| &source.value);
                Some(Named::new(item.line, named, &look.text(named)?.text))
            })
            .collect(),
        Kind::Map(entries) => entries
            .iter()
            .map(|entry| Named {
                line: entry.line,
                name: entry.key.to_string(),
                shown: printable(&entry.key),
            })
            .collect(),
        Kind::Scalar(..) => Vec::new(),
    }
}

/// Looks at everything that refers to something.
pub(super) fn check(
    look: &mut Look<'_, '_>,
    file: &Node,
    services: &Services<'_, '_, '_>,
    running: &[Running<'_>],
    around: &Surroundings<'_, '_>,
) {
    // What another file defines is not known here.
    let complete = file.get("include").is_none_or(|include| include.value.items().is_empty());
    let known = |section: &str| -> BTreeSet<String> {
        let entries = file.get(section).map(|section| section.value.entries()).unwrap_or_default();
        entries.iter().map(|entry| entry.key.to_string()).collect()
    };
    let active: BTreeSet<&str> = running.iter().map(|service| &*service.entry.key).collect();
    let mut graph: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for service in running {
        let needed = depends_on(look, service);
        for (Named { line, name, shown }, required) in &needed {
            if active.contains(name.as_str()) {
                continue;
            }
            let (service, shown) = (service.name.clone(), shown.clone());
            match services.get(name) {
                Some(_) if !required => {}
                Some(_) => look.refuse(*line, ComposeFault::Inactive { service, name: shown }),
                None if !complete => {}
                None => {
                    let fault = ComposeFault::Undefined { service, name: shown, section: "services" };
                    look.refuse(*line, fault);
                }
            }
        }
        let needed = needed.into_iter().map(|(named, _)| named.name).collect();
        graph.insert(service.entry.key.to_string(), needed);
        for section in ["networks", "secrets", "configs", "volumes"] {
            let defined = known(section);
            for entry in service.all(section) {
                let used = match section {
                    "volumes" => volumes(look, &entry.value),
                    _ => names(look, &entry.value),
                };
                for Named { line, name, shown } in used {
                    if complete && !(defined.contains(&name) || (section == "networks" && name == "default"))
                    {
                        let service = service.name.clone();
                        look.refuse(line, ComposeFault::Undefined { service, name: shown, section });
                    }
                }
            }
        }
        agreements(look, service);
        binds(look, service);
    }
    if let Some(service) = circle(&graph) {
        let line = services.get(&service).map_or(1, |entry| entry.line);
        look.refuse(line, ComposeFault::Circle { service: printable(&service) });
    }
    sources(look, file, around);
}

/// The services that a service waits for, and whether it cannot do without.
fn depends_on(look: &Look<'_, '_>, service: &Running<'_>) -> Vec<(Named, bool)> {
    let mut needed: Vec<(Named, bool)> = Vec::new();
    for entry in service.all("depends_on") {
        for named in names(look, &entry.value) {
            let condition = entry.value.get(&named.name);
            let required = condition.and_then(|condition| condition.value.get("required"));
            let required = required.and_then(|required| required.value.text()) != Some("false");
            needed.push((named, required));
        }
    }
    for entry in service.all("links") {
        for mut named in names(look, &entry.value) {
            if let [name, _] = named.name.split(':').collect::<Vec<_>>()[..] {
                named.name = name.to_owned();
            }
            needed.push((named, true));
        }
    }
    for key in ["network_mode", "ipc", "pid", "uts", "cgroup"] {
        let Some(entry) = service.get(key) else { continue };
        let Some(mode) = look.text(&entry.value) else { continue };
        if let Some(name) = mode.text.strip_prefix("service:") {
            needed.push((Named::new(entry.line, &entry.value, name), true));
        }
    }
    for entry in service.all("volumes_from") {
        for mut named in names(look, &entry.value) {
            if !named.name.starts_with("container:") {
                named.name = named.name.split(':').next().unwrap_or_default().to_owned();
                needed.push((named, true));
            }
        }
    }
    needed
}

/// Volumes that a service's list of mounts names.
fn volumes(look: &Look<'_, '_>, node: &Node) -> Vec<Named> {
    let mut used = Vec::new();
    for item in node.items() {
        if let Some(read) = look.text(item) {
            if let Some(mount) = Mount::parse(&read.text)
                && !mount.is_path()
                && !mount.source.is_empty()
            {
                used.push(Named::new(item.line, item, mount.source));
            }
            continue;
        }
        let text = |key| item.get(key).and_then(|entry| look.text(&entry.value)).map(|read| read.text);
        if let (Some(kind), Some(source), Some(written)) = (text("type"), text("source"), item.get("source"))
            && *kind == "volume"
            && !source.is_empty()
        {
            used.push(Named::new(item.line, &written.value, &source));
        }
    }
    used
}

/// A path that is mounted in the long form has to be given.
fn binds(look: &mut Look<'_, '_>, service: &Running<'_>) {
    for entry in service.all("volumes") {
        for item in entry.value.items() {
            let kind = item.get("type").and_then(|kind| look.text(&kind.value));
            if kind.is_some_and(|kind| kind.text.as_str() == "bind") && item.get("source").is_none() {
                let at = format!("services.{}.volumes", service.name);
                look.refuse(item.line, ComposeFault::MissingKey { at, key: "source" });
            }
        }
    }
}

/// What must not stand beside something else, and what stands in two places and has to be equal.
fn agreements(look: &mut Look<'_, '_>, service: &Running<'_>) {
    let exclusive = |first, second| ComposeFault::Exclusive { service: service.name.clone(), first, second };
    let is_there = |key: &str| {
        service.all(key).iter().any(|entry| match &entry.value.kind {
            Kind::Scalar(..) => look.text(&entry.value).is_some_and(|read| !read.text.is_empty()),
            Kind::List(items) => !items.is_empty(),
            Kind::Map(entries) => !entries.is_empty(),
        })
    };
    if is_there("network_mode") && is_there("networks") {
        let line = service.get("network_mode").map_or(service.entry.line, |entry| entry.line);
        look.refuse(line, exclusive("network_mode", "networks"));
    }
    let text =
        |node: Option<&Rc<Node>>| node.and_then(|node| look.text(node)).map(|read| read.text.to_string());
    let own = |key: &str| text(service.get(key).map(|entry| &entry.value));
    let deploy = |path: &[&str]| {
        let mut node = service.get("deploy").map(|entry| &entry.value)?;
        for key in path {
            node = &node.get(key)?.value;
        }
        Some(node)
    };
    let number = |text: Option<String>| text.and_then(|text| text.parse::<f64>().ok());
    let size = |text: Option<String>| text.and_then(|text| values::size(&text));
    let scale = number(own("scale"));
    let replicas = number(text(deploy(&["replicas"])));
    let mut unequal: Vec<(&'static str, &'static str)> = Vec::new();
    if let (Some(scale), Some(replicas)) = (scale, replicas)
        && scale != replicas
    {
        unequal.push(("scale", "deploy.replicas"));
    }
    let limits = deploy(&["resources", "limits"]).is_some();
    let reservations = deploy(&["resources", "reservations"]).is_some();
    // A limit that is not given there counts as none.
    let pairs = [
        (limits, "cpus", number(own("cpus")), number(text(deploy(&["resources", "limits", "cpus"])))),
        (limits, "mem_limit", size(own("mem_limit")), size(text(deploy(&["resources", "limits", "memory"])))),
        (
            limits,
            "pids_limit",
            number(own("pids_limit")),
            number(text(deploy(&["resources", "limits", "pids"]))),
        ),
        (
            reservations,
            "mem_reservation",
            size(own("mem_reservation")),
            size(text(deploy(&["resources", "reservations", "memory"]))),
        ),
    ];
    for (given, key, own, other) in pairs {
        if given && own.is_some_and(|own| own != 0.0 && own != other.unwrap_or(0.0)) {
            let other = if key == "mem_reservation" {
                "deploy.resources.reservations"
            } else {
                "deploy.resources.limits"
            };
            unequal.push((key, other));
        }
    }
    let first_word = service
        .get("healthcheck")
        .and_then(|entry| entry.value.get("test"))
        .and_then(|test| test.value.items().first().map(|first| (test.line, look.text(first))));
    let wrong_test = match first_word {
        Some((line, Some(word))) if !["CMD", "CMD-SHELL", "NONE"].contains(&word.text.as_str()) => Some(line),
        _ => None,
    };
    let several = scale.or(replicas).is_some_and(|count| count > 1.0);
    let named = own("container_name").is_some_and(|name| !name.is_empty());
    for (first, second) in unequal {
        let line = service.get(first).map_or(service.entry.line, |entry| entry.line);
        let service = service.name.clone();
        look.refuse(line, ComposeFault::Unequal { service, first, second });
    }
    if let Some(line) = wrong_test {
        look.refuse(line, ComposeFault::HealthTest { service: service.name.clone() });
    }
    if several && named {
        let line = service.get("container_name").map_or(service.entry.line, |entry| entry.line);
        look.refuse(line, ComposeFault::NameOfSeveral { service: service.name.clone() });
    }
}

/// Each secret and each config has one source, and a variable that one is made of is set.
fn sources(look: &mut Look<'_, '_>, file: &Node, around: &Surroundings<'_, '_>) {
    for (section, kinds, expected) in [
        ("secrets", &["file", "environment"][..], "one of file and environment"),
        ("configs", &["file", "environment", "content"][..], "one of file, content and environment"),
    ] {
        let entries = file.get(section).map(|section| section.value.entries()).unwrap_or_default();
        for entry in entries {
            let Kind::Map(_) = entry.value.kind else { continue };
            let given = kinds.iter().filter(|kind| entry.value.get(kind).is_some()).count();
            let elsewhere = entry.value.get("external").is_some();
            let at = format!("{section}.{}", printable(&entry.key));
            if given > 1 || (given == 0 && !elsewhere) {
                look.refuse(entry.line, ComposeFault::Form { at, expected });
                continue;
            }
            let Some(named) = entry.value.get("environment") else { continue };
            let Some(read) = look.text(&named.value) else { continue };
            if (around.lookup)(&read.text).is_none() {
                let variable = Named::new(entry.line, &named.value, &read.text).shown;
                look.refuse(entry.line, ComposeFault::Required { at, variable });
            }
        }
    }
}

/// A service that waits for itself, by way of others.
fn circle(graph: &BTreeMap<String, Vec<String>>) -> Option<String> {
    let mut left: BTreeMap<&str, Vec<&str>> = graph
        .iter()
        .map(|(name, needed)| {
            let needed = needed.iter().map(String::as_str).filter(|needed| graph.contains_key(*needed));
            (name.as_str(), needed.collect())
        })
        .collect();
    loop {
        let free: Vec<&str> =
            left.iter().filter(|(_, needed)| needed.is_empty()).map(|(name, _)| *name).collect();
        if free.is_empty() {
            return left.keys().next().map(|name| (*name).to_owned());
        }
        for name in &free {
            left.remove(name);
        }
        for needed in left.values_mut() {
            needed.retain(|name| !free.contains(name));
        }
    }
}
