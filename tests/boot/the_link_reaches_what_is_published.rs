//! A second machine on the guest's link reaches the ports that the contract publishes and the container that shares the
//! guest's network, and nothing else: not a container's own address, on none of both families, by no protocol, under no
//! other name, by no way of its choice. Containers reach it.
//!
//! What is sent at the containers comes first, then what has to arrive; so when that is there, whatever the filter let
//! pass has arrived too.

use countersign_vm::lab::contract::Delivery;
use countersign_vm::lab::neighbour::Neighbour;
use countersign_vm::lab::syslog::Message;
use countersign_vm::lab::world::DATA_DISK;
use countersign_vm::profile::Profile;
use serde_json::{Value, json};

use crate::inside::{self, End};
use crate::support::{BOOT, compose_with, world};

/// Of the neighbour, on both families.
const NEIGHBOUR: [&str; 2] = ["192.0.2.1/24", "2001:db8:7::1/64"];
/// Of the guest on that link.
const GUEST: [&str; 2] = ["192.0.2.2", "2001:db8:7::2"];
/// Of a container on a network of its own, with no port of this number published.
const CONTAINER: [&str; 2] = ["172.30.7.9", "fd30:7::9"];
/// Of the guest on that network.
const BRIDGE: [&str; 2] = ["172.30.7.1", "fd30:7::1"];
/// What the containers listen to, and the port under which the guest publishes one of them.
const INNER: u16 = 9999;
const PUBLISHED: u16 = 8081;

/// The second link has fixed addresses, the first what its DHCP server says.
const NETWORK: &str = "network:
  version: 2
  ethernets:
    enc1:
      dhcp4: true
    enc2:
      addresses: [192.0.2.2/24, '2001:db8:7::2/64']
";

/// One container publishes a port, one shares the guest's network, one calls the neighbour.
fn services(image: &str) -> String {
    let common = format!(
        "    image: {image}\n    volumes: [\"/usr/lib/probe:/probe:ro\"]\n    stop_signal: SIGKILL\n"
    );
    format!(
        r#"  inner:
{common}    entrypoint: [/probe/listener, inner, "{INNER}"]
    networks: {{inside: {{ipv4_address: {}, ipv6_address: '{}'}}}}
    ports: ["{PUBLISHED}:{INNER}", "{PUBLISHED}:{INNER}/udp"]
  outer:
{common}    entrypoint: [/probe/listener, outer, "{INNER}"]
    network_mode: host
  caller:
{common}    entrypoint: [/bin/busybox, nc, 192.0.2.1, "7000"]
    networks: [inside]
networks:
  inside:
    enable_ipv6: true
    ipam: {{config: [{{subnet: 172.30.7.0/24}}, {{subnet: 'fd30:7::/64'}}]}}
"#,
        CONTAINER[0], CONTAINER[1]
    )
}

/// Everything that is sent at what was not published. Each text says what it tried.
fn attacks() -> Vec<Value> {
    let mut attacks = Vec::new();
    for (target, what) in [(CONTAINER, "container"), (BRIDGE, "bridge")] {
        for address in target {
            attacks.extend([
                json!({"knock": [address, INNER]}),
                json!({"segment": [address, INNER]}),
                json!({"tell": [address, INNER], "text": format!("attack on the {what} at {address}")}),
                // To a port that is closed: the answer would be an error.
                json!({"tell": [address, 9], "text": "attack on a closed port"}),
                json!({"ping": address}),
            ]);
        }
    }
    // Whom the guest takes for its container, for itself, for a machine of its other link; who is nowhere.
    for source in ["172.30.7.77", "172.30.7.1", "192.0.2.2", "10.0.2.2", "127.0.0.1"] {
        for port in [INNER, PUBLISHED] {
            let text = format!("attack as {source} on {port}");
            attacks.push(json!({"tell": [GUEST[0], port], "text": text, "source": source}));
        }
    }
    for source in ["fd30:7::77", "2001:db8:7::2", "::1"] {
        for port in [INNER, PUBLISHED] {
            let text = format!("attack as {source} on {port}");
            attacks.push(json!({"tell": [GUEST[1], port], "text": text, "source": source}));
        }
    }
    let text = "attack by a source route";
    attacks.push(json!({"tell": [CONTAINER[0], INNER], "text": text, "loose": GUEST[0]}));
    attacks.push(json!({"tell": [GUEST[0], INNER], "text": text, "loose": GUEST[0]}));
    attacks
}

#[test]
fn the_link_reaches_what_is_published() {
    let mut neighbour = Neighbour::start(&NEIGHBOUR).unwrap();
    let mut world = world();
    let mut contract = world.contract();
    contract.archive = compose_with(&world, services);
    let delivery = Delivery { network_config: Some(NETWORK.into()), ..world.delivery() };
    let medium = world.deliver("contract", &contract.texts(), &delivery).unwrap();
    let data = world.disk("data", DATA_DISK).unwrap();
    let mut run = world.run("link", &world.keys.image, &medium, Some(&data)).unwrap();
    run.link = Some(neighbour.link().to_owned());
    let (mut guest, look) = inside::boot("link", &Profile::named("single").unwrap(), run);
    guest.wait_for("HPL10001I", BOOT, |event| event.is_message("HPL10001I")).unwrap();

    // From inside, under the guest's address.
    let visitor = neighbour.ask(&json!({"visitor": BOOT.as_secs()})).unwrap();
    assert_eq!(visitor, json!({"from": GUEST[0]}));
    for (network, via) in [("172.30.7.0/24", GUEST[0]), ("fd30:7::/64", GUEST[1])] {
        neighbour.ask(&json!({"route": network, "via": via})).unwrap();
    }
    for attack in attacks() {
        neighbour.ask(&attack).unwrap();
    }
    for address in GUEST {
        for (port, name) in [(PUBLISHED, "inner"), (INNER, "outer")] {
            assert_eq!(neighbour.hello(address, port, BOOT.as_secs()).unwrap(), name, "{address}");
            let text = format!("a word to {address}");
            neighbour.ask(&json!({"tell": [address, port], "text": text})).unwrap();
            let heard = |message: &Message| message.msg.contains(&format!("{name} heard {text}"));
            world.syslog.wait_for(&format!("a datagram by {address} at {name}"), BOOT, heard).unwrap();
        }
    }
    let lines = world.syslog.lines().unwrap();
    let arrived: Vec<&str> = lines
        .iter()
        .filter_map(|line| line.msg.split_once(" heard attack").map(|_| line.msg.as_str()))
        .collect();
    assert_eq!(arrived, Vec::<&str>::new());
    // Nobody behind the guest answered, not even with an error.
    let sources = neighbour.ask(&json!({"sources": true})).unwrap();
    let sources: Vec<&str> =
        sources["sources"].as_array().unwrap().iter().filter_map(Value::as_str).collect();
    let guests = |source: &&str| {
        GUEST.contains(source) || source.starts_with("fe80:") || ["::", "0.0.0.0"].contains(source)
    };
    assert!(sources.iter().all(guests) && GUEST.iter().all(|own| sources.contains(own)), "{sources:?}");
    look.ask(&mut guest);
    inside::panic(&mut guest, &look);
    look.assert_silent(&world, End::Cut);
}
