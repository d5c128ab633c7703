//! What runs otherwise than it may look, and is told.

use super::*;

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
