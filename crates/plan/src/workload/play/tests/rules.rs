//! Every refusal of what stands in an object, with its place.

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
            "securityContext: {capabilities: {add: [CAP_CHOWN, sys_time, ALL], drop: [NONE_SUCH]}}",
            "HPL15000E 9: spec.containers[0].securityContext.capabilities.drop[0]: expected the name of a capability of Linux, or ALL",
        ),
        (
            "",
            "livenessProbe: {httpGet: {port: none}}\nports: [{containerPort: 80, name: web}]",
            "HPL15000E 9: spec.containers[0].livenessProbe.httpGet.port: expected the name of a port of this container",
        ),
        (
            "",
            "env: [{name: A, value: .inf}]",
            "HPL15000E 9: spec.containers[0].env[0].value: expected a text, in quotes",
        ),
        (
            "volumes: [{name: v, emptyDir: {}}]",
            "volumeMounts: [{name: v, mountPath: /v}, {name: v, mountPath: /x/../v/}]",
            "HPL15000E 10: spec.containers[0].volumeMounts[1].mountPath: expected a place in the container that no other has",
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
