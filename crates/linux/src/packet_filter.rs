//! The kernel's packet filter, by nft(8).

use std::time::Duration;

use countersign_ports::error::Result;
use countersign_ports::guest_os::PacketFilter;

use super::Linux;
use super::programs::{self, Program};

/// nft takes a fraction of a second.
const DEADLINE: Duration = Duration::from_secs(60);

impl PacketFilter for Linux {
    fn load_filter(&self, rules: &str) -> Result<()> {
        // One file is one transaction: the kernel takes all of it or nothing.
        let nft = Program::new(programs::find("nft")?).arguments(["--file", "-"]);
        // What it says of a rule that it does not take is several lines, for the journal.
        let mut to_journal = |line: &str| println!("{line}");
        nft.silent().input(rules.as_bytes()).deadline(DEADLINE).on_line(&mut to_journal).run().map(drop)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// In a network of its own, with the rules that ship.
    #[test]
    fn the_kernel_takes_the_rules_whole_or_not_at_all() {
        if !nix::unistd::geteuid().is_root() {
            eprintln!("skipped: a network of its own needs root");
            return;
        }
        nix::sched::unshare(nix::sched::CloneFlags::CLONE_NEWNET).unwrap();
        let loaded = || {
            let list = Program::new(programs::find("nft").unwrap()).arguments(["list", "ruleset"]);
            String::from_utf8(list.run().unwrap().stdout).unwrap()
        };
        let machine = Linux::new();
        let rules = include_str!("../../plan/src/guest_os/filter.nft");
        machine.load_filter(rules).unwrap();
        let first = loaded();
        assert!(first.contains("type filter hook forward priority filter - 10; policy drop;"), "{first}");
        // Once more, as by a unit that is started again.
        machine.load_filter(rules).unwrap();
        assert_eq!(loaded(), first);
        let error =
            machine.load_filter(&format!("{rules}\nadd rule inet countersign passing nonsense")).unwrap_err();
        assert_eq!(error.to_string(), "run program /usr/sbin/nft: exit status 1");
        assert_eq!(loaded(), first);
    }
}
