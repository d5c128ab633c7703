//! What containers of pods may reach of the guest.

use super::*;

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
