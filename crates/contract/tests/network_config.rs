//! `network-config`: what is read, and each refusal with its place.
#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used)]

use countersign_contract::cidata::network_config::{Interface, NetworkConfig, Prefix, Route, Vlan, parse};
use countersign_contract::code::Code;

fn prefix(address: &str, length: u8) -> Prefix {
    Prefix { address: address.parse().unwrap(), length }
}

/// The sample of HPCR's documents.
#[test]
fn the_documented_form_is_read() {
    let text = "network:\n  version: 2\n  ethernets:\n    enc8:\n      dhcp4: false\n      mtu: 1500\n      \
                addresses: [192.0.2.7/24]\n      gateway4: 192.0.2.1\n      routes:\n      - to: 198.51.100.0/24\n        \
                via: 192.0.2.9\n      nameservers:\n        addresses: [192.0.2.3]\n        search: [example.org]\n";
    let gateway = Route { to: None, via: "192.0.2.1".parse().unwrap(), metric: None, on_link: false };
    let route = Route { to: Some(prefix("198.51.100.0", 24)), via: "192.0.2.9".parse().unwrap(), ..gateway };
    let expected = Interface {
        name: "enc8".into(),
        vlan: None,
        dhcp4: false,
        dhcp6: false,
        accept_ra: None,
        addresses: vec![prefix("192.0.2.7", 24)],
        routes: vec![gateway, route],
        name_servers: vec!["192.0.2.3".parse().unwrap()],
        search: vec!["example.org".into()],
        mtu: Some(1500),
    };
    assert_eq!(parse(text.as_bytes()), Ok(NetworkConfig { interfaces: vec![expected] }));
}

#[test]
fn both_families_several_interfaces_and_a_vlan_are_read() {
    let text = "network:\n  renderer: networkd\n  ethernets:\n    enc1: {}\n    enc2: {dhcp4: true, dhcp6: true, \
                accept-ra: false, optional: true}\n  vlans:\n    enc1.100:\n      id: 100\n      link: enc1\n      \
                addresses: ['2001:db8::7/64']\n      gateway6: '2001:db8::1'\n      routes:\n      - {to: default, \
                via: 'fe80::1', metric: 7, on-link: true}\n";
    let interfaces = parse(text.as_bytes()).unwrap().interfaces;
    let names: Vec<&str> = interfaces.iter().map(|interface| interface.name.as_str()).collect();
    assert_eq!(names, ["enc1", "enc2", "enc1.100"]);
    assert!(interfaces[1].dhcp4 && interfaces[1].dhcp6 && interfaces[1].accept_ra == Some(false));
    assert_eq!(interfaces[2].vlan, Some(Vlan { id: 100, link: "enc1".into() }));
    assert_eq!(interfaces[2].addresses, [prefix("2001:db8::7", 64)]);
    let route = Route { to: None, via: "fe80::1".parse().unwrap(), metric: Some(7), on_link: true };
    assert_eq!(interfaces[2].routes[1], route);
}

#[test]
fn each_refusal_names_its_place_and_a_remedy() {
    // What stands below enc1, place, words of the expectation, words of the hint.
    let below = [
        ("dhcp4: yes", "/network/ethernets/enc1/dhcp4 4:14", "expected true or false", "without quotes"),
        ("dhcpv4: true", "/network/ethernets/enc1/dhcpv4 4:7", "expected a key that", "is dhcp4 meant?"),
        ("match: {}", "/network/ethernets/enc1/match 4:7", "expected a key that", "known here are: dhcp4"),
        ("mtu: 1500", "/network/ethernets/enc1 4:7", "expected a way to get an address", "give addresses"),
        ("mtu: 67", "/network/ethernets/enc1/mtu 4:12", "a number from 68 to 65535", "without quotes"),
        ("addresses: 192.0.2.7/24", "/network/ethernets/enc1/addresses 4:18", "expected a list", "hyphen"),
        (
            "addresses: [192.0.2.7]",
            "/network/ethernets/enc1/addresses/0 4:19",
            "prefix length",
            "192.0.2.7/24",
        ),
        (
            "addresses: [192.0.2.7/33]",
            "/network/ethernets/enc1/addresses/0 4:19",
            "prefix length",
            "write it",
        ),
        (
            "addresses: [192.0.2.7/+8]",
            "/network/ethernets/enc1/addresses/0 4:19",
            "prefix length",
            "write it",
        ),
        (
            "addresses: ['2001:db8::/129']",
            "/network/ethernets/enc1/addresses/0 4:19",
            "prefix length",
            "write it",
        ),
        (
            "gateway4: 192.0.2.1/24",
            "/network/ethernets/enc1/gateway4 4:17",
            "expected an ip address",
            "without prefix",
        ),
        ("gateway4: 192.0.2.300", "/network/ethernets/enc1/gateway4 4:17", "expected an ip address", "as in"),
        (
            "gateway4: '2001:db8::1'",
            "/network/ethernets/enc1/gateway4 4:17",
            "of the key's family",
            "gateway6 an ipv6",
        ),
        (
            "{dhcp4: true, gateway4: 192.0.2.1}",
            "/network/ethernets/enc1/gateway4 4:31",
            "beside dhcp4",
            "set dhcp4",
        ),
        (
            "routes: [{via: 192.0.2.1}]",
            "/network/ethernets/enc1/routes/0 4:16",
            "expected the key to",
            "add it",
        ),
        (
            "routes: [{to: default, via: 192.0.2.1, table: 5}]",
            "/network/ethernets/enc1/routes/0/table 4:46",
            "expected a key",
            "known here are: to, via",
        ),
        (
            "routes: [{to: 192.0.2.0/24, via: 'fe80::1'}]",
            "/network/ethernets/enc1/routes/0/via 4:40",
            "same family",
            "gateway",
        ),
        ("nameservers: [192.0.2.3]", "/network/ethernets/enc1/nameservers 4:20", "expected a map", "names"),
        (
            "nameservers: {search: [\"a\\nDNS=x\"]}",
            "/network/ethernets/enc1/nameservers/search/0 4:30",
            "expected a domain",
            "correct",
        ),
    ];
    for (setting, place, expectation, hint) in below {
        refused(&format!("network:\n  ethernets:\n    enc1:\n      {setting}\n"), place, expectation, hint);
    }
    let enc1 = "network:\n  ethernets:\n    enc1: {dhcp4: true}\n";
    for (text, place, expectation, hint) in [
        ("version: 2\nethernets: {}\n", "/ 1:1", "expected the key network", "below one key"),
        ("network:\n  version: 1\n", "/network/version 2:12", "expected 2", "without quotes"),
        ("network: {}\n", "/network 1:10", "expected the key ethernets", "add it"),
        ("network: {ethernets: {}}\n", "/network 1:10", "expected 1 to 64 interfaces", "name the guest's"),
        ("network:\n  renderer: NetworkManager\n", "/network/renderer 2:13", "expected networkd", "remove"),
        ("network:\n  bonds: {}\n", "/network/bonds 2:3", "expected a key that", "known here are: version"),
        (
            "network:\n  ethernets:\n    'enc*': {dhcp4: true}\n",
            "/network/ethernets/enc* 3:13",
            "interface name",
            "enc1",
        ),
        (
            "network:\n  ethernets:\n    '../x': {dhcp4: true}\n",
            "/network/ethernets/..~1x 3:13",
            "interface name",
            "enc1",
        ),
        (
            "network:\n  ethernets:\n    enc1: {dhcp4: true}\n    enc1: {}\n",
            "/network/ethernets/enc1 4:5",
            "once",
            "keep one",
        ),
        ("network: &a\n  version: 2\n", "/network 1:10", "no anchor", ""),
        (
            &format!("{enc1}  vlans:\n    v: {{id: 4095, link: enc1}}\n"),
            "/network/vlans/v/id 5:13",
            "1 to 4094",
            "number",
        ),
        (
            &format!("{enc1}  vlans:\n    v: {{id: 5, link: enc2}}\n"),
            "/network/vlans/v/link 5:22",
            "an interface of this file",
            "ethernets",
        ),
        (
            &format!("{enc1}  vlans:\n    v: {{id: 5, link: enc1}}\n"),
            "/network/vlans/v 5:8",
            "a way to get an address",
            "dhcp4",
        ),
        (
            &format!("{enc1}  vlans:\n    enc1: {{id: 5, link: enc1, dhcp4: true}}\n"),
            "/network/vlans/enc1 5:11",
            "each interface once",
            "of its own",
        ),
        ("[1]\n", "/ 1:1", "expected a map", "names"),
        ("", "/ 1:1", "found nothing", ""),
    ] {
        refused(text, place, expectation, hint);
    }
    let many: String = (0..65).map(|n| format!("    enc{n}: {{dhcp4: true}}\n")).collect();
    refused(&format!("network:\n  ethernets:\n{many}"), "/network 2:3", "expected 1 to 64 interfaces", "");
}

fn refused(text: &str, place: &str, expectation: &str, hint: &str) {
    let finding = parse(text.as_bytes()).expect_err(text);
    assert_eq!(finding.code, Code::NetworkConfigInvalid);
    assert_eq!(finding.section.as_str(), "network-config");
    let found = format!("{} {}:{}", finding.pointer, finding.line.unwrap_or(1), finding.column.unwrap_or(1));
    assert_eq!(found, place, "{text}");
    assert!(finding.message.contains(expectation), "{expectation:?} in {:?} for {text}", finding.message);
    let said = finding.hint.clone().unwrap_or_default();
    assert!(said.contains(hint) && !said.is_empty(), "{hint:?} in {said:?} for {text}");
}
