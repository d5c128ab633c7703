//! Stage `network` of the guest OS.

use std::io;
use std::net::IpAddr;
use std::time::Duration;

use countersign_boot::host::Verb;
use countersign_boot::stage::Stage;
use countersign_contract::code::Code;
use countersign_system::ports::Platform;

use crate::support::canaries::assert_silent;
use crate::support::host::{booted, verb};

#[test]
fn an_address_a_resolver_and_the_log_servers_name() {
    let servers = vec![IpAddr::from([192, 0, 2, 3]), "2001:db8::3".parse().unwrap()];
    let machine = booted(|facts| facts.name_servers = servers);
    let run = verb(&machine, Verb::Network);
    assert_eq!(run.result, Ok(()), "{}", run.said());
    assert_eq!(run.asked, ["wait for an address", "replace /run/resolv.conf", "resolve logs.example.org"]);
    assert_eq!(run.file("/run/resolv.conf"), "nameserver 192.0.2.3\nnameserver 2001:db8::3\n");
    assert!(run.said().contains("HPL14000I: "), "{}", run.said());
    assert_eq!(
        run.stage_lines(),
        ["stage=network state=start", "stage=network state=done addresses=1 name_servers=2"]
    );
    assert_silent(&run);
}

#[test]
fn no_address_in_two_minutes_ends_the_boot() {
    let machine = booted(|facts| facts.addresses = Vec::new());
    let before = machine.uptime();
    let run = verb(&machine, Verb::Network);
    run.assert_verb_failed(Stage::Network, Code::NetworkTimeout, "expected an address within 120 s");
    assert_eq!(machine.uptime() - before, Duration::from_secs(120));
}

#[test]
fn a_name_that_does_not_resolve_ends_the_boot() {
    for request in ["resolve", "wait for an address", "name servers", "replace /run/resolv.conf"] {
        let machine = booted(|_| ());
        machine.fails(request, io::ErrorKind::Other);
        verb(&machine, Verb::Network).assert_verb_failed(Stage::Network, Code::NetworkFailed, request);
    }
}
