//! The stages of a boot, by name and exit code.
//!
//! Names and codes are an interface: console watchers and the tests match them, the README lists them. The guest's log
//! and transcript write the names, the author's command reads them.

use std::fmt;

use serde::Serialize;

/// A stage of the boot, in the order of the boot.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Stage {
    /// Memory, kernel modules, programs, platform.
    Preflight,
    /// Finds the disk labelled `cidata` and reads it.
    Locate,
    /// Outer YAML to envelope, sections still sealed.
    Parse,
    /// Opens the sealed `env` section.
    Unseal,
    /// Verifies the signature, then opens the sealed `workload` section.
    Verify,
    /// Schema, typed contract, policy.
    Validate,
    /// Records digests of all inputs.
    Attest,
    /// Finds disks, checks headers, opens or formats, mounts.
    Unlock,
    /// Guest OS under dm-verity, encrypted scratch.
    Root,
    /// Writes what the guest OS needs and switches to the guest OS.
    Handover,
    /// Address, host name resolution, reachability of the log server.
    Network,
    /// Log forwarding up, first record accepted.
    Logging,
    /// Images pulled, by digest.
    Images,
    /// Workload started.
    Start,
    /// Volumes, certificates and workload are watched until power-off.
    Watch,
}

impl Stage {
    /// All stages in order.
    pub const ALL: [Stage; 15] = [
        Stage::Preflight,
        Stage::Locate,
        Stage::Parse,
        Stage::Unseal,
        Stage::Verify,
        Stage::Validate,
        Stage::Attest,
        Stage::Unlock,
        Stage::Root,
        Stage::Handover,
        Stage::Network,
        Stage::Logging,
        Stage::Images,
        Stage::Start,
        Stage::Watch,
    ];

    /// The stage of a name.
    pub fn find(name: &str) -> Option<Stage> {
        Stage::ALL.into_iter().find(|stage| stage.name() == name)
    }

    /// Whether it runs before the guest OS.
    pub fn is_initramfs(self) -> bool {
        self <= Stage::Handover
    }

    /// The name on the console.
    pub const fn name(self) -> &'static str {
        match self {
            Stage::Preflight => "preflight",
            Stage::Locate => "locate",
            Stage::Parse => "parse",
            Stage::Unseal => "unseal",
            Stage::Verify => "verify",
            Stage::Validate => "validate",
            Stage::Attest => "attest",
            Stage::Unlock => "unlock",
            Stage::Root => "root",
            Stage::Handover => "handover",
            Stage::Network => "network",
            Stage::Logging => "logging",
            Stage::Images => "images",
            Stage::Start => "start",
            Stage::Watch => "watch",
        }
    }

    /// The exit code of a boot that ends here: 10 to 19 in the initramfs, 20 and above in the guest OS.
    pub const fn exit_code(self) -> u8 {
        match self {
            Stage::Preflight => 10,
            Stage::Locate => 11,
            Stage::Parse => 12,
            Stage::Unseal => 13,
            Stage::Verify => 14,
            Stage::Validate => 15,
            Stage::Attest => 16,
            Stage::Unlock => 17,
            Stage::Root => 18,
            Stage::Handover => 19,
            Stage::Network => 20,
            Stage::Logging => 21,
            Stage::Images => 22,
            Stage::Start => 23,
            Stage::Watch => 24,
        }
    }
}

impl fmt::Display for Stage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exit_codes_follow_the_order_and_split_at_the_handover() {
        let codes: Vec<u8> = Stage::ALL.iter().map(|stage| stage.exit_code()).collect();
        assert!(codes.windows(2).all(|pair| pair[0] < pair[1]));
        for stage in Stage::ALL {
            assert_eq!(stage.is_initramfs(), stage.exit_code() < 20, "{stage}");
        }
    }

    #[test]
    fn a_name_is_one_word_for_console_reports_and_search() {
        for stage in Stage::ALL {
            assert_eq!(Stage::find(stage.name()), Some(stage));
            assert_eq!(serde_json::to_string(&stage).unwrap(), format!("\"{stage}\""));
        }
        assert_eq!(Stage::find("boot"), None);
    }
}
