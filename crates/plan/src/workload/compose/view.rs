//! What each service of a compose file is and has, for who wrote it: its image, ports, mounts and variables, each with its
//! line. Of a variable its name and its origin are told and never its value; where a text replaces variables, it is shown
//! as it is written.
//!
//! Decides nothing, and the guest does not ask: [`super::judge`] has said what is wrong.

use std::collections::BTreeMap;

use serde::Serialize;

use super::reach::written;
use super::relations::{Running, running};
use super::services::Services;
use super::shape::Look;
use super::{Found, Surroundings, path, printable};
use crate::workload::document::{self, Entry, Kind, Node};
use crate::workload::dotenv;
use crate::workload::interpolate::interpolate;

/// Longest text whose variables are looked for.
const LONGEST_TEXT: usize = 1 << 20;

/// A service that runs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ServicePlan {
    /// Its name.
    pub name: String,
    /// Line of the compose file, from one.
    pub line: usize,
    /// Reference of its image; none where that stands in another file.
    pub image: Option<String>,
    /// Line of the image.
    pub image_line: usize,
    /// Published ports.
    pub ports: Vec<Written>,
    /// What is mounted into it.
    pub mounts: Vec<Mounted>,
    /// Its variables by name, without those of its image.
    pub variables: Vec<VariablePlan>,
}

/// Something as it is written in the compose file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Written {
    /// Its text, or the keys and values of a map.
    pub written: String,
    /// Line of the compose file, from one.
    pub line: usize,
}

/// A mount.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Mounted {
    /// The key of the service that it stands under.
    pub key: &'static str,
    /// As it is written there.
    pub written: String,
    /// Line of the compose file, from one.
    pub line: usize,
}

/// A variable of a service.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct VariablePlan {
    /// Its name.
    pub name: String,
    /// `environment`, `env_file`, or `passed` for a name alone under `environment`.
    pub from: &'static str,
    /// The file that sets it, of those that `env_file` names.
    pub file: Option<String>,
    /// The variables of the project that its value is made of; the first eight.
    pub takes: Vec<Taken>,
    /// Line of the compose file, from one: of the name, or of the file.
    pub line: usize,
}

/// A variable of the project.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Taken {
    /// Its name.
    pub name: String,
    /// Who sets it.
    pub from: &'static str,
}

/// The services that run, in the order of the file; `origin` says who sets a variable of the project. Nothing is told of a
/// file that cannot be read.
pub fn view(
    text: &str,
    around: &Surroundings<'_, '_>,
    origin: &dyn Fn(&str) -> &'static str,
) -> Vec<ServicePlan> {
    let Ok(file) = document::parse(text) else { return Vec::new() };
    let services = Services::new(&file, around.lookup, around.signed);
    let view = View { look: Look::new(around.lookup), around, origin };
    let running = running(&view.look, &services, around.profiles);
    let one = |service: &Running<'_>| ServicePlan {
        name: service.name.clone(),
        line: service.entry.line,
        image: services.image(service.entry).ok().flatten(),
        image_line: service.get("image").map_or(service.entry.line, |image| image.line),
        ports: view.ports(service),
        mounts: view.mounts(service),
        variables: view.variables(service),
    };
    running.iter().map(one).collect()
}

struct View<'v, 's, 'a> {
    look: Look<'v, 'a>,
    around: &'v Surroundings<'s, 'a>,
    origin: &'v dyn Fn(&str) -> &'static str,
}

impl View<'_, '_, '_> {
    fn ports(&self, service: &Running<'_>) -> Vec<Written> {
        let items = service.all("ports").into_iter().flat_map(|entry| entry.value.items());
        items.map(|item| Written { written: written(item), line: item.line }).collect()
    }

    fn mounts(&self, service: &Running<'_>) -> Vec<Mounted> {
        let mut mounts = Vec::new();
        for key in ["volumes", "tmpfs", "secrets", "configs"] {
            for entry in service.all(key) {
                let mut add = |node: &Node, line| mounts.push(Mounted { key, written: written(node), line });
                match entry.value.items() {
                    [] if entry.value.text().is_some() => add(&entry.value, entry.line),
                    items => items.iter().for_each(|item| add(item, item.line)),
                }
            }
        }
        mounts
    }

    /// What a service extends comes first, then its own; files come before `environment`.
    fn variables(&self, service: &Running<'_>) -> Vec<VariablePlan> {
        let mut all = BTreeMap::new();
        for entry in service.all("env_file").into_iter().rev() {
            self.files(entry, &mut all);
        }
        for entry in service.all("environment").into_iter().rev() {
            match &entry.value.kind {
                Kind::List(items) => {
                    for item in items {
                        let Some(text) = item.text() else { continue };
                        let (name, value) = text.split_once('=').map_or((text, None), |(n, v)| (n, Some(v)));
                        self.set(name, value, item.line, &mut all);
                    }
                }
                Kind::Map(entries) => {
                    for entry in entries {
                        self.set(&entry.key, entry.value.text(), entry.line, &mut all);
                    }
                }
                Kind::Scalar(..) => {}
            }
        }
        all.into_values().collect()
    }

    /// A variable under `environment`; without a value it is passed on.
    fn set(&self, name: &str, value: Option<&str>, line: usize, all: &mut BTreeMap<String, VariablePlan>) {
        let names = match value {
            None => vec![name.to_owned()],
            Some(value) => interpolate(value, LONGEST_TEXT, self.around.lookup)
                .map(|read| read.names)
                .unwrap_or_default(),
        };
        let from = |name: String| Taken { from: (self.origin)(&name), name: printable(&name) };
        let variable = VariablePlan {
            name: printable(name),
            from: if value.is_some() { "environment" } else { "passed" },
            file: None,
            takes: names.into_iter().map(from).collect(),
            line,
        };
        all.insert(name.to_owned(), variable);
    }

    /// The variables of the files under `env_file`.
    fn files(&self, entry: &Entry, all: &mut BTreeMap<String, VariablePlan>) {
        let nodes = match &entry.value.kind {
            Kind::List(items) => items.as_slice(),
            _ => std::slice::from_ref(&entry.value),
        };
        for node in nodes {
            let named = node.get("path").map_or(node, |path| &path.value);
            let Some(read) = self.look.text(named) else { continue };
            let found = path::inside(&read.text).and_then(|inside| (self.around.files)(&inside));
            let Some(Found::File(content)) = found else { continue };
            let Ok(variables) = dotenv::parse(content, &|name| (self.around.lookup)(name)) else { continue };
            for name in variables.into_keys() {
                let variable = VariablePlan {
                    name: printable(&name),
                    from: "env_file",
                    file: Some(printable(named.text().unwrap_or_default())),
                    takes: Vec::new(),
                    line: node.line,
                };
                all.insert(name, variable);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::ReachRule;
    use super::*;
    use crate::images::signatures::SignatureRules;

    const DIGEST: &str = "9fcf739803e0dcce2e2351e797b875fa51049ffd66843242cfae973fd2376e4a";

    fn viewed(text: &str) -> Vec<ServicePlan> {
        let files = |path: &str| (path == "app.env").then_some(Found::File(b"A=canary\nB=${PORT}\n"));
        let lookup = |name: &str| match name {
            "PORT" => Some("8080"),
            "SECRET" => Some("canary"),
            _ => None,
        };
        let origin = |name: &str| match name {
            "PORT" => ".env",
            "SECRET" => "env",
            _ => "nobody",
        };
        let around = Surroundings {
            lookup: &lookup,
            files: &files,
            profiles: &[],
            reach: &ReachRule::default(),
            signed: &SignatureRules::default(),
        };
        let services = view(&text.replace("DIGEST", DIGEST), &around, &origin);
        assert!(!format!("{services:?}").contains("canary"), "{services:?}");
        services
    }

    #[test]
    fn each_service_has_what_is_written_for_it_with_its_lines() {
        let services = viewed(
            "services:
  base:
    image: app@sha256:DIGEST
    environment: [X, Y=base, Z=base]
  web:
    extends: base
    ports: [\"${PORT}:80\", {target: 443, published: 8443}]
    volumes:
      - /mnt/data:/data:ro
    tmpfs: /tmp
    env_file: app.env
    environment:
      A: 1
      Y: ${SECRET}-${PORT}
      Q:
  later:
    profiles: [more]
    image: other@sha256:DIGEST
",
        );
        let names: Vec<&str> = services.iter().map(|service| service.name.as_str()).collect();
        assert_eq!(names, ["base", "web"]);
        let web = &services[1];
        assert_eq!((web.line, web.image_line), (5, 3));
        assert_eq!(web.image.as_deref(), Some(format!("app@sha256:{DIGEST}").as_str()));
        let ports: Vec<(&str, usize)> =
            web.ports.iter().map(|port| (port.written.as_str(), port.line)).collect();
        assert_eq!(ports, [("${PORT}:80", 7), ("target=443, published=8443", 7)]);
        let mounts: Vec<(&str, &str, usize)> =
            web.mounts.iter().map(|mount| (mount.key, mount.written.as_str(), mount.line)).collect();
        assert_eq!(mounts, [("volumes", "/mnt/data:/data:ro", 9), ("tmpfs", "/tmp", 10)]);
        let variables: Vec<String> = web
            .variables
            .iter()
            .map(|one| {
                let takes: Vec<String> =
                    one.takes.iter().map(|taken| format!("{} of {}", taken.name, taken.from)).collect();
                let file = one.file.clone().unwrap_or_default();
                format!("{} {}{} {} [{}]", one.name, one.from, file, one.line, takes.join(", "))
            })
            .collect();
        assert_eq!(
            variables,
            [
                "A environment 13 []",
                "B env_fileapp.env 11 []",
                "Q passed 15 [Q of nobody]",
                "X passed 4 [X of nobody]",
                "Y environment 14 [SECRET of env, PORT of .env]",
                "Z environment 4 []",
            ]
        );
    }

    #[test]
    fn a_file_that_cannot_be_read_has_no_services() {
        assert_eq!(viewed("services: ["), []);
        assert_eq!(viewed("services: {}"), []);
    }
}
