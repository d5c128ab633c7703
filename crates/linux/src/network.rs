//! The network as systemd-networkd configured it.
//!
//! Addresses come from the kernel (getifaddrs(3)), routes from `/proc/net`, name servers from networkd's state
//! file, whose format follows sd-network of systemd. Waiting is by the kernel's route events (rtnetlink(7)),
//! subscribed to before the first look. Nothing is configured here.

use std::collections::BTreeSet;
use std::fs;
use std::io;
use std::net::{IpAddr, ToSocketAddrs};
use std::os::fd::{AsRawFd, OwnedFd};
use std::time::{Duration, Instant};

use nix::errno::Errno;
use nix::ifaddrs::getifaddrs;
use nix::net::if_::InterfaceFlags;
use nix::sys::socket::{
    AddressFamily, MsgFlags, NetlinkAddr, SockFlag, SockProtocol, SockType, SockaddrStorage, bind, recv,
    socket,
};

use super::Linux;
use super::announcements::wait_readable;
use countersign_ports::error::{Result, SystemError};
use countersign_ports::guest_os::Network;

/// Links, addresses and routes of both families.
const GROUPS: i32 = libc::RTMGRP_LINK
    | libc::RTMGRP_IPV4_IFADDR
    | libc::RTMGRP_IPV4_ROUTE
    | libc::RTMGRP_IPV6_IFADDR
    | libc::RTMGRP_IPV6_ROUTE;

impl Network for Linux {
    fn wait_for_address(&self, timeout: Duration) -> Result<Vec<IpAddr>> {
        let failed = |e: io::Error| SystemError::io("wait for an address", "network", e);
        let deadline = Instant::now().checked_add(timeout);
        let events = subscribe().map_err(failed)?;
        loop {
            let addresses = self.routed_addresses().map_err(failed)?;
            let rest = deadline.map_or(Duration::MAX, |d| d.saturating_duration_since(Instant::now()));
            if !addresses.is_empty() || rest.is_zero() {
                return Ok(addresses);
            }
            wait_readable(&events, rest).map_err(failed)?;
            drain(&events).map_err(failed)?;
        }
    }

    fn name_servers(&self) -> Result<Vec<IpAddr>> {
        Ok(name_servers(&self.state()?))
    }

    fn search_domains(&self) -> Result<Vec<String>> {
        let state = self.state()?;
        let domains = state.lines().find_map(|line| line.strip_prefix("DOMAINS=")).unwrap_or_default();
        Ok(domains.split_whitespace().map(str::to_owned).collect())
    }

    fn wait_for_change(&self, timeout: Duration) -> Result<()> {
        let wait = || wait_readable(subscribe()?, timeout);
        wait().map_err(|e| SystemError::io("wait for a change", "network", e))
    }

    fn resolve(&self, hostname: &str) -> Result<Vec<IpAddr>> {
        // The name is a value of the contract and is not repeated in the error.
        let addresses: BTreeSet<IpAddr> = (hostname, 0)
            .to_socket_addrs()
            .map_err(|e| SystemError::io("resolve", "host name", e))?
            .map(|address| address.ip())
            .collect();
        Ok(addresses.into_iter().collect())
    }
}

impl Linux {
    /// The state file of networkd, empty before there is one.
    fn state(&self) -> Result<String> {
        let path = self.paths.run.join("systemd/netif/state");
        match fs::read_to_string(&path) {
            // networkd writes it with the first link that is up.
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(String::new()),
            text => {
                text.map_err(|error| SystemError::io("read network state", path.display().to_string(), error))
            }
        }
    }

    /// Addresses that reach beyond their own link, of interfaces that have a route.
    fn routed_addresses(&self) -> io::Result<Vec<IpAddr>> {
        let read =
            |name: &str| fs::read_to_string(self.paths.proc.join("net").join(name)).unwrap_or_default();
        let routed = routed_interfaces(&read("route"), &read("ipv6_route"));
        let addresses = getifaddrs()?
            .filter(|interface| {
                interface.flags.contains(InterfaceFlags::IFF_UP)
                    && !interface.flags.contains(InterfaceFlags::IFF_LOOPBACK)
                    && routed.contains(&interface.interface_name)
            })
            .filter_map(|interface| address(&interface.address?))
            .filter(|address| !is_link_local(address));
        Ok(addresses.collect())
    }
}

fn address(storage: &SockaddrStorage) -> Option<IpAddr> {
    match (storage.as_sockaddr_in(), storage.as_sockaddr_in6()) {
        (Some(v4), _) => Some(v4.ip().into()),
        (_, Some(v6)) => Some(v6.ip().into()),
        _ => None,
    }
}

fn is_link_local(address: &IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => address.is_link_local(),
        IpAddr::V6(address) => address.is_unicast_link_local(),
    }
}

/// Names of interfaces in `/proc/net/route` (first column) and `/proc/net/ipv6_route` (last column), without
/// routes that are link-local or of the loopback.
fn routed_interfaces(v4: &str, v6: &str) -> BTreeSet<String> {
    let v4 = v4.lines().skip(1).filter_map(|line| line.split_whitespace().next());
    let v6 = v6.lines().filter_map(|line| {
        let fields: Vec<&str> = line.split_whitespace().collect();
        let destination = fields.first()?;
        (!destination.starts_with("fe8") && !destination.starts_with("ff")).then_some(*fields.last()?)
    });
    v4.chain(v6).filter(|name| *name != "lo").map(str::to_owned).collect()
}

/// The line `DNS=` of networkd's state: addresses with an optional port, `%interface` and `#name`.
fn name_servers(state: &str) -> Vec<IpAddr> {
    let servers = state.lines().find_map(|line| line.strip_prefix("DNS=")).unwrap_or_default();
    servers
        .split_whitespace()
        .filter_map(|server| {
            let server = server.split(['#', '%']).next()?;
            let plain = server.parse().ok();
            plain.or_else(|| Some(server.parse::<std::net::SocketAddr>().ok()?.ip()))
        })
        .collect()
}

fn subscribe() -> io::Result<OwnedFd> {
    let socket = socket(
        AddressFamily::Netlink,
        SockType::Raw,
        SockFlag::SOCK_CLOEXEC | SockFlag::SOCK_NONBLOCK,
        SockProtocol::NetlinkRoute,
    )?;
    bind(socket.as_raw_fd(), &NetlinkAddr::new(0, GROUPS as u32))?;
    Ok(socket)
}

/// Takes all events; what they say is read from the kernel's state afterwards.
fn drain(socket: &OwnedFd) -> io::Result<()> {
    let mut event = [0; 8192];
    loop {
        match recv(socket.as_raw_fd(), &mut event, MsgFlags::MSG_TRUNC) {
            Ok(_) | Err(Errno::EINTR | Errno::ENOBUFS) => {}
            Err(Errno::EAGAIN) => return Ok(()),
            Err(error) => return Err(error.into()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::Paths;
    use super::*;

    #[test]
    fn routes_name_interfaces_of_both_families() {
        let v4 = "Iface\tDestination\tGateway\tFlags\nenc1\t00000000\t0202000A\t0003\nlo\t0000007F\t0\t1\n";
        let zero = "00000000000000000000000000000000";
        let line = |destination: &str, name| {
            format!("{destination} 00 {zero} 00 {zero} 00000400 00000001 00000000 00000001     {name}\n")
        };
        let v6 = line("fe800000000000000000000000000000", "enc9")
            + &line("ff000000000000000000000000000000", "enc8")
            + &line(zero, "enc2")
            + &line(zero, "lo");
        let names: Vec<String> = routed_interfaces(v4, &v6).into_iter().collect();
        assert_eq!(names, ["enc1", "enc2"]);
        assert!(routed_interfaces("", "").is_empty());
    }

    #[test]
    fn name_servers_come_from_networkds_state() {
        let run = tempfile::tempdir().unwrap();
        let machine = Linux::with_paths(Paths { run: run.path().into(), ..Paths::default() });
        assert_eq!(machine.name_servers().unwrap(), Vec::<IpAddr>::new());
        fs::create_dir_all(run.path().join("systemd/netif")).unwrap();
        fs::write(
            run.path().join("systemd/netif/state"),
            "# This is private data. Do not parse.\nOPER_STATE=routable\n\
             DNS=10.0.2.3 fec0::3 192.0.2.1:5353#dns.example [2001:db8::1]:53 fe80::1%2 nonsense\nNTP=10.0.2.9\nDOMAINS=example.org lab\n",
        )
        .unwrap();
        let expected: Vec<IpAddr> = ["10.0.2.3", "fec0::3", "192.0.2.1", "2001:db8::1", "fe80::1"]
            .map(|text| text.parse().unwrap())
            .to_vec();
        assert_eq!(machine.name_servers().unwrap(), expected);
        assert_eq!(machine.search_domains().unwrap(), ["example.org", "lab"]);
    }

    #[test]
    fn names_and_addresses_resolve_and_an_error_hides_the_name() {
        let machine = Linux::new();
        assert_eq!(machine.resolve("192.0.2.7").unwrap(), ["192.0.2.7".parse::<IpAddr>().unwrap()]);
        assert!(machine.resolve("localhost").unwrap().iter().all(IpAddr::is_loopback));
        let error = machine.resolve("canary.invalid").unwrap_err().to_string();
        assert!(error.starts_with("resolve host name: ") && !error.contains("canary"), "{error}");
    }

    #[test]
    fn waiting_for_an_address_ends_at_its_time_out() {
        // No route anywhere in this procfs.
        let empty = tempfile::tempdir().unwrap();
        let machine = Linux::with_paths(Paths { proc: empty.path().into(), ..Paths::default() });
        let before = Instant::now();
        assert!(machine.wait_for_address(Duration::from_millis(50)).unwrap().is_empty());
        assert!(before.elapsed() >= Duration::from_millis(50));
        machine.wait_for_change(Duration::from_millis(1)).unwrap();
    }

    /// In a network of its own the thread adds an address and a route while another waits for them.
    #[test]
    fn an_address_that_comes_later_is_seen() {
        use std::process::Command;
        let Ok(ip) = super::super::programs::find("ip") else {
            eprintln!("skipped: needs the program ip");
            return;
        };
        if !nix::unistd::geteuid().is_root() {
            eprintln!("skipped: a network of its own needs root");
            return;
        }
        nix::sched::unshare(nix::sched::CloneFlags::CLONE_NEWNET).unwrap();
        let run = |arguments: &str| {
            let output = Command::new(&ip).args(arguments.split(' ')).output().unwrap();
            assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        };
        run("link add test0 type bridge");
        let machine = Linux::with_paths(Paths { proc: "/proc/thread-self".into(), ..Paths::default() });
        assert!(machine.wait_for_address(Duration::ZERO).unwrap().is_empty());
        std::thread::scope(|scope| {
            let waiting = scope.spawn(|| machine.wait_for_address(Duration::from_secs(60)).unwrap());
            run("address add 192.0.2.9/24 dev test0");
            run("link set test0 up");
            assert!(waiting.join().unwrap().contains(&"192.0.2.9".parse().unwrap()));
        });
    }
}
