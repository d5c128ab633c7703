//! Health checks of a container.

use super::fault::PlayFault;
use super::model::{Check, Exec, HttpGet, Port, PortRef, Probe, TcpSocket};
use super::notice::Notice;
use super::read::{Fields, Keys, Look, scalar_of};
use crate::workload::document::Node;
use crate::workload::scalar::Scalar;

const KEYS: Keys = Keys {
    read: &[
        "exec",
        "httpGet",
        "tcpSocket",
        "initialDelaySeconds",
        "timeoutSeconds",
        "periodSeconds",
        "successThreshold",
        "failureThreshold",
    ],
    left_out: &["terminationGracePeriodSeconds"],
    unneeded: &[],
    refused: &[("grpc", "exec, httpGet or tcpSocket: the engine does not know grpc")],
};

/// Reads one, of a container with these ports.
pub(super) fn read(look: &mut Look, node: &Node, ports: &[Port]) -> Option<Probe> {
    let fields = look.fields(node, &KEYS)?;
    let mut check = None;
    let mut count = 0;
    for key in ["exec", "httpGet", "tcpSocket"] {
        let found = look.at(&fields, key, |look, node| match key {
            "exec" => exec(look, node),
            "httpGet" => http_get(look, node, ports),
            _ => tcp_socket(look, node, ports),
        });
        count += usize::from(found.is_some());
        check = check.or(found.flatten());
    }
    if count != 1 {
        look.refuse(PlayFault::Form("one of exec, httpGet and tcpSocket"));
    }
    let mut number =
        |key| look.number(&fields, key, (0, i64::from(i32::MAX)), "a number that is not negative");
    Some(Probe {
        initial_delay_seconds: number("initialDelaySeconds"),
        timeout_seconds: number("timeoutSeconds"),
        period_seconds: number("periodSeconds"),
        success_threshold: number("successThreshold"),
        failure_threshold: number("failureThreshold"),
        check: check?,
    })
}

fn exec(look: &mut Look, node: &Node) -> Option<Check> {
    let fields = look.fields(node, &Keys::read(&["command"]))?;
    let command = look.list(&fields, "command");
    if command.is_empty() {
        look.missing(&fields, "command");
        return None;
    }
    Some(Check::Exec(Exec { command }))
}

fn http_get(look: &mut Look, node: &Node, ports: &[Port]) -> Option<Check> {
    const KEYS: Keys = Keys {
        read: &["path", "port", "host", "scheme"],
        left_out: &["httpHeaders"],
        unneeded: &[],
        refused: &[],
    };
    let fields = look.fields(node, &KEYS)?;
    look.tell(Notice::Probe { program: "curl" });
    let scheme = look.word(&fields, "scheme", &["HTTP", "HTTPS"], "HTTP or HTTPS");
    let (path, host) = (look.text(&fields, "path"), look.text(&fields, "host"));
    Some(Check::HttpGet(HttpGet { path, port: port(look, &fields, ports)?, host, scheme }))
}

fn tcp_socket(look: &mut Look, node: &Node, ports: &[Port]) -> Option<Check> {
    let fields = look.fields(node, &Keys::read(&["port", "host"]))?;
    look.tell(Notice::Probe { program: "nc" });
    let host = look.text(&fields, "host");
    Some(Check::TcpSocket(TcpSocket { port: port(look, &fields, ports)?, host }))
}

/// A number, or the name of a port of the container.
fn port(look: &mut Look, fields: &Fields<'_>, ports: &[Port]) -> Option<PortRef> {
    let port = look.at(fields, "port", |look, node| match scalar_of(node) {
        Some((_, Scalar::Integer)) => {
            look.as_number(node, (1, 65_535), "a port from 1 to 65535").map(PortRef::Number)
        }
        _ => {
            let name = look.as_text(node).filter(|name| !name.value.is_empty())?;
            let of = |port: &Port| port.name.as_ref().is_some_and(|known| known.as_str() == name.as_str());
            if !ports.iter().any(of) {
                look.refuse(PlayFault::Undefined("the name of a port of this container"));
            }
            Some(PortRef::Name(name))
        }
    });
    if port.is_none() {
        look.missing(fields, "port");
    }
    port.flatten()
}
