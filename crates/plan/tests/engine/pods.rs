//! Pods that are made of pieces: each piece alone, scalars of YAML at every kind of place, and pieces together at random.

use std::collections::BTreeSet;

use countersign_crypto::secret::EnvironmentValue;
use countersign_plan::images::signatures::SignatureRules;
use countersign_plan::workload::play::{Input, PlayFault, PlayRefusal, Played, judge};
use countersign_plan::workload::reach::ReachRule;
use serde_json::Value;

use super::Numbers;
use super::engine::Engine;

/// Objects beside every pod: what it may refer to.
const MAPS: &str = "apiVersion: v1
kind: ConfigMap
metadata: {name: m}
data: {A: x, b.txt: \"l1\\nl2\\n\"}
binaryData: {c: AAEC}
---
";

/// The contract's variables, and the same as the object that stands for them where the engine reads the author's text.
const VARIABLES: [(&str, &str); 2] = [("FROM", "a $b \"c\"\n{{ d }}"), ("EMPTY", "")];
const CONTRACT_MAP: &str = "apiVersion: v1
kind: ConfigMap
metadata: {name: contract.config.map}
data: {FROM: \"a $b \\\"c\\\"\\n{{ d }}\", EMPTY: \"\"}
---
";

/// Volumes that containers may mount.
const VOLUMES: &str = "volumes:
- {name: e, emptyDir: {}}
- {name: t, emptyDir: {medium: Memory}}
- {name: d, hostPath: {path: /mnt/data}}
- {name: f, hostPath: {path: ./conf, type: Directory}}
- {name: n, hostPath: {path: made/here, type: DirectoryOrCreate}}
- {name: m, configMap: {name: m}}
- {name: i, configMap: {name: m, items: [{key: b.txt, path: b}], defaultMode: 0440}}
- {name: o, configMap: {name: none, optional: true}}
- {name: c, hostPath: {path: /dev/null, type: CharDevice}}
- {name: x, image: {reference: IMAGE}}
";

/// Below `spec`, each with a key of its own.
const SPEC: &[&str] = &[
    "hostNetwork: true",
    "hostNetwork: false",
    "hostPID: true",
    "hostIPC: true",
    "hostUsers: true",
    "hostUsers: false",
    "shareProcessNamespace: true",
    "hostname: h",
    "hostname: a_b",
    "restartPolicy: Never",
    "restartPolicy: OnFailure",
    "restartPolicy: Always",
    "restartPolicy: always",
    "terminationGracePeriodSeconds: 5",
    "terminationGracePeriodSeconds: 0",
    "terminationGracePeriodSeconds: -1",
    "hostAliases: [{ip: 192.0.2.1, hostnames: [a, b]}, {ip: \"2001:db8::1\", hostnames: [c]}]",
    "hostAliases: [{ip: x, hostnames: [y]}]",
    "hostAliases: [{ip: 192.0.2.1}]",
    "dnsConfig: {nameservers: [192.0.2.53], searches: [x.example], options: [{name: ndots, value: \"2\"}, {name: rotate}]}",
    "dnsConfig: {nameservers: [x]}",
    "dnsPolicy: Default",
    "securityContext: {runAsUser: 5, runAsGroup: 6, supplementalGroups: [7, 8]}",
    "securityContext: {runAsUser: 5}",
    "securityContext: {runAsGroup: 6}",
    "securityContext: {sysctls: [{name: net.core.somaxconn, value: \"5\"}]}",
    "securityContext: {sysctls: [{name: kernel.shmmax, value: \"5\"}]}",
    "securityContext: {fsGroup: 5, runAsNonRoot: true}",
    "initContainers: [{name: i, image: IMAGE, command: [x], args: [y]}]",
    "initContainers: [{name: i, image: IMAGE}, {name: j, image: IMAGE, volumeMounts: [{name: e, mountPath: /e}]}]",
    "initContainers: [{name: i, image: IMAGE, ports: [{containerPort: 80, hostPort: 80}]}]",
    "activeDeadlineSeconds: 5",
    "nodeSelector: {a: b}",
    "imagePullSecrets: [{name: a}]",
    "volumess: []",
    "volumes: [{name: v}]",
    "volumes: [{name: v, emptyDir: {medium: Disk}}]",
    "volumes: [{name: v, hostPath: {path: /mnt/data, type: Folder}}]",
    "volumes: [{name: v, hostPath: {path: /mnt/data, type: File}}]",
    "volumes: [{name: v, hostPath: {path: ./none, type: Directory}}]",
    "volumes: [{name: v, configMap: {name: none}}]",
    "volumes: [{name: v, configMap: {name: m, items: [{key: none, path: x}]}}]",
    "volumes: [{name: v, configMap: {name: m, defaultMode: 1000}}]",
    "volumes: [{name: v, secret: {secretName: none}}]",
    "volumes: [{name: v, emptyDir: {}}, {name: v, emptyDir: {}}]",
    "volumes: [{name: v, emptyDir: {sizeLimit: 1Mi}}]",
];

/// Below a container, each with a key of its own.
const CONTAINER: &[&str] = &[
    "command: [a, \"b c\", \"\"]",
    "command: a",
    "command: []",
    "args: [a, \"$(A)\", \"$$(A)\", $A, \"${A}\"]",
    "args: [1, true, 1.50, 010, ~]",
    "args: [[a]]",
    "workingDir: /a/b",
    "workingDir: a",
    "tty: true",
    "tty: \"true\"",
    "stdin: true",
    "imagePullPolicy: IfNotPresent",
    "env: [{name: A, value: b}, {name: B, value: \"$(A) $$ ${A}\"}, {name: C}, {name: D, value: \"\"}]",
    "env: [{name: A, value: b}, {name: A, value: c}]",
    "env: [{name: A=B, value: c}]",
    "env: [{name: \"\", value: c}]",
    "env: [{name: \"a b\", value: c}]",
    "env: [{value: c}]",
    "env: [{name: A, valueFrom: {configMapKeyRef: {name: m, key: A}}}]",
    "env: [{name: A, valueFrom: {configMapKeyRef: {name: m, key: c}}}]",
    "env: [{name: A, valueFrom: {configMapKeyRef: {name: m, key: none, optional: true}}}]",
    "env: [{name: A, valueFrom: {configMapKeyRef: {name: m, key: none}}}]",
    "env: [{name: A, valueFrom: {configMapKeyRef: {name: none, key: a}}}]",
    "env: [{name: A, valueFrom: {configMapKeyRef: {name: none, key: a, optional: true}}}]",
    "env: [{name: A, valueFrom: {configMapKeyRef: {name: contract.config.map, key: FROM}}}]",
    "env: [{name: A, valueFrom: {secretKeyRef: {name: none, key: a}}}]",
    "env: [{name: A, valueFrom: {fieldRef: {fieldPath: metadata.name}}}]",
    "env: [{name: A, valueFrom: {fieldRef: {fieldPath: \"metadata.labels['l']\"}}}, {name: B, valueFrom: {fieldRef: {fieldPath: \"metadata.annotations['n']\"}}}, {name: C, valueFrom: {fieldRef: {fieldPath: \"metadata.labels['none']\"}}}]",
    "env: [{name: A, valueFrom: {fieldRef: {fieldPath: status.podIP}}}]",
    "env: [{name: A, valueFrom: {fieldRef: {fieldPath: spec.nodeName}}}]",
    "env: [{name: A, valueFrom: {}}]",
    "envFrom: [{configMapRef: {name: m}}]",
    "envFrom: [{configMapRef: {name: contract.config.map}}, {configMapRef: {name: none, optional: true}}]",
    "envFrom: [{configMapRef: {name: none}}]",
    "envFrom: [{prefix: P_, configMapRef: {name: m}}]",
    "envFrom: [{secretRef: {name: none, optional: true}}]",
    "ports: [{containerPort: 80, hostPort: 8080}, {containerPort: 53, hostPort: 53, protocol: UDP}, {containerPort: 81, name: x}]",
    "ports: [{containerPort: 80, hostPort: 8080, hostIP: 127.0.0.1, protocol: tcp}]",
    "ports: [{hostPort: 8080}]",
    "ports: [{containerPort: 70000}]",
    "ports: [{containerPort: \"80\"}]",
    "ports: [{containerPort: 80, hostPort: 8080, hostIP: x}]",
    "ports: [{containerPort: 80, protocol: icmp}]",
    "ports: [{containerPort: 80, hostPort: 1}, {containerPort: 81, hostPort: 1}]",
    "resources: {limits: {memory: 64Mi, cpu: 500m}, requests: {memory: 32Mi, cpu: \"0.25\"}}",
    "resources: {limits: {memory: 1e8, cpu: 2}}",
    "resources: {limits: {memory: 64mb}}",
    "resources: {limits: {memory: -1}}",
    "resources: {limits: {memory: 1.5Gi, cpu: 1.5}}",
    "resources: {limits: {podman.io/device=/dev/null: 1}}",
    "resources: {limits: {vendor.example/x: 1}}",
    "securityContext: {privileged: true}",
    "securityContext: {runAsUser: 5, runAsGroup: 6}",
    "securityContext: {runAsUser: 0}",
    "securityContext: {runAsGroup: 6}",
    "securityContext: {runAsUser: -1}",
    "securityContext: {runAsUser: \"5\"}",
    "securityContext: {readOnlyRootFilesystem: true}",
    "securityContext: {allowPrivilegeEscalation: false}",
    "securityContext: {procMount: Unmasked}",
    "securityContext: {procMount: all}",
    "securityContext: {capabilities: {add: [NET_ADMIN, CAP_SYS_TIME], drop: [CHOWN, net_raw]}}",
    "securityContext: {capabilities: {drop: [ALL]}}",
    "securityContext: {capabilities: {add: [ALL]}}",
    "securityContext: {capabilities: {add: [NONE_SUCH]}}",
    "securityContext: {capabilities: {drop: [NONE_SUCH]}}",
    "securityContext: {seccompProfile: {type: RuntimeDefault}}",
    "livenessProbe: {exec: {command: [a, \"b c\", 'd\"e']}, initialDelaySeconds: 5, periodSeconds: 7, timeoutSeconds: 2, failureThreshold: 3, successThreshold: 1}",
    "livenessProbe: {httpGet: {port: 80, path: /x, host: h, scheme: HTTPS}}",
    "livenessProbe: {httpGet: {port: none}}",
    "livenessProbe: {tcpSocket: {port: none}}",
    "livenessProbe: {httpGet: {port: web}}\n    ports: [{containerPort: 80, name: web}]",
    "livenessProbe: {tcpSocket: {port: 80}}",
    "livenessProbe: {periodSeconds: 1}",
    "livenessProbe: {exec: {command: [a]}, timeoutSeconds: 0, periodSeconds: 0}",
    "livenessProbe: {exec: {command: [a]}, periodSeconds: -1}",
    "livenessProbe: {grpc: {port: 1}}",
    "startupProbe: {exec: {command: [a]}, failureThreshold: 9}",
    "readinessProbe: {exec: {command: [a]}}",
    "lifecycle: {preStop: {exec: {command: [a]}}}",
    "volumeMounts: [{name: e, mountPath: /e}, {name: t, mountPath: /t}, {name: d, mountPath: /d, readOnly: true}, {name: f, mountPath: /f}]",
    "volumeMounts: [{name: m, mountPath: /m}, {name: i, mountPath: /i}, {name: o, mountPath: /o}, {name: n, mountPath: /n}]",
    "volumeMounts: [{name: x, mountPath: /x}]",
    "volumeMounts: [{name: c, mountPath: /dev/x}]",
    "volumeMounts: [{name: d, mountPath: \"/d:ro\"}]",
    "volumeMounts: [{name: d, mountPath: \"/d:nosuid,noexec\"}]",
    "volumeMounts: [{name: d, mountPath: /d, subPath: .}]",
    "volumeMounts: [{name: e, mountPath: /e, subPath: a/b}]",
    "volumeMounts: [{name: d, mountPath: /d, mountPropagation: HostToContainer}]",
    "volumeMounts: [{name: d, mountPath: /d, mountPropagation: Bidirectional}]",
    "volumeMounts: [{name: d, mountPath: /d, mountPropagation: None}]",
    "volumeMounts: [{name: d, mountPath: /d, mountPropagation: Some}]",
    "volumeMounts: [{name: d, mountPath: d}]",
    "volumeMounts: [{name: d, mountPath: /d}, {name: e, mountPath: /d}]",
    "volumeMounts: [{name: d, mountPath: /d}, {name: f, mountPath: /d/}]",
    "volumeMounts: [{name: e, mountPath: /d}, {name: m, mountPath: /d/./}]",
    "volumeMounts: [{name: x, mountPath: /d}, {name: e, mountPath: /d}]",
    "volumeMounts: [{name: c, mountPath: /d}, {name: e, mountPath: /d}]",
    "volumeMounts: [{name: o, mountPath: /d}, {name: e, mountPath: /d}]",
    "volumeMounts: [{name: d, mountPath: /d}, {name: e, mountPath: /d/e}]",
    "volumeMounts: [{name: none, mountPath: /d}]",
    "volumeMounts: [{name: d}]",
    "volumeMounts: [{name: d, mountPath: \"/d:none-such\"}]",
    "stdinn: x",
    "Image: x",
];

/// Values that readers of YAML could take differently.
const SCALARS: [&str; 51] = [
    "a",
    "\"a\"",
    "'a'",
    "\"\"",
    "~",
    "null",
    "Null",
    "true",
    "True",
    "TRUE",
    "yes",
    "no",
    "on",
    "off",
    "y",
    "N",
    "0",
    "-0",
    "1",
    "-1",
    "+1",
    "010",
    "08",
    "0o17",
    "0x1F",
    "0b11",
    "1_000",
    "1.0",
    "1.10",
    "1.",
    ".5",
    "-.5",
    "1e3",
    "1e6",
    "1E-7",
    "1e39",
    "-1e100",
    "1e400",
    "-1e400",
    "1_0e400",
    ".inf",
    "-.Inf",
    ".nan",
    "12:30:45",
    "190:20:30",
    "2026-01-31",
    "2026-01-31T10:00:00Z",
    "9223372036854775807",
    "9223372036854775808",
    "18446744073709551616",
    "!!str 5",
];

/// A pod of pieces: its author's text.
fn pod(spec: &[&str], container: &[&str], image: &str) -> String {
    let mut text = format!(
        "{MAPS}apiVersion: v1\nkind: Pod\nmetadata: {{name: p, labels: {{l: one}}, annotations: {{n: two}}}}\nspec:\n"
    );
    let own = spec.iter().any(|piece| piece.starts_with("volumes:"));
    for piece in spec.iter().copied().chain((!own).then_some(VOLUMES)) {
        for line in piece.lines() {
            text.push_str(&format!("  {line}\n"));
        }
    }
    text.push_str(&format!("  containers:\n  - name: c\n    image: {image}\n"));
    for piece in container {
        text.push_str(&format!("    {piece}\n"));
    }
    text.replace("IMAGE", image)
}

/// What the guest makes of a file of the archive.
fn ours(text: &str) -> Result<Played, Vec<PlayRefusal>> {
    let values = VARIABLES.map(|(name, value)| (name, EnvironmentValue::copy_from(value)));
    let reach = ReachRule { volumes: vec!["/mnt/data".to_owned()], ..ReachRule::default() };
    judge(&Input {
        resources: Vec::new(),
        templates: Vec::new(),
        files: vec![("pods.yaml", text.as_bytes())],
        paths: vec!["pods.yaml", "conf", "conf/a"],
        variables: values.iter().map(|(name, value)| (*name, value)).collect(),
        reach: &reach,
        signed: &SignatureRules::default(),
    })
}

/// What the engine takes for something else, leaves out, or finds out when a container starts.
const STRICTER: [&str; 12] = [
    "expected Always, OnFailure or Never",
    "expected a number of seconds",
    "expected a number that is not negative",
    "expected an IP address",
    "expected Memory, or no medium",
    "expected a name without =",
    "expected one of configMapKeyRef, fieldRef and resourceFieldRef",
    "expected one of exec, httpGet and tcpSocket",
    "expected a port from 1 to 65535",
    "expected TCP, UDP or SCTP",
    "expected the number of a user or group",
    "expected Default or Unmasked",
];

/// Whether something is refused here on purpose that the engine takes.
fn on_purpose(refusal: &PlayRefusal) -> bool {
    match &refusal.fault {
        // What a container may be, and what it may have of the guest.
        PlayFault::NotPinned
        | PlayFault::NotAReference
        | PlayFault::Reach(_)
        | PlayFault::ReachByPolicy(_) => true,
        // A typing error, or what the author counts on and does not get.
        PlayFault::UnknownKey { .. }
        | PlayFault::DuplicateKey { .. }
        | PlayFault::Engine(_)
        | PlayFault::Tag => true,
        // Of two things with one name or number the engine takes one; a variable without a name, a path that is not there.
        PlayFault::Taken(_) | PlayFault::MissingKey("name") | PlayFault::NotInArchive => true,
        // Readers of YAML 1.1 and 1.2 do not agree on dates.
        PlayFault::Form("a text; this is a date, put it in quotes") => true,
        fault => STRICTER.contains(&fault.to_string().as_str()),
    }
}

/// What the two make of a text, where it is not the same.
fn difference(engine: &Engine, text: &str) -> Option<String> {
    let theirs = engine.made(&format!("{CONTRACT_MAP}{text}"));
    match (ours(text), theirs) {
        (Ok(played), Ok(theirs)) => {
            let handed = std::str::from_utf8(played.text.expose()).unwrap();
            match engine.made(handed) {
                Err(error) => Some(format!("the engine does not take what it is handed: {error}")),
                Ok(made) if made != theirs => Some(unlike("", &made, &theirs)),
                Ok(made) => not_as_shown(&played, &made),
            }
        }
        (Ok(_), Err(error)) => Some(format!("taken here, and the engine says {error}")),
        (Err(refusals), Ok(_)) => {
            let refused = refusals.iter().find(|refusal| !on_purpose(refusal))?;
            Some(format!("the engine takes what is refused here: {refused}"))
        }
        (Err(_), Err(_)) => None,
    }
}

/// The first places where two descriptions differ.
fn unlike(at: &str, made: &Value, theirs: &Value) -> String {
    match (made, theirs) {
        (Value::Object(made), Value::Object(theirs)) => {
            let keys: BTreeSet<&String> = made.keys().chain(theirs.keys()).collect();
            let parts = keys.into_iter().filter(|key| made.get(*key) != theirs.get(*key)).map(|key| {
                let of = |map: &serde_json::Map<String, Value>| map.get(key).cloned().unwrap_or_default();
                unlike(&format!("{at}/{key}"), &of(made), &of(theirs))
            });
            parts.collect::<Vec<String>>().join(", ")
        }
        _ => format!("{at} is {made}, by its author's text {theirs}"),
    }
}

/// What `check` shows of containers, where the engine says something else.
fn not_as_shown(played: &Played, made: &Value) -> Option<String> {
    let told = |what: &str, shown: BTreeSet<String>, there: BTreeSet<String>| {
        (shown != there).then(|| format!("{what}: {shown:?} are shown, there are {there:?}"))
    };
    let names = made.as_object().unwrap().keys().filter(|name| *name != "infra").cloned().collect();
    let shown = played.containers.iter().map(|container| container.name.clone()).collect();
    let differs = told("containers", shown, names);
    let ports = played.containers.iter().flat_map(|container| container.ports.iter().cloned()).collect();
    let differs = differs.or_else(|| told("ports", ports, published(&made["infra"])));
    differs.or_else(|| {
        played.containers.iter().find_map(|container| {
            let whole = &made[&container.name];
            let list = |value: &Value| value.as_array().cloned().unwrap_or_default();
            let set: BTreeSet<String> = list(&whole["Config"]["Env"])
                .iter()
                .filter_map(|variable| Some(variable.as_str()?.split('=').next()?.to_owned()))
                .collect();
            if let Some(name) = container.variables.iter().find(|name| !set.contains(*name)) {
                return Some(format!("variable {name} is shown and not set"));
            }
            // `source:path` or `source:path:ro`; devices are no mounts to the engine.
            let target =
                |mount: &String| mount.trim_end_matches(":ro").rsplit(':').next().unwrap().to_owned();
            let shown: BTreeSet<String> = container.mounts.iter().map(target).collect();
            let text = |value: &Value| value.as_str().map(str::to_owned);
            let mut there: BTreeSet<String> =
                list(&whole["Mounts"]).iter().filter_map(|mount| text(&mount["Destination"])).collect();
            let memory = whole["HostConfig"]["Tmpfs"].as_object().cloned().unwrap_or_default();
            there.extend(memory.keys().cloned());
            // Of devices, those that are mounted; others are among the ways out.
            let devices = list(&whole["HostConfig"]["Devices"]);
            let devices = devices.iter().filter_map(|device| text(&device["PathInContainer"]));
            there.extend(devices.filter(|device| shown.contains(device)));
            told("mounts", shown, there)
        })
    })
}

/// Ports that the container which holds a pod's network publishes, as `check` shows them.
fn published(infra: &Value) -> BTreeSet<String> {
    let bindings = infra["HostConfig"]["PortBindings"].as_object().cloned().unwrap_or_default();
    let mut ports = BTreeSet::new();
    for (inside, places) in &bindings {
        for place in places.as_array().into_iter().flatten() {
            let address = match place["HostIp"].as_str().unwrap_or_default() {
                "" | "0.0.0.0" => String::new(),
                address => format!("{address}:"),
            };
            ports.insert(format!("{address}{}:{inside}", place["HostPort"].as_str().unwrap_or_default()));
        }
    }
    ports
}

/// The key of a piece, of which a map has one.
fn key(piece: &str) -> &str {
    piece.split(':').next().unwrap_or_default()
}

#[test]
fn pods_become_the_same_containers_whoever_reads_them() {
    let Some(engine) = Engine::start() else { return };
    let image = &engine.image;
    let mut texts = vec![pod(&[], &[], image)];
    texts.extend(SPEC.iter().map(|piece| pod(&[piece], &[], image)));
    texts.extend(CONTAINER.iter().map(|piece| pod(&[], &[piece], image)));
    for scalar in SCALARS {
        texts.push(pod(&[], &[&format!("env: [{{name: A, value: {scalar}}}]")], image));
        texts.push(pod(&[], &[&format!("tty: {scalar}")], image));
        texts.push(pod(&[&format!("terminationGracePeriodSeconds: {scalar}")], &[], image));
    }
    let wanted = std::env::var("COUNTERSIGN_PODS").map_or(40, |number| number.parse().unwrap());
    let mut numbers = Numbers(7);
    for _ in 0..wanted {
        let mut some = |pieces: &[&'static str]| {
            let mut chosen: Vec<&'static str> = Vec::new();
            for _ in 0..numbers.below(5) {
                let piece = pieces[numbers.below(pieces.len())];
                if chosen.iter().all(|other| key(other) != key(piece)) {
                    chosen.push(piece);
                }
            }
            chosen
        };
        let (spec, container) = (some(SPEC), some(CONTAINER));
        texts.push(pod(&spec, &container, image));
    }
    let mut taken = 0;
    let mut differ = Vec::new();
    for text in &texts {
        taken += usize::from(ours(text).is_ok());
        if let Some(difference) = difference(&engine, text) {
            // The pieces alone.
            let volumes: String = VOLUMES.lines().map(|line| format!("  {line}\n")).collect();
            let own = text.replace(MAPS, "").replace(image, "IMAGE").replace(&volumes, "");
            differ.push(format!("{own}{difference}\n"));
        }
    }
    assert!(differ.is_empty(), "{} of {}:\n{}", differ.len(), texts.len(), differ.join("\n"));
    assert!(taken > texts.len() / 3, "{taken} of {} are taken", texts.len());
}
