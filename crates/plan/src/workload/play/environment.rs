//! Variables of a container: its own, and those of config maps.
//!
//! The engine of the guest reads `envFrom` last, so that it wins over `env` (podman before 5.8), as it does under HPCR.

use super::container::{OfPod, is_map_key};
use super::fault::PlayFault;
use super::model::{FieldRef, KeyRef, MapRef, ResourceRef, Text, ValueFrom, Variable, VariablesFrom};
use super::notice::Notice;
use super::read::{Fields, Keys, Look};
use super::resources::is_quantity;
use super::room::Room;
use crate::workload::document::Node;
use crate::workload::printable;

/// The variables of a container.
pub(super) struct Variables {
    pub(super) env: Vec<Variable>,
    pub(super) env_from: Vec<VariablesFrom>,
    /// Their names, for the author.
    pub(super) names: Vec<String>,
}

const NO_SECRET: &str = "no secret: give it by the contract's env and contract.config.map";

/// Reads `env` and `envFrom`.
pub(super) fn read(
    look: &mut Look,
    container: &Fields<'_>,
    pod: &OfPod<'_>,
    room: &mut Room<'_>,
) -> Variables {
    let mut names: Vec<String> = Vec::new();
    let env_from = look.items(container, "envFrom", |look, node| from(look, node, room, &mut names));
    let mapped = names.len();
    let env = look.items(container, "env", |look, node| {
        let variable = variable(look, node, pod, room)?;
        let name = variable.name.as_str();
        if names[..mapped].iter().any(|known| known == name) {
            look.tell(Notice::EnvFromWins);
        }
        if !is_absent(&variable, room) {
            names.push(name.to_owned());
        }
        Some(variable)
    });
    names.sort();
    names.dedup();
    let names = names.iter().map(|name| printable(name)).collect();
    Variables { env, env_from, names }
}

/// Whether the engine leaves a variable out: an optional one whose key is not there.
fn is_absent(variable: &Variable, room: &Room<'_>) -> bool {
    let Some(ValueFrom::ConfigMap(KeyRef { name, key, optional: true })) = &variable.value_from else {
        return false;
    };
    !room.maps.get(name.as_str()).is_some_and(|map| map.data.contains_key(key.as_str()))
}

fn from(look: &mut Look, node: &Node, room: &mut Room<'_>, names: &mut Vec<String>) -> Option<VariablesFrom> {
    const FROM: Keys = Keys {
        read: &["configMapRef"],
        left_out: &["prefix"],
        unneeded: &[],
        refused: &[("secretRef", NO_SECRET)],
    };
    let fields = look.fields(node, &FROM)?;
    if fields.get("configMapRef").is_none() {
        if node.entries().is_empty() {
            look.missing(&fields, "configMapRef");
        }
        return None;
    }
    let config_map_ref = look.at(&fields, "configMapRef", |look, node| {
        let fields = look.fields(node, &Keys::read(&["name", "optional"]))?;
        let name = look.needed(&fields, "name");
        let optional = look.flag(&fields, "optional") == Some(true);
        let name = name?;
        match room.maps.get(name.as_str()) {
            Some(map) => {
                names.extend(map.data.keys().cloned());
                room.used.insert(name.value.to_string());
            }
            None if optional => {}
            None => {
                look.at(&fields, "name", |look, _| {
                    look.refuse(PlayFault::Undefined("a config map of this name"));
                });
            }
        }
        Some(MapRef { name, optional })
    });
    Some(VariablesFrom { config_map_ref: config_map_ref.flatten()? })
}

fn variable(look: &mut Look, node: &Node, pod: &OfPod<'_>, room: &mut Room<'_>) -> Option<Variable> {
    let fields = look.fields(node, &Keys::read(&["name", "value", "valueFrom"]))?;
    let name = look.needed(&fields, "name");
    look.at(&fields, "name", |look, _| {
        if name.as_ref().is_some_and(|name| name.as_str().contains('=')) {
            look.refuse(PlayFault::Form("a name without ="));
        }
    });
    let value = look.text(&fields, "value");
    let from = look.at(&fields, "valueFrom", |look, node| value_from(look, node, pod, room)).flatten();
    let (value, value_from) = match from {
        Some(Found::Value(found)) => (Some(found), None),
        Some(Found::From(from)) => (None, Some(from)),
        None => (value, None),
    };
    Some(Variable { name: name?, value, value_from })
}

/// What stands in another place.
enum Found {
    /// Known here.
    Value(Text),
    From(ValueFrom),
}

fn value_from(look: &mut Look, node: &Node, pod: &OfPod<'_>, room: &mut Room<'_>) -> Option<Found> {
    const FROM: Keys = Keys {
        read: &["configMapKeyRef", "fieldRef", "resourceFieldRef"],
        left_out: &[],
        unneeded: &[],
        refused: &[("secretKeyRef", NO_SECRET), ("fileKeyRef", "no fileKeyRef: the engine has none")],
    };
    let fields = look.fields(node, &FROM)?;
    if node.entries().len() != 1 {
        look.refuse(PlayFault::Form("one of configMapKeyRef, fieldRef and resourceFieldRef"));
        return None;
    }
    let key = look.at(&fields, "configMapKeyRef", |look, node| key_ref(look, node, room)).flatten();
    if let Some(key) = key {
        return Some(Found::From(ValueFrom::ConfigMap(key)));
    }
    let field = look.at(&fields, "fieldRef", |look, node| field_ref(look, node, pod)).flatten();
    if field.is_some() {
        return field;
    }
    let resource = look.at(&fields, "resourceFieldRef", |look, node| resource_ref(look, node)).flatten();
    resource.map(|resource| Found::From(ValueFrom::Resource(resource)))
}

fn key_ref(look: &mut Look, node: &Node, room: &mut Room<'_>) -> Option<KeyRef> {
    let fields = look.fields(node, &Keys::read(&["name", "key", "optional"]))?;
    let (name, key) = (look.needed(&fields, "name"), look.needed(&fields, "key"));
    let optional = look.flag(&fields, "optional") == Some(true);
    let (name, key) = (name?, key?);
    match room.maps.get(name.as_str()) {
        None if optional => {}
        None => {
            look.at(&fields, "name", |look, _| {
                look.refuse(PlayFault::Undefined("a config map of this name"))
            });
        }
        Some(map) => {
            room.used.insert(name.value.to_string());
            // Bytes are not read for a variable.
            if !optional && (!is_map_key(&key) || !map.data.contains_key(key.as_str())) {
                look.at(&fields, "key", |look, _| {
                    look.refuse(PlayFault::Undefined("a key under data of this config map"));
                });
            }
        }
    }
    Some(KeyRef { name, key, optional })
}

/// A field of the pod. Labels and annotations are known here, and the engine does not get all of them.
fn field_ref(look: &mut Look, node: &Node, pod: &OfPod<'_>) -> Option<Found> {
    const FIELD: Keys = Keys { read: &["fieldPath"], left_out: &[], unneeded: &["apiVersion"], refused: &[] };
    let fields = look.fields(node, &FIELD)?;
    let field_path = look.needed(&fields, "fieldPath")?;
    let of = |section: &str| -> Option<&str> {
        field_path.as_str().strip_prefix(section)?.strip_prefix("['")?.strip_suffix("']")
    };
    let value = |texts: &super::model::Texts, name: &str| {
        Found::Value(texts.get(name).cloned().unwrap_or_else(|| Text::of("")))
    };
    if let Some(name) = of("metadata.labels") {
        return Some(value(pod.labels, name));
    }
    if let Some(name) = of("metadata.annotations") {
        return Some(value(pod.annotations, name));
    }
    match field_path.as_str() {
        "metadata.name" | "metadata.uid" => Some(Found::From(ValueFrom::Field(FieldRef { field_path }))),
        _ => {
            look.at(&fields, "fieldPath", |look, _| {
                let expected =
                    "metadata.name, metadata.uid, metadata.labels['NAME'] or metadata.annotations['NAME']";
                look.refuse(PlayFault::Engine(expected));
            });
            None
        }
    }
}

fn resource_ref(look: &mut Look, node: &Node) -> Option<ResourceRef> {
    const RESOURCE: Keys =
        Keys { read: &["resource", "divisor"], left_out: &["containerName"], unneeded: &[], refused: &[] };
    let fields = look.fields(node, &RESOURCE)?;
    let resource = look.needed(&fields, "resource")?;
    if !["limits.cpu", "limits.memory", "requests.cpu", "requests.memory"].contains(&resource.as_str()) {
        look.at(&fields, "resource", |look, _| {
            look.refuse(PlayFault::Engine("limits.cpu, limits.memory, requests.cpu or requests.memory"));
        });
    }
    let divisor = look.text(&fields, "divisor");
    look.at(&fields, "divisor", |look, _| {
        if divisor.as_ref().is_some_and(|divisor| !is_quantity(divisor.as_str())) {
            look.refuse(PlayFault::Form("an amount such as 1m or 1Mi"));
        }
    });
    Some(ResourceRef { resource, divisor })
}
