//! `network-config` of the contract disk: the guest's interfaces, in a subset of netplan's version 2.
//!
//! What HPCR documents (Ethernet interfaces with `dhcp4`, `addresses`, `gateway4`, `routes`, `nameservers`, `mtu`) and,
//! beyond it, IPv6, `accept-ra`, several interfaces and `vlans`. The host writes this file: it may choose addresses,
//! and that is all. Every value becomes a typed one, a name is a name and nothing else, and a key that is not known is
//! refused, because a setting that is silently dropped is a network that nobody meant. What comes of it is rendered
//! by `countersign_plan::guest_os::network`.
//!
//! Follows <https://netplan.readthedocs.io/en/stable/netplan-yaml/> as far as the subset goes. No bonds, bridges,
//! tunnels, `match`, `set-name`, rules or authentication.

mod read;

use std::net::IpAddr;

use crate::code::Code;
use crate::place::{Origin, Place, Pointer};
use crate::refusal::Finding;
use crate::yaml;

use read::Reader;

/// Most interfaces, VLANs included.
pub const MAX_INTERFACES: usize = 64;

/// The settings of all interfaces.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NetworkConfig {
    /// Ethernet interfaces, then VLANs, each in the order of the file.
    pub interfaces: Vec<Interface>,
}

/// One interface.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Interface {
    /// The kernel's name: a letter, then letters, digits, `.`, `_`, `-`; 15 characters at most.
    pub name: String,
    /// What it is on top of; `None` for an Ethernet interface.
    pub vlan: Option<Vlan>,
    /// IPv4 address by DHCP.
    pub dhcp4: bool,
    /// IPv6 address by DHCP.
    pub dhcp6: bool,
    /// Whether IPv6 router advertisements count; `None` leaves it to the kernel's default.
    pub accept_ra: Option<bool>,
    /// Fixed addresses with their prefix length.
    pub addresses: Vec<Prefix>,
    /// Routes, the default gateways first.
    pub routes: Vec<Route>,
    /// Name servers.
    pub name_servers: Vec<IpAddr>,
    /// Domains that are tried for short names.
    pub search: Vec<String>,
    /// Largest packet, bytes.
    pub mtu: Option<u32>,
}

/// Where a VLAN lives.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Vlan {
    /// VLAN id, 1 to 4094.
    pub id: u16,
    /// Name of an Ethernet interface of the same file.
    pub link: String,
}

/// An address and the length of its network's prefix.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Prefix {
    /// The address.
    pub address: IpAddr,
    /// Bits, at most 32 or 128.
    pub length: u8,
}

impl std::fmt::Display for Prefix {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}/{}", self.address, self.length)
    }
}

/// A route.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Route {
    /// Destination; `None` for everything else.
    pub to: Option<Prefix>,
    /// Gateway.
    pub via: IpAddr,
    /// Lower wins.
    pub metric: Option<u32>,
    /// The gateway is taken to be on the link, whatever the addresses say.
    pub on_link: bool,
}

/// Reads `network-config`.
///
/// # Errors
/// A finding with `HPL13100E`: the first thing in the file that is not as it must be.
pub fn parse(bytes: &[u8]) -> Result<NetworkConfig, Box<Finding>> {
    let origin = Origin::network_config();
    let root = yaml::parse(bytes, &origin).map_err(|refusal| {
        let hint = Some(refusal.hint().into_owned());
        Box::new(Finding::new(
            Code::NetworkConfigInvalid,
            refusal.place().clone(),
            refusal.expectation(),
            hint,
        ))
    })?;
    let root = Reader::new(&root, Pointer::root());
    if root.get("network").is_none() && (root.get("ethernets").is_some() || root.get("version").is_some()) {
        return Err(root.refused("expected the key network", "put the settings below one key: network"));
    }
    root.only(&["network"])?;
    let network = root.required("network")?;
    network.only(&["version", "renderer", "ethernets", "vlans"])?;
    if let Some(version) = network.get("version") {
        version.number(2, 2)?;
    }
    if let Some(renderer) = network.get("renderer") {
        renderer.word("networkd")?;
    }
    let mut interfaces = Vec::new();
    for entry in network.required("ethernets")?.entries()? {
        interfaces.push(interface(&entry, None)?);
    }
    let ethernets = interfaces.len();
    if let Some(vlans) = network.get("vlans") {
        for entry in vlans.entries()? {
            let id = entry.required("id")?.number(1, 4094)? as u16;
            let link = entry.required("link")?;
            let name = link.interface_name()?;
            if !interfaces[..ethernets].iter().any(|interface| interface.name == name) {
                return Err(link
                    .refused("expected an interface of this file", "name one that stands under ethernets"));
            }
            interfaces.push(interface(&entry, Some(Vlan { id, link: name }))?);
        }
    }
    check(&network, &interfaces)?;
    Ok(NetworkConfig { interfaces })
}

/// What holds for all interfaces together.
fn check(network: &Reader<'_>, interfaces: &[Interface]) -> Result<(), Box<Finding>> {
    if interfaces.is_empty() || interfaces.len() > MAX_INTERFACES {
        return Err(
            network.refused("expected 1 to 64 interfaces", "name the guest's interface under ethernets")
        );
    }
    for (index, interface) in interfaces.iter().enumerate() {
        let of_kind = network.get(if interface.vlan.is_some() { "vlans" } else { "ethernets" });
        let place = of_kind.and_then(|kind| kind.get(&interface.name));
        let Some(place) = place else { continue };
        if interfaces[..index].iter().any(|other| other.name == interface.name) {
            return Err(place.refused("expected each interface once", "give the vlan a name of its own"));
        }
        let carries = interfaces
            .iter()
            .any(|other| other.vlan.as_ref().is_some_and(|vlan| vlan.link == interface.name));
        let addressed = interface.dhcp4
            || interface.dhcp6
            || interface.accept_ra == Some(true)
            || !interface.addresses.is_empty();
        if !addressed && !carries {
            let hint = "give addresses, or set dhcp4, dhcp6 or accept-ra to true";
            return Err(place.refused("expected a way to get an address", hint));
        }
    }
    Ok(())
}

const KEYS: [&str; 10] = [
    "dhcp4",
    "dhcp6",
    "accept-ra",
    "addresses",
    "gateway4",
    "gateway6",
    "routes",
    "nameservers",
    "mtu",
    "optional",
];

fn interface(entry: &Reader<'_>, vlan: Option<Vlan>) -> Result<Interface, Box<Finding>> {
    let mut known = KEYS.to_vec();
    if vlan.is_some() {
        known.extend(["id", "link"]);
    }
    entry.only(&known)?;
    let name = entry.own_interface_name()?;
    let switch = |key: &str| entry.get(key).map(|value| value.truth()).transpose();
    let dhcp4 = switch("dhcp4")?.unwrap_or_default();
    // It says whether netplan waits for the interface; the guest waits for any address, so there is nothing to do.
    switch("optional")?;
    let mut routes = Vec::new();
    for (key, v4) in [("gateway4", true), ("gateway6", false)] {
        if let Some(value) = entry.get(key) {
            if v4 && dhcp4 {
                let hint = "remove gateway4, or set dhcp4 to false and give addresses";
                return Err(value.refused("expected no gateway4 beside dhcp4", hint));
            }
            let via = value.address()?;
            if via.is_ipv4() != v4 {
                let hint = "gateway4 takes an ipv4 address, gateway6 an ipv6 address";
                return Err(value.refused("expected an address of the key's family", hint));
            }
            routes.push(Route { to: None, via, metric: None, on_link: false });
        }
    }
    for route in entry.list("routes")? {
        routes.push(read_route(&route)?);
    }
    let (mut name_servers, mut search) = (Vec::new(), Vec::new());
    if let Some(servers) = entry.get("nameservers") {
        servers.only(&["addresses", "search"])?;
        for server in servers.list("addresses")? {
            name_servers.push(server.address()?);
        }
        for domain in servers.list("search")? {
            search.push(domain.host_name()?);
        }
    }
    let addresses = entry.list("addresses")?.iter().map(Reader::prefix).collect::<Result<Vec<_>, _>>()?;
    Ok(Interface {
        name,
        vlan,
        dhcp4,
        dhcp6: switch("dhcp6")?.unwrap_or_default(),
        accept_ra: switch("accept-ra")?,
        addresses,
        routes,
        name_servers,
        search,
        mtu: entry.get("mtu").map(|value| value.number(68, 65535)).transpose()?,
    })
}

fn read_route(route: &Reader<'_>) -> Result<Route, Box<Finding>> {
    route.only(&["to", "via", "metric", "on-link"])?;
    let to = route.required("to")?;
    let via_place = route.required("via")?;
    let via = via_place.address()?;
    let to = match to.text()? {
        "default" => None,
        _ => Some(to.prefix()?),
    };
    if to.is_some_and(|to| to.address.is_ipv4() != via.is_ipv4()) {
        return Err(
            via_place.refused("expected an address of the same family as to", "use a gateway of that family")
        );
    }
    Ok(Route {
        to,
        via,
        metric: route.get("metric").map(|value| value.number(0, u32::MAX)).transpose()?,
        on_link: route.get("on-link").map(|value| value.truth()).transpose()?.unwrap_or_default(),
    })
}

/// A finding about this file.
fn finding(place: Place, expectation: &str, hint: &str) -> Box<Finding> {
    Box::new(Finding::new(Code::NetworkConfigInvalid, place, expectation, Some(hint.to_owned())))
}
