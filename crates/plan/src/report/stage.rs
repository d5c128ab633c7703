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

    /// The exit code of a boot that ends here: 30 to 75 in the initramfs, 80 and above in the guest OS. A stage fits between any
    /// two. 1 to 29 are not used: up to version 0.1 of the image 10 to 24 were the codes of these stages.
    pub const fn exit_code(self) -> u8 {
        match self {
            Stage::Preflight => 30,
            Stage::Locate => 35,
            Stage::Parse => 40,
            Stage::Unseal => 45,
            Stage::Verify => 50,
            Stage::Validate => 55,
            Stage::Attest => 60,
            Stage::Unlock => 65,
            Stage::Root => 70,
            Stage::Handover => 75,
            Stage::Network => 80,
            Stage::Logging => 85,
            Stage::Images => 90,
            Stage::Start => 95,
            Stage::Watch => 100,
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
        assert!(codes.windows(2).all(|pair| pair[1] - pair[0] > 1), "a stage fits between any two");
        for stage in Stage::ALL {
            assert_eq!(stage.is_initramfs(), stage.exit_code() < 80, "{stage}");
        }
    }

    #[test]
    fn the_readme_lists_every_stage_with_its_exit_code_in_order() {
        let readme = include_str!("../../../../README.md");
        let listed: Vec<(&str, u8)> = readme
            .lines()
            .skip_while(|line| !line.starts_with("| stage | exit |"))
            .skip(2)
            .map_while(|line| {
                let mut cells = line.strip_prefix("| ")?.split(" | ");
                Some((cells.next()?, cells.next()?.parse().ok()?))
            })
            .collect();
        assert_eq!(listed, Stage::ALL.map(|stage| (stage.name(), stage.exit_code())));
    }

    #[test]
    fn the_unit_of_the_daemon_knows_its_exit_code() {
        let unit = include_str!("../../../../systemd/countersign-watch.service");
        let line = format!("RestartPreventExitStatus={}", Stage::Watch.exit_code());
        assert!(unit.lines().any(|found| found == line), "no {line}");
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
