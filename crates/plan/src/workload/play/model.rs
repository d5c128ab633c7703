//! Pods and config maps with what the engine reads of them: podman 5.4.2, `kube play`.
//!
//! Names of fields are those of the Kubernetes core API v1. What the engine does not read has no field here, so nothing
//! else than what was judged can reach it. Texts are wiped on drop.

use std::collections::BTreeMap;
use std::rc::Rc;

use serde::{Serialize, Serializer};
use zeroize::Zeroizing;

/// A text of an object, which may hold a value of the contract.
#[derive(Clone)]
pub(super) struct Text {
    pub(super) value: Zeroizing<String>,
    /// The template that it was made of.
    pub(super) template: Option<Rc<str>>,
}

impl Text {
    pub(super) fn of(text: &str) -> Text {
        Text { value: Zeroizing::new(text.to_owned()), template: None }
    }

    pub(super) fn as_str(&self) -> &str {
        &self.value
    }

    /// As its author wrote it.
    pub(super) fn written(&self) -> &str {
        self.template.as_deref().unwrap_or(&self.value)
    }
}

impl Serialize for Text {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.value)
    }
}

/// Texts by name.
pub(super) type Texts = BTreeMap<String, Text>;

fn is_false(flag: &bool) -> bool {
    !flag
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct ConfigMap {
    pub(super) api_version: &'static str,
    pub(super) kind: &'static str,
    pub(super) metadata: Name,
    #[serde(skip_serializing_if = "Texts::is_empty")]
    pub(super) data: Texts,
    #[serde(skip_serializing_if = "Texts::is_empty")]
    pub(super) binary_data: Texts,
}

impl ConfigMap {
    pub(super) fn new(name: &str, data: Texts, binary_data: Texts) -> ConfigMap {
        let metadata = Name { name: Text::of(name) };
        ConfigMap { api_version: "v1", kind: "ConfigMap", metadata, data, binary_data }
    }
}

#[derive(Serialize)]
pub(super) struct Name {
    pub(super) name: Text,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Pod {
    pub(super) api_version: &'static str,
    pub(super) kind: &'static str,
    pub(super) metadata: Metadata,
    pub(super) spec: PodSpec,
}

#[derive(Serialize)]
pub(super) struct Metadata {
    pub(super) name: Text,
    #[serde(skip_serializing_if = "Texts::is_empty")]
    pub(super) labels: Texts,
    #[serde(skip_serializing_if = "Texts::is_empty")]
    pub(super) annotations: Texts,
}

#[derive(Serialize, Default)]
#[serde(rename_all = "camelCase")]
pub(super) struct PodSpec {
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) volumes: Vec<Volume>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) init_containers: Vec<Container>,
    pub(super) containers: Vec<Container>,
    pub(super) restart_policy: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) termination_grace_period_seconds: Option<i64>,
    #[serde(skip_serializing_if = "is_false")]
    pub(super) host_network: bool,
    #[serde(rename = "hostPID", skip_serializing_if = "is_false")]
    pub(super) host_pid: bool,
    #[serde(rename = "hostIPC", skip_serializing_if = "is_false")]
    pub(super) host_ipc: bool,
    #[serde(skip_serializing_if = "is_false")]
    pub(super) share_process_namespace: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) hostname: Option<Text>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) host_aliases: Vec<HostAlias>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) dns_config: Option<DnsConfig>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) security_context: Option<PodSecurity>,
}

#[derive(Serialize)]
pub(super) struct HostAlias {
    pub(super) ip: Text,
    pub(super) hostnames: Vec<Text>,
}

#[derive(Serialize)]
pub(super) struct DnsConfig {
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) nameservers: Vec<Text>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) searches: Vec<Text>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) options: Vec<Pair>,
}

/// A name with a value.
#[derive(Serialize)]
pub(super) struct Pair {
    pub(super) name: Text,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) value: Option<Text>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct PodSecurity {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) run_as_user: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) run_as_group: Option<i64>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) supplemental_groups: Vec<i64>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) sysctls: Vec<Pair>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Container {
    pub(super) name: Text,
    pub(super) image: Text,
    pub(super) image_pull_policy: &'static str,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) command: Vec<Text>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) args: Vec<Text>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) working_dir: Option<Text>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) ports: Vec<Port>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) env: Vec<Variable>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) env_from: Vec<VariablesFrom>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) volume_mounts: Vec<Mount>,
    #[serde(skip_serializing_if = "Resources::is_empty")]
    pub(super) resources: Resources,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) security_context: Option<Security>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) liveness_probe: Option<Probe>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) startup_probe: Option<Probe>,
    #[serde(skip_serializing_if = "is_false")]
    pub(super) tty: bool,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Port {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) name: Option<Text>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) host_port: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) container_port: Option<i64>,
    pub(super) protocol: &'static str,
    #[serde(rename = "hostIP", skip_serializing_if = "Option::is_none")]
    pub(super) host_ip: Option<Text>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Variable {
    pub(super) name: Text,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) value: Option<Text>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) value_from: Option<ValueFrom>,
}

#[derive(Serialize)]
pub(super) enum ValueFrom {
    #[serde(rename = "configMapKeyRef")]
    ConfigMap(KeyRef),
    #[serde(rename = "fieldRef")]
    Field(FieldRef),
    #[serde(rename = "resourceFieldRef")]
    Resource(ResourceRef),
}

#[derive(Serialize)]
pub(super) struct KeyRef {
    pub(super) name: Text,
    pub(super) key: Text,
    #[serde(skip_serializing_if = "is_false")]
    pub(super) optional: bool,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct FieldRef {
    pub(super) field_path: Text,
}

#[derive(Serialize)]
pub(super) struct ResourceRef {
    pub(super) resource: Text,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) divisor: Option<Text>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct VariablesFrom {
    pub(super) config_map_ref: MapRef,
}

#[derive(Serialize)]
pub(super) struct MapRef {
    pub(super) name: Text,
    #[serde(skip_serializing_if = "is_false")]
    pub(super) optional: bool,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Mount {
    pub(super) name: Text,
    pub(super) mount_path: Text,
    #[serde(skip_serializing_if = "is_false")]
    pub(super) read_only: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) sub_path: Option<Text>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) mount_propagation: Option<&'static str>,
}

#[derive(Serialize, Default)]
pub(super) struct Resources {
    #[serde(skip_serializing_if = "Texts::is_empty")]
    pub(super) limits: Texts,
    #[serde(skip_serializing_if = "Texts::is_empty")]
    pub(super) requests: Texts,
}

impl Resources {
    fn is_empty(&self) -> bool {
        self.limits.is_empty() && self.requests.is_empty()
    }
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Security {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) privileged: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) run_as_user: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) run_as_group: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) read_only_root_filesystem: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) allow_privilege_escalation: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) proc_mount: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) capabilities: Option<Capabilities>,
}

#[derive(Serialize)]
pub(super) struct Capabilities {
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) add: Vec<Text>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) drop: Vec<Text>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Probe {
    #[serde(flatten)]
    pub(super) check: Check,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) initial_delay_seconds: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) timeout_seconds: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) period_seconds: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) success_threshold: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) failure_threshold: Option<i64>,
}

/// Tuples alone: what is flattened with fields of its own would be copied, unwiped.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) enum Check {
    Exec(Exec),
    HttpGet(HttpGet),
    TcpSocket(TcpSocket),
}

#[derive(Serialize)]
pub(super) struct Exec {
    pub(super) command: Vec<Text>,
}

#[derive(Serialize)]
pub(super) struct HttpGet {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) path: Option<Text>,
    pub(super) port: PortRef,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) host: Option<Text>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) scheme: Option<&'static str>,
}

#[derive(Serialize)]
pub(super) struct TcpSocket {
    pub(super) port: PortRef,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) host: Option<Text>,
}

/// A port by its number or its name.
#[derive(Serialize)]
#[serde(untagged)]
pub(super) enum PortRef {
    Number(i64),
    Name(Text),
}

#[derive(Serialize)]
pub(super) struct Volume {
    pub(super) name: Text,
    #[serde(flatten)]
    pub(super) source: Source,
}

/// As [`Check`].
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) enum Source {
    HostPath(HostPath),
    EmptyDir(EmptyDir),
    ConfigMap(MapVolume),
    Image(ImageVolume),
}

impl Source {
    /// Whether the engine leaves out what mounts it: an optional config map that is not there.
    pub(super) fn is_absent(&self) -> bool {
        matches!(self, Source::ConfigMap(MapVolume { optional: true, .. }))
    }
}

#[derive(Serialize)]
pub(super) struct HostPath {
    pub(super) path: Text,
    #[serde(rename = "type", skip_serializing_if = "str::is_empty")]
    pub(super) kind: &'static str,
}

#[derive(Serialize)]
pub(super) struct EmptyDir {
    #[serde(skip_serializing_if = "str::is_empty")]
    pub(super) medium: &'static str,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct MapVolume {
    pub(super) name: Text,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) items: Vec<Item>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) default_mode: Option<i64>,
    #[serde(skip_serializing_if = "is_false")]
    pub(super) optional: bool,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct ImageVolume {
    pub(super) reference: Text,
    pub(super) pull_policy: &'static str,
}

#[derive(Serialize)]
pub(super) struct Item {
    pub(super) key: Text,
    pub(super) path: Text,
}
