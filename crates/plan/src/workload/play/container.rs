//! Containers of a pod.

use std::collections::BTreeSet;

use super::ContainerPlan;
use super::config_map;
use super::environment;
use super::fault::PlayFault;
use super::model::{Container, Port, Text, Texts};
use super::mount::mount;
use super::names;
use super::notice::Notice;
use super::pod::address;
use super::probe;
use super::read::{Fields, Keys, Look};
use super::resources::resources;
use super::room::{Room, Who};
use super::security;
use super::volume;
use crate::images::reference;
use crate::workload::document::Node;
use crate::workload::imitation::imitates;
use crate::workload::printable;

const KEYS: Keys = Keys {
    read: &[
        "name",
        "image",
        "command",
        "args",
        "workingDir",
        "ports",
        "env",
        "envFrom",
        "volumeMounts",
        "resources",
        "securityContext",
        "livenessProbe",
        "startupProbe",
        "tty",
    ],
    left_out: &["lifecycle", "readinessProbe", "resizePolicy", "restartPolicy", "stdin", "stdinOnce"],
    unneeded: &["imagePullPolicy", "terminationMessagePath", "terminationMessagePolicy"],
    refused: &[("volumeDevices", "no volumeDevices: the engine has none")],
};

/// The same for one that runs before the others.
const INIT_KEYS: Keys = Keys {
    left_out: &["resizePolicy", "stdin", "stdinOnce"],
    refused: &[
        ("volumeDevices", "no volumeDevices: the engine has none"),
        ("lifecycle", "no lifecycle in an init container"),
        ("readinessProbe", "no readinessProbe in an init container"),
        ("restartPolicy", "no restartPolicy in an init container: the engine waits for its end"),
    ],
    ..KEYS
};

/// What a container has of its pod.
pub(super) struct OfPod<'p> {
    pub(super) name: &'p Text,
    pub(super) labels: &'p Texts,
    pub(super) annotations: &'p Texts,
    pub(super) volumes: &'p [volume::OfPod],
    pub(super) restart: &'static str,
}

/// Reads all of a list.
pub(super) fn read(
    look: &mut Look,
    spec: &Fields<'_>,
    list: &'static str,
    pod: &OfPod<'_>,
    room: &mut Room<'_>,
) -> Vec<Container> {
    let init = list == "initContainers";
    look.items(spec, list, |look, node| container(look, node, init, pod, room))
}

fn container(
    look: &mut Look,
    node: &Node,
    init: bool,
    pod: &OfPod<'_>,
    room: &mut Room<'_>,
) -> Option<Container> {
    let fields = look.fields(node, if init { &INIT_KEYS } else { &KEYS })?;
    let name = look.needed(&fields, "name");
    look.at(&fields, "name", |look, _| {
        let Some(name) = &name else { return };
        if !names::is_name(name.as_str()) {
            look.refuse(PlayFault::Form(names::EXPECTED));
        } else if !room.take_name(names::container(pod.name.as_str(), name.as_str())) {
            look.refuse(PlayFault::Taken("a name of pod and container"));
        } else if imitation(pod.name.as_str(), name.as_str()) {
            look.tell(Notice::Imitation { who: Who::container(pod.name, name).shown });
        }
    });
    let image = look.needed(&fields, "image");
    look.at(&fields, "image", |look, _| {
        if let Some(image) = &image {
            pinned(look, image, room);
        }
    });
    let unnamed = Text::of("");
    let who = Who::container(pod.name, name.as_ref().unwrap_or(&unnamed));
    let variables = environment::read(look, &fields, pod, room);
    let mut shown = Shown::default();
    let ports = look.items(&fields, "ports", |look, node| port(look, node, init, room, &who, &mut shown));
    let volume_mounts =
        look.items(&fields, "volumeMounts", |look, node| mount(look, node, pod, room, &who, &mut shown));
    let resources = look.at(&fields, "resources", |look, node| resources(look, node, room, &who)).flatten();
    let security_context =
        look.at(&fields, "securityContext", |look, node| security::read(look, node, room, &who)).flatten();
    let probe = |look: &mut Look, key| {
        let probe = look.at(&fields, key, |look, node| probe::read(look, node, &ports)).flatten();
        if init && probe.is_some() {
            look.at(&fields, key, |look, _| look.refuse(PlayFault::Engine("no check in an init container")));
        }
        probe
    };
    let (liveness_probe, startup_probe) = (probe(look, "livenessProbe"), probe(look, "startupProbe"));
    let (name, image) = (name?, image?);
    room.containers.push(ContainerPlan {
        name: names::container(pod.name.as_str(), name.as_str()),
        init,
        image: image.as_str().to_owned(),
        restart: if init { "Never" } else { pod.restart },
        file: look.origin.to_string(),
        line: look.line(),
        ports: shown.ports,
        mounts: shown.mounts,
        variables: variables.names,
    });
    Some(Container {
        name,
        image,
        image_pull_policy: "Never",
        command: look.list(&fields, "command"),
        args: look.list(&fields, "args"),
        working_dir: look.text(&fields, "workingDir"),
        ports,
        env: variables.env,
        env_from: variables.env_from,
        volume_mounts,
        resources: resources.unwrap_or_default(),
        security_context,
        liveness_probe,
        startup_probe,
        tty: look.flag(&fields, "tty") == Some(true),
    })
}

/// Whether the name of a container imitates, alone or behind that of its pod, as it stands in the log. That of a pod which
/// does so itself was told.
fn imitation(pod: &str, name: &str) -> bool {
    imitates(name) || !imitates(pod) && imitates(&names::container(pod, name))
}

/// What is shown of a container to its author.
#[derive(Default)]
pub(super) struct Shown {
    ports: Vec<String>,
    /// Where something is mounted already.
    pub(super) taken: BTreeSet<String>,
    pub(super) mounts: Vec<String>,
}

/// An image has to be pinned, or a signature rule covers it; it is one of the workload's.
pub(super) fn pinned(look: &mut Look, image: &Text, room: &mut Room<'_>) {
    match reference::kind(image.as_str()) {
        reference::Kind::Pinned => room.image(image.as_str()),
        reference::Kind::Tagged if room.is_signed(image.as_str()) => room.image(image.as_str()),
        reference::Kind::Tagged | reference::Kind::NotPinned => look.refuse(PlayFault::NotPinned),
        reference::Kind::Scheme | reference::Kind::None => look.refuse(PlayFault::NotAReference),
    }
}

fn port(
    look: &mut Look,
    node: &Node,
    init: bool,
    room: &mut Room<'_>,
    who: &Who,
    shown: &mut Shown,
) -> Option<Port> {
    const A_PORT: &str = "a port from 1 to 65535";
    let fields =
        look.fields(node, &Keys::read(&["name", "containerPort", "hostPort", "hostIP", "protocol"]))?;
    // Go leaves out what is zero, and the engine takes it for absent.
    let number =
        |look: &mut Look, key| look.number(&fields, key, (0, 65_535), A_PORT).filter(|number| *number != 0);
    let before = look.refusals.len();
    let (container_port, host_port) = (number(look, "containerPort"), number(look, "hostPort"));
    let wrong = look.refusals.len() > before;
    let protocol = look.at(&fields, "protocol", |look, node| {
        let text = look.as_text(node)?;
        let known =
            ["TCP", "UDP", "SCTP"].into_iter().find(|known| known.eq_ignore_ascii_case(text.as_str()));
        if known.is_none() && !text.value.is_empty() {
            look.refuse(PlayFault::Form("TCP, UDP or SCTP"));
        }
        known
    });
    let protocol = protocol.flatten().unwrap_or("TCP");
    let host_ip = look.text(&fields, "hostIP");
    look.at(&fields, "hostIP", |look, _| address(look, host_ip.as_ref()));
    let name = look.text(&fields, "name");
    match (container_port, host_port) {
        (None, None) if wrong => {}
        (None, None) => look.missing(&fields, "containerPort"),
        (Some(_), None) => {}
        (_, Some(_)) if init => {
            look.at(&fields, "hostPort", |look, _| {
                look.tell(Notice::LeftOut { keys: vec!["a port of an init container".to_owned()] });
            });
        }
        (_, Some(host)) => {
            let address = host_ip.as_ref().map(Text::as_str).unwrap_or_default();
            let inside = container_port.unwrap_or(host);
            let at = if address.is_empty() { String::new() } else { format!("{address}:") };
            let written = format!("{at}{host}:{inside}/{}", protocol.to_ascii_lowercase());
            look.at(&fields, "hostPort", |look, _| {
                if !room.take_port(protocol, host, address) {
                    look.refuse(PlayFault::Taken("a port"));
                }
                room.reach(look, who, "a published port", &written, true);
            });
            shown.ports.push(printable(&written));
        }
    }
    Some(Port { name, host_port, container_port, protocol, host_ip })
}

/// Whether a key can be that of a config map, for variables.
pub(super) fn is_map_key(key: &Text) -> bool {
    config_map::is_key(key.as_str())
}
