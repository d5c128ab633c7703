//! Ways out of a container into the guest that a compose file has: paths, devices, namespaces, privileges.
//! [`crate::workload::reach`] says what of them is open.

use std::rc::Rc;

use super::relations::Running;
use super::shape::Look;
use super::values::{self, Mount};
use super::{COMPOSE_FOLDER, ComposeFault, ComposeNotice, Notice, path, printable};
use crate::workload::document::{Entry, Kind, Node};
use crate::workload::reach::{self, PRIVILEGED, Place, RECORD, ReachRule, Way};

/// What is expected instead of a path that no container gets.
const NO_SUCH_PATH: &str =
    "a data volume or a path of the compose folder: this one belongs to the guest itself";

/// Looks at the services that run, and at the volumes, secrets and configs of the file.
pub(super) fn check(
    look: &mut Look<'_, '_>,
    file: &Node,
    running: &[Running<'_>],
    rule: &ReachRule,
    notices: &mut Vec<ComposeNotice>,
) -> Vec<Way> {
    let mut ways = Ways { rule, found: Vec::new() };
    for service in running {
        ways.modes(look, service);
        ways.mounts(look, service);
        ways.devices(look, service);
        ways.rights(look, service);
        ways.ports(look, service);
    }
    ways.driver_options(look, file);
    ways.files(look, file);
    for Way { line, at, what, .. } in ways.found.iter().filter(|way| !way.free) {
        if rule.refuse {
            look.refuse(*line, ComposeFault::ReachByPolicy { at: at.clone(), what });
        } else {
            notices.push(ComposeNotice { line: *line, notice: Notice::Reach { at: at.clone(), what } });
        }
    }
    // What is there is told, and what is not.
    for Way { line, at, .. } in ways.found.iter().filter(|way| way.what == RECORD) {
        let notice = Notice::Hyperprotect { at: at.clone(), sections: rule.sections };
        notices.push(ComposeNotice { line: *line, notice });
    }
    ways.found
}

/// Judges a path of the guest.
fn place(path: &str, volumes: &[String]) -> Place {
    reach::place(&path::absolute(path), COMPOSE_FOLDER, volumes)
}

/// The ways out that were found.
struct Ways<'r> {
    rule: &'r ReachRule,
    found: Vec<Way>,
}

/// Where something of a service stands.
fn at(service: &Running<'_>, key: &str) -> String {
    format!("services.{}.{key}", service.name)
}

impl Ways<'_> {
    fn add(&mut self, service: &Running<'_>, node: &Node, line: usize, what: &'static str, free: bool) {
        let at = format!("service {}", service.name);
        self.found.push(Way { file: None, line, at, what, written: written(node), free });
    }

    /// Namespaces of the guest, and all privileges.
    fn modes(&mut self, look: &mut Look<'_, '_>, service: &Running<'_>) {
        for (key, what) in [
            ("network_mode", "the guest's own network"),
            ("pid", "the guest's processes"),
            ("ipc", "the guest's shared memory"),
            ("uts", "the guest's host name"),
            ("userns_mode", "the guest's user numbers"),
            ("cgroup", "the guest's control groups"),
        ] {
            let Some(entry) = service.get(key) else { continue };
            let Some(mode) = look.text(&entry.value) else { continue };
            if mode.text.as_str() == "host" {
                self.add(service, &entry.value, entry.line, what, false);
            } else if mode.text.starts_with("ns:") {
                let expected = "no namespace by its path";
                look.refuse(entry.line, ComposeFault::Reach { at: at(service, key), expected });
            }
        }
        if let Some(entry) = service.get("privileged")
            && look.text(&entry.value).is_some_and(|text| values::is_yes(&text.text))
        {
            self.add(service, &entry.value, entry.line, PRIVILEGED, false);
        }
        if let Some(entry) = service.get("cgroup_parent") {
            self.add(service, &entry.value, entry.line, "another control group", false);
        }
    }

    fn mounts(&mut self, look: &mut Look<'_, '_>, service: &Running<'_>) {
        for entry in service.all("volumes") {
            for item in entry.value.items() {
                let Some(source) = bind_source(look, item) else { continue };
                let who = format!("service {}", service.name);
                self.path(look, who, &at(service, "volumes"), item.line, &source, item);
            }
        }
        for entry in service.all("volumes_from") {
            for item in entry.value.items() {
                if look.text(item).is_some_and(|from| from.text.starts_with("container:")) {
                    let expected = "a service of this file";
                    let at = at(service, "volumes_from");
                    look.refuse(item.line, ComposeFault::Reach { at, expected });
                } else {
                    self.add(service, item, item.line, "the mounts of another service", true);
                }
            }
        }
    }

    /// A path of the guest, that `who` reaches by what stands at `place`.
    fn path(
        &mut self,
        look: &mut Look<'_, '_>,
        who: String,
        place_of: &str,
        line: usize,
        source: &str,
        node: &Node,
    ) {
        let (what, free) = match place(source, &self.rule.volumes) {
            Place::Closed => {
                let fault = ComposeFault::Reach { at: place_of.to_owned(), expected: NO_SUCH_PATH };
                look.refuse(line, fault);
                return;
            }
            Place::Volume => ("a volume of the contract", true),
            Place::Folder => ("the compose folder", true),
            Place::Free => ("a file that any container may have", true),
            Place::Hyperprotect => (RECORD, true),
            Place::Guest => ("a path of the guest", false),
        };
        self.found.push(Way { file: None, line, at: who, what, written: written(node), free });
    }

    fn devices(&mut self, look: &mut Look<'_, '_>, service: &Running<'_>) {
        for entry in service.all("devices") {
            for item in entry.value.items() {
                let source = match look.text(item) {
                    Some(read) => read.text.split(':').next().unwrap_or_default().to_owned(),
                    None => match item.get("source").and_then(|source| look.text(&source.value)) {
                        Some(source) => source.text.to_string(),
                        None => continue,
                    },
                };
                if place(&source, &self.rule.volumes) == Place::Closed {
                    let expected = "no disk, and no folder of devices";
                    look.refuse(item.line, ComposeFault::Reach { at: at(service, "devices"), expected });
                } else {
                    self.add(service, item, item.line, "a device", false);
                }
            }
        }
        for entry in service.all("device_cgroup_rules") {
            for item in entry.value.items() {
                let Some(rule) = look.text(item) else { continue };
                if rule.text.starts_with('c') {
                    self.add(service, item, item.line, "devices", false);
                } else {
                    let expected = "a rule for character devices, which begins with c";
                    let at = at(service, "device_cgroup_rules");
                    look.refuse(item.line, ComposeFault::Reach { at, expected });
                }
            }
        }
    }

    /// Capabilities beyond Docker's, security options, kernel parameters.
    fn rights(&mut self, look: &Look<'_, '_>, service: &Running<'_>) {
        for entry in service.all("cap_add") {
            for item in entry.value.items() {
                let Some(name) = look.text(item) else { continue };
                if !reach::is_usual_capability(&name.text) {
                    self.add(service, item, item.line, "a capability beyond the usual ones", false);
                }
            }
        }
        for entry in service.all("security_opt") {
            for item in entry.value.items() {
                let stricter = look.text(item).is_some_and(|option| {
                    let option = option.text.replace('=', ":");
                    matches!(option.as_str(), "no-new-privileges" | "no-new-privileges:true")
                });
                if !stricter {
                    self.add(service, item, item.line, "a weaker confinement", false);
                }
            }
        }
        if let Some(entry) = service.get("sysctls") {
            self.add(service, &entry.value, entry.line, "kernel parameters of its own", false);
        }
    }

    /// Published ports.
    fn ports(&mut self, look: &Look<'_, '_>, service: &Running<'_>) {
        for entry in service.all("ports") {
            for item in entry.value.items() {
                if look.text(item).is_some() || item.get("target").is_some() {
                    self.add(service, item, item.line, "a published port", true);
                }
            }
        }
    }

    /// Options of volumes by which one is a path, a disk or a share of elsewhere.
    fn driver_options(&mut self, look: &mut Look<'_, '_>, file: &Node) {
        let entries = file.get("volumes").map(|section| section.value.entries()).unwrap_or_default();
        for entry in entries {
            let Some(options) = entry.value.get("driver_opts") else { continue };
            if options.value.entries().is_empty() {
                continue;
            }
            let text = |key| {
                let option = options.value.get(key).and_then(|option| look.text(&option.value));
                option.map(|read| read.text.to_string()).unwrap_or_default()
            };
            let (kind, device) = (text("type"), text("device"));
            let bind = text("o").split(',').any(|option| matches!(option, "bind" | "rbind"));
            let at = format!("volumes.{}.driver_opts", printable(&entry.key));
            match (kind.as_str(), bind) {
                ("tmpfs", _) => {}
                ("" | "none" | "bind", true) => {
                    let who = format!("volume {}", printable(&entry.key));
                    let node = options.value.get("device").map_or(&options.value, |device| &device.value);
                    self.path(look, who, &at, options.line, &device, node);
                }
                _ => {
                    let expected = "type tmpfs, or type none with o: bind";
                    look.refuse(options.line, ComposeFault::Reach { at, expected });
                }
            }
        }
    }

    /// Secrets and configs that are files of the guest.
    fn files(&mut self, look: &mut Look<'_, '_>, file: &Node) {
        for section in ["secrets", "configs"] {
            let entries = file.get(section).map(|section| section.value.entries()).unwrap_or_default();
            for entry in entries {
                let Kind::Map(_) = entry.value.kind else { continue };
                let Some(named) = entry.value.get("file") else { continue };
                let Some(read) = look.text(&named.value) else { continue };
                let at = format!("{section}.{}", printable(&entry.key));
                self.path(look, at.clone(), &at, named.line, &read.text, &named.value);
            }
        }
    }
}

/// What stands in the file, as far as it is a scalar, or a list or map of some.
pub(super) fn written(node: &Node) -> String {
    let scalar = |node: &Node| match &node.kind {
        Kind::Scalar(text, _) => printable(text),
        _ => String::new(),
    };
    let parts: Vec<String> = match &node.kind {
        Kind::Scalar(..) => vec![scalar(node)],
        Kind::List(items) => items.iter().take(MOST_WRITTEN).map(|item| scalar(item)).collect(),
        Kind::Map(entries) => {
            let pair = |entry: &Entry| format!("{}={}", printable(&entry.key), scalar(&entry.value));
            entries.iter().take(MOST_WRITTEN).map(pair).collect()
        }
    };
    parts.join(", ")
}

/// Items of a list and keys of a map that are shown.
const MOST_WRITTEN: usize = 8;

/// The path of the guest that a service's mount shows.
pub(super) fn bind_source(look: &Look<'_, '_>, item: &Rc<Node>) -> Option<String> {
    if let Some(read) = look.text(item) {
        return Mount::parse(&read.text).filter(Mount::is_path).map(|mount| mount.source.to_owned());
    }
    let text = |key| item.get(key).and_then(|entry| look.text(&entry.value));
    let kind = text("type")?;
    (kind.text.as_str() == "bind").then(|| text("source").map(|source| source.text.to_string())).flatten()
}
