//! The network of the guest OS.

use std::net::IpAddr;
use std::time::Duration;

use crate::error::Result;

/// The packet filter of the kernel.
pub trait PacketFilter {
    /// Loads these rules, all of them or none; `rules` in the language of nft(8).
    fn load_filter(&self, rules: &str) -> Result<()>;
}

/// The network, configured by systemd-networkd.
pub trait Network {
    /// Waits until an interface other than loopback has an address with a route, or `timeout` has passed; the
    /// addresses found.
    fn wait_for_address(&self, timeout: Duration) -> Result<Vec<IpAddr>>;
    /// Name servers that networkd learned.
    fn name_servers(&self) -> Result<Vec<IpAddr>>;
    /// Domains that are tried for short names.
    fn search_domains(&self) -> Result<Vec<String>>;
    /// Waits until the kernel announces a change of links, addresses or routes, or `timeout` has passed.
    fn wait_for_change(&self, timeout: Duration) -> Result<()>;
    /// Resolves a host name by the system's resolver, or parses an address.
    fn resolve(&self, hostname: &str) -> Result<Vec<IpAddr>>;
}
