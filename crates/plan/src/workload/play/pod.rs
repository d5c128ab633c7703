//! Pods: containers that share a network, and what holds for all of them.

use std::net::IpAddr;

use super::config_map::METADATA;
use super::container;
use super::fault::PlayFault;
use super::model::{DnsConfig, HostAlias, Metadata, Pair, Pod, PodSecurity, PodSpec, Text, Texts};
use super::names;
use super::notice::Notice;
use super::read::{Fields, Keys, Look};
use super::room::{Room, Who};
use super::volume;
use crate::workload::document::Node;
use crate::workload::imitation::imitates;

const KEYS: Keys = Keys {
    read: &["metadata", "spec"],
    left_out: &[],
    unneeded: &["apiVersion", "kind", "status"],
    refused: &[],
};

const SPEC: Keys = Keys {
    read: &[
        "volumes",
        "initContainers",
        "containers",
        "restartPolicy",
        "terminationGracePeriodSeconds",
        "hostNetwork",
        "hostPID",
        "hostIPC",
        "shareProcessNamespace",
        "hostname",
        "hostAliases",
        "dnsConfig",
        "securityContext",
        "hostUsers",
    ],
    left_out: &[
        "activeDeadlineSeconds",
        "affinity",
        "imagePullSecrets",
        "nodeName",
        "nodeSelector",
        "overhead",
        "priorityClassName",
        "readinessGates",
        "resources",
        "runtimeClassName",
        "schedulingGates",
        "serviceAccount",
        "serviceAccountName",
        "setHostnameAsFQDN",
        "subdomain",
        "tolerations",
        "topologySpreadConstraints",
    ],
    unneeded: &[
        "automountServiceAccountToken",
        "dnsPolicy",
        "enableServiceLinks",
        "os",
        "preemptionPolicy",
        "priority",
        "schedulerName",
    ],
    refused: &[
        ("ephemeralContainers", "no ephemeralContainers: the engine would not start them"),
        ("resourceClaims", "no resourceClaims: the engine has none to give"),
    ],
};

const SECURITY: Keys = Keys {
    read: &["runAsUser", "runAsGroup", "supplementalGroups", "sysctls"],
    left_out: &[
        "allowPrivilegeEscalation",
        "appArmorProfile",
        "capabilities",
        "fsGroup",
        "fsGroupChangePolicy",
        "privileged",
        "procMount",
        "readOnlyRootFilesystem",
        "runAsNonRoot",
        "seccompProfile",
        "seLinuxOptions",
        "seLinuxChangePolicy",
        "supplementalGroupsPolicy",
    ],
    unneeded: &["windowsOptions"],
    refused: &[],
};

/// Numbers of users and groups.
pub(super) const IDS: (i64, i64) = (0, 4_294_967_294);
pub(super) const AN_ID: &str = "the number of a user or group";

/// Annotations that the engine gets.
const ANNOTATIONS: [&str; 3] = [
    "io.podman.annotations.init",
    "io.podman.annotations.init.container.type",
    "io.podman.annotations.ulimit",
];

/// Annotations that change what a container is or may do.
const REFUSED_ANNOTATIONS: [&str; 14] = [
    "container.apparmor.security.beta.kubernetes.io",
    "container.seccomp.security.alpha.kubernetes.io",
    "io.containers.sdnotify",
    "io.kubernetes.cri-o.userns-mode",
    "io.podman.annotations.apparmor",
    "io.podman.annotations.kube.image.volumes.mount",
    "io.podman.annotations.label",
    "io.podman.annotations.privileged",
    "io.podman.annotations.publish-all",
    "io.podman.annotations.seccomp",
    "io.podman.annotations.userns",
    "io.podman.annotations.volumes-from",
    "module.wasm.image",
    "seccomp.security.alpha.kubernetes.io",
];

/// Reads one.
pub(super) fn read(look: &mut Look, root: &Node, room: &mut Room<'_>) -> Option<Pod> {
    let fields = look.fields(root, &KEYS)?;
    let metadata = look.at(&fields, "metadata", |look, node| metadata(look, node, room)).flatten();
    if fields.get("metadata").is_none() {
        look.missing(&fields, "metadata");
    }
    if fields.get("spec").is_none_or(|spec| spec.is_null()) {
        look.missing(&fields, "spec");
    }
    let (metadata, annotations) = metadata?;
    let spec = look.at(&fields, "spec", |look, node| spec(look, node, room, &metadata, &annotations));
    Some(Pod { api_version: "v1", kind: "Pod", metadata, spec: spec.flatten()? })
}

/// Metadata as the engine gets it, and all annotations.
fn metadata(look: &mut Look, node: &Node, room: &mut Room<'_>) -> Option<(Metadata, Texts)> {
    let fields = look.fields(node, &METADATA)?;
    let name = look.needed(&fields, "name");
    look.at(&fields, "name", |look, _| {
        let Some(name) = &name else { return };
        if !names::is_name(name.as_str()) {
            look.refuse(PlayFault::Form(names::EXPECTED));
        } else if !room.take_name(name.as_str().to_owned()) {
            look.refuse(PlayFault::Taken("a name of pod or container"));
        } else if imitates(name.as_str()) {
            look.tell(Notice::Imitation { who: Who::pod(name).shown });
        }
    });
    let labels = look.texts(&fields, "labels");
    let mut passed = Texts::new();
    let entries = look.named(&fields, "annotations", |look, name, node| {
        let text = look.as_text(node)?;
        // What belongs to one container stands behind a slash.
        let base = name.split('/').next().unwrap_or_default();
        if REFUSED_ANNOTATIONS.contains(&base) || base.starts_with("run.oci.") {
            look.refuse(PlayFault::Engine("no annotation by which a container's confinement changes"));
        } else if ANNOTATIONS.contains(&base) {
            passed.insert(name.to_owned(), text.clone());
        } else if ["io.podman.", "io.containers.", "io.kubernetes.cri-o."]
            .iter()
            .any(|of| base.starts_with(of))
        {
            look.tell(Notice::LeftOut { keys: vec!["this annotation".to_owned()] });
        }
        Some(text)
    });
    let all = entries.into_iter().collect();
    Some((Metadata { name: name?, labels, annotations: passed }, all))
}

fn spec(
    look: &mut Look,
    node: &Node,
    room: &mut Room<'_>,
    metadata: &Metadata,
    annotations: &Texts,
) -> Option<PodSpec> {
    let fields = look.fields(node, &SPEC)?;
    let who = Who::pod(&metadata.name);
    let mut shares = |look: &mut Look, key, what| {
        let shared = look.flag(&fields, key) == Some(true);
        if shared {
            look.at(&fields, key, |look, _| room.reach(look, &who, what, "true", false));
        }
        shared
    };
    let host_network = shares(look, "hostNetwork", "the guest's own network");
    let host_pid = shares(look, "hostPID", "the guest's processes");
    let host_ipc = shares(look, "hostIPC", "the guest's shared memory");
    if look.flag(&fields, "hostUsers") == Some(false) {
        look.at(&fields, "hostUsers", |look, _| {
            look.refuse(PlayFault::Engine("no hostUsers: the guest has no user numbers to give"));
        });
    }
    let restart_policy = look
        .word(&fields, "restartPolicy", &["Always", "OnFailure", "Never"], "Always, OnFailure or Never")
        .unwrap_or("Always");
    let security_context =
        look.at(&fields, "securityContext", |look, node| security(look, node, room, &who)).flatten();
    let volumes = volume::read(look, &fields, room);
    let pod = container::OfPod {
        name: &metadata.name,
        labels: &metadata.labels,
        annotations,
        volumes: &volumes,
        restart: restart_policy,
    };
    let init_containers = container::read(look, &fields, "initContainers", &pod, room);
    let containers = container::read(look, &fields, "containers", &pod, room);
    if fields.get("containers").is_none_or(|list| list.items().is_empty()) {
        look.missing(&fields, "containers");
    }
    Some(PodSpec {
        volumes: volumes.into_iter().map(|volume| volume.model).collect(),
        init_containers,
        containers,
        restart_policy,
        termination_grace_period_seconds: look.number(
            &fields,
            "terminationGracePeriodSeconds",
            (0, i64::from(i32::MAX)),
            "a number of seconds",
        ),
        host_network,
        host_pid,
        host_ipc,
        share_process_namespace: look.flag(&fields, "shareProcessNamespace") == Some(true),
        hostname: hostname(look, &fields),
        host_aliases: look.items(&fields, "hostAliases", |look, node| host_alias(look, node)),
        dns_config: look.at(&fields, "dnsConfig", |look, node| dns(look, node)).flatten(),
        security_context,
    })
}

fn hostname(look: &mut Look, fields: &Fields<'_>) -> Option<Text> {
    let name = look.text(fields, "hostname")?;
    look.at(fields, "hostname", |look, _| {
        if !names::is_name(name.as_str()) {
            look.refuse(PlayFault::Form(names::EXPECTED));
        }
    });
    Some(name)
}

fn host_alias(look: &mut Look, node: &Node) -> Option<HostAlias> {
    let fields = look.fields(node, &Keys::read(&["ip", "hostnames"]))?;
    let ip = look.needed(&fields, "ip");
    look.at(&fields, "ip", |look, _| address(look, ip.as_ref()));
    let hostnames = look.list(&fields, "hostnames");
    Some(HostAlias { ip: ip?, hostnames })
}

/// The engine takes what is no address for none.
pub(super) fn address(look: &mut Look, text: Option<&Text>) {
    if text.is_some_and(|text| text.as_str().parse::<IpAddr>().is_err()) {
        look.refuse(PlayFault::Form("an IP address"));
    }
}

fn dns(look: &mut Look, node: &Node) -> Option<DnsConfig> {
    let fields = look.fields(node, &Keys::read(&["nameservers", "searches", "options"]))?;
    let nameservers = look.items(&fields, "nameservers", |look, node| {
        let text = look.as_text(node);
        address(look, text.as_ref());
        text
    });
    let options = look.items(&fields, "options", |look, node| pair(look, node, false));
    Some(DnsConfig { nameservers, searches: look.list(&fields, "searches"), options })
}

fn pair(look: &mut Look, node: &Node, complete: bool) -> Option<Pair> {
    let fields = look.fields(node, &Keys::read(&["name", "value"]))?;
    let name = look.needed(&fields, "name");
    let value = if complete { look.needed(&fields, "value") } else { look.text(&fields, "value") };
    Some(Pair { name: name?, value })
}

fn security(look: &mut Look, node: &Node, room: &mut Room<'_>, who: &Who) -> Option<PodSecurity> {
    let fields = look.fields(node, &SECURITY)?;
    let sysctls = look.items(&fields, "sysctls", |look, node| {
        let pair = pair(look, node, true)?;
        room.reach(look, who, "kernel parameters of its own", pair.name.written(), false);
        Some(pair)
    });
    Some(PodSecurity {
        run_as_user: look.number(&fields, "runAsUser", IDS, AN_ID),
        run_as_group: look.number(&fields, "runAsGroup", IDS, AN_ID),
        supplemental_groups: look
            .items(&fields, "supplementalGroups", |look, node| look.as_number(node, IDS, AN_ID)),
        sysctls,
    })
}
