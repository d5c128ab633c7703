//! Ways out of a container into the guest: paths, devices, namespaces, privileges.
//!
//! What belongs to `countersignd` or to the engine, and what would show the disks below the volumes, no container gets.
//! The rest is the workload's affair: it runs, as it does elsewhere, and is told. What a container of the workload may
//! always have is not told: the data volumes, the compose folder, and a few files that say which machine this is.

use std::rc::Rc;

use super::document::{Kind, Node};
use super::relations::Running;
use super::shape::Look;
use super::values::{self, Mount};
use super::{COMPOSE_FOLDER, ComposeFault, ComposeNotice, Notice, Surroundings, path, printable};

/// Trees that no container gets, nor anything that has one of them in it.
const CLOSED: [&str; 13] = [
    "/boot",
    "/dev/block",
    "/dev/disk",
    "/dev/mapper",
    "/dev/mem",
    "/dev/port",
    "/proc",
    "/run/containers",
    "/run/countersign",
    "/run/docker.sock",
    "/run/podman",
    "/sys",
    "/var/lib/containers",
];

/// Names of block devices begin like this.
const DISKS: [&str; 8] = ["dasd", "dm-", "loop", "nbd", "ram", "sd", "vd", "zram"];

/// What any container may have, read-only or not.
const FREE: [&str; 3] = ["/etc/localtime", "/etc/machine-id", "/etc/os-release"];

/// HPCR's folder for the record and for what the parties leave there.
const HYPERPROTECT: &str = "/var/hyperprotect";

/// What Docker gives every container, and so HPCR.
const CAPABILITIES: [&str; 14] = [
    "AUDIT_WRITE",
    "CHOWN",
    "DAC_OVERRIDE",
    "FOWNER",
    "FSETID",
    "KILL",
    "MKNOD",
    "NET_BIND_SERVICE",
    "NET_RAW",
    "SETFCAP",
    "SETGID",
    "SETPCAP",
    "SETUID",
    "SYS_CHROOT",
];

/// What is expected instead of a path that no container gets.
const NO_SUCH_PATH: &str =
    "a data volume or a path of the compose folder: this one belongs to the guest itself";

/// Whether a path is HPCR's folder or lies in it.
pub fn is_hyperprotect(path: &str) -> bool {
    place(path, &[]) == Place::Hyperprotect
}

/// A path, as far as it matters who gets it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place {
    /// No container gets it.
    Closed,
    /// Any container may have it.
    Free,
    /// HPCR's folder.
    Hyperprotect,
    /// The rest of the guest.
    Guest,
}

/// Judges a path of the guest.
fn place(path: &str, volumes: &[String]) -> Place {
    let path = path::absolute(path);
    // A link there.
    let path = match path.strip_prefix("/var/run") {
        Some(rest) if rest.is_empty() || rest.starts_with('/') => format!("/run{rest}"),
        _ => path,
    };
    let lies_in = |inner: &str, outer: &str| {
        outer == "/" || inner.strip_prefix(outer).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    };
    let disk = path.strip_prefix("/dev/").is_some_and(|name| DISKS.iter().any(|disk| name.starts_with(disk)));
    if disk || path == "/dev" || CLOSED.iter().any(|closed| lies_in(&path, closed) || lies_in(closed, &path))
    {
        return Place::Closed;
    }
    let free = volumes.iter().map(String::as_str).chain(FREE).chain([COMPOSE_FOLDER]);
    if free.into_iter().any(|free| lies_in(&path, &path::absolute(free))) {
        return Place::Free;
    }
    if lies_in(&path, HYPERPROTECT) { Place::Hyperprotect } else { Place::Guest }
}

/// Looks at the services that run, and at the volumes, secrets and configs of the file.
pub(super) fn check(
    look: &mut Look<'_, '_>,
    file: &Node,
    running: &[Running<'_>],
    around: &Surroundings<'_, '_>,
    notices: &mut Vec<ComposeNotice>,
) {
    for service in running {
        let mut ways = Ways { service, notices };
        ways.modes(look);
        ways.mounts(look, around.volumes);
        ways.devices(look, around.volumes);
        ways.rights(look);
    }
    driver_options(look, file, around.volumes, notices);
    files(look, file, around.volumes, notices);
}

/// The ways out of one service.
struct Ways<'r, 's, 'n> {
    service: &'r Running<'s>,
    notices: &'n mut Vec<ComposeNotice>,
}

impl Ways<'_, '_, '_> {
    fn at(&self, key: &str) -> String {
        format!("services.{}.{key}", self.service.name)
    }

    fn tell(&mut self, line: usize, what: &'static str) {
        let notice = Notice::Reach { at: format!("service {}", self.service.name), what };
        self.notices.push(ComposeNotice { line, notice });
    }

    /// Namespaces of the guest, and all privileges.
    fn modes(&mut self, look: &mut Look<'_, '_>) {
        for (key, what) in [
            ("network_mode", "the guest's own network"),
            ("pid", "the guest's processes"),
            ("ipc", "the guest's shared memory"),
            ("uts", "the guest's host name"),
            ("userns_mode", "the guest's user numbers"),
            ("cgroup", "the guest's control groups"),
        ] {
            let Some(entry) = self.service.get(key) else { continue };
            let Some(mode) = look.text(&entry.value) else { continue };
            if mode.text.as_str() == "host" {
                self.tell(entry.line, what);
            } else if mode.text.starts_with("ns:") {
                let expected = "no namespace by its path";
                look.refuse(entry.line, ComposeFault::Reach { at: self.at(key), expected });
            }
        }
        if let Some(entry) = self.service.get("privileged")
            && look.text(&entry.value).is_some_and(|text| values::is_yes(&text.text))
        {
            self.tell(entry.line, "all devices and privileges");
        }
        if let Some(entry) = self.service.get("cgroup_parent") {
            self.tell(entry.line, "another control group");
        }
    }

    fn mounts(&mut self, look: &mut Look<'_, '_>, volumes: &[String]) {
        for entry in self.service.all("volumes") {
            for item in entry.value.items() {
                if let Some(source) = bind_source(look, item) {
                    self.path(look, item.line, "volumes", &source, volumes);
                }
            }
        }
        for entry in self.service.all("volumes_from") {
            for item in entry.value.items() {
                if look.text(item).is_some_and(|from| from.text.starts_with("container:")) {
                    let expected = "a service of this file";
                    look.refuse(item.line, ComposeFault::Reach { at: self.at("volumes_from"), expected });
                }
            }
        }
    }

    fn path(&mut self, look: &mut Look<'_, '_>, line: usize, key: &str, source: &str, volumes: &[String]) {
        match place(source, volumes) {
            Place::Closed => {
                look.refuse(line, ComposeFault::Reach { at: self.at(key), expected: NO_SUCH_PATH });
            }
            Place::Free => {}
            Place::Hyperprotect => {
                let notice = Notice::Hyperprotect { service: self.service.name.clone() };
                self.notices.push(ComposeNotice { line, notice });
            }
            Place::Guest => self.tell(line, "a path of the guest"),
        }
    }

    fn devices(&mut self, look: &mut Look<'_, '_>, volumes: &[String]) {
        for entry in self.service.all("devices") {
            for item in entry.value.items() {
                let source = match look.text(item) {
                    Some(read) => read.text.split(':').next().unwrap_or_default().to_owned(),
                    None => match item.get("source").and_then(|source| look.text(&source.value)) {
                        Some(source) => source.text.to_string(),
                        None => continue,
                    },
                };
                match place(&source, volumes) {
                    Place::Closed => {
                        let expected = "no disk, and no folder of devices";
                        look.refuse(item.line, ComposeFault::Reach { at: self.at("devices"), expected });
                    }
                    _ => self.tell(item.line, "a device"),
                }
            }
        }
        for entry in self.service.all("device_cgroup_rules") {
            for item in entry.value.items() {
                let Some(rule) = look.text(item) else { continue };
                if rule.text.starts_with('c') {
                    self.tell(item.line, "devices");
                } else {
                    let expected = "a rule for character devices, which begins with c";
                    let at = self.at("device_cgroup_rules");
                    look.refuse(item.line, ComposeFault::Reach { at, expected });
                }
            }
        }
    }

    /// Capabilities beyond Docker's, security options, kernel parameters.
    fn rights(&mut self, look: &Look<'_, '_>) {
        for entry in self.service.all("cap_add") {
            for item in entry.value.items() {
                let Some(name) = look.text(item) else { continue };
                let name = name.text.to_ascii_uppercase();
                if !CAPABILITIES.contains(&name.strip_prefix("CAP_").unwrap_or(&name)) {
                    self.tell(item.line, "a capability beyond the usual ones");
                }
            }
        }
        for entry in self.service.all("security_opt") {
            for item in entry.value.items() {
                let stricter = look.text(item).is_some_and(|option| {
                    let option = option.text.replace('=', ":");
                    matches!(option.as_str(), "no-new-privileges" | "no-new-privileges:true")
                });
                if !stricter {
                    self.tell(item.line, "a weaker confinement");
                }
            }
        }
        if let Some(entry) = self.service.get("sysctls") {
            self.tell(entry.line, "kernel parameters of its own");
        }
    }
}

/// The path of the guest that a service's mount shows.
fn bind_source(look: &Look<'_, '_>, item: &Rc<Node>) -> Option<String> {
    if let Some(read) = look.text(item) {
        return Mount::parse(&read.text).filter(Mount::is_path).map(|mount| mount.source.to_owned());
    }
    let text = |key| item.get(key).and_then(|entry| look.text(&entry.value));
    let kind = text("type")?;
    (kind.text.as_str() == "bind").then(|| text("source").map(|source| source.text.to_string())).flatten()
}

/// Options of volumes by which one is a path, a disk or a share of elsewhere.
fn driver_options(
    look: &mut Look<'_, '_>,
    file: &Node,
    volumes: &[String],
    notices: &mut Vec<ComposeNotice>,
) {
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
        let refuse = |expected| look.refuse(options.line, ComposeFault::Reach { at, expected });
        match (kind.as_str(), bind) {
            ("tmpfs", _) => {}
            ("" | "none" | "bind", true) => match place(&device, volumes) {
                Place::Closed => refuse(NO_SUCH_PATH),
                Place::Free => {}
                Place::Hyperprotect | Place::Guest => notices.push(ComposeNotice {
                    line: options.line,
                    notice: Notice::Reach {
                        at: format!("volume {}", printable(&entry.key)),
                        what: "a path of the guest",
                    },
                }),
            },
            _ => refuse("type tmpfs, or type none with o: bind"),
        }
    }
}

/// Secrets and configs that are files of the guest.
fn files(look: &mut Look<'_, '_>, file: &Node, volumes: &[String], notices: &mut Vec<ComposeNotice>) {
    for section in ["secrets", "configs"] {
        let entries = file.get(section).map(|section| section.value.entries()).unwrap_or_default();
        for entry in entries {
            let Kind::Map(_) = entry.value.kind else { continue };
            let Some(named) = entry.value.get("file") else { continue };
            let Some(read) = look.text(&named.value) else { continue };
            let at = format!("{section}.{}", printable(&entry.key));
            match place(&read.text, volumes) {
                Place::Closed => {
                    look.refuse(named.line, ComposeFault::Reach { at, expected: NO_SUCH_PATH });
                }
                Place::Free => {}
                Place::Hyperprotect | Place::Guest => notices.push(ComposeNotice {
                    line: named.line,
                    notice: Notice::Reach { at, what: "a path of the guest" },
                }),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_of_the_guest_itself_are_closed() {
        let volumes = ["/mnt/data".to_owned(), "/var/hyperprotect/data".to_owned()];
        for (path, expected) in [
            ("/", Place::Closed),
            ("/run", Place::Closed),
            ("/var", Place::Closed),
            ("/var/run/docker.sock", Place::Closed),
            ("/run//countersign/../countersign/plan.json", Place::Closed),
            ("../../run/podman", Place::Closed),
            ("/proc/1/root", Place::Closed),
            ("/dev", Place::Closed),
            ("/dev/vda", Place::Closed),
            ("/dev/mapper/x", Place::Closed),
            ("/dev/null", Place::Guest),
            ("/dev/z90crypt", Place::Guest),
            ("/running", Place::Guest),
            ("/etc", Place::Guest),
            ("~/x", Place::Guest),
            ("/etc/machine-id", Place::Free),
            ("./x", Place::Free),
            ("/mnt/data/x", Place::Free),
            ("/mnt", Place::Guest),
            ("/var/hyperprotect/", Place::Hyperprotect),
            ("/var/hyperprotect/data", Place::Free),
        ] {
            assert_eq!(place(path, &volumes), expected, "{path}");
        }
    }
}
