//! Every refusal and notice, with its place.

use super::*;

#[test]
fn every_refusal_has_its_place() {
    for (spec, container, expected) in [
        (
            "",
            "Image: x",
            "HPL05105E 9: spec.containers[0]: expected each key once in its map, in whatever letters, Image stands twice",
        ),
        ("volumess: []", "", "HPL15000E 6: spec: expected a known key instead of volumess, perhaps volumes"),
        (
            "",
            "stdinn: x",
            "HPL15000E 9: spec.containers[0]: expected a known key instead of stdinn, perhaps stdin",
        ),
        (
            "hostNetwork: \"true\"",
            "",
            "HPL15000E 6: spec.hostNetwork: expected true or false, without quotes",
        ),
        ("hostNetwork: yes", "", "HPL15000E 6: spec.hostNetwork: expected true or false, without quotes"),
        ("restartPolicy: always", "", "HPL15000E 6: spec.restartPolicy: expected Always, OnFailure or Never"),
        (
            "hostUsers: false",
            "",
            "HPL15000E 6: spec.hostUsers: expected no hostUsers: the guest has no user numbers to give",
        ),
        (
            "ephemeralContainers: [{}]",
            "",
            "HPL15000E 6: spec: expected no ephemeralContainers: the engine would not start them",
        ),
        (
            "hostAliases: [{ip: x, hostnames: [y]}]",
            "",
            "HPL15000E 6: spec.hostAliases[0].ip: expected an IP address",
        ),
        (
            "",
            "env: [{name: A, value: 2026-01-31}]",
            "HPL15000E 9: spec.containers[0].env[0].value: expected a text; this is a date, put it in quotes",
        ),
        ("", "env: [{name: A=B}]", "HPL15000E 9: spec.containers[0].env[0].name: expected a name without ="),
        ("", "env: [{value: x}]", "HPL15000E 9: spec.containers[0].env[0]: expected the key name"),
        ("", "env: {A: b}", "HPL15000E 9: spec.containers[0].env: expected a list"),
        (
            "",
            "env: [{name: A, valueFrom: {secretKeyRef: {name: x, key: y}}}]",
            "HPL15000E 9: spec.containers[0].env[0].valueFrom: expected no secret: give it by the contract's env and contract.config.map",
        ),
        (
            "",
            "env: [{name: A, valueFrom: {configMapKeyRef: {name: x, key: y}}}]",
            "HPL15000E 9: spec.containers[0].env[0].valueFrom.configMapKeyRef.name: expected a config map of this name",
        ),
        (
            "",
            "env: [{name: A, valueFrom: {configMapKeyRef: {name: contract.config.map, key: y}}}]",
            "HPL15000E 9: spec.containers[0].env[0].valueFrom.configMapKeyRef.key: expected a key under data of this config map",
        ),
        (
            "",
            "env: [{name: A, valueFrom: {fieldRef: {fieldPath: status.podIP}}}]",
            "HPL15000E 9: spec.containers[0].env[0].valueFrom.fieldRef.fieldPath: expected metadata.name, metadata.uid, metadata.labels['NAME'] or metadata.annotations['NAME']",
        ),
        (
            "",
            "envFrom: [{configMapRef: {name: x}}]",
            "HPL15000E 9: spec.containers[0].envFrom[0].configMapRef.name: expected a config map of this name",
        ),
        (
            "",
            "envFrom: [{secretRef: {name: x}}]",
            "HPL15000E 9: spec.containers[0].envFrom[0]: expected no secret: give it by the contract's env and contract.config.map",
        ),
        (
            "",
            "ports: [{containerPort: 70000}]",
            "HPL15000E 9: spec.containers[0].ports[0].containerPort: expected a port from 1 to 65535",
        ),
        (
            "",
            "ports: [{containerPort: \"80\"}]",
            "HPL15000E 9: spec.containers[0].ports[0].containerPort: expected a port from 1 to 65535",
        ),
        (
            "",
            "ports: [{name: x}]",
            "HPL15000E 9: spec.containers[0].ports[0]: expected the key containerPort",
        ),
        (
            "",
            "ports: [{hostPort: 80, protocol: icmp}]",
            "HPL15000E 9: spec.containers[0].ports[0].protocol: expected TCP, UDP or SCTP",
        ),
        (
            "",
            "ports: [{hostPort: 80}, {hostPort: 80, hostIP: 192.0.2.1}]",
            "HPL15000E 9: spec.containers[0].ports[1].hostPort: expected a port that no other has",
        ),
        (
            "",
            "resources: {limits: {memory: 64mb}}",
            "HPL15000E 9: spec.containers[0].resources.limits.memory: expected an amount such as 500m or 64Mi",
        ),
        (
            "",
            "resources: {limits: {vendor.example/x=y: 1}}",
            "HPL15000E 9: spec.containers[0].resources.limits.vendor.example/x=y: expected no other device than podman.io/device=PATH",
        ),
        (
            "",
            "resources: {limits: {podman.io/device=/dev/vda: 1}}",
            "HPL06122E 9: spec.containers[0].resources.limits.podman.io/device=/dev/vda: expected no disk, and no folder of devices",
        ),
        (
            "",
            "livenessProbe: {periodSeconds: 1}",
            "HPL15000E 9: spec.containers[0].livenessProbe: expected one of exec, httpGet and tcpSocket",
        ),
        (
            "",
            "livenessProbe: {grpc: {port: 1}}",
            "HPL15000E 9: spec.containers[0].livenessProbe: expected exec, httpGet or tcpSocket: the engine does not know grpc",
        ),
        (
            "",
            "securityContext: {procMount: all}",
            "HPL15000E 9: spec.containers[0].securityContext.procMount: expected Default or Unmasked",
        ),
        (
            "",
            "securityContext: {runAsUser: -1}",
            "HPL15000E 9: spec.containers[0].securityContext.runAsUser: expected the number of a user or group",
        ),
        (
            "",
            "volumeDevices: [{}]",
            "HPL15000E 9: spec.containers[0]: expected no volumeDevices: the engine has none",
        ),
        (
            "volumes: [{name: v, secret: {secretName: x}}]",
            "",
            "HPL15000E 6: spec.volumes[0]: expected no secret: give it by the contract's env and contract.config.map",
        ),
        (
            "volumes: [{name: v, persistentVolumeClaim: {claimName: x}}]",
            "",
            "HPL15000E 6: spec.volumes[0]: expected no claim: mount a data volume of the contract by hostPath",
        ),
        (
            "volumes: [{name: v}]",
            "",
            "HPL15000E 6: spec.volumes[0]: expected one of hostPath, emptyDir, configMap and image",
        ),
        (
            "volumes: [{name: v, emptyDir: {}, hostPath: {path: /mnt/data}}]",
            "",
            "HPL15000E 6: spec.volumes[0]: expected only one of hostPath, emptyDir, configMap and image",
        ),
        (
            "volumes: [{name: v, emptyDir: {}}, {name: v, emptyDir: {}}]",
            "",
            "HPL15000E 6: spec.volumes[1]: expected a name of volume that no other has",
        ),
        (
            "volumes: [{name: v, hostPath: {path: ./none}}]",
            "",
            "HPL15000E 6: spec.volumes[0].hostPath.path: expected a path that is in the archive, or a type that makes it",
        ),
        (
            "volumes: [{name: v, hostPath: {path: /mnt/data, type: Folder}}]",
            "",
            "HPL15000E 6: spec.volumes[0].hostPath.type: expected DirectoryOrCreate, Directory, FileOrCreate, File, Socket or CharDevice",
        ),
        (
            "volumes: [{name: v, hostPath: {path: /mnt/data/x, type: BlockDevice}}]",
            "",
            "HPL06122E 6: spec.volumes[0].hostPath.type: expected no disk",
        ),
        (
            "volumes: [{name: v, configMap: {name: x}}]",
            "",
            "HPL15000E 6: spec.volumes[0].configMap.name: expected a config map of this name",
        ),
        (
            "volumes: [{name: v, configMap: {name: contract.config.map, defaultMode: 1000}}]",
            "",
            "HPL15000E 6: spec.volumes[0].configMap.defaultMode: expected a mode from 0000 to 0777, octal with its leading zero",
        ),
        (
            "volumes: [{name: v, configMap: {name: contract.config.map, items: [{key: a, path: ../../x}]}}]",
            "",
            "HPL15000E 6: spec.volumes[0].configMap.items[0].path: expected the name of a file, without folders",
        ),
        (
            "volumes: [{name: v, image: {reference: \"x:1\"}}]",
            "",
            "HPL06010E 6: spec.volumes[0].image.reference: expected the image as name@sha256:digest",
        ),
        (
            "",
            "volumeMounts: [{name: v, mountPath: /v}]",
            "HPL15000E 9: spec.containers[0].volumeMounts[0].name: expected a volume of this name in the pod",
        ),
        (
            "volumes: [{name: v, emptyDir: {}}]",
            "volumeMounts: [{name: v, mountPath: v}]",
            "HPL15000E 10: spec.containers[0].volumeMounts[0].mountPath: expected an absolute path, perhaps with options behind one colon",
        ),
        (
            "volumes: [{name: v, emptyDir: {}}]",
            "volumeMounts: [{name: v, mountPath: \"/v:O,upperdir=/run\"}]",
            "HPL15000E 10: spec.containers[0].volumeMounts[0].mountPath: expected no other option of a mount than ro, U, exec, private and the like",
        ),
        (
            "volumes: [{name: v, hostPath: {path: /mnt/data}}]",
            "volumeMounts: [{name: v, mountPath: /v, subPath: ../x}]",
            "HPL06122E 10: spec.containers[0].volumeMounts[0].subPath: expected a relative path without .. in the volume",
        ),
        (
            "volumes: [{name: v, hostPath: {path: /mnt/data}}]",
            "volumeMounts: [{name: v, mountPath: /v, subPath: \"x=y\"}]",
            "HPL15000E 10: spec.containers[0].volumeMounts[0].subPath: expected a path without comma and equals sign",
        ),
    ] {
        let refused = refused(spec, container);
        assert_eq!(refused.first().map(String::as_str), Some(expected), "{spec} {container}: {refused:?}");
    }
}

#[test]
fn what_belongs_to_the_guest_no_container_gets() {
    for path in [
        "/",
        "/proc",
        "/sys/fs",
        "/boot",
        "/dev",
        "/dev/vdb",
        "/dev/mapper/x",
        "/run",
        "/run/podman/podman.sock",
        "/var/run/docker.sock",
        "/run/countersign",
        "/var/lib/containers/storage",
        "/mnt/data/../../run/podman",
        "../../run/countersign",
        "/var",
    ] {
        for kind in ["Directory", "DirectoryOrCreate", "Socket", "CharDevice", "FileOrCreate"] {
            let refused =
                refused(&format!("volumes: [{{name: v, hostPath: {{path: {path}, type: {kind}}}}}]"), "");
            let expected = "HPL06122E 6: spec.volumes[0].hostPath.path: expected a data volume or a path of the archive: this one belongs to the guest itself";
            assert_eq!(refused.first().map(String::as_str), Some(expected), "{path} {kind}");
        }
    }
    // Below a volume that is open, a mount may show what is closed.
    let refused = refused(
        "volumes: [{name: v, hostPath: {path: /var/lib/x}}]",
        "volumeMounts: [{name: v, mountPath: /v, subPath: \"a/./b\"}]",
    );
    assert_eq!(refused, Vec::<String>::new());
}

#[test]
fn what_is_reached_is_told_or_refused() {
    let who = "container p-c reaches";
    for (spec, container, expected) in [
        ("hostNetwork: true", "", "spec.hostNetwork: pod p reaches the guest's own network".to_owned()),
        ("hostPID: true", "", "spec.hostPID: pod p reaches the guest's processes".to_owned()),
        ("hostIPC: true", "", "spec.hostIPC: pod p reaches the guest's shared memory".to_owned()),
        (
            "securityContext: {sysctls: [{name: a, value: b}]}",
            "",
            "spec.securityContext.sysctls[0]: pod p reaches kernel parameters of its own".to_owned(),
        ),
        (
            "",
            "securityContext: {privileged: true}",
            format!("spec.containers[0].securityContext.privileged: {who} all devices and privileges"),
        ),
        (
            "",
            "securityContext: {procMount: Unmasked}",
            format!("spec.containers[0].securityContext.procMount: {who} a weaker confinement"),
        ),
        (
            "",
            "securityContext: {capabilities: {add: [SYS_ADMIN]}}",
            format!(
                "spec.containers[0].securityContext.capabilities.add[0]: {who} a capability beyond the usual ones"
            ),
        ),
        (
            "",
            "resources: {limits: {podman.io/device=/dev/null: 1}}",
            format!("spec.containers[0].resources.limits.podman.io/device=/dev/null: {who} a device"),
        ),
        (
            "volumes: [{name: v, hostPath: {path: /dev/z90crypt, type: CharDevice}}]",
            "volumeMounts: [{name: v, mountPath: /dev/z90crypt}]",
            format!("spec.containers[0].volumeMounts[0]: {who} a device"),
        ),
        (
            "volumes: [{name: v, hostPath: {path: /etc/x}}]",
            "volumeMounts: [{name: v, mountPath: /x}]",
            format!("spec.containers[0].volumeMounts[0]: {who} a path of the guest"),
        ),
        (
            "volumes: [{name: v, hostPath: {path: /mnt/data}}]",
            "volumeMounts: [{name: v, mountPath: \"/x:shared\"}]",
            format!("spec.containers[0].volumeMounts[0].mountPath: {who} mounts of the guest"),
        ),
        (
            "volumes: [{name: v, hostPath: {path: /mnt/data}}]",
            "volumeMounts: [{name: v, mountPath: /x, mountPropagation: Bidirectional}]",
            format!("spec.containers[0].volumeMounts[0].mountPropagation: {who} mounts of the guest"),
        ),
    ] {
        let told = told(spec, container);
        assert_eq!(told.len(), 1, "{told:?}");
        assert!(told[0].starts_with("HPL06123W ") && told[0].ends_with(&expected), "{told:?}");
        let text = pod(spec, container);
        let refusals = Case { refuse: true, ..file(&text) }.judged().unwrap_err();
        let what = expected.split(" reaches ").last().unwrap();
        let [refusal] = &refusals[..] else { panic!("{refusals:?}") };
        assert_eq!(refusal.fault.code().as_str(), "HPL06122E");
        assert!(
            refusal.to_string().ends_with(&format!("expected not to reach {what}, which a policy refuses"))
        );
    }
    // What any container may have is told to its author alone.
    let text = pod(
        "volumes: [{name: v, hostPath: {path: /mnt/data}}, {name: m, hostPath: {path: /etc/machine-id}}, {name: f, hostPath: {path: conf}}]",
        "ports: [{hostPort: 80}]\nvolumeMounts: [{name: v, mountPath: /v}, {name: m, mountPath: /m}, {name: f, mountPath: /f}]",
    );
    let played = Case { refuse: true, ..file(&text) }.judged().unwrap();
    let ways: Vec<String> =
        played.ways.iter().map(|way| format!("{} {} {}", way.at, way.what, way.written)).collect();
    assert_eq!(
        ways,
        [
            "container p-c a published port 80:80/tcp",
            "container p-c a volume of the contract /mnt/data",
            "container p-c a file that any container may have /etc/machine-id",
            "container p-c the folder of the archive conf",
        ]
    );
    assert_eq!(played.notices, []);
}

/// What several containers may have keeps its owner.
#[test]
fn the_owner_of_a_free_file_stays() {
    let text = pod(
        "volumes: [{name: m, hostPath: {path: /etc/machine-id}}, {name: v, hostPath: {path: /mnt/data}}]",
        "volumeMounts: [{name: m, mountPath: \"/m:U,nosuid\"}, {name: v, mountPath: \"/v:U\"}]",
    );
    let documents = file(&text).documents();
    let mounts = &documents[0]["spec"]["containers"][0]["volumeMounts"];
    assert_eq!((&mounts[0]["mountPath"], &mounts[1]["mountPath"]), (&"/m:nosuid".into(), &"/v:U".into()));
}

#[test]
fn what_the_engine_leaves_out_is_told() {
    for (spec, container, expected) in [
        ("nodeName: x\ntolerations: []", "", "HPL15101W 6: spec: nothing comes of nodeName, tolerations"),
        (
            "securityContext: {privileged: true, fsGroup: 1}",
            "",
            "HPL15101W 6: spec.securityContext: nothing comes of privileged, fsGroup",
        ),
        (
            "",
            "readinessProbe: {}\nlifecycle: {}",
            "HPL15101W 7: spec.containers[0]: nothing comes of readinessProbe, lifecycle",
        ),
        (
            "",
            "envFrom: [{prefix: x, configMapRef: {name: contract.config.map}}]",
            "HPL15101W 9: spec.containers[0].envFrom[0]: nothing comes of prefix",
        ),
        (
            "volumes: [{name: v, emptyDir: {sizeLimit: 1Mi}}]",
            "",
            "HPL15101W 6: spec.volumes[0].emptyDir: nothing comes of sizeLimit",
        ),
        (
            "",
            "livenessProbe: {httpGet: {port: 80}}",
            "HPL15101W 9: spec.containers[0].livenessProbe.httpGet: the engine runs curl in the container for this check",
        ),
        (
            "volumes: [{name: v, configMap: {name: contract.config.map, items: [{key: a, path: b}]}}]",
            "",
            "HPL15101W 6: spec.volumes[0].configMap.items[0].key: the config map has no such key, the volume has no such file",
        ),
        (
            "",
            "resources: {requests: {ephemeral-storage: 1}}",
            "HPL15101W 9: spec.containers[0].resources.requests.ephemeral-storage: nothing comes of this amount",
        ),
    ] {
        assert_eq!(told(spec, container), [expected], "{spec} {container}");
    }
    let text = pod("", "env: [{name: A, value: x}]\nenvFrom: [{configMapRef: {name: contract.config.map}}]");
    let played = Case { variables: vec![("A", "y")], ..file(&text) }.judged().unwrap();
    let notices: Vec<String> = played.notices.iter().map(ToString::to_string).collect();
    assert_eq!(
        notices,
        ["spec.containers[0].env[0]: the value of envFrom counts, not this one: the engine reads it last"]
    );
}

/// What is refused of whole files.
fn whole(text: &str) -> Vec<String> {
    file(text)
        .judged()
        .unwrap_err()
        .iter()
        .map(|refusal| format!("{} {}: {refusal}", refusal.fault.code(), refusal.line))
        .collect()
}

#[test]
fn objects_that_are_none_of_the_two() {
    let kind = "expected a Pod or a ConfigMap of apiVersion v1";
    for text in [
        "apiVersion: v1\nkind: List\nitems: []\n",
        "apiVersion: apps/v1\nkind: Deployment\nspec: {}\n",
        "apiVersion: v1\nkind: Secret\n",
        "apiVersion: v1\nkind: PersistentVolumeClaim\n",
        "apiVersion: v2\nkind: Pod\n",
        "- a\n",
        "text\n",
    ] {
        assert_eq!(whole(text), [format!("HPL15000E 1: {kind}")], "{text}");
    }
    assert_eq!(whole(""), ["HPL15000E 1: expected at least one Pod"]);
    let map = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: m}\n";
    assert_eq!(whole(map), ["HPL15000E 1: expected at least one Pod"]);
}

#[test]
fn files_that_cannot_be_read_are_refused_with_their_line() {
    for (text, expected) in [
        ("a: [\n", "HPL15000E 1: expected valid yaml"),
        (
            "a: 1\na: 2\n",
            "HPL05105E 2: expected each key once in its map, in whatever letters, a stands twice",
        ),
        (
            "apiVersion: v1\nkind: ConfigMap\nKIND: Pod\nmetadata: {name: m}\n",
            "HPL05105E 3: expected each key once in its map, in whatever letters, KIND stands twice",
        ),
        ("a: !x b\n", "HPL05108E 1: expected no tag"),
        ("a: \u{85}\n", "HPL15000E 1: expected lines that end in a line feed, and no control character"),
    ] {
        let refused = whole(text);
        assert_eq!(refused, [expected], "{text}");
    }
    let many = "---\na: 1\n".repeat(300);
    assert_eq!(whole(&many).len(), 1);
}

#[test]
fn names_are_taken_once() {
    let two = |first: &str, second: &str| {
        format!(
            "{}---\n{}",
            pod("", "").replace("name: p\n", &format!("name: {first}\n")),
            pod("", "").replace("name: p\n", &format!("name: {second}\n"))
        )
    };
    assert_eq!(
        whole(&two("p", "p"))[0],
        "HPL15000E 13: metadata.name: expected a name of pod or container that no other has"
    );
    // The engine calls a container of the one as it calls the other.
    assert_eq!(
        whole(&two("p", "p-c")),
        ["HPL15000E 13: metadata.name: expected a name of pod or container that no other has"]
    );
    let twice = pod(&format!("initContainers: [{{name: c, image: {IMAGE}}}]"), "");
    assert_eq!(
        whole(&twice),
        ["HPL15000E 8: spec.containers[0].name: expected a name of pod and container that no other has"]
    );
    let map = |name: &str| format!("apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: {name}}}\n");
    assert_eq!(
        whole(&format!("{}---\n{}", map("m"), map("m"))),
        ["HPL15000E 7: metadata.name: expected a name of a config map that no other has"]
    );
    for own in ["contract.config.map", "contract.volume.0.0"] {
        assert!(whole(&map(own))[0].contains("contract.config.map is made of the contract's env"), "{own}");
    }
    assert!(
        whole(&pod("", "").replace("name: p\n", "name: -p\n"))[0].contains("a name of at most 63 letters")
    );
}

#[test]
fn config_maps_are_read_whole() {
    for (keys, expected) in [
        ("data: {a/b: x}", "HPL15000E 4: data.a/b: expected a name of letters, digits, dots, - and _"),
        ("data: {..: x}", "HPL15000E 4: data...: expected a name of letters, digits, dots, - and _"),
        ("binaryData: {a: \"%\"}", "HPL15000E 4: binaryData.a: expected a text in base64"),
        ("data: {a: x}\nbinaryData: {a: AAAA}", "HPL15000E 1: expected keys of data that no other has"),
        ("data: [a]", "HPL15000E 4: data: expected a map of names"),
        ("dat: {}", "HPL15000E 4: expected a known key instead of dat, perhaps data"),
    ] {
        let refused = whole(&format!("apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: m}}\n{keys}\n"));
        assert_eq!(refused[0], expected, "{keys}");
    }
}

#[test]
fn annotations_that_change_a_container_are_refused() {
    for name in [
        "io.podman.annotations.userns",
        "io.podman.annotations.seccomp/c",
        "io.podman.annotations.label/c",
        "io.podman.annotations.volumes-from/c",
        "io.podman.annotations.kube.image.volumes.mount/c",
        "seccomp.security.alpha.kubernetes.io/pod",
        "container.seccomp.security.alpha.kubernetes.io/c",
        "run.oci.keep_original_groups",
        "run.oci.hooks.stdout",
        "io.containers.sdnotify",
    ] {
        let text = pod("", "").replace("name: p\n", &format!("name: p\n  annotations: {{{name}: x}}\n"));
        assert_eq!(
            whole(&text),
            [format!(
                "HPL15000E 5: metadata.annotations.{name}: expected no annotation by which a container's confinement changes"
            )]
        );
    }
}

#[test]
fn images_are_pinned() {
    for (image, expected) in [
        ("nginx:latest", "HPL06010E 8: spec.containers[0].image: expected the image as name@sha256:digest"),
        ("nginx", "HPL06010E 8: spec.containers[0].image: expected the image as name@sha256:digest"),
        (
            "oci:/x@sha256:9fcf739803e0dcce2e2351e797b875fa51049ffd66843242cfae973fd2376e4a",
            "HPL15000E 8: spec.containers[0].image: expected an image reference of a registry",
        ),
        ("Nginx", "HPL15000E 8: spec.containers[0].image: expected an image reference of a registry"),
    ] {
        assert_eq!(whole(&pod("", "").replace(IMAGE, image)), [expected], "{image}");
    }
    assert_eq!(
        whole(&pod("", "").replace(&format!("    image: {IMAGE}\n"), ""))[0],
        "HPL15000E 7: spec.containers[0]: expected the key image"
    );
}

#[test]
fn templates_are_refused_with_their_place() {
    let templates = "- apiVersion: v1\n  kind: Pod\n  metadata: {name: p}\n  spec:\n    containers:\n    - name: c\n      image: \"{{ .Env.REGISTRY }}/x\"\n      args: [\"{{EMPTY}}\", \"{{ range . }}\"]\n";
    let refusals = Case { templates, ..Case::default() }.judged().unwrap_err();
    let said: Vec<String> = refusals
        .iter()
        .map(|refusal| {
            format!(
                "{} {}:{} {refusal}; {}",
                refusal.origin,
                refusal.line,
                refusal.column,
                refusal.fault.hint()
            )
        })
        .collect();
    assert_eq!(
        said,
        [
            "templates[0] 7:14 spec.containers[0].image: expected REGISTRY in env, it is not set (character 4 of the text); set it under env.env or workload.env, or ask for it with if",
            "templates[0] 8:14 spec.containers[0].args[0]: expected a known function instead of EMPTY (character 3 of the text); correct the expression; to have two braces in the text, write {{ \"{{\" }}",
            "templates[0] 8:27 spec.containers[0].args[1]: expected no range: it is not evaluated here (character 4 of the text); correct the expression; to have two braces in the text, write {{ \"{{\" }}",
        ]
    );
}

#[test]
fn nothing_grows_beyond_its_bound() {
    let text = format!("x: {}\n", "y".repeat(100));
    let many: String = (0..200).map(|_| format!("---\n{text}")).collect();
    let refusals = whole(&many);
    assert_eq!(refusals.len(), MAX_REPORTED);
    // An alias names a long text again and again.
    let aliases = ", *a".repeat(8);
    let text = pod("", &format!("args: [&a \"{}\"{aliases}]", "x".repeat(1 << 19)));
    assert_eq!(
        whole(&text),
        ["HPL15000E 9: spec.containers[0].args[7]: expected at most 256 objects and 4 MiB of them"]
    );
    let map = format!(
        "apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: m}}\ndata: {{a: \"{}\"}}\n---\n",
        "x".repeat(1 << 19)
    );
    let volumes = (0..8).map(|n| format!("- name: v{n}\n  configMap: {{name: m}}\n")).collect::<String>();
    let text = format!("{map}{}", pod(&format!("volumes:\n{volumes}"), ""));
    assert_eq!(
        whole(&text),
        ["HPL15000E 25: spec.volumes[6].configMap: expected at most 256 objects and 4 MiB of them"]
    );
    let long = "# ".repeat(MAX_BYTES / 2 + 1);
    assert_eq!(whole(&long), ["HPL15000E 1: expected at most 256 objects and 4 MiB of them"]);
}

#[test]
fn a_name_that_looks_like_the_guests_own_is_told() {
    let told = |pod_name: &str, container: &str| {
        let text = pod("", "").replace("name: p\n", &format!("name: {pod_name}\n"));
        let text = text.replace("- name: c\n", &format!("- name: {container}\n"));
        let played = file(&text).judged().unwrap();
        let said = |notice: &PlayNotice| {
            assert_eq!(notice.notice.hint(), "give it a name of the workload's own");
            format!("{} {}:{}: {notice}", notice.notice.code(), notice.line, notice.column)
        };
        played.notices.iter().map(said).collect::<Vec<String>>()
    };
    let own = "looks like one of the guest's own in the log";
    for (pod_name, container, expected) in [
        ("countersignd", "c", format!("HPL06124W 4:9: metadata.name: the name of pod countersignd {own}")),
        (
            "p",
            "kernel",
            format!("HPL06124W 7:11: spec.containers[0].name: the name of container p-kernel {own}"),
        ),
        (
            "counter",
            "signd",
            format!("HPL06124W 7:11: spec.containers[0].name: the name of container counter-signd {own}"),
        ),
    ] {
        assert_eq!(told(pod_name, container), [expected]);
    }
    assert_eq!(told("web", "init"), Vec::<String>::new());

    // A name that was made of a value is told as it is written.
    let template = "[{apiVersion: v1, kind: Pod, metadata: {name: \"{{ .Env.NAME }}\"}, spec: {containers: [{name: c, image: \"IMAGE\"}]}}]";
    let case = Case {
        templates: &template.replace("IMAGE", IMAGE),
        variables: vec![("NAME", "countersignd")],
        ..Case::default()
    };
    let notices = case.judged().unwrap().notices;
    assert_eq!(notices.len(), 1);
    assert_eq!(notices[0].to_string(), format!("metadata.name: the name of pod {{{{ .Env.NAME }}}} {own}"));
}
