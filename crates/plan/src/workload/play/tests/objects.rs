//! What the engine gets.

use serde_json::json;

use super::*;
use crate::workload::reach::Sections;

#[test]
fn a_pod_becomes_what_the_engine_reads_and_nothing_else() {
    let text = pod(
        "RestartPolicy: OnFailure\nterminationGracePeriodSeconds: 5\nshareProcessNamespace: true\nhostname: h\n\
         hostAliases: [{ip: 192.0.2.1, hostnames: [x]}]\ndnsConfig: {nameservers: [192.0.2.2], searches: [s], options: [{name: ndots, value: 2}]}\n\
         securityContext: {runAsUser: 1, supplementalGroups: [2], sysctls: [{name: net.core.somaxconn, value: \"1\"}]}\n\
         volumes:\n- name: data\n  hostPath: {path: /mnt/data/, type: DirectoryOrCreate}\n- name: conf\n  hostPath: {path: ./conf}\n\
         - name: tmp\n  emptyDir: {medium: Memory}\n- name: empty\n  emptyDir: {}\n\
         initContainers:\n- name: i\n  image: registry.example.org/init@sha256:9fcf739803e0dcce2e2351e797b875fa51049ffd66843242cfae973fd2376e4a",
        "command: [sh, -c]\nargs: [\"x\\ny\", 5]\nworkingDir: /w\nimagePullPolicy: Always\ntty: true\n\
         ports:\n- containerPort: 80\n  hostPort: 8080\n  protocol: tcp\n- containerPort: 81\n  name: web\n\
         env: [{name: A, value: 010}, {name: B, value: true}, {name: C, value: 1.10}, {name: D}, {name: E, value: \"010\"}]\n\
         volumeMounts:\n- {name: data, mountPath: /d, subPath: x}\n- {name: conf, mountPath: \"/c:ro,Z\"}\n- {name: tmp, mountPath: /t}\n- {name: empty, mountPath: /e}\n\
         resources: {limits: {cpu: 1, memory: 64Mi}}\n\
         securityContext: {runAsUser: 0, readOnlyRootFilesystem: true, allowPrivilegeEscalation: false, capabilities: {drop: [ALL], add: [CAP_CHOWN]}}\n\
         livenessProbe: {exec: {command: [\"true\"]}, periodSeconds: 3}\n\
         startupProbe: {tcpSocket: {port: web}}",
    );
    let played = file(&text).judged().unwrap();
    let init = IMAGE.replace("web", "init");
    assert_eq!(
        documents_of(&played),
        [json!({
            "apiVersion": "v1", "kind": "Pod", "metadata": {"name": "p"},
            "spec": {
                "volumes": [
                    {"name": "volume-0-0", "hostPath": {"path": "/mnt/data", "type": "DirectoryOrCreate"}},
                    {"name": "volume-0-1", "hostPath": {"path": "/data1/play/conf"}},
                    {"name": "volume-0-2", "emptyDir": {"medium": "Memory"}},
                    {"name": "volume-0-3", "emptyDir": {}},
                ],
                "initContainers": [{"name": "i", "image": init, "imagePullPolicy": "Never"}],
                "containers": [{
                    "name": "c", "image": IMAGE, "imagePullPolicy": "Never", "tty": true,
                    "command": ["sh", "-c"], "args": ["x\ny", "5"], "workingDir": "/w",
                    "ports": [
                        {"hostPort": 8080, "containerPort": 80, "protocol": "TCP"},
                        {"name": "web", "containerPort": 81, "protocol": "TCP"},
                    ],
                    "env": [
                        {"name": "A", "value": "8"}, {"name": "B", "value": "true"}, {"name": "C", "value": "1.1"},
                        {"name": "D"}, {"name": "E", "value": "010"},
                    ],
                    "volumeMounts": [
                        {"name": "volume-0-0", "mountPath": "/d", "subPath": "x"},
                        {"name": "volume-0-1", "mountPath": "/c", "readOnly": true},
                        {"name": "volume-0-2", "mountPath": "/t"},
                        {"name": "volume-0-3", "mountPath": "/e"},
                    ],
                    "resources": {"limits": {"cpu": "1", "memory": "64Mi"}},
                    "securityContext": {
                        "runAsUser": 0, "readOnlyRootFilesystem": true, "allowPrivilegeEscalation": false,
                        "capabilities": {"add": ["CAP_CHOWN"], "drop": ["ALL"]},
                    },
                    "livenessProbe": {"exec": {"command": ["true"]}, "periodSeconds": 3},
                    "startupProbe": {"tcpSocket": {"port": "web"}},
                }],
                "restartPolicy": "OnFailure", "terminationGracePeriodSeconds": 5, "shareProcessNamespace": true,
                "hostname": "h", "hostAliases": [{"ip": "192.0.2.1", "hostnames": ["x"]}],
                "dnsConfig": {
                    "nameservers": ["192.0.2.2"], "searches": ["s"], "options": [{"name": "ndots", "value": "2"}],
                },
                "securityContext": {
                    "runAsUser": 1, "supplementalGroups": [2],
                    "sysctls": [{"name": "net.core.somaxconn", "value": "1"}],
                },
            },
        })]
    );
    assert_eq!(played.images, [init.clone(), IMAGE.to_owned()]);
    let [first, second] = &played.containers[..] else { panic!("{:?}", played.containers) };
    assert_eq!((first.name.as_str(), first.init, first.restart, &first.image), ("p-i", true, "Never", &init));
    assert_eq!((second.name.as_str(), second.init, second.restart), ("p-c", false, "OnFailure"));
    assert_eq!((second.file.as_str(), second.line), ("pods.yaml", 26));
    assert_eq!(second.ports, ["8080:80/tcp"]);
    assert_eq!(second.mounts, ["/mnt/data/:/d", "./conf:/c:ro", "memory:/t", "empty folder:/e"]);
    assert_eq!(second.variables, ["A", "B", "C", "D", "E"]);
}

/// The shapes of published files: lower-case keys, a leading separator, several documents in one file and several files.
#[test]
fn objects_come_from_the_contract_its_templates_and_the_top_of_the_archive() {
    let image = |name: &str| IMAGE.replace("registry.example.org/web", name);
    let resources = format!(
        "- apiVersion: v1\n  kind: Pod\n  metadata: {{name: r}}\n  spec:\n    containers:\n    - name: a_b\n      image: {}\n      env: [{{name: X, value: 017}}, {{name: Y, value: \"{{{{EMPTY}}}}\"}}]\n",
        image("r")
    );
    let templates = format!(
        "- apiVersion: v1\n  kind: Pod\n  metadata: {{name: t}}\n  spec:\n    containers:\n    - name: c\n      image: \"{{{{ .Env.REGISTRY }}}}/{}\"\n      envFrom: [{{configMapRef: {{name: contract.config.map}}}}]\n",
        image("t")
    );
    let archive = format!(
        "---\napiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: m\ndata:\n  K: |\n    line\n---\n---\napiVersion: v1\nkind: Pod\nmetadata:\n  name: f\nspec:\n  restartpolicy: Always\n  containers: &all\n  - name: c\n    image: {}\n    env:\n    - name: K\n      valueFrom:\n        configMapKeyRef: {{name: m, key: K}}\n    - name: L\n      valueFrom: {{fieldRef: {{fieldPath: \"metadata.labels['x']\"}}}}\n",
        image("f")
    );
    let case = Case {
        resources: &resources,
        templates: &templates,
        files: vec![("b.yml", &archive)],
        variables: vec![("REGISTRY", "registry.example.org"), ("SECRET", "a\n\u{e4}\u{1f600}\"")],
        ..Case::default()
    };
    let played = case.judged().unwrap();
    let text = std::str::from_utf8(played.text.expose()).unwrap();
    // Letters beyond ASCII as YAML reads them.
    assert!(text.contains("\"SECRET\":\"a\\n\\u00e4\\U0001f600\\\"\""), "{text}");
    let kinds: Vec<&str> = text
        .split("\n---\n")
        .map(|document| if document.contains("\"kind\":\"Pod\"") { "Pod" } else { "ConfigMap" })
        .collect();
    assert_eq!(kinds, ["ConfigMap", "ConfigMap", "Pod", "Pod", "Pod"]);
    assert!(
        text.contains("{\"name\":\"X\",\"value\":\"15\"},{\"name\":\"Y\",\"value\":\"{{EMPTY}}\"}"),
        "{text}"
    );
    assert!(text.contains("\"restartPolicy\":\"Always\""), "{text}");
    assert_eq!(played.images, [image("r"), format!("registry.example.org/{}", image("t")), image("f")]);
    let names: Vec<(&str, &str)> = played
        .containers
        .iter()
        .map(|container| (container.name.as_str(), container.file.as_str()))
        .collect();
    assert_eq!(names, [("r-a_b", "resources[0]"), ("t-c", "templates[0]"), ("f-c", "b.yml")]);
    assert_eq!(played.containers[1].variables, ["REGISTRY", "SECRET"]);
    assert!(!format!("{played:?}").contains("SECRET"));
}

/// The engine keeps one folder for all pods under the name of a config map, and writes into it while containers run.
#[test]
fn every_volume_of_a_config_map_has_a_copy_of_its_own() {
    let one = |name: &str| {
        pod(
            "volumes: [{name: v, configMap: {name: m, defaultMode: 0640, items: [{key: a, path: b}]}}]",
            "volumeMounts: [{name: v, mountPath: /v}]",
        )
        .replace("name: p\n", &format!("name: {name}\n"))
    };
    let map = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: m}\ndata: {a: x}\nbinaryData: {b: AAAA}\n";
    let text = format!("{}---\n{map}---\n{}", one("p"), one("q"));
    let documents = file(&text).documents();
    let names: Vec<&str> =
        documents.iter().map(|document| document["metadata"]["name"].as_str().unwrap()).collect();
    assert_eq!(names, ["contract.volume.0.0", "contract.volume.1.0", "p", "q"]);
    assert_eq!(documents[1]["data"], json!({"a": "x"}));
    assert_eq!(documents[1]["binaryData"], json!({"b": "AAAA"}));
    assert_eq!(
        documents[3]["spec"]["volumes"][0],
        json!({"name": "volume-1-0", "configMap": {"name": "contract.volume.1.0", "items": [{"key": "a", "path": "b"}], "defaultMode": 416}})
    );
}

#[test]
fn hprcs_folder_is_read_only_and_keeps_its_owner() {
    let text = pod(
        "volumes: [{name: v, hostPath: {path: /var/hyperprotect/, type: Directory}}]",
        "volumeMounts: [{name: v, mountPath: \"/var/hyperprotect:Z,U\"}]",
    );
    let played = file(&text).judged().unwrap();
    let documents = documents_of(&played);
    let spec = &documents[0]["spec"];
    assert_eq!(
        spec["volumes"][0],
        json!({"name": "volume-0-0", "hostPath": {"path": "/var/hyperprotect", "type": "Directory"}})
    );
    assert_eq!(
        spec["containers"][0]["volumeMounts"][0],
        json!({"name": "volume-0-0", "mountPath": "/var/hyperprotect", "readOnly": true})
    );
    assert_eq!(played.notices.len(), 1);
    assert_eq!(played.notices[0].notice, Notice::Hyperprotect(Sections::Neither));
    assert!(played.notices[0].to_string().ends_with(Sections::Neither.told()));
    // A data volume that is mounted there is the workload's own.
    let text = pod(
        "volumes: [{name: v, hostPath: {path: /mnt/data}}]",
        "volumeMounts: [{name: v, mountPath: \"/var/hyperprotect:Z,U\"}]",
    );
    let documents = file(&text).documents();
    assert_eq!(
        documents[0]["spec"]["containers"][0]["volumeMounts"][0],
        json!({"name": "volume-0-0", "mountPath": "/var/hyperprotect:U"})
    );
}

#[test]
fn annotations_that_the_engine_gets_are_few() {
    let text = pod("", "env: [{name: A, valueFrom: {fieldRef: {fieldPath: \"metadata.annotations['mine/x']\"}}}]").replace(
        "  name: p\n",
        "  name: p\n  labels: {l: 5}\n  annotations: {mine/x: y, io.podman.annotations.ulimit: nofile=1:2, io.podman.annotations.autoremove/c: \"FALSE\"}\n",
    );
    let played = file(&text).judged().unwrap();
    let documents = documents_of(&played);
    assert_eq!(
        documents[0]["metadata"],
        json!({"name": "p", "labels": {"l": "5"}, "annotations": {"io.podman.annotations.ulimit": "nofile=1:2"}})
    );
    assert_eq!(documents[0]["spec"]["containers"][0]["env"], json!([{"name": "A", "value": "y"}]));
    assert_eq!(
        played.notices.iter().map(ToString::to_string).collect::<Vec<_>>(),
        ["metadata.annotations.io.podman.annotations.autoremove/c: nothing comes of this annotation"]
    );
}

#[test]
fn a_value_of_the_contract_is_in_no_message() {
    let templates = "- apiVersion: v1\n  kind: Pod\n  metadata: {name: \"{{ .Env.A }}\"}\n  spec:\n    hostNetwork: true\n    hostPID: \"{{ .Env.A }}\"\n    volumes: [{name: \"{{ .Env.A }}\", hostPath: {path: \"/run/{{ .Env.A }}\", type: \"{{ .Env.A }}\"}}]\n    containers:\n    - name: \"{{ .Env.A }}\"\n      image: \"{{ .Env.A }}\"\n      securityContext: {privileged: true, capabilities: {add: [\"{{ .Env.A }}\"]}}\n      env: [{name: \"{{ .Env.A }}=\", value: \"{{ .Env.A }}\"}]\n      ports: [{containerPort: \"{{ .Env.A }}\", hostIP: \"{{ .Env.A }}\"}]\n";
    for refuse in [false, true] {
        let case = Case { templates, variables: vec![("A", "canary")], refuse, ..Case::default() };
        let refusals = case.judged().unwrap_err();
        assert!(refusals.len() > 6, "{refusals:?}");
        assert!(!format!("{refusals:?}").contains("canary"), "{refusals:?}");
    }
    let templates = "- apiVersion: v1\n  kind: Pod\n  metadata: {name: \"{{ .Env.A }}\"}\n  spec:\n    hostNetwork: true\n    containers:\n    - name: c\n      image: registry.example.org/web@sha256:9fcf739803e0dcce2e2351e797b875fa51049ffd66843242cfae973fd2376e4a\n      securityContext: {privileged: true}\n";
    let case = Case { templates, variables: vec![("A", "canary")], ..Case::default() };
    let played = case.judged().unwrap();
    let notices: Vec<String> = played.notices.iter().map(ToString::to_string).collect();
    assert_eq!(
        notices,
        [
            "spec.hostNetwork: pod {{ .Env.A }} reaches the guest's own network",
            "spec.containers[0].securityContext.privileged: container {{ .Env.A }}-c reaches all devices and privileges",
        ]
    );
}
