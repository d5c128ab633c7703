//! What the engine of the guest cannot do, though the compose program takes it: podman 5.4.2 behind docker-compose 2.26.1,
//! each tried there (qemu/README.md). And what it would leave out without a word.

use super::relations::Running;
use super::shape::Look;
use super::values::{self, Words};
use super::{ComposeFault, ComposeNotice, Notice, printable};
use crate::workload::document::{Kind, Node};
use crate::workload::imitation::imitates;

/// Keys of a service that the engine refuses, or leaves out though the workload counts on them.
const REFUSED: [(&str, &str); 6] = [
    ("external_links", "no links to containers of elsewhere: there are none in this guest"),
    ("storage_opt", "no options of storage: the engine has none"),
    ("gpus", "no graphics processor: the platform has none"),
    ("post_start", "no post_start: the guest's compose program would leave it out"),
    ("pre_stop", "no pre_stop: the guest's compose program would leave it out"),
    ("credential_spec", "no credential_spec: it is for Windows"),
];

/// Looks at the services that run.
pub(super) fn check(look: &mut Look<'_, '_>, running: &[Running<'_>], notices: &mut Vec<ComposeNotice>) {
    for service in running {
        let at = |key: &str| format!("services.{}.{key}", service.name);
        for (key, expected) in REFUSED {
            if let Some(entry) = service.get(key) {
                look.refuse(entry.line, ComposeFault::Engine { at: at(key), expected });
            }
        }
        for (key, expected, allowed) in TEXTS {
            if let Some(entry) = service.get(key)
                && look.text(&entry.value).is_some_and(|read| !allowed(&read.text))
            {
                look.refuse(entry.line, ComposeFault::Engine { at: at(key), expected });
            }
        }
        for entry in service.all("links") {
            for item in entry.value.items() {
                let other = look.text(item).is_some_and(|link| {
                    link.text.split_once(':').is_some_and(|(service, name)| service != name)
                });
                if other {
                    let expected =
                        "the service's own name; give it another under networks, as one of its aliases";
                    look.refuse(item.line, ComposeFault::Engine { at: at("links"), expected });
                }
            }
        }
        for entry in service.all("security_opt") {
            for item in entry.value.items() {
                let by_file = look.text(item).is_some_and(|option| {
                    let profile =
                        option.text.strip_prefix("seccomp:").or_else(|| option.text.strip_prefix("seccomp="));
                    profile.is_some_and(|profile| profile != "unconfined")
                });
                if by_file {
                    let expected =
                        "seccomp:unconfined or no seccomp: the engine takes no profile from a file";
                    look.refuse(item.line, ComposeFault::Engine { at: at("security_opt"), expected });
                }
            }
        }
        for entry in service.all("env_file") {
            if let Some(format) = entry.value.items().iter().find_map(|item| item.get("format")) {
                let expected = "no format: the guest's compose program does not know any";
                look.refuse(format.line, ComposeFault::Engine { at: at("env_file"), expected });
            }
        }
        for entry in service.all("volumes") {
            for item in entry.value.items() {
                let kind = item.get("type").and_then(|kind| look.text(&kind.value));
                if kind.is_some_and(|kind| !["bind", "volume", "tmpfs"].contains(&kind.text.as_str())) {
                    let expected = "bind, volume or tmpfs as the type";
                    look.refuse(item.line, ComposeFault::Engine { at: at("volumes"), expected });
                }
            }
        }
        if let Some(devices) = service
            .get("deploy")
            .and_then(|deploy| deploy.value.get("resources"))
            .and_then(|resources| resources.value.get("reservations"))
            .and_then(|reservations| reservations.value.get("devices"))
            && !devices.value.items().is_empty()
        {
            let expected = "no reserved devices: the engine has none to give";
            look.refuse(devices.line, ComposeFault::Engine { at: at("deploy.resources"), expected });
        }
        told(look, service, notices);
    }
}

type Allowed = fn(&str) -> bool;

/// Texts of a service of which the engine takes some.
const TEXTS: [(&str, &str, Allowed); 3] = [
    ("platform", "linux/s390x, the guest's platform", |text| {
        matches!(text, "" | "linux/s390x" | "s390x" | "linux")
    }),
    ("runtime", "no runtime: the guest has one", |text| matches!(text, "" | "crun")),
    ("restart", "no, always, unless-stopped, on-failure or on-failure:COUNT", |text| {
        let count = text.strip_prefix("on-failure:");
        matches!(text, "" | "no" | "always" | "unless-stopped" | "on-failure")
            || count.is_some_and(|count| count.parse::<u32>().is_ok())
    }),
];

/// What runs otherwise than it may look.
fn told(look: &Look<'_, '_>, service: &Running<'_>, notices: &mut Vec<ComposeNotice>) {
    let mut tell = |line, notice| notices.push(ComposeNotice { line, notice });
    let name = || service.name.clone();
    if imitates(&service.entry.key) {
        tell(service.entry.line, Notice::Imitation { service: name(), named: "its name" });
    }
    // Under it its lines stand in the log.
    if let Some(entry) = service.get("container_name")
        && look.text(&entry.value).is_some_and(|text| imitates(&text.text))
    {
        tell(entry.line, Notice::Imitation { service: name(), named: "container_name" });
    }
    if let Some(logging) = service.get("logging") {
        tell(logging.line, Notice::Logging { service: name() });
    }
    let interval = service.get("healthcheck").and_then(|health| health.value.get("start_interval"));
    if let Some(interval) = interval {
        tell(interval.line, Notice::StartInterval { service: name() });
    }
    for key in ["command", "entrypoint"] {
        let Some(entry) = service.get(key) else { continue };
        if look.text(&entry.value).is_some_and(|text| values::words(&text.text) == Words::Cut) {
            tell(entry.line, Notice::CommandCut { service: name(), key });
        }
    }
}

/// Looks at networks, volumes, secrets and configs.
pub(super) fn check_resources(look: &mut Look<'_, '_>, file: &Node) {
    for section in ["networks", "volumes", "secrets", "configs"] {
        let entries = file.get(section).map(|section| section.value.entries()).unwrap_or_default();
        for entry in entries {
            let at = |key: &str| format!("{section}.{}.{key}", printable(&entry.key));
            if let Some(external) = entry.value.get("external")
                && is_external(look, &external.value)
            {
                let expected = "nothing that is there before the workload: this guest begins with none";
                look.refuse(external.line, ComposeFault::Engine { at: at("external"), expected });
            }
            let Some(driver) = entry.value.get("driver") else { continue };
            let (expected, allowed): (_, &[&str]) = match section {
                "networks" => ("bridge, or no driver", &["", "bridge", "default"]),
                "volumes" => ("local, or no driver", &["", "local", "default"]),
                _ => ("no driver", &[]),
            };
            if look.text(&driver.value).is_some_and(|text| !allowed.contains(&text.text.as_str())) {
                look.refuse(driver.line, ComposeFault::Engine { at: at("driver"), expected });
            }
        }
    }
}

fn is_external(look: &Look<'_, '_>, node: &Node) -> bool {
    match &node.kind {
        Kind::Map(_) => true,
        _ => look.text(node).is_some_and(|text| values::is_yes(&text.text)),
    }
}
