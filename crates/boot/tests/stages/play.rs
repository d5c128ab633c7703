//! A workload of pods, from `validate` to `watch`: what is judged in the initramfs is what the engine gets.

use std::io;
use std::path::Path;
use std::time::Duration;

use countersign_boot::guest_os::Verb;
use countersign_boot::stage::Stage;
use countersign_contract::code::Code;
use countersign_ports::guest_os::{Containers, Whose};
use serde_json::{Value, json};

use crate::support::canaries::assert_silent;
use crate::support::contract::{ENV_VALUE, IMAGE, WORKLOAD_VALUE};
use crate::support::guest_os::{booted_with, verb};
use crate::support::machine::facts;
use crate::support::watch::{HOUR, pass, started_with, watch};
use crate::support::{Contract, boot, machine, refused};

const PODS: &str = "/run/countersign/pods.json";

/// A pod with one container that takes the contract's variables.
fn pod(spec: &str, container: &str) -> String {
    format!(
        "apiVersion: v1\nkind: Pod\nmetadata:\n  name: web\nspec:\n{spec}  containers:\n  - name: hello\n    image: {IMAGE}\n    envFrom:\n    - configMapRef: {{name: contract.config.map}}\n{container}"
    )
}

fn good() -> Contract {
    let template = format!(
        "  templates:\n  - apiVersion: v1\n    kind: Pod\n    metadata: {{name: more}}\n    spec:\n      containers:\n      - name: x\n        image: '{{{{ .Env.REGISTRY }}}}/other@{}'\n",
        IMAGE.rsplit('@').next().unwrap()
    );
    Contract::good()
        .with_pods(&pod("", ""), &template)
        .with("  FROM_WORKLOAD:", "  REGISTRY: registry.example.org:5000\n  FROM_WORKLOAD:")
}

#[test]
fn pods_are_judged_and_written_before_any_disk_is_touched() {
    let boot = boot(&machine(&good()));
    assert_eq!(boot.result, Ok(()), "{}", boot.said());
    let plan: Value = serde_json::from_str(&boot.file("/run/countersign/plan.json")).unwrap();
    let other = IMAGE.replace("/web@", "/other@");
    assert_eq!(plan["images"], json!([other, IMAGE]));
    assert_eq!(plan["workload"], json!({"play": {"containers": 2}}));
    let (mode, _) = boot.files[Path::new(PODS)];
    assert_eq!(mode, 0o600);
    let text = boot.file(PODS);
    let documents: Vec<Value> =
        text.split("\n---\n").map(|document| serde_json::from_str(document).unwrap()).collect();
    let [map, more, web] = &documents[..] else { panic!("{text}") };
    assert_eq!(
        *map,
        json!({
            "apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "contract.config.map"},
            "data": {
                "FROM_ENV": ENV_VALUE, "FROM_WORKLOAD": WORKLOAD_VALUE, "REGISTRY": "registry.example.org:5000",
            },
        })
    );
    assert_eq!(
        more["spec"]["containers"][0],
        json!({"name": "x", "image": other, "imagePullPolicy": "Never"})
    );
    assert_eq!(web["metadata"], json!({"name": "web"}));
    assert_eq!(boot.file("/sysroot/data1/play/site/index.html"), "hello\n");
    assert_silent(&boot);
}

#[test]
fn images_are_pulled_and_pods_started_from_what_was_judged() {
    let machine = booted_with(&good(), |_| ());
    let run = verb(&machine, Verb::Images);
    assert_eq!(run.result, Ok(()), "{}", run.said());
    let pulled = run.asked.iter().filter(|asked| asked.starts_with("pull ")).count();
    assert_eq!(pulled, 2, "{:?}", run.asked);
    assert!(!run.asked.iter().any(|asked| asked.starts_with("model of")), "{:?}", run.asked);
    assert_eq!(run.stage_lines(), ["stage=images state=start", "stage=images state=done images=2"]);
    let kept = String::from_utf8(machine.files()[Path::new(PODS)].1.clone()).unwrap();
    let run = verb(&machine, Verb::Start);
    assert_eq!(run.result, Ok(()), "{}", run.said());
    assert_eq!(run.asked, ["start pods", "replace /run/countersign/started"]);
    assert_eq!(machine.pods(), Some(kept));
    let said = "HPL15004I: the pods are started\nVSI has started successfully.\nHPL10001I: the workload is started\n";
    assert!(run.said().ends_with(said), "{}", run.said());
    assert_eq!(run.stage_lines(), ["stage=start state=start", "stage=start state=done containers=2"]);
    let listed = String::from_utf8(machine.containers(Whose::Everyone).unwrap()).unwrap();
    assert!(listed.contains(r#""State":"running""#), "{listed}");
    assert_silent(&run);
}

#[test]
fn the_daemon_looks_at_the_containers_of_pods() {
    let machine = started_with(&good(), facts());
    machine.lists_containers(
        r#"[{"Names":["0123-infra"],"IsInfra":true,"State":"running"},{"Names":["web-hello"],"State":"running"}]"#,
    );
    let (_, alarm) = watch(&machine, vec![pass(HOUR)]);
    assert!(alarm.status.starts_with("1 of 1 containers run; "), "{}", alarm.status);
}

#[test]
fn pods_that_do_not_start_end_the_boot() {
    let machine = booted_with(&good(), |_| ());
    machine.fails("start pods", io::ErrorKind::Other);
    let run = verb(&machine, Verb::Start);
    run.assert_verb_failed(Stage::Start, Code::PodsFailed, "start pods");
    assert!(!run.said().contains("HPL10001I"), "{}", run.said());
    assert_silent(&run);
    let machine = booted_with(&good(), |_| ());
    machine.takes("start pods", Duration::from_secs(841));
    let run = verb(&machine, Verb::Start);
    run.assert_verb_failed(Stage::Start, Code::PlayLate, "expected the pods to start within 840 s");
    assert_silent(&run);
    let machine = booted_with(&good(), |_| ());
    machine.fails("read /run/countersign/pods.json", io::ErrorKind::NotFound);
    verb(&machine, Verb::Start).assert_verb_failed(Stage::Start, Code::HandoverFailed, "pods.json");
}

/// Refused for what stands in the archive, with the words, at the archive's own line.
#[test]
fn what_is_refused_in_the_archive_has_its_file_and_line() {
    for (spec, container, code, words) in [
        (
            "",
            "    stdinn: true\n",
            Code::PlayRefused,
            "pods.yaml: spec.containers[0]: expected a known key instead of stdinn, perhaps stdin (line 11)",
        ),
        (
            "  volumes: [{name: v, hostPath: {path: /run/podman}}]\n",
            "",
            Code::ReachRefused,
            "pods.yaml: spec.volumes[0].hostPath.path: expected a data volume or a path of the archive: this one belongs to the guest itself (line 6)",
        ),
        (
            "",
            "    Image: x\n",
            Code::DuplicateKey,
            "pods.yaml: spec.containers[0]: expected each key once in its map, in whatever letters, Image stands twice (line 11)",
        ),
    ] {
        let contract = Contract::good().with_pods(&pod(spec, container), "");
        let boot = refused(&contract);
        boot.assert_place(Stage::Validate, code, "/workload/play/archive workload 3:12", words);
        assert_silent(&boot);
    }
    let unpinned = pod("", "").replace(IMAGE, "canary:latest");
    let boot = refused(&Contract::good().with_pods(&unpinned, ""));
    let words = "pods.yaml: spec.containers[0].image: expected the image as name@sha256:digest (line 8)";
    boot.assert_place(Stage::Validate, Code::ImageNotPinned, "/workload/play/archive workload 3:12", words);
    assert_silent(&boot);
}

#[test]
fn what_is_refused_in_the_contract_has_its_place() {
    let template = "  templates:\n  - apiVersion: v1\n    kind: Pod\n    metadata: {name: p}\n    spec:\n      containers:\n      - name: c\n        image: '{{ .Env.NOWHERE }}/x'\n";
    let boot = refused(&Contract::good().with_pods(&pod("", ""), template));
    boot.assert_place(
        Stage::Validate,
        Code::PlayRefused,
        "/workload/play/templates/0/spec/containers/0/image workload 10:16",
        "expected NOWHERE in env, it is not set (character 4 of the text)",
    );
    let boot = refused(&Contract::good().with_pods("# nothing\n", ""));
    boot.assert_place(
        Stage::Validate,
        Code::PlayRefused,
        "/workload/play workload 3:3",
        "expected at least one Pod",
    );
}

#[test]
fn what_a_container_reaches_is_told_or_refused_by_policy() {
    let imitation = "---\napiVersion: v1\nkind: Pod\nmetadata:\n  name: countersignd\nspec:\n  containers:\n";
    let imitation = format!("{imitation}  - {{name: c, image: '{IMAGE}'}}\n");
    let pods = pod("  hostNetwork: true\n  nodeName: x\n", "") + &imitation;
    let contract = Contract::good().with_pods(&pods, "");
    let machine = machine(&contract);
    let boot = boot(&machine);
    assert_eq!(boot.result, Ok(()), "{}", boot.said());
    let words =
        "metadata.name: the name of pod countersignd looks like one of the guest's own in the log (line";
    boot.assert_warned(words);
    boot.assert_warned("HPL06124W");
    boot.assert_warned("pods.yaml: spec.hostNetwork: pod web reaches the guest's own network (line 6)");
    boot.assert_warned("pods.yaml: spec: nothing comes of nodeName (line 6)");
    assert!(
        boot.said().contains(Code::ContainerReach.as_str())
            && boot.said().contains(Code::PlayNotice.as_str())
    );
    let contract = contract.with_workload("countersign: {policy: {reach: refuse}}\n");
    let words = "pods.yaml: spec.hostNetwork: expected not to reach the guest's own network, which a policy refuses (line 6)";
    refused(&contract).assert_place(
        Stage::Validate,
        Code::ReachRefused,
        "/workload/play/archive workload 3:12",
        words,
    );
}

#[test]
fn an_archive_is_not_needed() {
    let resource = format!(
        "play:\n  resources:\n  - apiVersion: v1\n    kind: Pod\n    metadata: {{name: p}}\n    spec:\n      containers:\n      - {{name: c, image: '{IMAGE}'}}\n"
    );
    let contract = Contract::good().with("compose:\n  archive: @archive@\n", &resource);
    let boot = boot(&machine(&contract));
    assert_eq!(boot.result, Ok(()), "{}", boot.said());
    assert!(boot.file(PODS).contains("\"name\":\"p\""));
    assert!(!boot.files.keys().any(|path| path.starts_with("/sysroot/data1")), "{:?}", boot.files.keys());
}
