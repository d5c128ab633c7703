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
        nft.input(rules.as_bytes()).deadline(DEADLINE).run().map(drop)
    }
}
