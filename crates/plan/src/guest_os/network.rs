//! The files of systemd-networkd: DHCP on every Ethernet interface, or what `network-config` says.
//!
//! Each value comes typed from [`countersign_contract::cidata::network_config`], so nothing of the file's own text
//! gets into the rendered ones but names that were checked. An interface that the file does not name stays down.
//! Follows systemd.network(5) and systemd.netdev(5).

use std::fmt::Write as _;

use countersign_contract::cidata::network_config::{Interface, NetworkConfig, Route};
use countersign_crypto::secret::SecretBytes;

use crate::guest_os::file::File;

/// systemd-networkd reads its files from here.
const FOLDER: &str = "/run/systemd/network";

/// The files for the interfaces; without a `network-config`, DHCP.
pub fn files(config: Option<&NetworkConfig>) -> Vec<File> {
    let Some(config) = config else {
        let text = "# Rendered by countersignd: no network-config on the contract disk.\n\
             [Match]\nType=ether\n# Not the interfaces of containers.\nKind=!*\n\n[Network]\nDHCP=yes\nLinkLocalAddressing=ipv6\n";
        return vec![file("10-ethernet.network", text)];
    };
    let mut files = Vec::new();
    for interface in &config.interfaces {
        if let Some(vlan) = &interface.vlan {
            let text =
                format!("{HEAD}[NetDev]\nName={}\nKind=vlan\n\n[VLAN]\nId={}\n", interface.name, vlan.id);
            files.push(file(&format!("10-{}.netdev", interface.name), &text));
        }
        files.push(file(&format!("10-{}.network", interface.name), &network(interface, config)));
    }
    files
}

const HEAD: &str = "# Rendered by countersignd from network-config on the contract disk.\n";

fn network(interface: &Interface, config: &NetworkConfig) -> String {
    let mut text = format!("{HEAD}[Match]\nName={}\n", interface.name);
    // Writing to a String cannot fail.
    if let Some(mtu) = interface.mtu {
        let _ = write!(text, "\n[Link]\nMTUBytes={mtu}\n");
    }
    let dhcp = match (interface.dhcp4, interface.dhcp6) {
        (true, true) => "yes",
        (true, false) => "ipv4",
        (false, true) => "ipv6",
        (false, false) => "no",
    };
    let _ = write!(text, "\n[Network]\nDHCP={dhcp}\nLinkLocalAddressing=ipv6\n");
    if let Some(accept) = interface.accept_ra {
        let _ = writeln!(text, "IPv6AcceptRA={}", if accept { "yes" } else { "no" });
    }
    for address in &interface.addresses {
        let _ = writeln!(text, "Address={address}");
    }
    for server in &interface.name_servers {
        let _ = writeln!(text, "DNS={server}");
    }
    if !interface.search.is_empty() {
        let _ = writeln!(text, "Domains={}", interface.search.join(" "));
    }
    for other in &config.interfaces {
        if other.vlan.as_ref().is_some_and(|vlan| vlan.link == interface.name) {
            let _ = writeln!(text, "VLAN={}", other.name);
        }
    }
    for route in &interface.routes {
        text.push_str(&section(route));
    }
    text
}

fn section(route: &Route) -> String {
    let mut text = String::from("\n[Route]\n");
    if let Some(to) = &route.to {
        let _ = writeln!(text, "Destination={to}");
    }
    let _ = writeln!(text, "Gateway={}", route.via);
    if let Some(metric) = route.metric {
        let _ = writeln!(text, "Metric={metric}");
    }
    if route.on_link {
        text.push_str("GatewayOnLink=yes\n");
    }
    text
}

fn file(name: &str, text: &str) -> File {
    File { path: format!("{FOLDER}/{name}"), mode: 0o644, content: SecretBytes::copy_from(text.as_bytes()) }
}
