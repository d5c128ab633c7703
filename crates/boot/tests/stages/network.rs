//! Stage `network` of the guest OS.

use std::io;
use std::net::IpAddr;
use std::time::Duration;

use countersign_boot::guest_os::Verb;
use countersign_boot::stage::Stage;
use countersign_contract::code::Code;
use countersign_ports::Clock;

use crate::support::canaries::assert_silent;
use crate::support::guest_os::{booted, verb};

#[test]
fn an_address_a_resolver_and_the_log_servers_name() {
    let servers = vec![IpAddr::from([192, 0, 2, 3]), "2001:db8::3".parse().unwrap()];
    let machine = booted(|facts| {
        facts.name_servers = servers;
        // The second is what a hostile DHCP server would say.
        facts.search_domains = vec!["example.org".into(), "x\noptions".into()];
    });
    let run = verb(&machine, Verb::Network);
    assert_eq!(run.result, Ok(()), "{}", run.said());
    assert_eq!(run.asked, ["wait for an address", "replace /run/resolv.conf", "resolve logs.example.org"]);
    assert_eq!(
        run.file("/run/resolv.conf"),
        "nameserver 192.0.2.3\nnameserver 2001:db8::3\nsearch example.org\n"
    );
    assert!(run.said().contains("HPL14000I: "), "{}", run.said());
    assert_eq!(
        run.stage_lines(),
        ["stage=network state=start", "stage=network state=done addresses=1 name_servers=2"]
    );
    assert_silent(&run);
}

#[test]
fn the_packet_filter_is_loaded_or_the_boot_ends() {
    let machine = booted(|_| ());
    let run = verb(&machine, Verb::Filter);
    assert_eq!(run.result, Ok(()), "{}", run.said());
    let [load] = &run.asked[..] else { panic!("{:?}", run.asked) };
    assert!(load.starts_with("load ") && load.ends_with(" lines of packet filter"), "{load}");
    assert_eq!(run.stage_lines(), Vec::<&str>::new());
    machine.fails("load ", io::ErrorKind::Other);
    verb(&machine, Verb::Filter).assert_verb_failed(
        Stage::Network,
        Code::PacketFilterFailed,
        "packet filter",
    );
}

/// systemd-networkd, which brings the interfaces up, is Debian's unit with a file of ours.
#[test]
fn no_interface_comes_up_without_the_packet_filter() {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../");
    let read = |path: &str| std::fs::read_to_string(folder.join(path)).unwrap();
    let networkd = read("qemu/guest/tree/usr/lib/systemd/system/systemd-networkd.service.d/countersign.conf");
    for line in ["Requires=countersign-filter.service", "After=countersign-filter.service"] {
        assert!(networkd.lines().any(|found| found == line), "{line}");
    }
    assert!(read("systemd/countersign-filter.service").contains("\nOnFailure=countersign-failure.service\n"));
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
    for request in
        ["resolve", "search domains", "wait for an address", "name servers", "replace /run/resolv.conf"]
    {
        let machine = booted(|_| ());
        machine.fails(request, io::ErrorKind::Other);
        verb(&machine, Verb::Network).assert_verb_failed(Stage::Network, Code::NetworkFailed, request);
    }
}

#[test]
fn a_name_server_that_comes_up_late_is_waited_for() {
    let machine = booted(|_| ());
    let before = machine.uptime();
    machine.fails_until("resolve", io::ErrorKind::TimedOut, before + Duration::from_secs(12));
    let run = verb(&machine, Verb::Network);
    assert_eq!(run.result, Ok(()), "{}", run.said());
    assert_eq!(machine.uptime() - before, Duration::from_secs(15));
    // Said once, however often it was tried.
    assert_eq!(run.said().matches("HPL14001I: ").count(), 1, "{}", run.said());
    assert_eq!(run.asked.iter().filter(|asked| asked.starts_with("resolve ")).count(), 4);
}

#[test]
fn a_name_that_never_resolves_is_asked_for_during_a_minute() {
    let machine = booted(|_| ());
    let before = machine.uptime();
    machine.fails("resolve", io::ErrorKind::TimedOut);
    let run = verb(&machine, Verb::Network);
    run.assert_verb_failed(Stage::Network, Code::NetworkFailed, "resolve");
    assert_eq!(machine.uptime() - before, Duration::from_secs(60));
}

#[test]
fn interfaces_of_a_network_config_are_reported() {
    let machine = booted(|_| ());
    assert!(!verb(&machine, Verb::Network).said().contains("HPL13004I"));
    let path = std::path::Path::new("/run/countersign/plan.json");
    let plan = String::from_utf8(machine.files()[path].1.clone()).unwrap();
    let plan = plan.replace("\"network_config\": false", "\"network_config\": true");
    countersign_ports::guest_os::GuestFiles::replace_file(&machine, path, plan.as_bytes()).unwrap();
    assert!(verb(&machine, Verb::Network).said().contains("HPL13004I: "));
}
