//! What of the guest a container may reach: paths, and the rights that every container has.
//!
//! What belongs to `countersignd` or to the engine, and what would show the disks below the volumes, no container gets.
//! The rest is the workload's affair: it runs, as it does elsewhere, and is told. What a container of the workload may
//! always have is not told: the data volumes, the folder of the workload's files, and a few files that say which machine
//! this is.

use countersign_contract::model::UserData;
use countersign_contract::place::SectionName;
use serde::{Deserialize, Serialize};

use super::path;

/// Trees that no container gets, nor anything that has one of them in it.
const CLOSED: [&str; 14] = [
    "/boot",
    "/dev/block",
    "/dev/disk",
    "/dev/mapper",
    "/dev/mem",
    "/dev/port",
    "/proc",
    "/run/containers",
    "/run/countersign",
    "/run/countersign-engine",
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

/// The other capabilities of Linux (capabilities(7)).
const OTHER_CAPABILITIES: [&str; 27] = [
    "AUDIT_CONTROL",
    "AUDIT_READ",
    "BLOCK_SUSPEND",
    "BPF",
    "CHECKPOINT_RESTORE",
    "DAC_READ_SEARCH",
    "IPC_LOCK",
    "IPC_OWNER",
    "LEASE",
    "LINUX_IMMUTABLE",
    "MAC_ADMIN",
    "MAC_OVERRIDE",
    "NET_ADMIN",
    "NET_BROADCAST",
    "PERFMON",
    "SYS_ADMIN",
    "SYS_BOOT",
    "SYS_MODULE",
    "SYS_NICE",
    "SYS_PACCT",
    "SYS_PTRACE",
    "SYS_RAWIO",
    "SYS_RESOURCE",
    "SYS_TIME",
    "SYS_TTY_CONFIG",
    "SYSLOG",
    "WAKE_ALARM",
];

/// What HPCR's folder is.
pub(super) const RECORD: &str = "the folder of the record";

/// What is reached by all privileges.
pub(super) const PRIVILEGED: &str = "all devices and privileges";

/// Whether a path is HPCR's folder or lies in it.
pub(super) fn is_hyperprotect(path: &str) -> bool {
    place(path, "", &[]) == Place::Hyperprotect
}

/// Whether a capability, with or without `CAP_`, is one of Docker's, which every container has.
pub(super) fn is_usual_capability(name: &str) -> bool {
    let name = name.to_ascii_uppercase();
    CAPABILITIES.contains(&name.strip_prefix("CAP_").unwrap_or(&name))
}

/// Whether there is a capability of this name, with or without `CAP_`; `ALL` stands for all of them.
pub(super) fn is_capability(name: &str) -> bool {
    let upper = name.to_ascii_uppercase();
    let bare = upper.strip_prefix("CAP_").unwrap_or(&upper);
    upper == "ALL" || is_usual_capability(name) || OTHER_CAPABILITIES.contains(&bare)
}

/// A path, as far as it matters who gets it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Place {
    /// No container gets it.
    Closed,
    /// Lies in a volume of the contract.
    Volume,
    /// Lies in the folder of the workload's files.
    Folder,
    /// Any container may have it.
    Free,
    /// HPCR's folder.
    Hyperprotect,
    /// The rest of the guest.
    Guest,
}

/// Judges a path of the guest. Relative ones begin in `folder`, which holds the workload's files.
pub(super) fn place(path: &str, folder: &str, volumes: &[String]) -> Place {
    let path = path::absolute(path, folder);
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
    if volumes.iter().any(|volume| lies_in(&path, &path::absolute(volume, ""))) {
        return Place::Volume;
    }
    if !folder.is_empty() && lies_in(&path, folder) {
        return Place::Folder;
    }
    if FREE.contains(&path.as_str()) {
        return Place::Free;
    }
    if lies_in(&path, HYPERPROTECT) { Place::Hyperprotect } else { Place::Guest }
}

/// What containers may reach.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ReachRule {
    /// Mount points of the contract's volumes.
    pub volumes: Vec<String>,
    /// Whether what is told otherwise is refused.
    pub refuse: bool,
    /// What HPCR's folder has of the contract.
    #[serde(default, skip_serializing_if = "Sections::is_neither")]
    pub sections: Sections,
}

/// The sections of the contract that `user-data.decrypted` has, in HPCR's folder.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Sections {
    /// The file is not there.
    #[default]
    Neither,
    /// The workload section.
    Workload,
    /// The env section.
    Env,
    /// Both.
    Both,
}

impl Sections {
    /// The sections that show themselves.
    pub fn of(user_data: &UserData) -> Sections {
        match (user_data.shows(SectionName::Workload), user_data.shows(SectionName::Env)) {
            (false, false) => Sections::Neither,
            (true, false) => Sections::Workload,
            (false, true) => Sections::Env,
            (true, true) => Sections::Both,
        }
    }

    fn is_neither(&self) -> bool {
        *self == Sections::Neither
    }

    /// What is told to whoever mounts the folder.
    pub(super) fn told(self) -> &'static str {
        match self {
            Sections::Neither => {
                "/var/hyperprotect is read-only, without user-data.decrypted and certificate_expiry_date.json"
            }
            Sections::Workload => {
                "/var/hyperprotect is read-only, without certificate_expiry_date.json; user-data.decrypted has the workload section without seeds, passwords and secret keys"
            }
            Sections::Env => {
                "/var/hyperprotect is read-only, without certificate_expiry_date.json; user-data.decrypted has the env section without seeds, passwords and secret keys"
            }
            Sections::Both => {
                "/var/hyperprotect is read-only, without certificate_expiry_date.json; user-data.decrypted has both sections without seeds, passwords and secret keys"
            }
        }
    }

    /// What would help him.
    pub(super) fn hint(self) -> &'static str {
        match self {
            Sections::Neither => {
                "where the workload reads user-data.decrypted, write user-data: show under countersign of the section that it needs"
            }
            Sections::Workload | Sections::Env | Sections::Both => {
                "see that the workload does without what is left out"
            }
        }
    }
}

/// A way out of a container.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Way {
    /// Where that is said, unless it is the compose file: `resources[0]`, `templates[0]` or the name of a file.
    pub file: Option<String>,
    /// Line of the file, from one.
    pub line: usize,
    /// Who: `service NAME`, `container POD-NAME`, or where it stands.
    pub at: String,
    /// What is reached.
    pub what: &'static str,
    /// As it is written there: for its author, not for a console.
    pub written: String,
    /// Whether any container may have it.
    pub free: bool,
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
            ("/run/countersign-engine/policy.json", Place::Closed),
            ("../../run/podman", Place::Closed),
            ("/proc/1/root", Place::Closed),
            ("/dev", Place::Closed),
            ("/dev/vda", Place::Closed),
            ("/dev/mapper/x", Place::Closed),
            ("/dev/null", Place::Guest),
            ("/dev/z90crypt", Place::Guest),
            ("/running", Place::Guest),
            ("/etc", Place::Guest),
            ("~/x", Place::Folder),
            ("/etc/machine-id", Place::Free),
            ("/etc/machine-id/x", Place::Guest),
            ("./x", Place::Folder),
            ("/mnt/data/x", Place::Volume),
            ("/mnt", Place::Guest),
            ("/var/hyperprotect/", Place::Hyperprotect),
            ("/var/hyperprotect/data", Place::Volume),
        ] {
            assert_eq!(place(path, "/data1/compose", &volumes), expected, "{path}");
        }
    }
}
